"""Delimited text through polars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from gdtrain.sources.fast import FAILURES, Doubt, batches, block
from gdtrain.sources.layout import Layout
from gdtrain.sources.origin import Origin

if TYPE_CHECKING:
    from gdtrain.sources.table import Block


def scan_blocks(origin: Origin, layout: Layout, names: Sequence[str], size: int) -> Iterator[Block]:
    """Blocks of the named columns. Raises Doubt for whatever is not plainly well-formed.

    A column goes by its index, so that names in the file may be anything. The last column is always read:
    only so does polars see a row with too many cells.
    """
    places = [layout.names.index(name) for name in names]
    last = len(layout.names) - 1
    read = places if last in places else [*places, last]
    survey = _LineSurvey(origin, layout)
    dropped, empty = 0, True
    for batch in batches(_frame(origin, layout, places).select(map(str, read)), size):
        rows = batch
        if any(batch.null_count().row(0)):
            rows = batch.filter(~pl.all_horizontal(pl.all().is_null()))
            dropped += batch.height - rows.height
            survey.check(dropped)
        if rows.height:
            empty = False
            yield block(rows.select(map(str, places)), names)
    if empty:
        raise Doubt("no rows, or none that can be told apart")


def _frame(origin: Origin, layout: Layout, numeric: Sequence[int]) -> pl.LazyFrame:
    numbers = [str(place) for place in numeric]
    dtype = pl.String if layout.padded else pl.Float64
    frame = pl.scan_csv(
        origin.scannable(),
        has_header=False,
        skip_lines=layout.body,
        separator=layout.delimiter,
        comment_prefix=layout.comment,
        schema={str(i): pl.String for i in range(len(layout.names))} | dict.fromkeys(numbers, dtype),
        glob=False,
    )
    if layout.padded:
        strip = pl.col(numbers).str.strip_chars(" \t")
        return frame.with_columns(pl.when(strip != "").then(strip).cast(pl.Float64))
    return frame


class _LineSurvey:
    """Blank lines and short rows, counted over the whole text once there is reason to.

    polars fills a short row up with nulls and makes a blank line a row of nulls; so looks an empty cell.
    """

    def __init__(self, origin: Origin, layout: Layout) -> None:
        self._origin, self._layout = origin, layout

    def check(self, dropped: int) -> None:
        """Raises Doubt if a row is short, or if more rows were `dropped` as blank lines than there are."""
        blank, short = self._counts
        if short or dropped > blank:
            raise Doubt("short rows or empty cells")

    @cached_property
    def _counts(self) -> tuple[int, int]:
        line = pl.col("line")
        bare = line.str.replace_all(r'"[^"]*"', "")  # delimiters inside quotes part nothing
        is_blank = line.str.strip_chars() == ""
        delimiters = bare.str.count_matches(self._layout.delimiter, literal=True)
        is_short = (delimiters < len(self._layout.names) - 1) | bare.str.contains('"', literal=True)
        frame = pl.scan_lines(self._origin.scannable(), glob=False).slice(self._layout.body)
        if self._layout.comment:
            frame = frame.filter(~line.str.starts_with(self._layout.comment))
        counts = frame.select(is_blank.sum().alias("blank"), (is_short & ~is_blank).sum().alias("short"))
        try:
            blank, short = counts.collect(engine="streaming").row(0)
        except FAILURES as error:
            raise Doubt(str(error)) from None
        return blank, short
