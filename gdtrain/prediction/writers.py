"""Rows of a table as they come, to a file: CSV, NDJSON, Parquet.

A format is made of the file, and of a stack for what it needs meanwhile.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Protocol

import polars as pl

from gdtrain.errors import DATA, UserError, did_you_mean
from gdtrain.prediction.rows import Rows
from gdtrain.sources.table import Lines

_PART = 1 << 26  # bytes of rows that are held before they are written as a part of a Parquet file
_WHOLE, _NUMBER = r"^[+-]?(0|[1-9][0-9]*)$", r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_UNFIT = {
    "CSV": (pl.List, pl.Array, pl.Struct, pl.Binary, pl.Duration, pl.Object),
    "NDJSON": (pl.Binary, pl.Object),
}
_LONG = 18  # characters of the longest whole number that surely fits


class Writer(Protocol):
    """Takes rows of the same columns, some after others, and is closed after the last."""

    def write(self, rows: Rows) -> None: ...

    def close(self) -> None: ...


class _Behind:
    """Writes rows while the next are made. What goes wrong is raised by the next call."""

    def __init__(self, writer: Writer, thread: ThreadPoolExecutor) -> None:
        self._writer, self._thread = writer, thread
        self._last: Future[None] | None = None

    def write(self, rows: Rows) -> None:
        self._wait()
        self._last = self._thread.submit(self._writer.write, rows)

    def close(self) -> None:
        self._wait()
        self._writer.close()

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()


class Csv:
    """A header line, then a line for each row. Texts stand as they were read."""

    def __init__(self, file: BinaryIO, scratch: ExitStack) -> None:
        self._file, self._begun = file, False

    def write(self, rows: Rows) -> None:
        if isinstance(rows.kept, Lines):
            text = _side_by_side(rows.kept.rows, rows.made)
        else:
            text = _csv(_fitting(rows.frame(), "CSV"))
        if not self._begun:
            self._file.write(_csv(pl.DataFrame(schema=rows.names), header=True))
        self._begun = True
        self._file.write(text)

    def close(self) -> None:
        """Every row is written already."""


def _fitting(frame: pl.DataFrame, form: str) -> pl.DataFrame:
    """A frame all of whose columns a format can hold. Raises UserError."""
    for column in frame:
        if isinstance(column.dtype, _UNFIT[form]):
            what, remedy = f"{form} cannot hold {column.dtype}", "write Parquet, or leave the column out"
            raise UserError(what, where=f"--keep, column {column.name}", remedy=remedy)
    return frame


def _csv(frame: pl.DataFrame, *, header: bool = False) -> memoryview:
    """Made in memory: errors of a file are then its own, by their kind."""
    text = io.BytesIO()
    frame.write_csv(text, include_header=header)
    return text.getbuffer()


def _side_by_side(lines: Sequence[bytes], made: pl.DataFrame) -> memoryview:
    """Each line with what was made for its row behind it."""
    behind = pl.DataFrame([pl.Series("a comma", [None] * len(lines)), *made])
    ends = bytes(_csv(behind)).splitlines(keepends=True)
    if len(ends) != len(lines):  # a text with a line end within
        ends = [bytes(_csv(row)) for row in behind.iter_slices(1)]
    whole = [b""] * (2 * len(lines))
    whole[::2], whole[1::2] = lines, ends
    return memoryview(b"".join(whole))


class Ndjson:
    """An object for each row."""

    def __init__(self, file: BinaryIO, scratch: ExitStack) -> None:
        self._file, self._typed = file, _Typed()

    def write(self, rows: Rows) -> None:
        text = io.BytesIO()
        self._typed(_fitting(rows.frame(), "NDJSON")).write_ndjson(text)
        self._file.write(text.getbuffer())

    def close(self) -> None:
        """Every row is written already."""


class Parquet:
    """Rows are held up to a size, then lie in a temporary folder until all are put together."""

    def __init__(self, file: BinaryIO, scratch: ExitStack) -> None:
        self._file, self._scratch, self._typed = file, scratch, _Typed()
        self._held: list[pl.DataFrame] = []
        self._parts: list[Path] = []
        self._folder: Path | None = None

    def write(self, rows: Rows) -> None:
        self._held.append(self._typed(rows.frame()))
        if sum(held.estimated_size() for held in self._held) > _PART:
            self._set_down()

    def close(self) -> None:
        if self._folder is None:
            text = io.BytesIO()
            pl.concat(self._held).write_parquet(text)
            self._file.write(text.getbuffer())
            return
        if self._held:
            self._set_down()
        whole = self._folder / "whole"
        pl.scan_parquet(self._parts).sink_parquet(whole)
        with whole.open("rb") as made:
            shutil.copyfileobj(made, self._file)

    def _set_down(self) -> None:
        if self._folder is None:
            self._folder = Path(self._scratch.enter_context(TemporaryDirectory()))
        part = self._folder / f"{len(self._parts)}.parquet"
        pl.concat(self._held).write_parquet(part)
        self._parts.append(part)
        self._held = []


class _Typed:
    """Texts that were kept from delimited text as numbers, where the first rows are: formats with types want one.

    A number with zeros before it, such as a code, is text.
    """

    def __init__(self) -> None:
        self._types: dict[str, pl.DataType] | None = None

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self._types is None:
            self._types = {column.name: _type(column) for column in frame}
        for name, dtype in self._types.items():
            if frame[name].dtype != dtype:
                frame = frame.with_columns(self._cast(frame[name], dtype))
        return frame

    def _cast(self, column: pl.Series, dtype: pl.DataType) -> pl.Series:
        wrong = _unlike(column.drop_nulls(), dtype)
        if wrong.is_empty():
            return column.cast(dtype)
        what = f"{wrong[:1].to_list()[0]!r} is of another kind than the first rows"
        remedy = "write CSV, or leave the column out"
        raise UserError(what, where=f"--keep, column {column.name}", remedy=remedy, code=DATA)


def _unlike(held: pl.Series, dtype: pl.DataType) -> pl.Series:
    """The cells that a type would lose, or make another value of: 1.5 is no whole number, and 1 is not true."""
    texts = pl.String in (held.dtype, dtype)
    if not texts and pl.Boolean in (held.dtype, dtype):
        return held
    try:
        made = held.cast(dtype, strict=False)
        return held.filter(made.is_null() if texts else made.cast(held.dtype).ne_missing(held))
    except pl.exceptions.PolarsError:
        return held


def _type(column: pl.Series) -> pl.DataType:
    if column.dtype != pl.String:
        return pl.String() if column.dtype == pl.Null else column.dtype
    held = column.drop_nulls()
    if held.is_empty():
        return column.dtype
    if held.str.contains(_WHOLE).all() and (held.str.len_chars() <= _LONG).all():
        return pl.Int64()
    decimal = held.str.contains(_NUMBER) & ~held.str.contains(r"^[+-]?0[0-9]")
    return pl.Float64() if decimal.all() else column.dtype


FORMATS: dict[str, Callable[[BinaryIO, ExitStack], Writer]] = {"csv": Csv, "ndjson": Ndjson, "parquet": Parquet}
_ENDINGS = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet", ".pq": "parquet"}


def form_of(path: str | None, form: str | None) -> str:
    """The format that is asked for, by its name, else by the ending of a file; else csv.

    Raises UserError for a format or an ending that there is not.
    """
    if form is not None:
        if form not in FORMATS:
            remedy = did_you_mean(form, FORMATS) or f"there are {', '.join(FORMATS)}"
            raise UserError(f"there is no format {form}", where="--format", remedy=remedy)
        return form
    ending = Path(path or "").suffix.lower()
    if path is None or not ending or path.startswith("/dev/"):
        return "csv"
    if ending not in _ENDINGS:
        remedy = f"end it in {', '.join(_ENDINGS)}, or say --format csv"
        raise UserError(f"{ending} tells no format", where="--output", remedy=remedy)
    return _ENDINGS[ending]


@contextmanager
def writer(form: str, file: BinaryIO) -> Iterator[Writer]:
    """What writes rows to a file in a format; it is closed where nothing went wrong."""
    with ExitStack() as scratch, ThreadPoolExecutor(1) as thread:
        rows = _Behind(FORMATS[form](file, scratch), thread)
        yield rows
        rows.close()
