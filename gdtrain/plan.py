"""What will be descended and how: the choices that an experiment leaves open are made here, once.

Shapes: S trials, P trained parameters.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gdtrain.engines.ends import Bounds, Stops
from gdtrain.engines.loop import Descent, Watch, descend
from gdtrain.errors import UserError
from gdtrain.experiment.schema import Experiment
from gdtrain.optimizers import Optimizer
from gdtrain.optimizers import build as build_optimizer
from gdtrain.problem.build import Problem
from gdtrain.problem.curvature import largest_curvature
from gdtrain.results import shown_epochs

FULL_HISTORY = 10_000  # epochs up to which every one is recorded
_HISTORY_NUMBERS = 1 << 23  # numbers that a history may hold
_RETRIES = 12  # learning rates that are tried when one diverged
_RETRY_EPOCHS = 2000
_RETRY_WORK = 1e9  # rows times parameters times epochs that trying may cost


@dataclass(frozen=True)
class Plan:
    """The descent that was chosen.

    theta_1P  the start
    lr        learning rate; `halving` says that it was chosen for the user and is halved where the loss rises
    every     show each so many epochs, in place of all or about twenty
    """

    problem: Problem
    optimizer: Optimizer
    theta_1P: Tensor
    lr: float
    halving: bool
    bounds: Bounds | None
    stops: Stops
    epochs: int
    every: int | None

    @property
    def stride(self) -> int:
        """Every so many epochs are recorded: 1 up to ten thousand of them."""
        room = min(FULL_HISTORY, _HISTORY_NUMBERS // max(1, len(self.problem.parameters.names)))
        return max(1, math.ceil(self.epochs / max(1, room)))

    def run(self, watch: Watch | None = None) -> Descent:
        """Descend as planned."""
        return self._descend(self.theta_1P, [self.lr], self.epochs, self.halving, self._recorded(), watch)

    def surviving_lr(self, lr: float) -> float | None:
        """A learning rate below `lr` that does not diverge within the epochs, tried; None where none of twelve holds.

        1/h comes first, h being the curvature at the start; then a quarter of it, and so on, side by side in one batch.
        """
        first = min(lr / 2, safe_lr(self.problem, self.theta_1P) or lr / 2)
        rates = [_two_digits(first / 4**i) for i in range(_RETRIES) if first / 4**i > sys.float_info.min]
        work = max(1, self.problem.rows) * len(rates) * max(1, self.theta_1P.shape[1])
        epochs = max(1, min(self.epochs, _RETRY_EPOCHS, int(_RETRY_WORK / work)))
        descent = self._descend(self.theta_1P.expand(len(rates), -1), rates, epochs, False, lambda epoch: False, None)
        first_loss_S = descent.recorded.loss_CS[0].tolist()
        for rate, end, before in zip(rates, descent.ends, first_loss_S, strict=True):
            if end.reason != "nonfinite" and float(end.loss) <= before:
                return rate
        return None

    def _descend(
        self,
        theta_SP: Tensor,
        rates: list[float],
        epochs: int,
        halving: bool,
        record: Callable[[int], bool],
        watch: Watch | None,
    ) -> Descent:
        return descend(
            self.problem.objective,
            self.optimizer,
            theta_SP,
            lr_S1=theta_SP.new_tensor(rates)[:, None],
            epochs=epochs,
            record=record,
            bounds=self.bounds,
            stops=self.stops,
            halving=halving,
            watch=watch,
        )

    def _recorded(self) -> Callable[[int], bool]:
        """Which epochs to keep: all, or some ten thousand of a long run beside those that will be shown."""
        stride = self.stride
        if stride == 1:
            return lambda epoch: True
        if (every := self.every) is not None:
            return lambda epoch: epoch % every == 0
        shown = set(shown_epochs(self.epochs, None))
        return lambda epoch: epoch % stride == 0 or epoch in shown


def make_plan(experiment: Experiment, problem: Problem, every: int | None = None) -> Plan:
    """Optimizer, lr and stops as the experiment has them; `lr: auto` is worked out from the curvature."""
    settings, stop, parameters = experiment.train, experiment.stop, problem.parameters
    theta_1P = parameters.theta(parameters.start_SQ)
    options = settings.optimizer.options
    automatic = settings.lr == "auto"
    decay = options.get("weight_decay", 0.0)
    if every is not None and settings.epochs // every * len(parameters.names) > _HISTORY_NUMBERS:
        what = f"{settings.epochs // every:,} epochs are too many to show"
        raise UserError(what, where="--every", remedy=f"show every {_sparser(settings.epochs, parameters.names):,}th")
    return Plan(
        problem=problem,
        optimizer=build_optimizer(settings.optimizer.name, options, like=theta_1P),
        theta_1P=theta_1P,
        lr=(safe_lr(problem, theta_1P, decay) or 1.0) if automatic else float(settings.lr),
        halving=automatic,
        bounds=(parameters.lower_P, parameters.upper_P) if parameters.bounded else None,
        stops=Stops(stop.grad_tol, stop.loss_tol, stop.patience, stop.min_delta),
        epochs=settings.epochs,
        every=every,
    )


def safe_lr(problem: Problem, theta_1P: Tensor, weight_decay: float = 0.0) -> float | None:
    """1/h, h being the largest curvature at theta plus weight decay; None where there is none to speak of."""
    curvature = float(largest_curvature(problem.objective, theta_1P)[0]) + weight_decay
    return 1 / curvature if math.isfinite(curvature) and curvature > torch.finfo(theta_1P.dtype).tiny else None


def _sparser(epochs: int, names: Sequence[str]) -> int:
    """The least power of ten that makes a history of every so many epochs fit."""
    return int(10 ** math.ceil(math.log10(epochs * len(names) / _HISTORY_NUMBERS)))


def _two_digits(number: float) -> float:
    """`number` cut (not rounded: that could pass a limit) to two significant digits."""
    exponent = math.floor(math.log10(number)) - 1
    return float(f"{math.floor(number / 10.0**exponent)}e{exponent}")
