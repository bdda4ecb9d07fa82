"""Columns in memory: every layout holds the same matrix, and what is reckoned on it does not depend on threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gdtrain.experiment.trials import Trials
from gdtrain.linalg.determined import plainly_determined, undetermined
from gdtrain.local.curvature import hessian_products
from gdtrain.planning.plan import Plan, make_plan
from gdtrain.problem import regress
from gdtrain.problem.matrix import Apart, matrix
from gdtrain.problem.measured import metrics_at
from gdtrain.problem.objective import DataLoss
from gdtrain.problem.parameters import Scaling
from gdtrain.problem.penalty import Smooth
from gdtrain.threads import each, threads
from tests.problems import around, experiment, problem

F64 = torch.float64
N = 10
COLUMNS = [torch.arange(N, dtype=F64), torch.linspace(-3, 5, N, dtype=F64).exp()]
SCALING = Scaling([0, 1], 2, torch.tensor([4.5, 20.0], dtype=F64), torch.tensor([3.0, 40.0], dtype=F64))
ROWS: dict[str, Any] = {
    "all": slice(0, N),
    "a range": slice(3, 7),
    "the last few": slice(8, 12),
    "here and there": torch.tensor([9, 0, 0, 4]),
    "each trial's own": torch.tensor([[1, 2], [9, 0]]),
}


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that count as long, however few rows there are."""
    monkeypatch.setattr("gdtrain.problem.matrix._SMALL", 0)


def rows_of(x: Tensor | Apart, rows: Any) -> Tensor:
    if isinstance(x, Tensor):
        return x[rows]
    some = x.of(rows)
    return some if isinstance(some, Tensor) else some.matrix().clone()


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("scaling", [None, SCALING], ids=["as they are", "scaled"])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_layouts_hold_the_same(rows: Any, scaling: Scaling | None, intercept: bool, inference: bool) -> None:
    features = torch.stack(COLUMNS, 1)
    if scaling is not None:
        features = (features - scaling.mean_F) / scaling.sd_F
    expected = torch.cat([features, torch.ones(N, 1, dtype=F64)], 1) if intercept else features
    layouts = [matrix(COLUMNS, intercept, scaling, COLUMNS[0], scattered=scattered) for scattered in (False, True)]
    with torch.inference_mode(inference):
        for x in layouts:
            assert torch.equal(rows_of(x, rows), expected[rows])


@pytest.mark.usefixtures("long")
def test_columns_that_need_not_change_are_not_copied() -> None:
    x = matrix([column.clone() for column in COLUMNS], True, None, COLUMNS[0], scattered=False)
    assert isinstance(x, Apart)
    x._columns[0][0] = 77.0
    assert float(x.matrix()[0, 0]) == 77.0


@pytest.mark.usefixtures("long")
def test_blocks_of_any_size_share_a_place() -> None:
    """A short block after a long one, and a long one again."""
    x = matrix(COLUMNS, True, None, COLUMNS[0], scattered=False)
    assert isinstance(x, Apart)
    with torch.inference_mode():
        for rows in (slice(0, 4), slice(8, 10), slice(0, 10), slice(4, 8)):
            assert torch.equal(rows_of(x, rows), torch.stack([*COLUMNS, torch.ones(N, dtype=F64)], 1)[rows])


def test_short_columns_are_put_side_by_side_once() -> None:
    x = matrix(COLUMNS, True, None, COLUMNS[0], scattered=False)
    assert isinstance(x, Tensor)
    assert torch.equal(x, torch.stack([*COLUMNS, torch.ones(N, dtype=F64)], 1))


def test_a_constant_alone() -> None:
    x = matrix([], True, None, COLUMNS[0], scattered=False)
    assert isinstance(x, Tensor) and torch.equal(x, torch.ones(N, 1, dtype=F64))


# Threads


@pytest.mark.parametrize("count", [1, 3])
def test_each_keeps_order_and_mode(count: int) -> None:
    with threads(count), torch.inference_mode():
        found = list(each(lambda part: (part, torch.is_inference_mode_enabled()), range(20)))
    assert found == [(part, True) for part in range(20)]


RNG = np.random.default_rng(5)
TABLE = {"columns": {name: RNG.normal(0, 1, 60).tolist() for name in ("x", "z")}}
TABLE["columns"]["y"] = RNG.integers(0, 2, 60).astype(float).tolist()
TABLE["columns"]["k"] = RNG.integers(0, 3, 60).astype(float).tolist()
TABLE["columns"]["often"] = RNG.integers(0, 4, 60).astype(float).tolist()
REGRESS: dict[str, Any] = {"regress": {"target": "y", "features": ["x", "z"]}, "data": TABLE}
WALKED: dict[str, dict[str, Any]] = {
    "logistic": {**REGRESS, "loss": "logistic"},
    "unscaled": {**REGRESS, "loss": "logistic", "train": {"lr": 0.1}},
    "weighted": {**REGRESS, "loss": "poisson", "data": {**TABLE, "sample_weight": "often"}, "train": {"lr": 0.1}},
    "one held": {**REGRESS, "loss": "logistic", "params": {"x": {"start": 0.3, "fixed": True}}},
    "huber": {**REGRESS, "loss": {"name": "huber", "delta": 0.3}},
    "quantile": {**REGRESS, "loss": "quantile"},
    "summed": {**REGRESS, "loss": "sse", "train": {"engine": "loop"}},
    "two targets": {**REGRESS, "loss": "huber", "regress": {"target": ["y", "k"], "features": ["x", "z"]}},
    "classes": {**REGRESS, "loss": "softmax", "regress": {"target": "k", "features": ["x", "z"]}},
    "formula": {"fit": "y = a*x + b*z", "loss": "logistic", "data": TABLE},
}


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("source", WALKED.values(), ids=WALKED)
def test_threads_change_no_digit(source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regress, "BLOCK_ROWS", 7)
    monkeypatch.setattr(regress, "_LEAST_ROWS", 7)
    posed = problem(source)
    theta = around(posed, 2)
    found = []
    for count in (1, 2, 3):
        with threads(count), torch.inference_mode():
            found.append(posed.objective.loss_and_gradient(theta))
    for loss, gradient in found[1:]:
        assert torch.equal(loss, found[0][0]) and torch.equal(gradient, found[0][1])


