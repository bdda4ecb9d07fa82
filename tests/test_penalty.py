"""Penalties: what is descended beside the loss, where zeros come from, and how lambda maps to other tools'."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gdtrain.engines.states import gradient_norm
from gdtrain.errors import UserError
from gdtrain.experiment.load import load
from gdtrain.experiment.sweep import load_sweep
from gdtrain.optimizers import OPTIMIZERS, build
from gdtrain.optimizers.penalised import build_penalised, soft
from gdtrain.problem.penalty import Penalty
from gdtrain.results import Result, SweepResult
from gdtrain.sweeps.sweeping import sweep
from gdtrain.train import train

F64 = torch.float64
DATA = Path(__file__).parent / "data"

# 12 rows, 4 columns of unlike size, one of them nearly another, and a target with noise.
_RANDOM = np.random.default_rng(5)
X_NF = _RANDOM.normal(size=(12, 4)) * [1.0, 3.0, 0.5, 2.0] + [0.0, 1.0, -1.0, 5.0]
X_NF[:, 3] += X_NF[:, 1]
Y_N = X_NF @ [1.0, -0.5, 0.0, 0.1] + 3 + 0.3 * _RANDOM.normal(size=12)
NAMES = ["a", "b", "c", "d"]
COLUMNS = {**{name: X_NF[:, j].tolist() for j, name in enumerate(NAMES)}, "y": Y_N.tolist()}
NESTEROV = {"name": "sgd", "momentum": 0.9, "nesterov": True}
HEAVY = {"name": "sgd", "momentum": 0.7}


def source(penalty: dict[str, float] | None, *, scale: str = "none", **more: Any) -> dict[str, Any]:
    found = {
        "regress": {"target": "y", "features": NAMES},
        "data": {"columns": COLUMNS, "scale": scale},
        "train": {"epochs": 5000},
        **more,
    }
    return found | ({} if penalty is None else {"penalty": penalty})


def run(penalty: dict[str, float] | None, *, scale: str = "none", **more: Any) -> Result:
    return train(load(source(penalty, scale=scale, **more)))


def values(result: Result) -> np.ndarray:
    return np.array([*result.params.values()])


def ridge(l2: float, factor: float = 1 / 12) -> np.ndarray:
    """argmin of factor * ||X w + b - y||^2 + l2/2 * ||w||^2: 2 factor Z'(Z v - y) + l2 D v = 0, D free of b."""
    Z = np.column_stack([X_NF, np.ones(12)])
    pull = l2 * np.diag([1.0] * 4 + [0.0])
    return np.linalg.solve(2 * factor * Z.T @ Z + pull, 2 * factor * Z.T @ Y_N)


def kkt(x_NF: np.ndarray, y_N: np.ndarray, w_F: np.ndarray, b: float, l1: float, l2: float) -> float:
    """How far w is from the minimum of mean r^2 + l1 * sum |w| + l2/2 * sum w^2, b free: the largest violation of

    g_j + l2 w_j = -l1 sign(w_j) where w_j is not 0, |g_j| <= l1 where it is, mean r = 0.
    """
    r_N = x_NF @ w_F + b - y_N
    g_F = 2 * x_NF.T @ r_N / len(y_N) + l2 * w_F
    off_F = np.where(w_F == 0, np.maximum(np.abs(g_F) - l1, 0), np.abs(g_F + l1 * np.sign(w_F)))
    return max(float(off_F.max()), 2 * abs(float(r_N.mean())))


# The penalty itself


def penalty(l1: list[float], l2: list[float], weights: list[float]) -> Penalty:
    l1_S, l2_S = torch.tensor(l1, dtype=F64), torch.tensor(l2, dtype=F64)
    return Penalty(l1_S[:, None], l2_S[:, None], torch.tensor(weights, dtype=F64))


def test_value_and_gradient() -> None:
    # l1 (|1| + |-2|) + l2/2 (1 + 4), the last one free: 3/10 + 0 and 0 + 5/4 * 2; gradient g + l1 sign(w) + l2 w.
    found = penalty([0.1, 0.0], [0.0, 1.0], [1.0, 1.0, 0.0])
    theta = torch.tensor([[1.0, -2.0, 9.0]] * 2, dtype=F64)
    assert found.value(theta).tolist() == pytest.approx([0.3, 2.5])
    gradient = torch.tensor([[0.5, 0.5, 0.5]] * 2, dtype=F64)
    assert found.gradient(theta, gradient).tolist() == [[0.6, 0.4, 0.5], [1.5, -1.5, 0.5]]


