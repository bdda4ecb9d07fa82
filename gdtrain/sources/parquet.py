"""Parquet, through polars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl

from gdtrain.errors import DATA, UserError
from gdtrain.sources.cells import complaint
from gdtrain.sources.fast import FAILURES, Doubt, batches, block
from gdtrain.sources.origin import Origin
from gdtrain.sources.table import Column, Kind, Source

if TYPE_CHECKING:
    from gdtrain.sources.table import Block


class ParquetSource(Source):
    """Columns of a Parquet file; those of numbers, decimals included, may be read."""

    def __init__(self, origin: Origin) -> None:
        super().__init__(origin.where)
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

    def _blocks(self, names: list[str], size: int) -> Iterator[Block]:
        for column in self.columns:
            if column.name in names and column.kind != "number":
                raise self._not_numbers(column)
        numbers = [pl.col(name).cast(pl.Float64).alias(str(at)) for at, name in enumerate(names)]
        given = 0
        try:
            for batch in batches(self._scan().select(numbers), size):
                self._check(batch, names, given)
                yield block(batch, names)
                given += batch.height
        except Doubt:
            raise self._broken() from None

    def _not_numbers(self, column: Column) -> UserError:
        remedies = {"bool": "write 1 and 0", "date": "write a number of days"}
        return UserError(
            f"the column holds {_HOLDS[column.kind]}, not numbers",
            where=f"{self.where}, column {column.name}",
            remedy=remedies.get(column.kind, "leave the column out"),
            code=DATA,
        )

    def _check(self, batch: pl.DataFrame, names: list[str], given: int) -> None:
        """Raises UserError for the first row of `batch` with a number that is missing or not finite."""
        bad = batch.select(~pl.all_horizontal(pl.all().is_finite().fill_null(False))).to_series()
        if not bad.any():
            return
        row = bad.arg_max() or 0
        for name, value in zip(names, batch.row(row), strict=True):
            what, remedy = complaint("" if value is None else repr(value))
            if value is None or value - value != 0:
                where = f"{self.where}, row {given + row + 1}, column {name}"
                raise UserError(what, where=where, remedy=remedy, code=DATA)

    def survey(self) -> list[Column]:
        try:
            gaps = self._scan().null_count().collect(engine="streaming").row(0)
        except FAILURES:
            raise self._broken() from None
        return [Column(c.name, c.kind, count) for c, count in zip(self.columns, gaps, strict=True)]


_HOLDS = {"text": "text", "bool": "true and false", "date": "dates or times"}


def _kind(dtype: pl.DataType) -> Kind:
    if dtype.is_numeric():
        return "number"
    if dtype.is_temporal():
        return "date"
    return "bool" if dtype == pl.Boolean else "text"
