"""What tells one table from another: the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from gdtrain.errors import UserError
from gdtrain.experiment.schema import STDIN, Experiment
from gdtrain.sources import open_source
from gdtrain.sources.origin import find_origin

if TYPE_CHECKING:
    import numpy as np

FRAME = "frame"


class Fingerprint(BaseModel):
    """A table as it was when it was read.

    path    as the experiment writes it; `data` for a frame
    form    the ending of the file's name, which tells how it is read; `frame` for a frame
    size    bytes
    sha256  of the bytes as stored; of a frame, of its columns' names and numbers
    rows    where they are known without reading the file
    """

    model_config = ConfigDict(frozen=True)

    path: str
    form: str
    size: int
    sha256: str
    rows: int | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """The same for the same data, wherever it lies."""
        return self.form, self.sha256


class Fingerprints:
    """The fingerprints of what experiments read, each file read once.

    frame  a data frame or a mapping of names to arrays (N,) that stands in for the data of all of them
    """

    def __init__(self, frame: object | None = None) -> None:
        self._frame = None if frame is None else _of_frame(frame)
        self._files: dict[str, Fingerprint] = {}

    def of(self, experiment: Experiment) -> dict[str, Fingerprint]:
        """`data` and `predict` -> fingerprint, for those that are not written in the experiment itself.

        Raises UserError: data on stdin (exit 2), a file that cannot be read (exit 3).
        """
        paths = {
            "data": experiment.data.path if experiment.data and self._frame is None else None,
            "predict": experiment.predict.path if experiment.predict else None,
        }
        files = {role: self._of_file(experiment, path) for role, path in paths.items() if path is not None}
        return files if self._frame is None else {"data": self._frame, **files}

    def _of_file(self, experiment: Experiment, path: str) -> Fingerprint:
        if path == STDIN:
            raise UserError("data on stdin cannot be kept", where="--out", remedy="name a file")
        named = experiment.locate(path)
        head, name = os.path.split(named)
        place = os.path.join(os.path.realpath(head), name)  # where `..` follows a link, or a folder that is yet to be
        if place not in self._files:
            self._files[place] = _of_file(place, path, os.path.normpath(named))
        return self._files[place]


def _of_file(place: str, path: str, named: str) -> Fingerprint:
    origin = find_origin(place, where=named)
    try:
        with open(place, "rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            size = file.tell()
    except OSError:
        raise origin.broken("") from None
    return Fingerprint(path=path, form=origin.suffix, size=size, sha256=digest.hexdigest())


def _of_frame(frame: Any) -> Fingerprint:
    source = open_source(frame=frame, where="data")  # refuses what is no table
    digest, size, rows = hashlib.sha256(), 0, 0
    for column in source.columns:
        kind, content, rows = _content(frame[column.name])
        digest.update(repr((column.name, kind, len(content))).encode())
        digest.update(content)
        size += len(content)
    return Fingerprint(path="data", form=FRAME, size=size, sha256=digest.hexdigest(), rows=rows)


def _content(column: Any) -> tuple[str, bytes | memoryview, int]:
    """What a column holds, its bytes and its rows: numbers as they are trained on, float64; all else in writing."""
    import numpy as np

    values = np.asarray(column)
    if values.dtype.kind in "iuf":
        return "number", _bytes(np.ascontiguousarray(values, dtype=np.float64)), len(values)
    if values.dtype.kind in "bmM":
        return values.dtype.str, _bytes(np.ascontiguousarray(values).view(np.uint8)), len(values)
    return "text", _written(np.asarray(column, dtype=object).tolist()), len(values)


def _bytes(values: np.ndarray) -> memoryview:
    return values.data.cast("B") if len(values) else memoryview(b"")


def _written(values: Iterable[object]) -> bytes:
    return "\0".join(map(repr, values)).encode("utf-8", "surrogatepass")


def plain(fingerprints: Mapping[str, Fingerprint]) -> dict[str, tuple[str, str]]:
    """What of fingerprints tells one trial from another: `data` and `predict` -> identity."""
    return {role: found.identity for role, found in fingerprints.items()}
