"""What a trial of a batch came to: its result, made when it is asked for.

Shapes: P trained parameters, Q reported ones, K recorded epochs, N rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdtrain import __version__
from gdtrain.engines.states import End
from gdtrain.experiment.schema import Experiment
from gdtrain.planning.plan import Plan
from gdtrain.problem.held import held_loss, held_metrics
from gdtrain.problem.measured import metrics_at
from gdtrain.problem.portable import predictor_document
from gdtrain.problem.predicted import predictions_of
from gdtrain.problem.problem import Problem
from gdtrain.results import Equation, FoldEnd, History, Parameter, Result, Verdict, lost, over_folds, pooled
from gdtrain.trials.batch import Batch, array
from gdtrain.uncertainty import Fitted, uncertainty_of
from gdtrain.uncertainty.predictions import add_intervals
from gdtrain.verdicts.insight import Curvature, curvature_of, hints, sentences

SHOWN_WEIGHTS = 8  # that a sentence lists


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
    def polished(self) -> list[End]:
        """The steps after the last epoch."""
        return self.batch.polished.get((self.s, self.epochs), [])

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

    def descended(self) -> list[tuple[int, float]]:
        """Epoch and what was descended, the loss with its penalty, of the epochs that were recorded."""
        history, penalty = self._history(), self.batch.plan.penalty
        if penalty is None:
            return list(zip(history.epochs_K.tolist(), history.loss_K.tolist(), strict=True))
        own = penalty.take(torch.as_tensor([self.s], device=penalty.l1_S1.device))
        objective_K = history.loss_K + array(own.value(self._thetas()[:, None])[:, 0])
        return list(zip(history.epochs_K.tolist(), objective_K.tolist(), strict=True))

    @property
    def _last(self) -> list[End]:
        """The end of the descent, and the steps that polished it."""
        return [self.batch.descended[self.epochs][self.s], *self.polished]

    @property
    def _recorded(self) -> slice:
        """Recorded epochs before these."""
        return slice(int(np.searchsorted(self.batch.epochs_K, self._last[0].epoch)))

    def _thetas(self) -> Tensor:
        """The recorded parameters as they are trained (K, P), those of the end last."""
        return torch.cat([self.batch.theta_KSP[self._recorded, self.s], *(end.theta_P[None] for end in self._last)])

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
        result = Result(
            name=experiment.name,
            kind=experiment.kind,
            statement=statement(experiment, problem),
            verdict=Verdict(status, end.epoch, detail() + _whose(end, kept) + self._how_polished()),
            epochs=end.epoch,
            loss={"name": problem.loss_name, "initial": end.first_loss, "final": kept.loss, **self.held_losses()},
            objective=None if plan.penalty is None else _objective(kept),
            parameters=_parameters(problem, start_Q, self.values_Q, kept, curvature),
            engine=vars(plan.engine),
            recorded=history,
            train=_training(experiment, plan, end) | ({"polished": len(self.polished)} if self.polished else {}),
            data=batch.data.document | _split(experiment, problem),
            seed=experiment.train.seed,
            dtype=experiment.train.dtype,
            device=experiment.train.device,
            versions=versions(),
            timing={},
            predictions=predictions_of(problem, start_Q, self.values_Q, batch.rows),
            equations=_equations(experiment, problem, self.values_Q),
            warnings=[*batch.data.warnings, *warnings, *lost(folds)],
            curvature=None if curvature is None else curvature.document(names),
            metrics=metrics_at(problem, kept.theta_P) | self._held_metrics(),
            insights=[] if curvature is None else sentences(curvature, names, SHOWN_WEIGHTS),
            every=plan.every,
            thinned=plan.stride > 1 and plan.every is None,
            restored=None if kept is end else kept.epoch,
            folds=over_folds(folds) if folds else None,
            predictor=predictor_document(experiment, batch.data),
            uncertain=lambda: uncertainty_of(
                Fitted(plan, experiment, kept.theta_P, kept.loss, status, experiment.train.polish)
            ),
        )
        if experiment.predict is not None and experiment.predict.interval is not None:
            weight = batch.rows.columns.get(batch.data.weight or "")
            add_intervals(result, problem, self.values_Q, batch.rows, experiment.predict.interval, weight)
        return result

    def _how_polished(self) -> str:
        steps = len(self.polished)
        if not steps:
            return ""
        return f"; polished by {steps} step{'s' * (steps > 1)} after epoch {self.end.epoch - steps:,}"

    def held_losses(self) -> dict[str, float]:
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
        """The recorded epochs before the trial's end, then its end, polished or not, in the units of the data."""
        batch, last, parameters = self.batch, self._last, self.batch.plan.problem.parameters
        before, theta_KP, gradient_KQ = self._recorded, self._thetas(), None
        if batch.gradient_KSP is not None:
            gradient_KP = torch.cat([batch.gradient_KSP[before, self.s], *(end.gradient_P[None] for end in last)])
            gradient_KQ = array(parameters.gradient(gradient_KP))
        problem = batch.plan.problem
        return History(
            epochs_K=np.append(batch.epochs_K[before], [end.epoch for end in last]),
            loss_K=np.append(array(batch.loss_KS[before, self.s]), [end.loss for end in last]),
            values_KQ=array(parameters.values(theta_KP)),
            gradient_KQ=gradient_KQ,
            held_K=None if problem.held is None else array(held_loss(problem, theta_KP)),
        )


def versions() -> dict[str, str]:
    """Of what computed a result."""
    return {"gdtrain": __version__, "torch": str(torch.__version__)}


def statement(experiment: Experiment, problem: Problem) -> str:
    """The problem in a line."""
    if experiment.regress:
        through = "" if problem.network is None else f" through {problem.network.told}"
        return f"{', '.join(problem.targets)} on {', '.join(problem.terms) or 'a constant'}{through}"
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


def _parameters(
    problem: Problem, start_Q: np.ndarray, values_Q: np.ndarray, end: End, curvature: Curvature | None
) -> list[Parameter]:
    parameters, free = problem.parameters, set(problem.parameters.free)
    varying = set(parameters.varying)
    gradient_Q = parameters.gradient(end.gradient_P).tolist()
    optimum_Q = None if curvature is None or curvature.optimum_Q is None else curvature.optimum_Q.tolist()
    scaled_Q = parameters.scaled(parameters.values(end.theta_P)).tolist() if parameters.scalings else None
    return [
        Parameter(
            name=name,
            start=float(start_Q[i]),
            value=float(values_Q[i]),
            gradient=gradient_Q[i] if i in free else None,
            fixed=i not in varying,
            tied=i in varying and i not in free,
            scaled=None if scaled_Q is None else scaled_Q[i],
            optimum=None if optimum_Q is None else optimum_Q[i],
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
        **({} if experiment.model is None else {"model": experiment.model.model_dump()}),
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
