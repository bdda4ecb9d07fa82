"""The data of several experiments, each table opened once."""

from __future__ import annotations

from typing import BinaryIO

from gdtrain.experiment.schema import Experiment
from gdtrain.problem.data import Data, experiment_source, opened
from gdtrain.sources import Source


class Tables:
    """Opens data for experiments.

    frame  a data frame or a dict of arrays in place of their data
    stdin  where data at path `-` comes from
    """

    def __init__(self, frame: object | None = None, stdin: BinaryIO | None = None) -> None:
        self.frame, self.stdin = frame, stdin
        self._sources: dict[str, Source | None] = {}
        self._data: dict[str, list[Data]] = {}

    def of(self, experiment: Experiment) -> Data:
        """An experiment's data; that of another where they name the same. Raises UserError as `open_data`."""
        key = experiment.data.model_dump_json() if experiment.data else ""
        if key not in self._sources:
            self._sources[key] = experiment_source(experiment, frame=self.frame, stdin=self.stdin)
        data = opened(experiment, self._sources[key])
        before = self._data.setdefault(key, [])
        for other in before:
            if other.names == data.names:
                return other
        before.append(data)
        return data
