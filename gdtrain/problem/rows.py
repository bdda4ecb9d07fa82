"""What stands beside the rows: how often each counts, and what is added to its prediction.

Shapes: N rows, T targets.
"""

from __future__ import annotations

from torch import Tensor

from gdtrain.problem.data import Data
from gdtrain.problem.problem import Columns


def weight_of(columns: Columns, data: Data) -> Tensor | None:
    """How often each row counts (N,); None where all count once."""
    return None if data.weight is None else columns[data.weight]


def beside(columns: Columns, data: Data, part: slice) -> tuple[Tensor | None, Tensor | None]:
    """Weight and offset of some rows, (1, N); (1, N, 1) where there are several targets, as a block takes them."""
    shape = (1, -1, 1) if data.targets > 1 else (1, -1)
    found = [None if name is None else columns[name][part].view(shape) for name in (data.weight, data.offset)]
    return found[0], found[1]
