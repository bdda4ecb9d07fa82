"""Engine `exact` beside `--engine loop` through whole runs, when each is chosen, and what neither may get wrong."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gdtrain.errors import USAGE, UserError
from gdtrain.results import Result
from tests.affine import AFFINE, COLUMNS, DATA, SGD, curvature, run
from tests.problems import experiment, problem
from tests.quadratics import EPS, F64

OPTIONS = pytest.mark.parametrize("options", SGD.values(), ids=SGD)
EVERY_OPTION = ("several terms", "three equations", "weights that are fixed", "more parameters than rows")
# Every problem with some options, some problems with every option.
PAIRS = pytest.mark.parametrize(
    ("source", "options"),
    [
        pytest.param(source, options, id=f"{name}, {kind}")
        for name, source in AFFINE.items()
        for kind, options in SGD.items()
        if name in EVERY_OPTION or kind in ("plain", "nesterov")
    ],
)


def rounding_of_losses(source: dict[str, Any], result: Result) -> Tensor:
    """(K,): 1e-9 of each loss, and what residuals that are off by a few roundings of their terms change it by."""
    posed = problem(experiment(source, lr=result.train["lr"]) if result.train["scale"] == "none" else source)
    assert posed.quadratic is not None
    theta_KP = posed.parameters.theta(torch.as_tensor(result.recorded.values_KQ))
    A_NP = torch.cat(list(posed.objective.jacobians(theta_KP[:1])))
    terms_K = (theta_KP.abs() @ A_NP.abs().mT).norm(dim=1) * posed.quadratic.scale**0.5 + posed.quadratic.size**0.5
    delta_K, loss_K = 64 * EPS * terms_K, torch.as_tensor(result.recorded.loss_K)
    tolerance_K: Tensor = 1e-9 * loss_K + 2 * loss_K.sqrt() * delta_K + delta_K.square()
    return tolerance_K


def agree(source: dict[str, Any], **train_keys: Any) -> tuple[Result, Result]:
    """Both engines come to the same: every recorded epoch's weights and loss, verdict and epoch."""
    exact, loop = run(source, **train_keys), run(source, **train_keys, engine="loop")
    assert exact.engine == {
        "name": "exact",
        "data": "compressed",
        "reason": "squared loss, residual affine in the parameters",
    }
    assert (loop.engine["name"], loop.engine["reason"]) == ("loop", "asked for")
    assert loop.engine["data"] == ("none" if "solve" in source else "rows")
    assert exact.recorded.epochs_K.tolist() == loop.recorded.epochs_K.tolist()
    apart_K = np.linalg.norm(exact.recorded.values_KQ - loop.recorded.values_KQ, axis=1)
    assert apart_K.max() <= 1e-9 * np.linalg.norm(loop.recorded.values_KQ, axis=1).max()
    loss_apart_K = torch.as_tensor(np.abs(exact.recorded.loss_K - loop.recorded.loss_K))
    assert bool((loss_apart_K <= rounding_of_losses(source, loop)).all())
    assert (exact.verdict.status, exact.verdict.epoch) == (loop.verdict.status, loop.verdict.epoch)
    assert exact.train == loop.train
    assert exact.warnings == loop.warnings
    return exact, loop


# The same, whichever engine


@PAIRS
def test_engines_agree(source: dict[str, Any], options: dict[str, Any]) -> None:
    """At 0.6 of the limit, where momentum swings, and long enough for some to settle."""
    settings = {"optimizer": {"name": "sgd", **options}, "epochs": 100}
    scaled = "scale" in source.get("data", {}) and source["data"]["scale"] == "standard"
    limit = curvature(run(source, **settings, lr=1e-3))["lr_limit"]
    exact, _ = agree(source, **settings, lr=0.6 * limit)
    assert exact.train["scale"] == ("standard" if scaled else "none")


@PAIRS
def test_engines_agree_on_what_is_chosen(source: dict[str, Any], options: dict[str, Any]) -> None:
    """`lr: auto` is the same for both, and as stable: momentum may raise the loss on its way."""
    exact, _ = agree(source, optimizer={"name": "sgd", **options}, epochs=60)
    assert exact.train["lr"] == curvature(exact)["lr_best"]


@pytest.mark.parametrize("stop", [{"grad_tol": 1e-6}, {"loss_tol": 6.0}, {"patience": 3, "min_delta": 1e-2}], ids=str)
def test_engines_stop_alike(stop: dict[str, Any]) -> None:
    exact, _ = agree({**AFFINE["several terms"], "stop": stop}, epochs=3000)
    assert exact.verdict.epoch < 3000 or "grad_tol" in stop


