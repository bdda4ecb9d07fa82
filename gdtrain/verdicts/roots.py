"""Whether a trial of `solve` found a root, of what kind, or that there is none near.

Shapes: P trained parameters, E equations.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gdtrain.verdicts.ended import Detail, Trial

ROOT_TOL = 1e-6  # a root: sides equal to this share of their size, and the next Newton step this small
_ROUNDING = 1e-12
_FAR = 1e3  # a Newton step that is so many times theta explains nothing
_AXES = 16
_EPS = 16 * torch.finfo(torch.float64).eps
_ENDLESS = 1e2  # times theta that sides must come closer for, to do so without end
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
    if holds and explained and near < _FAR:
        return _judge_equal(trial, worst, step_P, near)
    if _stuck(trial, step_P):
        return "no_root", lambda: _apart(trial, worst)
    if not small:
        return None
    if explained and near < _FAR:
        left = f"|left - right| is still {worst:.3g}, which a step of {step:.2g} by Newton would mend"
        return "max_epochs", lambda: f"{left}; --polish takes it"
    where = f"the gradient vanishes at {trial.where}, which is no root: try another start"
    return "max_epochs", lambda: where


def _judge_equal(trial: Trial, worst: float, step_P: Tensor, near: float) -> tuple[str, Detail] | None:
    """Where the sides are equal to their tolerance: whether there is a root, or they only come closer and closer.

    near  Newton's step, as a share of theta
    """
    lost = near == 0 < worst  # the derivatives are too small for a number
    if lost and (name := _runs_off(trial, trial.end.theta_P)) is not None:
        return "no_root", lambda: _only_closer(trial, trial.end.theta_P, name, worst)
    small = trial.norm <= trial.tolerance
    if near <= _rounding(trial) or trial.loss_reached or (small and near <= ROOT_TOL):
        return "converged", lambda: f"|left - right| is at most {worst:.3g}{_kind_of_root(trial)}"
    if not small:
        return None
    if (name := _runs_off(trial, step_P)) is not None:
        return "no_root", lambda: _only_closer(trial, step_P, name, worst)
    rounding = _rounding(trial) * max(1.0, *(abs(side) for pair in trial.sides for side in pair))
    if worst > rounding and _stuck(trial, step_P):
        return "no_root", lambda: _apart(trial, worst)
    flat = f"|left - right| is {worst:.3g}, but so flat that Newton would still move {float(step_P.norm()):.2g}"
    return "max_epochs", lambda: f"{flat}{_kind_of_root(trial)}"


def _rounding(trial: Trial) -> float:
    """Share of a number that is no more than its last digits."""
    return max(_ROUNDING, 4 * torch.finfo(trial.end.theta_P.dtype).eps)


def _apart(trial: Trial, worst: float) -> str:
    """How far from a root the best point is. Of several equations the sum of squares is what is least there."""
    end, sides, bounds = trial.end, trial.sides, trial.plan.bounds
    several = len(sides) > 1
    least = math.hypot(*(left - right for left, right in sides)) if several else worst
    which = " over all equations" if several else ""
    found = f"no real root found: |left - right|{which} is at least {least:.6g} near {trial.where}"
    held: list[int] = []
    if bounds is not None:
        held = ((end.theta_P <= bounds[0]) | (end.theta_P >= bounds[1])).nonzero()[:, 0].tolist()
    if held:
        return f"{found}, where {trial.problem.parameters.trained[held[0]]} is at its bound; move the bound"
    if trial.problem.quadratic is not None and bounds is None:
        return f"{found}; the equations are linear in the unknowns: there is none"
    return f"{found}; another start may find one"


def _only_closer(trial: Trial, step_P: Tensor, name: str, worst: float) -> str:
    down = float(step_P[trial.problem.parameters.trained.index(name)]) < 0
    closer = f"left and right only come closer as {name} goes to {'-' * down}infinity"
    return f"no real root found: {closer}: |left - right| is {worst:.3g} at {trial.where}"


def _runs_off(trial: Trial, step_P: Tensor) -> str | None:
    """The parameter that goes furthest where left and right come ever closer along a step, however far;
    None where they meet, or part again.
    """
    theta_P, last = trial.end.theta_P, _residual(trial, trial.end.theta_P)
    far = _ENDLESS * max(1.0, float(theta_P.norm()))
    step_P = step_P.clone()
    while float(step_P.norm()) < far:
        now = _residual(trial, theta_P + step_P)
        if not (now < last or now == last == 0):
            return None
        last, step_P = now, 2 * step_P
    return trial.problem.parameters.trained[int(step_P.abs().argmax())]


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
    return step_P, left_over <= max(0.5 * float(residual_E.norm()), _rounding(trial) * size)


def _kind_of_root(trial: Trial) -> str:
    """What there is to say of a root, as clauses: that it is one of many, or a multiple one; "" of a plain one."""
    (jacobian_EP,) = trial.problem.objective.jacobians(trial.end.theta_P[None])
    equations, unknowns = jacobian_EP.shape
    order = _multiplicity(trial, jacobian_EP)
    found = ""
    if unknowns > equations and order < 2:
        found = f"; one of many solutions: {unknowns} unknowns in {equations} equation{'s'[: equations != 1]}"
    elif _free(trial, jacobian_EP):
        found = f"; one of many solutions: the equation{'s'[: equations != 1]} hold{'s'[: equations == 1]} along a line"
    if order < 2:
        return found
    share = "half" if order == 2 else f"one in {order}"
    return f"{found}; {_named(order)}: descent slows down there, and {share} of the digits count"


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

    Where J alone explains them, and where nothing does, it is 1. So it is where the sides differ at the place to which
    J would point a root of order m: there are several plain roots beside each other.
    """
    theta_P = trial.end.theta_P
    if not bool(jacobian_EP.isfinite().all()):
        return 1
    sigma, directions = torch.linalg.svd(jacobian_EP, full_matrices=False)[1:]
    length, slope = _AWAY * max(1.0, float(theta_P.norm())), float(sigma[-1])
    near, far = (_residual(trial, theta_P + k * length * directions[-1]) for k in (1, 2))
    if not 0 < near < far < math.inf or slope * length > near / 4:
        return 1
    order = round(math.log2(far / near))
    if not 1 < order <= _MOST:
        return 1
    height, sides = near / length**order, [abs(side) for sides in trial.sides for side in sides]
    away = (slope / (order * height)) ** (1 / (order - 1))
    there = min(_residual(trial, theta_P + sign * away * directions[-1]) for sign in (-1, 1))
    rounding = _EPS * max(*sides, height * float(theta_P.norm()) ** order)
    return order if there <= 4 * max(_residual(trial, theta_P), rounding) else 1


