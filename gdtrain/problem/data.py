"""The rows that an experiment needs, read once: its data, and what it predicts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from gdtrain.errors import DATA, UserError
from gdtrain.experiment.names import Names, settle
from gdtrain.experiment.schema import STDIN, Experiment
from gdtrain.experiment.schema import Data as DataSpec
from gdtrain.sources import Source, open_source

Columns = dict[str, np.ndarray]  # float64 (N,) each


@dataclass(frozen=True)
class Data:
    """The columns that the experiment names, float64 (N,) each, and which names are parameters."""

    columns: Columns
    names: Names
    rows: int
    warnings: list[str] = field(default_factory=list)


def load_data(experiment: Experiment, *, frame: object | None = None, stdin: BinaryIO | None = None) -> Data:
    """Settle the experiment's names against its data and read the columns that it names.

    Raises UserError: names that do not fit (exit 2), data that is wrong (exit 3).
    """
    source = experiment_source(experiment, frame=frame, stdin=stdin)
    if source is None:
        return Data({}, settle(experiment, []), 0)
    try:
        names = settle(experiment, available(experiment, source))
    except UserError as error:
        if remedy := source.remedy_for_header():
            raise UserError(error.what, where=source.where, remedy=remedy, code=DATA) from None
        raise
    columns = source.read(names.columns)
    rows = len(next(iter(columns.values()), ()))
    return Data(columns, names, rows, list(source.warnings))


def experiment_source(
    experiment: Experiment, *, frame: object | None = None, stdin: BinaryIO | None = None
) -> Source | None:
    """The experiment's data, opened; None where it has none. A `frame` stands in for it."""
    spec = experiment.data
    if frame is not None:
        return open_source(frame=frame, where="data")
    if spec is None or (spec.path is None and spec.columns is None):
        return None
    return _open(experiment, spec, spec.path, spec.columns, stdin)


def available(experiment: Experiment, source: Source) -> list[str]:
    """Columns that the experiment may name; for features "*" those that are numbers, and the target."""
    if experiment.regress and experiment.regress.features == ["*"]:
        wanted = experiment.regress.target
        return [c.name for c in source.columns if c.kind == "number" or c.name in wanted]
    return [c.name for c in source.columns]


@dataclass(frozen=True)
class PredictedRows:
    """Rows to predict: their inputs (N,), how many they are, and whether they are the data's own, with targets."""

    inputs: Columns
    count: int
    own: bool = False


def rows_to_predict(
    experiment: Experiment, data: Data, inputs: Sequence[str], stdin: BinaryIO | None = None
) -> PredictedRows:
    """The rows that the experiment wants predicted. Raises UserError (exit 3) for a file that is wrong."""
    wanted = experiment.predict
    if wanted is None:
        return PredictedRows({}, 0)
    if wanted.data:
        return PredictedRows({name: data.columns[name] for name in inputs}, data.rows, own=True)
    if wanted.path is not None:
        spec = experiment.data or DataSpec()
        source = _open(experiment, spec, wanted.path, None, stdin)
        columns = source.read(list(inputs) or source.names[:1])
        return PredictedRows({name: columns[name] for name in inputs}, len(next(iter(columns.values()))))
    points = wanted.points or []
    return PredictedRows({name: np.array([point[name] for point in points]) for name in inputs}, len(points))


def _where(experiment: Experiment, path: str | None) -> str:
    """What messages call the data."""
    if path is None:
        return "data.columns"
    return "stdin" if path == STDIN else os.path.normpath(experiment.locate(path))


def _open(
    experiment: Experiment,
    spec: DataSpec,
    path: str | None,
    columns: Mapping[str, Sequence[float]] | None,
    stdin: BinaryIO | None,
) -> Source:
    return open_source(
        path=None if path is None else experiment.locate(path),
        columns=columns,
        delimiter=spec.delimiter,
        header=spec.header,
        comment=spec.comment,
        stdin=stdin,
        where=_where(experiment, path),
    )
