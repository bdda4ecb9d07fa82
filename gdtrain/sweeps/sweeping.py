"""A sweep, top to bottom: build each group's problem, cut its trials to batches, descend, keep, rank.

Shapes: S trials, P trained parameters, Q reported ones.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from gdtrain.data.predictions import PredictedRows
from gdtrain.data.rows import Data
from gdtrain.engines.loop import Watch
from gdtrain.errors import UserError
from gdtrain.experiment.grouped import several_problems
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.sweep import Group, Sweep
from gdtrain.experiment.trials import Trials
from gdtrain.keep.manifest import Asked
from gdtrain.planning.automatic import decided
from gdtrain.planning.choice import engine_obstacle, refuse_exact
from gdtrain.planning.plan import make_plan
from gdtrain.problem.affine import obstacle
from gdtrain.problem.problem import Problem, zero_like
from gdtrain.report.render import pieces
from gdtrain.results import SweepResult, Trial
from gdtrain.results.lookup import HELD_OUT
from gdtrain.results.ranking import LOSSES
from gdtrain.sweeps.kept import Kept
from gdtrain.tables import Tables
from gdtrain.threads import threads
from gdtrain.train import useful_threads
from gdtrain.trials.batch import Batch
from gdtrain.trials.batches import FEW_EPOCHS, Walkers, cut, recorded_epochs, usual_memory
from gdtrain.trials.crossed import trained
from gdtrain.trials.outcome import Outcome, statement, versions
from gdtrain.trials.swept import kept_trial, trial_of

_ROUNDING = 1e-28  # of the loss of predicting nothing: the squares of rounding errors


@dataclass(frozen=True)
class Request:
    """How a sweep is carried out, and shown.

    source            what the experiment is called
    every, gradients  of each trial's history, as for a run
    record            about so many epochs of each trial are recorded
    rank_by, top      what ranks the trials, the loss (held-out where rows are) unless given, and how many of the best
                      are shown
    starts            the points are so many starts of one problem
    memory            bytes that trials side by side may take; None for a quarter of the machine's
    out               a folder that keeps finished trials; what is there already is not trained again
    rerun             what the best trial sets -> the command that trains it alone
    words, file       what was typed, and the file that was named there, for `resume`
    """

    source: str = ""
    every: int | None = None
    gradients: bool = False
    record: int = FEW_EPOCHS
    rank_by: str | None = None
    top: int | None = None
    starts: int | None = None
    memory: int | None = None
    out: str | Path | None = None
    rerun: Callable[[Mapping[str, Any]], str] = lambda settings: ""
    words: Sequence[str] = ()
    file: str = ""

    def asked(self, memory: int) -> Asked:
        """What a folder keeps of it."""
        return Asked(
            source=self.source,
            file=self.file,
            words=list(self.words),
            every=self.every,
            gradients=self.gradients,
            rank_by=self.rank_by,
            memory=memory,
            starts=self.starts,
        )


def _raised(error: UserError) -> None:
    raise error


def sweep(
    spec: Sweep,
    request: Request = Request(),
    tables: Tables | None = None,
    *,
    watch: Watch | None = None,
    tell: Callable[[str], None] = lambda note: None,
    ready: Callable[[Sequence[str]], None] | None = None,
    lost: Callable[[UserError], None] = _raised,
) -> SweepResult:
    """Train every point of a sweep.

    tables  what opens the data
    watch   asked now and then with (trials done, least loss) whether to go on
    tell    takes notes for the user: what was kept, what has changed since
    ready   told the parameters' names before the first epoch; may raise
    lost    told once why trials can't be kept, where that comes up on the way: it may raise, or have all trained anyway

    Raises UserError where an experiment and its data do not fit, before anything trains; a trial that goes wrong is a
    verdict.
    """
    began = time.perf_counter()
    tables = tables or Tables()
    memory = request.memory or usual_memory()
    groups = [_Ready.of(group, tables, spec, request, memory) for group in spec.groups]
    if ready is not None:
        ready(list(dict.fromkeys(name for group in groups for name in group.data.names.parameters)))
    shown = [(group.experiment, group.also) for group in groups]
    with Kept.of(spec, shown, request.out, tables.frame, request.asked(memory), lost) as kept:
        for note in kept.notes:
            tell(note)
        run = _Run(spec, request, groups, tables, kept, memory, watch)
        run.carry_out()
        result = run.result()
        result.timing = {"load_s": run.load_s, "train_s": time.perf_counter() - began - run.load_s}
        if not result.interrupted:
            kept.finish(pieces(replace(result, timing={}, top=None), "json"))
    return result


@dataclass(frozen=True)
class _Ready:
    """A group that can be trained: its data opened, and all checked that can be before.

    rows  those to predict
    few   how many epochs of each trial are recorded, about
    also  what its documents show besides
    """

    group: Group
    experiment: Experiment
    data: Data
    rows: PredictedRows
    few: int
    also: Mapping[str, Any]

    @classmethod
    def of(cls, group: Group, tables: Tables, spec: Sweep, request: Request, memory: int) -> _Ready:
        """Raises UserError where the group cannot be trained."""
        data = tables.of(group.trials.experiment)
        if data.grouping is not None:
            raise several_problems(group.trials.experiment)
        names = data.names.parameters
        experiment = group.trials.experiment.with_starts(names)
        zero_like(experiment)
        refuse_exact(experiment, engine_obstacle(experiment, obstacle(experiment, data.names)))
        few = recorded_epochs(len(spec.points), len(names), memory, request.record)
        also = {"every": request.every, "gradients": request.gradients, "recorded": few}
        return cls(group, experiment, data, tables.rows(experiment, data), few, also)


class _Run:
    """A sweep on its way: trials by point as they end."""

    def __init__(
        self,
        spec: Sweep,
        request: Request,
        groups: Sequence[_Ready],
        tables: Tables,
        kept: Kept,
        memory: int,
        watch: Watch | None,
    ) -> None:
        self._spec, self._request, self._groups, self._kept = spec, request, groups, kept
        self._tables = tables
        self._memory, self._watch = memory, watch
        self._trials: dict[int, Trial] = {}
        self._statement, self._scale = "", 0.0
        self._done, self._trained, self._stopped = 0, 0, False
        self.load_s = 0.0

    def carry_out(self) -> None:
        """Train group after group, until all are done or the watch says no."""
        for i, ready in enumerate(self._groups):
            if self._stopped:
                break
            began = time.perf_counter()
            problem = self._tables.problem(ready.experiment, ready.data)
            self.load_s += time.perf_counter() - began
            self._statement = self._statement or statement(ready.experiment, problem)
            self._scale = max(self._scale, problem.loss_scale)
            found = Walkers.of(ready.group.trials)
            walkers = Trials(
                decided(ready.experiment, problem, found.trials.numbers), found.trials.numbers, found.trials.count
            )
            for batch in cut(problem, walkers, found.reads[-1], self._memory):
                left = [w for w in batch if not self._take_kept(i, found.points[w])]
                if left and not self._stopped:
                    made = self._descended(walkers.take(left), ready, problem, found.reads)
                    self._take(i, made, [(s, point) for s, w in enumerate(left) for point in found.points[w]])
                self._done += len(batch)

    def _descended(self, trials: Trials, ready: _Ready, problem: Problem, reads: Sequence[int]) -> Batch:
        """A batch of a group, trained."""
        request = self._request
        with threads(useful_threads(problem)):
            planned = partial(make_plan, trials, every=request.every, reads=reads, brief=ready.few)
            watch = self._asked(trials.count, reads[-1])
            return trained(trials, ready.data, problem, ready.rows, planned, watch=watch, gradients=request.gradients)

    def _asked(self, trials: int, epochs: int) -> Watch | None:
        """A watch over a batch that tells how many trials are done, as if they ended one by one."""
        watch = self._watch
        if watch is None:
            return None

        def ask(epoch: int, loss: float) -> bool:
            on = watch(self._done + trials * epoch // max(1, epochs), loss)
            self._stopped = self._stopped or not on
            return on

        return ask

    def _take_kept(self, group: int, points: Sequence[int]) -> bool:
        """Take points of a group from the folder, where all of them are there."""
        if not all(self._kept.has(group, point) for point in points):
            return False
        for point in points:
            index = self._spec.groups[group].indices[point]
            read = partial(self._kept.document, group, point)
            self._trials[index] = kept_trial(self._spec.settings(index), read(), read)
        return True

    def _take(self, group: int, batch: Batch, ended: Sequence[tuple[int, int]]) -> None:
        """Note what the trials (number in the batch, point of the group) came to, and keep them."""
        reads = Walkers.epochs_of(self._spec.groups[group].trials)
        made = []
        for s, point in ended:
            index = self._spec.groups[group].indices[point]
            trial = trial_of(self._spec.settings(index), Outcome(batch, s, reads[point]))
            self._trials[index] = trial
            made.append((point, trial))
        self._trained += len(made)
        # A batch is kept whole: the trials that a resumed sweep puts side by side are the same again.
        if not any(trial.status == "interrupted" for _, trial in made):
            self._kept.add(group, [(point, trial.document) for point, trial in made])

    def _warnings(self) -> list[str]:
        """What reading the data has met."""
        return list(dict.fromkeys(warning for ready in self._groups for warning in ready.data.warnings))

    def result(self) -> SweepResult:
        spec, request = self._spec, self._request
        trials = [self._trials[i] for i in sorted(self._trials)]
        rank_by = request.rank_by or (HELD_OUT if any(trial.held_out is not None for trial in trials) else "loss")
        result = SweepResult(
            name=spec.experiment.name,
            kind=spec.experiment.kind,
            statement=self._statement,
            source=request.source,
            axes=spec.axes,
            trials=trials,
            seed=spec.experiment.train.seed,
            versions=versions(),
            rank_by=rank_by,
            floor=_ROUNDING * (self._scale or _least_first(trials)),
            warnings=[*self._warnings(), *_incomparable(self._groups, rank_by)],
            top=request.top,
            starts=request.starts,
            trained=self._trained if self._kept else None,
            interrupted=len(trials) < len(spec.points) or any(trial.status == "interrupted" for trial in trials),
            planned=len(spec.points),
        )
        if trials and result.best is not None:
            result.rerun = request.rerun(trials[result.best].set)
        return result


def _incomparable(groups: Sequence[_Ready], rank_by: str) -> list[str]:
    """A sentence where trials are ranked by the numbers of different losses."""
    losses = dict.fromkeys(ready.experiment.loss.model_dump_json() for ready in groups if ready.experiment.loss)
    if len(losses) < 2 or rank_by not in LOSSES:
        return []
    return ["the trials have different losses, whose numbers do not compare: rank by something else, --rank-by NAME"]


def _least_first(trials: Sequence[Trial]) -> float:
    """The least size of a loss at the start: what rounding is held against where there are no data."""
    return min((abs(trial.first) for trial in trials if math.isfinite(trial.first)), default=0.0)
