"""Opens what an experiment reads: its table, with names settled, and the rows that it predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO

from gdtrain.data.classes import Classes, classes_of, require_labels
from gdtrain.data.fresh import FILLED
from gdtrain.data.predictions import PredictedRows
from gdtrain.data.rows import Data
from gdtrain.data.texts import dropping, levels_of, of_whole_rows, refuse_texts, refuse_unusable, with_split
from gdtrain.design.grouping import Grouping
from gdtrain.design.labels import Assignment, assign
from gdtrain.errors import DATA, UserError
from gdtrain.experiment.data import Data as DataSpec
from gdtrain.experiment.features import targets_of
from gdtrain.experiment.names import Names, has_classes, settle
from gdtrain.experiment.schema import STDIN, Experiment
from gdtrain.sources import Reading, Source, open_source


def open_data(experiment: Experiment, *, frame: object | None = None, stdin: BinaryIO | None = None) -> Data:
    """The experiment's data with its names settled; of its rows, only texts have been read, for their levels.

    Raises UserError: names that do not fit (exit 2), data that cannot be opened (exit 3).
    """
    return opened(experiment, experiment_source(experiment, frame=frame, stdin=stdin))


def opened(experiment: Experiment, source: Source | None) -> Data:
    """The experiment's data from a source that has been opened. Raises UserError as `open_data`."""
    if source is None:
        return Data(settle(experiment, []), None, experiment)
    try:
        levels = levels_of(experiment, source)
        names = settle(experiment, source.names, levels)
        refuse_unusable(experiment, source)
        refuse_texts(experiment, source, names)
        if (kept := of_whole_rows(experiment, source, levels, names.columns)) != levels:
            levels, names = kept, settle(experiment, source.names, kept)
        for target in set(targets_of(experiment)) & set(levels):
            require_labels(experiment.loss.name if experiment.loss else "", levels[target], target, source.where)
        classes = None
        if has_classes(experiment):
            classes = _classes(experiment, source, names)
            names = settle(experiment, source.names, levels, classes.names)
        by = experiment.data.group_by if experiment.data else None
        grouping = Grouping.of(by, source, levels) if by else None
        return Data(names, source, experiment, classes, _split(experiment, source, levels), grouping)
    except UserError as error:
        if remedy := source.remedy_for_header():
            raise UserError(error.what, where=source.where, remedy=remedy, code=DATA) from None
        raise


def _classes(experiment: Experiment, source: Source, names: Names) -> Classes:
    """The classes of the target of `softmax`: its texts, else its numbers. Raises UserError as `classes_of`."""
    (target,) = targets_of(experiment)
    if target in names.levels:
        return Classes.of_texts(names.levels[target])
    missing = experiment.data.missing if experiment.data else "error"
    if missing != "drop":
        return classes_of(source, target, [target], Reading(advice={target: FILLED} if missing == "mean" else {}))
    return classes_of(source, target, names.columns, with_split(experiment, source, dropping(experiment, names)))


def _split(experiment: Experiment, source: Source, levels: Mapping[str, Sequence[str]]) -> Assignment | None:
    """How rows are told apart, where some are held out. Raises UserError as `assign`."""
    spec = experiment.data
    if spec is None or spec.split is None:
        return None
    gaps = [spec.split.column] if spec.split.column and spec.missing == "drop" else ()
    advice = {spec.split.column: FILLED} if spec.split.column and spec.missing == "mean" else {}
    split = assign(spec.split, source, levels, Reading(gaps=gaps, advice=advice))
    if spec.split.fold is not None and spec.split.fold > split.folds:
        what = f"there are {split.folds} folds, and no {spec.split.fold}"
        raise experiment.tree.find("data", "split", "fold").error(what, "count from 1")
    return split


def experiment_source(
    experiment: Experiment, *, frame: object | None = None, stdin: BinaryIO | None = None
) -> Source | None:
    """The experiment's data, opened; None where it has none. A `frame` stands in for it."""
    spec = experiment.data
    if frame is not None:
        return open_source(frame=frame, where="data", nulls=(spec.null_values if spec else None) or ())
    if spec is None or (spec.path is None and spec.columns is None):
        return None
    return _open(experiment, spec, spec.path, spec.columns, stdin)


def rows_to_predict(experiment: Experiment, data: Data, stdin: BinaryIO | None = None) -> PredictedRows:
    """The rows that the experiment wants predicted. Raises UserError (exit 3) for a file that is wrong."""
    wanted = experiment.predict
    if wanted is None:
        return PredictedRows({}, 0, {})
    if wanted.data:
        return data.own_rows()
    if wanted.path is not None:
        return data.fresh.rows(_open(experiment, experiment.data or DataSpec(), wanted.path, None, stdin))
    return data.points(wanted.points or [])


def _where(experiment: Experiment, path: str | None) -> str:
    """What messages call the data."""
    if path is None:
        return "data.columns"
    return "stdin" if path == STDIN else experiment.named(path)


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
        nulls=spec.null_values or (),
        stdin=stdin,
        where=_where(experiment, path),
    )
