"""Reading through polars: batches of a lazy frame in bounded memory, and a `Doubt` where they are not plain.

polars reads many times faster than Python, and tells neither the line nor the column of what it can't read.
So whatever looks odd is left to a careful pass over the text, which either reads it or names the place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from math import nan
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from gdtrain.sources.reading import UNSEEN

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


def block(batch: pl.DataFrame, names: Sequence[str], gaps: Collection[str] = ()) -> Block:
    """The columns of `batch`, in order, under `names`; in those of `gaps` null is NaN.

    Raises Doubt for any other cell without a finite number.
    """
    values = {}
    for at, name in enumerate(names):
        series = batch.to_series(at)
        column = values[name] = series.to_numpy()
        with np.errstate(over="ignore", invalid="ignore"):  # the sum of finite numbers may overflow
            if np.isfinite(column.sum()):
                continue
        if name in gaps:
            series = series.drop_nulls()
        if not series.is_finite().all() or (name not in gaps and series.null_count()):
            raise Doubt("a missing or non-finite number")
    return values


def texts(name: str, nulls: Collection[str]) -> pl.Expr:
    """A column of text without the spaces around it; null where it is empty or one of `nulls`."""
    text = pl.col(name).str.strip_chars()
    return pl.when((text != "") & ~text.is_in(list(nulls))).then(text)


def codes(text: pl.Expr, levels: Sequence[str], *, unseen: bool) -> pl.Expr:
    """Texts as their places among `levels`; -1 for what is none of them, NaN, which is doubted, unless `unseen`."""
    code = text.cast(pl.Enum(list(levels)), strict=False).to_physical().cast(pl.Float64)
    other = pl.lit(UNSEEN if unseen else nan, dtype=pl.Float64)
    return pl.when(text.is_null()).then(None).when(code.is_null()).then(other).otherwise(code)


def bools(text: pl.Expr) -> pl.Expr:
    """Texts as 1 for true and 0 for false; NaN, which is doubted, for others."""
    low = text.str.to_lowercase()
    named = pl.when(low == "true").then(1.0).when(low == "false").then(0.0)
    return pl.when(text.is_null()).then(None).otherwise(named.otherwise(nan))
