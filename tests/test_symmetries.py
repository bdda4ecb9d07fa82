"""What must not matter: whether a row counts k times or stands k times, in which order rows and columns come.

Tables are drawn from a seed; each has numbers, a column of text, true and false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest

import gdtrain
from gdtrain import Result

TOLERANCE = 1e-10
SEEDS = (0, 1, 2)
FEATURES = ["x", "city*z", "flag:x", "log(x)"]
FORMULA = "y = a*x + b*z + c"

# A loss, and what the rows hold where eta is what they were drawn around.
Draw = Callable[[np.random.Generator, np.ndarray], np.ndarray]
TARGETS: Mapping[str, Draw] = {
    "mse": lambda rng, eta: eta + rng.normal(0, 1, len(eta)),
    "huber": lambda rng, eta: eta + rng.standard_t(2, len(eta)),
    "quantile": lambda rng, eta: eta + rng.normal(0, 1, len(eta)),
    "logistic": lambda rng, eta: np.where(rng.random(len(eta)) < 1 / (1 + np.exp(-eta)), "yes", "no"),
    "softmax": lambda rng, eta: rng.choice(["low", "mid", "top"], len(eta)),
    "poisson": lambda rng, eta: rng.poisson(np.exp(eta)).astype(float),
    "gamma": lambda rng, eta: rng.gamma(2, np.exp(eta)) + 0.01,
}
CASES = [("mse", "exact"), *((loss, "loop") for loss in TARGETS)]
LOSSES = pytest.mark.parametrize(("loss", "engine"), CASES)
SCALES = pytest.mark.parametrize("scale", ["none", "standard", "minmax"])
DRAWN = pytest.mark.parametrize("seed", SEEDS)


def table(loss: str, seed: int) -> pl.DataFrame:
    """Random rows, of which each counts 0 to 3 times; those that hold a level or a class for the first time count."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(30, 80))
    x, z = rng.uniform(0.5, 2, size), rng.normal(0, 1, size)
    frame = pl.DataFrame(
        {
            "x": x,
            "city": rng.choice(["Oslo", "Paris", "Rome"], size),
            "z": z,
            "flag": rng.random(size) < 0.5,
            "y": TARGETS[loss](rng, 0.5 * x - 0.3 * z),
        }
    )
    first = pl.int_range(pl.len()).over("city") == 0
    classes = (pl.int_range(pl.len()).over("y") == 0) if loss in ("logistic", "softmax") else pl.lit(False)
    weight = pl.when(first | classes).then(2.0).otherwise(pl.Series(rng.integers(0, 4, size).astype(float)))
    return frame.with_columns(w=weight)


def repeated(frame: pl.DataFrame) -> pl.DataFrame:
    often = frame["w"].to_numpy().astype(int)
    return frame[np.repeat(np.arange(len(frame)), often).tolist()]


def regress(frame: pl.DataFrame, loss: str, engine: str, features: Any = FEATURES, **more: Any) -> Result:
    keys: dict[str, Any] = {"lr": 0.05, "epochs": 30, "data.scale": "none"} | more
    return gdtrain.regress(frame, "y", features, loss=loss, engine=engine, **keys)


def fit(frame: pl.DataFrame, loss: str, engine: str, **more: Any) -> Result:
    keys: dict[str, Any] = {"lr": 0.05, "epochs": 30, "params": {"a": 0.1, "b": 0.2, "c": 0.3}} | more
    return gdtrain.fit(FORMULA, frame, loss=loss, engine=engine, **keys)


def same(found: Result, expected: Result, *, without: tuple[str, ...] = ()) -> None:
    """The same parameters by name, loss and metrics."""
    assert found.params == pytest.approx(expected.params, rel=TOLERANCE, abs=TOLERANCE)
    for end in ("initial", "final"):
        assert found.loss[end] == pytest.approx(expected.loss[end], rel=TOLERANCE, abs=TOLERANCE)
    assert found.metrics.keys() == expected.metrics.keys()
    for name in found.metrics.keys() - {*without, "confusion"}:
        assert found.metrics[name] == pytest.approx(expected.metrics[name], rel=TOLERANCE, abs=TOLERANCE), name
    assert found.metrics.get("confusion") == expected.metrics.get("confusion")


def moved(found: Result, start: float = 0.0) -> None:
    """That there was something to compare."""
    assert found.metrics
    assert sum(abs(value - start) > 1e-3 for value in found.params.values()) >= 3


# A weight of k is k rows. (adjusted_r2 counts rows, however often they count: as in R.)


