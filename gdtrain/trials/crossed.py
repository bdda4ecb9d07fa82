"""The descent of a batch of trials; where folds are held out in turn, one of each fold before that of all rows.

Shapes: S trials.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

from gdtrain.data.predictions import PredictedRows
from gdtrain.data.rows import Data
from gdtrain.engines.loop import Descent, Watch
from gdtrain.engines.progress import Bookmark, Progress
from gdtrain.experiment.trials import Trials
from gdtrain.planning.plan import Plan
from gdtrain.problem.held import held_metrics, held_size
from gdtrain.problem.problem import Problem
from gdtrain.results import FoldEnd
from gdtrain.trials.batch import Batch
from gdtrain.trials.joined import cut, join, joins
from gdtrain.trials.outcome import Outcome

Ends = Mapping[tuple[int, int], FoldEnd]  # by a trial's number and last epoch

_NOTHING = PredictedRows({}, 0, {})


def trained(
    trials: Trials,
    data: Data,
    problem: Problem,
    rows: PredictedRows,
    planned: Callable[[Problem], Plan],
    *,
    watch: Watch | None = None,
    gradients: bool = False,
    progress: Progress | None = None,
) -> Batch:
    """Trials, trained on a problem, and first without each of its folds.

    rows     those to predict
    planned  problem -> how it is descended
    watch    asked now and then with (epoch, loss) whether to go on, as if the folds were part of each epoch
    progress where the walks are taken up, and told where they stand
    """
    walks = _walks(problem, planned, watch, progress)
    folds = [_ends(Batch(trials, data, *next(walks), _NOTHING), fold) for fold, _ in enumerate(problem.folds, 1)]
    return Batch(trials, data, *next(walks), rows, gradients=gradients, folds=folds)


def _walks(
    problem: Problem, planned: Callable[[Problem], Plan], watch: Watch | None, progress: Progress | None
) -> Iterator[tuple[Plan, Descent]]:
    """The descent without each fold, then that of all rows: as one where that is cheaper, else fold after fold, so that
    the rows of one alone are held.
    """

    def bookmark(part: int) -> Bookmark | None:
        return None if progress is None else progress.walk(part)

    def walked(part: int, plan: Plan) -> tuple[Plan, Descent]:
        if watch is None:
            return plan, plan.run(None, bookmark(part))
        return plan, plan.run(lambda epoch, loss: watch((part * plan.epochs + epoch) // parts, loss), bookmark(part))

    whole, parts = planned(problem), len(problem.folds) + 1
    plans: Iterable[Plan] = chain((planned(pose()) for pose in problem.folds), [whole])
    if parts > 1 and joins(whole, parts):
        plans = list(plans)
        if joint := join(plans):
            yield from zip(plans, cut(joint.run(watch, bookmark(0)), parts), strict=True)
            return
    yield from map(walked, range(parts), plans)


def _ends(batch: Batch, fold: int) -> Ends:
    """What each trial came to: numbers alone, so that the fold's rows can be let go."""
    return {
        (s, epochs): _end(Outcome(batch, s, epochs), fold)
        for epochs, ends in batch.reads.items()
        for s in range(len(ends))
    }


def _end(outcome: Outcome, fold: int) -> FoldEnd:
    batch, problem, kept = outcome.batch, outcome.batch.plan.problem, outcome.kept
    assert problem.held is not None and batch.data.split is not None
    names = batch.data.split.names
    return FoldEnd(
        fold=fold,
        rows=problem.rows,
        held_out=problem.held.rows,
        size=held_size(problem),
        status=outcome.status,
        epochs=outcome.end.epoch,
        loss={"initial": outcome.end.first_loss, "final": kept.loss, **outcome.held_losses()},
        metrics=held_metrics(problem, kept.theta_P),
        params=dict(zip(problem.parameters.names, outcome.values_Q.tolist(), strict=True)),
        value=names[fold - 1] if names else None,
        restored=None if kept is outcome.end else kept.epoch,
    )
