"""Parquet, through polars."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import polars as pl

from gdtrain.errors import DATA, UserError
from gdtrain.sources.cells import FILL, Kind, complaint
from gdtrain.sources.fast import FAILURES, Doubt, batches, block, codes
from gdtrain.sources.origin import Origin
from gdtrain.sources.reading import Levels, Reading
from gdtrain.sources.table import BLOCK_ROWS, Column, Source

if TYPE_CHECKING:
    from gdtrain.sources.table import Block, Keep, Kept


class ParquetSource(Source):
    """Columns of a Parquet file: numbers, decimals included, and true and false; as levels, texts and numbers."""

    def __init__(self, origin: Origin, nulls: Collection[str] = ()) -> None:
        super().__init__(origin.where, nulls)
        self._origin = origin
        try:
            schema = self._scan().collect_schema()
        except FAILURES:
            raise self._broken() from None
        self.columns = [Column(name, _kind(dtype)) for name, dtype in schema.items()]

    def _scan(self) -> pl.LazyFrame:
        return pl.scan_parquet(self._origin.scannable(), glob=False)

    def _broken(self) -> UserError:
        return UserError(
            "is not a readable Parquet file", where=self.where, remedy="write or fetch it again", code=DATA
        )

    def _rows(self, names: list[str], keep: Keep, size: int, reading: Reading) -> Iterator[tuple[Block, Kept]]:
        for column in self.columns:
            if column.name in names and column.kind not in _READ and column.name not in reading.levels:
                raise self._not_numbers(column)
        made = [self._expression(name, reading).alias(str(at)) for at, name in enumerate(names)]
        beside = [pl.col(name).alias(f"kept {name}") for name in keep.names]
        given = 0
        try:
            for batch in batches(self._scan().select(*made, *beside), size):
                numbers = batch.select(map(str, range(len(names))))
                self._check(numbers, names, given, reading)
                rest = batch.select(pl.col(f"kept {name}").alias(name) for name in keep.names) if keep else None
                yield block(numbers, names, reading.gaps), rest
                given += batch.height
        except Doubt:
            raise self._broken() from None

    def _expression(self, name: str, reading: Reading) -> pl.Expr:
        """A column as float64, null where a cell is missing and may be."""
        if name in reading.levels:
            return codes(self._text(name), reading.levels[name], unseen=name in reading.unseen)
        number = pl.col(name).cast(pl.Float64)
        return number.fill_nan(None) if name in reading.gaps else number

    def _text(self, name: str) -> pl.Expr:
        """A column as the texts of levels; null where a cell is missing."""
        text = pl.col(name).cast(pl.String)
        if self.kind(name) == "number":
            text = text.str.strip_suffix(".0")
        if self.kind(name) == "date":
            text = text.str.replace(_EMPTY_TIME, "")
        text = text.str.strip_chars()
        return pl.when((text != "") & ~text.is_in(list(self.nulls))).then(text)

    def _meet(self, found: Levels, names: list[str]) -> None:
        try:
            for batch in batches(self._scan().select(self._text(name).alias(name) for name in names), BLOCK_ROWS):
                for name in names:
                    found.add(name, batch[name].drop_nulls().unique().to_list())
        except Doubt:
            raise self._broken() from None

    def _not_numbers(self, column: Column) -> UserError:
        remedies = {"date": "write a number of days"}
        return UserError(
            f"the column holds {_HOLDS[column.kind]}, not numbers",
            where=f"{self.where}, column {column.name}",
            remedy=remedies.get(column.kind, "leave the column out"),
            code=DATA,
        )

    def _check(self, batch: pl.DataFrame, names: list[str], given: int, reading: Reading) -> None:
        """Raises UserError for the first row of `batch` with a cell that is missing, not finite or no level."""
        good = [pl.col(str(at)).is_finite().fill_null(name in reading.gaps) for at, name in enumerate(names)]
        bad = batch.select(~pl.all_horizontal(good)).to_series()
        if not bad.any():
            return
        row = bad.arg_max() or 0
        for name, value in zip(names, batch.row(row), strict=True):
            if value is None and name in reading.gaps:
                continue
            what, remedy = complaint("" if value is None else repr(value))
            if value is None or value != value:
                remedy = reading.advice.get(name, FILL)
            elif name in reading.levels:
                what, remedy = f"the text is no level of {name}", "add it to regress.levels, or mend the cell"
            if value is None or value - value != 0:
                where = f"{self.where}, row {given + row + 1}, column {name}"
                raise UserError(what, where=where, remedy=remedy, code=DATA)

    def survey(self) -> list[Column]:
        try:
            gaps = self._scan().null_count().collect(engine="streaming").row(0)
        except FAILURES:
            raise self._broken() from None
        return [Column(c.name, c.kind, count) for c, count in zip(self.columns, gaps, strict=True)]


_READ = ("number", "bool")
_EMPTY_TIME = r"( 00:00:00)?(\.0+)?$"  # of a date: 2024-01-01 00:00:00.000
_HOLDS = {"text": "text", "date": "dates or times"}


def _kind(dtype: pl.DataType) -> Kind:
    if dtype.is_numeric():
        return "number"
    if dtype.is_temporal():
        return "date"
    return "bool" if dtype == pl.Boolean else "text"
