"""Engine `loop` beside the same training written by hand in torch, per epoch, one thread each.

Shapes: P parameters, N rows, F features.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from benchmarks.byhand import LOOPS, Loop, Loss
from benchmarks.measure import Row, Side, Timed, interleaved, typical
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import Override
from gdtrain.plan import Plan, make_plan
from gdtrain.problem.build import build_problem
from gdtrain.problem.data import open_data

BOUND = 0.5
EPOCHS = 1000  # of one timed run; all of them are recorded, as in any run

CONFIGS = Path(__file__).parents[1] / "configs"
Columns = Mapping[str, Tensor]


@dataclass(frozen=True)
class Case:
    """The same training told twice.

    experiment  to gdtrain: a file, or a mapping of the same keys whose rows are `frame`
    parameters  by hand: the values (P,) at the start as leaves
    loss        by hand: the columns (N,) to the loss of those leaves
    """

    experiment: Path | Mapping[str, Any]
    parameters: Callable[[Tensor], list[Tensor]]
    loss: Callable[[Columns], Loss]
    frame: Mapping[str, np.ndarray[Any, Any]] | None = None


def equation(columns: Columns) -> Loss:
    """x + 1 = 3, half the squared difference of its sides."""

    def half_square(x: Tensor) -> Tensor:
        residual = x + 1 - 3
        return 0.5 * residual * residual

    return half_square


def regression(columns: Columns) -> Loss:
    """The five rows of sales, a column of ones beside the features x_NF, all weights in one tensor (F,)."""
    features = [columns[name] for name in ("income", "price", "tax")]
    x_NF, y_N = torch.stack([*features, torch.ones_like(features[0])], 1), columns["sales"]
    return lambda w: mse_loss(x_NF @ w, y_N)


def exponential(columns: Columns) -> Loss:
    """a*exp(-b*x) + c, its parameters as three scalars."""
    x_N, y_N = columns["x"], columns["y"]
    return lambda a, b, c: mse_loss(a * torch.exp(-b * x_N) + c, y_N)


def decay(rows: int) -> dict[str, np.ndarray[Any, Any]]:
    """Rows of a decay with noise of sd 0.02, the same every time."""
    x_N = np.linspace(0.0, 5.0, rows)
    return {"x": x_N, "y": 2.5 * np.exp(-0.6 * x_N) + 0.5 + np.random.default_rng(0).normal(0.0, 0.02, rows)}


DECAY = {
    "fit": "y = a*exp(-b*x) + c",
    "params": {"a": 1.0, "b": 1.0, "c": 0.0},
    "loss": "mse",
    "train": {"optimizer": "sgd", "lr": 0.05},
}
CASES: dict[str, Case] = {
    "x + 1 = 3": Case(CONFIGS / "equation.yaml", lambda start_P: _leaves(*start_P), equation),
    "regression, 5 rows": Case(CONFIGS / "sales.yaml", lambda start_P: _leaves(start_P), regression),
    "a*exp(-b*x) + c, 1,000 rows": Case(DECAY, lambda start_P: _leaves(*start_P), exponential, decay(1000)),
}


def loop(repeats: int) -> Iterator[Row]:
    """Each case against each loop by hand; the bound is held against the quicker of them."""
    torch.set_num_threads(1)
    for name, case in CASES.items():
        rounds = interleaved(_sides(case), repeats)
        quickest = min(LOOPS, key=lambda against: typical(rounds[against]))
        for against in LOOPS:
            bound = BOUND if against == quickest else None
            yield Row.compare(name, against, rounds["gdtrain"], rounds[against], bound)


def _sides(case: Case) -> dict[str, Side]:
    plan, columns = _plan(case)
    sides = {against: _by_hand(case, hand, plan, columns) for against, hand in LOOPS.items()}
    return {"gdtrain": _gdtrain(plan), **sides}


def _plan(case: Case) -> tuple[Plan, Columns]:
    """The plan that gdtrain makes of a case, and the columns that it read for it."""
    settings = [Override("train.epochs", EPOCHS, "epochs"), Override("train.engine", "loop", "engine")]
    experiment = load(case.experiment, settings, framed=case.frame is not None)
    data = open_data(experiment, frame=case.frame)
    plan = make_plan(experiment, build_problem(experiment.with_starts(data.names.parameters), data))
    return plan, {name: torch.as_tensor(column) for name, column in data.columns.items()}


def _gdtrain(plan: Plan) -> Side:
    def side() -> Timed:
        began = time.perf_counter()
        descent = plan.run()
        seconds = time.perf_counter() - began
        return Timed(seconds / EPOCHS, tuple(descent.ends[0].theta_P.tolist()))

    return side


def _by_hand(case: Case, hand: Loop, plan: Plan, columns: Columns) -> Side:
    loss = case.loss(columns)

    def side() -> Timed:
        parameters = case.parameters(plan.theta_1P[0])
        began = time.perf_counter()
        hand(loss, parameters, plan.lr, EPOCHS)
        seconds = time.perf_counter() - began
        return Timed(seconds / EPOCHS, tuple(torch.stack(parameters).flatten().tolist()))

    return side


def _leaves(*values: Tensor) -> list[Tensor]:
    """Each value as a tensor of its own that is trained."""
    return [value.detach().clone().requires_grad_() for value in values]
