"""Problems: losses and gradients against autograd, the map between trained and reported values, blocks of rows."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gdtrain.data.opening import open_data, rows_to_predict
from gdtrain.errors import UserError
from gdtrain.experiment.load import load
from gdtrain.linalg.determined import undetermined
from gdtrain.local.curvature import hessian_products, largest_curvature
from gdtrain.problem import fit, regress
from gdtrain.problem.problem import Problem
from tests.problems import Known, all_known, around, problem, start, unscaled

F64 = torch.float64
N = 40
RNG = np.random.default_rng(3)
COLUMNS = {
    "x": RNG.normal(50, 3, N).tolist(),
    "z": RNG.uniform(-1, 0.1, N).tolist(),
    "y": RNG.normal(2, 1, N).tolist(),
    "v": RNG.normal(-4, 2, N).tolist(),
}
DATA = {"columns": COLUMNS}
LOSSES: list[Any] = ["mse", "half_sse", "sse", "mae", {"name": "huber", "delta": 0.7}, "logcosh", "quantile"]
# Every kind, affine and not, with and without columns, several targets, weights that are held.
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "solve": {"solve": ["x*y + exp(x) = 3", "x - y^3 = 0.5", "sin(x) = z/2"]},
    "fit": {"fit": "y = a*exp(-b*z) + c*x", "data": DATA},
    "fit a constant": {"fit": "y = c", "data": DATA},
    "fit a function of columns": {"fit": "log(x) = a + b*z/(1 + c^2)", "data": DATA},
    "fit, one held": {"fit": "y = a*x + b*z", "data": DATA, "params": {"b": {"start": 2.0, "fixed": True}}},
    "regress": {"regress": {"target": "y"}, "data": DATA},
    "regress without intercept": {"regress": {"target": "y", "intercept": False}, "data": DATA},
    "regress two targets": {"regress": {"target": ["y", "v"]}, "data": DATA},
    "regress unscaled": {"regress": {"target": ["y", "v"]}, "data": DATA, "train": {"lr": 1e-6}},
    "regress, one held": {
        "regress": {"target": "y"},
        "data": DATA,
        "params": {"z": {"start": -1.5, "fixed": True}, "x": {"start": 0.1, "min": -1, "max": 3}},
    },
    "regress, intercept held": {
        "regress": {"target": ["y", "v"]},
        "data": DATA,
        "params": {"v.intercept": {"start": 2.0, "fixed": True}},
    },
}
WITHOUT_LOSS: dict[str, dict[str, Any]] = {
    "minimize": {"minimize": "(1 - x)^2 + 100*(y - x^2)^2"},
    "minimize over rows": {"minimize": "mean((a*x + b - y)^2) + sum(abs(a*z))/9", "data": DATA},
}
CASES = [
    *(pytest.param({**e, "loss": loss}, id=f"{name}, {loss}") for name, e in EXPERIMENTS.items() for loss in LOSSES),
    *(pytest.param(e, id=name) for name, e in WITHOUT_LOSS.items()),
]
LABELS, CLASSES = (RNG.integers(0, 2, N) * 1.0).tolist(), (RNG.integers(0, 3, N) * 2.0 - 1).tolist()
COUNTS, POSITIVE = RNG.poisson(3, N).astype(float).tolist(), RNG.gamma(2, 1, N).tolist()
LINKED_DATA = {"columns": {"x": COLUMNS["x"], "z": COLUMNS["z"], "y": LABELS, "k": CLASSES, "n": COUNTS, "p": POSITIVE}}
LINKED: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "fit": ({"fit": "TARGET = a*z + b*sin(x)"}, {}),
    "regress": ({"regress": {"target": "TARGET", "features": ["x", "z"]}}, {}),
    "regress without intercept": ({"regress": {"target": "TARGET", "features": ["x", "z"], "intercept": False}}, {}),
    "regress, one held": ({"regress": {"target": "TARGET", "features": ["x", "z"]}}, {"z": -0.5}),
}
TARGETS = {"logistic": "y", "softmax": "k", "poisson": "n", "gamma": "p"}


def linked(name: str, loss: str) -> dict[str, Any]:
    """An experiment whose predictor a link joins to its target; of classes the weights of the third are held."""
    source, held = LINKED[name]
    filled = json.loads(json.dumps(source).replace("TARGET", TARGETS[loss]))
    prefix = "3." if loss == "softmax" else ""
    params = {f"{prefix}{parameter}": {"start": value, "fixed": True} for parameter, value in held.items()}
    return {**filled, "data": LINKED_DATA, "loss": loss, "params": params}


CASES += [
    pytest.param(linked(name, loss), id=f"{name}, {loss}")
    for name in LINKED
    for loss in TARGETS
    if (name, loss) != ("fit", "softmax")
]
SCALED = [name for name, e in EXPERIMENTS.items() if "regress" in e]


def by_autograd(posed: Problem, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
    theta = theta_SP.clone().requires_grad_()
    loss_S = torch.stack([term.expand(len(theta)) for term in posed.objective.terms(theta)]).sum(0)
    (gradient,) = torch.autograd.grad(loss_S.sum(), theta)
    return loss_S.detach(), gradient


def close(found: Tensor, expected: Tensor, share: float = 1e-12) -> None:
    assert float((found - expected).norm()) <= share * max(1e-300, float(expected.norm()))


# Losses and gradients


@pytest.mark.parametrize("source", CASES)
def test_the_gradient_is_autograds(source: dict[str, Any]) -> None:
    posed = problem(source)
    theta = around(posed, 3)
    with torch.inference_mode():
        loss_S, gradient_SP = posed.objective.loss_and_gradient(theta.clone())
    expected_S, expected_SP = by_autograd(posed, theta)
    close(loss_S, expected_S)
    close(gradient_SP, expected_SP)


@all_known
def test_the_loss_is_the_one_written_by_hand(known: Known) -> None:
    posed = unscaled(known)
    theta = around(posed, 5)
    loss_S, gradient_SP = posed.objective.loss_and_gradient(theta)
    for s, values in enumerate(theta):
        weights = [value.clone().requires_grad_() for value in values]
        loss = known.by_hand(dict(zip(posed.parameters.trained, weights, strict=True)))
        assert loss_S[s].item() == pytest.approx(loss.item(), rel=1e-12)
        close(gradient_SP[s], torch.stack(torch.autograd.grad(loss, weights)))


@all_known
def test_the_answer_is_one(known: Known) -> None:
    """At the answer the loss is what it should be and its gradient vanishes, to the rounding of the residuals."""
    posed = problem(known.experiment)
    values = torch.tensor([known.answer[name] for name in posed.parameters.names], dtype=F64)
    loss, gradient = posed.objective.loss_and_gradient(posed.parameters.theta(values)[None])
    assert float(loss) == pytest.approx(known.loss, rel=1e-14, abs=1e-28)
    assert float(gradient.norm()) < 1e-13


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("mse", lambda r: (r**2).mean()),
        ("half_sse", lambda r: (r**2).sum() / 2),
        ("sse", lambda r: (r**2).sum()),
        ("mae", lambda r: abs(r).mean()),
        ("logcosh", lambda r: np.log(np.cosh(r)).mean()),
        ({"name": "quantile", "q": 0.2}, lambda r: np.where(r > 0, 0.8 * r, -0.2 * r).mean()),
        ({"name": "huber", "delta": 0.7}, lambda r: np.where(abs(r) < 0.7, r**2 / 2, 0.7 * (abs(r) - 0.35)).mean()),
    ],
)
def test_each_loss_as_it_is_defined(name: Any, by_hand: Any) -> None:
    """With two targets a mean is over rows and targets: 2N residuals."""
    posed = problem({**EXPERIMENTS["regress two targets"], "loss": name})
    assert posed.parameters.names == ["y.x", "y.z", "y.intercept", "v.x", "v.z", "v.intercept"]
    values = np.array([0.1, -1.0, 2.0, 0.5, 3.0, -20.0])
    theta = posed.parameters.theta(torch.tensor(values))
    loss, _ = posed.objective.loss_and_gradient(theta[None])
    x, z, y, v = (np.array(COLUMNS[name]) for name in "xzyv")
    residuals = np.stack([0.1 * x - z + 2 - y, 0.5 * x + 3 * z - 20 - v])
    assert float(loss) == pytest.approx(by_hand(residuals), rel=1e-12)


@pytest.mark.parametrize("rows", [1, 7, N - 1])
@pytest.mark.parametrize("source", [*EXPERIMENTS.values(), *WITHOUT_LOSS.values()], ids=[*EXPERIMENTS, *WITHOUT_LOSS])
def test_blocks_of_rows_add_up(source: dict[str, Any], rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = problem(source)
    monkeypatch.setattr(fit, "BLOCK_ROWS", rows)
    monkeypatch.setattr(regress, "BLOCK_ROWS", rows)
    blocks = problem(source)
    theta = around(whole, 3)
    for found, expected in zip(
        blocks.objective.loss_and_gradient(theta), whole.objective.loss_and_gradient(theta), strict=True
    ):
        close(found, expected)
    close(largest_curvature(blocks.objective, theta), largest_curvature(whole.objective, theta), 1e-9)
    jacobians = [torch.cat([*p.objective.jacobians(theta[:1])] or [theta[:0]]) for p in (blocks, whole)]
    assert jacobians[0].shape == jacobians[1].shape
    if "target" not in source.get("regress", {}) or isinstance(source["regress"]["target"], str):
        close(jacobians[0], jacobians[1])  # with several targets blocks come in another order


@pytest.mark.parametrize("name", SCALED)
def test_jacobians_are_the_residuals_derivatives(name: str) -> None:
    """With half_sse the gradient is J'r, and where r is affine a step d changes it by J'J d."""
    posed = problem({**EXPERIMENTS[name], "loss": "half_sse"})
    theta, step = around(posed, 1), torch.ones_like(start(posed))
    jacobian_NP = torch.cat([*posed.objective.jacobians(theta)])
    _, before = posed.objective.loss_and_gradient(theta)
    _, after = posed.objective.loss_and_gradient(theta + step)
    close(after - before, step @ jacobian_NP.T @ jacobian_NP, 1e-9)


def test_an_expression_has_no_residuals() -> None:
    posed = problem(WITHOUT_LOSS["minimize"])
    assert not [*posed.objective.jacobians(start(posed))]


# The map between trained and reported values


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_values_of_theta_of_values(name: str) -> None:
    """There and back, also from theta; and what is held stays where it starts."""
    parameters = problem(EXPERIMENTS[name]).parameters
    theta = around(problem(EXPERIMENTS[name]), 4)
    values = parameters.values(theta)
    assert values.shape == (4, len(parameters.names))
    torch.testing.assert_close(parameters.theta(values), theta, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(parameters.values(parameters.theta(values)), values, rtol=1e-12, atol=1e-12)
    held = [i for i in range(len(parameters.names)) if i not in parameters.free]
    for i in held:
        torch.testing.assert_close(values[:, i], parameters.start_Q[i].expand(4), rtol=1e-13, atol=0)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("name", SCALED)
def test_scaling_changes_no_prediction_and_no_loss(name: str, loss: Any) -> None:
    """A linear predictor on scaled columns is the one on the columns: same loss at the same values."""
    scaled = problem({**EXPERIMENTS[name], "loss": loss, "train": {}})
    plain = problem({**EXPERIMENTS[name], "loss": loss, "train": {"lr": 1.0}})
    assert bool(scaled.parameters.scalings) and not plain.parameters.scalings
    theta = around(plain, 3)
    values = plain.parameters.values(theta)
    found, gradient = scaled.objective.loss_and_gradient(scaled.parameters.theta(values))
    expected, expected_gradient = plain.objective.loss_and_gradient(theta)
    close(found, expected, 1e-11)
    close(scaled.parameters.gradient(gradient), plain.parameters.gradient(expected_gradient), 1e-9)


def test_scaled_columns_have_mean_0_and_deviation_1() -> None:
    """So that with mse the curvature of each weight is 2, and with an intercept columns that are orthogonal part."""
    posed = problem({"regress": {"target": "y", "features": ["x"]}, "data": DATA})
    (scaling,) = posed.parameters.scalings
    x = np.array(COLUMNS["x"])
    assert float(scaling.mean_F) == pytest.approx(x.mean(), rel=1e-14)
    assert float(scaling.sd_F) == pytest.approx(x.std(), rel=1e-12)
    hessian = torch.stack(hessian_products(posed.objective, start(posed), list(torch.eye(2, dtype=F64)[:, None])), -1)
    torch.testing.assert_close(hessian[0], 2 * torch.eye(2, dtype=F64), rtol=1e-12, atol=1e-12)


def test_without_intercept_columns_are_divided_only() -> None:
    (scaling,) = problem(EXPERIMENTS["regress without intercept"]).parameters.scalings
    columns = [np.array(COLUMNS[name]) for name in "xzv"]
    assert (scaling.intercept, scaling.mean_F.tolist()) == (None, [0.0, 0.0, 0.0])
    assert scaling.sd_F.tolist() == pytest.approx([math.sqrt((c**2).mean()) for c in columns], rel=1e-12)


def test_bounds_are_told_in_trained_units() -> None:
    """A weight's bounds are stretched by its column's deviation; held weights have none."""
    parameters = problem(EXPERIMENTS["regress, one held"]).parameters
    sd = np.std(COLUMNS["x"])
    assert parameters.trained == ["x", "v", "intercept"]
    assert parameters.lower_P.tolist() == pytest.approx([-sd, -math.inf, -math.inf])
    assert parameters.upper_P.tolist() == pytest.approx([3 * sd, math.inf, math.inf])
    assert parameters.bounded


@pytest.mark.parametrize(
    ("column", "mean", "sd"),
    [
        ([5.0, 5.0, 5.0], 5.0, 1.0),  # a constant keeps its scale
        ([0.0, 0.0, 0.0], 0.0, 1.0),
        ([1e300, -1e300, 1e300], 1e300 / 3, 1e300 * math.sqrt(8 / 9)),  # the squares would overflow
        ([1e-300, -1e-300, 1e-300], 1e-300 / 3, 1e-300 * math.sqrt(8 / 9)),  # and here vanish
    ],
)
def test_extreme_columns_are_scaled(column: list[float], mean: float, sd: float) -> None:
    source = {"regress": {"target": "y"}, "data": {"columns": {"x": column, "y": [1.0, 2.0, 3.0]}}}
    (scaling,) = problem(source).parameters.scalings
    assert float(scaling.mean_F) == pytest.approx(mean, rel=1e-12)
    assert float(scaling.sd_F) == pytest.approx(sd, rel=1e-12)


# Starts


def test_a_start_depends_on_seed_and_name_alone() -> None:
    one = problem({"minimize": "(a - 1)^2", "train": {"seed": 4}}).parameters.start_Q
    two = problem({"minimize": "(b - 1)^2 + (a - 1)^2", "train": {"seed": 4}}).parameters
    other = problem({"minimize": "(a - 1)^2", "train": {"seed": 5}}).parameters.start_Q
    assert float(two.start_Q[two.names.index("a")]) == float(one)
    assert float(one) != float(other)


STARTS: list[tuple[dict[str, Any], float, float]] = [
    ({}, 0.0, 1.0),
    ({"start": {"uniform": [3, 4]}}, 3.0, 4.0),
    ({"start": {"normal": [100, 0.001]}}, 99.9, 100.1),
    ({"min": 0.9}, 0.9, 1.0),
    ({"max": -2.0}, -2.0, -2.0),  # the default range moves within the bounds
    ({"start": {"normal": [0, 9]}, "min": 0, "max": 0.1}, 0.0, 0.1),  # a draw is moved onto its bounds
]


@pytest.mark.parametrize(("param", "low", "high"), STARTS)
def test_where_starts_are_drawn(param: dict[str, Any], low: float, high: float) -> None:
    for seed in range(20):
        source = {"minimize": "(a - 1)^2", "params": {"a": param}, "train": {"seed": seed}}
        assert low <= float(problem(source).parameters.start_Q) <= high


def test_regress_starts_at_0() -> None:
    assert problem(EXPERIMENTS["regress"]).parameters.start_Q.tolist() == [0.0] * 4


# Curvature


CURVATURES: list[tuple[dict[str, Any], float]] = [
    ({"solve": "x + 1 = 3"}, 1.0),  # half_sse: the second derivative of (x - 2)^2/2
    ({"fit": "y = w*x", "data": {"columns": {"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]}}}, 15.0),  # 2 mean(x^2)
    ({"minimize": "x^2 - 3*y^2"}, 6.0),  # of the eigenvalues 2 and -6 the larger in magnitude
    ({"minimize": "x*y"}, 1.0),
    ({"minimize": "x + 2*y"}, 0.0),
    ({"minimize": "exp(x)", "params": {"x": 3.0}}, math.exp(3)),
]


@pytest.mark.parametrize(("source", "curvature"), CURVATURES)
@pytest.mark.parametrize("dense", [64, 0])
def test_largest_curvature(
    source: dict[str, Any], curvature: float, dense: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the whole Hessian and by power iteration."""
    monkeypatch.setattr("gdtrain.local.curvature._DENSE", dense)
    posed = problem(source)
    assert float(largest_curvature(posed.objective, start(posed))) == pytest.approx(curvature, rel=1e-5, abs=1e-12)


