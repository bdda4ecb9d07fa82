"""`gdtrain.gradient`: values, gradients, Jacobians, graphs and their finite differences."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import polars
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gdtrain.errors import UserError
from gdtrain.gradient import BackwardNode, Gradient, grad

X = {"x": [-0.94837, 0.27158, 0.36056]}
VECTOR = [0.1, 1.0, 0.001]
PRINTED = 6e-5  # the figures below were printed with four decimals


def test_a_line_at_a_point() -> None:
    found = grad("w*x + b", {"x": 2, "w": 3, "b": 4}, wrt=["w", "b"])
    assert found.value == 10
    assert found.gradient == {"w": 2, "b": 1}
    assert found.notes == []
    assert str(found) == "w*x + b = 10\n  dy/dw = 2\n  dy/db = 1"


def test_the_gradient_of_a_mean() -> None:
    # d/dx of mean(2(x+2)^2) over three values is 4(x+2)/3.
    found = grad("mean(2*(x+2)^2)", X)
    assert found.value == pytest.approx(7.8922, abs=PRINTED)
    assert found.gradient["x"] == pytest.approx(4 * (np.array(X["x"]) + 2) / 3, rel=1e-14)
    assert found.gradient["x"] == pytest.approx([1.4022, 3.0288, 3.1474], abs=PRINTED)


def test_several_values_have_no_one_gradient() -> None:
    found = grad("2*(x+2)^2", X)
    assert found.value == pytest.approx([2.2119, 10.3202, 11.1445], abs=PRINTED)
    assert found.gradient == {} and found.passes[0].gradient is None
    assert found.notes == [
        "2*(x+2)^2 has 3 values: choose --vector 1,1,1 (vector-Jacobian product) or --jacobian to differentiate it"
    ]


def test_a_vector_weights_the_values() -> None:
    found = grad("2*(x+2)^2", X, vector=VECTOR)
    assert found.gradient["x"] == pytest.approx(4 * (np.array(X["x"]) + 2) * VECTOR, rel=1e-14)


def test_gradients_add_up_where_nobody_zeroes_them() -> None:
    found = grad(["mean(2*(x+2)^2)", "2*(x+2)^2"], X, vector=VECTOR, accumulate=True)
    assert found.passes[0].gradient is not None
    assert found.passes[0].gradient["x"] == pytest.approx([1.4022, 3.0288, 3.1474], abs=PRINTED)
    assert found.gradient["x"] == pytest.approx([1.8228, 12.1151, 3.1569], abs=PRINTED)
    check = found.passes[1].finite_difference
    assert check is not None and check["x"] == pytest.approx(found.gradient["x"], rel=1e-8)


@pytest.mark.parametrize(("accumulate", "expected"), [(True, [3, 6, 9]), (False, [3, 3, 3])])
def test_repeated_passes(accumulate: bool, expected: list[float]) -> None:
    found = grad("sum(3*w)", {"w": [1, 1, 1, 1]}, accumulate=accumulate, repeat=3)
    assert [_listed(each.gradient)["w"] for each in found.passes] == [[k] * 4 for k in expected]


def test_accumulating_is_what_backward_does_to_grad() -> None:
    """The same passes by hand in torch, whose leaves keep what nobody zeroes."""
    x = torch.tensor(X["x"], dtype=torch.float64, requires_grad=True)
    torch.autograd.backward(torch.mean(torch.exp(x)))
    torch.autograd.backward(torch.sin(x), torch.tensor(VECTOR, dtype=torch.float64))
    assert x.grad is not None
    found = grad(["mean(exp(x))", "sin(x)"], X, vector=VECTOR, accumulate=True)
    assert found.gradient["x"] == pytest.approx(x.grad.numpy(), rel=1e-14)


def test_a_pass_without_a_start_adds_nothing() -> None:
    found = grad(["sum(x)", "x^2", "sum(x)"], X, accumulate=True)
    assert [each.gradient is None for each in found.passes] == [False, True, False]
    assert _listed(found.gradient)["x"] == [2, 2, 2]


# By name: the axes of the value, then those of the name.
JACOBIANS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("w*x^2", {"x": [1, 2], "w": 3}, {"x": [[6, 0], [0, 12]], "w": [1, 4]}),
    ("sum(x)*w", {"x": [1, 2], "w": 3}, {"x": [3, 3], "w": 3}),
    ("x*mean(x)", {"x": [1, 3]}, {"x": [[2.5, 0.5], [1.5, 3.5]]}),
    ("2*x", {"x": [5]}, {"x": [[2]]}),
]


@pytest.mark.parametrize(("expression", "at", "expected"), JACOBIANS)
def test_jacobians(expression: str, at: dict[str, Any], expected: dict[str, Any]) -> None:
    found = grad(expression, at, jacobian=True)
    check = found.passes[0].finite_difference
    assert found.gradient == {}
    assert _listed(found.jacobian) == expected
    assert check is not None
    for name, jacobian in expected.items():
        np.testing.assert_allclose(check[name], jacobian, rtol=1e-7, atol=1e-9)


def test_what_is_detached_or_not_named_is_left_out() -> None:
    at = {"x": 2, "w": 3, "b": 4}
    assert grad("w*x + b", at, detach=["x"]).wrt == ["w", "b"]
    assert grad("w*x + b", at, wrt="b").gradient == {"b": 1}
    nothing = grad("w*x + b", at, detach=["x", "w", "b"])
    assert nothing.gradient == {} and nothing.value == 10
    assert nothing.notes == ["w*x + b has no name left in the graph: there is no gradient"]


def test_nothing_depends_on_anything_in_a_constant() -> None:
    found = grad("-2^2", {})
    assert (found.value, found.gradient) == (-4, {})
    assert found.notes == ["-2^2 is a constant: nothing depends on anything"]


def test_a_name_that_stands_nowhere_has_gradient_0() -> None:
    found = grad("x^2", {"x": 3, "q": 1})
    assert found.gradient == {"x": 6, "q": 0}
    assert found.notes == ["q has a value and stands in no expression"]


def test_the_graph_lists_a_shared_node_once() -> None:
    nodes = grad("(x+2)^2*x", {"x": 1.0, "w": 1.0}, graph=True).passes[0].graph
    assert nodes == [
        BackwardNode("MulBackward0", 0),
        BackwardNode("PowBackward0", 1),
        BackwardNode("AddBackward0", 2),
        BackwardNode("AccumulateGrad", 3, leaf="x"),
        BackwardNode("AccumulateGrad", 1, leaf="x", shared=True),
    ]


def test_a_long_sum_has_a_long_graph() -> None:
    """Deeper than Python recurses."""
    nodes = grad("+".join(["x"] * 2000), {"x": 1.0}, graph=True).passes[0].graph
    assert nodes is not None and max(node.depth for node in nodes) == 1999


# Expression, where, its derivative by autograd and by finite differences.
KINKS = [
    ("relu(x)", 0.0, 0.0, 0.5),
    ("max(x, 2*x)", 0.0, 1.5, 1.5),  # a tie is shared half and half, as a central difference does
    ("|x|", 0.0, 0.0, 0.0),
    ("where(x > 1, 3*x, x)", 1.0, 1.0, 12.0),  # a jump: no step settles, the first one is told
]


@pytest.mark.parametrize(("expression", "x", "autograd", "difference"), KINKS)
def test_kinks(expression: str, x: float, autograd: float, difference: float) -> None:
    found = grad(expression, {"x": x})
    check = found.passes[0].finite_difference
    assert found.gradient == {"x": autograd} and check is not None
    assert check["x"] == pytest.approx(difference, abs=1e-9)
    told = [note for note in found.notes if note.startswith(f"finite differences disagree: dy/dx is {autograd:g}")]
    assert bool(told) == (difference != autograd)


# Where one step for all would not do: far from 1, near a pole or a kink, at a minimum on a high floor, and where
# large terms cancel inside.
HARD = [
    ("log(x)", 1e-10),
    ("log(x)", 1e-100),
    ("1/x", 1e-8),
    ("x + 1", 1e-10),
    ("(x - 2)^2 + 1e6", 2.0),
    ("exp(x)", 700.0),
    ("sin(x)", 1e6),
    ("sqrt(x)", 1e300),
    ("exp(-x^2)", 0.0),
    ("tanh(1000*x)", 1e-3),
    ("x^3", 0.0),
    ("1 + relu(x)", -1e-6),
    ("x + 1e6 - 1e6", 2.0),
]


@pytest.mark.parametrize(("expression", "x"), HARD)
def test_finite_differences_confirm_hard_points(expression: str, x: float) -> None:
    found = grad(expression, {"x": x})
    check = found.passes[0].finite_difference
    assert found.notes == []
    assert check is not None and check["x"] == pytest.approx(found.gradient["x"], rel=1e-5, abs=1e-6)


SMOOTH = [
    "w*x + b",
    "exp(-w*x) + b",
    "sin(x*b) + tanh(w)",
    "sum(x*w) * b",
    "mean((x - w)^2) + b^3",
    "hypot(x, w + 9) - b",
]
NUMBER = st.floats(-3, 3)


@settings(max_examples=40)
@given(st.sampled_from(SMOOTH), st.lists(NUMBER, min_size=1, max_size=4), NUMBER, NUMBER, st.booleans())
def test_finite_differences_confirm_every_entry(
    expression: str, x: list[float], w: float, b: float, jacobian: bool
) -> None:
    several = "sum" not in expression and "mean" not in expression
    vector = [1.0] * len(x) if several and not jacobian else None
    found = grad(expression, {"x": x, "w": w, "b": b}, vector=vector, jacobian=jacobian)
    check = found.passes[0].finite_difference
    assert found.notes == [] and check is not None
    for name, derivative in found.passes[0].derivatives.items():
        np.testing.assert_allclose(check[name], derivative, rtol=2e-5, atol=1e-7)


def test_long_lists_are_differenced_in_part() -> None:
    found = grad("mean(x^2)", {"x": np.linspace(-1, 1, 20_000)})
    check = found.passes[0].finite_difference
    assert check is not None
    checked = np.isfinite(check["x"])
    assert 1 <= checked.sum() <= 1_000 and checked[0]
    assert found.notes == [f"finite differences were taken for the first {checked.sum()} of 20,000 entries of x"]
    assert found.to_dict()["passes"][0]["finite_difference"]["x"][-1] is None


NOT_FINITE = [
    ("log(x)", {"x": 0}, -math.inf, math.inf, "the value of log(x) is not finite: log(x)"),
    ("sqrt(x)", {"x": 0}, 0.0, math.inf, "not finite in sqrt(x): dy/dx"),
    ("2 + 1/x^2", {"x": -1e-200}, math.inf, math.inf, "the value of 2 + 1/x^2 is not finite: 1/x^2"),
]


@pytest.mark.parametrize(("expression", "at", "value", "derivative", "note"), NOT_FINITE)
def test_what_is_not_finite_is_told(
    expression: str, at: dict[str, float], value: float, derivative: float, note: str
) -> None:
    found = grad(expression, at)
    assert (found.value, found.gradient["x"], found.exit_code) == (value, derivative, 4)
    assert note in found.notes
    written = found.to_dict()["passes"][0]
    assert written["gradient"] == {"x": "inf"}
    assert written["value"] == (value if math.isfinite(value) else str(value))
    json.dumps(found.to_dict(), allow_nan=False)


def test_an_entry_at_fault_is_named() -> None:
    found = grad("sum(log(x - 1))", {"x": [3, 0.5]})
    assert found.notes[0] == "the value of sum(log(x - 1)) is not finite: log(x - 1) at entry 1"


@pytest.mark.parametrize(
    "x",
    [
        [1, 2],
        (1.0, 2.0),
        np.array([1, 2]),
        np.array([1, 2], dtype=np.float32),
        torch.tensor([1.0, 2.0], requires_grad=True),
        polars.Series([1, 2]),
    ],
)
def test_lists_of_any_make(x: object) -> None:
    assert _listed(grad("sum(x^2)", {"x": x}).gradient)["x"] == [2, 4]


def test_the_point_is_not_touched() -> None:
    x = np.array([1.0, 2.0])
    found = grad("sum(x^2)", {"x": x})
    found.at["x"][0] = 9  # type: ignore[index]
    assert x.tolist() == [1, 2]


def test_draws_depend_on_seed_and_name_alone() -> None:
    def drawn(name: str, seed: int) -> Any:
        return _listed(grad(f"sum({name})", {name: "randn(3)"}, seed=seed).at)[name]

    assert drawn("x", 0) == drawn("x", 0)
    assert drawn("x", 0) != drawn("x", 1)
    assert drawn("x", 0) != drawn("w", 0)
    several = grad("sum(w) + sum(x)", {"w": "ones(2)", "x": "randn(3)", "u": "zeros(1)", "v": "rand( 1e2 )"})
    assert _listed(several.at)["x"] == drawn("x", 0)
    assert _listed(several.at)["w"] == [1, 1] and _listed(several.at)["u"] == [0]
    assert np.size(several.at["v"]) == 100 and np.min(several.at["v"]) >= 0 and np.max(several.at["v"]) < 1


@pytest.mark.parametrize(
    ("names", "symbol"), [(["x"], "y"), (["y"], "f"), (["y", "f"], "z"), (["y", "f", "z"], "value")]
)
def test_the_symbol_is_no_name_of_the_users(names: list[str], symbol: str) -> None:
    assert grad("+".join(names), dict.fromkeys(names, 1.0)).symbol == symbol


def test_the_document() -> None:
    found = grad("w*x^2", {"x": 3, "w": [2, 4]}, detach=["w"], vector=[1, 1], seed=5, graph=True)
    document = found.to_dict()
    assert document == json.loads(json.dumps(document))
    check = document["passes"][0].pop("finite_difference")
    assert check["x"] == pytest.approx(36, rel=1e-8)
    assert document == {
        "schema": "gdtrain.grad/1",
        "passes": [
            {
                "expression": "w*x^2",
                "value": [18.0, 36.0],
                "vector": [1.0, 1.0],
                "gradient": {"x": 36.0},
                "jacobian": None,
                "graph": [
                    {"node": "MulBackward0", "depth": 0, "leaf": "", "shared": False},
                    {"node": "PowBackward0", "depth": 1, "leaf": "", "shared": False},
                    {"node": "AccumulateGrad", "depth": 2, "leaf": "x", "shared": False},
                ],
            }
        ],
        "at": {"x": 3.0, "w": [2.0, 4.0]},
        "wrt": ["x"],
        "detached": ["w"],
        "accumulate": False,
        "seed": 5,
        "notes": [],
    }


ONE = {"x": 1.0, "income": 2.0}
MISTAKES: list[tuple[Any, dict[str, Any], dict[str, Any], str]] = [
    ([], ONE, {}, "there is no expression"),
    ("x +", ONE, {}, "the formula breaks off after +"),
    ("w*x + b", {"x": 1}, {}, "w, b have no value; give them values: --at w=...,b=..."),
    ("incom*x", ONE, {}, "incom has no value; did you mean income by incom? give it a value: --at incom=..."),
    ("a*x + e", {"x": 1, "a": 1}, {}, "e has no value; write exp(1), or give it a value: --at e=2.718281828459045"),
    ("x", ONE, {"wrt": ["incom"]}, "--wrt: incom has no value to differentiate by; did you mean income?"),
    ("x", ONE, {"detach": ["q"]}, "--detach: q has no value to differentiate by; the names with a value are x, income"),
    ("x", ONE, {"wrt": ["x"], "detach": ["x"]}, "x stands in --wrt and in --detach"),
    ("x", ONE, {"vector": [1]}, "--vector: x has one value, no list of them; leave it out"),
    ("2*x", X, {"vector": [1, 2]}, "--vector: the vector has 2 values, 2*x has 3 values"),
    ("2*x", X, {"vector": [1, 2, 3], "jacobian": True}, "--vector and --jacobian exclude each other"),
    ("2*x", X, {"accumulate": True, "jacobian": True}, "--accumulate adds up gradients, not Jacobians"),
    ("x", ONE, {"repeat": 0}, "--repeat: 0 is out of bounds; write a number from 1 to 10,000"),
    ("x", ONE, {"seed": -1}, "--seed: -1 is less than 0"),
    ("x", {"x": []}, {}, "x is an empty list"),
    ("x", {"x": [[1, 2]]}, {}, "x is a list in a list"),
    ("x", {"x": [1, [2]]}, {}, "x is not a number or a list of numbers"),
    ("x", {"x": True}, {}, "x is not a number or a list of numbers"),
    ("x", {"x": None}, {}, "x is not a number or a list of numbers"),
    ("x", {"x": 10**400}, {}, "x is not a number or a list of numbers"),
    ("x", {"x": [1, math.nan]}, {}, "x has a value that is not a finite number"),
    ("x", {"x": "2"}, {}, "2 is not a value for x; write a number, a list such as [1,2,3], or one of randn(3)"),
    ("x", {"x": "rndn(3)"}, {}, "there is no rndn to draw x from; did you mean randn(3)?"),
    ("x", {"x": "randn()"}, {}, "randn() names no size for x; write how many values: randn(3)"),
    ("x", {"x": "randn(2.5)"}, {}, "randn(2.5) names no size for x"),
    ("x", {"x": "randn(2, 3)"}, {}, "randn(2, 3) names no size for x"),
    ("x", {"x": "randn(-1)"}, {}, "randn(-1) names no size for x"),
    ("x", {"x": "ones(1e9999)"}, {}, "ones(1e9999) is too many values for x; at most 10,000,000"),
    ("x*w", {"x": [1, 2], "w": [1, 2, 3]}, {}, "x has 2 values, w has 3 values; values are paired one to one"),
    ("x*w", {"x": [1, 2], "w": [5]}, {}, "for a number that goes with each of them leave out the brackets"),
    ("where(x > w, x, 1)", {"x": [1, 2], "w": [1, 2, 3]}, {}, "x has 2 values, w has 3 values"),
    ("x^2", {"x": np.ones(20_000)}, {"jacobian": True}, "--jacobian: the Jacobian of x^2 has 20,000 rows"),
]


@pytest.mark.parametrize(("expressions", "at", "choices", "message"), MISTAKES)
def test_mistakes(expressions: Any, at: dict[str, Any], choices: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        grad(expressions, at, **choices)
    assert message in str(caught.value)
    assert caught.value.code == 2


def test_lengths_that_do_not_fit_are_pointed_at() -> None:
    with pytest.raises(UserError) as caught:
        grad("mean(x) + 2*(x*w)", {"x": [1, 2], "w": [1, 2, 3]})
    assert str(caught.value).splitlines()[1:] == ["  mean(x) + 2*(x*w)", "              ^^^^^"]


def test_lists_of_different_lengths_meet_in_reductions() -> None:
    found = grad("sum(x) * mean(w)", {"x": [1, 2], "w": [1, 2, 3]})
    assert found.value == 6
    assert _listed(found.gradient) == {"x": [2, 2], "w": [1, 1, 1]}


def test_long_lists_print_short() -> None:
    text = str(grad("sum(x)", {"x": "ones(1000)"}))
    assert text == "sum(x) = 1000\n  dy/dx = [1, 1, 1, 1, 1, 1, 1, 1, ... 992 more]"


def _listed(values: Any) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in values.items()}


def test_a_gradient_prints_as_itself() -> None:
    found = grad(["x", "2*x"], {"x": 1})
    assert isinstance(found, Gradient)
    assert repr(found) == "x = 1\n  dy/dx = 1\n2*x = 2\n  dy/dx = 2"
