"""How cells become the numbers of a block: texts as codes against known levels, true and false as 1 and 0,
and what a missing cell becomes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan

from gdtrain.errors import DATA, UserError
from gdtrain.sources.cells import FILL, complaint, number, quoted

UNSEEN = -1.0  # the code of a text that is no level
_BOOLS = {"true": 1.0, "false": 0.0}
_LISTED = 5  # levels that a message lists


class Bad(Exception):
    """A cell that cannot be read: what is wrong with it, and the remedy. The source knows the place."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


@dataclass(frozen=True, slots=True)
class Reading:
    """What is asked of a block beyond finite numbers.

    levels  name -> texts: the column is read as the place of its text among them, 0 first
    gaps    columns whose missing cells are NaN in the block; elsewhere a missing cell is an error
    unseen  columns in which a text that is no level is -1; elsewhere it is an error
    advice  name -> the remedy for its missing cells, where the usual one will not do
    """

    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    gaps: Collection[str] = ()
    unseen: Collection[str] = ()
    advice: Mapping[str, str] = field(default_factory=dict)


PLAIN = Reading()


def is_missing(cell: str, nulls: Collection[str]) -> bool:
    """Whether a cell, stripped, is empty or one of the words for a missing value."""
    return not cell or cell in nulls


def gap_reader(name: str, reading: Reading, nulls: Collection[str]) -> Callable[[str], float]:
    """What a missing cell of a column becomes: NaN, or Bad."""

    def gap(cell: str) -> float:
        if name in reading.gaps:
            return nan
        what = f"{quoted(cell)} stands for a missing value" if cell in nulls else complaint(cell)[0]
        raise Bad(what, reading.advice.get(name, FILL))

    return gap


def cell_reader(name: str, kind: str, reading: Reading, nulls: Collection[str]) -> Callable[[str], float]:
    """The number of a cell of text in a column; it raises Bad."""
    gap = gap_reader(name, reading, nulls)
    plain = _bool if kind == "bool" else _number
    value = level_reader(name, reading) if name in reading.levels else plain

    def read(cell: str) -> float:
        cell = cell.strip()
        return gap(cell) if is_missing(cell, nulls) else value(cell)

    return read


def level_reader(name: str, reading: Reading) -> Callable[[str], float]:
    """The code of a text, stripped; it raises Bad for one that is no level."""
    levels = reading.levels[name]
    codes = {level: float(code) for code, level in enumerate(levels)}

    def code(text: str) -> float:
        found = codes.get(text)
        if found is not None:
            return found
        if name in reading.unseen:
            return UNSEEN
        more = f" and {len(levels) - _LISTED:,} more" if len(levels) > _LISTED else ""
        raise Bad(f"{quoted(text)} is no level of {name}", f"the levels are {', '.join(levels[:_LISTED])}{more}")

    return code


def as_text(value: object) -> str:
    """A number, a truth value or a date as the text of a level: 4 and 4.0 are `4`, True is `true`, midnight its day."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if hasattr(value, "isoformat"):
        return str(value).removesuffix(" 00:00:00")
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


class Levels:
    """The different texts of columns, met one by one. Raises UserError (DATA) once a column has more than `most`."""

    def __init__(self, names: Sequence[str], most: int, where: str, remedy: str) -> None:
        self.names = list(names)
        self._found: dict[str, set[str]] = {name: set() for name in names}
        self._most, self._where, self._remedy = most, where, remedy

    def add(self, name: str, texts: Collection[str]) -> None:
        found = self._found[name]
        found.update(texts)
        if len(found) > self._most:
            raise UserError(
                f"the text has more than {self._most:,} different values",
                where=f"{self._where}, column {name}",
                remedy=self._remedy,
                code=DATA,
            )

    def sorted(self) -> dict[str, list[str]]:
        """Column -> its levels in order of code points."""
        return {name: sorted(found) for name, found in self._found.items()}


def _number(cell: str) -> float:
    value = number(cell)
    if not isfinite(value):
        raise Bad(*complaint(cell))
    return value


def _bool(cell: str) -> float:
    value = _BOOLS.get(cell.lower())
    if value is None:
        raise Bad(f"{quoted(cell)} is neither true nor false", "write true or false")
    return value
