"""A fit for each group, top to bottom: read the rows, decide for all groups alike, fit, tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gdtrain.bygroup.alone import Alone
from gdtrain.bygroup.documents import Documents
from gdtrain.bygroup.kept import kept_group, state_of
from gdtrain.bygroup.together import Together, goes_together, solved
from gdtrain.data.groups import Groups
from gdtrain.engines.loop import Watch
from gdtrain.engines.progress import Progress
from gdtrain.experiment.schema import Experiment
from gdtrain.planning.automatic import decided
from gdtrain.problem.build import build_problem
from gdtrain.results.groups import GroupsResult, GroupTrial
from gdtrain.tables import Tables
from gdtrain.threads import threads
from gdtrain.trials.batches import recorded_epochs, usual_memory
from gdtrain.trials.outcome import statement, versions

_KEPT = 1000  # groups whose fits are kept for their documents; of more, each is fitted once more when asked for


def fit_groups(
    experiment: Experiment,
    tables: Tables | None = None,
    *,
    source: str = "",
    every: int | None = None,
    gradients: bool = False,
    top: int | None = None,
    watch: Watch | None = None,
    ready: Callable[[Sequence[str]], None] | None = None,
    progress: Progress | None = None,
) -> GroupsResult:
    """Fit an experiment to each group of rows that `data.group_by` tells apart, as each would be fitted alone.

    tables  what opens the data
    every, gradients  of each group's history, as for a run; `top`: show so many groups
    watch   asked now and then with (groups done, loss) whether to go on
    ready   told the parameters' names before the first fit; may raise
    progress  knows the groups that were fitted before, and is told of each that is fitted; not of those that are solved
              at once, which takes no time

    Raises UserError where experiment and data do not fit; a group that goes wrong is a verdict.
    """
    began = time.perf_counter()
    data = (tables or Tables()).of(experiment)
    names = data.names.parameters
    experiment = experiment.with_starts(names)
    if ready is not None:
        ready(names)
    groups = Groups(data)
    loaded = time.perf_counter()
    with threads(1):
        problem = build_problem(experiment, groups.of(0))
        experiment = decided(experiment, problem, alike=True)
        few = recorded_epochs(min(len(groups), _KEPT), len(names), usual_memory())
        run = _Run(Alone(experiment, groups, every, gradients, few), watch, progress)
        run.carry_out()
    return GroupsResult(
        name=experiment.name,
        kind=experiment.kind,
        statement=statement(experiment, problem),
        source=source,
        axes=[groups.column],
        trials=run.trials,
        seed=experiment.train.seed,
        versions=versions(),
        timing={"load_s": loaded - began, "train_s": time.perf_counter() - loaded},
        warnings=data.warnings,
        top=top,
        interrupted=run.stopped,
        planned=len(groups),
        estimated=[name for name in names if not experiment.param(name).fixed] if problem.targets else [],
    )


class _Run:
    """Groups on their way: fits by group as they end."""

    def __init__(self, alone: Alone, watch: Watch | None, progress: Progress | None) -> None:
        self._alone, self._groups, self._watch, self._progress = alone, alone.groups, watch, progress
        self._found: dict[int, GroupTrial] = {}
        self.stopped = False

    @property
    def trials(self) -> list[GroupTrial]:
        """In the order of the groups."""
        return [self._found[g] for g in sorted(self._found)]

    def carry_out(self) -> None:
        """Fit all groups, until the watch says no."""
        groups, experiment = self._groups, self._alone.experiment
        left: Sequence[int] = range(len(groups))
        if goes_together(experiment, groups.whole):
            found = solved(experiment, groups)
            self._take(found)
            left = [g for g in left if not found.clear_G[g]]
        before = {} if self._progress is None else self._progress.walks
        known = {g: before[g] for g in left if g in before}
        self._found |= {g: kept_group(self._set(g), state) for g, state in known.items()}
        keep = len(left) <= _KEPT or self._progress is not None
        for g, outcome in self._alone.outcomes(left, self._asked(), known):
            if outcome.status == "interrupted":
                self.stopped = True
                break
            trial = self._alone.trial(self._set(g), g, outcome, keep=keep)
            self._found[g] = trial if self._progress is None else self._kept(self._progress, g, trial)

    def _kept(self, progress: Progress, g: int, trial: GroupTrial) -> GroupTrial:
        """The same from its document, which is kept."""
        progress.told(g, lambda: state_of(trial.document()), over=True)
        return kept_group(trial.set, progress.walks[g])

    def _take(self, found: Together) -> None:
        """The groups that were solved at once: one epoch of `lm` each."""
        names, values = self._groups.whole.names.parameters, found.value_GQ.tolist()
        documents = Documents(self._alone, found)
        for g, (clear, size) in enumerate(zip(found.clear_G, self._groups.sizes, strict=True)):
            if clear:
                self._found[g] = GroupTrial(
                    self._set(g),
                    "converged",
                    1,
                    found.loss_G[g],
                    found.first_G[g],
                    dict(zip(names, values[g], strict=True)),
                    partial(documents.of, g),
                    rows=size,
                    estimates=self._estimates(found, g),
                )

    def _estimates(self, found: Together, g: int) -> Callable[[], Any]:
        uncertainty = self._alone.experiment.uncertainty
        if uncertainty.robust or uncertainty.bootstrap:
            return partial(self._alone.estimates, g)
        return partial(found.estimates, g)

    def _set(self, g: int) -> dict[str, Any]:
        return {self._groups.column: self._groups.values[g]}

    def _asked(self) -> Watch | None:
        """A watch over groups: told how many are done."""
        watch = self._watch
        return None if watch is None else lambda epoch, loss: watch(len(self._found), loss)
