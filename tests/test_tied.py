"""Tied parameters: what follows from others does so in every kind, optimizer and engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gdtrain.errors import UserError
from gdtrain.experiment.dump import dump
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import AxisFlag
from gdtrain.experiment.sweep import load_sweep
from gdtrain.sweeps.sweeping import sweep
from gdtrain.train import train
from tests.problems import experiment, problem

COLUMNS = {"x": [1.0, 2.0, 3.0, 4.0], "z": [1.0, 0.0, -1.0, 2.0], "y": [3.0, 5.0, 6.0, 9.0]}
DATA = {"columns": COLUMNS}
X, Z, Y = (np.array(COLUMNS[name]) for name in "xzy")
WAYS = [
    {"lr": 0.02, "epochs": 20_000},
    {"lr": 0.02, "epochs": 20_000, "engine": "loop"},
    {"optimizer": "adam", "lr": 0.02, "epochs": 20_000},
    {"optimizer": "lm"},
    {"optimizer": "lbfgs"},
    {"optimizer": "newton"},
]


def slope(column: np.ndarray, target: np.ndarray) -> float:
    return float(column @ target / (column @ column))


A = slope(X + 2, Y)  # y = a*x + 2a
V = slope(X + 2 * Z, Y - Z)  # y = v*x + (2v + 1)*z
# Experiment, its parameters at the minimum, whether the residuals are affine.
TIED: list[tuple[dict[str, Any], dict[str, float], bool]] = [
    ({"fit": "y = a*x + b", "params": {"a": 0.5, "b": {"expr": "2*a"}}}, {"a": A, "b": 2 * A}, True),
    (  # b = c^2 with c a parameter of its own: the line's intercept 1
        {"fit": "y = a*x + b", "params": {"a": 0.5, "b": {"expr": "c^2"}, "c": 0.7}},
        {"a": 1.9, "b": 1.0, "c": 1.0},
        False,
    ),
    (  # by way of another one, and of one that is fixed
        {
            "fit": "y = a*x + b",
            "params": {"a": 0.5, "b": {"expr": "q*k"}, "q": {"expr": "a"}, "k": {"start": 2, "fixed": True}},
        },
        {"a": A, "b": 2 * A, "q": A, "k": 2.0},
        True,
    ),
    (
        {
            "regress": {"target": "y", "features": ["x", "z"], "intercept": False},
            "params": {"z": {"expr": "2*x + 1"}},
        },
        {"x": V, "z": 2 * V + 1},
        True,
    ),
    (  # of two targets one slope: x'(y + z/2) / (x'x (1 + 1/4))
        {
            "regress": {"target": ["y", "z"], "features": ["x"], "intercept": False},
            "params": {"z.x": {"expr": "`y.x`/2"}},
        },
        {"y.x": slope(X, Y + Z / 2) / 1.25, "z.x": slope(X, Y + Z / 2) / 2.5},
        True,
    ),
    ({"solve": "x + y = 3", "params": {"x": 0.0, "y": {"expr": "2*x"}}}, {"x": 1.0, "y": 2.0}, True),
    (  # (x - 1)^2 + (x - 2)^2 is least half way
        {
            "minimize": "(x - 1)^2 + (y - 3)^2",
            "params": {"x": 0.0, "y": {"expr": "x + q"}, "q": {"start": 1, "fixed": True}},
        },
        {"x": 1.5, "y": 2.5, "q": 1.0},
        False,
    ),
]


def source(tied: dict[str, Any]) -> dict[str, Any]:
    return tied if "solve" in tied or "minimize" in tied else {**tied, "data": DATA}


@pytest.mark.parametrize("keys", WAYS, ids=str)
@pytest.mark.parametrize(("tied", "answer", "affine"), TIED)
def test_every_way_leads_to_the_same(
    tied: dict[str, Any], answer: dict[str, float], affine: bool, keys: dict[str, Any]
) -> None:
    if keys.get("optimizer") == "lm" and "minimize" in tied:
        pytest.skip("an expression is no sum of squares")
    result = train(experiment(source(tied), **keys))
    assert result.params == pytest.approx(answer, rel=1e-6)
    assert (result.engine["name"] == "exact") == (affine and "optimizer" not in keys and "engine" not in keys)
    told = result.to_dict()["params"]
    for name, param in tied["params"].items():
        is_tied = isinstance(param, dict) and "expr" in param
        assert told[name].get("tied", False) == is_tied
        assert not (is_tied and "gradient" in told[name])


def test_engines_walk_the_same_way() -> None:
    exact, loop = (
        train(experiment(source(TIED[3][0]), lr=0.02, epochs=50, engine=engine)) for engine in ("exact", "loop")
    )
    assert np.abs(exact.recorded.values_KQ - loop.recorded.values_KQ).max() <= 1e-12
    for name, value in exact.metrics.items():  # among them adjusted R2, which counts the parameters
        assert value == pytest.approx(loop.metrics[name], rel=1e-9)


@pytest.mark.parametrize(
    "tied",
    [tied for tied, _, _ in TIED]
    + [
        {
            "regress": {"target": "y", "features": ["x", "z"]},
            "params": {"intercept": {"expr": "sin(x)*z"}},
        }
    ],
)
def test_gradients_flow_through(tied: dict[str, Any]) -> None:
    posed = problem(experiment(source(tied), lr=1.0))
    theta = torch.linspace(0.3, 0.9, len(posed.parameters.free), dtype=torch.float64).repeat(2, 1)
    theta[1] += 0.1
    _, gradient = posed.objective.loss_and_gradient(theta)
    for p in range(theta.shape[1]):  # by central differences, whose error is about 1e-9
        step = torch.zeros_like(theta)
        step[:, p] = 1e-5
        above, below = (posed.objective.loss_and_gradient(theta + sign * step)[0] for sign in (1, -1))
        torch.testing.assert_close(gradient[:, p], (above - below) / 2e-5, rtol=1e-6, atol=1e-7)


def test_they_follow_in_a_sweep() -> None:
    values: dict[str, list[float]] = {"params.a.start": [0.0, 1.0], "train.epochs": [0, 3]}
    axes = [AxisFlag.of_values(key, each, "--set") for key, each in values.items()]
    found = sweep(load_sweep({**source(TIED[0][0]), "train": {"lr": 0.01}}, axes=axes)).trials
    assert len(found) == 4
    for trial in found:
        assert trial.params["b"] == 2 * trial.params["a"]


def test_nothing_is_scaled_beside_them_unless_asked_for() -> None:
    loaded = load({**source(TIED[3][0]), "train": {}})
    assert loaded.data is not None
    assert loaded.data.scale == "none"


def test_they_are_printed_and_read_again() -> None:
    loaded = load(source(TIED[2][0]))
    assert "b: {expr: q*k}" in dump(loaded)


FIT = {"fit": "y = a*x + b", "data": DATA}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"b": {"expr": "2*a", "start": 1}}, "params.b.start: a tied parameter takes no start"),
    ({"b": {"expr": "2*a", "min": 0}}, "params.b.min: a tied parameter takes no min"),
    ({"b": {"expr": "2*a", "fixed": True}}, "params.b.fixed: a tied parameter takes no fixed"),
    ({"b": {"expr": "2*q"}}, "params.b.expr: there is no parameter q; declare it under params"),
    ({"b": {"expr": "2*x"}}, "params.b.expr: x is a column, and a parameter is one number"),
    ({"b": {"expr": "2*"}}, "params.b.expr: the formula breaks off"),
    ({"b": {"expr": "b + 1"}}, "params.b.expr: b is tied to itself: b -> b"),
    ({"b": {"expr": "a"}, "a": {"expr": "q"}, "q": {"expr": "b"}}, "b is tied to itself: b -> a -> q -> b"),
    ({"b": {"expr": "2"}, "a": {"expr": "3"}}, "there is nothing to learn: every parameter is fixed or tied"),
    ({"b": {"expr": "mean(a)"}}, "params.b.expr: mean is known only in"),
    # Each is twice the one before: 2^20 terms.
    (
        {"b": {"expr": "p0"}, **{f"p{i}": {"expr": f"p{i + 1} + p{i + 1}"} for i in range(20)}, "p20": 1.0},
        "is tied to more than 10,000 terms",
    ),
]


@pytest.mark.parametrize(("params", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        load({**FIT, "params": params})
    assert message in str(caught.value)


def test_scaled_columns_are_refused() -> None:
    with pytest.raises(UserError, match="tied parameters are in the units of the data"):
        load({**source(TIED[3][0]), "data": {**DATA, "scale": "standard"}})
