"""The tables that several experiments read, each opened once, and the problem that they posed last."""

from __future__ import annotations

import io
import json
from typing import BinaryIO

from gdtrain.data.opening import experiment_source, opened, rows_to_predict
from gdtrain.data.predictions import PredictedRows
from gdtrain.data.rows import Data
from gdtrain.experiment.schema import STDIN, Experiment
from gdtrain.experiment.split import Split
from gdtrain.problem.build import build_problem
from gdtrain.problem.problem import Problem
from gdtrain.sources import Source
from gdtrain.threads import threads


class Tables:
    """Opens data for experiments.

    frame  a data frame or a dict of arrays in place of their data
    stdin  where data at path `-` comes from; read once, however many experiments want it
    """

    def __init__(self, frame: object | None = None, stdin: BinaryIO | None = None) -> None:
        self.frame, self._stdin = frame, stdin
        self._read: bytes | None = None
        self._sources: dict[str, Source | None] = {}
        self._data: dict[str, list[tuple[Data, Split | None]]] = {}
        self._rows: dict[tuple[str, int], PredictedRows] = {}
        self._posed: tuple[tuple[str, int], Problem] | None = None

    def of(self, experiment: Experiment) -> Data:
        """An experiment's data; that of another where they name the same. Raises UserError as `open_data`."""
        key = experiment.data.model_dump_json(exclude={"split"}) if experiment.data else ""
        split = experiment.data.split if experiment.data else None
        if key not in self._sources:
            stdin = self._input(experiment.data is not None and experiment.data.path == STDIN)
            self._sources[key] = experiment_source(experiment, frame=self.frame, stdin=stdin)
        data = opened(experiment, self._sources[key])
        before = self._data.setdefault(key, [])
        for other, others in before:
            if other.names == data.names and others == split:
                return other
        before.append((data, split))
        return data

    def rows(self, experiment: Experiment, data: Data) -> PredictedRows:
        """The rows that an experiment wants predicted. Raises UserError as `rows_to_predict`."""
        if experiment.predict is None:
            return rows_to_predict(experiment, data)
        key = experiment.predict.model_dump_json(), id(data)
        if key not in self._rows:
            self._rows[key] = rows_to_predict(experiment, data, self._input(experiment.predict.path == STDIN))
        return self._rows[key]

    def problem(self, experiment: Experiment, data: Data) -> Problem:
        """The problem that an experiment, starts and all, poses: the last one's where it is the same."""
        key = _what_is_posed(experiment, data), id(data)
        if self._posed is None or self._posed[0] != key:
            with threads(1):
                self._posed = key, build_problem(experiment, data)
        return self._posed[1]

    def _input(self, wanted: bool) -> BinaryIO | None:
        """Standard input from its beginning, where it is wanted."""
        if not wanted or self._stdin is None:
            return self._stdin
        if self._read is None:
            self._read = self._stdin.read()
        return io.BytesIO(self._read)


def _what_is_posed(experiment: Experiment, data: Data) -> str:
    """The same for experiments that pose the same problem."""
    plain = experiment.model_dump(exclude={"name", "stop", "predict", "sweep", "train", "penalty", "uncertainty"})
    for param in plain["params"].values():
        if not param["fixed"]:
            param["start"] = None
    train = experiment.train
    batched = train.batch_size is not None
    return json.dumps([plain, train.dtype, train.device, train.engine, train.epochs, batched, data.names.columns])
