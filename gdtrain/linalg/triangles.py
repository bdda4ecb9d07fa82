"""The triangles of many groups of rows at once: what `compress` makes of each alone.

Groups of few rows are factorised side by side, in extended precision where the processor has it; rows of zeros that
fill the shorter ones up change nothing.

Shapes: G groups, N rows of all of them, B of a batch's longest, W columns.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from gdtrain.linalg.compress import SMALL, triangle

_NUMBERS = 1 << 20  # of a batch, 16 bytes each: more fall out of the cache


def triangles(rows_NW: Tensor, edge_G: np.ndarray) -> Tensor:
    """R (G, W, W), upper triangular, of each group of rows.

    edge_G  (G + 1,) where each group begins and ends; rows of none lie between
    """
    width = rows_NW.shape[1]
    size_G = np.diff(edge_G)
    found = torch.zeros(len(size_G), width, width, dtype=torch.float64)
    few_G = size_G * width**2 <= SMALL
    rows = rows_NW.numpy()
    for batch, longest in _batches(size_G, np.flatnonzero(few_G), width):
        inside = np.arange(longest) < size_G[batch, None]
        left = np.zeros((len(batch), longest, width), dtype=np.longdouble)
        left[inside] = rows[(edge_G[batch, None] + np.arange(longest))[inside]]
        found[torch.from_numpy(batch)] = torch.from_numpy(_reflected(left))
    for g in np.flatnonzero(~few_G).tolist():
        upper_MW = triangle(rows_NW[edge_G[g] : edge_G[g + 1]])
        found[g, : len(upper_MW)] = upper_MW
    return found


def _batches(size_G: np.ndarray, some: np.ndarray, width: int) -> Iterator[tuple[np.ndarray, int]]:
    """Groups of about a size, and how many rows to give each."""
    ordered = some[np.argsort(size_G[some], kind="stable")]
    first = 0
    while first < len(ordered):
        least = max(width, int(size_G[ordered[first]]))
        last = int(np.searchsorted(size_G[ordered], 2 * least, side="right"))
        last = min(max(last, first + 1), first + max(1, _NUMBERS // (2 * least * width)))
        batch = ordered[first:last]
        yield batch, max(width, int(size_G[batch].max()))
        first = last


def _reflected(left_GBW: np.ndarray) -> np.ndarray:
    """R by Householder reflections in the precision of the rows, which are overwritten; rounded once at the end."""
    width = left_GBW.shape[2]
    with np.errstate(all="ignore"):  # what is not finite stays so
        for j in range(min(left_GBW.shape[1] - 1, width)):
            corner = left_GBW[:, j:, j:]
            largest_G1 = np.abs(corner[:, :, :1]).max(1)
            normal_GB = corner[:, :, 0] / np.where(largest_G1 == 0, 1, largest_G1)
            normal_GB[:, 0] += np.copysign(np.sqrt(np.square(normal_GB).sum(1)), normal_GB[:, 0])
            square_G1 = np.square(normal_GB).sum(1, keepdims=True)
            along_GW = np.einsum("gb,gbw->gw", normal_GB, corner) * (2 / np.where(square_G1 == 0, 1, square_G1))
            corner -= normal_GB[:, :, None] * along_GW[:, None, :]
        upper: np.ndarray = np.triu(left_GBW[:, :width]).astype(np.float64)
    return upper
