"""Whether a point at which a gradient vanished is a minimum: what lies around it.

Shapes: P trained parameters, S points that are tried.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gdtrain.local.curvature import falls_away, hessian_of
from gdtrain.planning.plan import Plan
from gdtrain.second.walk import task_of

_LENGTH = 1e-3  # of a step, as a share of a parameter that is above 1
_CLEARLY = 1e-6  # share of the loss by which a step lowers it
_LEFT = 1e-3
_FEW = 64  # parameters up to which each is moved


def lower(plan: Plan, theta_P: Tensor, loss: float) -> list[str]:
    """Sentences about a point of a plan of one trial that is no minimum, or the same as all around it; [] of others.

    Of an expression, parameters are moved one by one: it may fall on and on, or be flat, where its curvature is 0.
    """
    held_P: Tensor | None = None
    if plan.bounds is not None:
        task = task_of(plan.problem.objective, plan.penalty, theta_P, plan.bounds, {})
        held_P = task.held(theta_P.double().cpu(), task.value(theta_P)[1])
    if falls_away(plan.smooth, theta_P[None], held_P):
        return ["the gradient vanishes here, but the loss falls away from it: no minimum; try another start"]
    if plan.problem.kind != "minimize" or len(theta_P) > _FEW or plan.penalty is not None:
        return []
    return _around(plan, theta_P, loss)


def _around(plan: Plan, theta_P: Tensor, loss: float) -> list[str]:
    names, steps_SP = plan.problem.parameters.trained, torch.diag(_LENGTH * theta_P.abs().clamp(min=1.0))
    there_SP = theta_P + torch.cat([steps_SP, -steps_SP])
    if plan.bounds is not None:
        there_SP = there_SP.clamp(*plan.bounds)
    loss_S, _ = plan.smooth.loss_and_gradient(there_SP)
    least = int(loss_S.nan_to_num(nan=torch.inf).argmin())
    if float(loss_S[least]) < loss - _CLEARLY * abs(loss) and not _nothing(plan, theta_P, loss):
        p = least % len(theta_P)
        there = f"{names[p]} = {float(there_SP[least, p]):.6g}"
        falls = f"the gradient all but vanishes, but the loss falls on, to {float(loss_S[least]):.6g} at {there}"
        return [f"{falls}: there may be no minimum; try another start"]
    flat_P = (loss_S == loss).reshape(2, -1).all(0)
    flat = [name for name, same in zip(names, flat_P.tolist(), strict=True) if same]
    return [f"near the values found, nothing depends on {', '.join(flat)}"] if flat else []


def _nothing(plan: Plan, theta_P: Tensor, loss: float) -> bool:
    """Whether what is left of a loss above 0 is a rounding error, which one step of Newton's would take away: any
    other step may then lower it.
    """
    hessian_PP = hessian_of(plan.smooth, theta_P[None])
    if hessian_PP is None or loss <= 0:
        return False
    _, gradient_1P = plan.smooth.loss_and_gradient(theta_P[None])
    step_P = torch.linalg.pinv(hessian_PP) @ gradient_1P[0]
    after_1, _ = plan.smooth.loss_and_gradient((theta_P - step_P)[None])
    return float(after_1[0].abs()) < _LEFT * loss