def test_at_a_kink_the_subgradient_of_the_least_norm_counts() -> None:
    # [g - l1, g + l1] holds 0 where |g| <= l1, and else comes within |g| - l1 of it.
    found = penalty([1.0], [5.0], [1.0, 1.0, 1.0, 0.0])
    theta, gradient = torch.zeros(1, 4, dtype=F64), torch.tensor([[0.9, -1.0, -3.0, 0.9]], dtype=F64)
    assert found.gradient(theta, gradient).tolist() == [[0.0, 0.0, -2.0, pytest.approx(0.9)]]


def test_a_free_parameter_that_blows_up_is_no_penalty() -> None:
    found = penalty([1.0], [1.0], [1.0, 0.0])
    assert found.value(torch.tensor([[1.0, math.inf]], dtype=F64)).tolist() == [1.5]
    assert penalty([1.0], [0.0], [1.0]).value(torch.tensor([[1e200]], dtype=F64)).tolist() == [1e200]


def test_bounds_hold_back_what_pushes_against_them() -> None:
    # At 0 = lower, descent would lower w along g = 3, and is held; g = -3 raises it, against an l1 of 1.
    found, bounds = penalty([1.0], [0.0], [1.0, 1.0]), (torch.zeros(2, dtype=F64), torch.ones(2, dtype=F64))
    theta = torch.zeros(1, 2, dtype=F64)
    norm = gradient_norm(theta, torch.tensor([[3.0, -3.0]], dtype=F64), bounds, 0.0, found)
    assert norm.tolist() == [2.0]


# Optimizers


def test_soft_threshold() -> None:
    value = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0], dtype=F64)
    assert soft(value, torch.ones((), dtype=F64)).tolist() == [-2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]


def objective(theta_P: Tensor, l2: float) -> Tensor:
    """A loss with curvature of all sorts, and an l2 on all but the last."""
    smooth = (theta_P - torch.tensor([1.0, -2.0, 0.3], dtype=F64)).square() @ torch.tensor([1.0, 4.0, 0.3], dtype=F64)
    return smooth + (theta_P[0] * theta_P[1]).sin() + l2 / 2 * theta_P[:2].square().sum()


def loss_gradient(theta_SP: Tensor) -> Tensor:
    theta = theta_SP.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(torch.stack([objective(row, 0.0) for row in theta]).sum(), theta)
    return gradient


TORCH = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "rprop": torch.optim.Rprop,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_l2_is_what_torch_descends_with_the_penalty_in_its_loss(name: str) -> None:
    l2_SP = torch.tensor([[0.3, 0.3, 0.0], [2.0, 2.0, 0.0]], dtype=F64)
    theta = torch.tensor([[0.5, 0.5, 0.5], [-1.0, 2.0, 0.1]], dtype=F64)
    ours = build_penalised(name, {}, theta, torch.zeros_like(l2_SP), l2_SP)
    theirs = [torch.nn.Parameter(row.clone()) for row in theta]
    optimizers = [TORCH[name]([row], lr=0.01) for row in theirs]
    state = ours.init(theta)
    for _ in range(30):
        state, theta = ours.update(state, theta, loss_gradient(theta), torch.full((2, 1), 0.01, dtype=F64))
        for s, optimizer in enumerate(optimizers):
            optimizer.zero_grad()
            objective(theirs[s], float(l2_SP[s, 0])).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        tolerance = 1e-8 if name == "nadam" else 1e-11  # torch keeps nadam's product of momenta in float32
        torch.testing.assert_close(theta, torch.stack([row.detach() for row in theirs]), rtol=tolerance, atol=1e-12)


SGDS: list[dict[str, Any]] = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.4},
    {"momentum": 0.8, "nesterov": True},
    {"momentum": 0.8, "nesterov": True, "weight_decay": 0.2},
]


