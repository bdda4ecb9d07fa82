"""Experiments whose residual is affine in the parameters, of every kind and shape, and the options of sgd."""

from __future__ import annotations

from typing import Any

import numpy as np

from gdtrain.results import Result
from gdtrain.train import train
from tests.problems import KNOWN, experiment

RNG = np.random.default_rng(7)
N = 30
COLUMNS = {
    "x": RNG.uniform(0.5, 3, N).tolist(),
    "z": RNG.normal(1, 2, N).tolist(),
    "u": RNG.normal(-3, 0.1, N).tolist(),
    "y": RNG.uniform(1, 9, N).tolist(),
    "v": RNG.normal(5, 1, N).tolist(),
    "c": [2.5] * N,
}
DATA = {"columns": COLUMNS}
FIXED = {"start": 0.7, "fixed": True}


def few(rows: int) -> dict[str, Any]:
    return {"columns": {name: column[:rows] for name, column in COLUMNS.items()}}


AFFINE: dict[str, dict[str, Any]] = {
    **{known.name: dict(known.experiment) for known in KNOWN if known.name not in ("square root", "decay", "bowl")},
    "several terms": {"fit": "y = a + b*x + c1*x^2/4 - d*log(x)*z + g*where(z > 1, x, 2)", "data": DATA},
    "each name twice": {"fit": "y = a*x - (b - a)/2*z + b + 3", "data": DATA},
    "one fixed": {"fit": "y = a*x + k*z + b", "data": DATA, "params": {"k": FIXED}},
    "a product with what is fixed": {"fit": "y = a*exp(-k*x) + k^2*b", "data": DATA, "params": {"k": FIXED}},
    "a function of the target": {"fit": "log(y) = a + b*x", "data": DATA, "loss": "half_sse"},
    "a constant": {"fit": "y = a", "data": DATA},
    "only a sum matters": {"fit": "y = (a + b)*x", "data": DATA},
    "a parameter that does not": {"fit": "y = a*x + 0*b", "data": DATA},
    "three equations": {"solve": ["x + y - z = 3", "x - y = 1", "2*x + z/2 = 0"]},
    "too many equations": {"solve": ["x + y = 3", "x - y = 1", "x = 5"], "loss": "mse"},
    "too few equations": {"solve": ["x + y + z = 3", "x - y = 1"]},
    "an equation with a fixed number": {"solve": "exp(k)*x + k = 3", "params": {"k": FIXED}},
    "all other columns": {"regress": {"target": "y", "features": ["x", "z", "u"]}, "data": DATA},
    "no intercept": {"regress": {"target": "y", "features": ["x", "z"], "intercept": False}, "data": DATA},
    "two targets": {"regress": {"target": ["y", "v"], "features": ["x", "z"]}, "data": DATA},
    "two targets, no intercept": {
        "regress": {"target": ["y", "v"], "features": ["x", "u"], "intercept": False},
        "data": DATA,
        "loss": "sse",
    },
    "weights that are fixed": {
        "regress": {"target": ["y", "v"], "features": ["x", "z"]},
        "data": DATA,
        "params": {"y.x": FIXED, "v.intercept": FIXED},
    },
    "scaled by choice": {"regress": {"target": "y", "features": ["x", "u"]}, "data": {**DATA, "scale": "standard"}},
    "not scaled": {"regress": {"target": "y", "features": ["x", "z"]}, "data": {**DATA, "scale": "none"}},
    "a constant column": {"regress": {"target": "y", "features": ["x", "c"]}, "data": DATA},
    "a constant column, not scaled": {
        "regress": {"target": "y", "features": ["x", "c"]},
        "data": {**DATA, "scale": "none"},
    },
    "one row": {"regress": {"target": "y", "features": ["x", "z"]}, "data": few(1)},
    "more parameters than rows": {"fit": "y = a + b*x + d*z + g*u", "data": few(3)},
}
SGD: dict[str, dict[str, Any]] = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "little momentum, dampened": {"momentum": 0.3, "dampening": 0.6},
    "nesterov": {"momentum": 0.8, "nesterov": True},
    "weight decay": {"weight_decay": 0.2},
    "all": {"momentum": 0.7, "dampening": 0.2, "weight_decay": 0.05},
}


def run(source: dict[str, Any], **train_keys: Any) -> Result:
    """By sgd, whose engines these tests are of, unless another is named."""
    named = "optimizer" in source.get("train", {})
    return train(experiment(source, **({} if named else {"optimizer": "sgd"}) | train_keys))


def curvature(result: Result) -> dict[str, Any]:
    assert result.curvature is not None
    return result.curvature
