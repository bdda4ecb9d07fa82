"""Many starts of one problem in one batch: which roots, which minima there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gdtrain.errors import UserError
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.starts import many_starts
from gdtrain.results import SweepResult
from gdtrain.sweeps.sweeping import Request, sweep
from gdtrain.tables import Tables


def train_starts(
    experiment: Experiment,
    count: int,
    request: Request | None = None,
    tables: Tables | None = None,
    **more: Any,
) -> SweepResult:
    """Train an experiment from `count` starts, its own and random ones: see `many_starts`. `more` as for `sweep`.

    Raises UserError, besides, where each of several folds is held out in turn.
    """
    split = experiment.data.split if experiment.data else None
    if split is not None and split.crossed:
        what = "many starts are of one problem, and each fold is one of its own"
        remedy = "hold out one, --set data.split.fold=1, or a share, --holdout 0.2; or leave the starts out"
        raise UserError(what, where="data.split", remedy=remedy)
    tables = tables or Tables()
    names = tables.of(experiment).names.parameters
    spec = many_starts(experiment.with_starts(names), names, count)
    request = replace(request or Request(), starts=count)
    return sweep(spec, request, tables, **more)
