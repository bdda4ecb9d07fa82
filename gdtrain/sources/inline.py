"""Columns that are in memory already: from the experiment file, or given as a frame to the Python API."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from gdtrain.errors import DATA, UserError
from gdtrain.sources.cells import Kind, complaint, kind_of_text, quoted, shared_kind
from gdtrain.sources.reading import PLAIN, Bad, Levels, Reading, as_text, gap_reader, is_missing, level_reader
from gdtrain.sources.table import Column, Source, kept_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gdtrain.sources.table import Block, Keep, Kept

_KINDS: dict[str, Kind] = {"i": "number", "u": "number", "f": "number", "b": "bool", "M": "date", "m": "date"}


class InlineSource(Source):
    """Columns of a mapping of names to sequences, or of a polars or pandas DataFrame.

    An element is a number, a text, true or false, or a gap (None, NaN); numpy and torch arrays on the CPU are fine as
    columns.
    """

    def __init__(self, table: object, *, where: str, nulls: Collection[str] = ()) -> None:
        super().__init__(where, nulls)
        self._columns = {name: self._array(name, column) for name, column in self._items(table)}
        self._check_lengths()
        floats = {name: values for name, values in self._columns.items() if values.dtype in (np.float64, np.float32)}
        self._finite = {name for name, values in floats.items() if _all_finite(values)}  # known to be
        self.columns = [self._described(name, values) for name, values in self._columns.items()]

    def _items(self, table: Any) -> list[tuple[str, Any]]:
        """(name, column) in order, of a mapping or of whatever has `columns` and gives each by its name."""
        names = list(table) if isinstance(table, Mapping) else list(getattr(table, "columns", ()))
        if not names:
            raise UserError("there are no columns", where=self.where, remedy="name at least one", code=DATA)
        for name in names:
            if not isinstance(name, str) or names.count(name) > 1:
                what = "appears twice" if isinstance(name, str) else "is not named by text"
                raise UserError(f"column {name} {what}", where=self.where, remedy="rename it", code=DATA)
        return [(name, table[name]) for name in names]

    def _array(self, name: str, column: Any) -> NDArray[Any]:
        try:
            values = np.asarray(column)
            if values.dtype.kind in "SU":  # numbers beside text became text
                values = np.asarray(column, dtype=object)
        except (TypeError, ValueError):  # lists of several lengths
            values = np.empty(0)[:, None]
        if values.dtype.kind == "M" and np.datetime_data(values.dtype)[0] == "ns":
            values = values.astype("datetime64[us]")  # whose elements are no whole numbers
        if values.ndim != 1:
            raise UserError(
                f"is not one number a row, but of shape {values.shape}" if values.size else "is not a list of numbers",
                where=f"{self.where}, column {name}",
                remedy="give one number a row",
                code=DATA,
            )
        return values

    def _described(self, name: str, values: NDArray[Any]) -> Column:
        if values.dtype.kind == "f":
            return Column(name, "number", 0 if name in self._finite else int(np.isnan(values).sum()))
        if values.dtype.kind in _KINDS:
            return Column(name, _KINDS[values.dtype.kind], 0)
        present = [value for value in values.tolist() if not self._is_missing(value)]
        return Column(name, shared_kind({_kind(value) for value in present}), len(values) - len(present))

    def _check_lengths(self) -> None:
        (first, values), *rest = self._columns.items()
        for name, other in rest:
            if len(other) != len(values):
                raise UserError(
                    f"column {name} has {len(other)} rows, column {first} has {len(values)}",
                    where=self.where,
                    remedy="give all columns the same number of rows",
                    code=DATA,
                )

    def read(self, names: Sequence[str], *, copy: bool = True, reading: Reading = PLAIN) -> Block:
        if copy:
            return super().read(names, reading=reading)
        deque(self.blocks(names, reading=reading), maxlen=0)  # for what it raises and warns of
        return {name: self._numbers(name, reading) for name in names}

    def _rows(self, names: list[str], keep: Keep, size: int, reading: Reading) -> Iterator[tuple[Block, Kept]]:
        columns = {name: self._numbers(name, reading) for name in names}
        for start in range(0, len(columns[names[0]]), size):
            part = slice(start, start + size)
            beside = kept_frame({name: [*map(_kept, self._columns[name][part].tolist())] for name in keep.names})
            yield {name: values[part] for name, values in columns.items()}, beside

    def _numbers(self, name: str, reading: Reading) -> NDArray[np.float64]:
        """The column as float64, numbers converted once. Raises UserError for the first element that cannot be read."""
        values = self._columns[name]
        if name in reading.levels or values.dtype.kind not in "iufb":
            return self._each(name, values, reading)
        numbers = np.ascontiguousarray(values, dtype=np.float64)  # torch takes no negative strides
        self._columns[name] = numbers
        if name in self._finite or _all_finite(numbers):
            self._finite.add(name)
        elif name not in reading.gaps or np.isinf(numbers).any():
            self._each(name, values, reading)
        return numbers

    def _each(self, name: str, values: NDArray[Any], reading: Reading) -> NDArray[np.float64]:
        """Element by element."""
        gap, bools = gap_reader(name, reading, self.nulls), self.kind(name) == "bool"
        level = level_reader(name, reading) if name in reading.levels else None

        def read(value: object) -> float:
            if self._is_missing(value):
                return gap("nan" if isinstance(value, float) else value.strip() if isinstance(value, str) else "")
            if level is not None:
                return level(as_text(value))
            if isinstance(value, bool) and bools:
                return float(value)
            number = _number(value)
            if not np.isfinite(number):
                raise Bad(*_complaint(value))
            return number

        found = np.empty(len(values))
        for row, value in enumerate(values.tolist()):
            try:
                found[row] = read(value)
            except Bad as bad:
                where = f"{self.where}, row {row + 1}, column {name}"
                raise UserError(bad.what, where=where, remedy=bad.remedy, code=DATA) from None
        return found

    def _is_missing(self, value: object) -> bool:
        return _is_gap(value) or (isinstance(value, str) and is_missing(value.strip(), self.nulls))

    def _meet(self, found: Levels, names: list[str]) -> None:
        for name in names:
            found.add(name, {as_text(v) for v in self._columns[name].tolist() if not self._is_missing(v)})

    def survey(self) -> list[Column]:
        return self.columns


def _complaint(value: object) -> tuple[str, str]:
    what, remedy = complaint(str(_number(value) if _is_number(value) else value))
    if isinstance(value, str):
        return f"{quoted(value)} is text, not a number", "write numbers without quotes"
    return what, remedy


def _all_finite(values: NDArray[Any]) -> bool:
    """Whether all numbers are finite, without a mark for each: least and greatest are NaN where one is."""
    return not values.size or bool(np.isfinite(values.min()) and np.isfinite(values.max()))


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def _is_gap(value: object) -> bool:
    if _is_number(value):
        return bool(value != value)
    return value is None or str(value) in ("<NA>", "NaT")  # as pandas prints its own


def _kept(value: object) -> object:
    return None if _is_gap(value) else value


def _kind(value: object) -> Kind:
    if _is_number(value):
        return "number"
    if isinstance(value, str):  # a number in quotes is neither of the two
        return "mixed" if (kind := kind_of_text(value.strip())) == "number" else kind
    return "bool" if isinstance(value, bool) else "date" if hasattr(value, "isoformat") else "mixed"


def _number(value: Any) -> float:
    try:
        return float(value) if _is_number(value) else np.nan
    except (OverflowError, ValueError):  # an integer of hundreds of digits, a signalling NaN
        return np.inf
