"""Folds as trials of one batch: the same as fold after fold, whatever differs from fold to fold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import gdtrain
from gdtrain.data.opening import open_data
from gdtrain.experiment.load import load
from gdtrain.experiment.trials import Trials
from gdtrain.planning.plan import make_plan
from gdtrain.problem.build import build_problem
from gdtrain.problem.objective import Objective
from gdtrain.problem.problem import Problem
from gdtrain.problem.stacked import Stacked
from gdtrain.train import train
from gdtrain.trials import crossed, joined

N, FOLDS = 61, 4
DRAW = np.random.default_rng(11)
X, Z = DRAW.normal(size=N), DRAW.uniform(1, 6, N)
ETA = 0.8 * X - 0.3 * Z + 0.5
TABLE: dict[str, Any] = {
    "x": X,
    "z": Z,
    "y": ETA + 0.4 * DRAW.normal(size=N),
    "label": (ETA + DRAW.normal(size=N) > 0).astype(float),
    "often": DRAW.integers(0, 4, N).astype(float),
    "city": DRAW.choice(np.array(["Oslo", "Rome", "Lima"]), N),
    "base": 0.1 * DRAW.normal(size=N),
    "gappy": np.where(np.arange(N) % 7 == 2, np.nan, X),
}

REGRESS: dict[str, Any] = {"regress": {"target": "y", "features": ["x", "z", "city"]}, "loss": "huber"}
CURVE: dict[str, Any] = {"fit": "y = a*exp(b*x) + c*z", "train": {"lr": 0.01}}
LOGISTIC: dict[str, Any] = {"regress": {"target": "label", "features": ["x", "city"]}, "loss": "logistic"}
SLOW: dict[str, Any] = {"optimizer": {"name": "sgd", "momentum": 0.9}, "lr": 0.02, "epochs": 600}
# What is walked side by side: name -> experiment.
JOINED: dict[str, dict[str, Any]] = {
    "a formula": CURVE,
    "a formula, lr chosen": {"fit": "y = a*exp(b*x)"},
    "a formula, adam": {"fit": "y = a*exp(b*x)", "train": {"optimizer": "adam", "lr": 0.01}},
    "a formula, weights, offset, bounds": {
        "fit": "y = a*exp(b*x)",
        "data": {"sample_weight": "often", "offset": "base"},
        "params": {"a": {"start": 0.5, "max": 0.6}},
    },
    "a formula, a fixed parameter, gaps filled": {
        "fit": "y = a*exp(b*gappy) + c",
        "data": {"missing": "mean"},
        "params": {"c": {"start": 0.3, "fixed": True}},
    },
    "rows of an affine formula": {"fit": "y = a*x + b"},
    "huber": REGRESS,
    "huber, weights, offset": {**REGRESS, "data": {"sample_weight": "often", "offset": "base", "scale": "minmax"}},
    "a fixed weight": {**REGRESS, "params": {"z": {"start": -0.3, "fixed": True}}},
    "two targets": {"regress": {"target": ["y", "base"], "features": ["x", "z"]}, "loss": "half_sse"},
    "two targets, weights": {
        "regress": {"target": ["y", "base"], "features": ["x", "z"]},
        "data": {"sample_weight": "often", "offset": "x"},
        "loss": "logcosh",
    },
    "logistic": LOGISTIC,
    "classes, weights": {
        "regress": {"target": "city", "features": ["x", "z"]},
        "loss": "softmax",
        "data": {"sample_weight": "often"},
    },
    "elastic net, momentum": {
        **REGRESS,
        "penalty": {"l1": 0.02, "l2": 0.1},
        "train": {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True}},
    },
    "weight decay, clipping, a schedule": {
        **LOGISTIC,
        "train": {
            "optimizer": {"name": "sgd", "weight_decay": 0.01},
            "lr": 0.3,
            "clip": 0.1,
            "schedule": {"name": "plateau", "patience": 3},
        },
    },
    "hidden layers": {**LOGISTIC, "model": {"hidden": [4, 3], "activation": "tanh"}, "train": {"lr": 0.1}},
    "folds that end apart": {**REGRESS, "stop": {"grad_tol": 1e-4}, "train": {"epochs": 400}},
    "patience": {**CURVE, "train": SLOW, "stop": {"patience": 5, "min_delta": 1e-4, "restore": "best"}},
    "folds that diverge": {"fit": "y = a*exp(b*x)", "train": {"lr": 1.9, "epochs": 40}},
}
# What is not: there, fold follows fold.
APART: dict[str, dict[str, Any]] = {
    "mini-batches": {**REGRESS, "train": {"lr": 0.01, "batch_size": 8}},
    "scaled bounds": {**REGRESS, "params": {"x": {"start": 0.1, "max": 0.2}}},
    "gathered rows": {**REGRESS, "loss": "mse", "train": {"optimizer": "adam", "engine": "auto"}},
    "a second-order optimizer": {"fit": "y = a*exp(b*x)", "train": {"optimizer": "lm"}},
    "closed form": {**REGRESS, "loss": "mse", "train": {"engine": "auto"}},
}


def crossed_over(source: Mapping[str, Any]) -> dict[str, Any]:
    train = {"epochs": 60, "engine": "loop", "optimizer": "sgd", **source.get("train", {})}
    return {**source, "train": train, "data": {**source.get("data", {}), "split": {"folds": FOLDS, "seed": 3}}}


@contextmanager
def roads(monkeypatch: pytest.MonkeyPatch, *, at_once: int | None = None) -> Iterator[list[bool]]:
    """Where trainings are walked side by side: one note for each that was to be. `at_once` moves the limit."""
    taken: list[bool] = []

    def join(*args: Any) -> Any:
        found = joined.join(*args)
        taken.append(found is not None)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(crossed, "join", join)
        if at_once is not None:
            patch.setattr(joined, "_AT_ONCE", at_once)
        yield taken


def assert_alike(left: Any, right: Any, rel: float = 1e-9) -> None:
    """Documents with the same numbers, but for rounding, and the same words."""
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_alike(left[key], right[key], rel)
    elif isinstance(left, list):
        assert len(left) == len(right)
        for mine, its in zip(left, right, strict=True):
            assert_alike(mine, its, rel)
    elif isinstance(left, float):
        assert left == pytest.approx(right, rel=rel, abs=1e-11, nan_ok=True)
    else:
        assert left == right


def told(result: Any) -> dict[str, Any]:
    """A result but for its times and sentences, whose last digits are rounding."""
    document: dict[str, Any] = result.to_dict()
    verdict, history = document["verdict"], document["history"]
    kept = {key: document.get(key) for key in ("loss", "params", "metrics", "folds", "train", "epochs")}
    return {**kept, "status": (verdict["status"], verdict["epoch"]), "restored": result.restored, "history": history}


@pytest.mark.parametrize("name", JOINED)
def test_side_by_side_and_one_after_another_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = crossed_over(JOINED[name])
    with roads(monkeypatch) as taken:
        together = gdtrain.run(source, data=TABLE, gradients=True)
    with roads(monkeypatch, at_once=0) as also:
        apart = gdtrain.run(source, data=TABLE, gradients=True)
    assert (taken, also) == ([True], [])
    assert_alike(told(together), told(apart))
    assert together.folds is not None
    ends = {(fold["verdict"], fold["epochs"]) for fold in together.folds["each"]}
    assert len(ends) > 1 or name not in ("folds that end apart", "patience")
    assert name != "folds that diverge" or "diverged" in {status for status, _ in ends}


@pytest.mark.parametrize("name", APART)
def test_what_cannot_be_walked_side_by_side(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with roads(monkeypatch) as taken:
        found = gdtrain.run(crossed_over(APART[name]), data=TABLE)
    assert not any(taken) and found.folds is not None and found.folds["count"] == FOLDS


def test_which_road_is_taken_follows_from_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials times rows decide: five trainings of 61 rows, and of as many rates as an axis has."""
    source = crossed_over(CURVE)
    for rates, at_once, expected in ((1, 5 * N, [True]), (1, 5 * N - 1, []), (3, 15 * N, [True]), (3, 15 * N - 1, [])):
        with roads(monkeypatch, at_once=at_once) as taken:
            gdtrain.sweep(source, data=TABLE, lr=[0.001 * (i + 1) for i in range(rates)])
        assert taken == expected


