"""What will be descended and how: the choices that an experiment leaves open are made here, once.

Shapes: S trials, P trained parameters, Q reported ones.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gdtrain.engines.ends import Watched
from gdtrain.engines.exact import descend_exactly
from gdtrain.engines.loop import Descent, Watch, descend
from gdtrain.engines.minibatches import Minibatches
from gdtrain.engines.modes import Sgd
from gdtrain.engines.progress import Bookmark
from gdtrain.engines.stability import lr_limit
from gdtrain.engines.states import Bounds, Number, Stops
from gdtrain.experiment.optimizers import SECOND
from gdtrain.experiment.trials import Trials
from gdtrain.local.curvature import largest_curvature
from gdtrain.optimizers import Optimizer
from gdtrain.optimizers.rules import plain
from gdtrain.planning.choice import Engine, choose_engine
from gdtrain.planning.rates import curvatures, safe_lr
from gdtrain.planning.recorded import recorded, refuse_long_history, stride_of
from gdtrain.planning.steps import minibatches, optimizer_of, schedule_of
from gdtrain.problem.held import held_loss
from gdtrain.problem.objective import Objective
from gdtrain.problem.parameters import start_values
from gdtrain.problem.penalty import Penalty, Ridges, Smooth, penalty_of
from gdtrain.problem.problem import Problem
from gdtrain.problem.quadratic import Quadratic
from gdtrain.schedules import Schedule
from gdtrain.second.walk import Second, descend_by


@dataclass(frozen=True)
class Plan:
    """The descents that were chosen, one for each of S trials. What looks at a single one takes it by `trial`.

    sgd       the optimizer's options where it is sgd; `descends` says that it is
    decay     weight decay that it adds to the gradient
    penalty   what is descended besides the loss; `ridges` the quadratic loss with its l2
    theta_SP  the starts
    lr_S      learning rates; `halving_S` says which were chosen for the user and are halved where the loss rises
    reads     epochs at which trials end, ascending: one unless the same walk is read at several
    schedule  of the learning rate; None where it is constant
    batches   the rows of each step; None where a step takes all
    steady    whether every epoch is the same step, so that what the curvature says of one lr holds for all
    every     show each so many epochs, in place of all or about twenty
    brief     record about so many epochs, since there are many trials; None for those of a run
    watched   what patience and the best epoch go by, in place of what is descended
    steepest_S  the largest curvature at each start, where lr was worked out from it
    second    a second-order optimizer, which takes the place of `optimizer` and has no lr; None where there is none
    """

    problem: Problem
    engine: Engine
    optimizer: Optimizer
    sgd: Sgd
    descends: bool
    decay: Number
    theta_SP: Tensor
    lr_S: Tensor
    halving_S: Tensor
    bounds: Bounds | None
    stops: Stops
    reads: tuple[int, ...]
    schedule: Schedule | None = None
    batches: Minibatches | None = None
    steady: bool = True
    every: int | None = None
    brief: int | None = None
    penalty: Penalty | None = None
    ridges: Ridges | None = None
    watched: Watched | None = None
    steepest_S: Tensor | None = None
    second: Second | None = None

    @property
    def quadratic(self) -> Quadratic | None:
        """What the one trial descends in closed form, l2 included and l1 left out; None where there is none."""
        if self.penalty is None or self.ridges is None:
            return self.problem.quadratic
        return self.ridges.of(float(self.penalty.l2_S1[0]))

    @property
    def smooth(self) -> Objective:
        """What is descended where it has derivatives: the loss, with l2."""
        objective = self.problem.objective
        return objective if self.penalty is None else Smooth(objective, self.penalty)

    @property
    def sparse(self) -> bool:
        """Whether there is an l1."""
        return self.penalty is not None and self.penalty.sparse

    @property
    def epochs(self) -> int:
        """The last that is read."""
        return self.reads[-1]

    @property
    def lr(self) -> float:
        """The first trial's."""
        return float(self.lr_S[0])

    @property
    def lr_limit(self) -> float | None:
        """The lr from which the one trial diverges, where the loss is quadratic and the optimizer sgd."""
        if self.quadratic is None or not self.descends:
            return None
        return lr_limit(curvatures(self.quadratic, self.sgd), self.sgd)

    @property
    def unstable(self) -> str:
        """Why there is no lr at which a quadratic loss is descended, as a clause; "" where there is one."""
        if self.quadratic is None:
            return ""
        if not bool(self.quadratic.eigenvalues_P.isfinite().all()):
            return "the curvature overflows; bring the columns to smaller units"
        return self.restless if self.lr_limit == 0 else ""

    @property
    def restless(self) -> str:
        """Why sgd comes to rest at no lr, where it does not."""
        momentum = float(self.sgd.momentum)
        swings = f"a momentum of {momentum:g} swings without end, take one below 1"
        return swings if momentum >= 1 else "the dampening is too large"

    @property
    def stride(self) -> int:
        """Every so many epochs are recorded: 1 up to ten thousand of them."""
        return stride_of(self.epochs, len(self.problem.parameters.names))

    @property
    def recorded(self) -> Collection[int]:
        """Which epochs are kept: all, or some ten thousand of a long run beside those that will be shown."""
        return recorded(self.reads, self.stride, self.every, self.brief)

    def take(self, rows: Sequence[int]) -> Plan:
        """The plan of some trials, by their numbers; one may stand several times."""
        index = torch.as_tensor(rows, device=self.theta_SP.device)
        decay = self.decay
        return replace(
            self,
            optimizer=self.optimizer.take(index) if self.optimizer.take else self.optimizer,
            sgd=self.sgd.take(index),
            decay=decay[index] if isinstance(decay, Tensor) and len(decay) > 1 else decay,
            theta_SP=self.theta_SP[index],
            lr_S=self.lr_S[index],
            halving_S=self.halving_S[index],
            penalty=None if self.penalty is None else self.penalty.take(index),
            batches=None if self.batches is None else self.batches.take(rows),
            steepest_S=None if self.steepest_S is None else self.steepest_S[index],
            second=None if self.second is None else self.second.take(index),
        )

    def trial(self, s: int, epochs: int | None = None) -> Plan:
        """The plan of one trial alone, its options as plain numbers, to end at `epochs`."""
        if len(self.theta_SP) == 1 and not isinstance(self.decay, Tensor) and epochs in (None, self.epochs):
            return self
        plan = self.take([s])
        decay = float(plan.decay) if isinstance(plan.decay, Tensor) else plan.decay
        reads = (self.epochs if epochs is None else epochs,)
        return replace(plan, sgd=plan.sgd.each(1)[0], decay=decay, reads=reads)

    def run(self, watch: Watch | None = None, bookmark: Bookmark | None = None) -> Descent:
        """Descend as planned. What does not walk epoch by epoch has no use for a bookmark."""
        return self.descend(self.recorded, watch, bookmark)

    def descend(self, record: Collection[int], watch: Watch | None = None, bookmark: Bookmark | None = None) -> Descent:
        """Descend, and keep the epochs of `record`."""
        shared: dict[str, Any] = {
            "lr_S1": self.lr_S[:, None],
            "epochs": self.epochs,
            "reads": self.reads,
            "record": record,
            "stops": self.stops,
            "watched": self.watched,
            "watch": watch,
        }
        if self.engine.name == "exact" and self.problem.quadratic is not None:
            return descend_exactly(
                self.problem.quadratic, self.sgd, self.theta_SP, penalty=self.penalty, ridges=self.ridges, **shared
            )
        if self.second is not None:
            return descend_by(
                self.second, self.problem.objective, self.theta_SP, bounds=self.bounds, penalty=self.penalty, **shared
            )
        return descend(
            self.problem.objective,
            self.optimizer,
            self.theta_SP,
            bounds=self.bounds,
            decay=self.decay,
            penalty=self.penalty,
            halving_S=self.halving_S,
            schedule=self.schedule,
            batches=self.batches,
            bookmark=bookmark,
            **shared,
        )


