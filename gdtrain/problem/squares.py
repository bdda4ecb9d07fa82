"""Sums of squares of rows that were gathered, as often as each counts: what R2 and RMSE are made of, without the rows.

Shapes: N rows, T targets, P trained parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gdtrain.problem.quadratic import Quadratic


@dataclass(frozen=True)
class Squares:
    """Sums of squares of each target.

    quadratics  the loss of each target over its own parameters, which stand in theta one target after another
    about_T     of the targets, offsets and all, about their mean, or about 0 where the predictor has no constant to
                take it up
    size        what the rows count for, and `rows` how many of them count at all
    """

    quadratics: Sequence[Quadratic]
    about_T: Tensor
    size: float
    rows: int

    def residual(self, theta_P: Tensor) -> Tensor:
        """Of the residuals, (T,)."""
        parts = torch.split(theta_P.double(), [q.R_MP.shape[1] for q in self.quadratics])
        return torch.stack([_sum(q, part) for q, part in zip(self.quadratics, parts, strict=True)])


def _sum(quadratic: Quadratic, theta_P: Tensor) -> Tensor:
    loss, _ = quadratic.loss_and_gradient(theta_P[None])
    return loss[0] / quadratic.scale


class Spread:
    """Sums of squares of numbers about their means, block by block (Chan, Golub and LeVeque 1979).

    size  what the rows count for, and `rows` how many of them count at all
    """

    def __init__(self) -> None:
        self.size, self.rows = 0.0, 0
        self._mean_T, self._about_T = torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)

    def add(self, block_TN: Tensor, weight_N: Tensor | None = None) -> None:
        """Take in the numbers of some rows, each counted `weight_N` times, once unless given."""
        block_TN = block_TN.double()
        weight_N = block_TN.new_ones(block_TN.shape[1]) if weight_N is None else weight_N.double()
        size = float(weight_N.sum())
        if size == 0:
            return
        mean_T = block_TN @ weight_N / size
        about_T = (block_TN - mean_T[:, None]).square() @ weight_N
        self._join(size, int((weight_N > 0).sum()), mean_T, about_T)

    def merged(self, others: Sequence[Spread]) -> Spread:
        """Over the numbers of all of them."""
        whole = Spread()
        for each in (self, *others):
            if each.size:
                whole._join(each.size, each.rows, each._mean_T, each._about_T)
        return whole

    def _join(self, size: float, rows: int, mean_T: Tensor, about_T: Tensor) -> None:
        apart_T, whole = mean_T - self._mean_T, self.size + size
        self._about_T = self._about_T + about_T + apart_T * apart_T * (self.size / whole) * size
        self._mean_T = self._mean_T + apart_T * (size / whole)
        self.size, self.rows = whole, self.rows + rows

    @property
    def about_mean(self) -> Tensor:
        """(T,)"""
        return self._about_T

    @property
    def about_zero(self) -> Tensor:
        """(T,)"""
        return self._about_T + self.size * self._mean_T.square()

    def squares(self, quadratics: Sequence[Quadratic]) -> Squares:
        """With the residuals' sums, of predictors that take up the mean."""
        return Squares(quadratics, self.about_mean, self.size, self.rows)
