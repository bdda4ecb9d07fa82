"""Missing values: counted, and their rows dropped or their cells filled with the mean of the column.

Shapes: n rows of a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gdtrain.errors import DATA, UserError

Columns = dict[str, np.ndarray]  # float64 (n,) each, NaN where a cell is missing

_PLACES = 5  # rows that are told


@dataclass
class Gaps:
    """Rows with missing values, as they were met.

    rule     `drop` or `mean`
    means    what fills the gaps of a column
    seen     rows that were met, whole or not
    rows     those with a gap
    columns  name -> its gaps
    first    numbers of the first rows with a gap, from 1
    numbers  of the rows of the last block that was mended
    """

    rule: str
    means: Mapping[str, float] = field(default_factory=dict)
    seen: int = 0
    rows: int = 0
    columns: dict[str, int] = field(default_factory=dict)
    first: list[int] = field(default_factory=list)
    numbers: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64), repr=False)

    def mend(self, block: Columns) -> Columns:
        """The block without gaps."""
        size = len(next(iter(block.values())))
        self.numbers = np.arange(self.seen + 1, self.seen + size + 1)
        gaps = {name: missing for name, values in block.items() if (missing := np.isnan(values)).any()}
        if not gaps:
            self.seen += size
            return block
        some = np.logical_or.reduce(list(gaps.values()))
        self._count(gaps, some)
        self.seen += size
        if self.rule == "drop":
            self.numbers = self.numbers[~some]
            return {name: values[~some] for name, values in block.items()}
        filled = {name: np.where(missing, self.means[name], block[name]) for name, missing in gaps.items()}
        return {**block, **filled}

    def _count(self, gaps: Mapping[str, np.ndarray], some: np.ndarray) -> None:
        self.rows += int(some.sum())
        for name, missing in gaps.items():
            self.columns[name] = self.columns.get(name, 0) + int(missing.sum())
        room = _PLACES - len(self.first)
        self.first += self.numbers[some][:room].tolist()

    def sentence(self, where: str) -> str:
        """How many rows and where; "" where none has a gap."""
        if not self.rows:
            return ""
        done = "dropped" if self.rule == "drop" else "filled with the mean of their column"
        missing = ", ".join(f"{count:,} without {name}" for name, count in self.columns.items())
        places = ", ".join(f"{row:,}" for row in self.first) + (", ..." if self.rows > len(self.first) else "")
        whole = f"{self.rows:,} of {self.seen:,} rows have a missing value, {done}"
        return f"{where}: {whole}: {missing} (row{'s'[: self.rows > 1]} {places})"

    def document(self) -> dict[str, Any]:
        """The `data.missing` section of a result document."""
        return {"rule": self.rule, "rows": self.rows, "columns": self.columns, "first_rows": self.first}


def whole_rows(blocks: Iterable[Columns]) -> Iterator[Columns]:
    """The rows of each block that have no gap."""
    for block in blocks:
        whole = ~np.logical_or.reduce([np.isnan(values) for values in block.values()])
        yield {name: values[whole] for name, values in block.items()}


def means(blocks: Iterable[Columns], names: Sequence[str], weight: str | None, where: str) -> dict[str, float]:
    """The mean of each column's values that are there, each counted as often as its row's weight says.

    Raises UserError (DATA) for a column without any.
    """
    total = dict.fromkeys(names, 0.0)
    count = dict.fromkeys(names, 0.0)
    for block in blocks:
        for name in names:
            there = ~np.isnan(block[name])
            values = block[name][there]
            often = block[weight][there] if weight is not None else np.ones(len(values))
            count[name] += float(often.sum())
            total[name] += float((often * values).sum())
    for name in names:
        if not count[name] > 0:
            raise UserError(
                "every cell is missing", where=f"{where}, column {name}", remedy="leave the column out", code=DATA
            )
    return {name: total[name] / count[name] for name in names}
