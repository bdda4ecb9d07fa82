"""The descent of a batch of trials; where folds are held out in turn, one of each fold before that of all rows.

Shapes: S trials.
"""

from __future__ import annotations

from collections.abc import Callable

from gdtrain.engines.loop import Watch
from gdtrain.experiment.trials import Trials
from gdtrain.outcome import Batch
from gdtrain.plan import Plan
from gdtrain.problem.data import Data
from gdtrain.problem.predictions import PredictedRows
from gdtrain.problem.problem import Problem
from gdtrain.results import FoldEnd

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

    def of_part(part: int, epochs: int) -> Watch | None:
        return watch if watch is None or parts == 1 else lambda e, loss: watch((part * epochs + e) // parts, loss)

    folds = []
    for part, pose in enumerate(problem.folds):
        without = pose()
        plan = planned(without)
        folds.append(_ends(Batch(trials, data, plan, plan.run(of_part(part, plan.epochs)), _NOTHING), part + 1))
    plan = planned(problem)
    descent = plan.run(of_part(parts - 1, plan.epochs))
    return Batch(trials, data, plan, descent, rows, gradients=gradients, folds=folds)


def _ends(batch: Batch, fold: int) -> dict[tuple[int, int], FoldEnd]:
    """What each trial came to, by its number and last epoch: numbers alone, so that the fold's rows can be let go."""
    return {
        (s, epochs): batch.outcome(s, epochs).fold_end(fold)
        for epochs, ends in batch.reads.items()
        for s in range(len(ends))
    }
