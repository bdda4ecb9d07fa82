"""How many rows there are, and what they count for.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Tally:
    """The weights of rows, added up block by block.

    size        their sum: what the rows count for
    rows        how many of them count at all
    whole       whether every weight is a whole number, as of rows that stand for several
    log_weight  sum of the logarithms of those above 0
    """

    size: float = 0.0
    rows: int = 0
    whole: bool = True
    log_weight: float = 0.0

    def add(self, count: int, weight_N: Tensor | None = None) -> None:
        """Take in so many rows; each counts `weight_N` times, once unless given."""
        if weight_N is None:
            self.size, self.rows = self.size + count, self.rows + count
            return
        weight_N = weight_N.double()
        some = weight_N[weight_N > 0]
        self.size += float(weight_N.sum())
        self.rows += len(some)
        self.whole = self.whole and bool((some == torch.round(some)).all())
        self.log_weight += float(some.log().sum())

    def merged(self, others: Sequence[Tally]) -> Tally:
        """Of the rows of all of them."""
        each = [self, *others]
        return Tally(
            sum(one.size for one in each),
            sum(one.rows for one in each),
            all(one.whole for one in each),
            sum(one.log_weight for one in each),
        )
