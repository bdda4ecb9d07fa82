"""Where `lm` ends: at minima that Gauss and Newton's steps do not settle, away from saddles, and not short of them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from gdtrain.results import Result
from gdtrain.second.lm import Point
from gdtrain.train import train
from tests.problems import experiment

X = [1.0, 2.0, 3.0, 4.0]


def run(source: dict[str, Any], **keys: Any) -> Result:
    return train(experiment(source, optimizer="lm", **keys))


def test_a_point_where_nothing_moves_is_left_if_the_loss_falls_away() -> None:
    # (a^2 x - x)^2 has its maximum over a at 0, where no derivative tells, and minima at -1 and 1.
    result = run({"fit": "y = a^2*x", "data": {"columns": {"x": X, "y": X}}, "params": {"a": 0.0}})
    assert abs(result.params["a"]) == pytest.approx(1.0, rel=1e-12)
    assert result.verdict.status == "converged"


def test_a_saddle_is_left() -> None:
    # a*b*x - x: at a = b = 0 the loss falls along a = b, and rises along a = -b.
    result = run({"fit": "y = a*b*x", "data": {"columns": {"x": X, "y": X}}, "params": {"a": 0.0, "b": 0.0}})
    assert result.params["a"] * result.params["b"] == pytest.approx(1.0, rel=1e-12)


def test_bounds_hold_where_a_saddle_is_left() -> None:
    b = {"start": 0.0, "min": -1.0, "max": 0.5}
    result = run({"fit": "y = a*b*x", "data": {"columns": {"x": X, "y": X}}, "params": {"a": 0.0, "b": b}})
    assert -1.0 <= result.params["b"] <= 0.5
    assert result.params["a"] * result.params["b"] == pytest.approx(1.0, rel=1e-9)


def test_large_residuals_that_bend_are_settled() -> None:
    """Freudenstein and Roth's second minimum: Gauss and Newton's steps from there grow."""
    equations = ["-13 + x + ((5 - y)*y - 2)*y = 0", "-29 + x + ((y + 1)*y - 14)*y = 0"]
    result = run({"solve": equations, "loss": "sse", "params": {"x": 0.5, "y": -2.0}})
    assert result.loss["final"] == pytest.approx(48.98425367924, rel=1e-12)
    assert max(abs(parameter.gradient or 0.0) for parameter in result.parameters) <= 1e-11


# x and x + 1e-9 z explain z together, and neither alone: the derivatives correlate with residuals along z by 1e-9.
TOGETHER = torch.tensor([[1.0, 1.0], [0.0, 1e-9]], dtype=torch.float64)


@pytest.mark.parametrize(("residual", "rests"), [([0.0, 1.0, 0.0], False), ([0.0, 1e-5, 1.0], True)])
def test_columns_that_explain_only_together_are_no_rest(residual: list[float], rests: bool) -> None:
    J_MP = torch.cat([TOGETHER, torch.zeros(1, 2, dtype=torch.float64)])
    eps = torch.finfo(torch.float64).eps
    point = Point(torch.zeros(2, dtype=torch.float64), J_MP, torch.tensor(residual, dtype=torch.float64), eps)
    held_P = torch.zeros(2, dtype=torch.bool)
    assert point.correlation(held_P) <= 1e-8
    assert point.at_rest(held_P) == rests


@pytest.mark.parametrize(
    ("equation", "root"), [("x^2 = 1e20", 1e10), ("log(x) = 50", math.exp(50)), ("x^3 = 1e30", 1e10)]
)
def test_a_root_far_away_is_reached(equation: str, root: float) -> None:
    """From near 0, where the first steps of a trust region change no digit of the residual."""
    result = run({"solve": equation})
    assert result.verdict.status == "converged"
    assert abs(result.params["x"]) == pytest.approx(root, rel=1e-12)