def make_plan(
    trials: Trials, problem: Problem, every: int | None = None, *, reads: Collection[int] = (), brief: int | None = None
) -> Plan:
    """Engine, optimizer, lr and stops as the trials have them; `lr: auto` is worked out from the curvature.

    reads  epochs at which trials end, in place of the experiment's
    brief  record about so many epochs of each trial; None for as many as of a run

    Raises UserError where engine `exact` was asked for and cannot be, and where too much is to be shown.
    """
    experiment = trials.experiment
    settings, stop, parameters = experiment.train, experiment.stop, problem.parameters
    reads = tuple(sorted(reads)) or (settings.epochs,)
    refuse_long_history(reads[-1], every, len(parameters.names) * trials.count)
    theta_SP = parameters.theta(start_values(trials, parameters))
    options = _options(trials, theta_SP)
    sgd = Sgd(**options) if settings.optimizer.name == "sgd" else Sgd()
    decay = 0.0 if _decoupled(settings.optimizer.name, options) else options.get("weight_decay", 0.0)
    decay = decay.to(theta_SP) if isinstance(decay, Tensor) else decay
    engine = choose_engine(experiment, problem)
    penalty = penalty_of(trials, problem)
    ridges = Ridges(problem.quadratic, penalty.weights_P) if penalty and problem.quadratic else None
    second = Second(settings.optimizer.name, options) if settings.optimizer.name in SECOND else None
    peak = settings.schedule.max_lr if settings.schedule else None
    automatic = settings.lr == "auto" and peak is None and second is None
    steepest_S: Tensor | None = None
    rates: Sequence[float | None] = [None if settings.lr == "auto" else settings.lr] * trials.count
    if peak is not None:
        rates = [peak] * trials.count
    elif (own := trials.of("train.lr")) is not None:
        rates = own
    elif automatic:
        if problem.quadratic is None:
            smooth = problem.objective if penalty is None else Smooth(problem.objective, penalty)
            steepest_S = largest_curvature(smooth, theta_SP)
        rates = safe_lr(problem, theta_SP, sgd, penalty, ridges, steepest_S)
    # A quadratic needs no halving, a schedule says what becomes of lr, and weight decay may raise the loss, rightly.
    pulled_S1 = torch.as_tensor(decay, device=theta_SP.device).expand(trials.count, 1) != 0
    halving_S = ~pulled_S1[:, 0] & (automatic and problem.quadratic is None and settings.schedule is None)
    return Plan(
        problem=problem,
        engine=engine,
        optimizer=plain() if second else optimizer_of(settings, options, penalty, like=theta_SP),
        sgd=sgd,
        descends=settings.optimizer.name == "sgd",
        decay=decay,
        theta_SP=theta_SP,
        lr_S=theta_SP.new_tensor([1.0 if lr is None else float(lr) for lr in rates]),
        halving_S=halving_S,
        bounds=(parameters.lower_P, parameters.upper_P) if parameters.bounded else None,
        stops=Stops(stop.grad_tol, stop.loss_tol, stop.patience, stop.min_delta, stop.restore == "best"),
        reads=reads,
        schedule=schedule_of(settings),
        batches=minibatches(trials, problem.rows, theta_SP.device),
        steady=not (settings.schedule or settings.clip or settings.batch_size),
        every=every,
        brief=brief,
        penalty=penalty,
        ridges=ridges,
        watched=None if problem.held is None else lambda chunk, trials: held_loss(problem, chunk.theta_CSP),
        steepest_S=steepest_S,
        second=second,
    )


def _options(trials: Trials, like: Tensor) -> dict[str, Any]:
    """The optimizer's options: numbers that differ from trial to trial as (S, 1), float64."""
    options = dict(trials.experiment.train.optimizer.options)
    for name in options:
        if (own := trials.of(f"train.optimizer.{name}")) is not None:
            options[name] = torch.tensor(own, dtype=torch.float64, device=like.device)[:, None]
    return options


def _decoupled(optimizer: str, options: dict[str, Any]) -> bool:
    """Whether weight decay shrinks the weights directly, beside the gradient."""
    return optimizer == "adamw" or bool(options.get("decoupled_weight_decay"))
