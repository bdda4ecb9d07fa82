"""What will be descended and how: the choices that an experiment leaves open are made here, once.

Shapes: S trials, P trained parameters.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gdtrain.engines.ends import Bounds, Stops
from gdtrain.engines.exact import descend_exactly
from gdtrain.engines.loop import Descent, Watch, descend
from gdtrain.engines.modes import Sgd
from gdtrain.engines.stability import best_lr, lr_limit
from gdtrain.errors import UserError
from gdtrain.experiment.schema import Experiment
from gdtrain.optimizers import Optimizer
from gdtrain.optimizers import build as build_optimizer
from gdtrain.problem.curvature import largest_curvature
from gdtrain.problem.problem import Problem
from gdtrain.results import shown_epochs

FULL_HISTORY = 10_000  # epochs up to which every one is recorded
_HISTORY_NUMBERS = 1 << 23  # numbers that a history may hold
_RETRIES = 12  # learning rates that are tried when one diverged
_RETRY_EPOCHS = 2000
_RETRY_WORK = 1e9  # rows times parameters times epochs that trying may cost

CLOSED_FORM = "squared loss, residual affine in the parameters"


@dataclass(frozen=True)
class Engine:
    """How epochs are computed (`exact` or `loop`), on what data (`compressed`, `rows`, `none`), and why."""

    name: str
    data: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The descent that was chosen.

    sgd       the optimizer's options where it is sgd; `descends` says that it is
    decay     weight decay that it adds to the gradient
    theta_1P  the start
    lr        learning rate; `halving` says that it was chosen for the user and is halved where the loss rises
    every     show each so many epochs, in place of all or about twenty
    """

    problem: Problem
    engine: Engine
    optimizer: Optimizer
    sgd: Sgd
    descends: bool
    decay: float
    theta_1P: Tensor
    lr: float
    halving: bool
    bounds: Bounds | None
    stops: Stops
    epochs: int
    every: int | None

    @property
    def lr_limit(self) -> float | None:
        """The lr from which descent diverges, where the loss is quadratic and the optimizer sgd."""
        if self.problem.quadratic is None or not self.descends:
            return None
        return lr_limit(curvatures(self.problem, self.sgd), self.sgd)

    @property
    def unstable(self) -> str:
        """Why there is no lr at which a quadratic loss is descended, as a clause; "" where there is one."""
        if self.problem.quadratic is None:
            return ""
        if not bool(self.problem.quadratic.eigenvalues_P.isfinite().all()):
            return "the curvature overflows; bring the columns to smaller units"
        return "momentum or dampening is too large" if self.lr_limit == 0 else ""

    @property
    def stride(self) -> int:
        """Every so many epochs are recorded: 1 up to ten thousand of them."""
        room = min(FULL_HISTORY, _HISTORY_NUMBERS // max(1, len(self.problem.parameters.names)))
        return max(1, math.ceil(self.epochs / max(1, room)))

    @property
    def recorded(self) -> Collection[int]:
        """Which epochs are kept: all, or some ten thousand of a long run beside those that will be shown."""
        if self.stride > 1 and self.every is not None:
            return range(0, self.epochs + 1, self.every)
        every = range(0, self.epochs + 1, self.stride)
        return every if self.stride == 1 else frozenset(every) | frozenset(shown_epochs(self.epochs, None))

    def run(self, watch: Watch | None = None) -> Descent:
        """Descend as planned."""
        return self._descend(self.theta_1P, [self.lr], self.epochs, self.recorded, watch)

    def surviving_lr(self, lr: float) -> float | None:
        """A learning rate below `lr` that does not diverge; None where none was found.

        In closed form the best. Else tried within the epochs: 1/h first, h being the curvature at the start; then a
        quarter of it, and so on to the twelfth, side by side in one batch.
        """
        if self.engine.name == "exact" and self.problem.quadratic is not None:
            best = best_lr(curvatures(self.problem, self.sgd), self.sgd)
            return None if best is None or best >= lr else _two_digits(best)
        first = min(lr / 2, safe_lr(self.problem, self.theta_1P, self.sgd) or lr / 2)
        rates = [_two_digits(first / 4**i) for i in range(_RETRIES) if first / 4**i > sys.float_info.min]
        work = max(1, self.problem.rows) * len(rates) * max(1, self.theta_1P.shape[1])
        epochs = max(1, min(self.epochs, _RETRY_EPOCHS, int(_RETRY_WORK / work)))
        tried = replace(self, halving=False)
        descent = tried._descend(self.theta_1P.expand(len(rates), -1), rates, epochs, (), None)
        first_loss_S = descent.recorded.loss_CS[0].tolist()
        for rate, end, before in zip(rates, descent.ends, first_loss_S, strict=True):
            if end.reason != "nonfinite" and float(end.loss) <= before:
                return rate
        return None

    def _descend(
        self, theta_SP: Tensor, rates: list[float], epochs: int, record: Collection[int], watch: Watch | None
    ) -> Descent:
        lr_S1 = theta_SP.new_tensor(rates)[:, None]
        if self.engine.name == "exact" and self.problem.quadratic is not None:
            return descend_exactly(
                self.problem.quadratic,
                self.sgd,
                theta_SP,
                lr_S1=lr_S1,
                epochs=epochs,
                record=record,
                stops=self.stops,
                watch=watch,
            )
        return descend(
            self.problem.objective,
            self.optimizer,
            theta_SP,
            lr_S1=lr_S1,
            epochs=epochs,
            record=record,
            bounds=self.bounds,
            stops=self.stops,
            decay=self.decay,
            halving=self.halving,
            watch=watch,
        )


def make_plan(experiment: Experiment, problem: Problem, every: int | None = None) -> Plan:
    """Engine, optimizer, lr and stops as the experiment has them; `lr: auto` is worked out from the curvature.

    Raises UserError where engine `exact` was asked for and cannot be, and where too much is to be shown.
    """
    settings, stop, parameters = experiment.train, experiment.stop, problem.parameters
    _refuse_long_history(settings.epochs, every, len(parameters.names))
    theta_1P = parameters.theta(parameters.start_SQ)
    options = settings.optimizer.options
    sgd = Sgd(**options) if settings.optimizer.name == "sgd" else Sgd()
    decay = 0.0 if _decoupled(settings.optimizer.name, options) else options.get("weight_decay", 0.0)
    engine = choose_engine(experiment, problem)
    automatic = settings.lr == "auto"
    return Plan(
        problem=problem,
        engine=engine,
        optimizer=build_optimizer(settings.optimizer.name, options, like=theta_1P),
        sgd=sgd,
        descends=settings.optimizer.name == "sgd",
        decay=decay,
        theta_1P=theta_1P,
        lr=(safe_lr(problem, theta_1P, sgd) or 1.0) if automatic else float(settings.lr),
        # A quadratic needs none, and weight decay may raise the loss, rightly.
        halving=automatic and problem.quadratic is None and decay == 0,
        bounds=(parameters.lower_P, parameters.upper_P) if parameters.bounded else None,
        stops=Stops(stop.grad_tol, stop.loss_tol, stop.patience, stop.min_delta),
        epochs=settings.epochs,
        every=every,
    )


def choose_engine(experiment: Experiment, problem: Problem) -> Engine:
    """Closed form where there is one; else a walk, on gathered rows where there are any. Raises UserError."""
    data = "compressed" if problem.gathered else "rows" if problem.rows else "none"
    if experiment.train.engine == "loop":
        return Engine("loop", data, "asked for")
    obstacle = problem.obstacle or _no_closed_form(experiment.train.optimizer.name, experiment.train.optimizer.options)
    if not obstacle and problem.parameters.bounded:
        obstacle = "bounds have no closed form"
    if not obstacle:
        return Engine("exact", "compressed", CLOSED_FORM)
    if experiment.train.engine == "exact":
        place = experiment.tree.find("train", "engine")
        raise place.error(f"there is no closed form here: {obstacle}", "leave engine to auto")
    return Engine("loop", data, obstacle)


def _decoupled(optimizer: str, options: dict[str, Any]) -> bool:
    """Whether weight decay shrinks the weights directly, beside the gradient."""
    return optimizer == "adamw" or bool(options.get("decoupled_weight_decay"))


def _no_closed_form(optimizer: str, options: dict[str, Any]) -> str:
    if optimizer != "sgd":
        return f"{optimizer} has no closed form"
    return "momentum of 1 or more has no closed form" if options["momentum"] >= 1 else ""


def curvatures(problem: Problem, sgd: Sgd) -> Tensor:
    """Eigenvalues h (P,) of the quadratic loss's Hessian, weight decay added."""
    assert problem.quadratic is not None
    return problem.quadratic.eigenvalues_P + sgd.weight_decay


def safe_lr(problem: Problem, theta_1P: Tensor, sgd: Sgd) -> float | None:
    """The best lr where the loss is quadratic, else 1/h, h being the largest curvature at theta plus weight decay; None
    where there is none to speak of.
    """
    if problem.quadratic is not None and (best := best_lr(curvatures(problem, sgd), sgd)) is not None:
        return best
    curvature = float(largest_curvature(problem.objective, theta_1P)[0]) + float(sgd.weight_decay)
    return 1 / curvature if math.isfinite(curvature) and curvature > torch.finfo(theta_1P.dtype).tiny else None


def _refuse_long_history(epochs: int, every: int | None, parameters: int) -> None:
    if every is None or epochs // every * parameters <= _HISTORY_NUMBERS:
        return
    sparser = int(10 ** math.ceil(math.log10(epochs * parameters / _HISTORY_NUMBERS)))
    what = f"{epochs // every:,} epochs are too many to show"
    raise UserError(what, where="--every", remedy=f"show every {sparser:,}th")


def _two_digits(number: float) -> float:
    """`number` cut (not rounded: that could pass a limit) to two significant digits."""
    exponent = math.floor(math.log10(number)) - 1
    return float(f"{math.floor(number / 10.0**exponent)}e{exponent}")
