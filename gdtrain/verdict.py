"""How a trial ended: the status, and one sentence with numbers that says why and what would help.

Shapes: P trained parameters, E equations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gdtrain.engines.states import End, Stops
from gdtrain.formula import walk
from gdtrain.formula.evaluate import evaluate
from gdtrain.plan import Plan
from gdtrain.problem.problem import Problem

GRAD_TOL = 1e-8  # converged: gradient norm at most this, times the norm at the start where that is above 1
ROOT_TOL = 1e-6  # a root: sides equal to this share of their size, and the next Newton step this small
_ROUNDING = 1e-12
_FAR = 1e3  # a Newton step that is so many times theta explains nothing
_FEW, _AXES = 4, 16


Detail = Callable[[], str]  # a sentence, made when it is asked for: what would help may take some trying


@dataclass(frozen=True)
class Trial:
    """What is judged: a trial of a plan, and its end.

    epochs  what was to be its last
    remedy  gives a learning rate that would not diverge, None where none was found
    """

    batch: Plan
    s: int
    end: End
    epochs: int
    remedy: Callable[[], float | None]

    @cached_property
    def plan(self) -> Plan:
        """Of this trial alone."""
        return self.batch.trial(self.s, self.epochs)

    @property
    def problem(self) -> Problem:
        return self.batch.problem

    @property
    def stops(self) -> Stops:
        return self.batch.stops

    @property
    def loss(self) -> float:
        return self.end.loss

    @property
    def objective(self) -> float:
        """What is descended: the loss, and the penalty where there is one."""
        return self.end.objective

    @property
    def what(self) -> str:
        """What that is called."""
        return "loss" if self.batch.penalty is None else "objective"

    @property
    def norm(self) -> float:
        return self.end.norm

    @property
    def lr(self) -> float:
        """The learning rate that is to blame: the last, which halving may have found; a schedule's base."""
        return self.end.lr if self.batch.schedule is None else self.plan.lr

    @property
    def tolerance(self) -> float:
        return (self.stops.grad_tol or GRAD_TOL) * max(1.0, self.end.first_norm)

    @property
    def loss_reached(self) -> bool:
        return self.stops.loss_tol is not None and self.loss <= self.stops.loss_tol

    @property
    def sides(self) -> list[tuple[float, ...]]:
        """Left and right side of every equation at the end."""
        return self.problem.side_values(self.problem.parameters.values(self.end.theta_P))


def judge(trial: Trial) -> tuple[str, Detail]:
    """The status of a trial that has ended, and the sentence that goes with it."""
    end, kind = trial.end, trial.problem.kind
    if end.reason == "nonfinite":
        if kind == "solve" and trial.loss == 0 and _computable(trial):
            return "converged", lambda: "left and right are equal"
        return "diverged", lambda: _not_finite(trial)
    if end.reason == "interrupted":
        of = f"stopped at epoch {end.epoch:,} of {trial.epochs:,}"
        return "interrupted", lambda: f"{of}; {_progress(trial)}"
    if _rising(trial):
        return "diverged", lambda: _risen(trial)
    if kind == "solve":
        return _judge_root(trial)
    if trial.norm <= trial.tolerance:
        if _above_start(trial):
            above = f"the gradient vanished at {_a(trial.what)} above the start's"
            return "diverged", lambda: f"{above}, with {_remedy(trial)}"
        return "converged", lambda: f"gradient norm {trial.norm:.3g} is at most {trial.tolerance:.3g}"
    if trial.loss_reached:
        return "converged", lambda: f"loss {trial.loss:.6g} is at most {trial.stops.loss_tol:g}"
    return _unfinished(trial)


def _unfinished(trial: Trial) -> tuple[str, Detail]:
    if trial.end.reason != "patience":
        return "max_epochs", lambda: _progress(trial)
    stops = trial.stops
    more = f" by more than {stops.min_delta:g}" if stops.min_delta else ""
    what = trial.what if trial.problem.held is None else "held-out loss"
    return "stopped", lambda: f"no {what} lower{more} for {stops.patience:,} epochs; {_progress(trial)}"


