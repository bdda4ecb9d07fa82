"""What a batch of trials came to: each trial's verdict and result, made when it is asked for.

Shapes: S trials, P trained parameters, Q reported ones, K recorded epochs, N rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdtrain import __version__
from gdtrain.engines.loop import Descent
from gdtrain.engines.states import End
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.trials import Trials
from gdtrain.insight import Curvature, curvature_of, hints, sentences, steepest
from gdtrain.plan import Plan
from gdtrain.predicted import predictions
from gdtrain.problem.data import Data
from gdtrain.problem.held import held_loss, held_metrics, held_size
from gdtrain.problem.measured import metrics_at
from gdtrain.problem.predictions import PredictedRows
from gdtrain.problem.problem import Problem
from gdtrain.results import Equation, FoldEnd, History, Parameter, Result, Verdict, over_folds, pooled
from gdtrain.survivors import surviving_lr
from gdtrain.verdict import Detail, Trial, judge

SHOWN_WEIGHTS = 8  # that a sentence lists


class Batch:
    """Trials that were descended together.

    data       whose rows they were; `rows` those to predict
    gradients  whether histories hold them
    folds      where each was held out in turn, what each came to of every trial, by its number and last epoch
    """

    def __init__(
        self,
        trials: Trials,
        data: Data,
        plan: Plan,
        descent: Descent,
        rows: PredictedRows,
        *,
        gradients: bool = False,
        folds: Sequence[Mapping[tuple[int, int], FoldEnd]] = (),
    ) -> None:
        self.trials, self.data, self.plan, self.rows, self.folds = trials, data, plan, rows, folds
        recorded = descent.recorded
        self.reads = descent.reads
        self.epochs_K = np.array(recorded.epochs)
        self.loss_KS, self.theta_KSP = recorded.loss_CS, recorded.theta_CSP
        self.gradient_KSP = recorded.gradient_CSP if gradients else None

    def outcome(self, s: int, epochs: int | None = None) -> Outcome:
        """What trial `s` came to where `epochs` is its last, by default the plan's."""
        return Outcome(self, s, self.plan.epochs if epochs is None else epochs)

    def kept(self, s: int, epochs: int) -> End:
        """The state whose weights a trial has: its last, or the best where that is asked for; of one that diverged its
        last.
        """
        end = self.reads[epochs][s]
        return end if end.best is None or self.judged[s, epochs][0] == "diverged" else end.best

    @cached_property
    def theta_SP(self) -> dict[int, Tensor]:
        """Each trial's theta, by its last epoch."""
        return {
            epochs: torch.stack([self.kept(s, epochs).theta_P for s in range(len(ends))])
            for epochs, ends in self.reads.items()
        }

    @cached_property
    def values_SQ(self) -> dict[int, np.ndarray]:
        """The same as every parameter in the units of the data."""
        return {epochs: _array(self.plan.problem.parameters.values(t)) for epochs, t in self.theta_SP.items()}

    @cached_property
    def held_S(self) -> dict[int, list[float]]:
        """The loss there over the rows that are held out; {} where none are."""
        if self.plan.problem.held is None:
            return {}
        return {epochs: held_loss(self.plan.problem, theta_SP).tolist() for epochs, theta_SP in self.theta_SP.items()}

    @cached_property
    def held_first_S(self) -> list[float]:
        """The same at the start."""
        first_S: list[float] = held_loss(self.plan.problem, self.theta_KSP[0]).tolist()
        return first_S

    @cached_property
    def steepest_S(self) -> list[float] | None:
        return steepest(self.plan)

    @cached_property
    def judged(self) -> dict[tuple[int, int], tuple[str, Detail]]:
        """Status, and the sentence on request, of each trial, by its number and last epoch."""
        return {(s, epochs): self._judge(s, epochs) for epochs, ends in self.reads.items() for s in range(len(ends))}

    def _judge(self, s: int, epochs: int) -> tuple[str, Detail]:
        return judge(Trial(self.plan, s, self.reads[epochs][s], epochs, lambda: self._remedies[s, epochs]))

    @cached_property
    def _remedies(self) -> dict[tuple[int, int], float | None]:
        """For each trial that diverged, by its number and last epoch, an lr that would not."""
        found: dict[tuple[int, int], float | None] = {}
        for epochs in self.reads:
            lost = [s for (s, last), (status, _) in self.judged.items() if status == "diverged" and last == epochs]
            rates = [self._lr(s, epochs) for s in lost]
            plan = replace(self.plan.take(lost), reads=(epochs,)) if lost else self.plan
            found |= {(s, epochs): lr for s, lr in zip(lost, surviving_lr(plan, rates) if lost else (), strict=True)}
        return found

    def _lr(self, s: int, epochs: int) -> float:
        """The learning rate that a trial came to; of a schedule what it starts from."""
        return self.reads[epochs][s].lr if self.plan.schedule is None else float(self.plan.lr_S[s])


