"""Sweeps beside the same trials alone: what both must agree on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from gdtrain.experiment.overrides import AxisFlag
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.sweep import Sweep, load_sweep
from gdtrain.results import SweepResult
from gdtrain.sweeps.sweeping import Request, sweep
from gdtrain.train import train

Document = dict[str, Any]

X = [0.5 * i for i in range(12)]
# A decay with a disturbance that no choice of a and b takes away.
CURVE: Mapping[str, Any] = {
    "fit": "y = a*exp(-b*x)",
    "data": {"columns": {"x": X, "y": [2 * math.exp(-0.7 * x) + 0.01 * (i % 3) for i, x in enumerate(X)]}},
    "params": {"a": 1.0, "b": 1.0},
    "train": {"epochs": 120},
    "predict": [{"x": 5.0}],
}
LINE: Mapping[str, Any] = {
    "fit": "y = w*x + b",
    "data": {"columns": {"x": [1.0, 2.0, 3.0, 4.0], "y": [2.0, 4.0, 6.5, 8.0]}},
    "params": {"w": 0.0, "b": 0.0},
    "train": {"epochs": 120},
    "predict": [{"x": 5.0}],
}
_A, _B = [math.sin(i) for i in range(40)], [math.cos(3 * i) for i in range(40)]
# Every ninth row is far off: what huber is for.
TABLE: Mapping[str, Any] = {
    "regress": {"target": "y", "features": ["a", "b"]},
    "data": {
        "columns": {
            "a": _A,
            "b": _B,
            "y": [2 * a - b + 3 + 10 * (i % 9 == 0) for i, (a, b) in enumerate(zip(_A, _B, strict=True))],
        }
    },
    "loss": "huber",
    "train": {"epochs": 120, "lr": 0.1},
    "predict": "data",
}


def planned(source: Mapping[str, Any], axes: Mapping[str, Any], **options: Any) -> Sweep:
    """The sweep of a mapping, axes given as lists."""
    return load_sweep(source, (), [AxisFlag.of_values(key, values, key) for key, values in axes.items()], **options)


def swept(spec: Sweep, **request: Any) -> SweepResult:
    return sweep(spec, Request(**request))


def experiment_of(spec: Sweep, i: int) -> Experiment:
    """The experiment of a point, as its group has it."""
    group = next(group for group in spec.groups if i in group.indices)
    return group.trials.experiment_of(group.indices.index(i))


def alone(spec: Sweep, i: int, **options: Any) -> Document:
    """The document of a point that is trained by itself."""
    document = train(experiment_of(spec, i), **options).to_dict()
    del document["timing"]
    return document


def without_middle(document: Document, other: Document) -> Document:
    """A document with only the rows of its history that another has too; both must have the first and the last."""
    epochs = [row["epoch"] for row in document["history"]]
    others = {row["epoch"] for row in other["history"]}
    assert epochs[0] in others and epochs[-1] in others
    return {**document, "history": [row for row in document["history"] if row["epoch"] in others]}


def apart(document: Document, other: Document) -> float:
    """How far numbers of two documents are apart: of theta by its norm, of a gradient by that of the start, of losses
    and predictions by the larger of themselves and 1. All else must be equal.
    """
    assert [*_words(document)] == [*_words(other)]
    return max((abs(a - b) / size for (a, size), (b, _) in zip(_numbers(document), _numbers(other), strict=True)))


def _words(document: Document) -> Iterator[Any]:
    yield document["verdict"]["status"]
    yield document["epochs"]
    yield document["engine"]
    yield {key: value for key, value in document["train"].items() if key not in ("lr", "lr_final")}
    yield [row["epoch"] for row in document["history"]]
    yield [p["inputs"] for p in document.get("predictions", [])]
    yield [[type(number) for number in row["params"].values()] for row in document["history"]]


def _numbers(document: Document) -> Iterator[tuple[float, float]]:
    """Numbers, each with the size that it is measured by."""
    norm = max(1.0, math.hypot(*(fields["value"] for fields in document["params"].values())))
    for fields in document["params"].values():
        yield fields["value"], norm
        yield fields["gradient"], norm * max(1.0, float(document["loss"]["initial"]))
    for row in document["history"]:
        yield row["loss"], max(1.0, abs(row["loss"]))
        size = max(1.0, math.hypot(*row["params"].values()))
        for value in row["params"].values():
            yield value, size
    for prediction in document.get("predictions", []):
        yield prediction["after"], max(1.0, norm)
    yield document["train"]["lr"], document["train"]["lr"]
    yield document["loss"]["final"], max(1.0, abs(document["loss"]["final"]))
