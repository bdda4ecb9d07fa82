"""Columns that are in memory already: from the experiment file, or given as a frame to the Python API."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from gdtrain.errors import DATA, UserError
from gdtrain.sources.cells import complaint, quoted
from gdtrain.sources.table import Column, Kind, Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gdtrain.sources.table import Block

_KINDS: dict[str, Kind] = {"i": "number", "u": "number", "f": "number", "b": "bool", "M": "date", "m": "date"}


class InlineSource(Source):
    """Columns of a mapping of names to sequences, or of a polars or pandas DataFrame.

    An element is a number, or a gap (None, NaN); numpy and torch arrays on the CPU are fine as columns.
    """

    def __init__(self, table: object, *, where: str) -> None:
        super().__init__(where)
        self._columns = {name: self._array(name, column) for name, column in self._items(table)}
        self._check_lengths()
        self.columns = [_described(name, values) for name, values in self._columns.items()]

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
        if values.ndim != 1:
            raise UserError(
                f"is not one number a row, but of shape {values.shape}" if values.size else "is not a list of numbers",
                where=f"{self.where}, column {name}",
                remedy="give one number a row",
                code=DATA,
            )
        return values

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

    def read(self, names: Sequence[str], *, copy: bool = True) -> Block:
        if copy:
            return super().read(names)
        deque(self.blocks(names), maxlen=0)  # for what it raises and warns of
        return {name: self._numbers(name) for name in names}

    def _blocks(self, names: list[str], size: int) -> Iterator[Block]:
        columns = {name: self._numbers(name) for name in names}
        for start in range(0, len(columns[names[0]]), size):
            yield {name: values[start : start + size] for name, values in columns.items()}

    def _numbers(self, name: str) -> NDArray[np.float64]:
        """The column as float64, converted once. Raises UserError for the first element that is no finite number."""
        values = self._columns[name]
        if values.dtype.kind in "iuf":
            numbers = np.ascontiguousarray(values, dtype=np.float64)  # torch takes no negative strides
        else:
            numbers = np.array([_number(value) for value in values.tolist()], dtype=np.float64)
        finite = np.isfinite(numbers)
        if not finite.all():
            row = int(np.argmin(finite))
            raise self._bad(name, row, values[row])
        self._columns[name] = numbers
        return numbers

    def _bad(self, name: str, row: int, value: Any) -> UserError:
        what, remedy = complaint("" if value is None else str(_number(value) if _is_number(value) else value))
        if isinstance(value, str) and not what.startswith("the cell"):
            what, remedy = f"{quoted(value)} is text, not a number", "write numbers without quotes"
        return UserError(what, where=f"{self.where}, row {row + 1}, column {name}", remedy=remedy, code=DATA)

    def survey(self) -> list[Column]:
        return self.columns


def _described(name: str, values: NDArray[Any]) -> Column:
    if values.dtype.kind == "f":
        return Column(name, "number", int(np.isnan(values).sum()))
    if values.dtype.kind in _KINDS:
        return Column(name, _KINDS[values.dtype.kind], 0)
    present = [value for value in values.tolist() if not _is_gap(value)]
    kinds: set[Kind] = {_kind(value) for value in present}
    return Column(name, kinds.pop() if len(kinds) == 1 else "text", len(values) - len(present))


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def _is_gap(value: object) -> bool:
    if _is_number(value):
        return bool(value != value)
    return value is None or str(value) in ("<NA>", "NaT")  # as pandas prints its own


def _kind(value: object) -> Kind:
    if _is_number(value):
        return "number"
    return "bool" if isinstance(value, bool) else "date" if hasattr(value, "isoformat") else "text"


def _number(value: Any) -> float:
    try:
        return float(value) if _is_number(value) else np.nan
    except (OverflowError, ValueError):  # an integer of hundreds of digits, a signalling NaN
        return np.inf
