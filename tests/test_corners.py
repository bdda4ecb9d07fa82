"""Medians and quantiles by `lbfgs`: the optimum of the linear programme, to the last digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

import gdtrain

SEEDS = range(4)


def table(seed: int, *, tied: bool = False) -> dict[str, Any]:
    """Rows with outliers; `tied`: of few values each, so that many residuals are 0 at once."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(30, 200))
    X = rng.integers(0, 4, (size, 3)).astype(float) if tied else rng.normal(0, [1, 100, 1e-3], (size, 3))
    y = X @ ([1.0, 2.0, -1.0] if tied else [2.0, 0.03, 500.0]) + (
        rng.integers(-2, 3, size) if tied else rng.standard_t(1, size)
    )
    return {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": y, "w": rng.integers(0, 4, size).astype(float)}


def least(rows: dict[str, Any], q: float, weight: np.ndarray) -> float:
    """The least weighted mean of q*u + (1 - q)*v over y - X theta = u - v, u and v at least 0."""
    X = np.column_stack([rows["a"], rows["b"], rows["c"], np.ones(len(rows["y"]))])
    size = len(X)
    found = linprog(
        np.concatenate([np.zeros(4), q * weight, (1 - q) * weight]) / weight.sum(),
        A_eq=np.hstack([X, np.eye(size), -np.eye(size)]),
        b_eq=rows["y"],
        bounds=[(None, None)] * 4 + [(0, None)] * (2 * size),
        method="highs",
    )
    return float(found.fun)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_quantile_is_the_optimum_of_the_linear_programme(seed: int, tied: bool, q: float) -> None:
    rows = table(seed, tied=tied)
    result = gdtrain.regress(rows, "y", ["a", "b", "c"], loss={"name": "quantile", "q": q})
    assert result.train["optimizer"]["name"] == "lbfgs"
    assert result.loss["final"] == pytest.approx(least(rows, q, np.ones(len(rows["y"]))), rel=1e-9)
    assert result.verdict.status == "converged"


@pytest.mark.parametrize("scale", ["none", "standard"])
@pytest.mark.parametrize("seed", SEEDS)
def test_weighted_absolute_errors(seed: int, scale: str) -> None:
    rows = table(seed)
    keys: dict[str, Any] = {"data.sample_weight": "w", "data.scale": scale}
    result = gdtrain.regress(rows, "y", ["a", "b", "c"], loss="mae", optimizer="lbfgs", **keys)
    assert result.loss["final"] == pytest.approx(2 * least(rows, 0.5, rows["w"]), rel=1e-9)
    assert result.verdict.status == "converged"


def test_a_median_to_its_last_digit() -> None:
    """Of an odd number of rows it is one of them; of an even number any between two has the same loss."""
    rows = {"y": np.array([3.1, -7.25, 0.3, 1e6, 0.7])}
    assert gdtrain.fit("y = m", rows, loss="mae").params["m"] == pytest.approx(0.7, rel=1e-13)
    even = gdtrain.fit("y = m", {"y": rows["y"][:4]}, loss="mae")
    assert 0.3 <= even.params["m"] <= 3.1
    assert even.verdict.status == "converged"


def test_a_curve_through_outliers() -> None:
    """Most rows lie on the curve, and it goes through these."""
    x = np.linspace(0, 3, 40)
    y = 2 * np.exp(-0.7 * x)
    y[::7] += 5
    result = gdtrain.fit("y = a*exp(-b*x)", {"x": x, "y": y}, loss="mae")
    assert result.verdict.status == "converged"
    assert result.params == pytest.approx({"a": 2, "b": 0.7}, rel=1e-9)


def test_short_of_it_is_not_at_rest() -> None:
    rows = table(1)
    short = gdtrain.regress(rows, "y", ["a", "b", "c"], loss="mae", optimizer="lbfgs", epochs=2)
    assert short.verdict.status == "max_epochs"


def test_at_a_bound() -> None:
    """Against a subgradient descent with falling steps, which comes near."""
    rows = table(2, tied=True)
    keys: dict[str, Any] = {"loss": "mae", "params": {"a": {"start": 0.0, "max": 0.4}}, "data.scale": "none"}
    slowly: dict[str, Any] = {"optimizer": "adam", "lr": 0.05, "epochs": 8000, "train.schedule": "cosine"}
    result = gdtrain.regress(rows, "y", ["a", "b", "c"], optimizer="lbfgs", **keys)
    slow = gdtrain.regress(rows, "y", ["a", "b", "c"], **keys, **slowly)
    assert result.params["a"] == 0.4
    assert result.loss["final"] <= slow.loss["final"] * (1 + 1e-12)
    assert result.verdict.status == "converged"