# What the data do not determine


def sentences(source: dict[str, Any]) -> list[str]:
    posed = problem(source)
    return undetermined(posed.objective.jacobians(around(posed, 1)), posed.parameters.trained)


UNDETERMINED: list[tuple[dict[str, Any], list[list[str]]]] = [
    ({"fit": "y = a*x + b", "data": DATA}, []),
    ({"fit": "y = a*b*x", "data": DATA}, [["a and b", "1 way "]]),
    ({"fit": "y = a*x + 0*b", "data": DATA}, [["nothing depends on b"]]),
    ({"fit": "y = (a + b + c)*x", "data": DATA}, [["a, b and c", "2 ways"]]),
    ({"fit": "y = a*x + b*x*1e-9 + c", "data": DATA}, [["a and b", "1 way "]]),  # at its own scale no column is small
    ({"solve": ["x + y = 3", "x - y = 1"]}, []),
    ({"regress": {"target": "y"}, "data": DATA}, []),
    (
        {"regress": {"target": "y"}, "data": {"columns": {"x": [1, 2], "z": [3, 5], "y": [1, 2]}}},
        [["x and z", "1 way "]],
    ),
]


@pytest.mark.parametrize(("source", "expected"), UNDETERMINED)
def test_undetermined(source: dict[str, Any], expected: list[list[str]]) -> None:
    found = sentences(source)
    assert len(found) == len(expected)
    for sentence, parts in zip(found, expected, strict=True):
        for part in parts:
            assert part in sentence


