"""Why standard errors would say nothing: each reason as a sentence, the first that holds.

Shapes: P trained parameters, F of them in the units of the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gdtrain.local.curvature import falls_away
from gdtrain.local.nearby import has_curvature
from gdtrain.problem.measured import predicted, separated
from gdtrain.problem.objective import DataLoss
from gdtrain.uncertainty.fitted import Fitted
from gdtrain.verdicts.insight import loose

NEAR = 0.01  # standard errors that a fit may be short of its optimum
_LIKELIHOODS = ("logistic", "softmax", "poisson")  # without a scatter to estimate
_MUCH = 8.0  # log odds, or log counts
_ROUNDING = 1e-12
_WORK = 1e9  # rows times squared parameters up to which second derivatives are worth it


def before(fitted: Fitted) -> str:
    """What can be told without looking at the rows; "" where nothing speaks against standard errors.

    Samples of the rows are fitted whatever the loss, and with its penalty.
    """
    checks = (*_ALWAYS, *(() if fitted.samples else _BY_CURVATURE))
    return next((reason for check in checks if (reason := check(fitted))), "")


def nearby(fitted: Fitted) -> str:
    """What the loss near the end tells."""
    return next((reason for check in _NEARBY if (reason := check(fitted))), "")


def _diverged(fitted: Fitted) -> str:
    finite = math.isfinite(fitted.loss) and bool(fitted.theta_P.isfinite().all())
    return "" if finite and fitted.status != "diverged" else "the run diverged"


def _layers(fitted: Fitted) -> str:
    return "" if fitted.problem.network is None else "hidden layers are not determined one by one"


def _joined(fitted: Fitted) -> str:
    """Each target has a scatter of its own."""
    problem = fitted.problem
    if not problem.parameters.ties or problem.classes or len(problem.targets) < 2:
        return ""
    return "tied parameters join the targets, each of which has a scatter of its own; regress one target at a time"


def _kinks(fitted: Fitted) -> str:
    if has_curvature(fitted.problem):
        return ""
    return f"{fitted.loss_name} has kinks in place of a curvature; --bootstrap N gives intervals"


def _penalised(fitted: Fitted) -> str:
    if fitted.plan.penalty is None:
        return ""
    return "the penalty holds the weights away from the minimum of the loss; leave it out, or take --bootstrap N"


def _few(fitted: Fitted) -> str:
    scatter = fitted.loss_name not in _LIKELIHOODS and not fitted.known
    for part in fitted.parts:
        n, p = fitted.count, len(part.index)
        rows, parameters = f"{n:,.6g} row{'s' * (n != 1)}", f"{p:,} parameter{'s' * (p != 1)}"
        if n < p:
            return f"{rows} cannot determine {parameters}"
        if n == p and (scatter or fitted.robust):
            return f"{rows} for {parameters} leave no degrees of freedom to tell the scatter by"
    return ""


def _overflown(fitted: Fitted) -> str:
    if all(part.squares.finite and bool(part.z_M.isfinite().all()) for part in fitted.parts):
        return ""
    return "the loss has no finite, positive curvature here: this is no minimum"


def _undetermined(fitted: Fitted) -> str:
    if all(part.full for part in fitted.parts):
        return ""
    if found := loose(fitted.plan, fitted.theta_P.clone()):
        return found[0]
    if fitted.loss_name in _LIKELIHOODS:  # rows whose probability is 0 or 1 to all digits say no more
        return _no_optimum(fitted)
    return "a direction of the parameters is not determined"


def _bounded(fitted: Fitted) -> str:
    plan, parameters = fitted.plan, fitted.problem.parameters
    if plan.bounds is None:
        return ""
    lower_P, upper_P = plan.bounds
    held = ((fitted.theta_P <= lower_P) | (fitted.theta_P >= upper_P)).nonzero()[:, 0].tolist()
    if not held:
        return ""
    name = parameters.trained[held[0]]
    value = float(parameters.values(fitted.theta_P)[parameters.free[held[0]]])
    what = f"{name} is at its bound, {value:.6g}: standard errors are those of a minimum inside of the bounds"
    return f"{what}; fix it there, or move the bound"


def _separated(fitted: Fitted) -> str:
    if not separated(fitted.problem, fitted.theta_P):
        return ""
    return "the classes are separated perfectly: the weights have no optimum"


def _endless(fitted: Fitted) -> str:
    """Where a step of Newton's, stretched until the prediction of some row changes by much, does not raise the loss: in
    that direction the likelihood has no maximum. Rows that are told apart perfectly, with others that are not, and
    counts that are all 0 do that.
    """
    objective = fitted.problem.objective
    if fitted.loss_name not in _LIKELIHOODS or not isinstance(objective, DataLoss):
        return ""
    step_P = _step(fitted).to(fitted.theta_P)
    eta, there = (predicted(objective, theta_P)[0] for theta_P in (fitted.theta_P, fitted.theta_P + step_P))
    apart = float((there - eta).abs().max())
    if not 0 < apart < math.inf:
        return ""
    lengths = step_P.new_tensor([_MUCH / 2, _MUCH]) / apart
    loss_S, _ = objective.loss_and_gradient(fitted.theta_P + lengths[:, None] * step_P)
    if not bool((loss_S <= fitted.loss * (1 + _ROUNDING)).all()):
        return ""
    return _no_optimum(fitted)


def _no_optimum(fitted: Fitted) -> str:
    why = (
        "the counts of some rows are all 0"
        if fitted.loss_name == "poisson"
        else "some classes are told apart perfectly"
    )
    return f"the loss falls without end, since {why}: the weights have no optimum; add a penalty"


def _step(fitted: Fitted) -> Tensor:
    """To the optimum, as far as Newton sees it (P,)."""
    step_P = torch.zeros(len(fitted.theta_P), dtype=torch.float64)
    for part in fitted.parts:
        step_P[part.index] = part.step
    return step_P


def _exact(fitted: Fitted) -> str:
    """Residuals of 0 tell no scatter: where all of the data lie on the model, nothing would be uncertain."""
    scatter = fitted.squared and not fitted.known
    if not scatter or not any(part.length <= fitted.rounding(part) for part in fitted.parts):
        return ""
    return "the residuals are 0 to rounding: the data lie on the model exactly, and have no scatter to tell errors by"


_ALWAYS: tuple[Callable[[Fitted], str], ...] = (_diverged, _layers, _joined)
_BY_CURVATURE: tuple[Callable[[Fitted], str], ...] = (_kinks, _penalised)
_NEARBY: tuple[Callable[[Fitted], str], ...] = (
    _few, _overflown, _separated, _undetermined, _bounded, _endless, _exact,
)  # fmt: skip


def short_of(fitted: Fitted, error_F: Tensor) -> str:
    """By how much the fit is short of its optimum, one Newton step away, where that is more than NEAR.

    error_F  standard errors there, 0 where the data would be exact
    """
    step_F = fitted.in_values(_step(fitted))
    share_F = torch.where(step_F == 0, 0.0, step_F.abs() / error_F)
    worst = int(share_F.argmax())
    if not float(share_F[worst]) > NEAR:
        return ""
    side = "below" if float(step_F[worst]) > 0 else "above"
    about = "" if fitted.plan.quadratic is not None else "about "
    far = f", {float(share_F[worst]):.2g} standard errors" if math.isfinite(float(share_F[worst])) else ""
    what = (
        f"{fitted.problem.parameters.trained[worst]} is {about}{abs(float(step_F[worst])):.3g} {side} its optimum{far}"
    )
    return f"{what}; {_remedy(fitted)}"


def _remedy(fitted: Fitted) -> str:
    if fitted.experiment.stop.restore == "best":
        return "--polish in place of stop.restore: best goes there"
    return "another start may help" if fitted.polished else "--polish goes there"


def saddle(fitted: Fitted) -> str:
    """Where the loss falls away from a point without gradient. Second derivatives cost more than all else."""
    plan = fitted.plan
    costly = fitted.problem.rows * len(fitted.theta_P) ** 2 > _WORK
    if plan.quadratic is not None or costly or not falls_away(plan.smooth, fitted.theta_P[None].clone()):
        return ""
    return "the loss falls away from here: this is no minimum"
