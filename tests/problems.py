"""Problems with known answers, which every optimizer and every engine goes through.

The data are built so that the answer is known before anything descends: rows without noise, so that the loss at the
answer is 0; rows with noise that is orthogonal to the columns, so that the least squares answer is the one that made
them; equations with a root that was put in; expressions whose minimum is written in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from gdtrain.experiment.load import load
from gdtrain.experiment.schema import Experiment
from gdtrain.problem.build import Problem, build_problem
from gdtrain.problem.data import load_data

X = [1.0, 2.0, 3.0, 4.0]
Z = [1.0, 0.0, -1.0, 2.0]
# (1, -3, 3, -1) is a third difference: orthogonal to 1, x and x^2 over x = 1, 2, 3, 4.
ORTHOGONAL = [1.0, -3.0, 3.0, -1.0]


@dataclass(frozen=True)
class Known:
    """An experiment without its training, and what it must come to.

    answer  the parameters at the minimum
    loss    the loss there
    affine  whether the gradient is affine in the parameters: descent then forgets its start
    """

    name: str
    experiment: Mapping[str, Any]
    answer: Mapping[str, float]
    loss: float
    affine: bool = True


KNOWN = [
    Known("equation", {"solve": "x + 1 = 3", "params": {"x": 0.0}}, {"x": 2.0}, 0.0),
    Known(
        "system",  # 2 + 1 = 3 and 2 - 1 = 1
        {"solve": ["x + y = 3", "x - y = 1"], "params": {"x": 0.0, "y": 0.0}},
        {"x": 2.0, "y": 1.0},
        0.0,
    ),
    Known(
        "square root",  # 1.5^2 = 2.25, and a start above 0 leads to the positive root
        {"solve": "x^2 = 2.25", "params": {"x": 1.0}},
        {"x": 1.5},
        0.0,
        affine=False,
    ),
    Known(
        "line through points",
        {"fit": "y = w*x + b", "data": {"columns": {"x": X, "y": [2 * x - 1 for x in X]}}, "params": {"w": 0.0, "b": 0.0}},
        {"w": 2.0, "b": -1.0},
        0.0,
    ),
    Known(
        "line beside points",  # what is orthogonal to 1 and x moves no weight: loss = mean(e^2) = (1 + 9 + 9 + 1)/4
        {
            "fit": "y = w*x + b",
            "data": {"columns": {"x": X, "y": [2 * x - 1 + e for x, e in zip(X, ORTHOGONAL, strict=True)]}},
            "params": {"w": 0.0, "b": 0.0},
        },
        {"w": 2.0, "b": -1.0},
        5.0,
    ),
    Known(
        "decay",
        {
            "fit": "y = a*exp(-b*x)",
            "data": {"columns": {"x": [0.0, 1.0, 2.0], "y": [2.0, 1.0, 0.5]}},  # 2 * 2^-x: b = log 2
            "params": {"a": 1.0, "b": 1.0},
        },
        {"a": 2.0, "b": 0.6931471805599453},
        0.0,
        affine=False,
    ),
    Known(
        "two features",
        {
            "regress": {"target": "y", "features": ["x", "z"]},
            "data": {"columns": {"x": X, "z": Z, "y": [x - 2 * z + 3 for x, z in zip(X, Z, strict=True)]}},
        },
        {"x": 1.0, "z": -2.0, "intercept": 3.0},
        0.0,
    ),
    Known(
        "bowl",
        {"minimize": "(1 - x)^2 + 2*(y - 2)^2 + 7", "params": {"x": 0.0, "y": 0.0}},
        {"x": 1.0, "y": 2.0},
        7.0,
    ),
]

all_known = pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)


def experiment(source: Mapping[str, Any], **train: Any) -> Experiment:
    """An experiment from a mapping, with keys of `train` set over it."""
    return load({**source, "train": {**source.get("train", {}), **train}})


def problem(source: Mapping[str, Any] | Experiment) -> Problem:
    """The problem that an experiment poses over its own columns."""
    settled = source if isinstance(source, Experiment) else load(source)
    data = load_data(settled)
    return build_problem(settled, data.columns, data.names)


def start(posed: Problem) -> Tensor:
    """Where the problem's descent starts, (1, P)."""
    return posed.parameters.theta(posed.parameters.start_SQ)


def around(posed: Problem, trials: int, seed: int = 0) -> Tensor:
    """Points (S, P) about the start, none of them special."""
    generator = torch.Generator().manual_seed(seed)
    centre = start(posed)
    noise = torch.rand(trials, centre.shape[1], generator=generator, dtype=torch.float64)
    return centre + noise.to(centre)


def columns(**named: Sequence[float]) -> dict[str, list[float]]:
    return {name: list(numbers) for name, numbers in named.items()}
