"""How a trial ended: the status, and one sentence with numbers that says why and what would help."""

from __future__ import annotations

import math

from gdtrain.experiment.objective import KINKED
from gdtrain.formula import walk
from gdtrain.formula.evaluate import evaluate
from gdtrain.verdicts.ended import Detail, Trial
from gdtrain.verdicts.roots import ROOT_TOL, judge_root, on_the_way

_ROUNDING = 1e-12
_STEEP = 1e3  # times the gradient at the start: a loss that falls ever faster has no bottom
_DEEP = 1e20  # times the loss at the start: below 0 by so much, it has no bottom


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
        return judge_root(trial) or _short_of_a_root(trial)
    if trial.second:
        return _judge_second(trial)
    if trial.norm <= trial.tolerance:
        if _above_start(trial):
            above = f"the gradient vanished at {_a(trial.what)} above the start's"
            return "diverged", lambda: f"{above}, with {_remedy(trial)}"
        return "converged", lambda: f"gradient norm {trial.norm:.3g} is at most {trial.tolerance:.3g}"
    if trial.loss_reached:
        return "converged", lambda: f"loss {trial.loss:.6g} is at most {trial.stops.loss_tol:g}"
    return _unfinished(trial)


def _short_of_a_root(trial: Trial) -> tuple[str, Detail]:
    status, detail = _unfinished(trial)
    return status, lambda: f"{detail()}{on_the_way(trial)}"


def _unfinished(trial: Trial) -> tuple[str, Detail]:
    if trial.end.reason == "settled":
        return "stopped", lambda: f"no step lowers the {trial.what} further; {_progress(trial)}: try another start"
    if trial.end.reason != "patience":
        return "max_epochs", lambda: _progress(trial)
    stops = trial.stops
    more = f" by more than {stops.min_delta:g}" if stops.min_delta else ""
    what = trial.what if trial.problem.held is None else "held-out loss"
    return "stopped", lambda: f"no {what} lower{more} for {stops.patience:,} epochs; {_progress(trial)}"


def _judge_second(trial: Trial) -> tuple[str, Detail]:
    """A second-order optimizer's trial: the gradient's size alone, which depends on units, does not say enough."""
    if trial.rests:
        if trial.problem.loss_name in KINKED:
            return "converged", lambda: f"no step lowers the {trial.what} further: it has a corner here"
        return "converged", lambda: at_rest(trial.what, trial.norm)
    if trial.loss_reached:
        return "converged", lambda: f"loss {trial.loss:.6g} is at most {trial.stops.loss_tol:g}"
    first = trial.end.first_objective
    if trial.problem.loss is None and trial.objective < -_DEEP * max(1.0, abs(first)):
        return "diverged", lambda: f"the {trial.what} falls without end: there may be no minimum"
    if trial.end.reason != "settled":
        return _unfinished(trial)
    none, size = f"no step that was found lowers the {trial.what}", f"(norm {trial.norm:.3g})"
    if trial.norm <= trial.tolerance:
        return "stopped", lambda: f"{none}, though by its curvature one would; gradient {size}: try another start"
    if trial.norm > _STEEP * max(1.0, trial.end.first_norm):
        return "stopped", lambda: f"{none}, and the gradient is large {size}: there may be no minimum"
    return "stopped", lambda: f"{none}, and the gradient is not small {size}: try another start, unless it is a kink"


def at_rest(what: str, norm: float) -> str:
    """Why a second-order optimizer stopped where the gradient is so long."""
    return f"no step lowers the {what} further: gradient norm {norm:.3g}"


def _a(what: str) -> str:
    return f"an {what}" if what[0] in "aeiou" else f"a {what}"


def _progress(trial: Trial) -> str:
    """How fast what is descended was falling in the end."""
    what, now, before = trial.what, trial.objective, trial.end.before
    if trial.end.epoch == 0:
        return f"{what} {now:.6g}, gradient norm {trial.norm:.3g}"
    if trial.lr < 1e-6 * trial.plan.lr and trial.norm > _STEEP * max(1.0, trial.end.first_norm):
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
        return f"the gradient is not finite at epoch {trial.end.epoch}, where {trial.where}, with {_remedy(trial)}"
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
