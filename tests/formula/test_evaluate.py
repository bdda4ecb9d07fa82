from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gdtrain.formula import Name, Node, Number, Op, parse, to_text
from gdtrain.formula.constants import FOLD, constant
from gdtrain.formula.evaluate import blame, evaluate
from gdtrain.formula.nodes import ARITY, COMPARISONS
from gdtrain.formula.rules import RULES

from .trees import names, trees

ARITHMETIC = {"neg": 1, "add": 2, "sub": 2, "mul": 2, "div": 2}
PYTHON: dict[str, Callable[..., float]] = {
    "neg": operator.neg,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
}


def rows(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_every_operation_has_its_rule_and_its_constant() -> None:
    assert set(RULES) == set(FOLD) == set(ARITY)
    assert {op: len(rule.backward) for op, rule in RULES.items()} == ARITY


POINTS = [-25.0, -2.5, -1.0, -0.3, 0.0, 0.3, 1.0, 2.5, 25.0]


@pytest.mark.parametrize("op", sorted(set(ARITY) - {"where", "sum", "mean"}))
def test_torch_and_python_agree_on_every_operation(op: str) -> None:
    for a in POINTS:
        for b in POINTS if ARITY[op] == 2 else [0.0]:
            args = [a, b][: ARITY[op]]
            expected = constant(Op(op, tuple(map(Number, args))))
            value = float(RULES[op].forward(*map(rows, args)))
            assert expected is not None
            if math.isfinite(expected):
                assert value == pytest.approx(expected, rel=1e-14, abs=1e-15)
            else:
                assert not math.isfinite(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-2^2", -4.0),
        ("2^3^2", 512.0),
        ("6/2*3", 9.0),
        ("where(x > 1, 10, 20)", [20.0, 20.0, 10.0]),
        ("where(2 > 1, x, 0)", [0.0, 1.0, 2.0]),
        ("sum(x^2)", [5.0]),
        ("mean(x) + x", [1.0, 2.0, 3.0]),
        ("sum(3*2)", 6.0),
        ("x^0", [1.0, 1.0, 1.0]),
        ("2^x", [1.0, 2.0, 4.0]),
        ("a*x", [0.0, 0.5, 1.0]),
    ],
)
def test_values(text: str, expected: float | list[float]) -> None:
    value = evaluate(parse(text, reductions=True), {"x": rows(0.0, 1.0, 2.0), "a": 0.5})
    assert value.tolist() == pytest.approx(expected, rel=1e-13)


def test_parameters_and_columns_broadcast() -> None:
    theta = rows(1.0, 2.0).unsqueeze(1)
    value = evaluate(parse("a*x + 1"), {"a": theta, "x": rows(1.0, 2.0, 3.0)})
    assert value.tolist() == [[2.0, 3.0, 4.0], [3.0, 5.0, 7.0]]


def test_numbers_take_the_dtype_of_the_tensors() -> None:
    assert evaluate(parse("2*pi*x + 1/3"), {"x": torch.ones(2)}).dtype == torch.float32
    assert evaluate(parse("2*pi"), {}).dtype == torch.float64


def test_a_name_without_a_value_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        evaluate(parse("x"), {})


def by_hand(node: Node, values: dict[str, float]) -> float:
    """The tree in Python's own arithmetic; nan where Python raises."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Name):
        return values[node.name]
    args = [by_hand(arg, values) for arg in node.args]
    try:
        return float(PYTHON[node.op](*args))
    except ZeroDivisionError:
        return math.nan


NUMBERS = st.floats(-1e6, 1e6)


@given(trees(ARITHMETIC, st.one_of(st.floats(0, 1e6).map(Number), names("a", "b"))), NUMBERS, NUMBERS)
@settings(max_examples=300)
def test_arithmetic_is_python_s_own_to_the_last_bit(tree: Node, a: float, b: float) -> None:
    expected = by_hand(tree, {"a": a, "b": b})
    value = float(evaluate(tree, {"a": rows(a), "b": rows(b)}))
    if math.isfinite(expected):
        assert value == expected


def test_second_derivatives_by_autograd() -> None:
    a = rows(0.5).requires_grad_()
    value = evaluate(parse("exp(2*a) + a^3"), {"a": a})
    (first,) = torch.autograd.grad(value.sum(), a, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), a)
    assert float(second) == pytest.approx(4 * math.exp(1.0) + 6 * 0.5)


@pytest.mark.parametrize(
    ("text", "x", "fault", "row"),
    [
        ("a*log(x) + 1", [2.0, 1.0, 0.0, -1.0], "log(x)", 2),
        ("a*x^0.5 + exp(x)", [2.0, -1.0, 0.0, 1.0], "x^0.5", 1),
        ("1/(x - 1) + b", [2.0, -1.0, 0.0, 1.0], "1/(x - 1)", 3),
        ("b*exp(1000*x) + 2", [0.0, -1.0, 2.0, 1.0], "exp(1000*x)", 2),
        ("x + 1", [2.0, math.nan, math.inf], "x", 1),
        ("2 + mean(log(x))", [2.0, -1.0, 0.0], "log(x)", 1),
        ("where(x > 0, log(x), 1/(x - x))", [2.0, 0.0, 1.0], "1/(x - x)", 1),
        ("where(x > 0, 1/(x - 2), log(x))", [1.0, -1.0, 2.0], "log(x)", 1),
        ("where(x > 0, 1/(x - 2), 1/x)", [1.0, -1.0, 2.0], "1/(x - 2)", 2),
        ("log(a - 1)*x", [2.0, 1.0], "log(a - 1)", 0),
        ("log(a - 1)", [2.0, 1.0], "log(a - 1)", 0),
    ],
)
def test_blame(text: str, x: list[float], fault: str, row: int) -> None:
    found = blame(parse(text, reductions=True), {"x": rows(*x), "a": 1.0, "b": 1.0})
    assert found is not None
    assert (to_text(found[0]), found[1]) == (fault, row)


def test_blame_passes_over_trials_and_finds_nothing_in_a_finite_value() -> None:
    tree = parse("where(x > 0, log(a*x), 0)")
    x = rows(1.0, 0.0, 3.0)
    assert blame(tree, {"a": rows(1.0).unsqueeze(1), "x": x}) is None
    found = blame(tree, {"a": rows(1.0, -1.0).unsqueeze(1), "x": x})
    assert found is not None
    assert (to_text(found[0]), found[1]) == ("log(a*x)", 0)


def test_expressions_with_known_values(cases: Path) -> None:
    table = json.loads((cases / "equations" / "expressions.json").read_text(encoding="utf-8"))["cases"]
    assert table
    for case in table:
        value = float(evaluate(parse(case["expr"]), {"e": math.e}))
        assert value == pytest.approx(case["value"], rel=0, abs=6e-6 if case["expr"] == "e" else 5e-5), case


def test_comparisons_are_truth_values() -> None:
    for op in COMPARISONS:
        assert RULES[op].forward(rows(1.0), rows(2.0)).dtype == torch.bool
