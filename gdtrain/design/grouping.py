"""Which group each row is of: the values of a column, text, numbers, dates or true and false."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gdtrain.design.labels import is_read_as_text
from gdtrain.sources import Source

Value = str | float | bool

_MOST = 10_000_000  # groups
_MANY = "group by a column with fewer values"


@dataclass(frozen=True)
class Grouping:
    """The column that rows are grouped by.

    texts   it is read as places among them; None where it is read as numbers
    truth   whether these stand for true and false
    levels  its texts, unless they are read anyway
    """

    column: str
    texts: Sequence[str] | None
    truth: bool
    levels: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, column: str, source: Source, levels: Mapping[str, Sequence[str]]) -> Grouping:
        """By a column of a table, of which `levels` are read as texts anyway. Raises UserError (exit 3)."""
        source.require([column])
        if column in levels:
            return cls(column, levels[column], False, {})
        if not is_read_as_text(source, column):
            return cls(column, None, source.kind(column) == "bool", {})
        texts = source.levels([column], _MOST, _MANY)[column]
        return cls(column, texts, False, {column: texts})

    def value(self, number: float) -> Value:
        """What the table has where it was read as this number."""
        if self.texts is not None:
            return self.texts[int(number)]
        if self.truth:
            return bool(number)
        return int(number) if number.is_integer() and abs(number) < 2**53 else number

    def values(self, number_G: np.ndarray) -> list[Value]:
        """The same of several."""
        return [self.value(number) for number in number_G.tolist()]
