"""What a batch of trials came to: each trial's verdict and result, made when it is asked for.

Shapes: S trials, P trained parameters, Q reported ones, K recorded epochs, N rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdtrain import __version__
from gdtrain.ended import Detail, Trial
from gdtrain.engines.loop import Descent
from gdtrain.engines.states import End
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.trials import Trials
from gdtrain.insight import Curvature, curvature_of, hints, sentences, steepest
from gdtrain.plan import Plan
from gdtrain.problem.data import Data, PredictedRows
from gdtrain.problem.measured import metrics_at
from gdtrain.problem.problem import Problem, tensors
from gdtrain.results import Equation, History, Parameter, Prediction, Result, Verdict
from gdtrain.survivors import surviving_lr
from gdtrain.verdict import judge

SHOWN_WEIGHTS = 8  # that a sentence lists


class Batch:
    """Trials that were descended together.

    data       whose rows they were; `rows` those to predict
    gradients  whether histories hold them
    """

    def __init__(
        self, trials: Trials, data: Data, plan: Plan, descent: Descent, rows: PredictedRows, *, gradients: bool = False
    ) -> None:
        self.trials, self.data, self.plan, self.rows = trials, data, plan, rows
        recorded, parameters = descent.recorded, plan.problem.parameters
        self.reads = descent.reads
        self.epochs_K = np.array(recorded.epochs)
        self.loss_KS, self.theta_KSP = recorded.loss_CS, recorded.theta_CSP
        self.gradient_KSP = recorded.gradient_CSP if gradients else None
        self.values_SQ = {
            epochs: _array(parameters.values(torch.stack([end.theta_P for end in ends])))
            for epochs, ends in descent.reads.items()
        }

    def outcome(self, s: int, epochs: int | None = None) -> Outcome:
        """What trial `s` came to where `epochs` is its last, by default the plan's."""
        return Outcome(self, s, self.plan.epochs if epochs is None else epochs)

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
        batch, end, problem = self.batch, self.end, self.batch.plan.problem
        plan, experiment = batch.plan.trial(self.s, self.epochs), batch.trials.experiment_of(self.s)
        status, detail = batch.judged[self.s, self.epochs]
        history = self._history()
        curvature = curvature_of(plan, end.theta_P, None if batch.steepest_S is None else batch.steepest_S[self.s])
        names = problem.parameters.names
        warnings = hints(experiment, plan, curvature, end.theta_P, end.loss, status)
        return Result(
            name=experiment.name,
            kind=experiment.kind,
            statement=statement(experiment, problem),
            verdict=Verdict(status, end.epoch, detail()),
            epochs=end.epoch,
            loss={"name": problem.loss_name, "initial": end.first_loss, "final": end.loss},
            objective=None if plan.penalty is None else _objective(end),
            parameters=_parameters(problem, history, end, curvature),
            engine=vars(plan.engine),
            recorded=history,
            train=_training(experiment, plan, end),
            data=batch.data.document,
            seed=experiment.train.seed,
            dtype=experiment.train.dtype,
            device=experiment.train.device,
            versions=versions(),
            timing={},
            predictions=_predictions(problem, history, batch.rows),
            equations=_equations(experiment, problem, history),
            warnings=[*batch.data.warnings, *warnings],
            curvature=None if curvature is None else curvature.document(names),
            metrics=metrics_at(problem, end.theta_P),
            insights=[] if curvature is None else sentences(curvature, names, SHOWN_WEIGHTS),
            every=plan.every,
            thinned=plan.stride > 1 and plan.every is None,
        )

    def _history(self) -> History:
        """The recorded epochs before the trial's end, then its end, in the units of the data."""
        batch, end, parameters = self.batch, self.end, self.batch.plan.problem.parameters
        before = slice(int(np.searchsorted(batch.epochs_K, end.epoch)))
        theta_KP = torch.cat([batch.theta_KSP[before, self.s], end.theta_P[None]])
        gradient_KQ = None
        if batch.gradient_KSP is not None:
            gradient_KP = torch.cat([batch.gradient_KSP[before, self.s], end.gradient_P[None]])
            gradient_KQ = _array(parameters.gradient(gradient_KP))
        return History(
            epochs_K=np.append(batch.epochs_K[before], end.epoch),
            loss_K=np.append(_array(batch.loss_KS[before, self.s]), end.loss),
            values_KQ=_array(parameters.values(theta_KP)),
            gradient_KQ=gradient_KQ,
        )


