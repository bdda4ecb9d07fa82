"""Trainings told twice: to gdtrain as an experiment, and by hand in torch.

Shapes: P parameters, N rows, F features.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from benchmarks.byhand import LOOPS, Loop, Loss
from benchmarks.decay import EXPERIMENT, decay
from benchmarks.measure import Rounds, Run, Side, typical
from gdtrain.data.opening import open_data
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import Override
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.trials import Trials
from gdtrain.planning.plan import Plan, make_plan
from gdtrain.problem.build import build_problem
from gdtrain.train import train

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

    def load(self, epochs: int, engine: str) -> Experiment:
        """The experiment, so many epochs of it by `auto` or `loop`."""
        overrides = [Override("train.epochs", epochs, "--epochs"), Override("train.engine", engine, "--engine")]
        return load(self.experiment, overrides, framed=self.frame is not None)

    def plan(self, epochs: int, engine: str) -> Plan:
        """What gdtrain makes of it, ready to run."""
        experiment = self.load(epochs, engine)
        data = open_data(experiment, frame=self.frame)
        experiment = experiment.with_starts(data.names.parameters)
        return make_plan(Trials(experiment), build_problem(experiment, data))


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


def line(columns: Columns) -> Loss:
    """y = w*x."""
    x_N, y_N = columns["x"], columns["y"]
    return lambda w: mse_loss(w * x_N, y_N)


def exponential(columns: Columns) -> Loss:
    """a*exp(-b*x) + c, its parameters as three scalars."""
    x_N, y_N = columns["x"], columns["y"]
    return lambda a, b, c: mse_loss(a * torch.exp(-b * x_N) + c, y_N)


def exponential_case(rows: int) -> Case:
    return Case(EXPERIMENT, lambda start_P: _leaves(*start_P), exponential, decay(rows))


LINE = Case(CONFIGS / "linear.yaml", lambda start_P: _leaves(*start_P), line)
CASES: dict[str, Case] = {
    "x + 1 = 3": Case(CONFIGS / "equation.yaml", lambda start_P: _leaves(*start_P), equation),
    "regression, 5 rows": Case(CONFIGS / "sales.yaml", lambda start_P: _leaves(start_P), regression),
    "a*exp(-b*x) + c, 1,000 rows": exponential_case(1000),
}


def descent(plan: Plan) -> Side:
    """What gdtrain takes for a plan's epochs alone."""

    def side() -> Run:
        began = time.perf_counter()
        end = plan.run().ends[0]
        return Run(time.perf_counter() - began, tuple(end.theta_P.tolist()))

    return side


def prepared_descent(case: Case, epochs: int, engine: str) -> Side:
    """The same with its preparation, from the experiment as text on."""

    def side() -> Run:
        began = time.perf_counter()
        end = case.plan(epochs, engine).run().ends[0]
        return Run(time.perf_counter() - began, tuple(end.theta_P.tolist()))

    return side


def whole_run(case: Case, epochs: int, engine: str = "auto") -> Side:
    """All that a run does, its result and verdict too."""

    def side() -> Run:
        began = time.perf_counter()
        result = train(case.load(epochs, engine), frame=case.frame)
        return Run(time.perf_counter() - began, tuple(parameter.value for parameter in result.parameters))

    return side


def by_hand(case: Case, hand: Loop, plan: Plan, columns: Columns) -> Side:
    """The same epochs as a plan's, by a loop by hand."""
    loss = case.loss(columns)

    def side() -> Run:
        parameters = case.parameters(plan.theta_SP[0])
        began = time.perf_counter()
        hand(loss, parameters, plan.lr, plan.epochs)
        seconds = time.perf_counter() - began
        return Run(seconds, tuple(torch.stack(parameters).flatten().tolist()))

    return side


def loops_by_hand(case: Case, epochs: int) -> dict[str, Side]:
    """Every loop by hand, so many epochs of each."""
    plan = case.plan(epochs, "loop")
    return {against: by_hand(case, hand, plan, plan.problem.columns) for against, hand in LOOPS.items()}


def quickest(rounds: Mapping[str, Rounds]) -> str:
    """The loop by hand that took least."""
    return min(LOOPS, key=lambda against: typical(rounds[against]))


def _leaves(*values: Tensor) -> list[Tensor]:
    """Each value as a tensor of its own that is trained."""
    return [value.detach().clone().requires_grad_() for value in values]