@pytest.mark.parametrize("share", [1.05, 3.0, 1e3, 1e200])
def test_engines_diverge_alike(share: float) -> None:
    """The first epoch that is not finite, the culprit and the lr that is named."""
    source = AFFINE["line beside points"]
    lr = share * curvature(run(source, epochs=0))["lr_limit"]
    exact, loop = run(source, lr=lr, epochs=20_000), run(source, lr=lr, epochs=20_000, engine="loop")
    assert exact.verdict.status == loop.verdict.status == "diverged"
    assert exact.verdict.epoch == loop.verdict.epoch
    assert exact.verdict.detail.partition("; ")[0] == loop.verdict.detail.partition("; ")[0]


@pytest.mark.parametrize("name", ["adam", "adamw", "nadam", "radam", "rmsprop", "adagrad", "rprop"])
@pytest.mark.parametrize(
    "problem_name", ["several terms", "weights that are fixed", "two targets", "all other columns"]
)
def test_other_optimizers_walk_on_gathered_rows_as_on_all(problem_name: str, name: str) -> None:
    """A few epochs: an adaptive step magnifies a rounding error without bound."""
    source = AFFINE[problem_name]
    gathered, rows = (run(source, optimizer=name, lr=0.05, epochs=5, engine=engine) for engine in ("auto", "loop"))
    assert gathered.engine == {"name": "loop", "data": "compressed", "reason": f"{name} has no closed form"}
    assert rows.engine["data"] == "rows"
    np.testing.assert_allclose(gathered.recorded.values_KQ, rows.recorded.values_KQ, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(gathered.recorded.loss_K, rows.recorded.loss_K, rtol=1e-9)


def test_float32_is_as_close_as_float32_is() -> None:
    source = AFFINE["line beside points"]
    exact, loop = (run(source, dtype="float32", epochs=100, engine=engine) for engine in ("auto", "loop"))
    np.testing.assert_allclose(exact.recorded.values_KQ, loop.recorded.values_KQ, atol=1e-5)
    assert (exact.engine["name"], exact.dtype) == ("exact", "float32")


# When there is no closed form

WITHOUT: list[tuple[dict[str, Any], str, str]] = [
    (
        {"fit": "y = a*exp(-b*x)", "data": DATA},
        "rows",
        "the residual of y = a*exp(-b*x) is not affine in the parameters",
    ),
    ({"fit": "y = a*b*x", "data": DATA}, "rows", "the residual of y = a*b*x is not affine in the parameters"),
    ({"solve": ["x + y = 3", "x*y = 1"]}, "none", "the residual of x*y = 1 is not affine in the parameters"),
    ({"fit": "y = a*x", "data": DATA, "loss": "mae"}, "rows", "mae is not a squared loss"),
    ({"regress": {"target": "y"}, "data": DATA, "loss": "huber"}, "rows", "huber is not a squared loss"),
    ({"minimize": "(x - 1)^2"}, "none", "an expression is no sum of squares"),
    ({"minimize": "mean((a*x - y)^2)", "data": DATA}, "rows", "an expression is no sum of squares"),
    (
        {"fit": "y = a*x + b", "data": DATA, "params": {"a": {"start": 0.5, "min": 0}}},
        "compressed",
        "bounds have no closed form",
    ),
    (
        {"fit": "y = a*x", "data": DATA, "train": {"optimizer": {"name": "sgd", "momentum": 1.0}}},
        "compressed",
        "momentum of 1 or more has no closed form",
    ),
    (
        {"fit": "log(z - 100) = a*x", "data": DATA},
        "rows",
        "the rows are not finite, or too large to gather",
    ),
    (
        {"regress": {"target": "y", "features": ["x"]}, "data": {"columns": {"x": [1.7e308] * 3, "y": [1, 2, 3]}}},
        "rows",
        "the rows are too large to gather",
    ),
    (
        {"regress": {"target": "y"}, "data": {"columns": {f"x{i}": [i] for i in range(80)} | {"y": [1]}}},
        "rows",
        "walking 5 epochs costs less than gathering 81 columns",
    ),
]


@pytest.mark.parametrize(("source", "data", "reason"), WITHOUT, ids=[reason for _, _, reason in WITHOUT])
def test_the_reason_for_walking_is_told(source: dict[str, Any], data: str, reason: str) -> None:
    assert run(source, epochs=5).engine == {"name": "loop", "data": data, "reason": reason}


@pytest.mark.parametrize(("source", "data", "reason"), WITHOUT, ids=[reason for _, _, reason in WITHOUT])
def test_exact_is_refused_with_the_reason(source: dict[str, Any], data: str, reason: str) -> None:
    with pytest.raises(UserError) as caught:
        run(source, epochs=5, engine="exact")
    assert caught.value.code == USAGE
    assert str(caught.value).startswith(f"train.engine: there is no closed form here: {reason}; leave engine to auto")


@pytest.mark.parametrize("name", ["line beside points", "system", "two features"])
def test_exact_may_be_asked_for(name: str) -> None:
    assert run(AFFINE[name], engine="exact").params == run(AFFINE[name]).params


def test_bounds_hold_on_gathered_rows() -> None:
    """Least squares through (1, 2) ... (4, 8.5) has b = -1/4; above 0, b = 0 and w = sum(x y)/sum(x^2) = 62/30."""
    source: dict[str, Any] = {
        "fit": "y = w*x + b",
        "data": {"columns": {"x": [1, 2, 3, 4], "y": [2, 4, 6, 8.5]}},
        "params": {"b": {"start": 1.0, "min": 0}},
    }
    found, rows = run(source), run(source, engine="loop")
    assert found.params == pytest.approx({"w": 62 / 30, "b": 0.0}, abs=1e-12)
    assert found.params == pytest.approx(rows.params, abs=1e-12)
    assert found.verdict.status == rows.verdict.status == "converged"


# What no walk reaches, and what goes wrong


@OPTIONS
def test_a_billion_epochs_take_no_time(options: dict[str, Any]) -> None:
    began = time.perf_counter()
    result = run(AFFINE["several terms"], optimizer={"name": "sgd", **options}, epochs=10**9)
    assert time.perf_counter() - began < 1
    assert (result.verdict.status, result.verdict.epoch) == ("converged", 10**9)
    assert [row["epoch"] for row in result.to_dict()["history"]][-1] == 10**9


def test_a_singular_design_is_named_and_ends_at_its_nearest_optimum() -> None:
    """Of a + b the start and the optimum alike keep a - b."""
    result = run({**AFFINE["only a sum matters"], "params": {"a": 1.0, "b": -2.0}})
    x, y = np.array(COLUMNS["x"]), np.array(COLUMNS["y"])
    assert result.params["a"] + result.params["b"] == pytest.approx(x @ y / (x @ x), rel=1e-12)
    assert result.params["a"] - result.params["b"] == pytest.approx(3.0, rel=1e-12)
    (warning,) = result.warnings
    assert warning.startswith("a and b are not determined one by one")


UNDETERMINED: list[tuple[str, str]] = [
    ("a parameter that does not", "nothing depends on b"),
    ("too few equations", "x, y and z are not determined one by one"),
    ("a constant column", "only 5*c + 2*intercept is determined: adding 2 to c and -5 to intercept changes nothing"),
    ("a constant column, not scaled", "c and intercept are not determined one by one"),
    ("one row", "x, z and intercept are not determined one by one"),
    ("more parameters than rows", "a, b, d and g are not determined one by one"),
]


@pytest.mark.parametrize(("name", "sentence"), UNDETERMINED)
def test_what_is_not_determined_is_named(name: str, sentence: str) -> None:
    result = run(AFFINE[name], epochs=10**6)
    assert result.verdict.status == "converged"
    assert any(sentence in warning for warning in result.warnings)
    assert curvature(result)["smallest"] == 0
    assert math.isfinite(curvature(result)["condition"])


def huge(y: list[float], **more: Any) -> dict[str, Any]:
    return {"regress": {"target": "y"}, "data": {"columns": {"x": [1e300, 2e300, 3e300], "y": y}, **more}}


def test_huge_columns_that_are_scaled_are_fine() -> None:
    result = run(huge([2, 3, 4]))
    assert (result.engine["name"], result.verdict.status, result.warnings) == ("exact", "converged", [])
    assert result.params == pytest.approx({"x": 1e-300, "intercept": 1.0}, rel=1e-12)


@pytest.mark.parametrize("engine", ["auto", "loop"])
@pytest.mark.parametrize(
    "source",
    [
        {"fit": "y = a*x", "data": huge([2, 3, 4])["data"]},
        huge([2e300, 3e300, 4e300]),
        {"solve": "1e200*x = 3"},
    ],
    ids=["a prediction", "a target", "an equation"],
)
def test_a_first_loss_that_overflows_has_diverged_at_the_start(source: dict[str, Any], engine: str) -> None:
    verdict = run(source, engine=engine).verdict
    assert (verdict.status, verdict.epoch, verdict.exit_code) == ("diverged", 0, 4)
    assert "not finite at the start" in verdict.detail


@pytest.mark.parametrize("source", [huge([2, 3, 4], scale="none")])
def test_a_curvature_that_overflows_is_told(source: dict[str, Any]) -> None:
    """From 0 the loss is finite, and one step is not: no lr is named, none is missing a minimum."""
    verdict = run(source, lr=0.1).verdict
    assert (verdict.status, verdict.epoch, verdict.exit_code) == ("diverged", 1, 4)
    assert "the curvature overflows" in verdict.detail and "no minimum" not in verdict.detail


def test_a_curvature_that_underflows_is_no_silent_convergence() -> None:
    """Of x = 1e-300 the gradient is 1e-300: below any tolerance, with nothing learnt."""
    source = {"fit": "y = a*x", "data": {"columns": {"x": [1e-300, 2e-300], "y": [2, 3]}}}
    result = run(source)
    assert result.loss["final"] == pytest.approx(result.loss["initial"])
    assert any("far above its optimum" in warning for warning in result.warnings)
    assert torch.tensor(curvature(result)["excess_loss"], dtype=F64) > 1