@pytest.mark.parametrize("options", SGDS)
def test_proximal_steps_of_a_vanishing_l1_are_torchs(options: dict[str, Any]) -> None:
    # Of two trials the second has no l1: what the first is given must not reach it.
    whole = {"momentum": 0.0, "dampening": 0.0, "nesterov": False, "weight_decay": 0.0, **options}
    theta = torch.tensor([[0.5, 0.5, 0.5], [-1.0, 2.0, 0.1]], dtype=F64)
    l1_SP, none_SP = torch.tensor([[0.3, 0.3, 0.0], [0.0, 0.0, 0.0]], dtype=F64), torch.zeros(2, 3, dtype=F64)
    ours, plain = build_penalised("sgd", whole, theta, l1_SP, none_SP), build("sgd", whole, theta)
    state, plain_state, other = ours.init(theta), plain.init(theta), theta
    lr = torch.full((2, 1), 0.02, dtype=F64)
    for _ in range(50):
        state, theta = ours.update(state, theta, loss_gradient(theta), lr)
        plain_state, other = plain.update(plain_state, other, loss_gradient(other), lr)
    torch.testing.assert_close(theta[1], other[1], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(theta[0], other[0], rtol=1e-3)


def test_ista_by_hand() -> None:
    # The gradient is theta - 1, lr 1/2, l1 1: soft(1.5, 0.5) = 1, soft(1, 0.5) = 0.5, soft(0.75, 0.5) = 0.25, ...
    theta = torch.tensor([[2.0]], dtype=F64)
    options = {"momentum": 0.0, "dampening": 0.0, "nesterov": False, "weight_decay": 0.0}
    rule = build_penalised("sgd", options, theta, torch.ones_like(theta), 0 * theta)
    state, seen = rule.init(theta), []
    for _ in range(4):
        state, theta = rule.update(state, theta, theta - 1, torch.tensor([[0.5]], dtype=F64))
        seen.append(float(theta))
    assert seen == [1.0, 0.5, 0.25, 0.125]


def test_some_trials_alone() -> None:
    options = {"momentum": torch.tensor([[0.1], [0.5], [0.9]], dtype=F64), "dampening": 0.0, "nesterov": True}
    options["weight_decay"] = 0.0
    theta = torch.tensor([[1.0, 2.0, 3.0]] * 3, dtype=F64)
    l1_SP, l2_SP = (torch.rand(3, 3, generator=torch.Generator().manual_seed(1), dtype=F64) for _ in range(2))
    whole = build_penalised("sgd", options, theta, l1_SP, l2_SP)
    assert whole.take is not None
    index, lr = torch.tensor([2, 0]), torch.full((3, 1), 0.05, dtype=F64)
    state, walked = whole.init(theta), theta
    some = whole.take(index)
    some_state, some_walked = {key: value[index] for key, value in state.items()}, theta[index]
    for _ in range(5):
        state, walked = whole.update(state, walked, loss_gradient(walked), lr)
        some_state, some_walked = some.update(some_state, some_walked, loss_gradient(some_walked), lr[index])
    assert torch.equal(walked[index], some_walked)


# Ridge


@pytest.mark.parametrize(("loss", "factor"), [("mse", 1 / 12), ("half_sse", 0.5), ("sse", 1.0)])
@pytest.mark.parametrize("engine", ["exact", "loop"])
def test_ridge_is_its_closed_form_with_the_intercept_free(loss: str, factor: float, engine: str) -> None:
    settings = {"engine": engine, "epochs": 20000, "optimizer": NESTEROV}
    result = run({"l2": 0.7}, loss=loss, train=settings)
    assert result.engine["name"] == engine
    assert values(result) == pytest.approx(ridge(0.7, factor), rel=1e-7)
    assert result.verdict.status == "converged"


def test_engines_agree_epoch_by_epoch() -> None:
    found = [run({"l2": 0.7}, train={"engine": e, "epochs": 90, "optimizer": HEAVY}) for e in ("exact", "loop")]
    exact, loop = (result.recorded for result in found)
    assert exact.values_KQ == pytest.approx(loop.values_KQ, rel=1e-9, abs=1e-9)
    assert exact.loss_K == pytest.approx(loop.loss_K, rel=1e-9)
    assert found[0].objective == pytest.approx(found[1].objective, rel=1e-9)
    for result in found:  # the parts are those of the weights that were found
        weights = values(result)
        loss = np.square(X_NF @ weights[:4] + weights[4] - Y_N).mean()
        assert result.objective == pytest.approx(
            {
                "loss": loss,
                "penalty": 0.35 * np.square(weights[:4]).sum(),
                "initial": np.square(Y_N).mean(),
                "final": loss + 0.35 * np.square(weights[:4]).sum(),
            },
            rel=1e-12,
        )


def test_scaled_weights_are_what_is_penalised() -> None:
    # With columns at mean 0 and standard deviation 1 the intercept is the targets' mean, and Z'Z + N l2/2 I the system.
    z_NF = (X_NF - X_NF.mean(0)) / X_NF.std(0)
    scaled = np.linalg.solve(z_NF.T @ z_NF + 12 * 0.25 * np.eye(4), z_NF.T @ (Y_N - Y_N.mean()))
    result = run({"l2": 0.5}, scale="standard")
    assert [p.scaled for p in result.parameters] == pytest.approx([*scaled, Y_N.mean()], rel=1e-9)
    assert result.params["a"] == pytest.approx(scaled[0] / X_NF[:, 0].std(), rel=1e-9)


def test_several_targets_leave_every_intercept_free() -> None:
    columns = {**COLUMNS, "z": (2 * Y_N + 100).tolist()}
    many = {"regress": {"target": ["y", "z"], "features": NAMES}, "data": {"columns": columns, "scale": "none"}}
    result = train(load({**many, "penalty": {"l2": 0.7}, "loss": "sse", "train": {"epochs": 10**7}}))
    alone = ridge(0.7, 1.0)
    assert values(result)[:5] == pytest.approx(alone, rel=1e-6)
    assert values(result)[5:] == pytest.approx([*2 * alone[:4], 2 * alone[4] + 100], rel=1e-6)


def test_a_column_called_intercept_is_a_weight() -> None:
    # y = 2x on (1, 2), (3, 6): mean x^2 = 5, mean xy = 10; 2 (5 w - 10) + 10 w = 0, w = 1.
    data = {"columns": {"intercept": [1, 3], "y": [2, 6]}, "scale": "none"}
    regress = {"target": "y", "features": ["intercept"], "intercept": False}
    result = train(load({"regress": regress, "data": data, "penalty": {"l2": 10}}))
    assert result.params == pytest.approx({"intercept": 1.0})


def test_fit_penalises_every_parameter_that_is_trained() -> None:
    # y = w*x + b with x = (1, -1), y = (3, -1) parts into (w - 2)^2 + (b - 1)^2: with l2 = 2 each is half of it.
    fitted = {"fit": "y = w*x + b", "data": {"columns": {"x": [1, -1], "y": [3, -1]}}, "penalty": {"l2": 2}}
    assert train(load(fitted)).params == pytest.approx({"w": 1.0, "b": 0.5})
    fixed = {**fitted, "params": {"b": {"start": 1.0, "fixed": True}}}
    result = train(load(fixed))
    assert result.params == pytest.approx({"w": 1.0, "b": 1.0})
    assert result.objective is not None
    assert result.objective["penalty"] == pytest.approx(1.0)  # of w alone


# The lasso


def orthogonal() -> tuple[dict[str, Any], np.ndarray]:
    """Columns with Z'Z = N I and mean 0, and the weights w of least squares: the lasso's are soft(w, l1/2)."""
    z_NF = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=float)
    w_F = np.array([2.0, -0.5, 0.1])
    columns = {name: z_NF[:, j].tolist() for j, name in enumerate("abc")} | {"y": (z_NF @ w_F + 7).tolist()}
    return {"regress": {"target": "y"}, "data": {"columns": columns, "scale": "none"}}, w_F


