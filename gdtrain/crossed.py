"""The descent of a batch of trials; where folds are held out in turn, one of each fold before that of all rows.

Shapes: S trials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gdtrain.batch import Batch
from gdtrain.engines.loop import Descent, Watch
from gdtrain.experiment.trials import Trials
from gdtrain.outcome import Outcome
from gdtrain.plan import Plan
from gdtrain.problem.data import Data
from gdtrain.problem.held import held_metrics, held_size
from gdtrain.problem.predictions import PredictedRows
from gdtrain.problem.problem import Problem
from gdtrain.results import FoldEnd

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
) -> Batch:
    """Trials, trained on a problem, and first without each of its folds.

    rows     those to predict
    planned  problem -> how it is descended
    watch    asked now and then with (epoch, loss) whether to go on, as if the folds were part of each epoch
    """
    parts = len(problem.folds) + 1

    def descend(part: int, posed: Problem) -> tuple[Plan, Descent]:
        plan = planned(posed)
        if watch is None or parts == 1:
            return plan, plan.run(watch)
        return plan, plan.run(lambda epoch, loss: watch((part * plan.epochs + epoch) // parts, loss))

    def without(part: int, posed: Problem) -> Ends:
        return _ends(Batch(trials, data, *descend(part, posed), _NOTHING), part + 1)

    folds = [without(part, pose()) for part, pose in enumerate(problem.folds)]
    return Batch(trials, data, *descend(parts - 1, problem), rows, gradients=gradients, folds=folds)


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