# The Hessian by its own rule


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("source", WALKED.values(), ids=WALKED)
def test_the_hessian_is_autograds(source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regress, "BLOCK_ROWS", 16)
    monkeypatch.setattr(regress, "_LEAST_ROWS", 16)
    posed = problem(source)
    theta = around(posed, 3)
    assert isinstance(posed.objective, DataLoss)
    found = posed.objective.hessian(theta)
    if source is WALKED["two targets"] or source is WALKED["classes"] or "fit" in source:
        assert found is None
        return
    assert found is not None
    identity = torch.eye(theta.shape[1], dtype=F64)
    expected = torch.stack(hessian_products(posed.objective, theta, [e.expand_as(theta) for e in identity]), -1)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


def planned(source: dict[str, Any]) -> Plan:
    return make_plan(Trials(experiment(source)), problem(source))


def test_the_hessian_under_a_penalty() -> None:
    plan = planned({**WALKED["logistic"], "penalty": {"l2": 0.5, "l1": 0.1}})
    smooth, theta = plan.smooth, plan.theta_SP + 0.2
    assert isinstance(smooth, Smooth)
    identity = torch.eye(theta.shape[1], dtype=F64)
    found = smooth.hessian(theta)
    assert found is not None
    torch.testing.assert_close(
        found, torch.stack(hessian_products(smooth, theta, [e.expand_as(theta) for e in identity]), -1)
    )


def test_the_curvature_at_the_start_is_that_of_the_lr() -> None:
    plan = planned({**WALKED["logistic"], "train": {"optimizer": "sgd", "lr": "auto"}})
    assert plan.steepest_S is not None
    assert float(1 / plan.steepest_S[0]) == pytest.approx(plan.lr, rel=1e-15)


# What the first rows determine


def jacobian(**columns: Any) -> Tensor:
    made = {"x": RNG.normal(0, 1, 500), "z": RNG.normal(0, 1, 500), "one": np.ones(500)} | columns
    return torch.from_numpy(np.stack(list(made.values()), 1))


SINGLE = np.eye(1, 500, 3)[0]
JACOBIANS: dict[str, tuple[Tensor, bool]] = {
    "independent": (jacobian(), True),
    "of any units": (jacobian(x=RNG.normal(0, 1e-200, 500), z=RNG.normal(1e150, 1e150, 500)), True),
    "alike": (jacobian(z=np.ones(500)), False),
    "none of the first": (jacobian(z=np.arange(500) // 490 * 1.0), False),
    "zero": (jacobian(z=np.zeros(500)), False),
    "one row outweighs all": (jacobian(x=SINGLE * 1e30, z=SINGLE * 1e30), False),
    "the last row outweighs all": (jacobian(x=RNG.normal(0, 1, 500) + SINGLE[::-1] * 1e30), False),
    "not finite": (jacobian(z=np.where(SINGLE[::-1] > 0, np.inf, 1.0)), False),
    "fewer rows than columns": (jacobian()[:2], False),
}


@pytest.mark.parametrize("blocks", [1, 5])
@pytest.mark.parametrize(("jacobian_NP", "sure"), JACOBIANS.values(), ids=JACOBIANS)
def test_plainly_determined(jacobian_NP: Tensor, sure: bool, blocks: int) -> None:
    """Where it is sure, nothing is undetermined."""
    found = plainly_determined(iter(jacobian_NP.chunk(blocks)))
    assert found == sure
    if found:
        assert undetermined(iter(jacobian_NP.chunk(blocks)), ["x", "z", "intercept"]) == []


# Part by part


@pytest.mark.parametrize("source", WALKED.values(), ids=WALKED)
def test_parts_of_the_rows_add_up(source: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics and the yardstick of the loss, of seven rows at a time and of all."""
    whole = problem(source)
    theta = around(whole, 1)[0]
    expected = metrics_at(whole, theta)
    monkeypatch.setattr("gdtrain.metrics._PART", 7)
    monkeypatch.setattr("gdtrain.problem.problem._PART", 7)
    parted = problem(source)
    assert parted.loss_scale == pytest.approx(whole.loss_scale, rel=1e-13)
    assert expected and flat(metrics_at(parted, theta)) == pytest.approx(flat(expected), rel=1e-12)


def flat(found: dict[str, Any], before: str = "") -> dict[str, float]:
    """Every number under its dotted name."""
    numbers: dict[str, float] = {}
    for name, value in found.items():
        numbers |= flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return numbers
