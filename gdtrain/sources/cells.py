"""What a cell of text holds: a finite number, or what is wrong with it and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from math import isfinite, nan
from typing import Literal

from gdtrain.errors import printable

# mixed: of several kinds, or numbers that are written so that they cannot be read; empty: without a value
Kind = Literal["number", "text", "bool", "date", "mixed", "empty"]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T ].*)?|[0-9]{1,2}[/.][0-9]{1,2}[/.][0-9]{2,4}")
_BOOLS = frozenset(("true", "false"))
_GAPS = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", ".", "?", "missing"))
_SHOWN = 60  # characters of a cell that a message shows
FILL = "fill it in, or set data.missing: drop"  # the remedy for a missing cell


def number(cell: str) -> float:
    """The value of `cell`; nan or an infinity where it holds no finite number.

    Narrower than float(): no underscores, no digits of other scripts.
    """
    try:
        value = float(cell)
    except ValueError:
        return nan
    return value if cell.isascii() and "_" not in cell else nan


def numbers(cells: Sequence[str]) -> list[float]:
    """`number` of each of `cells`."""
    text = "".join(cells)
    if text.isascii() and "_" not in text:
        try:
            return list(map(float, cells))
        except ValueError:
            pass
    return [number(cell.strip()) for cell in cells]


def quoted(cell: str) -> str:
    """`cell` as a message shows it: in quotes, printable, cut when it is long."""
    shown = printable(cell[:_SHOWN])
    return f"'{shown}'" if len(cell) <= _SHOWN else f"'{shown}...' ({len(cell)} characters)"


def is_date(cell: str) -> bool:
    """Whether `cell` is written as a date."""
    return _DATE.fullmatch(cell) is not None


def is_gap(cell: str) -> bool:
    """Whether `cell`, stripped, stands for no value: empty, NA, null, a dash ..."""
    return cell.lower() in _GAPS


class Tally:
    """What the cells of a column are, met one by one.

    nulls  words that stand for no value, beside the usual ones
    met    how many there were
    gaps   those that stand for no value
    """

    __slots__ = ("_kinds", "_nulls", "gaps", "met")

    def __init__(self, nulls: Collection[str] = ()) -> None:
        self.met = 0
        self.gaps = 0
        self._kinds: set[Kind] = set()
        self._nulls = nulls

    def add(self, cell: str) -> None:
        """Counts one cell more."""
        cell = cell.strip()
        self.met += 1
        if cell in self._nulls or is_gap(cell):
            self.gaps += 1
        else:
            self._kinds.add(kind_of_text(cell))

    @property
    def kind(self) -> Kind:
        """The kind that all cells share, gaps aside; mixed where they share none, empty where all are gaps."""
        return shared_kind(self._kinds)


def kind_of_text(cell: str) -> Kind:
    """The kind of a cell, stripped, that is no gap; mixed where it looks like a number that is written otherwise."""
    if isfinite(number(cell)):
        return "number"
    if cell.lower() in _BOOLS:
        return "bool"
    if is_date(cell):
        return "date"
    return "mixed" if any(pattern.fullmatch(cell) for pattern, _, _ in _SLIPS) else "text"


def shared_kind(kinds: Collection[Kind]) -> Kind:
    """The kind of a column of cells of these kinds."""
    return "empty" if not kinds else next(iter(kinds)) if len(kinds) == 1 else "mixed"


def complaint(cell: str) -> tuple[str, str]:
    """What keeps `cell` from being a finite number, and the remedy."""
    cell = cell.strip()
    if not cell:
        return "the cell is empty", FILL
    for pattern, what, remedy in _RULES:
        if pattern.fullmatch(cell):
            return f"{quoted(cell)} {what}", remedy(cell)
    return f"{quoted(cell)} is not a number", "mend it, list it under data.null_values, or leave the column out"


def _point(cell: str) -> str:
    return f"write a decimal point: {cell.replace('.', '').replace(',', '.')}"


def _plain(cell: str) -> str:
    return "write " + re.sub("[,_ \u00a0\u202f]", "", cell)


def _point_or_plain(cell: str) -> str:
    point, plain = cell.replace(",", "."), cell.replace(",", "")
    return f"write {point} if that is a decimal comma, {plain} if it parts thousands"


def _ascii(cell: str) -> str:
    return "write a plain minus sign: " + cell.replace("\u2212", "-")


def _decimal(cell: str) -> str:
    return f"write {int(cell, 16)}" if len(cell) < _SHOWN else "write it in decimal"


def _percent(cell: str) -> str:
    return f"write {float(cell[:-1].strip()) / 100!r}"


def _null_value(cell: str) -> str:
    return f'set data.null_values: ["{cell}"] and data.missing: drop, or fill it in'


def _say(remedy: str) -> Callable[[str], str]:
    return lambda cell: remedy


_Rule = tuple[re.Pattern[str], str, Callable[[str], str]]


def _compiled(rules: Sequence[tuple[str, str, Callable[[str], str]]]) -> tuple[_Rule, ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), what, remedy) for pattern, what, remedy in rules)


_MISSING = _compiled(
    (
        (r"[+-]?nan", "is not a number (NaN)", _null_value),
        (
            "|".join(re.escape(word) for word in sorted(_GAPS - {"", "nan"})),
            "stands for a missing value",
            _null_value,
        ),
    )
)
# What looks like a number, and is none that can be read.
_SLIPS = _compiled(
    (
        (r"[+-]?inf(inity)?", "is not finite", _say("fill in a finite number, or delete the row")),
        (_NUMBER.pattern, "is too large for float64 (at most 1.8e308)", _say("choose a larger unit")),
        (
            r"[+-]?[0-9]{1,3}(,[0-9]{3})+\.[0-9]*|[+-]?[0-9]{1,3}(,[0-9]{3}){2,}",
            "parts its thousands",
            _plain,
        ),
        (r"[+-]?[1-9][0-9]{0,2},[0-9]{3}", "has a comma", _point_or_plain),
        (r"[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]*),[0-9]+(e[+-]?[0-9]+)?", "has a decimal comma", _point),
        (r"[+-]?[0-9.]+(_[0-9.]+)+(e[+-]?[0-9]+)?", "has an underscore", _plain),
        (r"[+-]?[0-9]{1,3}([ \u00a0\u202f][0-9]{3})+(\.[0-9]*)?", "parts its thousands", _plain),
        (r"[+-]?0x[0-9a-f]+", "is hexadecimal", _decimal),
        (r"[+-]?[0-9]+(\.[0-9]+)? ?%", "is a percentage", _percent),
        (r"[+-]?[$\u20ac\u00a3\u00a5].*|.*[$\u20ac\u00a3\u00a5]", "is money", _say("write the number alone")),
        (r"\u2212[0-9.e]+", "has a typographic minus sign", _ascii),
    )
)
_WORDS = _compiled(
    (
        (r"true|false", "is not a number", _say("write 1 or 0")),
        (_DATE.pattern, "is a date, not a number", _say("leave the column out, or write a number of days")),
        (r"(grand )?(total|sum|mean|average|count)s?:?", "is not a number", _say("delete the row of totals")),
        (r"(#|//).*", "is not a number", _say("if the line is a comment: set data.comment: '#'")),
    )
)
_RULES = (*_MISSING, *_SLIPS, *_WORDS)  # the first pattern that matches the whole cell speaks
