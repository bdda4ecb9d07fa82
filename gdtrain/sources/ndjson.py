"""NDJSON, one JSON object a line: read by polars; where it balks, a careful pass reads or names the place."""

from __future__ import annotations

import glob
import json
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gdtrain.errors import DATA, UserError
from gdtrain.sources.cells import Tally, complaint, kind_of_text, number, quoted
from gdtrain.sources.origin import Origin
from gdtrain.sources.reading import Bad, Levels, Reading, as_text, gap_reader, is_missing, level_reader
from gdtrain.sources.table import Column, Source, kept_frame

if TYPE_CHECKING:
    from gdtrain.sources.table import Block, Keep, Kept

_SAMPLE_LINES = 1000
_CAREFUL_ROWS = 4096
_EXACT = 2.0**53  # whole numbers below it are exact
_SLIP = "0x0"  # a cell of a kind of its own: neither number nor text


class _Row(NamedTuple):
    line: int
    text: str
    values: dict[str, object]


class NdjsonSource(Source):
    """Columns of NDJSON: the keys of its first thousand objects. Text is never read as a number."""

    def __init__(self, origin: Origin, nulls: Collection[str] = ()) -> None:
        super().__init__(origin.where, nulls)
        self._origin = origin
        with closing(self._rows_of_text()) as rows:
            sample = list(islice(rows, _SAMPLE_LINES + 1))
        self.columns = _columns(sample[:_SAMPLE_LINES], self.nulls, whole=len(sample) <= _SAMPLE_LINES)

    def _rows(self, names: list[str], keep: Keep, size: int, reading: Reading) -> Iterator[tuple[Block, Kept]]:
        given = 0
        texts = [name for name in names if name in reading.levels]
        if not self._origin.small and not keep and all(self.kind(name) == "text" for name in texts):
            from gdtrain.sources.fast import Doubt

            try:
                for block in self._fast_blocks(names, size, reading):
                    yield block, None
                    given += block[names[0]].size
                return
            except Doubt:
                pass  # the careful pass goes on from the first row that was not given
        yield from self._careful_rows(names, keep.names, size, given, reading)

    def _careful_rows(
        self, names: list[str], kept: Sequence[str], size: int, given: int, reading: Reading
    ) -> Iterator[tuple[Block, Kept]]:
        """Blocks of the rows after the first `given`, which were found to be good."""
        readers = {name: self._reader(name, reading) for name in names}
        with closing(self._rows_of_text()) as found:
            rows = islice(found, given, None)
            while chunk := list(islice(rows, min(size, _CAREFUL_ROWS))):
                values = [[self._value(row, *reader) for reader in readers.items()] for row in chunk]
                columns = np.array(values, dtype=np.float64).T.copy()
                beside = {name: _whole([row.values.get(name) for row in chunk]) for name in kept}
                yield dict(zip(names, columns, strict=True)), kept_frame(beside)

    def _fast_blocks(self, names: list[str], size: int, reading: Reading) -> Iterator[Block]:
        """Raises Doubt for any null: what has the wrong type becomes one too."""
        import polars as pl

        from gdtrain.sources.fast import batches, block, codes, texts

        types: dict[str, type[pl.DataType]] = {"bool": pl.Boolean}
        schema = {n: pl.String if n in reading.levels else types.get(self.kind(n), pl.Float64) for n in names}
        place = self._origin.scannable()
        if isinstance(place, str):
            place = glob.escape(place)  # a bracket in a file's name is no pattern
        made = [
            codes(texts(name, self.nulls), reading.levels[name], unseen=name in reading.unseen).alias(name)
            if name in reading.levels
            else pl.col(name).cast(pl.Float64)
            for name in names
        ]
        for batch in batches(pl.scan_ndjson(place, schema=schema).select(made), size):
            yield block(batch, names)

    def _rows_of_text(self) -> Generator[_Row, None, None]:
        with closing(self._origin.lines()) as lines:
            for line, text in enumerate(lines, start=1):
                if stripped := text.strip():
                    yield _Row(line, stripped, self._object(line, stripped))

    def _object(self, line: int, text: str) -> dict[str, object]:
        try:
            # Every number as float: an integer of a million digits is infinite, not slow.
            value = json.loads(text, parse_int=float, object_pairs_hook=_without_repeats)
        except json.JSONDecodeError as error:
            what, at = f"not JSON: {error.msg.lower()}", error.pos
        except RecursionError:
            what, at = "nested too deeply", 0
        except ValueError as error:
            what, at = str(error), 0
        else:
            if isinstance(value, dict):
                return value
            what, at = "not an object", 0
        raise UserError(
            what,
            where=f"{self.where}, line {line}",
            remedy='write one object a line: {"x": 1, "y": 2}',
            text=text,
            span=(at, at + 1),
            code=DATA,
        )

    def _reader(self, name: str, reading: Reading) -> Callable[[object], float]:
        """The number of a JSON value in a column; it raises Bad."""
        gap, nulls, bools = gap_reader(name, reading, self.nulls), self.nulls, self.kind(name) == "bool"
        level = level_reader(name, reading) if name in reading.levels else None

        def read(value: object) -> float:
            if value is None or (isinstance(value, str) and is_missing(value.strip(), nulls)):
                return gap(value.strip() if value else "")
            if level is not None and isinstance(value, str | float | bool):
                return level(as_text(value))
            if level is None and isinstance(value, bool if bools else float) and isfinite(value):
                return float(value)
            raise Bad(*_complaint(value))

        return read

    def _value(self, row: _Row, name: str, reader: Callable[[object], float]) -> float:
        value = row.values.get(name)
        try:
            return reader(value)
        except Bad as bad:
            what = bad.what
            if value is None:
                what = "is null" if name in row.values else "the object has no such key"
            raise UserError(
                what,
                where=f"{self.where}, line {row.line}, column {name}",
                remedy=bad.remedy,
                text=row.text,
                code=DATA,
            ) from None

    def _meet(self, found: Levels, names: list[str]) -> None:
        with closing(self._rows_of_text()) as rows:
            for row in rows:
                for name in names:
                    value = row.values.get(name)
                    if isinstance(value, str | float | bool) and not is_missing(text := as_text(value), self.nulls):
                        found.add(name, (text,))

    def survey(self) -> list[Column]:
        with closing(self._rows_of_text()) as rows:
            return _columns(rows, self.nulls, whole=True)


