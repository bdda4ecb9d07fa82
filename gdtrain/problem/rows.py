"""What stands beside the rows: how often each counts, and what is added to its prediction.

Shapes: N rows, T targets.
"""

from __future__ import annotations

from torch import Tensor

from gdtrain.data.rows import Data
from gdtrain.problem.predictors import Rows, taken
from gdtrain.problem.problem import Columns


def weight_of(columns: Columns, data: Data) -> Tensor | None:
    """How often each row counts (N,); None where all count once."""
    return None if data.weight is None else columns[data.weight]


def chosen(column_N: Tensor, rows: Rows) -> Tensor:
    """Some rows of (N, ...), as (1, B, ...), or (S, B, ...) where trials have rows of their own."""
    mine = taken(column_N, rows)
    return mine if isinstance(rows, Tensor) and rows.dim() == 2 else mine[None]


def beside(columns: Columns, data: Data, rows: Rows) -> tuple[Tensor | None, Tensor | None]:
    """Weight and offset of some rows, (1, B) or (S, B); (1, B, 1) or (S, B, 1) where there are several targets, as a
    block takes them.
    """
    found = [None if name is None else chosen(columns[name], rows) for name in (data.weight, data.offset)]
    if data.targets > 1:
        found = [None if one is None else one[..., None] for one in found]
    return found[0], found[1]
