"""Rows predicted in one call, from Python."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from gdtrain.prediction.rows import Asked, Predictor, level_of
from gdtrain.results import GroupsResult, Result, Trial
from gdtrain.results.saved import doubts, one_result, read_result
from gdtrain.sources import open_source
from gdtrain.threads import threads


def predict(
    result: Result | GroupsResult | Trial | Mapping[str, Any] | str | Path,
    rows: object,
    *,
    keep: str | Sequence[str] = (),
    interval: float | None = None,
    residuals: bool = False,
) -> pl.DataFrame:
    """Predict rows by what was trained: `gdtrain.predict(result, {"x": [5, 6]})["prediction"]`.

    result     of `run`, `fit` or `regress`, or a trial; of `groups`, each row by the fit of its group;
               its document; or the path of one, or of the folder of a run
    rows       a polars or pandas DataFrame, a dict of arrays (N,), a list of dicts, or a path
    keep       columns of them to have beside the predictions, as they stand; "*" is all
    interval   share of intervals that hold the truth: 0.95 adds their ends
    residuals  adds prediction minus target, which the rows then have to have

    Returns a frame of N rows, with the columns that the verb `predict` writes; what that warns of is a UserWarning.
    Raises gdtrain.errors.UserError where the result does not say how to predict, or rows are wrong.
    """
    level = None if interval is None else level_of(interval, "interval")
    if isinstance(result, str | Path):
        where = str(result)
        document = read_result(where, "", groups=True)
    else:
        where = "the result"
        document = one_result(result if isinstance(result, Mapping) else result.to_dict(), where, groups=True)
    with threads(1):
        predictor = Predictor(document, where, Asked([keep] if isinstance(keep, str) else keep, level, residuals))
        if isinstance(rows, str | Path):
            source = predictor.open(str(rows))
        else:
            source = open_source(frame=_columns(rows), where="the rows", nulls=predictor.nulls)
        found = pl.concat(predictor.frames(source), how="vertical_relaxed")
    for sentence in (*doubts(document, where), *source.warnings, *predictor.warnings):
        warnings.warn(sentence, stacklevel=2)
    return found


def _columns(rows: object) -> object:
    """Rows that are dicts as columns, with a gap where one has no such key; others as they are."""
    if not (isinstance(rows, Sequence) and all(isinstance(row, Mapping) for row in rows)):
        return rows
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
