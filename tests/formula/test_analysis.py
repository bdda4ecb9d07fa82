from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given, settings

from gdtrain.formula import Node, degree, names, parse, walk
from gdtrain.formula.evaluate import evaluate

from .trees import EVERYTHING, numbers, trees
from .trees import names as any_name


def test_names_come_in_order_with_their_first_place() -> None:
    assert names(parse("b*exp(-`a 1`*x) + b + x")) == {"b": (0, 1), "a 1": (7, 12), "x": (13, 14)}
    assert names(parse("2*pi")) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2*x + exp(x)", 0),
        ("2^3", 0),
        ("a", 1),
        ("-a", 1),
        ("a*x/2 + log(x)*b", 1),
        ("(a + b)*x", 1),
        ("x*(a*(x + 1) - b/x)", 1),
        ("where(x > 0, a*x, b)", 1),
        ("sum(a*x) + mean(b)", 1),
        ("a - a", 1),
        ("a^1", 1),
        ("a^(3 - 2)", 1),
        ("(a + b*x)^1", 1),
        ("a^0", 0),
        ("a*b", 2),
        ("a^2", 2),
        ("a*b/b", 2),
        ("x^a", 2),
        ("a^x", 2),
        ("1/a", 2),
        ("abs(a)", 2),
        ("min(a, b)", 2),
        ("where(a > 0, 1, 2)", 2),
        ("exp(-b*x)", 2),
    ],
)
def test_degree(text: str, expected: int) -> None:
    assert degree(parse(text, reductions=True), ["a", "b"]) == expected


@given(trees(EVERYTHING, numbers() | any_name(), max_leaves=6))
@settings(max_examples=300)
def test_a_low_degree_is_never_claimed_wrongly(tree: Node) -> None:
    """f(p) - 2 f(p + d) + f(p + 2d) = 0 where f is affine, and f(p) = f(p + d) where it is constant."""
    claimed = degree(tree, ["a", "b"])
    assume(claimed < 2)
    fixed = {"x": 1.25, "y": 2.5}
    at = [float(evaluate(tree, {"a": 0.5 + t, "b": 3.0 - 2 * t, **fixed})) for t in (0.0, 0.25, 0.5)]
    assume(all(map(math.isfinite, at)) and max(map(abs, at)) < 1e12)
    tolerance = 1e-9 * max(1.0, *map(abs, at))
    # Large terms may cancel in what is left; then the differences hold rounding only.
    assume(all(abs(v) < 1e12 for v in _magnitudes(tree, fixed)))
    difference = at[0] - at[1] if claimed == 0 else at[0] - 2 * at[1] + at[2]
    assert abs(difference) <= max(tolerance, 1e-9 * max(_magnitudes(tree, fixed)))


def _magnitudes(tree: Node, fixed: dict[str, float]) -> list[float]:
    found = []
    for node in walk(tree):
        value = evaluate(node, {"a": 0.5, "b": 3.0, **fixed})
        found.append(abs(float(value)) if torch.isfinite(value.double()).all() else math.inf)
    return found
