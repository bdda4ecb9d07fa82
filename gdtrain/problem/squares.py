"""Sums of squares of rows that were gathered: what R2 and RMSE are made of, without the rows.

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
    about_T     of the targets about their mean, or about 0 where the predictor has no constant to take it up
    """

    quadratics: Sequence[Quadratic]
    about_T: Tensor

    def residual(self, theta_P: Tensor) -> Tensor:
        """Of the residuals, (T,)."""
        parts = torch.split(theta_P.double(), [q.R_MP.shape[1] for q in self.quadratics])
        return torch.stack([_sum(q, part) for q, part in zip(self.quadratics, parts, strict=True)])


def _sum(quadratic: Quadratic, theta_P: Tensor) -> Tensor:
    loss, _ = quadratic.loss_and_gradient(theta_P[None])
    return loss[0] / quadratic.scale


class Spread:
    """The sum of squares of numbers about their mean, block by block (Chan, Golub and LeVeque 1979)."""

    def __init__(self) -> None:
        self._rows, self._mean, self._about = 0, 0.0, 0.0

    def add(self, block_N: Tensor) -> None:
        block_N = block_N.double()
        rows, mean = len(block_N), float(block_N.mean())
        about = float((block_N - mean).square().sum())
        both, apart = self._rows + rows, mean - self._mean
        self._about += about + apart * apart * (self._rows / both) * rows
        self._mean += apart * (rows / both)
        self._rows = both

    @property
    def about(self) -> float:
        return self._about
