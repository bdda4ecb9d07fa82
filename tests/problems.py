"""Problems with known answers, which every optimizer and every engine goes through.

The data are built so that the answer is known before anything descends: rows without noise, so that the loss at the
answer is 0; rows with noise that is orthogonal to the columns, so that the least squares answer is the one that made
them; equations with a root that was put in; expressions whose minimum is written in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from gdtrain.data.opening import open_data
from gdtrain.experiment.load import load
from gdtrain.experiment.schema import Experiment
from gdtrain.problem.build import build_problem
from gdtrain.problem.problem import Problem

Values = Mapping[str, Tensor]

X = [1.0, 2.0, 3.0, 4.0]
Z = [1.0, 0.0, -1.0, 2.0]
# (1, -3, 3, -1) is a third difference: orthogonal to 1, x and x^2 over x = 1, 2, 3, 4.
ORTHOGONAL = [1.0, -3.0, 3.0, -1.0]


@dataclass(frozen=True)
class Known:
    """An experiment without its training, and what it must come to.

    answer   the parameters at the minimum
    loss     the loss there
    by_hand  the loss at any values of the parameters, written out in torch
    """

    name: str
    experiment: Mapping[str, Any]
    answer: Mapping[str, float]
    loss: float
    by_hand: Callable[[Values], Tensor]


def _t(numbers: list[float]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


KNOWN = [
    Known(
        "equation",
        {"solve": "x + 1 = 3", "params": {"x": 0.0}},
        {"x": 2.0},
        0.0,
        lambda v: (v["x"] + 1 - 3) ** 2 / 2,
    ),
    Known(
        "system",  # 2 + 1 = 3 and 2 - 1 = 1
        {"solve": ["x + y = 3", "x - y = 1"], "params": {"x": 0.0, "y": 0.0}},
        {"x": 2.0, "y": 1.0},
        0.0,
        lambda v: (v["x"] + v["y"] - 3) ** 2 / 2 + (v["x"] - v["y"] - 1) ** 2 / 2,
    ),
    Known(
        "square root",  # 1.5^2 = 2.25, and a start above 0 leads to the positive root
        {"solve": "x^2 = 2.25", "params": {"x": 1.0}},
        {"x": 1.5},
        0.0,
        lambda v: (v["x"] ** 2 - 2.25) ** 2 / 2,
    ),
    Known(
        "line through points",
        {
            "fit": "y = w*x + b",
            "data": {"columns": {"x": X, "y": [2 * x - 1 for x in X]}},
            "params": {"w": 0.0, "b": 0.0},
        },
        {"w": 2.0, "b": -1.0},
        0.0,
        lambda v: ((v["w"] * _t(X) + v["b"] - (2 * _t(X) - 1)) ** 2).mean(),
    ),
    Known(
        "line beside points",  # what is orthogonal to 1 and x moves no weight: the loss is its mean square, 20/4
        {
            "fit": "y = w*x + b",
            "data": {"columns": {"x": X, "y": [2 * x - 1 + e for x, e in zip(X, ORTHOGONAL, strict=True)]}},
            "params": {"w": 0.0, "b": 0.0},
        },
        {"w": 2.0, "b": -1.0},
        5.0,
        lambda v: ((v["w"] * _t(X) + v["b"] - (2 * _t(X) - 1 + _t(ORTHOGONAL))) ** 2).mean(),
    ),
    Known(
        "decay",  # 2, 1, 1/2 is 2 * 2^-x, so that b is the logarithm of 2
        {
            "fit": "y = a*exp(-b*x)",
            "data": {"columns": {"x": [0.0, 1.0, 2.0], "y": [2.0, 1.0, 0.5]}},
            "params": {"a": 1.0, "b": 1.0},
        },
        {"a": 2.0, "b": math.log(2)},
        0.0,
        lambda v: ((v["a"] * torch.exp(-v["b"] * _t([0, 1, 2])) - _t([2, 1, 0.5])) ** 2).mean(),
    ),
    Known(
        "two features",
        {
            "regress": {"target": "y", "features": ["x", "z"]},
            "data": {"columns": {"x": X, "z": Z, "y": [x - 2 * z + 3 for x, z in zip(X, Z, strict=True)]}},
        },
        {"x": 1.0, "z": -2.0, "intercept": 3.0},
        0.0,
        lambda v: (((v["x"] - 1) * _t(X) + (v["z"] + 2) * _t(Z) + v["intercept"] - 3) ** 2).mean(),
    ),
    Known(
        "bowl",
        {"minimize": "(1 - x)^2 + 2*(y - 2)^2 + 7", "params": {"x": 0.0, "y": 0.0}},
        {"x": 1.0, "y": 2.0},
        7.0,
        lambda v: (1 - v["x"]) ** 2 + 2 * (v["y"] - 2) ** 2 + 7,
    ),
]

all_known = pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)


def experiment(source: Mapping[str, Any], **train: Any) -> Experiment:
    """An experiment from a mapping, with keys of `train` set over it."""
    return load({**source, "train": {**source.get("train", {}), **train}})


def problem(source: Mapping[str, Any] | Experiment) -> Problem:
    """The problem that an experiment poses over its own columns, to be walked on the rows."""
    settled = source if isinstance(source, Experiment) else load(source)
    walked = settled.model_copy(update={"train": settled.train.model_copy(update={"engine": "loop"})})
    data = open_data(walked)
    return build_problem(walked.with_starts(data.names.parameters), data)


def unscaled(known: Known) -> Problem:
    """The problem in the units of its data: with an lr that was chosen, nothing is scaled."""
    return problem(experiment(known.experiment, lr=1.0))


def start(posed: Problem) -> Tensor:
    """Where the problem's descent starts, (1, P)."""
    return posed.parameters.theta(posed.parameters.start_Q[None])


def around(posed: Problem, trials: int, seed: int = 0) -> Tensor:
    """Points (S, P) about the start, none of them special."""
    generator = torch.Generator().manual_seed(seed)
    centre = start(posed)
    noise = torch.rand(trials, centre.shape[1], generator=generator, dtype=torch.float64)
    return centre + noise.to(centre)
