"""What the eigenvalues of a quadratic loss say of sgd: where it diverges, the best lr, how long it takes.

h are the Hessian's eigenvalues plus weight decay. One epoch along a mode multiplies (reach, b) by a 2 x 2 matrix I + E
(see `modes`); with a = lr * h, g = 1 - dampening and momentum m, E's eigenvalues e solve e^2 + s e + p = 0 where

    heavy ball   s = 1 - m + g a,        p = g a,   det(I + E) = m
    Nesterov     s = 1 - m + (1 + m) a,  p = a,     det(I + E) = m (1 - a)

Both eigenvalues of I + E stay within 1 while a < 2 (1 + m) / g, for Nesterov while a < 2 (1 + m) / (1 + 2 m)
(Polyak 1964; Lessard, Recht and Packard 2016). Options are numbers here: one trial.

Shapes: P modes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gdtrain.engines.modes import Sgd

NEAR = 1e-6  # of the distance at the start: near the optimum


def lr_limit(h_P: Tensor, sgd: Sgd) -> float:
    """The lr beyond which sgd diverges: (2/h, heavy ball, Nesterov as above) of the largest h; inf where that is 0.

    0 where it diverges at any lr: at a momentum of 1 or more, or with a dampening above 1.
    """
    largest, momentum, gain = float(h_P.max()), float(sgd.momentum), float(sgd.gain)
    if momentum >= 1 or gain < 0:
        return 0.0
    braking = (1 + 2 * momentum if sgd.nesterov else gain) * largest
    return 2 * (1 + momentum) / braking if braking > 0 else math.inf


def best_lr(h_P: Tensor, sgd: Sgd) -> float | None:
    """2 / (largest + smallest h) for plain descent where no h is 0 but for rounding, else 1 / largest.

    At the former the slowest modes, the steepest and the flattest, shrink alike; with momentum it may be unstable.
    Where dampening below 0 brings the limit under 1 / largest it is half of the limit. None where all h are 0 or one is
    not finite, and where no lr is stable.
    """
    largest, smallest = float(h_P.max()), float(h_P.min())
    if not 0 < largest < math.inf:
        return None
    if sgd.plain and smallest > torch.finfo(h_P.dtype).eps * len(h_P) * largest:
        return 2 / (largest + smallest)
    limit = lr_limit(h_P, sgd)
    if 1 / largest < limit:
        return 1 / largest
    return limit / 2 if limit > 0 else None


def epochs_to_near(h_P: Tensor, sgd: Sgd, lr: float, share: float = NEAR) -> float:
    """Epochs after which theta's distance to the optimum has shrunk to `share` along its slowest mode; inf if never.

    That is ln(share) / ln(spectral radius): how it goes from a start in no special place, once momentum's first swings
    are over. Modes with h = 0 have no optimum and are left out.
    """
    rate_P = shrinking(lr * h_P[h_P > 0], sgd)
    if not len(rate_P):
        return 0.0
    slowest = float(rate_P.min())
    return max(1, math.ceil(-math.log(share) / slowest)) if slowest > 0 else math.inf


def shrinking(a_P: Tensor, sgd: Sgd) -> Tensor:
    """-ln of the spectral radius of each mode, (P,): below 0 it grows. Slow modes keep their relative accuracy."""
    momentum, gain = float(sgd.momentum), float(sgd.gain)
    if sgd.nesterov:
        s, p, determinant = 1 - momentum + (1 + momentum) * a_P, a_P, momentum * (1 - a_P)
    else:
        s, p, determinant = 1 - momentum + gain * a_P, gain * a_P, torch.full_like(a_P, momentum)
    spread = s * s - 4 * p  # of the eigenvalues: a complex pair where it is negative
    root = spread.clamp(min=0).sqrt()
    near, far = -2 * p / (s + root), -(s + root) / 2
    near = torch.where(near < -1, -2 - near, near)  # 1 + near changes sign, which its size does not feel
    real = torch.maximum(torch.log1p(near), torch.log((1 + far).abs()))
    return -torch.where(spread < 0, torch.log(determinant.clamp(min=0)) / 2, real)
