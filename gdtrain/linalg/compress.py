"""Streaming compression of rows: at most W rows, the triangle of a QR factorisation, stand for all N.

With [A c] = Q R and Q's columns orthonormal, ||A theta + c|| = ||R (theta, 1)|| for every theta. The triangle of the
rows so far and of the next ones, stacked, has the same triangle as all of them, so each row is needed once (Golub and
Van Loan, Matrix Computations, 4th ed., section 5.2; Demmel et al. 2012). Householder's factorisation has errors in
proportion to each column's own length: columns of very different scales lose nothing to one another.

Few rows are factorised in extended precision, where the processor has it: the residuals, however long, then leave no
rounding in what determines the optimum. On the hardest reference sets that gains up to three digits.

Shapes: N rows, W columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

_ROWS = 8192  # of a factorisation: 1.4 MB for 22 columns, in cache; from 2,048 to 16,384 it hardly matters
SMALL = 100_000  # rows times W^2 up to which extended precision takes about a millisecond at most
_EXTENDED = np.finfo(np.longdouble).nmant == 63  # 128 bits would be reckoned by software, 64 gain nothing


class Gatherer(Protocol):
    """Takes in rows block by block, and is merged with others of its kind."""

    def add(self, block: dict[str, np.ndarray]) -> None: ...

    def merged(self, others: Sequence[Self]) -> Self: ...


G = TypeVar("G", bound=Gatherer)


class Compressor:
    """Rows in, at most W of them kept, in float64. How the rows are cut into blocks does not matter but to rounding."""

    def __init__(self, width: int) -> None:
        self._triangle = torch.zeros(0, width, dtype=torch.float64)
        self._rows = max(_ROWS, 4 * width)
        self.rows = 0

    def add(self, block_NW: Tensor, weight_N: Tensor | None = None) -> None:
        """Take in some rows; each counts `weight_N` times, once unless given.

        Fastest where columns are contiguous, as in `torch.stack(columns).mT`.
        """
        block_NW = block_NW.double()
        if weight_N is not None:
            block_NW = block_NW * weight_N.double().sqrt()[:, None]
        for first in range(0, len(block_NW), self._rows):
            # Stacked as columns, since LAPACK wants them contiguous.
            stacked = torch.cat([self._triangle.mT, block_NW[first : first + self._rows].mT], dim=1).mT
            self._triangle = _factor(stacked)
        self.rows += len(block_NW)

    def merged(self, others: Sequence[Compressor]) -> Compressor:
        """What all of their rows would have come to."""
        if not others:
            return self
        whole = Compressor(self._triangle.shape[1])
        whole.add(torch.cat([each.result() for each in (self, *others)]))
        whole.rows = sum(each.rows for each in (self, *others))
        return whole

    def result(self) -> Tensor:
        """R, upper triangular (min(N, W), W)."""
        return self._triangle


def _factor(rows_NW: Tensor) -> Tensor:
    if _EXTENDED and rows_NW.shape[0] * rows_NW.shape[1] ** 2 <= SMALL:
        return torch.from_numpy(_extended(rows_NW.numpy()))
    factor: Tensor = torch.linalg.qr(rows_NW, mode="r").R
    return factor


def _extended(rows_NW: np.ndarray) -> np.ndarray:
    """R by Householder reflections in extended precision, rounded once at the end."""
    with np.errstate(all="ignore"):  # what is not finite stays so
        left = rows_NW.astype(np.longdouble)
        for j in range(min(len(left) - 1, left.shape[1])):
            corner = left[j:, j:]
            largest = np.abs(corner[:, 0]).max()
            if largest == 0:
                continue
            normal = corner[:, 0] / largest
            normal[0] += np.copysign(np.sqrt(normal @ normal), normal[0])
            corner -= np.outer(normal, normal @ corner * (2 / (normal @ normal)))
        return np.triu(left[: left.shape[1]]).astype(np.float64)


def triangle(rows_NW: Tensor) -> Tensor:
    """R, upper triangular (min(N, W), W), of rows that are all at hand."""
    compressor = Compressor(rows_NW.shape[1])
    compressor.add(rows_NW)
    return compressor.result()