@dataclass(frozen=True)
class Outcome:
    """What one trial of a batch came to where `epochs` is its last.

    values_Q  every parameter at the end, in the units of the data
    """

    batch: Batch
    s: int
    epochs: int

    @property
    def end(self) -> End:
        return self.batch.reads[self.epochs][self.s]

    @property
    def kept(self) -> End:
        return self.batch.kept(self.s, self.epochs)

    @property
    def folds(self) -> list[FoldEnd]:
        """What each fold came to, where each was held out in turn."""
        return [fold[self.s, self.epochs] for fold in self.batch.folds]

    @property
    def held_out(self) -> float | None:
        """The loss over the rows that are held out, or over all of them, each held out once; None where none are."""
        if self.batch.folds:
            return pooled(self.folds)
        return self.batch.held_S[self.epochs][self.s] if self.batch.held_S else None

    @property
    def status(self) -> str:
        return self.batch.judged[self.s, self.epochs][0]

    @property
    def values_Q(self) -> np.ndarray:
        values: np.ndarray = self.batch.values_SQ[self.epochs][self.s]
        return values

    def losses(self) -> list[tuple[int, float]]:
        """Epoch and loss of the epochs that were recorded."""
        history = self._history()
        return list(zip(history.epochs_K.tolist(), history.loss_K.tolist(), strict=True))

    def result(self) -> Result:
        """The trial's result."""
        batch, end, kept, problem = self.batch, self.end, self.kept, self.batch.plan.problem
        plan, experiment = batch.plan.trial(self.s, self.epochs), batch.trials.experiment_of(self.s)
        status, detail = batch.judged[self.s, self.epochs]
        history = self._history()
        curvature = curvature_of(plan, kept.theta_P, None if batch.steepest_S is None else batch.steepest_S[self.s])
        names = problem.parameters.names
        warnings = hints(experiment, plan, curvature, kept.theta_P, kept.loss, status)
        start_Q, folds = history.values_KQ[0], self.folds
        return Result(
            name=experiment.name,
            kind=experiment.kind,
            statement=statement(experiment, problem),
            verdict=Verdict(status, end.epoch, detail() + _whose(end, kept)),
            epochs=end.epoch,
            loss={"name": problem.loss_name, "initial": end.first_loss, "final": kept.loss, **self._held_out()},
            objective=None if plan.penalty is None else _objective(kept),
            parameters=_parameters(problem, start_Q, self.values_Q, kept, curvature),
            engine=vars(plan.engine),
            recorded=history,
            train=_training(experiment, plan, end),
            data=batch.data.document | _split(experiment, problem),
            seed=experiment.train.seed,
            dtype=experiment.train.dtype,
            device=experiment.train.device,
            versions=versions(),
            timing={},
            predictions=predictions(problem, start_Q, self.values_Q, batch.rows),
            equations=_equations(experiment, problem, self.values_Q),
            warnings=[*batch.data.warnings, *warnings, *lost_folds(folds)],
            curvature=None if curvature is None else curvature.document(names),
            metrics=metrics_at(problem, kept.theta_P) | self._held_metrics(),
            insights=[] if curvature is None else sentences(curvature, names, SHOWN_WEIGHTS),
            every=plan.every,
            thinned=plan.stride > 1 and plan.every is None,
            restored=None if kept is end else kept.epoch,
            folds=over_folds(folds) if folds else None,
        )

    def fold_end(self, fold: int) -> FoldEnd:
        """The trial as one that was trained without a fold."""
        problem, kept, names = self.batch.plan.problem, self.kept, self.batch.plan.problem.parameters.names
        assert problem.held is not None
        loss = {"initial": self.end.first_loss, "final": kept.loss, **self._held_out()}
        metrics = held_metrics(problem, kept.theta_P)
        params = dict(zip(names, self.values_Q.tolist(), strict=True))
        restored = None if kept is self.end else kept.epoch
        held, size = problem.held.rows, held_size(problem)
        return FoldEnd(fold, problem.rows, held, size, self.status, self.end.epoch, loss, metrics, params, restored)

    def _held_out(self) -> dict[str, float]:
        """The loss over rows that are held out, at the start and at the end; {} where none are."""
        if self.batch.folds:
            return {"held_out_initial": pooled(self.folds, "held_out_initial"), "held_out": pooled(self.folds)}
        if not self.batch.held_S:
            return {}
        held = self.batch.held_S[self.epochs][self.s]
        return {"held_out_initial": self.batch.held_first_S[self.s], "held_out": held}

    def _held_metrics(self) -> dict[str, Any]:
        """The metrics of rows that are held out, under `holdout`; of folds their means. {} where there are none."""
        if self.batch.folds:
            found = over_folds(self.folds)["mean"]["metrics"]
        else:
            found = held_metrics(self.batch.plan.problem, self.kept.theta_P)
        return {"holdout": found} if found else {}

    def _history(self) -> History:
        """The recorded epochs before the trial's end, then its end, in the units of the data."""
        batch, end, parameters = self.batch, self.end, self.batch.plan.problem.parameters
        before = slice(int(np.searchsorted(batch.epochs_K, end.epoch)))
        theta_KP = torch.cat([batch.theta_KSP[before, self.s], end.theta_P[None]])
        gradient_KQ = None
        if batch.gradient_KSP is not None:
            gradient_KP = torch.cat([batch.gradient_KSP[before, self.s], end.gradient_P[None]])
            gradient_KQ = _array(parameters.gradient(gradient_KP))
        problem = batch.plan.problem
        return History(
            epochs_K=np.append(batch.epochs_K[before], end.epoch),
            loss_K=np.append(_array(batch.loss_KS[before, self.s]), end.loss),
            values_KQ=_array(parameters.values(theta_KP)),
            gradient_KQ=gradient_KQ,
            held_K=None if problem.held is None else _array(held_loss(problem, theta_KP)),
        )


