from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from gdtrain.formula import Name, Node, Number, Op, parse, to_text, walk
from gdtrain.formula.evaluate import evaluate
from gdtrain.formula.nodes import ARITY, COMPARISONS
from gdtrain.formula.rules import RULES, Rule, power
from gdtrain.formula.tape import BoundTape, Tape

from .trees import EVERYTHING, SMOOTH, names, trees

FLOAT = torch.float64
LIKE = torch.zeros((), dtype=FLOAT)
X = torch.tensor([0.4, 1.5, 2.0, 3.1, 0.7], dtype=FLOAT)
THETA_SP = torch.tensor([[0.3, 1.2], [1.1, 0.6], [0.9, 0.9]], dtype=FLOAT)


def bind(*texts: str, x: Tensor = X) -> BoundTape:
    trees = [parse(text, reductions=True) for text in texts]
    return Tape(trees, ["a", "b"]).bind({"x": x}, like=LIKE)


def by_autograd(trees: list[Node], theta_SP: Tensor, x: Tensor, adjoints: list[Tensor]) -> Tensor:
    """The gradient of sum(adjoint * output) as autograd has it."""
    theta = theta_SP.detach().clone().requires_grad_()
    values = {"a": theta[:, 0:1], "b": theta[:, 1:2], "x": x}
    outputs = [evaluate(tree, values) for tree in trees]
    total = sum(((output * g).sum() for output, g in zip(outputs, adjoints, strict=True)), 0 * theta.sum())
    return torch.autograd.grad(total, theta)[0]


# Every rule, held to autograd on a grid with ties, zeros and signs.

GRID = torch.tensor([-2.0, -1.0, -0.5, -0.0, 0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 50.0], dtype=FLOAT)
A, B = (side.reshape(-1) for side in torch.meshgrid(GRID, GRID, indexing="ij"))
CONDITION = (A > B).logical_or(A == 1)


def operands(op: str) -> list[Tensor]:
    return [CONDITION, A, B] if op == "where" else [A, B][: ARITY[op]]


def held_to_autograd(rule: Rule, args: list[Tensor]) -> None:
    leaves = [arg.clone().requires_grad_() if arg.is_floating_point() else arg for arg in args]
    y = rule.forward(*leaves)
    g = torch.cos(torch.arange(y.numel(), dtype=FLOAT)).reshape(y.shape) + 0.1
    for leaf, backward in zip(leaves, rule.backward, strict=True):
        if backward is None and not (y.requires_grad and leaf.requires_grad):
            continue
        (expected,) = torch.autograd.grad((y * g).sum(), leaf, retain_graph=True)
        if backward is None:
            assert not expected.any()
            continue
        with torch.no_grad():
            found = backward(g, y, *args)
        torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-300, equal_nan=True)


@pytest.mark.parametrize("op", sorted(set(RULES) - set(COMPARISONS)))
def test_each_backward_rule_is_autograd_s(op: str) -> None:
    held_to_autograd(RULES[op], operands(op))


@pytest.mark.parametrize("exponent", [2.0, 3.0, 0.5, -0.5, -1.0, -2.0, 1.7, 0.0])
def test_each_power_rule_is_autograd_s(exponent: float) -> None:
    held_to_autograd(power(exponent), [GRID])


@pytest.mark.parametrize("op", sorted(COMPARISONS))
def test_comparisons_have_no_derivative(op: str) -> None:
    assert RULES[op].backward == (None, None)


# The tape against evaluate and autograd.

FORMULAS = [
    "a*exp(-b*x)",
    "a*x + b*x^2 + x*a",
    "(a + b*x)^2/(1 + a^2)",
    "a^b + x^a + 2^a",
    "where(x > 1, a*x, b)*where(a > 1, 2, a)",
    "where(2 > 1, a, log(b))",
    "min(a*x, b) + max(a, b, x)",
    "abs(a - b)*sign(a)",
    "a^0*x + a^1",
    "mean(x)*a + sum(x^2)",
    "sum(a*x)*x + mean(b*x + a)",
    "sum(a)*x",
    "a",
    "b*2",
    "x",
    "mean(x)",
    "3",
    "sign(b)*x",
]


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("x", [X, torch.stack([X, X + 1, X * X]), X[:1]], ids=["N", "SN", "one row"])
def test_values_and_gradients_are_those_of_autograd(text: str, x: Tensor) -> None:
    bound = bind(text, x=x)
    tree = parse(text, reductions=True)
    values = {"a": THETA_SP[:, 0:1], "b": THETA_SP[:, 1:2], "x": x}
    expected = evaluate(tree, values)
    g = torch.cos(torch.arange(expected.numel(), dtype=FLOAT)).reshape(expected.shape)
    with torch.inference_mode():
        (output,), saved = bound.forward(THETA_SP)
        gradient = bound.backward(saved, [g])
    torch.testing.assert_close(output, expected.reshape(output.shape), rtol=1e-14, atol=0)
    assert gradient.shape == THETA_SP.shape
    torch.testing.assert_close(gradient, by_autograd([tree], THETA_SP, x, [g]), rtol=1e-12, atol=1e-13)


