"""Learning rates that are chosen for the user, from the curvature of the loss.

Shapes: S trials, P trained parameters.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gdtrain.engines.modes import Sgd
from gdtrain.engines.stability import best_lr
from gdtrain.problem.curvature import largest_curvature
from gdtrain.problem.problem import Problem


def curvatures(problem: Problem, sgd: Sgd) -> Tensor:
    """Eigenvalues h (P,) of the quadratic loss's Hessian, weight decay added: of one trial."""
    assert problem.quadratic is not None
    return problem.quadratic.eigenvalues_P + sgd.weight_decay


def safe_lr(problem: Problem, theta_SP: Tensor, sgd: Sgd) -> list[float | None]:
    """For each trial the best lr where the loss is quadratic, else 1/h, h being the largest curvature at its theta plus
    weight decay; None where there is none to speak of.
    """
    each = sgd.each(len(theta_SP))
    found: list[float | None] = [None] * len(theta_SP)
    if problem.quadratic is not None:
        best = {options: best_lr(curvatures(problem, options), options) for options in set(each)}
        found = [best[options] for options in each]
    rest = [s for s, lr in enumerate(found) if lr is None]
    if rest:
        largest = largest_curvature(problem.objective, theta_SP[torch.as_tensor(rest)]).tolist()
        for s, h in zip(rest, largest, strict=True):
            found[s] = _inverse(h + float(each[s].weight_decay), theta_SP)
    return found


def _inverse(curvature: float, like: Tensor) -> float | None:
    return 1 / curvature if math.isfinite(curvature) and curvature > torch.finfo(like.dtype).tiny else None


def two_digits(number: float) -> float:
    """`number` cut (not rounded: that could pass a limit) to two significant digits."""
    exponent = math.floor(math.log10(number)) - 1
    return float(f"{math.floor(number / 10.0**exponent)}e{exponent}")