@pytest.mark.parametrize("name", ["a formula, adam", "logistic", "elastic net, momentum", "patience", "hidden layers"])
def test_trials_of_a_sweep_are_those_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates, read at several epochs, of which some trials end early and are dropped."""
    source = {**crossed_over(JOINED[name]), "stop": {"restore": "best", **JOINED[name].get("stop", {"patience": 10})}}
    rates, reads = [0.003, 0.01, 0.03], [4, 90]
    with roads(monkeypatch) as taken:
        swept = gdtrain.sweep(source, data=TABLE, lr=rates, epochs=reads)
    assert taken == [True]
    for trial in swept.trials:
        with roads(monkeypatch, at_once=0):
            alone = gdtrain.run(source, data=TABLE, lr=trial.set["train.lr"], epochs=trial.set["train.epochs"])
        document = trial.document()
        assert (trial.status, trial.epochs) == (alone.verdict.status, alone.epochs)
        assert_alike(document["folds"], alone.to_dict()["folds"])
        assert_alike(trial.params, alone.params)


def test_interrupted_all_folds_are(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def watch(epoch: int, loss: float) -> bool:
        asked.append(epoch)
        return epoch < 10

    with roads(monkeypatch) as taken:
        found = train(load(crossed_over(CURVE), framed=True), frame=TABLE, watch=watch)
    assert taken == [True] and asked == sorted(asked) and asked[-1] >= 10
    assert found.folds is not None and found.verdict.status == "interrupted"
    assert {fold["verdict"] for fold in found.folds["each"]} == {"interrupted"}


# The objective


def posed(source: Mapping[str, Any]) -> list[Problem]:
    """The problems of an experiment: of each fold, and of all rows."""
    experiment = load(crossed_over(source), framed=True)
    data = open_data(experiment, frame=TABLE)
    problem = build_problem(experiment.with_starts(data.names.parameters), data)
    return [*(pose() for pose in problem.folds), problem]


def starts(problems: list[Problem], trials: int) -> Tensor:
    size = len(problems[0].parameters.free)
    return torch.as_tensor(np.random.default_rng(2).normal(size=(trials, size)) / 3)


@pytest.mark.parametrize("name", JOINED)
def test_each_trial_has_the_loss_of_its_problem(name: str) -> None:
    problems = posed(JOINED[name])
    whole = Stacked.of([problem.objective for problem in problems])
    assert whole is not None
    picked = [4, 0, 0, 3, 1, 2]
    stacked, theta_SP = whole.take(torch.tensor(picked)), starts(problems, len(picked))
    loss_S, gradient_SP = stacked.loss_and_gradient(theta_SP)
    for s, number in enumerate(picked):
        loss, gradient = problems[number].objective.loss_and_gradient(theta_SP[s : s + 1])
        assert float(loss_S[s]) == pytest.approx(float(loss[0]), rel=1e-13)
        scale = float(gradient.norm())
        assert gradient_SP[s].tolist() == pytest.approx(gradient[0].tolist(), rel=1e-12, abs=1e-13 * scale)
    leaf = theta_SP.clone().requires_grad_()
    term_S = sum(stacked.terms(leaf), torch.zeros(()))
    (by_autograd,) = torch.autograd.grad(term_S.sum(), leaf)
    assert term_S.tolist() == pytest.approx(loss_S.tolist(), rel=1e-14)
    assert gradient_SP.flatten().tolist() == pytest.approx(by_autograd.flatten().tolist(), rel=1e-11, abs=1e-12)


def test_formulas_over_as_many_rows_are_bitwise_the_same() -> None:
    """Twenty rows each: nothing is filled up, so that sums are taken in the same order."""
    frames = [{name: TABLE[name][start : start + 20] for name in ("x", "z", "y")} for start in (0, 20, 40)]
    objectives: list[Objective] = []
    for frame in frames:
        experiment = load({**CURVE, "train": {"engine": "loop"}}, framed=True)
        data = open_data(experiment, frame=frame)
        objectives.append(build_problem(experiment.with_starts(data.names.parameters), data).objective)
    stacked = Stacked.of(objectives)
    assert stacked is not None
    theta_SP = torch.as_tensor(np.random.default_rng(5).normal(size=(3, 3)))
    loss_S, gradient_SP = stacked.loss_and_gradient(theta_SP)
    for s, objective in enumerate(objectives):
        loss, gradient = objective.loss_and_gradient(theta_SP[s : s + 1])
        assert torch.equal(loss_S[s : s + 1], loss) and torch.equal(gradient_SP[s : s + 1], gradient)


def test_one_row_is_no_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column of one value is taken for a number that all rows share: such folds are trained one by one."""
    table = {"x": np.array([0.5, 1.5]), "y": np.array([1.0, 2.0])}
    with roads(monkeypatch) as taken:
        found = gdtrain.run({"fit": "y = a*exp(x)", "data": {"split": {"folds": 2}}}, data=table, engine="loop")
    assert taken == [False] and found.folds is not None
    # a = y / exp(x) on the one row that trains
    expected = {0.5: 1 / math.exp(0.5), 1.5: 2 / math.exp(1.5)}
    fitted = [fold["params"]["a"] for fold in found.folds["each"]]
    assert sorted(fitted) == pytest.approx(sorted(expected.values()), rel=1e-6)


def test_plans_of_other_bounds_are_not_joined() -> None:
    experiment = load(crossed_over(APART["scaled bounds"]), framed=True)
    plans = [make_plan(Trials(experiment), problem) for problem in posed(APART["scaled bounds"])]
    assert joined.join(plans) is None
    assert joined.join([plans[0], plans[0]]) is not None