def _free(trial: Trial, jacobian_EP: Tensor) -> bool:
    """Whether the unknowns may move some way, where J feels nothing, without the sides parting."""
    if not bool(jacobian_EP.isfinite().all()):
        return False
    sigma, directions = torch.linalg.svd(jacobian_EP, full_matrices=True)[1:]
    rank = int((sigma > _ROUNDING * sigma.max()).sum())
    theta_P, size = trial.end.theta_P, max(1.0, *(abs(side) for sides in trial.sides for side in sides))
    length = max(1.0, float(theta_P.norm()))
    return any(
        _residual(trial, theta_P + length * d) <= _residual(trial, theta_P) + _ROUNDING * size
        for d in directions[rank:]
    )


def _residual(trial: Trial, theta_P: Tensor) -> float:
    """The length of the residuals at theta."""
    values_Q = trial.problem.parameters.values(theta_P)
    return math.hypot(*(left - right for left, right in trial.problem.side_values(values_Q)))


def _stuck(trial: Trial, newton_P: Tensor) -> bool:
    """Whether no step, long or short, along the gradient, Newton's direction or an axis lowers the loss by 0.1 %."""
    theta_P = trial.end.theta_P
    axes = torch.eye(len(newton_P), dtype=newton_P.dtype, device=newton_P.device)[:_AXES]
    directions = [-trial.end.gradient_P, newton_P, *axes, *-axes]
    lengths = max(1.0, float(theta_P.norm())) * 2.0 ** torch.arange(20, -60, -1, dtype=theta_P.dtype)
    steps = [lengths[:, None] * d / d.norm().clamp(min=1e-300) for d in directions if bool(d.isfinite().all())]
    if bool(newton_P.isfinite().all()):
        steps.append(2.0 ** -torch.arange(60, dtype=theta_P.dtype)[:, None] * newton_P)
    tried = theta_P + torch.cat(steps)
    if trial.plan.bounds is not None:
        tried = tried.clamp(*trial.plan.bounds)
    loss_S, _ = trial.problem.objective.loss_and_gradient(tried)
    return not bool((loss_S < 0.999 * trial.loss).any())
