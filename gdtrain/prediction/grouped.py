"""Rows of another table, each told by its group: which fit predicts it, or why none does.

Shapes: G groups, n rows of a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from gdtrain.data.fresh import Block, Fresh
from gdtrain.design.grouping import Value
from gdtrain.errors import DATA, UserError, did_you_mean
from gdtrain.problem.bygroup import GROUP
from gdtrain.sources import Reading, Source
from gdtrain.sources.reading import as_text

Refusal = tuple[str, str]

_LISTED = 5  # groups that a message lists
_MANY = 10_000  # groups among which a close one is looked for
_MOST = 10_000_000  # texts of a column that are looked at to tell one


@dataclass(frozen=True)
class FreshGroups(Fresh):
    """How such rows are read.

    column    that tells their groups
    values    it has in each group
    refusals  why the fit of a group does not predict, and the remedy; None where it does
    count     how many groups there were; fewer may have been saved
    number_G  what the column is read as in each group, in order, and place_G which group that is
    """

    column: str = ""
    values: Sequence[Value] = ()
    refusals: Sequence[Refusal | None] = ()
    count: int = 0
    number_G: np.ndarray = field(default_factory=lambda: np.zeros(0))
    place_G: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @cached_property
    def refused_G(self) -> np.ndarray:
        """Whether the fit of a group does not predict."""
        return np.array([refusal is not None for refusal in self.refusals])

    @classmethod
    def of(
        cls, fresh: Fresh, column: str, values: Sequence[Value], refusals: Sequence[Refusal | None], count: int
    ) -> FreshGroups:
        """Rows that the fit of one group reads in this way. Raises ValueError where groups are not told apart."""
        names, numbers = fresh.names, values
        texts = [value for value in values if isinstance(value, str)]
        if texts:
            levels = names.levels.get(column, texts)
            names = replace(names, levels={**names.levels, column: levels})
            codes = {text: code for code, text in enumerate(levels)}
            numbers = [codes[str(value)] for value in values]
        names = replace(names, inputs=list(dict.fromkeys([column, *names.inputs])))
        number_G, place_G = np.unique(np.array(numbers, dtype=np.float64), return_index=True)
        if len(number_G) < len(values):
            raise ValueError
        own = cls(names, fresh.missing, fresh.means, fresh.unseen, fresh.designed, column, values, refusals, count)
        return replace(own, number_G=number_G, place_G=place_G)

    def blocks(self, source: Source, *how: Any, **more: Any) -> Iterator[Block]:
        """The rows of a table in blocks, as `Fresh` has them; GROUP tells the group of each.

        Raises UserError (exit 3) as that, and for the first row whose group has no fit that predicts.
        """
        for block in super().blocks(source, *how, **more):
            yield replace(block, made={**block.made, GROUP: self._groups(block, source).astype(np.float64)})

    def _reading(self, source: Source, beside: Sequence[str]) -> Reading:
        reading = super()._reading(source, beside)
        return replace(reading, unseen=[*reading.unseen, self.column])  # which is told below, as any other value is

    def _groups(self, block: Block, source: Source) -> np.ndarray:
        read_n = block.read[self.column]
        found_n = np.searchsorted(self.number_G, read_n).clip(max=len(self.number_G) - 1)
        strange_n: np.ndarray = self.number_G[found_n] != read_n
        group_n: np.ndarray = self.place_G[found_n]
        refused_n = self.refused_G[group_n]
        wrong_n = strange_n | refused_n
        if wrong_n.any():
            row = int(np.argmax(wrong_n))
            where = f"{source.where}, row {block.first + row:,}, column {self.column}"
            if strange_n[row] or (refusal := self.refusals[group_n[row]]) is None:
                raise self._strange(self._shown(source, block.first + row, read_n[row]), where)
            what, remedy = refusal
            raise UserError(f"{_text(self.values[group_n[row]])} {what}", where=where, remedy=remedy, code=DATA)
        return group_n

    def _strange(self, value: str, where: str) -> UserError:
        """What to say of a value that no group has."""
        texts, size = [_text(each) for each in self.values[:_MANY]], len(self.values)
        if size < self.count:
            what = f"{value} is none of the {size:,} groups that were saved"
            return UserError(what, where=where, remedy=f"there were {self.count:,}: save them all", code=DATA)
        more = f" and {size - _LISTED:,} more" if size > _LISTED else ""
        told = f"the groups are {', '.join(texts[:_LISTED])}{more}; leave the row out, or fit them with rows of it"
        what, remedy = f"{value} is no group that training had", did_you_mean(value, texts) or told
        return UserError(what, where=where, remedy=remedy, code=DATA)

    def _shown(self, source: Source, row: int, number: float) -> str:
        """What the table has in a row, from 1, where it was read as a number: texts that are no group are all one."""
        if self.column not in self.names.levels:
            return _text(bool(number) if isinstance(self.values[0], bool) else float(number))
        texts = source.levels([self.column], _MOST)[self.column]
        for block in source.blocks([self.column], reading=Reading({self.column: texts}, gaps=[self.column])):
            if row <= len(block[self.column]):
                return texts[int(block[self.column][row - 1])]
            row -= len(block[self.column])
        raise AssertionError


def _text(value: Value) -> str:
    """A value as the table has it."""
    return f"{value:.15g}" if isinstance(value, float) else as_text(value)
