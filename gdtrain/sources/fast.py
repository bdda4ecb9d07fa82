"""Reading through polars: batches of a lazy frame in bounded memory, and a `Doubt` where they are not plain.

polars reads many times faster than Python, and tells neither the line nor the column of what it can't read.
So whatever looks odd is left to a careful pass over the text, which either reads it or names the place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from gdtrain.sources.table import Block

# What polars raises on bad data: its own errors, broken files, and, on the worst of bytes, a panic.
FAILURES: tuple[type[BaseException], ...] = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


class Doubt(Exception):
    """polars met something that is no plain finite number in a well-formed row."""


def batches(frame: pl.LazyFrame, size: int) -> Iterator[pl.DataFrame]:
    """The rows of `frame` in order, at most `size` at a time, a few batches in memory. Raises Doubt."""
    try:
        for batch in frame.collect_batches(chunk_size=size):
            yield from batch.iter_slices(size)
    except FAILURES as error:
        raise Doubt(str(error)) from None


def block(batch: pl.DataFrame, names: Sequence[str]) -> Block:
    """The columns of `batch`, in order, under `names`. Raises Doubt for a cell without a finite number."""
    values = {name: batch.to_series(at).to_numpy() for at, name in enumerate(names)}
    for column in values.values():
        if not (np.isfinite(column.sum()) or np.isfinite(column).all()):  # a sum of finite numbers may overflow
            raise Doubt("a missing or non-finite number")
    return values