def versions() -> dict[str, str]:
    """Of what computed a result."""
    return {"gdtrain": __version__, "torch": str(torch.__version__)}


def statement(experiment: Experiment, problem: Problem) -> str:
    """The problem in a line."""
    if experiment.regress:
        return f"{', '.join(problem.targets)} on {', '.join(problem.terms) or 'a constant'}"
    return experiment.fit or experiment.minimize or "; ".join(experiment.solve or ())


def _parameters(problem: Problem, history: History, end: End, curvature: Curvature | None) -> list[Parameter]:
    parameters = problem.parameters
    gradient_Q = parameters.gradient(end.gradient_P)
    optimum_Q = None if curvature is None else curvature.optimum_Q
    scaled_Q = parameters.scaled(parameters.values(end.theta_P)) if parameters.scalings else None
    return [
        Parameter(
            name=name,
            start=float(history.values_KQ[0, i]),
            value=float(history.values_KQ[-1, i]),
            gradient=float(gradient_Q[i]) if i in parameters.free else None,
            fixed=i not in parameters.varying,
            tied=i in parameters.varying and i not in parameters.free,
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
        **({} if plan.second else {"lr": plan.lr}),
        "epochs": plan.epochs,
        **_steps(experiment),
        "scale": experiment.data.scale if experiment.data else "none",
        "chosen": list(experiment.chosen),
    }
    return training | ({"lr_final": end.lr} if end.lr != plan.lr else {})


def _steps(experiment: Experiment) -> dict[str, Any]:
    """What was asked of steps besides the optimizer: mini-batches, schedule, clipping."""
    return experiment.train.model_dump(include={"batch_size", "shuffle", "schedule", "clip"}, exclude_none=True)


def _equations(experiment: Experiment, problem: Problem, history: History) -> list[Equation]:
    if experiment.solve is None:
        return []
    sides = problem.side_values(torch.as_tensor(history.values_KQ[-1]))
    return [Equation(text, *pair) for text, pair in zip(experiment.solve, sides, strict=True)]


def _predictions(problem: Problem, history: History, rows: PredictedRows) -> list[Prediction]:
    """Every row before and after training; beside its target where the rows are the data's own."""
    if not rows.count or problem.predict is None:
        return []
    like = problem.parameters.start_Q
    columns = tensors(rows.columns, like)
    before, after = (problem.predict(like.new_tensor(history.values_KQ[k]), columns, rows.count) for k in (0, -1))
    target = problem.target(columns) if rows.own and problem.target else None
    told = problem.classes or problem.targets
    return [
        Prediction(
            inputs={name: _value(rows.inputs[name][i]) for name in problem.inputs},
            before=_row(before, i, told),
            after=_row(after, i, told),
            target=None if target is None else _target(target, i, problem),
        )
        for i in range(rows.count)
    ]


def _value(value: Any) -> float | str:
    return value if isinstance(value, str) else float(value)


def _row(predictions: Tensor, i: int, targets: Sequence[str]) -> float | dict[str, float]:
    if predictions.dim() == 1:
        return float(predictions[i])
    return dict(zip(targets, predictions[i].tolist(), strict=True))


def _target(target: Tensor, i: int, problem: Problem) -> float | str | dict[str, float | str]:
    """The target of a row as the table has it: of labels that were read from text the text."""
    each = [
        problem.labels[name][int(value)] if name in problem.labels else value
        for name, value in zip(problem.targets, target[i].reshape(-1).tolist(), strict=True)
    ]
    return each[0] if target.dim() == 1 else dict(zip(problem.targets, each, strict=True))


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.double().cpu().numpy()