@pytest.mark.parametrize("optimizer", [{"name": "sgd"}, HEAVY, NESTEROV])
@pytest.mark.parametrize("l2", [0.0, 0.6])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_orthogonal_design_is_soft_thresholded(optimizer: dict[str, Any], l2: float, dtype: str) -> None:
    # Each weight alone: (v - w)^2 + l1 |v| + l2/2 v^2 is least at soft(w, l1/2) / (1 + l2/2).
    posed, w_F = orthogonal()
    settings = {"optimizer": optimizer, "epochs": 400, "dtype": dtype}
    result = train(load({**posed, "penalty": {"l1": 0.4, "l2": l2}, "train": settings}))
    expected = np.sign(w_F) * np.maximum(np.abs(w_F) - 0.2, 0) / (1 + l2 / 2)
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert values(result) == pytest.approx([*expected, 7.0], abs=tolerance)
    assert result.params["c"] == 0.0
    assert result.engine == {"name": "loop", "data": "compressed", "reason": "l1 has no closed form"}


@pytest.mark.parametrize("optimizer", [{"name": "sgd"}, HEAVY, NESTEROV, {**HEAVY, "dampening": 0.5}])
@pytest.mark.parametrize("l1", [0.05, 0.5, 3.0])
@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_descents_end_at_the_lassos_conditions(optimizer: dict[str, Any], l1: float, engine: str) -> None:
    settings = {"optimizer": optimizer, "epochs": 60000, "engine": engine}
    stops = {"grad_tol": 1e-9}
    result = run({"l1": l1, "l2": 0.1}, train=settings, stop=stops)
    assert result.verdict.status == "converged"
    weights = values(result)
    assert kkt(X_NF, Y_N, weights[:4], weights[4], l1, 0.1) <= 1e-7
    if l1 == 3.0:
        assert (weights[:4] == 0).any()