def _whole(values: list[object]) -> list[object]:
    """Numbers as whole ones where all of them are: JSON has one kind of number."""
    numbers = [value for value in values if isinstance(value, float)]
    if numbers and all(value.is_integer() and abs(value) < _EXACT for value in numbers):
        return [int(value) if isinstance(value, float) else value for value in values]
    return values


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {name} appears twice")
    return values


def _columns(rows: Iterable[_Row], nulls: Collection[str], *, whole: bool) -> list[Column]:
    """The columns of `rows`; their gaps too where these are the whole of the data."""
    tallies: dict[str, Tally] = {}
    count = 0
    for row in rows:
        count += 1
        for name, value in row.values.items():
            tallies.setdefault(name, Tally(nulls)).add(_as_cell(value, nulls))
    return [
        Column(name, tally.kind, tally.gaps + count - tally.met if whole else None) for name, tally in tallies.items()
    ]


def _as_cell(value: object, nulls: Collection[str]) -> str:
    """A cell of text of the kind of a JSON value. Text that holds a number is neither of the two."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _SLIP if kind_of_text(value.strip()) == "number" and value.strip() not in nulls else value
    return repr(value).lower() if isinstance(value, float | bool) else _SLIP


def _complaint(value: object) -> tuple[str, str]:
    if isinstance(value, str):
        what, remedy = complaint(value)
        is_number = isfinite(number(value.strip()))
        return (f"{quoted(value)} is text", "write the number without quotes") if is_number else (what, remedy)
    if value != value:
        return complaint("nan")[0], "write null, and set data.missing: drop"
    if isinstance(value, float | bool):
        return complaint(repr(value).lower())
    return f"{quoted(json.dumps(value))} is not a number", "write one number a key"
