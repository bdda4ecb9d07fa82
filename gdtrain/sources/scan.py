"""Delimited text through polars."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from gdtrain.sources.cells import Kind
from gdtrain.sources.fast import FAILURES, Doubt, batches, block, bools, codes, texts
from gdtrain.sources.layout import Layout
from gdtrain.sources.lines import LineReader
from gdtrain.sources.origin import Origin
from gdtrain.sources.reading import Levels, Reading
from gdtrain.sources.table import BLOCK_ROWS

if TYPE_CHECKING:
    from gdtrain.sources.table import Block, Kept

_LAST_LINE = 1 << 16  # bytes; a last line that is longer is left to the careful pass


@dataclass(frozen=True)
class Scan:
    """Which columns of a text are read, and how.

    kinds  of all columns, by name
    kept   columns whose texts come along
    """

    layout: Layout
    reading: Reading
    nulls: Collection[str]
    kept: Collection[str] = ()

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        return {column.name: column.kind for column in self.layout.columns}

    def expression(self, name: str) -> pl.Expr | None:
        """What makes a column's text a number; None where polars parses it as one."""
        place = str(self.layout.names.index(name))
        if name in self.reading.levels:
            text = texts(place, self.nulls)
            return codes(text, self.reading.levels[name], unseen=name in self.reading.unseen).alias(place)
        if self.kinds[name] == "bool":
            return bools(texts(place, self.nulls)).alias(place)
        if name in self.kept and not (self.layout.padded or self.nulls):
            return pl.col(place).cast(pl.Float64)
        if self.layout.padded or (self.kept and self.nulls):
            strip = pl.col(place).str.strip_chars(" \t")
            return pl.when((strip != "") & ~strip.is_in(list(self.nulls))).then(strip).cast(pl.Float64).alias(place)
        return None

    def frame(self, origin: Origin, names: Sequence[str]) -> pl.LazyFrame:
        """A frame whose columns are named by their places: those of `names` numbers, the others text."""
        made = {name: self.expression(name) for name in names}
        parsed = [str(self.layout.names.index(name)) for name, expression in made.items() if expression is None]
        frame = _raw(origin, self.layout, parsed, self.nulls)
        kept = [_stripped(str(self.layout.names.index(n)), self.layout).alias(f"kept {n}") for n in self.kept]
        return frame.with_columns(*kept, *(expression for expression in made.values() if expression is not None))


def scan_levels(origin: Origin, scan: Scan, names: Sequence[str], found: Levels) -> None:
    """Adds the texts of columns to `found`. Raises Doubt as `scan_rows` does."""
    places = {name: str(scan.layout.names.index(name)) for name in names}
    frame = _raw(origin, scan.layout, (), scan.nulls).select(texts(place, scan.nulls) for place in places.values())
    for batch in batches(frame, BLOCK_ROWS):
        for name, place in places.items():
            found.add(name, batch[place].drop_nulls().unique().to_list())


def scan_rows(
    origin: Origin, scan: Scan, names: Sequence[str], size: int, lines: LineReader | None = None
) -> Iterator[tuple[Block, Kept]]:
    """Blocks of the named columns, beside the texts of those that are kept, or beside lines. Raises Doubt for whatever
    is not plainly well-formed.

    A column goes by its index, so that names in the file may be anything. Every column is looked at, whether it is
    asked for or not: only so does polars see a row with too many cells.
    """
    layout, gaps, kept = scan.layout, scan.reading.gaps, scan.kept
    if _ends_too_wide(origin, layout):
        raise Doubt("a delimiter too many at the end")
    places = [layout.names.index(name) for name in names]
    texts = [f"kept {name}" for name in kept]
    empty_cells = [pl.col(str(place)).is_null() for place in range(len(layout.names))]
    if 0 not in places and set(names) <= set(gaps):  # else a line of spaces is doubted for what it lacks
        empty_cells[0] |= pl.col("0").str.strip_chars() == ""
    looks = [empty_cells[-1].alias("ends empty"), pl.all_horizontal(empty_cells).alias("all empty")]
    frame = scan.frame(origin, names)
    survey = _LineSurvey(origin, layout, frame.select(looks[-1].sum()))
    dropped, empty = 0, True
    for batch in batches(frame.select(*map(str, places), *texts, *looks), size):
        rows = batch
        if batch["ends empty"].any():  # so does a short row, and a blank line
            rows = batch.filter(~pl.col("all empty"))
            dropped += batch.height - rows.height
            survey.check(dropped)
        if rows.height:
            empty = False
            numbers = block(rows.select(map(str, places)), names, gaps)
            beside = [pl.col(text).alias(name) for text, name in zip(texts, kept, strict=True)]
            yield numbers, lines.take(rows.height) if lines else rows.select(beside) if kept else None
    if empty:
        raise Doubt("no rows, or none that can be told apart")


def _raw(origin: Origin, layout: Layout, numbers: Sequence[str], nulls: Collection[str]) -> pl.LazyFrame:
    """The text as a frame of columns named by their places: `numbers` parsed, the others as they stand."""
    return pl.scan_csv(
        origin.scannable(),
        has_header=False,
        skip_lines=layout.body,
        separator=layout.delimiter,
        comment_prefix=layout.comment,
        schema={str(i): pl.String for i in range(len(layout.names))} | dict.fromkeys(numbers, pl.Float64),
        null_values=list(nulls) if nulls and numbers else None,
        glob=False,
    )


def _stripped(place: str, layout: Layout) -> pl.Expr:
    """A column of text without the spaces around its cells."""
    if not layout.padded:
        return pl.col(place)
    text = pl.col(place).str.strip_chars(" \t")
    return pl.when(text != "").then(text)


def _ends_too_wide(origin: Origin, layout: Layout) -> bool:
    """Whether the text ends in a delimiter too many: that one polars passes over. Not known of compressed text."""
    end = origin.end(_LAST_LINE)
    if not end.endswith(layout.delimiter.encode()):
        return False
    line = end[max(end.rfind(b"\n"), end.rfind(b"\r")) + 1 :].decode("utf-8", "replace")
    cells = re.sub(r'"[^"]*"', "", line).count(layout.delimiter) + 1
    return cells > len(layout.names) or len(line) == _LAST_LINE


class _LineSurvey:
    """Blank lines and short rows, counted over the whole text once there is reason to.

    polars fills a short row up with nulls and makes a blank line a row of nulls; so looks an empty cell.

    empty  counts the rows that look like blank lines
    """

    def __init__(self, origin: Origin, layout: Layout, empty: pl.LazyFrame) -> None:
        self._origin, self._layout, self._empty = origin, layout, empty

    def check(self, dropped: int) -> None:
        """Raises Doubt if a row is short, or if any were `dropped` as blank lines and not just these look so."""
        blank, short = self._counts
        if short or (dropped and blank != self._alike):
            raise Doubt("short rows or empty cells")

    @cached_property
    def _alike(self) -> int:
        try:
            return int(self._empty.collect(engine="streaming").item())
        except FAILURES as error:
            raise Doubt(str(error)) from None

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
