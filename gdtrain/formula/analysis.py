"""What a tree holds: its names, and its degree in the parameters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from gdtrain.formula.constants import constants
from gdtrain.formula.nodes import Name, Node, Op, Span, walk

CONSTANT, AFFINE, OTHER = 0, 1, 2  # degrees


def names(node: Node) -> dict[str, Span]:
    """The names in the tree, in the order of their first appearance, with its place in the text."""
    found: dict[str, Span] = {}
    for current in walk(node):
        if isinstance(current, Name):
            found.setdefault(current.name, current.span)
    return found


def degree(node: Node, parameters: Collection[str]) -> int:
    """0 where `node` is constant in the parameters, 1 where it is affine in them, 2 where it is neither.

    Told from the form alone and never too low: `a*b/b` is 2 though it equals `a`; `a - a` is 1.
    """
    stack: list[int] = []
    values: dict[int, float | None] = {}
    for current, value in constants(node):
        values[id(current)] = value
        if isinstance(current, Op):
            first = len(stack) - len(current.args)
            exponent = values[id(current.args[-1])]
            stack[first:] = [_degree(current.op, stack[first:], exponent)]
        else:
            stack.append(AFFINE if isinstance(current, Name) and current.name in parameters else CONSTANT)
    return stack[0]


def _degree(op: str, args: list[int], last: float | None) -> int:
    """An operation's degree from its operands' degrees, and the last operand's value where that is known."""
    if not any(args):
        return CONSTANT
    if op == "pow":
        return {0.0: CONSTANT, 1.0: args[0]}.get(OTHER if last is None else last, OTHER)
    return min(OTHER, _DEGREES[op](*args)) if op in _DEGREES else OTHER


_DEGREES: Mapping[str, Callable[..., int]] = {
    "neg": lambda a: a,
    "sum": lambda a: a,
    "mean": lambda a: a,
    "add": max,
    "sub": max,
    "mul": lambda a, b: a + b,
    "div": lambda a, b: OTHER if b else a,
    "where": lambda condition, a, b: OTHER if condition else max(a, b),
}
