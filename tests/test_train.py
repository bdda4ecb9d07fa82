"""Whole runs: what each kind of experiment comes to, every verdict, and how far the optimizers of this package get."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from gdtrain.experiment.load import load
from gdtrain.optimizers import OPTIMIZERS
from gdtrain.results import Result
from gdtrain.train import train
from tests.problems import Known, all_known, experiment

POINTS = {"columns": {"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]}}  # y = 2x; mean x^2 = 7.5
LINE = {"fit": "y = w*x", "data": POINTS, "params": {"w": 0.0}}


def run(source: dict[str, Any], **train_keys: Any) -> Result:
    return train(experiment(source, **train_keys))


# Every optimizer reaches every known answer

# Settings that reach any of the problems; the loss there is convex about the way, so that none gets stuck. The adaptive
# ones divide by a gradient that fades away: past the answer, or with a smaller eps, they start to swing again.
REACHING: dict[str, dict[str, Any]] = {
    "sgd": {"epochs": 1000},
    "adam": {"optimizer": {"name": "adam", "eps": 1e-3}, "lr": 0.05, "epochs": 1200},
    "adamw": {"optimizer": {"name": "adamw", "eps": 1e-3, "weight_decay": 0.0}, "lr": 0.05, "epochs": 1200},
    "nadam": {"optimizer": {"name": "nadam", "eps": 1e-3}, "lr": 0.05, "epochs": 1500},
    "radam": {"lr": 0.05, "epochs": 1500},
    "rmsprop": {"lr": 2e-3, "epochs": 3000},
    "adagrad": {"lr": 1.0, "epochs": 1000},
    "rprop": {"optimizer": {"name": "rprop", "step_sizes": [1e-14, 50.0]}, "lr": 0.01, "epochs": 500},
}
FOUND_TO = {"rmsprop": 2e-3}  # it moves by about lr around the answer


@pytest.mark.parametrize("name", OPTIMIZERS)
@all_known
def test_every_optimizer_reaches_every_answer(known: Known, name: str) -> None:
    settings = {"optimizer": name, **REACHING[name]}
    result = run(dict(known.experiment), **settings)
    tolerance = FOUND_TO.get(name, 1e-6)
    assert result.params == pytest.approx(known.answer, abs=tolerance)
    assert result.loss["final"] == pytest.approx(known.loss, abs=20 * tolerance**2 + 1e-12)
    assert result.verdict.exit_code == 0


# Verdicts


def status(source: dict[str, Any], **train_keys: Any) -> tuple[str, int]:
    verdict = run(source, **train_keys).verdict
    return verdict.status, verdict.epoch


# w_k = 2(1 - 0.85^k) with lr 0.01: the gradient 15(w - 2) falls from 30 to 30e-8 where 0.85^k <= 1e-8, k = 114.
CONVERGED: list[tuple[dict[str, Any], dict[str, Any], tuple[str, int]]] = [
    (LINE, {"lr": 0.01, "epochs": 113}, ("max_epochs", 113)),
    (LINE, {"lr": 0.01, "epochs": 114}, ("converged", 114)),
    # grad_tol 1e-3: 0.85^k <= 1e-3 first at k = 43; that ends the run, and is what is judged by.
    ({**LINE, "stop": {"grad_tol": 1e-3}}, {"lr": 0.01, "epochs": 500}, ("converged", 43)),
    ({**LINE, "stop": {"grad_tol": 1e-3}}, {"lr": 0.01, "epochs": 42}, ("max_epochs", 42)),
    # The loss is 7.5(2 - w)^2 = 30 * 0.7225^k: at most 1e-3 first at k = 32.
    ({**LINE, "stop": {"loss_tol": 1e-3}}, {"lr": 0.01, "epochs": 500}, ("converged", 32)),
    ({**LINE, "stop": {"loss_tol": 1e-3}}, {"lr": 0.01, "epochs": 31}, ("max_epochs", 31)),
    # Each epoch the loss falls by 0.2775 of itself, 8.325 * 0.7225^(k-1): less than 1e-2 first at k = 22.
    ({**LINE, "stop": {"patience": 1, "min_delta": 1e-2}}, {"lr": 0.01, "epochs": 500}, ("stopped", 22)),
    (LINE, {"lr": 0.01, "epochs": 0}, ("max_epochs", 0)),
    ({**LINE, "params": {"w": 2.0}}, {"lr": 0.01, "epochs": 0}, ("converged", 0)),
]


@pytest.mark.parametrize(("source", "settings", "expected"), CONVERGED)
def test_converged_or_not(source: dict[str, Any], settings: dict[str, Any], expected: tuple[str, int]) -> None:
    assert status(source, **settings) == expected


NO_ROOT = [
    "x^2 + 1 = 0",  # at least 1, at x = 0
    "cosh(x) = 0.5",  # at least 1/2
    "abs(x) + 1 = 0",
    "exp(x) + exp(-x) = 1",
]


@pytest.mark.parametrize("equation", NO_ROOT)
@pytest.mark.parametrize("seed", range(2))
def test_no_root(equation: str, seed: int) -> None:
    result = run({"solve": equation}, seed=seed)
    assert result.verdict.status == "no_root"
    assert result.verdict.exit_code == 1
    left_less_right = {"cosh(x) = 0.5": "0.5"}.get(equation, "1")
    assert f"|left - right| is at least {left_less_right}" in result.verdict.detail


@pytest.mark.parametrize("epochs", [1, 3])
def test_no_root_is_not_said_on_the_way(epochs: int) -> None:
    """While descent still lowers the loss nothing is known about roots."""
    assert status({"solve": "x^2 + 1 = 0", "params": {"x": 3.0}}, epochs=epochs) == ("max_epochs", epochs)


FLAT = ["x^2 = 0", "x^3 = 0", "(x - 1)^4 = 0", "(x - 2)^2*(x - 2) = 0"]


@pytest.mark.parametrize("equation", FLAT)
@pytest.mark.parametrize("epochs", [100, 1500])
def test_a_flat_root_is_never_claimed(equation: str, epochs: int) -> None:
    """Both sides agree long before x is right: x^3 is 1e-9 at 1e-3."""
    result = run({"solve": equation}, epochs=epochs, optimizer="sgd")
    assert result.verdict.status == "max_epochs"


def test_an_almost_root_where_nothing_moves_is_not_claimed() -> None:
    """x^2 + 1e-7 has no root; at 0 its derivative vanishes, so that neither gradient nor Newton moves."""
    assert run({"solve": "x^2 + 1e-7 = 0", "params": {"x": 0.0}}).verdict.status != "converged"


def test_an_exact_root_whose_gradient_is_none_has_not_diverged() -> None:
    """sqrt(x) is 0 at 0, where its slope is infinite: the root is found, no weight blew up."""
    result = run({"solve": "sqrt(x) = 0"})
    assert result.verdict.status in ("converged", "max_epochs")
    assert result.params["x"] == pytest.approx(0, abs=1e-6)


UNSOLVED = ["exp(x) = 0", "1/x = 0"]


@pytest.mark.parametrize("equation", UNSOLVED)
def test_a_root_at_infinity_is_not_found(equation: str) -> None:
    verdict = run({"solve": equation}, epochs=3000).verdict
    assert verdict.status == "no_root"
    assert "left and right only come closer as x goes to " in verdict.detail


SOLVED: list[tuple[Any, dict[str, float]]] = [
    ("x + 1 = 3", {"x": 2.0}),
    ("1e6*x = 1", {"x": 1e-6}),
    ("x/1e6 = 1", {"x": 1e6}),
    ("x = 1e9", {"x": 1e9}),
    (["x + y = 3", "x - y = 1"], {"x": 2.0, "y": 1.0}),
    (["x + y = 3", "x - y = 1", "2*x = 4"], {"x": 2.0, "y": 1.0}),
    ("log(x) = 1", {"x": math.e}),
]


@pytest.mark.parametrize(("equations", "roots"), SOLVED)
def test_roots_are_claimed_and_right(equations: Any, roots: dict[str, float]) -> None:
    result = run({"solve": equations}, epochs=3000)
    assert result.verdict.status == "converged"
    assert result.params == pytest.approx(roots, rel=1e-6)
    for equation in result.equations:
        assert equation.residual == equation.left - equation.right
        assert equation.left == pytest.approx(equation.right, rel=1e-6)


# Diverged

DIVERGED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    # The curvature is 15: above 2/15 = 0.1333 each step overshoots by more than it was off.
    (LINE, {"lr": 1.0}, "w blew up: not finite at epoch"),
    (LINE, {"lr": 0.2, "epochs": 10}, "w is blowing up: by epoch 10 the loss rose"),
    (LINE, {"lr": 0.134, "epochs": 1000}, "w is blowing up: by epoch 1000 the loss rose"),
    ({"solve": "x + 1 = 3"}, {"lr": 3.0}, "x blew up"),
    ({"minimize": "(x - 1)^2 + 4*(y - 1)^2"}, {"lr": 0.5}, "y blew up"),
    (LINE, {"optimizer": "adam", "lr": 1e300}, "w blew up: not finite at epoch 1"),
    (LINE, {"optimizer": {"name": "sgd", "momentum": 0.9}, "lr": 1.0}, "w blew up"),
    ({"regress": {"target": "y"}, "data": POINTS}, {"lr": 1.0}, "blew up"),
]


@pytest.mark.parametrize(("source", "settings", "message"), DIVERGED)
def test_a_diverged_run_names_an_lr_that_does_not_diverge(
    source: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    verdict = run(source, **settings).verdict
    assert (verdict.status, verdict.exit_code) == ("diverged", 4)
    assert message in verdict.detail
    named = float(verdict.detail.rpartition("; lr ")[2].removesuffix(" would not"))
    assert named < settings["lr"]
    again = run(source, **{**settings, "lr": named})
    assert again.verdict.status in ("max_epochs", "converged")
    assert again.loss["final"] < again.loss["initial"]


def test_the_epoch_of_divergence_is_that_of_the_first_number_that_is_none() -> None:
    """w - 2 is multiplied by 1 - 15e100: w is about 3e101, 4.5e202 ...; the loss 7.5 w^2 overflows at epoch 2."""
    verdict = run(LINE, lr=1e100).verdict
    assert (verdict.status, verdict.epoch) == ("diverged", 2)


def test_slowly_rising_is_not_yet_diverged() -> None:
    """0.1334 is barely above 2/15: 1.001^2 a step; after 300 steps the loss is 1.82 times, after 400 2.2 times."""
    assert status(LINE, lr=0.1334, epochs=300) == ("max_epochs", 300)
    assert status(LINE, lr=0.1334, epochs=400) == ("diverged", 400)


def test_a_warm_start_that_ends_a_rounding_error_above_it_has_not_diverged() -> None:
    ys = [0.1 * x + 0.3 for x in (1, 2, 3, 4)]
    source = {"fit": "y = w*x + b", "data": {"columns": {"x": [1, 2, 3, 4], "y": ys}}, "params": {"w": 0.1, "b": 0.3}}
    for lr in (0.001, 0.01, 0.05, 0.1):
        assert run(source, lr=lr).verdict.status == "converged"


AT_START: list[tuple[dict[str, Any], str]] = [
    ({"solve": "log(x) = 1", "params": {"x": -1.0}}, "log(x) is not finite (x = -1)"),
    ({"fit": "y = w*log(x)", "data": {"columns": {"x": [1, 0], "y": [1, 2]}}}, "log(x) is not finite in row 2 (x = 0)"),
    (
        {"fit": "log(y) = w*x", "data": {"columns": {"x": [1, 2], "y": [-1, 2]}}},
        "log(y) is not finite in row 1 (y = -1)",
    ),
    ({"minimize": "1/x", "params": {"x": 0.0}}, "1/x is not finite (x = 0)"),
    ({**LINE, "params": {"w": 1e200}}, "overflows"),
]


@pytest.mark.parametrize(("source", "message"), AT_START)
@pytest.mark.parametrize("settings", [{}, {"lr": 0.1}])
def test_not_finite_at_the_start(source: dict[str, Any], message: str, settings: dict[str, Any]) -> None:
    """No learning rate mends that, so that none is named."""
    verdict = run(source, **settings).verdict
    assert (verdict.status, verdict.epoch, verdict.exit_code) == ("diverged", 0, 4)
    assert "at the start" in verdict.detail and message in verdict.detail
    assert "would not" not in verdict.detail


def test_lr_auto_does_not_diverge() -> None:
    for seed in range(5):
        result = train(load({"minimize": "(1 - x)^2 + 100*(y - x^2)^2", "train": {"seed": seed, "epochs": 300}}))
        losses = result.recorded.loss_K
        assert (losses[1:] <= losses[:-1] * (1 + 1e-12)).all()


def test_a_loss_without_a_lower_end() -> None:
    for optimizer in ("sgd", "lbfgs", "newton"):
        assert run({"minimize": "-x^2"}, optimizer=optimizer).verdict.status == "diverged"
    assert run({"minimize": "-x"}, optimizer="sgd", epochs=50).verdict.status == "max_epochs"


def test_interrupted() -> None:
    result = train(experiment(LINE, lr=0.01, epochs=10**9, engine="loop"), watch=lambda epoch, loss: epoch < 50)
    verdict = result.verdict
    assert (verdict.status, verdict.exit_code) == ("interrupted", 130)
    assert 50 <= verdict.epoch == result.epochs < 10**6
    assert result.recorded.epochs_K[-1] == verdict.epoch


# Warnings

AMBIGUOUS: list[tuple[dict[str, Any], list[str]]] = [
    (LINE, []),
    ({**LINE, "fit": "y = w*x + v*x", "params": {}}, ["w and v"]),
    ({**LINE, "fit": "y = a*b*x", "params": {}}, ["a and b"]),
    ({**LINE, "fit": "y = w*x + 0*b", "params": {}}, ["b"]),
    ({"solve": "x + y = 3"}, ["x and y"]),
    ({"regress": {"target": "y"}, "data": {"columns": {"x": [1], "y": [2]}}}, ["x"]),
]


@pytest.mark.parametrize(("source", "expected"), AMBIGUOUS)
def test_what_is_not_determined_is_said(source: dict[str, Any], expected: list[str]) -> None:
    warnings = run(source).warnings
    assert len(warnings) == len(expected)
    for warning, part in zip(warnings, expected, strict=True):
        assert part in warning


def test_a_saddle_is_no_reason_to_say_that_any_value_fits() -> None:
    """At a = b = 0 neither moves the prediction, but with a = b = sqrt(2) the points are met."""
    flat, saddle = run({**LINE, "fit": "y = a*b*x", "params": {"a": 0.0, "b": 0.0}}, lr=0.01).warnings
    assert flat == "near the values found, nothing depends on a and b"
    assert "no minimum" in saddle


# Predictions, numbers, history


def test_predictions_before_and_after() -> None:
    """w goes from 0 to 2(1 - 0.85^20)."""
    result = run({**LINE, "predict": [{"x": 5}]}, lr=0.01, epochs=20)
    (prediction,) = result.predictions
    assert (prediction.inputs, prediction.before) == ({"x": 5.0}, 0.0)
    assert prediction.after == pytest.approx(5 * 2 * (1 - 0.85**20), rel=1e-12)


def test_predictions_of_all_rows_stand_beside_their_targets() -> None:
    source = {"regress": {"target": ["y", "z"]}, "data": {"columns": {**POINTS["columns"], "z": [1, 0, -1, -2]}}}
    predictions = run({**source, "predict": "data"}).predictions
    assert [p.target for p in predictions] == [{"y": 2 * x, "z": 2 - x} for x in (1, 2, 3, 4)]
    for p in predictions:
        assert p.after == pytest.approx(p.target, abs=1e-6)


def test_a_constant_predicts_every_row_too() -> None:
    result = run({"fit": "y = c", "data": POINTS, "predict": "data"})
    assert [p.after for p in result.predictions] == pytest.approx([5.0] * 4)


def test_weights_are_told_in_the_units_of_the_data() -> None:
    """Columns far from 0 and of different size: scaled for the descent, told as they are."""
    x, z = [1000.0, 1001.0, 1003.0, 1007.0], [1e-3, 3e-3, 2e-3, 5e-3]
    y = [2 * a - 500 * b + 7 for a, b in zip(x, z, strict=True)]
    result = run({"regress": {"target": "y"}, "data": {"columns": {"x": x, "z": z, "y": y}}}, epochs=2000)
    assert result.verdict.status == "converged"
    assert result.params == pytest.approx({"x": 2.0, "z": -500.0, "intercept": 7.0}, rel=1e-6)


def test_gradients_are_told_in_the_units_of_the_data() -> None:
    """At the start y = 0 is predicted: by w -2 mean(x y) = -2 * (2 + 8 + 18 + 32)/4, by the intercept -2 mean(y)."""
    result = train(load({"regress": {"target": "y"}, "data": POINTS}), gradients=True)
    assert result.recorded.gradient_KQ is not None
    assert result.recorded.gradient_KQ[0].tolist() == pytest.approx([-30.0, -10.0])


def test_float32() -> None:
    result = run(LINE, lr=0.01, dtype="float32", epochs=20)
    assert result.params["w"] == pytest.approx(2 * (1 - 0.85**20), rel=1e-6)
    assert result.params["w"] != 2 * (1 - 0.85**20)


def test_the_same_experiment_is_the_same_result() -> None:
    def document() -> dict[str, Any]:
        found = run({"fit": "y = a*x^b", "data": POINTS}, optimizer="adam", epochs=200).to_dict()
        return {key: value for key, value in found.items() if key != "timing"}

    assert json.dumps(document()) == json.dumps(document())


# Alefeld, Potra and Shi's equations

EQUATIONS = json.loads((Path(__file__).parent / "data" / "aps.json").read_text())
CLOSE = 1e-8


@pytest.fixture(scope="module")
def roots() -> list[tuple[dict[str, Any], Result]]:
    """Each equation by rprop with steps small enough for every start: what the command line does with
    `solve F --start x=X0 --optimizer '{name: rprop, step_sizes: [1e-14, 0.1]}' --lr 1e-3 --epochs 500`.
    """
    settings = {"optimizer": {"name": "rprop", "step_sizes": [1e-14, 0.1]}, "lr": 1e-3, "epochs": 500}
    return [
        (case, run({"solve": f"{case['formula']} = 0", "params": {"x": case["x0"]}}, **settings)) for case in EQUATIONS
    ]


def test_rprop_reaches_the_roots(roots: list[tuple[dict[str, Any], Result]]) -> None:
    missed = [case["id"] for case, result in roots if not abs(result.params["x"] - case["root"]) <= CLOSE]
    assert len(roots) == 42
    assert len(missed) <= 1, missed


def test_what_is_not_a_root_is_not_claimed(roots: list[tuple[dict[str, Any], Result]]) -> None:
    for case, result in roots:
        if not abs(result.params["x"] - case["root"]) <= CLOSE:
            assert result.verdict.status != "converged", case["id"]
