"""A column that does not vary says nothing: training goes on as if it were not there."""

from typing import Any

import numpy as np
import pytest

import gdtrain

RNG = np.random.default_rng(5)
N = 60
WEIGHTS = np.r_[np.zeros(3), RNG.random(N - 3)]
Z = RNG.normal(2, 1, N)
TABLE = {"z": Z, "y": 3 * Z + RNG.normal(size=N), "w": WEIGHTS}
THREE_TENTHS = np.full(N, 0.3)
SPLITS: dict[str, dict[str, Any]] = {
    "all rows": {},
    "weights": {"data.sample_weight": "w"},
    "holdout": {"data.split.holdout": 0.25},
    "folds": {"data.split.folds": 3},
}


@pytest.mark.parametrize("engine", ["exact", "loop"])
@pytest.mark.parametrize("scale", ["standard", "minmax"])
@pytest.mark.parametrize("split", SPLITS)
def test_it_changes_nothing(engine: str, scale: str, split: str) -> None:
    column = np.where(WEIGHTS > 0, 0.3, 100) if split == "weights" else THREE_TENTHS  # rows that count hold one value
    settings = {"engine": engine, "data.scale": scale, **SPLITS[split]}
    settings |= {"epochs": 10_000, "stop.grad_tol": 1e-12}
    found = gdtrain.regress(TABLE | {"x": column}, "y", ["x", "z"], **settings)
    without = gdtrain.regress(TABLE, "y", ["z"], **settings)
    assert found.params["x"] == pytest.approx(0, abs=1e-12)
    assert found.params["z"] == pytest.approx(without.params["z"], rel=1e-9)
    assert {k: v for k, v in found.loss.items() if k != "name"} == pytest.approx(
        {k: v for k, v in without.loss.items() if k != "name"}, rel=1e-9
    )


@pytest.mark.parametrize("rows", [3, 99_999])  # roundings of many rows add up to more than a few eps
@pytest.mark.parametrize("scale", ["standard", "minmax"])
def test_the_rate_that_is_chosen_is_that_of_the_other_columns(rows: int, scale: str) -> None:
    z = np.resize([1.0, 2.0, 4.0], rows)
    table = {"x": np.full(rows, 0.3), "z": z, "y": np.resize([1.0, 2.0, 3.0], rows)}
    settings: dict[str, Any] = {"data.scale": scale}
    found = gdtrain.regress(table, "y", ["x", "z"], **settings)
    assert found.loss["final"] == pytest.approx(1 / 42, rel=1e-9)  # residuals (-2, 3, -1)/14
    assert found.params["x"] == pytest.approx(0, abs=1e-12)
    assert found.curvature is not None
    assert found.curvature["smallest"] == 0.0
    assert found.curvature["condition"] < 100
