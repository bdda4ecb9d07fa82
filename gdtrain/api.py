"""The Python API: the same experiments, from a file, a dict or a line, with data from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import Override
from gdtrain.results import Result

# Keywords that are shorthand for one key of the experiment; every other is a dotted key itself.
SHORT = {
    "lr": "train.lr",
    "epochs": "train.epochs",
    "optimizer": "train.optimizer",
    "seed": "train.seed",
    "engine": "train.engine",
    "dtype": "train.dtype",
    "device": "train.device",
    "scale": "data.scale",
}


def run(
    experiment: str | Path | Mapping[str, Any],
    *,
    data: object | None = None,
    every: int | None = None,
    gradients: bool = False,
    **overrides: Any,
) -> Result:
    """Train the experiment in a YAML file, or a dict of the same keys.

    data       a polars or pandas DataFrame, or a dict of arrays (N,), in place of the experiment's data; or a path
    every      show each so many epochs in the document, in place of all or about twenty
    gradients  keep gradients in the history too
    overrides  keys of the experiment: `lr=0.1`, `epochs=50`, `optimizer={"name": "sgd", "momentum": 0.9}`,
               `params={"w": 0.0}`, or dotted: `**{"train.schedule.name": "cosine"}`

    Raises gdtrain.errors.UserError where experiment or data is wrong. A run that diverges is a Result that says so.
    """
    from gdtrain.train import train

    if isinstance(data, str | Path):
        overrides, data = {"data.path": str(Path(data).absolute()), **overrides}, None
    settings = [Override(SHORT.get(key, key), value, key) for key, value in overrides.items() if value is not None]
    return train(load(experiment, settings, framed=data is not None), frame=data, every=every, gradients=gradients)


def solve(equations: str | Sequence[str], **overrides: Any) -> Result:
    """Find numbers that make equations true: `solve("x + 1 = 3", params={"x": 0.0})`."""
    texts = [equations] if isinstance(equations, str) else list(equations)
    return run({"solve": texts}, **overrides)


def fit(formula: str, data: object, **overrides: Any) -> Result:
    """Fit a formula to rows: `fit("y = w*x", {"x": [1, 2], "y": [2, 4]})`. `data` as for `run`."""
    return run({"fit": formula}, data=data, **overrides)


def regress(
    data: object,
    target: str | Sequence[str],
    features: Sequence[str] | None = None,
    *,
    intercept: bool = True,
    **overrides: Any,
) -> Result:
    """Regress one column or several on others; `features` None: on all other numeric columns. `data` as for `run`."""
    targets = [target] if isinstance(target, str) else list(target)
    predictor: dict[str, Any] = {"target": targets, "intercept": intercept}
    if features is not None:
        predictor["features"] = list(features)
    return run({"regress": predictor}, data=data, **overrides)


def minimize(expression: str, *, data: object | None = None, **overrides: Any) -> Result:
    """Find numbers that make an expression small: `minimize("(1 - x)^2 + (y - 2)^2")`. `data` as for `run`."""
    return run({"minimize": expression}, data=data, **overrides)
