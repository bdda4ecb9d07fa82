"""Whether a second-order optimizer has come to rest where descent ends: told without units, as they step.

`lm`: no parameter's derivatives correlate with the residuals (see `lm`). The others: the step that the Hessian asks for
would not lower the loss by more than a share of 1e-12,

    g' |H|^-1 g <= 1e-12 |loss|    or 1e-20 of what it has fallen by, where the loss falls to 0

which for a sum of squares is the square of that correlation (Newton's decrement: Boyd and Vandenberghe 2004, section
9.5). Along a direction without curvature the gradient must vanish but for rounding, and where the curvature is negative
a loss near 0 is no excuse.

A loss with corners, `mae` and `quantile`, has come to rest where what pulls there balances (see `corners`).

Shapes: P parameters.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gdtrain.local.curvature import units_of
from gdtrain.second import Task
from gdtrain.second.corners import at_corner, has_corners
from gdtrain.second.hessian import DENSE, NEGATIVE, hessian, rounding_of
from gdtrain.second.lm import Point

_SHARE = 1e-12
_OF_ALL = 1e-20
_EPS = torch.finfo(torch.float64).eps
_ROUNDINGS = 16
_SMALL = 1e-8  # gradient that a loss near 0 may have along a direction in which it falls ever faster
_LARGE = 1e-6  # gradient, beside the loss, of a problem whose Hessian is too large to form


def at_rest(name: str, task: Task, theta_P: Tensor, *, first: float, scale: float) -> bool:
    """Whether the optimizer `name` has come to rest at theta.

    first  the objective at the start
    scale  the loss of predicting 0, of which residuals have rounding errors
    """
    theta_P = theta_P.double().cpu()
    with torch.no_grad():
        if name == "lm":
            point = Point.at(task, theta_P)
            return point.finite and point.at_rest(task.held(theta_P, point.gradient_P), scale**0.5)
        if has_corners(task) and len(theta_P) <= DENSE and math.isfinite(task.value(theta_P)[0]):
            return at_corner(task, theta_P)
        return _decrement_is_small(task, theta_P, first)


def _decrement_is_small(task: Task, theta_P: Tensor, first: float) -> bool:
    value, gradient_P = task.value(theta_P)
    free = ~task.held(theta_P, gradient_P)
    gradient_F = gradient_P[free]
    if not (math.isfinite(value) and bool(gradient_F.isfinite().all())):
        return False
    if not len(gradient_F):
        return True  # bounds hold them all
    if len(gradient_F) > DENSE:
        return float(gradient_F.norm()) <= _LARGE * max(1.0, abs(value))
    hessian_PP = hessian(task, theta_P)
    if not bool(hessian_PP.isfinite().all()):
        return False
    left_F = torch.where(gradient_F.abs() <= rounding_of(hessian_PP, theta_P)[free], 0.0, gradient_F)
    inner_FF = hessian_PP[free][:, free]
    unit_F = units_of(inner_FF)
    eigenvalues_F, vectors_FF = torch.linalg.eigh(inner_FF / unit_F[:, None] / unit_F)
    steep_F = eigenvalues_F.abs()
    largest = max(float(steep_F.max()), 1e-300)
    share_F = (vectors_FF.mT @ (left_F / unit_F)).square() / steep_F.clamp(min=_EPS * largest)
    falling_F = eigenvalues_F < -NEGATIVE * largest
    if float(gradient_F.norm()) > _SMALL and float(share_F[falling_F].sum()) > _SHARE * abs(value):
        return False
    decrement = float(share_F.sum())
    digits = (_ROUNDINGS * torch.finfo(task.theta_P.dtype).eps) ** 2  # of single precision
    return decrement <= max(max(_SHARE, digits) * abs(value), max(_OF_ALL, digits) * abs(first - value))