# Data


def test_only_named_columns_are_kept() -> None:
    data = open_data(load(EXPERIMENTS["fit, one held"]))
    assert sorted(data.columns) == ["x", "y", "z"]
    assert data.rows == N


def test_rows_to_predict() -> None:
    points = {"fit": "y = a*x", "data": DATA, "predict": [{"x": 5, "z": 1}, {"x": 6}]}
    data = open_data(load(points))
    rows = rows_to_predict(load(points), data)
    assert {name: column.tolist() for name, column in rows.columns.items()} == {"x": [5.0, 6.0]}
    assert (rows.count, rows.own) == (2, False)


# Links, and classes


def test_parameters_of_classes() -> None:
    """The first class is the reference and has no weights; the others' are named after them."""
    posed = problem(linked("regress", "softmax"))
    assert posed.classes == ["-1", "1", "3"]
    assert posed.parameters.names == ["1.x", "1.z", "1.intercept", "3.x", "3.z", "3.intercept"]


@pytest.mark.parametrize("name", [name for name in LINKED if name != "fit"])
def test_the_loss_of_classes_is_torchs(name: str) -> None:
    posed = problem({**linked(name, "softmax"), "train": {"lr": 1.0}})
    theta = around(posed, 3)
    number = torch.tensor([CLASSES], dtype=F64).add(1).div(2).long()[0]
    x_ND = torch.tensor([COLUMNS["x"], COLUMNS["z"]] + [[1.0] * N] * ("without" not in name), dtype=F64).T
    for s, values in enumerate(posed.parameters.values(theta)):
        eta = torch.cat([torch.zeros(N, 1, dtype=F64), x_ND @ values.view(2, -1).T], 1)
        expected = torch.nn.functional.cross_entropy(eta, number)
        assert float(posed.objective.loss_and_gradient(theta)[0][s]) == pytest.approx(float(expected), rel=1e-13)


