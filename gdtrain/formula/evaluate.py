"""The value of a tree by broadcasting in torch, and which part of it is not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from gdtrain.formula.constants import constants
from gdtrain.formula.nodes import REDUCTIONS, Name, Node, Op
from gdtrain.formula.rules import RULES, power

Values = Mapping[str, "Tensor | float"]


def evaluate(node: Node, values: Values) -> Tensor:
    """The value of `node`, by broadcasting; autograd can differentiate it, twice too.

    values  each name's value: a number, or a tensor such as (N,), (S, 1) or (S, N)

    `sum` and `mean` go over the last axis and keep it with size 1. Subtrees without names are worked out in
    Python's floats. Raises KeyError for a name without a value.
    """
    return _values(node, values)[-1][1]


def blame(node: Node, values: Values) -> tuple[Node, int] | None:
    """The innermost subtree at fault where the value of `node` is not finite, and the row; None where it is.

    At that row the subtree's operands are finite and its value is not. A branch that `where` leaves out is
    never at fault. The row counts along the last axis from 0.
    """
    pairs = _values(node, values)
    results = {id(current): value.reshape(-1, value.shape[-1] if value.ndim else 1) for current, value in pairs}
    place = _not_finite(results[id(node)])
    if place is None:
        return None
    while found := _fault(node, results, place):
        node, place = found
    return node, place[1]


def _values(node: Node, values: Values) -> list[tuple[Node, Tensor]]:
    """Every subtree in post-order with its value."""
    like = next((v for v in values.values() if isinstance(v, Tensor)), torch.zeros((), dtype=torch.float64))
    found: list[tuple[Node, Tensor]] = []
    stack: list[Tensor] = []
    known: dict[int, float | None] = {}
    for current, constant in constants(node):
        known[id(current)] = constant
        args = _operands(current, stack)
        if constant is not None:
            value = _tensor(constant, like)
        elif isinstance(current, Op):
            value = _apply(current, args, known[id(current.args[-1])])
        else:
            assert isinstance(current, Name)
            value = _tensor(values[current.name], like)
        stack.append(value)
        found.append((current, value))
    return found


def _operands(node: Node, stack: list[Tensor]) -> list[Tensor]:
    return [stack.pop() for _ in node.args][::-1] if isinstance(node, Op) else []


def _tensor(value: Tensor | float, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else like.new_tensor(value)


def _apply(node: Op, args: list[Tensor], last: float | None) -> Tensor:
    if node.op == "pow" and last is not None:
        return power(last).forward(args[0])
    if node.op == "where":
        args[0] = args[0].bool()  # a comparison of two numbers was worked out to 1 or 0
    return RULES[node.op].forward(*args)


Place = tuple[int, int]  # trial and row


def _not_finite(value: Tensor) -> Place | None:
    """The first place where a value of two axes is not finite."""
    places = torch.nonzero(~torch.isfinite(value))
    return (int(places[0, 0]), int(places[0, 1])) if len(places) else None


def _fault(node: Node, results: dict[int, Tensor], place: Place) -> tuple[Node, Place] | None:
    """The operand of `node` that is not finite at `place`, and where; None where all are finite."""
    if not isinstance(node, Op):
        return None
    args = node.args
    if node.op == "where":
        args = (args[1] if _at(results[id(args[0])], place) else args[2],)
    for arg in args:
        value = results[id(arg)]
        if node.op in REDUCTIONS:
            trial = min(place[0], len(value) - 1)
            inside = _not_finite(value[trial : trial + 1])
            if inside:
                return arg, (trial, inside[1])
        elif not math.isfinite(_at(value, place)):
            return arg, place
    return None


def _at(value: Tensor, place: Place) -> float:
    """The element at `place`; an axis of size 1 serves every place."""
    trial, row = (min(index, size - 1) for index, size in zip(place, value.shape, strict=True))
    return float(value[trial, row])
