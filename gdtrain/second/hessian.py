"""The Hessian of what is descended, whole, and whether a gradient is small beside it.

Shapes: P parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gdtrain.local.curvature import hessians
from gdtrain.problem.objective import Objective
from gdtrain.second import Task

DENSE = 256  # parameters up to which it is formed for more than newton's steps
NEGATIVE = 1e-8  # share of the largest eigenvalue below which one is a rounding error
_ROUNDINGS = 16


def hessian_at(objective: Objective, theta_P: Tensor) -> Tensor:
    """The Hessian (P, P) at theta, symmetric, float64 on the CPU."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        found = hessians(objective, theta_P.detach().clone()[None])[0]
    found = found.detach().double().cpu()
    return (found + found.mT) / 2


def hessian(task: Task, theta_P: Tensor) -> Tensor:
    """That of a task, at a point in float64."""
    return hessian_at(task.smooth, theta_P.to(task.theta_P))


def rounding_of(hessian_PP: Tensor, theta_P: Tensor) -> Tensor:
    """What a gradient (P,) moves by where each parameter moves by its own rounding: |H| |theta| eps."""
    return _ROUNDINGS * torch.finfo(torch.float64).eps * hessian_PP.abs() @ theta_P.abs()
