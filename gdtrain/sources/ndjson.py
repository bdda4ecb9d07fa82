"""NDJSON, one JSON object a line: read by polars; where it balks, a careful pass reads or names the place."""

from __future__ import annotations

import glob
import json
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gdtrain.errors import DATA, UserError
from gdtrain.sources.cells import Tally, complaint, is_date, number, quoted
from gdtrain.sources.origin import Origin
from gdtrain.sources.table import Column, Source

if TYPE_CHECKING:
    from gdtrain.sources.table import Block

_SAMPLE_LINES = 1000
_CAREFUL_ROWS = 4096


class _Row(NamedTuple):
    line: int
    text: str
    values: dict[str, object]


class NdjsonSource(Source):
    """Columns of NDJSON: the keys of its first thousand objects. Text is never read as a number."""

    def __init__(self, origin: Origin) -> None:
        super().__init__(origin.where)
        self._origin = origin
        with closing(self._rows()) as rows:
            sample = list(islice(rows, _SAMPLE_LINES + 1))
        self.columns = _columns(sample[:_SAMPLE_LINES], whole=len(sample) <= _SAMPLE_LINES)

    def _blocks(self, names: list[str], size: int) -> Iterator[Block]:
        given = 0
        if not self._origin.small:
            from gdtrain.sources.fast import Doubt

            try:
                for block in self._fast_blocks(names, size):
                    yield block
                    given += block[names[0]].size
                return
            except Doubt:
                pass  # the careful pass goes on from the first row that was not given
        yield from self._careful_blocks(names, size, given)

    def _careful_blocks(self, names: list[str], size: int, given: int) -> Iterator[Block]:
        """Blocks of the rows after the first `given`, which were found to be good."""
        with closing(self._rows()) as found:
            rows = ([self._number(row, name) for name in names] for row in islice(found, given, None))
            while chunk := list(islice(rows, min(size, _CAREFUL_ROWS))):
                columns = np.array(chunk, dtype=np.float64).T.copy()
                yield dict(zip(names, columns, strict=True))

    def _fast_blocks(self, names: list[str], size: int) -> Iterator[Block]:
        import polars as pl

        from gdtrain.sources.fast import batches, block

        schema: dict[str, type[pl.DataType]] = dict.fromkeys(names, pl.Float64)
        place = self._origin.scannable()
        if isinstance(place, str):
            place = glob.escape(place)  # a bracket in a file's name is no pattern
        frame = pl.scan_ndjson(place, schema=schema)
        for batch in batches(frame, size):
            yield block(batch, names)

    def _rows(self) -> Generator[_Row, None, None]:
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

    def _number(self, row: _Row, name: str) -> float:
        value = row.values.get(name)
        if isinstance(value, float) and isfinite(value):
            return value
        what, remedy = _complaint(value, known=name in row.values)
        raise UserError(
            what,
            where=f"{self.where}, line {row.line}, column {name}",
            remedy=remedy,
            text=row.text,
            code=DATA,
        )

    def survey(self) -> list[Column]:
        with closing(self._rows()) as rows:
            return _columns(rows, whole=True)


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {name} appears twice")
    return values


def _columns(rows: Iterable[_Row], *, whole: bool) -> list[Column]:
    """The columns of `rows`; their gaps too where these are the whole of the data."""
    tallies: dict[str, Tally] = {}
    count = 0
    for row in rows:
        count += 1
        for name, value in row.values.items():
            tallies.setdefault(name, Tally()).add(_as_cell(value))
    return [
        Column(name, tally.kind, tally.gaps + count - tally.met if whole else None) for name, tally in tallies.items()
    ]


def _as_cell(value: object) -> str:
    """A cell of text of the kind of a JSON value; text stays text, whatever digits it holds."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value if is_date(value) else "text"
    return repr(value).lower()


def _complaint(value: object, *, known: bool) -> tuple[str, str]:
    if value is None:
        return "is null" if known else "the object has no such key", "fill it in, or delete the row"
    if isinstance(value, str):
        what, remedy = complaint(value)
        is_number = isfinite(number(value.strip()))
        return (f"{quoted(value)} is text", "write the number without quotes") if is_number else (what, remedy)
    if isinstance(value, float | bool):
        return complaint(repr(value).lower())
    return f"{quoted(json.dumps(value))} is not a number", "write one number a key"