@pytest.mark.parametrize("loss", TARGETS)
def test_predictions_are_on_the_scale_of_the_target(loss: str) -> None:
    """Those of the start, and of labels shaped like the target, of classes one for each."""
    posed = problem(linked("regress", loss))
    assert posed.predict is not None
    values = torch.linspace(-0.02, 0.02, len(posed.parameters.names), dtype=F64)
    columns = {name: torch.tensor(COLUMNS[name][:5], dtype=F64) for name in ("x", "z")}
    found = posed.predict(values, columns, 5)
    x_ND = torch.stack([columns["x"], columns["z"], torch.ones(5, dtype=F64)], 1)
    eta = x_ND @ values.view(-1, 3).T
    if loss == "softmax":
        expected = torch.softmax(torch.cat([torch.zeros(5, 1, dtype=F64), eta], 1), 1)
    else:
        expected = torch.sigmoid(eta[:, 0]) if loss == "logistic" else torch.exp(eta[:, 0])
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=0)


POSED = [(name, loss) for name in LINKED for loss in TARGETS if (name, loss) != ("fit", "softmax")]


@pytest.mark.parametrize(("name", "loss"), POSED)
def test_a_trial_beside_others_has_its_own_loss(name: str, loss: str) -> None:
    posed = problem(linked(name, loss))
    theta = around(posed, 7)
    together = posed.objective.loss_and_gradient(theta)
    for s in range(7):
        alone = posed.objective.loss_and_gradient(theta[s : s + 1])
        for ours, theirs in zip(together, alone, strict=True):
            torch.testing.assert_close(ours[s : s + 1], theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "loss"), POSED)
