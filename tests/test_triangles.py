"""The triangles of many groups at once: those of each alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gdtrain.linalg.compress import triangle
from gdtrain.linalg.triangles import triangles


def upper(rows_NW: torch.Tensor) -> torch.Tensor:
    """The triangle of some rows with diagonals that are not negative, rows of zeros below where these are few."""
    found = torch.zeros(rows_NW.shape[1], rows_NW.shape[1], dtype=torch.float64)
    alone = triangle(rows_NW)
    found[: len(alone)] = alone
    return signed(found)


def signed(upper_WW: torch.Tensor) -> torch.Tensor:
    signs = torch.where(upper_WW.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0)
    return upper_WW * signs[..., None]


@pytest.mark.parametrize("width", [1, 2, 5])
def test_each_is_that_of_its_rows_alone(width: int) -> None:
    sizes = [1, 2, 3, 20, 20, 21, 7, 100, 12_000, 4, 30_000]
    draw = np.random.default_rng(width)
    rows_NW = torch.from_numpy(draw.normal(size=(sum(sizes), width)) * 10.0 ** np.arange(width) + 3)
    edges = np.cumsum([0, *sizes])
    found = triangles(rows_NW, edges)
    for g, size in enumerate(sizes):
        expected = upper(rows_NW[edges[g] : edges[g + 1]])
        error = (signed(found[g]) - expected).abs() / expected.norm(dim=0)
        assert float(error.max()) < (1e-15 if size < 12_000 else 1e-14), size
        assert bool((found[g].tril(-1) == 0).all())


def test_rows_without_numbers_spoil_their_own_group_alone() -> None:
    rows_NW = torch.ones(9, 2, dtype=torch.float64)
    rows_NW[:, 1] = torch.arange(9)
    rows_NW[4, 0] = torch.inf
    rows_NW[6:, 0] = 0.0
    found = triangles(rows_NW, np.array([0, 3, 6, 9]))
    assert not bool(found[1].isfinite().all())
    torch.testing.assert_close(signed(found[0]), upper(rows_NW[:3]), rtol=1e-15, atol=1e-15)
    assert found[2, 0, 0] == 0
    torch.testing.assert_close(found[2].mT @ found[2], rows_NW[6:].mT @ rows_NW[6:], rtol=1e-15, atol=1e-13)
