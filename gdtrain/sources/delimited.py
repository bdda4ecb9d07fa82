"""Delimited text (CSV, TSV): read by polars; where it balks, a careful pass reads or names the place."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from gdtrain.errors import DATA, UserError
from gdtrain.sources.cells import Tally, numbers
from gdtrain.sources.layout import Dialect, Layout, read_layout
from gdtrain.sources.origin import Origin
from gdtrain.sources.reading import PLAIN, Bad, Levels, Reading, cell_reader, is_missing
from gdtrain.sources.records import Record, cell_span, records
from gdtrain.sources.table import Column, Source, kept_frame

if TYPE_CHECKING:
    from gdtrain.sources.table import Block, Keep, Kept

_CAREFUL_ROWS = 4096  # rows that the careful pass holds as text


class DelimitedSource(Source):
    """Columns of delimited text.

    Spaces around names and cells, quotes, a byte order mark, any line ends and blank lines are read well.
    A column without a name is left out; a row must have as many cells as the header.
    """

    def __init__(self, origin: Origin, dialect: Dialect, nulls: Collection[str] = ()) -> None:
        super().__init__(origin.where, nulls)
        self._origin = origin
        self._layout: Layout = read_layout(origin, dialect, self.nulls)
        self.columns = self._layout.columns
        self.warnings += self._layout.warnings

    def _rows(self, names: list[str], keep: Keep, size: int, reading: Reading) -> Iterator[tuple[Block, Kept]]:
        given = 0
        if not self._origin.small:
            from gdtrain.sources.fast import Doubt
            from gdtrain.sources.lines import LineReader
            from gdtrain.sources.scan import Scan, scan_rows

            whole = keep.lines and LineReader.serves(self._origin, self._layout, keep.names)
            lines = LineReader(self._origin, self._layout) if whole else None
            scan = Scan(self._layout, reading, self.nulls, () if whole else keep.names)
            try:
                for block, beside in scan_rows(self._origin, scan, names, size, lines):
                    yield block, beside
                    given += block[names[0]].size
                return
            except Doubt:
                pass  # the careful pass goes on from the first row that was not given
        yield from self._careful_rows(names, keep.names, size, given, reading)

    def _careful_rows(
        self, names: list[str], kept: Sequence[str], size: int, given: int, reading: Reading
    ) -> Iterator[tuple[Block, Kept]]:
        """Blocks of the rows after the first `given`, which were found to be good."""
        places = [self._layout.names.index(name) for name in names]
        beside = {name: self._layout.names.index(name) for name in kept}
        kinds = [self.kind(name) for name in names]
        readers = [cell_reader(n, kind, reading, self.nulls) for n, kind in zip(names, kinds, strict=True)]
        plain = not (reading.levels or self.nulls or "bool" in kinds)
        with closing(self._records()) as found:
            records = islice(found, given, None)
            while chunk := list(islice(records, min(size, _CAREFUL_ROWS))):
                values = [self._values(record, places, readers, plain=plain) for record in chunk]
                columns = np.array(values, dtype=np.float64).T.copy()
                cells = {name: [record.cells[at].strip() or None for record in chunk] for name, at in beside.items()}
                yield dict(zip(names, columns, strict=True)), kept_frame(cells)

    def _records(self) -> Generator[Record, None, None]:
        """The rows, each as wide as the header."""
        layout = self._layout
        width = len(layout.names)
        with closing(self._origin.lines()) as lines:
            found = records(lines, delimiter=layout.delimiter, comment=layout.comment, where=self.where)
            for record in islice(found, 1 if layout.header else 0, None):
                if len(record.cells) != width:
                    raise self._ragged(record)
                yield record

    def _values(
        self, record: Record, places: Sequence[int], readers: Sequence[Callable[[str], float]], *, plain: bool
    ) -> list[float]:
        """The numbers of a row; where all columns are `plain`, cell by cell only if one is no finite number."""
        if plain:
            values = numbers([record.cells[place] for place in places])
            if isfinite(sum(values)):  # the sum of finite numbers may overflow
                return values
        values = []
        for place, reader in zip(places, readers, strict=True):
            try:
                values.append(reader(record.cells[place]))
            except Bad as bad:
                raise self._bad_cell(record, place, bad) from None
        return values

    def _bad_cell(self, record: Record, place: int, bad: Bad) -> UserError:
        name, remedy = self._layout.names[place], bad.remedy
        if not self._layout.header and record.cells[place].strip() == name:
            remedy = "the file has a header line: leave data.header out"
        return UserError(
            bad.what,
            where=f"{self.where}, line {record.line}, column {name}",
            remedy=remedy,
            text=record.text,
            span=cell_span(record.text, self._layout.delimiter, place),
            code=DATA,
        )

    def _meet(self, found: Levels, names: list[str]) -> None:
        if not self._origin.small:
            from gdtrain.sources.fast import Doubt
            from gdtrain.sources.scan import Scan, scan_levels

            try:
                scan_levels(self._origin, Scan(self._layout, PLAIN, self.nulls), names, found)
                return
            except Doubt:
                pass  # the careful pass names the place
        places = {name: self._layout.names.index(name) for name in names}
        with closing(self._records()) as rows:
            for record in rows:
                for name, place in places.items():
                    if not is_missing(text := record.cells[place].strip(), self.nulls):
                        found.add(name, (text,))

    def _ragged(self, record: Record) -> UserError:
        cells, width = len(record.cells), len(self._layout.names)
        named = "the header" if self._layout.header else "data.header"
        remedy = "quote cells that hold the delimiter, and write decimals with a point"
        return UserError(
            f"the row has {cells} cell{'s'[: cells > 1]}, {named} {width}",
            where=f"{self.where}, line {record.line}",
            remedy=self.remedy_for_header() or (remedy if cells > width else "a cell or a delimiter is missing"),
            text=record.text,
            span=cell_span(record.text, self._layout.delimiter, min(cells - 1, width)),
            code=DATA,
        )

    def remedy_for_header(self) -> str:
        """The likely reason why the header is not what was expected; "" where there is none."""
        header = self._layout.header
        if header is None:
            return ""
        if all(re.match(r"[-+.0-9]", cell.strip()) for cell in header.cells if cell):
            return "is there no header line? then set data.header: [names]"
        if (mark := re.match(r"#|%|//", header.text)) and self._layout.comment is None:
            return f"the first line looks like a comment: set data.comment: '{mark[0]}'"
        if len(header.cells) == 1 and re.search(r"\S[\s:|/]\S", header.cells[0]):
            return "only one column was found: set data.delimiter"
        return ""

    def survey(self) -> list[Column]:
        tallies = [Tally(self.nulls) for _ in self._layout.names]
        with closing(self._records()) as found:
            for record in found:
                for tally, cell in zip(tallies, record.cells, strict=True):
                    tally.add(cell)
        named = zip(self._layout.names, tallies, strict=True)
        return [Column(name, tally.kind, tally.gaps) for name, tally in named if name]