def test_momentum_is_worth_its_name() -> None:
    # On columns as unlike as these Nesterov's steps take a tenth of ISTA's; the rate's square root at best.
    epochs = {}
    for name, optimizer in (("ista", {"name": "sgd"}), ("fista", {**NESTEROV, "momentum": 0.98})):
        result = run({"l1": 0.05}, train={"optimizer": optimizer, "epochs": 200000}, stop={"grad_tol": 1e-6})
        assert result.verdict.status == "converged"
        epochs[name] = result.epochs
    assert epochs["fista"] < epochs["ista"] / 5


def test_a_penalty_beyond_every_correlation_leaves_nothing() -> None:
    # All weights are 0 from l1 = max |2/N x'(y - mean)| on, and not before.
    top = float(np.abs(2 * (X_NF - X_NF.mean(0)).T @ (Y_N - Y_N.mean()) / 12).max())
    assert (values(run({"l1": top * 1.0001}, train={"epochs": 5000, "optimizer": NESTEROV}))[:4] == 0).all()
    assert (values(run({"l1": top * 0.99}, train={"epochs": 5000, "optimizer": NESTEROV}))[:4] != 0).any()


def test_bounds_and_l1_meet() -> None:
    posed, _ = orthogonal()
    bounded = {**posed, "params": {"a": {"start": 0.0, "max": 1.5}, "b": {"start": 0.0, "min": 0.0}}}
    result = train(load({**bounded, "penalty": {"l1": 0.4}}))
    assert values(result)[:3] == pytest.approx([1.5, 0.0, 0.0], abs=1e-12)
    assert result.verdict.status == "converged"


# What is descended is what is judged