def test_shapes_of_outputs() -> None:
    outputs, _ = bind("a*x", "a*b", "x", "3", "mean(x)", "mean(a*x)").forward(THETA_SP)
    assert [tuple(output.shape) for output in outputs] == [(3, 5), (3, 1), (5,), (1,), (1,), (3, 1)]


def test_several_outputs_add_up_and_may_be_equal() -> None:
    texts = ["a*x", "a*x", "b", "exp(a*x) + b", "2"]
    bound = bind(*texts)
    outputs, saved = bound.forward(THETA_SP)
    adjoints = [torch.full_like(output, 0.5 + i) for i, output in enumerate(outputs)]
    expected = by_autograd([parse(text) for text in texts], THETA_SP, X, adjoints)
    torch.testing.assert_close(bound.backward(saved, adjoints), expected, rtol=1e-13, atol=0)


def test_equal_subtrees_are_worked_out_once_and_unused_ones_never() -> None:
    program = Tape([parse("exp(-b*x)*a + exp(-b*x)"), parse("where(1 > 0, b*x, log(x))")], ["a", "b"]).program
    # neg b; times x; exp; times a; plus; and b*x of the second tree
    assert len(program.instructions) == 6
    assert program.live >= set(program.instructions)


def test_subtrees_without_parameters_are_worked_out_when_bound() -> None:
    bound = bind("a*exp(x^2 + 1)")
    (output,), _ = bound.forward(THETA_SP)
    assert len(bound._steps) == 1
    torch.testing.assert_close(output, THETA_SP[:, :1] * torch.exp(X * X + 1))


def test_a_parameter_that_is_nowhere_has_gradient_zero() -> None:
    bound = bind("a*x")
    (output,), saved = bound.forward(THETA_SP)
    assert bound.backward(saved, [output])[:, 1].tolist() == [0.0, 0.0, 0.0]


def test_a_tape_is_for_parameters_and_needs_its_columns() -> None:
    with pytest.raises(ValueError, match="at least one parameter"):
        Tape([parse("x")], [])
    with pytest.raises(KeyError):
        Tape([parse("a*x")], ["a"]).bind({}, like=LIKE)


def test_dtype_is_that_of_like() -> None:
    like = torch.zeros((), dtype=torch.float32)
    bound = Tape([parse("a*x + 2^a/3")], ["a"]).bind({"x": X}, like=like)
    (output,), saved = bound.forward(torch.ones(2, 1))
    assert output.dtype == bound.backward(saved, [output]).dtype == torch.float32


def test_forward_serves_autograd_even_when_bound_under_inference_mode() -> None:
    with torch.inference_mode():
        bound = Tape([parse("exp(a*x)*x + 2*a")], ["a"]).bind({"x": X * 1}, like=X * 1)
    theta = torch.tensor([[0.2]], dtype=FLOAT, requires_grad=True)
    (output,), _ = bound.forward(theta)
    (first,) = torch.autograd.grad(output.sum(), theta, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), theta)
    assert float(second) == pytest.approx(float((X**3 * torch.exp(0.2 * X)).sum()), rel=1e-13)


@pytest.mark.parametrize("text", FORMULAS)
def test_jacobian_is_each_row_s_own_gradient(text: str) -> None:
    bound = bind(text)
    (output,), saved = bound.forward(THETA_SP)
    (jacobian,) = bound.jacobian(THETA_SP)
    rows = output.shape[-1]
    assert jacobian.shape == (3, rows, 2)
    for n in range(rows):
        one = torch.zeros(3, rows, dtype=FLOAT)
        one[:, n] = 1
        torch.testing.assert_close(jacobian[:, n], bound.backward(saved, [one]), rtol=1e-13, atol=1e-15)


SAME_BITS = [
    "a*exp(-b*x)",
    "log(a + x)*b + exp(b)",
    "a*sin(b*x)",
    "(b^x)*a + x^b",
    "a*tanh(b*x)",
    "erf(a*x)*b",
]


