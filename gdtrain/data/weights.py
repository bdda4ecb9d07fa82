"""How often rows count: as a column says, or as it follows from the standard error of each row.

Shapes: N rows of a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from gdtrain.design.columns import RowNumbers
from gdtrain.errors import DATA, UserError
from gdtrain.experiment.features import weight_column
from gdtrain.experiment.schema import Experiment

Columns = dict[str, np.ndarray]  # float64 (N,) each


@dataclass(frozen=True)
class Weights:
    """The column of weights, where there is one.

    column  of the table, that they are read from; None where every row counts once
    errors  whether it holds standard errors: a row's weight is then 1/sigma^2
    """

    column: str | None
    errors: bool

    @classmethod
    def of(cls, experiment: Experiment | None) -> Weights:
        """Those of an experiment."""
        column = next(iter(weight_column(experiment)), None) if experiment else None
        return cls(column, bool(experiment and experiment.data and experiment.data.sigma))

    @property
    def name(self) -> str | None:
        """What the column of weights is called."""
        return f"1/{self.column}^2" if self.errors else self.column

    def weighed(self, block: Columns, numbers: RowNumbers, where: str) -> Columns:
        """A block with its weights. Raises UserError for a standard error that is not above 0, and a weight below 0.

        numbers  of its rows in the table, which messages call `where`
        """
        if self.column is None or self.name is None:
            return block
        given = block[self.column]
        wrong = ~(given > 0) if self.errors else given < 0
        if wrong.any():
            row = int(np.argmax(wrong))
            value, place = f"{given[row]:.6g}", f"in row {numbers[row]:,}"
            what = f"a standard error is {value} {place}" if self.errors else f"a weight is negative, {value}, {place}"
            remedy = "give each row one above 0" if self.errors else "a row counts 0 times or more"
            raise UserError(what, where=f"{where}, column {self.column}", remedy=remedy, code=DATA)
        return {**block, self.name: 1 / np.square(given)} if self.errors else block

    def over(self, blocks: Iterable[Columns], where: str) -> Iterator[Columns]:
        """The blocks of a whole table with their weights."""
        rows = 0
        for block in blocks:
            before, rows = rows, rows + len(next(iter(block.values())))
            yield self.weighed(block, range(before + 1, rows + 1), where)
