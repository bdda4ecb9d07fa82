"""Trials that were descended together: how each ended, and the numbers of all of them at once.

Shapes: S trials, P trained parameters, Q reported ones, K recorded epochs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gdtrain.data.predictions import PredictedRows
from gdtrain.data.rows import Data
from gdtrain.engines.loop import Descent
from gdtrain.engines.states import End
from gdtrain.experiment.trials import Trials
from gdtrain.planning.plan import Plan
from gdtrain.problem.held import held_loss
from gdtrain.results import FoldEnd
from gdtrain.verdicts.ended import Detail, Trial
from gdtrain.verdicts.insight import steepest
from gdtrain.verdicts.polish import polish
from gdtrain.verdicts.survivors import surviving_lr
from gdtrain.verdicts.verdict import judge


class Batch:
    """Trials that were descended together.

    data       whose rows they were; `rows` those to predict
    gradients  whether histories hold them
    reads      each trial's end by its last epoch, polished where that was asked for; `descended` as it was before
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
        self.descended = descent.reads
        self.polished = polish(trials.experiment, plan, descent.reads)
        self.reads = {
            epochs: [self.polished.get((s, epochs), [end])[-1] for s, end in enumerate(ends)]
            for epochs, ends in descent.reads.items()
        }
        self.epochs_K = np.array(recorded.epochs)
        self.loss_KS, self.theta_KSP = recorded.loss_CS, recorded.theta_CSP
        self.gradient_KSP = recorded.gradient_CSP if gradients else None

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
        return {epochs: array(self.plan.problem.parameters.values(t)) for epochs, t in self.theta_SP.items()}

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


def array(tensor: Tensor) -> np.ndarray:
    return tensor.double().cpu().numpy()