def versions() -> dict[str, str]:
    """Of what computed a result."""
    return {"gdtrain": __version__, "torch": str(torch.__version__)}


def statement(experiment: Experiment, problem: Problem) -> str:
    """The problem in a line."""
    if experiment.regress:
        return f"{', '.join(problem.targets)} on {', '.join(problem.terms) or 'a constant'}"
    return experiment.fit or experiment.minimize or "; ".join(experiment.solve or ())


def _whose(end: End, kept: End) -> str:
    """Which epoch's weights the trial has, where it is not the last's."""
    return "" if kept.epoch == end.epoch else f"; the weights are those of epoch {kept.epoch:,}, the best"


def _split(experiment: Experiment, problem: Problem) -> dict[str, Any]:
    """How the rows were split, in the `data` section."""
    spec = experiment.data.split if experiment.data else None
    if spec is None:
        return {}
    held = 0 if problem.held is None else problem.held.rows
    return {"split": spec.model_dump(exclude_none=True) | {"train": problem.rows, "held_out": held}}


def lost_folds(folds: Sequence[FoldEnd]) -> list[str]:
    """A sentence where folds diverged."""
    lost = [str(fold.fold) for fold in folds if fold.status == "diverged"]
    return [f"fold{'s'[: len(lost) != 1]} {', '.join(lost)} diverged: try a smaller lr"] if lost else []


def _parameters(
    problem: Problem, start_Q: np.ndarray, values_Q: np.ndarray, end: End, curvature: Curvature | None
) -> list[Parameter]:
    parameters = problem.parameters
    gradient_Q = parameters.gradient(end.gradient_P)
    optimum_Q = None if curvature is None else curvature.optimum_Q
    scaled_Q = parameters.scaled(parameters.values(end.theta_P)) if parameters.scalings else None
    return [
        Parameter(
            name=name,
            start=float(start_Q[i]),
            value=float(values_Q[i]),
            gradient=float(gradient_Q[i]) if i in parameters.free else None,
            fixed=i not in parameters.free,
            scaled=None if scaled_Q is None else float(scaled_Q[i]),
            optimum=None if optimum_Q is None else float(optimum_Q[i]),
        )
        for i, name in enumerate(parameters.names)
    ]


def _objective(end: End) -> dict[str, float]:
    """What was descended under a penalty: its two parts at the end, and their sum at the start and at the end."""
    return {
        "loss": end.loss,
        "penalty": end.penalty,
        "initial": end.first_objective,
        "final": end.objective,
    }


def _training(experiment: Experiment, plan: Plan, end: End) -> dict[str, Any]:
    """How it was trained, with what was chosen for the user under `chosen`."""
    optimizer = experiment.train.optimizer
    training = {
        "optimizer": {"name": optimizer.name, **optimizer.options},
        "lr": plan.lr,
        "epochs": plan.epochs,
        **_steps(experiment),
        "scale": experiment.data.scale if experiment.data else "none",
        "chosen": list(experiment.chosen),
    }
    return training | ({"lr_final": end.lr} if end.lr != plan.lr else {})


def _steps(experiment: Experiment) -> dict[str, Any]:
    """What was asked of steps besides the optimizer: mini-batches, schedule, clipping."""
    return experiment.train.model_dump(include={"batch_size", "shuffle", "schedule", "clip"}, exclude_none=True)


def _equations(experiment: Experiment, problem: Problem, values_Q: np.ndarray) -> list[Equation]:
    if experiment.solve is None:
        return []
    sides = problem.side_values(torch.as_tensor(values_Q))
    return [Equation(text, *pair) for text, pair in zip(experiment.solve, sides, strict=True)]


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.double().cpu().numpy()
