"""Least squares as NIST certifies them (Statistical Reference Datasets): polished, by every squared loss, with models
like those of its other sets, and where a search gives up. What each set comes to stands in docs/accuracy.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from gdtrain.results import Result
from gdtrain.train import train
from tests.certified.references import NONLINEAR, columns, digits, reference, worst, worst_error
from tests.problems import experiment

NAMES = sorted(file.stem for file in NONLINEAR.glob("*.json"))
POLISHED = 9.0  # digits that polishing reaches, of parameters and of standard errors


def certified(name: str) -> dict[str, Any]:
    found: dict[str, Any] = reference(NONLINEAR / f"{name}.json")
    return found


def fitted(case: Mapping[str, Any], starts: Mapping[str, float], loss: str = "sse", **training: Any) -> Result:
    source = {
        "fit": f"{case['response']} = {case['formula']}",
        "data": {"columns": columns(case)},
        "loss": loss,
        "params": dict(starts),
    }
    return train(experiment(source, **training))


@pytest.mark.parametrize("name", NAMES)
def test_polishing_finds_the_digits_that_a_descent_left(name: str) -> None:
    """From what is certified to seven digits, without an epoch."""
    case = certified(name)
    starts = {parameter: float(f"{value:.7g}") for parameter, value in case["certified"].items()}
    result = fitted(case, starts, epochs=0, polish=True)
    assert worst(result.params, case["certified"]) >= POLISHED
    assert worst_error(result, case["certified_sd"]) >= POLISHED
    assert result.uncertainty is not None
    assert result.uncertainty.numbers["dof"] == case["dof"]
    assert digits(result.uncertainty.numbers["sigma"], case["residual_sd"]) >= POLISHED


@pytest.mark.parametrize("loss", ["mse", "sse", "half_sse"])
@pytest.mark.parametrize("name", ["Thurber", "ENSO"])
def test_a_factor_of_the_loss_changes_no_digit(name: str, loss: str) -> None:
    """The first of the last steps may be longer than the one before."""
    case = certified(name)
    assert worst(fitted(case, case["start1"], loss, optimizer="lm").params, case["certified"]) >= 10.4


def test_where_lbfgs_gives_up_it_does_not_say_that_it_converged() -> None:
    case = certified("MGH10")
    result = fitted(case, case["start1"], optimizer="lbfgs", epochs=10_000)
    assert result.loss["final"] > 1e3 * case["certified_rss"]
    assert result.verdict.status == "stopped"
    assert "no step that was found lowers the loss" in result.verdict.detail


# Models as in sets that are not here, on rows that are made from known parameters with a fixed scatter: two starts, far
# from each other, must come to one minimum, and its standard errors be those of numpy's own derivatives.
# formula, parameters, starts as factors of them, x, scatter
X = np.linspace(0.5, 6, 60)
WAVE = np.sin(7.0 * np.arange(60) ** 2)  # no noise, but nothing that a model follows
SHAPES: dict[str, tuple[str, list[float], list[list[float]], np.ndarray, float]] = {
    "power of a sum": ("b1*(b2+x)**(-1/b3)", [-2500, 47, 0.93], [[0.8, 1.07, 0.86], [0.6, 0.96, 0.91]], X + 7, 1e-3),
    "bell": ("(b1/b2)*exp(-0.5*((x-b3)/b2)**2)", [1.5, 4, 450], [[0.7, 2.5, 1.11], [1, 1.2, 1]], 8 * X + 425, 1e-2),
    "cubics": (
        "(b1+b2*x+b3*x**2+b4*x**3)/(1+b5*x+b6*x**2+b7*x**3)",
        [1.1, -0.12, 4e-3, -1.4e-6, -5.8e-3, 2.4e-4, -1.2e-7],
        [[9, 8, 12, 7, 9, 4, 8], [1, 0.8, 1.2, 0.7, 0.9, 0.4, 0.8]],
        140 * X,
        1e-2,
    ),
    "saturation": ("b1*(1-(1+2*b2*x)**(-.5))", [640, 2e-4], [[0.8, 0.5], [1, 1]], 120 * X, 0.1),
    "hyperbola": ("b1*b2*x*((1+b2*x)**(-1))", [440, 3e-4], [[1.1, 0.3], [1, 1]], 120 * X, 0.1),
    "logistic": ("b1/(1+exp(b2-b3*x))", [72, 2.6, 0.067], [[1.4, 0.4, 1.5], [1, 1, 1]], 13 * X, 0.5),
    "enzymes": (
        "b1*(x**2+x*b2)/(x**2+x*b3+b4)",
        [0.19, 0.19, 0.12, 0.14],
        [[1.5, 4, 5, 4], [1, 2, 3, 3]],
        1 / np.linspace(0.25, 16, 60),
        1e-3,
    ),
    "decays": (
        "b1*exp(-b2*x)+b3*exp(-b4*x)+b5*exp(-b6*x)",
        [0.0951, 1, 0.8607, 3, 1.5576, 5],
        [[12, 0.3, 6.5, 1.8, 4.2, 1.5], [5, 0.7, 4.2, 1.4, 2.6, 1.3]],
        X / 5,
        1e-6,
    ),
    "peaks": (
        "b1*exp(-b2*x)+b3*exp(-(x-b4)**2/b5**2)+b6*exp(-(x-b7)**2/b8**2)",
        [99, 0.011, 102, 107, 24, 72, 153, 20],
        [[0.97, 0.82, 1, 1, 0.76, 1, 0.99, 0.92], [1, 0.95, 1, 0.98, 0.85, 1, 0.98, 1]],
        41 * X,
        2.0,
    ),
}  # fmt: skip


def computed(formula: str, values: Mapping[str, Any], x_N: np.ndarray) -> np.ndarray:
    found: np.ndarray = eval(formula, {"exp": np.exp, "x": x_N, **values})
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_two_starts_come_to_one_minimum(shape: str) -> None:
    formula, numbers, factors, x_N, scatter = SHAPES[shape]
    names = [f"b{i + 1}" for i in range(len(numbers))]
    y_N = computed(formula, dict(zip(names, numbers, strict=True)), x_N) + scatter * WAVE
    case = {"response": "y", "formula": formula, "columns": ["y", "x"], "data": np.column_stack([y_N, x_N]).tolist()}
    starts = [dict(zip(names, (f * v for f, v in zip(row, numbers, strict=True)), strict=True)) for row in factors]
    far, near = (fitted(case, start, optimizer="lm") for start in starts)
    assert (far.verdict.status, near.verdict.status) == ("converged", "converged")
    assert worst(far.params, near.params) >= 9
    # Derivatives by complex steps: exact to the last digit.
    J_NP = np.column_stack(
        [computed(formula, {**near.params, n: near.params[n] * (1 + 1e-30j)}, x_N).imag / (near.params[n] * 1e-30)
         for n in names]
    )  # fmt: skip
    unit_P = np.linalg.norm(J_NP, axis=0)
    inverse_PP = np.linalg.inv(np.linalg.qr(J_NP / unit_P)[1])
    sigma = np.sqrt(near.loss["final"] / (len(x_N) - len(names)))
    errors = sigma * np.linalg.norm(inverse_PP, axis=1) / unit_P
    assert worst_error(near, dict(zip(names, errors, strict=True))) >= 6


@pytest.mark.parametrize("written", ["log(y)", "ln(y)"])
def test_a_response_may_be_a_logarithm(written: str) -> None:
    case = {**certified("Nelson"), "response": written}
    result = fitted(case, case["start1"], optimizer="lm")
    assert worst(result.params, case["certified"]) >= 10


def test_residuals_near_rounding_are_still_a_scatter() -> None:
    """Rows of 13 digits, as of Lanczos1: what is left of them is 1e-13, of which float64 knows three digits."""
    formula, numbers, factors, _, _ = SHAPES["decays"]
    names, x_N = [f"b{i + 1}" for i in range(6)], np.arange(24) * 0.05
    y_N = [float(f"{y:.13g}") for y in computed(formula, dict(zip(names, numbers, strict=True)), x_N)]
    case = {"response": "y", "formula": formula, "columns": ["y", "x"], "data": list(zip(y_N, x_N, strict=True))}
    for row in factors:
        result = fitted(case, dict(zip(names, np.array(row) * numbers, strict=True)), optimizer="lm")
        assert worst(result.params, dict(zip(names, numbers, strict=True))) >= 9
        assert result.uncertainty is not None
        assert result.uncertainty.refused == ""
        assert 5e-14 < result.uncertainty.numbers["sigma"] < 2e-13
