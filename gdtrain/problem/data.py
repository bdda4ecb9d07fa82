"""The rows that an experiment needs: its data, block by block or whole, and what it predicts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

import numpy as np

from gdtrain.errors import DATA, UserError
from gdtrain.experiment.names import Names, has_classes, settle
from gdtrain.experiment.schema import STDIN, Experiment
from gdtrain.experiment.schema import Data as DataSpec
from gdtrain.problem.classes import Classes, classes_of
from gdtrain.sources import Source, open_source

Columns = dict[str, np.ndarray]  # float64 (N,) each


class Data:
    """The columns that an experiment names, and which names are parameters. Rows are read when they are asked for.

    classes  of the target of `softmax`, in order; else none
    rows     how many there are; known once `blocks` has come to its end or `columns` was read
    """

    def __init__(self, names: Names, source: Source | None, classes: Classes | None = None) -> None:
        self.names, self._source, self.classes = names, source, classes
        self.rows = 0
        self._notes: list[str] = []

    @property
    def where(self) -> str:
        """What messages call it."""
        return self._source.where if self._source else "data"

    @property
    def warnings(self) -> list[str]:
        """What reading has met so far that its user should know."""
        return [*(self._source.warnings if self._source else ()), *self._notes]

    def warn(self, sentence: str) -> None:
        """Add to the warnings, once."""
        if sentence not in self._notes:
            self._notes.append(sentence)

    def blocks(self) -> Iterator[Columns]:
        """The columns in blocks of rows. Raises UserError (exit 3) where the data is wrong."""
        if self._source is None:
            return
        rows = 0
        for block in self._source.blocks(self.names.columns):
            rows += len(next(iter(block.values())))
            yield block
        self.rows = rows

    @cached_property
    def columns(self) -> Columns:
        """The columns, whole, to be left as they are. Raises UserError (exit 3) where the data is wrong."""
        if self._source is None or not self.names.columns:
            return {}
        columns = self._source.read(self.names.columns, copy=False)
        self.rows = len(next(iter(columns.values())))
        return columns


def open_data(experiment: Experiment, *, frame: object | None = None, stdin: BinaryIO | None = None) -> Data:
    """The experiment's data with its names settled; no row has been read.

    Raises UserError: names that do not fit (exit 2), data that cannot be opened (exit 3).
    """
    return opened(experiment, experiment_source(experiment, frame=frame, stdin=stdin))


def opened(experiment: Experiment, source: Source | None) -> Data:
    """The experiment's data from a source that has been opened. Raises UserError as `open_data`."""
    if source is None:
        return Data(settle(experiment, []), None)
    try:
        columns = available(experiment, source)
        names = settle(experiment, columns)
        if not has_classes(experiment):
            return Data(names, source)
        classes = classes_of(source, names.columns[-1])
        return Data(settle(experiment, columns, classes.names), source, classes)
    except UserError as error:
        if remedy := source.remedy_for_header():
            raise UserError(error.what, where=source.where, remedy=remedy, code=DATA) from None
        raise


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
    """Rows to predict: columns (N,) that hold their inputs, how many they are, and whether they are the data's own,
    with the target among the columns.
    """

    columns: Columns
    count: int
    own: bool = False


def rows_to_predict(experiment: Experiment, data: Data, stdin: BinaryIO | None = None) -> PredictedRows:
    """The rows that the experiment wants predicted. Raises UserError (exit 3) for a file that is wrong."""
    wanted, inputs = experiment.predict, data.names.inputs
    if wanted is None:
        return PredictedRows({}, 0)
    if wanted.data:
        columns = data.columns
        return PredictedRows(columns, data.rows, own=True)
    if wanted.path is not None:
        spec = experiment.data or DataSpec()
        source = _open(experiment, spec, wanted.path, None, stdin)
        columns = source.read(inputs or source.names[:1])
        return PredictedRows(columns, len(next(iter(columns.values()))))
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
