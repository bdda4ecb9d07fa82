"""Learning rates that are chosen for the user, from the curvature of the loss.

Shapes: S trials, P trained parameters.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gdtrain.engines.modes import Sgd
from gdtrain.engines.stability import best_lr
from gdtrain.local.curvature import largest_curvature
from gdtrain.problem.penalty import Penalty, Ridges, Smooth
from gdtrain.problem.problem import Problem
from gdtrain.problem.quadratic import Quadratic


def curvatures(quadratic: Quadratic, sgd: Sgd) -> Tensor:
    """Eigenvalues h (P,) of the Hessian, weight decay added: of one trial."""
    return quadratic.eigenvalues_P + sgd.weight_decay


def best_rates(
    quadratic: Quadratic, trials: int, sgd: Sgd, penalty: Penalty | None = None, ridges: Ridges | None = None
) -> list[float | None]:
    """The best lr of each trial on a quadratic loss and its l2, worked out once for those that are alike."""
    l2_S = [0.0] * trials if penalty is None or ridges is None else penalty.l2_S1[:, 0].tolist()
    each = list(zip(sgd.each(trials), l2_S, strict=True))
    best = {
        (options, l2): best_lr(curvatures(ridges.of(l2) if ridges else quadratic, options), options)
        for options, l2 in dict.fromkeys(each)
    }
    return [best[own] for own in each]


def safe_lr(
    problem: Problem,
    theta_SP: Tensor,
    sgd: Sgd,
    penalty: Penalty | None = None,
    ridges: Ridges | None = None,
    largest_S: Tensor | None = None,
) -> list[float | None]:
    """For each trial the best lr where the loss is quadratic, else 1/h, h being the largest curvature at its theta plus
    weight decay; None where there is none to speak of. Of a penalty its l2 counts: l1 has no curvature.

    largest_S  those curvatures, where they are known already
    """
    each = sgd.each(len(theta_SP))
    found: list[float | None] = [None] * len(theta_SP)
    if problem.quadratic is not None:
        found = best_rates(problem.quadratic, len(theta_SP), sgd, penalty, ridges)
    rest = [s for s, lr in enumerate(found) if lr is None]
    if rest:
        rows = torch.as_tensor(rest, device=theta_SP.device)
        if largest_S is None:
            objective = problem.objective if penalty is None else Smooth(problem.objective, penalty.take(rows))
            largest = largest_curvature(objective, theta_SP[rows])
        else:
            largest = largest_S[rows]
        for s, h in zip(rest, largest.tolist(), strict=True):
            found[s] = _inverse(h + float(each[s].weight_decay), theta_SP)
    return found


def _inverse(curvature: float, like: Tensor) -> float | None:
    return 1 / curvature if math.isfinite(curvature) and curvature > torch.finfo(like.dtype).tiny else None


def two_digits(number: float) -> float:
    """`number` cut (not rounded: that could pass a limit) to two significant digits."""
    exponent = math.floor(math.log10(number)) - 1
    return float(f"{math.floor(number / 10.0**exponent)}e{exponent}")
