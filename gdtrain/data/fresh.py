"""Rows of another table than the one that was trained on, read as its rows were: to be predicted.

Shapes: N rows, n rows of a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gdtrain.data.predictions import PredictedRows, shown
from gdtrain.design.columns import Columns, Design
from gdtrain.design.gaps import Gaps
from gdtrain.experiment.names import Names
from gdtrain.sources import BLOCK_ROWS, NOTHING, Keep, Reading, Source

if TYPE_CHECKING:
    from gdtrain.sources.table import Kept

FILLED = "mean fills only numbers that predict: set data.missing: drop, or fill it in"
_ADVICE = {  # on the gaps of rows to predict
    "error": "fill it in, or delete the row",
    "drop": "a row to predict is not dropped: fill it in",
    "mean": FILLED,
}


@dataclass(frozen=True)
class Block:
    """Some rows.

    made   what the predictor takes, and what was read beside it, (n,) each
    read   the columns as they were read
    kept   cells as they stand, if any were asked for
    first  number of the first row in the table, from 1
    """

    made: Columns
    read: Columns
    kept: Kept
    first: int

    @property
    def count(self) -> int:
        return len(next(iter(self.read.values())))


@dataclass(frozen=True)
class Fresh:
    """How such rows are read.

    missing   what becomes of gaps: `mean` fills those of the columns of `means`, else they are refused
    means     column -> what fills its gaps
    unseen    whether a text that is no level is taken for the reference
    designed  whether the predictor takes the columns of the design
    """

    names: Names
    missing: str = "error"
    means: Mapping[str, float] = field(default_factory=dict)
    unseen: bool = False
    designed: bool = True

    def blocks(
        self, source: Source, beside: Sequence[str] = (), keep: Keep = NOTHING, size: int = BLOCK_ROWS
    ) -> Iterator[Block]:
        """The rows of a table in blocks. Raises UserError (exit 3) where they are wrong.

        beside  columns that are read besides the inputs, such as the target
        keep    the cells that come along as they stand
        """
        first, gaps = 1, Gaps("mean", self.means) if self.missing == "mean" else None
        for read, texts in source.rows(self._read(source, beside), keep, size, self._reading(source, beside)):
            mended = gaps.mend(read) if gaps else read
            count = len(next(iter(mended.values())))
            yield Block(self.made(mended, source.where, range(first, first + count)), mended, texts, first)
            first += count

    def rows(self, source: Source) -> PredictedRows:
        """The rows of a table, whole. Raises UserError (exit 3) where they are wrong."""
        blocks = list(self.blocks(source))
        read = {name: np.concatenate([block.read[name] for block in blocks]) for name in blocks[0].read}
        made = {name: np.concatenate([block.made[name] for block in blocks]) for name in blocks[0].made}
        return PredictedRows(made, sum(block.count for block in blocks), shown(self.names, read))

    def made(self, read: Columns, where: str, numbers: Sequence[int]) -> Columns:
        """What the predictor takes, of columns as they were read; the columns that it leaves stay beside it."""
        made = Design(self.names.design, where)(read, numbers) if self.designed else {}
        return {**made, **{name: read[name] for name in read if name not in made}}

    def _read(self, source: Source, beside: Sequence[str]) -> list[str]:
        """The columns to read: one at least, whatever it holds, which tells how many rows there are."""
        return list(dict.fromkeys([*self.names.inputs, *beside])) or source.names[:1]

    def _reading(self, source: Source, beside: Sequence[str]) -> Reading:
        names, inputs = self._read(source, beside), self.names.inputs
        if not inputs and not beside:
            return Reading(dict.fromkeys(names, ()), gaps=names, unseen=names)
        levels = {name: texts for name, texts in self.names.levels.items() if name in names}
        return Reading(
            levels,
            gaps=[name for name in self.means if name in inputs],
            unseen=[name for name in levels if name in inputs] if self.unseen else (),
            advice=dict.fromkeys(names, _ADVICE[self.missing]),
        )