def test_a_loss_that_rises_from_an_exact_fit_has_not_diverged() -> None:
    # From w = 2, where the loss is 0, l2 pulls w to 2 * 7.5 * 2 / (15 + 5) = 1.5: the objective falls.
    line = {"fit": "y = w*x", "data": {"columns": {"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]}}, "params": {"w": 2.0}}
    for engine in ("exact", "loop"):
        result = train(load({**line, "penalty": {"l2": 5}, "train": {"engine": engine}}))
        assert result.params == pytest.approx({"w": 1.5})
        assert (result.verdict.status, result.loss["initial"]) == ("converged", 0.0)
        assert result.objective == pytest.approx({"loss": 1.875, "penalty": 5.625, "initial": 10.0, "final": 7.5})


@pytest.mark.parametrize("weights", [{"l2": 5}, {"l1": 2}])
def test_halving_looks_at_the_objective(weights: dict[str, float]) -> None:
    # A huber loss is 0 at w = 2, and every step from there raises it; a descent that took them back would stay.
    line = {"fit": "y = w*x", "data": {"columns": {"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]}}, "params": {"w": 2.0}}
    result = train(load({**line, "loss": "huber", "penalty": weights, "train": {"epochs": 300}}))
    assert result.params["w"] < 1.9
    assert result.verdict.status == "converged"
    assert "lr_final" not in result.train


def test_progress_names_the_objective() -> None:
    steps = {"optimizer": "sgd", "epochs": 3}
    result = run({"l2": 0.5}, train=steps)
    assert result.verdict.detail.startswith("objective still falling")
    assert run(None, train=steps).verdict.detail.startswith("loss still falling")


def test_patience_waits_for_the_objective() -> None:
    # From w = 2 the loss rises with every epoch: by the loss, patience would run out after three.
    line = {"fit": "y = w*x", "data": {"columns": {"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]}}, "params": {"w": 2.0}}
    settings = {"penalty": {"l2": 5}, "train": {"lr": 1e-3, "epochs": 50}, "stop": {"patience": 3}}
    assert train(load({**line, **settings})).verdict.epoch == 50


def test_too_large_a_step_is_told_with_the_limit_of_what_is_descended() -> None:
    # h = 15 + 1, so that the limit is 2/16, and the best 1/16 in two digits.
    line = {"fit": "y = w*x", "data": {"columns": {"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]}}, "params": {"w": 0.0}}
    result = train(load({**line, "penalty": {"l2": 1}, "train": {"lr": 0.15, "epochs": 60}}))
    assert result.verdict.status == "diverged"
    assert "the objective rose" in result.verdict.detail
    assert "(the limit is 0.125); lr 0.062 would not" in result.verdict.detail


# Curvature, the optimum, what is determined


def test_curvature_is_that_of_what_is_descended() -> None:
    result = run({"l2": 0.7})
    Z = np.column_stack([X_NF, np.ones(12)])
    eigenvalues = np.linalg.eigvalsh(2 * Z.T @ Z / 12 + 0.7 * np.diag([1.0] * 4 + [0.0]))
    found = result.curvature
    assert found is not None
    assert found["largest"] == pytest.approx(eigenvalues[-1])
    assert found["smallest"] == pytest.approx(eigenvalues[0])
    assert found["optimum"] == pytest.approx(dict(zip([*NAMES, "intercept"], ridge(0.7), strict=True)))
    best = ridge(0.7)
    loss = np.square(Z @ best - Y_N).mean()
    assert found["loss_at_optimum"] == pytest.approx(loss)
    assert found["objective_at_optimum"] == pytest.approx(loss + 0.35 * np.square(best[:4]).sum())
    assert "excess_objective" in found
    assert "excess_loss" not in found


def test_l1_has_curvature_but_no_optimum_in_closed_form() -> None:
    found = run({"l1": 0.1, "l2": 0.7}).curvature
    assert found is not None
    assert found["largest"] == pytest.approx(run({"l2": 0.7}).curvature["largest"])  # type: ignore[index]
    assert not {"optimum", "loss_at_optimum", "excess_objective", "epochs_to_optimum"} & set(found)


def test_lr_auto_of_a_loss_that_is_not_quadratic_counts_l2() -> None:
    # All residuals are small at the start, so that huber's Hessian is mean x^2 = 7.5, and with l2 10.
    line = {"fit": "y = w*x", "data": {"columns": {"x": [1, 2, 3, 4], "y": [0.1] * 4}}, "params": {"w": 0.0}}
    result = train(load({**line, "loss": "huber", "penalty": {"l2": 2.5}, "train": {"optimizer": "sgd", "epochs": 1}}))
    assert result.train["lr"] == pytest.approx(0.1)
    assert result.curvature is not None
    assert result.curvature["largest"] == pytest.approx(10)


TWINS = {"a": [1.0, -1, 1, -1], "b": [1.0, -1, 1, -1], "idle": [0.0, 0, 0, 0], "y": [2.0, -2, 1, -1]}


@pytest.mark.parametrize("loss", ["mse", "huber"])
@pytest.mark.parametrize(
    ("weights", "warned"),
    [
        (None, "a and b are not determined one by one"),
        (None, "nothing depends on idle"),
        ({"l1": 0.1}, "a and b are not determined one by one"),  # |a| + |b| is the same along a + b = c
    ],
)
def test_what_is_not_determined_is_told(loss: str, weights: dict[str, float] | None, warned: str) -> None:
    posed = {"regress": {"target": "y"}, "data": {"columns": TWINS, "scale": "none"}, "loss": loss}
    result = train(load(posed | ({} if weights is None else {"penalty": weights})))
    assert any(warned in warning for warning in result.warnings)


@pytest.mark.parametrize("loss", ["mse", "huber"])
@pytest.mark.parametrize("weights", [{"l2": 0.1}, {"l1": 0.1, "l2": 0.1}, {"l1": 9.0}])
def test_what_a_penalty_determines_is_not_warned_of(loss: str, weights: dict[str, float]) -> None:
    posed = {"regress": {"target": "y"}, "data": {"columns": TWINS, "scale": "none"}, "loss": loss}
    result = train(load({**posed, "penalty": weights}))
    assert result.warnings == []
    assert result.params["a"] == pytest.approx(result.params["b"])


def test_l1_holds_what_it_brought_to_zero() -> None:
    posed = {"regress": {"target": "y"}, "data": {"columns": TWINS, "scale": "none"}}
    result = train(load({**posed, "penalty": {"l1": 0.1}}))
    assert not any("idle" in warning for warning in result.warnings)


# Sweeps


def swept(posed: dict[str, Any], axes: dict[str, Any]) -> SweepResult:
    return sweep(load_sweep({**posed, "sweep": axes}))


GRIDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"penalty.l2": [0.0, 0.1, 1.0, 10.0]}, {"optimizer": "sgd"}),
    ({"penalty.l1": [0.0, 0.1, 1.0, 30.0]}, {}),
    ({"penalty.l1": [0.1, 1.0], "penalty.l2": [0.0, 0.5], "train.lr": [0.002, 0.004]}, {"optimizer": NESTEROV}),
    ({"penalty.l2": [0.1, 1.0], "train.optimizer.momentum": [0.0, 0.5]}, {}),
    ({"penalty.l2": [0.1, 1.0]}, {"optimizer": "adam", "lr": 0.01}),
]


@pytest.mark.parametrize(("axes", "settings"), GRIDS)
@pytest.mark.parametrize("stop", [{}, {"grad_tol": 1e-3}])
@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_a_trial_in_a_batch_is_the_trial_alone(
    axes: dict[str, Any], settings: dict[str, Any], stop: dict[str, Any], loss: str
) -> None:
    posed = source({"l2": 0.0}, train={"epochs": 300, **settings}, stop=stop, loss=loss)
    result = swept(posed, axes)
    assert len(result.trials) == math.prod(map(len, axes.values()))
    for trial in result.trials:
        alone = json.loads(json.dumps(posed))
        for key, value in trial.set.items():
            *inside, last = key.split(".")
            section = alone
            for name in inside:
                section = section.setdefault(name, {})
                if isinstance(section.get("optimizer"), str):
                    section["optimizer"] = {"name": section["optimizer"]}
            section[last] = value
        expected = train(load(alone))
        assert trial.epochs == expected.epochs
        assert [*trial.params.values()] == pytest.approx(values(expected), rel=1e-9, abs=1e-11)
        document = trial.to_dict()
        assert document["objective"] == pytest.approx(expected.objective, rel=1e-9)
        assert document["verdict"]["status"] == expected.verdict.status
        assert document["engine"] == expected.engine
        assert document["train"]["lr"] == pytest.approx(expected.train["lr"])


def test_a_path_over_lambda_is_one_batch() -> None:
    lambdas = np.geomspace(1e-3, 100, 40).tolist()
    for key, engine, power in (("penalty.l2", "exact", 2), ("penalty.l1", "loop", 1)):
        posed = source({"l2": 0.0}, scale="standard", train={"epochs": 2000})
        spec = load_sweep({**posed, "sweep": {key: lambdas}})
        assert len(spec.groups) == 1
        result = sweep(spec)
        documents = [trial.to_dict() for trial in result.trials]
        assert {document["engine"]["name"] for document in documents} == {engine}
        sizes = [sum(abs(p["scaled"]) ** power for n, p in d["params"].items() if n != "intercept") for d in documents]
        assert sizes == sorted(sizes, reverse=True)  # the more is asked for each unit of size, the less there is of it


# How lambda maps to other tools'


def test_scikit_learns_ridge() -> None:
    """Ridge(alpha): sum r^2 + alpha * sum w^2. With sse, l2 = 2 alpha; with mse, 2 alpha / N."""
    alpha = 3.0
    centred = X_NF - X_NF.mean(0)
    w_F = np.linalg.solve(centred.T @ centred + alpha * np.eye(4), centred.T @ (Y_N - Y_N.mean()))
    expected = [*w_F, Y_N.mean() - X_NF.mean(0) @ w_F]
    long = {"epochs": 10**6}
    assert values(run({"l2": 2 * alpha}, loss="sse", train=long)) == pytest.approx(expected, rel=1e-8)
    assert values(run({"l2": 2 * alpha / 12}, train=long)) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("ratio", [1.0, 0.3])
def test_scikit_learns_elastic_net(ratio: float) -> None:
    """ElasticNet(alpha, l1_ratio): 1/(2N) sum r^2 + alpha l1_ratio sum |w| + alpha (1 - l1_ratio)/2 sum w^2.

    With mse, l1 = 2 alpha l1_ratio and l2 = 2 alpha (1 - l1_ratio). Here by its own coordinate descent.
    """
    alpha, w_F = 0.4, np.zeros(4)
    x_NF, y_N = X_NF - X_NF.mean(0), Y_N - Y_N.mean()
    for _ in range(4000):
        for j in range(4):
            rest = x_NF[:, j] @ (y_N - x_NF @ w_F + x_NF[:, j] * w_F[j])
            shrunk = np.sign(rest) * max(abs(rest) - 12 * alpha * ratio, 0)
            w_F[j] = shrunk / (x_NF[:, j] @ x_NF[:, j] + 12 * alpha * (1 - ratio))
    penalties = {"l1": 2 * alpha * ratio, "l2": 2 * alpha * (1 - ratio)}
    result = run(penalties, train={"epochs": 10**5, "optimizer": NESTEROV}, stop={"grad_tol": 1e-10})
    # The descent stops at a gradient of 1e-10 of the first, which the flattest direction makes some 1e-8 of a weight.
    assert values(result) == pytest.approx([*w_F, Y_N.mean() - X_NF.mean(0) @ w_F], abs=1e-7)
    assert [value == 0 for value in values(result)[:4]] == [w == 0 for w in w_F]


def test_scikit_learns_logistic_regression() -> None:
    """LogisticRegression(C): C * sum of log losses + 1/2 sum w^2. With the mean log loss, l2 = 1/(C N)."""
    C, v_P = 2.0, np.zeros(5)
    Z, labels = np.column_stack([X_NF, np.ones(12)]), (np.arange(12) % 3 == 0).astype(float)
    pull = np.diag([1.0] * 4 + [0.0])
    for _ in range(50):  # Newton's method
        p_N = 1 / (1 + np.exp(-Z @ v_P))
        hessian = C * Z.T @ (Z * (p_N * (1 - p_N))[:, None]) + pull
        v_P -= np.linalg.solve(hessian, C * Z.T @ (p_N - labels) + pull @ v_P)
    posed = source({"l2": 1 / (C * 12)}, loss="logistic", train={"epochs": 100000, "optimizer": NESTEROV})
    posed["data"]["columns"] = {**COLUMNS, "y": labels.tolist()}
    assert values(train(load(posed))) == pytest.approx(v_P, abs=1e-5)


GLMNET = json.loads((DATA / "glmnet_elasticnet.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", GLMNET["cases"], ids=lambda case: str(case["id"]))
def test_glmnet(case: dict[str, Any]) -> None:
    """glmnet(lambda, alpha): 1/(2N) sum r^2 + lambda ((1 - alpha)/2 sum w^2 + alpha sum |w|).

    With mse, l1 = 2 lambda alpha and l2 = 2 lambda (1 - alpha). What it computes has an l2 of that by s, the target's
    standard deviation with divisor N: it solves for y/s and lambda/s. Both are tested: as documented to 1e-3, and as it
    computes to the digits of its figures.
    """
    rows = np.array(GLMNET["rows"], dtype=float)[: case["n"], : 1 + case["p"]]
    unit = (rows - rows.mean(0)) / rows.std(0, ddof=1)
    names = [f"x{j}" for j in range(1, 1 + case["p"])]
    columns = {"y": unit[:, 0].tolist(), **{name: unit[:, 1 + j].tolist() for j, name in enumerate(names)}}
    regress = {"target": "y", "features": names, "intercept": False}
    ratio, lam, reference = case["l1_ratio"], case["lambda_"], np.array(case["reference"])

    def weights(l2: float) -> np.ndarray:
        posed = {"regress": regress, "data": {"columns": columns, "scale": "none"}}
        return values(train(load({**posed, "penalty": {"l1": 2 * lam * ratio, "l2": l2}})))

    def objective_of(w_F: np.ndarray) -> float:
        pull = lam * ((1 - ratio) / 2 * np.square(w_F).sum() + ratio * np.abs(w_F).sum())
        return float(np.square(unit[:, 0] - unit[:, 1:] @ w_F).sum() / (2 * case["n"]) + pull)

    documented = weights(2 * lam * (1 - ratio))
    assert documented == pytest.approx(reference, abs=1e-3)
    assert objective_of(documented) <= objective_of(reference) + 1e-15
    assert (documented == 0).tolist() == (reference == 0).tolist()
    computed = weights(2 * lam * (1 - ratio) / unit[:, 0].std())
    assert computed == pytest.approx(reference, abs=2e-7)


# What is refused


REFUSED = [
    ({"train": {"optimizer": "adam"}}, {"l1": 0.1}, "adam takes no l1; write optimizer: sgd"),
    ({"train": {"engine": "exact"}}, {"l1": 0.1}, "there is no closed form here: l1 has no closed form"),
    ({}, {"l1": -0.1}, "l1 must be"),
    ({}, {"l3": 0.1}, "l3 is not a key of penalty; the keys here are l1, l2"),
    ({"lasso": 0.1}, {}, "lasso is not a key of an experiment; did you mean l1, under penalty"),
]


@pytest.mark.parametrize(("more", "weights", "message"), REFUSED)
def test_refused(more: dict[str, Any], weights: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(weights, **more)


@pytest.mark.parametrize(
    ("kind", "message"),
    [({"solve": "x = 1"}, "solve takes no penalty"), ({"minimize": "x^2"}, "minimize takes no penalty")],
)
def test_kinds_without_a_penalty(kind: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load({**kind, "penalty": {"l2": 1}})


def test_an_l1_of_zero_goes_with_any_optimizer() -> None:
    assert run({"l1": 0, "l2": 0.1}, train={"optimizer": "adam", "lr": 0.01, "epochs": 5}).epochs == 5
