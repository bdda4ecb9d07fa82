"""Which engine computes the epochs, and why."""

from __future__ import annotations

from dataclasses import dataclass

from gdtrain.experiment.optimizers import SECOND
from gdtrain.experiment.schema import Experiment, Train
from gdtrain.problem.affine import WIDEST
from gdtrain.problem.problem import Problem

SQUARE = ("lm", "newton")  # optimizers that hold P^2 numbers
CLOSED_FORM = "squared loss, residual affine in the parameters"


@dataclass(frozen=True)
class Engine:
    """How epochs are computed (`exact` or `loop`), on what data (`compressed`, `rows`, `none`), and why."""

    name: str
    data: str
    reason: str


def choose_engine(experiment: Experiment, problem: Problem) -> Engine:
    """Closed form where there is one; else a walk, on gathered rows where there are any. Raises UserError."""
    _refuse_wide(experiment, len(problem.parameters.free))
    data = "compressed" if problem.gathered else "rows" if problem.rows else "none"
    if experiment.train.engine == "loop":
        return Engine("loop", data, "asked for")
    obstacle = engine_obstacle(experiment, problem.obstacle)
    refuse_exact(experiment, obstacle)
    return Engine("loop", data, obstacle) if obstacle else Engine("exact", "compressed", CLOSED_FORM)


def engine_obstacle(experiment: Experiment, problem_s: str) -> str:
    """Why the experiment has no closed form, as a clause, where the problem's own obstacle is `problem_s`; "" where it
    has one.
    """
    name = experiment.train.optimizer.name
    if name in SECOND:
        return f"{name} steps by {SECOND[name]}"
    if found := problem_s or _no_closed_form(experiment.train):
        return found
    if any(param.min is not None or param.max is not None for param in experiment.params.values()):
        return "bounds have no closed form"
    return "l1 has no closed form" if experiment.penalty is not None and experiment.penalty.l1 else ""


def _refuse_wide(experiment: Experiment, parameters: int) -> None:
    """Raises UserError where an optimizer would hold a matrix of too many parameters squared."""
    name = experiment.train.optimizer.name
    if name in SQUARE and parameters > WIDEST:
        what = f"{name} would hold a matrix of {parameters:,} by {parameters:,}"
        raise experiment.tree.find("train", "optimizer", "name").error(what, "use lbfgs, or sgd")


def refuse_exact(experiment: Experiment, obstacle: str) -> None:
    """Raises UserError where the closed form was asked for and there is an obstacle."""
    if obstacle and experiment.train.engine == "exact":
        place = experiment.tree.find("train", "engine")
        raise place.error(f"there is no closed form here: {obstacle}", "leave engine to auto")


def _no_closed_form(settings: Train) -> str:
    if settings.optimizer.name != "sgd":
        return f"{settings.optimizer.name} has no closed form"
    if settings.optimizer.options["momentum"] >= 1:
        return "momentum of 1 or more has no closed form"
    if settings.schedule is not None:
        return "a schedule has no closed form"
    return "clipping has no closed form" if settings.clip is not None else ""
