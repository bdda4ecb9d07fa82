"""The rows of a table, group by group: each group reads as a table of its rows alone would.

Levels of text, and classes, are the whole table's. All rows are held in memory, sorted by group.

Shapes: N rows, G groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from gdtrain.data.rows import Columns, Data, joined
from gdtrain.design.columns import RowNumbers
from gdtrain.design.grouping import Value


class GroupRows(Data):
    """The rows of one group.

    read, made  their columns as they stand in the table, and as they are asked for
    numbers     where they stand in the table, from 1
    """

    def __init__(self, whole: Data, read: Columns, made: Columns, numbers: np.ndarray) -> None:
        vars(self).update(whole.uncached, grouping=None, gaps=None, numbers=numbers, rows=len(numbers), _notes=[])
        self._read, self._asked_for = read, made

    @cached_property
    def columns(self) -> Columns:
        return self._asked_for

    def _blocks(self) -> Iterator[tuple[Columns, Columns, RowNumbers]]:
        assert self.numbers is not None
        yield self._read, self._asked_for, self.numbers


class Groups:
    """All groups of a table, in the order of their values.

    values   of the column that tells them apart, as the table has them
    made     the columns that are asked for, (N,), of one group after another
    edges    (G + 1,) where each begins and ends
    """

    def __init__(self, whole: Data) -> None:
        """Reads the table. Raises UserError (exit 3) where the data is wrong."""
        assert whole.grouping is not None
        self.whole, self.column = whole, whole.grouping.column
        blocks = list(whole._blocks())
        numbers = np.concatenate([np.asarray(numbers) for _, _, numbers in blocks])
        read = {self.column: np.concatenate([read[self.column] for read, _, _ in blocks])}
        order = np.argsort(read[self.column], kind="stable")
        number_G, first_G = np.unique(read[self.column][order], return_index=True)
        self.values: list[Value] = whole.grouping.values(number_G)
        self.edges = np.append(first_G, len(order))
        self._numbers = numbers[order]
        self.made = _sorted(joined([made for _, made, _ in blocks]), order)
        # Columns that are asked for as they were read are held once.
        self._read = self.made if whole._plain else _sorted(joined([read for read, _, _ in blocks]), order)

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def sizes(self) -> list[int]:
        """How many rows each has."""
        sizes: list[int] = np.diff(self.edges).tolist()
        return sizes

    def of(self, g: int) -> GroupRows:
        """The rows of one. Raises UserError (exit 3) where none of them counts."""
        part = slice(int(self.edges[g]), int(self.edges[g + 1]))
        read, made = ({name: column[part] for name, column in each.items()} for each in (self._read, self.made))
        weight = self.whole.weight
        if weight is not None and not made[weight].sum() > 0:
            what = f"every weight is 0 where {self.column} is {self.values[g]}"
            raise self.whole._error(what, "give some rows a weight, or leave these rows out")
        return GroupRows(self.whole, read, made, self._numbers[part])


def _sorted(columns: Columns, order: np.ndarray) -> Columns:
    return {name: column[order] for name, column in columns.items()}