def test_the_learning_rate_of_a_link_is_finite(name: str, loss: str) -> None:
    """Twice through the loss by autograd; of labels it is the largest eigenvalue of X'X/4N at the start."""
    posed = problem(linked(name, loss))
    (largest,) = largest_curvature(posed.objective, start(posed)).tolist()
    assert math.isfinite(largest)
    assert largest > 0
    if (name, loss) == ("regress", "logistic"):
        x_NF = np.array([COLUMNS["x"], COLUMNS["z"]]).T
        scaled = np.column_stack([(x_NF - x_NF.mean(0)) / x_NF.std(0), np.ones(N)])
        assert largest == pytest.approx(np.linalg.eigvalsh(scaled.T @ scaled / (4 * N)).max(), rel=1e-12)


@settings(max_examples=25)
@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=3, max_size=9), st.integers(0, 3))
def test_predictions_are_the_formula(xs: list[float], seed: int) -> None:
    """predict is evaluated row by row: y = a*x^2 + b."""
    posed = problem({"fit": "y = a*x^2 + b", "data": {"columns": {"x": xs, "y": xs}}, "train": {"seed": seed}})
    assert posed.predict is not None
    a, b = posed.parameters.start_Q.tolist()
    found = posed.predict(posed.parameters.start_Q, {"x": torch.tensor(xs, dtype=F64)}, len(xs))
    assert found.tolist() == [a * (x * x) + b for x in xs]


def test_a_column_that_is_no_device() -> None:
    """A device that this torch does not know is the user's mistake, not ours."""
    missing = next((name for name in ("cuda", "mps", "xpu") if not _available(name)), None)
    if missing is None:
        pytest.skip("every device is here")
    with pytest.raises(UserError) as caught:
        problem({**EXPERIMENTS["fit"], "train": {"device": missing}})
    assert missing in str(caught.value)


def _available(name: str) -> bool:
    return bool(torch.backends.mps.is_available()) if name == "mps" else bool(getattr(torch, name).is_available())
