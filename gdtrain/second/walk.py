"""Trials of a second-order optimizer, one after another, as a descent like any other.

Shapes: S trials, P parameters, K recorded epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gdtrain.engines.ends import Ends, Watched
from gdtrain.engines.loop import Descent, Watch
from gdtrain.engines.states import Bounds, Chunk, End, Stops
from gdtrain.problem.objective import Objective
from gdtrain.problem.penalty import Penalty
from gdtrain.second import Last, Over, Task
from gdtrain.second.lbfgs import lbfgs
from gdtrain.second.lm import lm
from gdtrain.second.newton import newton

METHODS: Mapping[str, Callable[[Task], None]] = {"lm": lm, "lbfgs": lbfgs, "newton": newton}


@dataclass(frozen=True)
class Second:
    """A second-order optimizer by its name, with its options; numbers that differ between trials are (S, 1)."""

    name: str
    options: Mapping[str, Any]

    def take(self, rows: Tensor) -> Second:
        """The options of some trials, by their numbers (L,)."""
        own = {key: value[rows] for key, value in self.options.items() if isinstance(value, Tensor) and len(value) > 1}
        return replace(self, options={**self.options, **own})

    def of(self, s: int) -> dict[str, Any]:
        """The options of one trial, as plain numbers."""
        return {
            key: float(value[s if len(value) > 1 else 0]) if isinstance(value, Tensor) else value
            for key, value in self.options.items()
        }


def descend_by(
    second: Second,
    objective: Objective,
    theta_SP: Tensor,
    *,
    lr_S1: Tensor,
    epochs: int,
    reads: Collection[int],
    record: Collection[int],
    bounds: Bounds | None,
    stops: Stops,
    penalty: Penalty | None,
    watched: Watched | None,
    watch: Watch | None,
) -> Descent:
    """Descend from theta_SP, trial by trial; arguments as for `loop.descend`. A trial ends early where its method has
    come to rest. lr_S1 is what the ends show as their learning rate: these methods have none.
    """
    walks = []
    for s in range(len(theta_SP)):
        told = None if watch is None else _share(watch, s, len(theta_SP))
        index = torch.tensor([s], device=theta_SP.device)
        mine = None if penalty is None else penalty.take(index)
        ends = Ends(1, {*reads, epochs}, stops, bounds, 0.0, mine, watched)
        walk = _Walk(objective, lr_S1[s], ends, epochs, record, told)
        task = task_of(objective, mine, theta_SP[s], bounds, second.of(s), walk.visit, walk.evaluated)
        walks.append(walk.carry_out(METHODS[second.name], task))
    return _together(walks, theta_SP)


def task_of(
    objective: Objective,
    penalty: Penalty | None,
    theta_P: Tensor,
    bounds: Bounds | None,
    options: Mapping[str, Any],
    visit: Callable[[Tensor], None] = lambda theta_P: None,
    last: Last | None = None,
) -> Task:
    """The task of one trial that starts at theta. What was evaluated `last` need not be again."""
    unbounded = (torch.full(theta_P.shape, -math.inf), torch.full(theta_P.shape, math.inf))
    lower_P, upper_P = (bound.double().cpu() for bound in bounds or unbounded)
    return Task(objective, last or Last(objective), penalty, theta_P, lower_P, upper_P, options, visit)


def _share(watch: Watch, s: int, trials: int) -> Watch:
    """A watch over trial `s` of some, told as if all went side by side."""
    return lambda epoch, loss: watch((s + epoch) // trials, loss)


class _Walk:
    """One trial: what it has come to, epoch by epoch."""

    def __init__(
        self,
        objective: Objective,
        lr_1: Tensor,
        ends: Ends,
        epochs: int,
        record: Collection[int],
        watch: Watch | None,
    ) -> None:
        self.evaluated = Last(objective)
        self._lr_1, self._ends, self._epochs = lr_1, ends, epochs
        self._record, self._watch = record, watch
        self._epoch = -1  # the last that was visited
        self.recorded: dict[int, Chunk] = {}
        self.reads: dict[int, End] = {}

    def carry_out(self, method: Callable[[Task], None], task: Task) -> _Walk:
        with torch.no_grad():  # newton differentiates where it needs to
            try:
                self.visit(task.theta_P)
                method(task)
                self._ends.settle(self._last)
            except Over:
                pass
        self.reads = {epoch: ends[0] for epoch, ends in self._ends.close(self._last).items()}
        return self

    def visit(self, theta_P: Tensor) -> None:
        """Take in the state after the next epoch. Raises Over where it is the last."""
        theta_1P = theta_P.to(self._lr_1)[None]
        loss_1, gradient_1P = self.evaluated(theta_1P)
        self._epoch += 1
        epochs = range(self._epoch, self._epoch + 1)
        self._last = Chunk(epochs, loss_1[None], theta_1P[None], gradient_1P[None], self._lr_1[None])
        if self._epoch == 0 or self._epoch in self._record:
            self.recorded[self._epoch] = self._last
        self._ends.judge(self._last)
        on = self._watch is None or self._watch(self._epoch, float(loss_1[0]))
        if self._ends.all_found or self._epoch >= self._epochs or not on:
            raise Over


def _together(walks: Sequence[_Walk], like: Tensor) -> Descent:
    """The trials side by side; no numbers past a trial's end."""
    epochs = sorted({epoch for walk in walks for epoch in walk.recorded})
    row = {epoch: k for k, epoch in enumerate(epochs)}
    trials, parameters = like.shape
    loss_KS = like.new_full((len(epochs), trials), math.nan)
    lr_KS = loss_KS.clone()
    theta_KSP = like.new_full((len(epochs), trials, parameters), math.nan)
    gradient_KSP = theta_KSP.clone()
    for s, walk in enumerate(walks):
        for epoch, chunk in walk.recorded.items():
            k = row[epoch]
            loss_KS[k, s], lr_KS[k, s] = chunk.loss_CS[0, 0], chunk.lr_CS[0, 0]
            theta_KSP[k, s], gradient_KSP[k, s] = chunk.theta_CSP[0, 0], chunk.gradient_CSP[0, 0]
    recorded = Chunk(epochs, loss_KS, theta_KSP, gradient_KSP, lr_KS)
    reads = {epoch: [walk.reads[epoch] for walk in walks] for epoch in walks[0].reads}
    return Descent(recorded, reads)
