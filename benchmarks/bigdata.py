"""Rows of a regression by the million, made chunk by chunk: the same every time, in memory or as CSV.

They are kept in a folder of their own beside other temporary files (TMPDIR moves it).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(tempfile.gettempdir()) / "gdtrain-benchmarks"
FEATURES = 20
NAMES = [*(f"x{i}" for i in range(FEATURES)), "y"]
_CHUNK = 500_000  # rows
_ROW_BYTES = 420  # of text, a little more than there are

Array = np.ndarray[Any, Any]


def chunk(index: int) -> tuple[Array, Array]:
    """Features (n, F) and target (n,) of one chunk of rows: y = x w + noise of sd 0.1."""
    w_F = np.random.default_rng(0).standard_normal(FEATURES)
    rng = np.random.default_rng((1, index))
    x_NF = rng.standard_normal((_CHUNK, FEATURES))
    return x_NF, x_NF @ w_F + rng.normal(0.0, 0.1, _CHUNK)


def in_memory(rows: int) -> tuple[Array, Array]:
    """The first rows: features (N, F), target (N,)."""
    x_NF, y_N = np.empty((rows, FEATURES)), np.empty(rows)
    for index, start in enumerate(range(0, rows, _CHUNK)):
        part = slice(start, start + _CHUNK)
        x, y = chunk(index)
        x_NF[part], y_N[part] = x[: rows - start], y[: rows - start]
    return x_NF, y_N


def csv(rows: int) -> Path:
    """The first rows, a multiple of a chunk, as CSV with every digit. Written once, then kept."""
    path = FOLDER / f"regression-{rows}.csv"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        try:
            _write(unfinished, rows)
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
    return path


def lacks_room(rows: int) -> str:
    """Why so many rows cannot be written; "" where they can."""
    folder = FOLDER if FOLDER.exists() else FOLDER.parent
    needed = rows * _ROW_BYTES
    if (FOLDER / f"regression-{rows}.csv").exists() or shutil.disk_usage(folder).free > 2 * needed:
        return ""
    return f"{2 * needed / 1e9:.1f} GB of disk in {folder} are wanted"


def _write(path: Path, rows: int) -> None:
    import polars as pl

    with path.open("wb") as file:
        for index in range(rows // _CHUNK):
            x_NF, y_N = chunk(index)
            columns = dict(zip(NAMES, [*x_NF.T, y_N], strict=True))
            pl.DataFrame(columns).write_csv(file, include_header=index == 0)