@LOSSES
@SCALES
@DRAWN
def test_a_weight_is_a_row_repeated(loss: str, engine: str, scale: str, seed: int) -> None:
    frame = table(loss, seed)
    weighted = regress(frame, loss, engine, **{"data.scale": scale, "data.sample_weight": "w"})
    moved(weighted)
    same(weighted, regress(repeated(frame), loss, engine, **{"data.scale": scale}), without=("adjusted_r2",))


@pytest.mark.parametrize(("loss", "engine"), [case for case in CASES if case[0] != "softmax"])
@DRAWN
def test_a_weight_is_a_row_repeated_in_fit(loss: str, engine: str, seed: int) -> None:
    frame = table(loss, seed)
    weighted = fit(frame, loss, engine, **{"data.sample_weight": "w"})
    moved(weighted)
    same(weighted, fit(repeated(frame), loss, engine), without=("adjusted_r2",))


DESCENTS: Mapping[str, dict[str, Any]] = {
    "lr that is worked out": {"lr": "auto"},
    "momentum": {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True}},
    "adam": {"optimizer": "adam"},
    "ridge": {"penalty": {"l2": 0.3}},
    "elastic net": {"penalty": {"l1": 0.05, "l2": 0.1}},
    "schedule and clip": {"train.schedule": "cosine", "train.clip": 1.0},
    "offset": {"data.offset": "z", "features": ["x", "city"]},
}


@pytest.mark.parametrize("descent", DESCENTS)
@pytest.mark.parametrize("loss", ["mse", "logistic", "poisson"])
def test_a_weight_is_a_row_repeated_however_it_is_descended(descent: str, loss: str) -> None:
    frame, keys = table(loss, 3), {"data.scale": "standard", **DESCENTS[descent]}
    weighted = regress(frame, loss, "auto", **keys, **{"data.sample_weight": "w"})
    moved(weighted)
    same(weighted, regress(repeated(frame), loss, "auto", **keys), without=("adjusted_r2",))


@pytest.mark.parametrize("engine", ["exact", "loop"])
def test_a_mean_that_fills_gaps_counts_as_rows_do(engine: str) -> None:
    frame = table("mse", 4).with_columns(z=pl.when(pl.int_range(pl.len()) % 7 == 3).then(None).otherwise(pl.col("z")))
    keys: dict[str, Any] = {"data.missing": "mean", "data.scale": "standard"}
    weighted = regress(frame, "mse", engine, **keys, **{"data.sample_weight": "w"})
    same(weighted, regress(repeated(frame), "mse", engine, **keys), without=("adjusted_r2",))


# Order


@LOSSES
@SCALES
@DRAWN
def test_rows_may_come_in_any_order(loss: str, engine: str, scale: str, seed: int) -> None:
    frame, keys = table(loss, seed), {"data.scale": scale, "data.sample_weight": "w"}
    result = regress(frame, loss, engine, **keys)
    moved(result)
    same(regress(frame.sample(fraction=1, shuffle=True, seed=seed), loss, engine, **keys), result)


@pytest.mark.parametrize(("loss", "engine"), [case for case in CASES if case[0] != "softmax"])
def test_rows_of_a_fit_may_come_in_any_order(loss: str, engine: str) -> None:
    frame = table(loss, 5)
    result = fit(frame, loss, engine)
    moved(result)
    same(fit(frame.sample(fraction=1, shuffle=True, seed=5), loss, engine), result)


@LOSSES
@SCALES
@DRAWN
def test_columns_may_come_in_any_order(loss: str, engine: str, scale: str, seed: int) -> None:
    """Weights go by name; those of classes in the order of the classes."""
    frame, keys = table(loss, seed), {"data.scale": scale}
    result = regress(frame, loss, engine, **keys)
    others = np.random.default_rng(seed).permutation(["city*z", "log(x)", "flag:x", "x"]).tolist()
    permuted = regress(frame, loss, engine, others, **keys)
    assert list(permuted.params) != list(result.params)
    moved(permuted)
    same(permuted, result)


@LOSSES
def test_columns_of_a_table_may_come_in_any_order(loss: str, engine: str) -> None:
    frame = table(loss, 6)
    result = regress(frame, loss, engine, "*", **{"data.sample_weight": "w"})
    permuted = regress(
        frame.select("flag", "w", "z", "y", "city", "x"), loss, engine, "*", **{"data.sample_weight": "w"}
    )
    assert list(permuted.params) != list(result.params)
    same(permuted, result)
