"""Where descent must not be called at rest, and what is said of places that are no minimum."""

from __future__ import annotations

import math
from typing import Any

import pytest

import gdtrain
from gdtrain import Result


def minimize(expression: str, start: dict[str, Any], **keys: Any) -> Result:
    return gdtrain.minimize(expression, params=start, **keys)


# An expression, its start, the status, and what the verdict or a warning says.
PLACES: list[tuple[str, dict[str, Any], str, str]] = [
    ("log(x)", {"x": 1.0}, "stopped", "there may be no minimum"),  # 0 at the start, by chance
    ("sqrt(x)", {"x": 1.0}, "stopped", "the gradient is large"),
    ("exp(-x)", {"x": 0.5}, "converged", "the loss falls on"),
    ("exp(-x^2)", {"x": 0.5}, "converged", "the loss falls on"),
    ("x^3", {"x": 0.0}, "converged", "the loss falls on"),
    ("5 + 0*x", {"x": 0.5}, "converged", "nothing depends on x"),
    ("sigmoid(x)", {"x": 50.0}, "converged", "nothing depends on x"),
    ("x^2 + 0*y", {"x": 1.0, "y": 1.0}, "converged", "nothing depends on y"),
    ("|x|", {"x": 0.5}, "stopped", "unless it is a kink"),
    ("x^2 - y^2", {"x": 1.0, "y": 0.0}, "diverged", "falls without end"),
    ("x*y", {"x": 0.0, "y": 0.0}, "diverged", "falls without end"),
]


@pytest.mark.parametrize(("expression", "start", "status", "told"), PLACES)
def test_what_is_no_minimum_is_told(expression: str, start: dict[str, Any], status: str, told: str) -> None:
    result = minimize(expression, start)
    assert result.verdict.status == status
    assert told in " ".join([result.verdict.detail, *result.warnings])


# Minima, some of them flat, some where the loss is 0 and its curvature too.
MINIMA: list[tuple[str, dict[str, Any], dict[str, float]]] = [
    ("x^4", {"x": 0.5}, {"x": 0.0}),
    ("x^2*y^2 + x^2", {"x": 0.5, "y": 0.5}, {"x": 0.0}),
    ("(1 - x)^2 + 100*(y - x^2)^2", {"x": -1.2, "y": 1.0}, {"x": 1.0, "y": 1.0}),
    ("x*log(x)", {"x": 0.5}, {"x": math.exp(-1)}),
    ("1e-12*x^2", {"x": 0.5}, {"x": 0.0}),
    ("x^4 - x^2 + y^2", {"x": 0.0, "y": 1.0}, {"y": 0.0}),  # off its saddle
]


@pytest.mark.parametrize(("expression", "start", "answer"), MINIMA)
def test_minima_are_left_in_peace(expression: str, start: dict[str, Any], answer: dict[str, float]) -> None:
    result = minimize(expression, start)
    assert result.verdict.status == "converged"
    assert not [warning for warning in result.warnings if "minimum" in warning]
    for name, value in answer.items():
        assert result.params[name] == pytest.approx(value, abs=1e-7)


@pytest.mark.parametrize("optimizer", ["lbfgs", "newton"])
@pytest.mark.parametrize(
    ("expression", "bounds", "answer"),
    [("-x", {"max": 3.0}, 3.0), ("-x^2", {"min": -2.0, "max": 3.0}, 3.0), ("x^2", {"min": 0.5}, 0.5)],
)
def test_bounds_may_hold_every_parameter(
    expression: str, bounds: dict[str, float], answer: float, optimizer: str
) -> None:
    result = minimize(expression, {"x": {"start": 0.6, **bounds}}, optimizer=optimizer)
    assert result.verdict.status == "converged"
    assert result.params["x"] == answer
    assert not result.warnings  # curvature along what a bound holds does not count


def test_polishing_leaves_a_maximum() -> None:
    result = minimize("cos(x)", {"x": 0.0}, optimizer="sgd", lr=0.1, epochs=5, **{"train.polish": True})
    assert result.params["x"] == pytest.approx(math.pi, rel=1e-15)
    assert "polished by" in result.verdict.detail


def test_polishing_goes_along_a_bound() -> None:
    # a is held at 1: b is then the mean of y - x. Halving a step that leads beyond the bound would not get there.
    source = {"x": [1.0, 2.0, 3.0, 4.0], "y": [3.0, 5.0, 7.0, 8.5]}
    bounded = {"a": {"start": 0.5, "max": 1.0}, "b": 0.0}
    result = gdtrain.fit("y = a*x + b", source, params=bounded, lr=0.01, epochs=30, **{"train.polish": True})
    assert result.params == pytest.approx({"a": 1.0, "b": 23.5 / 4 - 2.5}, rel=1e-13)