def _a(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def _progress(trial: Trial) -> str:
    """How fast what is descended was falling in the end."""
    what, now, before = trial.what, trial.objective, trial.end.before
    if trial.end.epoch == 0:
        return f"{what} {now:.6g}, gradient norm {trial.norm:.3g}"
    if trial.lr < 1e-6 * trial.plan.lr and trial.norm > 1e3 * max(1.0, trial.end.first_norm):
        return f"the {what} falls without end (gradient norm {trial.norm:.3g}): there may be no minimum"
    if not now < before:
        above = trial.norm > trial.tolerance
        return f"{what} no longer falling, gradient norm {trial.norm:.3g}" + f", above {trial.tolerance:.3g}" * above
    if now <= 0:
        return f"{what} still falling by {before - now:.3g} per epoch"
    share = (before - now) / before * (1 - _ROUNDING)  # which must not decide a digit
    return f"{what} still falling {100 * share:.3g} % per epoch"


def _above_start(trial: Trial) -> bool:
    """Whether it ended above its start by more than rounding; with weight decay the loss may, and rightly."""
    first, scale = trial.end.first_objective, trial.problem.loss_scale
    return trial.objective - first > ROOT_TOL * abs(first) + _ROUNDING * scale and not trial.plan.decay


def _rising(trial: Trial) -> bool:
    """Whether what is descended has risen far, and still does unless a schedule has all but stopped the steps."""
    first = trial.end.first_objective
    far = trial.objective - first > abs(first) + _ROUNDING * trial.problem.loss_scale
    return far and (trial.objective > trial.end.earlier or trial.batch.schedule is not None)


def _not_finite(trial: Trial) -> str:
    values_Q = trial.problem.parameters.values(trial.end.theta_P)
    if trial.end.epoch == 0:
        cause = trial.problem.not_finite(values_Q) or "loss or gradient overflows"
        return f"not finite at the start: {cause}; no learning rate mends that, but another start or other data may"
    if bool(trial.end.theta_P.isfinite().all()) and math.isfinite(trial.loss):
        return f"the gradient is not finite at epoch {trial.end.epoch}, where {_values(trial)}, with {_remedy(trial)}"
    return f"{_culprit(trial)} blew up: not finite at epoch {trial.end.epoch} with {_remedy(trial)}"


def _risen(trial: Trial) -> str:
    first = trial.end.first_objective
    times = trial.objective / first if first > 0 else math.inf
    risen = f"rose {times:.3g} times" if math.isfinite(times) else f"rose to {trial.objective:.6g}"
    grows = "is blowing" if trial.objective > trial.end.earlier else "blew"
    rose = f"the {trial.what} {risen}"
    return f"{_culprit(trial)} {grows} up: by epoch {trial.end.epoch} {rose} with {_remedy(trial)}"


def _remedy(trial: Trial) -> str:
    """The learning rate at fault, and one that would not."""
    lr = trial.lr
    limit = trial.plan.lr_limit
    beyond = f" (the limit is {limit:.4g})" if limit is not None and lr > limit else ""
    unbounded = trial.problem.loss is None  # a loss of data may be below 0, but not without end
    if unbounded and trial.end.before < min(0.0, trial.end.first_objective):
        return f"lr {lr:g}; the {trial.what} falls without end: there may be no minimum"
    better = trial.remedy()
    if better is None and trial.plan.unstable:
        return f"lr {lr:g}: {trial.plan.unstable}"
    if better is None:
        return f"lr {lr:g}, and with every smaller lr that was tried: there may be no minimum"
    return f"lr {lr:g}{beyond}; lr {better:g} would not"


def _culprit(trial: Trial) -> str:
    """The parameter that is not finite, or has the largest gradient that is, or is largest."""
    for tensor in (trial.end.theta_P, trial.end.gradient_P):
        bad = ~tensor.isfinite()
        if bool(bad.any()):
            return trial.problem.parameters.trained[int(bad.int().argmax())]
    return trial.problem.parameters.trained[int(trial.end.theta_P.abs().argmax())]


def _computable(trial: Trial) -> bool:
    """Whether every part of the equations is finite at the end: x/exp(1/x^2) is 0 near 0 only by overflow."""
    named = trial.problem.named(trial.problem.parameters.values(trial.end.theta_P))
    parts = (part for trees in trial.problem.sides for tree in trees for part in walk(tree))
    return all(math.isfinite(float(evaluate(part, named))) for part in parts)


def _judge_root(trial: Trial) -> tuple[str, Detail]:
    """`solve` has converged when every equation holds and Newton's method would stay where it is."""
    sides = trial.sides
    worst = max(abs(left - right) for left, right in sides)
    holds = all(abs(left - right) <= ROOT_TOL * max(1.0, abs(left), abs(right)) for left, right in sides)
    small = trial.norm <= trial.tolerance
    step_P, explained = _newton_step(trial)
    step = float(step_P.norm())
    near = step / max(1.0, float(trial.end.theta_P.norm()))
    explained = explained and near < _FAR
    equal = f"|left - right| is at most {worst:.3g}"
    if holds and explained and near <= _ROUNDING:
        return "converged", lambda: equal
    if holds and explained and (small or trial.loss_reached):
        if trial.loss_reached or near <= ROOT_TOL:
            return "converged", lambda: equal
        flat = f"|left - right| is {worst:.3g}, but so flat that Newton would still move {step:.2g}"
        return "max_epochs", lambda: flat
    if not (holds and explained):
        if _stuck(trial, step_P):
            apart = f"no real root found: |left - right| is at least {worst:.6g}"
            return "no_root", lambda: f"{apart} near {_values(trial)}; another start may find one"
        if small:
            where = f"the gradient vanishes at {_values(trial)}, which is no root: try another start"
            return "max_epochs", lambda: where
    return _unfinished(trial)


def _values(trial: Trial) -> str:
    """The first few parameters at the end."""
    values_Q = trial.problem.parameters.values(trial.end.theta_P)
    shown = [f"{n} = {v:.6g}" for n, v in zip(trial.problem.parameters.names[:_FEW], values_Q, strict=False)]
    return ", ".join(shown)


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
