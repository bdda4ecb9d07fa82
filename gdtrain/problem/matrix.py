"""The columns of a linear predictor in memory, laid out as suits the way its rows are read.

Shapes: N rows, B of a block, F features, D = F + 1 columns of the design (F without an intercept).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor

from gdtrain.problem.parameters import Scaling
from gdtrain.problem.predictors import Rows, taken

_CHUNK = 1 << 12  # rows that are turned at once: they stay in the cache
_SMALL = 1 << 16  # numbers that are put side by side once: no more than stay in the cache


def matrix(
    columns: Sequence[Tensor], intercept: bool, scaling: Scaling | None, like: Tensor, *, scattered: bool
) -> Tensor | Apart:
    """The columns (N,) side by side, then a column of ones for the intercept: (N, D).

    scaling    that they are brought to; none unless given
    like       of N rows
    scattered  whether rows are asked for here and there, not in ranges: then each row lies whole, else each column

    Columns that need not change are not copied, unless they are short.
    """
    size = len(columns) + intercept
    if not columns:
        return like.new_ones(len(like), size)
    if scattered:
        return _row_by_row(columns, scaling, like.new_ones(len(like), size))
    if scaling is None and len(like) * size > _SMALL:
        return Apart(columns, intercept)
    return _column_by_column(columns, scaling, like.new_ones(size, len(like)))


def _row_by_row(columns: Sequence[Tensor], scaling: Scaling | None, x_ND: Tensor) -> Tensor:
    for start in range(0, len(x_ND), _CHUNK):
        x_BF = torch.stack([column[start : start + _CHUNK] for column in columns], 1)
        if scaling is not None:
            x_BF = x_BF.sub_(scaling.mean_F).div_(scaling.sd_F)
        x_ND[start : start + _CHUNK, : len(columns)] = x_BF
    return x_ND


def _column_by_column(columns: Sequence[Tensor], scaling: Scaling | None, x_DN: Tensor) -> Tensor:
    for i, column in enumerate(columns):
        if scaling is None:
            x_DN[i] = column
        else:
            torch.sub(column, scaling.mean_F[i], out=x_DN[i]).div_(scaling.sd_F[i])
    return x_DN.T


class Apart:
    """Columns that lie where they were read; a block of them is put side by side when it is walked.

    That takes little beside reading them from memory, and there is no second copy of the table.
    """

    def __init__(self, columns: Sequence[Tensor], intercept: bool) -> None:
        self._columns, self._intercept, self._place = list(columns), intercept, _Place()

    def matrix(self) -> Tensor:
        """(B, D). Under inference_mode it holds until the next one is asked for in the same thread."""
        like, columns = self._columns[0], self._columns
        if torch.is_inference_mode_enabled():
            x_DB = self._place.ones(len(columns) + self._intercept, like)
            torch.stack(columns, out=x_DB[: len(columns)])
        else:
            x_DB = torch.stack([*columns, like.new_ones(len(like))] if self._intercept else columns)
        return x_DB.T

    def of(self, rows: Rows) -> Tensor | Apart:
        """Some of the rows: those of a range stay where they are."""
        if isinstance(rows, slice):
            some = copy(self)
            some._columns = [column[rows] for column in self._columns]
            return some
        columns = [taken(column, rows) for column in self._columns]
        return torch.stack([*columns, torch.ones_like(columns[0])] if self._intercept else columns, -1)


class _Place(threading.local):
    """Where a thread puts blocks, one after another."""

    def __init__(self) -> None:
        self._x_DB: Tensor | None = None

    def ones(self, columns: int, like: Tensor) -> Tensor:
        """(D, B) for rows such as `like`, whose last row nobody has written to."""
        if self._x_DB is None or self._x_DB.shape[1] < len(like):
            self._x_DB = like.new_ones(columns, len(like))
        return self._x_DB[:, : len(like)]