@pytest.mark.parametrize("text", SAME_BITS)
@pytest.mark.parametrize("N", [1, 7, 8, 1003])
def test_a_trial_alone_has_the_bits_that_it_has_among_others(text: str, N: int) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        draws = torch.Generator().manual_seed(N)
        bound = bind(text, x=torch.rand(N, dtype=FLOAT, generator=draws) + 0.1)
        theta_SP = torch.rand(5, 2, dtype=FLOAT, generator=draws) + 0.2
        (together,), saved = bound.forward(theta_SP)
        gradient = bound.backward(saved, [together.cos()])
        for s in range(5):
            (alone,), saved = bound.forward(theta_SP[s : s + 1])
            assert torch.equal(alone, together[s : s + 1])
            assert torch.equal(bound.backward(saved, [alone.cos()]), gradient[s : s + 1])
    finally:
        torch.set_num_threads(threads)


# Random trees.

LEAVES = st.one_of(st.floats(0.1, 3.0).map(Number), names("a", "b", "x"))
STARTS = st.lists(st.floats(-2, 2), min_size=4, max_size=4)


@given(trees(EVERYTHING, LEAVES), STARTS)
@settings(max_examples=200)
def test_random_trees_match_autograd(tree: Node, start: list[float]) -> None:
    theta_SP = torch.tensor(start, dtype=FLOAT).reshape(2, 2)
    bound = Tape([tree], ["a", "b"]).bind({"x": X}, like=LIKE)
    (output,), saved = bound.forward(theta_SP)
    values = {"a": theta_SP[:, 0:1], "b": theta_SP[:, 1:2], "x": X}
    value = torch.atleast_1d(evaluate(tree, values))  # type: ignore[no-untyped-call]
    folded = output.numel() == 1  # as where(1 == 1, 1, x) is to 1: it then stands for every trial and row
    shown = output.reshape(-1)[:1].expand_as(value) if folded else output
    torch.testing.assert_close(shown, value.reshape(shown.shape), rtol=1e-11, atol=1e-11, equal_nan=True)
    gradient = bound.backward(saved, [torch.ones_like(output)])
    if folded and value.numel() > 1:
        assert not gradient.any()
        return
    expected = by_autograd([tree], theta_SP, X, [torch.ones_like(output)])
    assume(bool(expected.isfinite().all() and (expected.abs() < 1e100).all()))
    size = 1 + float(sum(evaluate(node, values).double().nan_to_num(0, 0, 0).abs().max() for node in walk(tree)))
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-12 * size)


@given(trees(SMOOTH, LEAVES, max_leaves=8), STARTS)
@settings(max_examples=200)
def test_random_gradients_match_finite_differences(tree: Node, start: list[float]) -> None:
    """Central differences: their error is h^2/6 times the third derivative, plus rounding over h."""
    theta_SP = torch.tensor(start, dtype=FLOAT).reshape(2, 2)
    bound = Tape([Op("tanh", (tree,))], ["a", "b"]).bind({"x": X}, like=LIKE)
    (output,), saved = bound.forward(theta_SP)
    gradient = bound.backward(saved, [torch.ones_like(output)])
    coarse, fine = (differences(bound, theta_SP, h) for h in (2e-4, 1e-4))
    assume(float((coarse - fine).abs().max()) < 1e-5)  # else the tree bends too sharply for this step
    torch.testing.assert_close(gradient, fine, rtol=1e-5, atol=1e-5, msg=lambda m: f"{to_text(tree)}: {m}")


def differences(bound: BoundTape, theta_SP: Tensor, h: float) -> Tensor:
    def total(shift: Tensor) -> Tensor:
        (output,), _ = bound.forward(theta_SP + shift)
        return (output + torch.zeros(2, 1, dtype=FLOAT)).sum(-1)

    steps = torch.eye(2, dtype=FLOAT) * h
    return torch.stack([(total(step) - total(-step)) / (2 * h) for step in steps], 1)


def test_names_are_told_apart_from_operations() -> None:
    """A column may be called like anything that a program's keys are made of."""
    tree = Op("add", (Op("mul", (Name("number"), Name("a"))), Name("pow")))
    bound = Tape([tree], ["a"]).bind({"number": X, "pow": X}, like=LIKE)
    (output,), _ = bound.forward(torch.ones(1, 1, dtype=FLOAT))
    assert torch.equal(output[0], X + X)
