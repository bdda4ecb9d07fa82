"""Whether a trial of `solve` found a root, of what kind, or that there is none near.

Shapes: P trained parameters, E equations.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gdtrain.ended import Detail, Trial

ROOT_TOL = 1e-6  # a root: sides equal to this share of their size, and the next Newton step this small
_ROUNDING = 1e-12
_FAR = 1e3  # a Newton step that is so many times theta explains nothing
_AXES = 16
_AWAY = 1e-2  # how far from a root, as a share of its size, a power shows
_MOST = 9  # orders that are told: a function may be flatter than any power
_ORDERS = {2: "double", 3: "triple", 4: "fourfold"}


def judge_root(trial: Trial) -> tuple[str, Detail] | None:
    """Status and sentence; None where the trial is on its way. `solve` has converged when every equation holds and
    Newton's method would stay where it is.
    """
    sides = trial.sides
    worst = max(abs(left - right) for left, right in sides)
    holds = all(abs(left - right) <= ROOT_TOL * max(1.0, abs(left), abs(right)) for left, right in sides)
    small = trial.norm <= trial.tolerance
    step_P, explained = _newton_step(trial)
    step = float(step_P.norm())
    near = step / max(1.0, float(trial.end.theta_P.norm()))
    explained = explained and near < _FAR

    def equal() -> str:
        return f"|left - right| is at most {worst:.3g}{_kind_of_root(trial)}"

    if holds and explained and near <= _ROUNDING:
        return "converged", equal
    if holds and explained and (small or trial.loss_reached):
        if trial.loss_reached or near <= ROOT_TOL:
            return "converged", equal
        flat = f"|left - right| is {worst:.3g}, but so flat that Newton would still move {step:.2g}"
        return "max_epochs", lambda: f"{flat}{_kind_of_root(trial)}"
    if not (holds and explained):
        if _stuck(trial, step_P):
            apart = f"no real root found: |left - right| is at least {worst:.6g}"
            return "no_root", lambda: f"{apart} near {trial.where}; another start may find one"
        if small:
            where = f"the gradient vanishes at {trial.where}, which is no root: try another start"
            return "max_epochs", lambda: where
    return None


def _newton_step(trial: Trial) -> tuple[Tensor, bool]:
    """The Gauss-Newton step (P,) from the end, the least-norm solution of J step = -residuals (inf without one), and
    whether it explains the residuals: halves them, or finds them rounding errors. At a minimum that is no root it
    does not.
    """
    (jacobian_EP,) = trial.problem.objective.jacobians(trial.end.theta_P[None])
    if not bool(jacobian_EP.isfinite().all()):
        return torch.full_like(trial.end.theta_P, math.inf), False
    residual_E = trial.end.theta_P.new_tensor([left - right for left, right in trial.sides])
    step_P: Tensor = -torch.linalg.pinv(jacobian_EP) @ residual_E
    left_over = float((residual_E + jacobian_EP @ step_P).norm())
    size = max(1.0, *(abs(side) for sides in trial.sides for side in sides))
    return step_P, left_over <= max(0.5 * float(residual_E.norm()), _ROUNDING * size)


def _kind_of_root(trial: Trial) -> str:
    """What there is to say of a root, as a clause: that it is one of many, or a multiple one; "" of a plain one."""
    (jacobian_EP,) = trial.problem.objective.jacobians(trial.end.theta_P[None])
    equations, unknowns = jacobian_EP.shape
    if unknowns > equations:
        return f"; one of many solutions: {unknowns} unknowns in {equations} equation{'s'[: equations != 1]}"
    order = _multiplicity(trial, jacobian_EP)
    if order < 2:
        return ""
    share = "half" if order == 2 else f"one in {order}"
    return f"; {_named(order)}: descent slows down there, and {share} of the digits count"


def on_the_way(trial: Trial) -> str:
    """That a trial which has not come to a root nears a multiple one, as a clause; "" where it does not.

    At a distance d of a root of order m Newton's step is d/m, after which (1 - 1/m)^m of the residual is left.
    """
    step_P, _ = _newton_step(trial)
    theta_P = trial.end.theta_P
    if not bool(step_P.isfinite().all()) or len(trial.sides) < len(theta_P):
        return ""
    now, after = _residual(trial, theta_P), _residual(trial, theta_P + step_P)
    for order in _ORDERS:
        left = (1 - 1 / order) ** order
        there = theta_P + order * step_P
        if abs(after - left * now) < 0.1 * left * now and _residual(trial, there) < 0.01 * now:
            return f"; {_named(order)} is near, to which descent is slow: Newton's steps point to {trial.at(there)}"
    return ""


def _named(order: int) -> str:
    return f"a {_ORDERS.get(order, f'{order}-fold')} root"


def _multiplicity(trial: Trial, jacobian_EP: Tensor) -> int:
    """How fast the residuals leave 0 along the direction that J feels least: as its m-th power.

    Where J alone explains them, and where nothing does, it is 1.
    """
    theta_P = trial.end.theta_P
    if not bool(jacobian_EP.isfinite().all()):
        return 1
    sigma, directions = torch.linalg.svd(jacobian_EP, full_matrices=False)[1:]
    length = _AWAY * max(1.0, float(theta_P.norm()))
    near, far = (_residual(trial, theta_P + k * length * directions[-1]) for k in (1, 2))
    if not 0 < near < math.inf or far == math.inf or float(sigma[-1]) * length > near / 4:
        return 1
    order = round(math.log2(far / near)) if far > near else 1
    return order if order <= _MOST else 1


def _residual(trial: Trial, theta_P: Tensor) -> float:
    """The length of the residuals at theta."""
    values_Q = trial.problem.parameters.values(theta_P)
    return math.hypot(*(left - right for left, right in trial.problem.side_values(values_Q)))


def _stuck(trial: Trial, newton_P: Tensor) -> bool:
    """Whether no step, long or short, along the gradient, Newton's direction or an axis lowers the loss by 0.1 %."""
    axes = torch.eye(len(newton_P), dtype=newton_P.dtype, device=newton_P.device)[:_AXES]
    directions = [-trial.end.gradient_P, newton_P, *axes, *-axes]
    lengths = 2.0 ** torch.arange(20, -60, -1, dtype=trial.end.theta_P.dtype)
    steps = [lengths[:, None] * d / d.norm().clamp(min=1e-300) for d in directions if bool(d.isfinite().all())]
    tried = trial.end.theta_P + torch.cat(steps)
    if trial.plan.bounds is not None:
        tried = tried.clamp(*trial.plan.bounds)
    loss_S, _ = trial.problem.objective.loss_and_gradient(tried)
    return not bool((loss_S < 0.999 * trial.loss).any())
