"""The closed set of nodes that a formula is made of: numbers, names and operations.

Trees may be as deep as a formula is long (`x1 + x2 + ... + x900` leans left), so nothing here recurses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

Span = tuple[int, int]  # (start, end) offsets in the text that was parsed


@dataclass(frozen=True, slots=True)
class Number:
    """A literal. The parser makes finite ones without a sign: `-2` is `neg` of `Number(2.0)`."""

    value: float
    span: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A parameter or a column, by its name without backquotes."""

    name: str
    span: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Op:
    """An operation of the table `ARITY` on its operands."""

    op: str
    args: tuple[Node, ...]
    span: Span = field(default=(0, 0), compare=False, repr=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Op):
            return NotImplemented
        return all(_label(a) == _label(b) for a, b in zip_longest(walk(self), walk(other)))

    def __hash__(self) -> int:
        return hash(tuple(map(_label, walk(self))))


Node = Number | Name | Op

OPERATORS = {"neg": 1, "add": 2, "sub": 2, "mul": 2, "div": 2, "pow": 2}
COMPARISONS = {"lt": 2, "le": 2, "gt": 2, "ge": 2, "eq": 2, "ne": 2}  # only as the first operand of `where`
REDUCTIONS = {"sum": 1, "mean": 1}  # over the rows, which are the last axis
FUNCTIONS = {
    **dict.fromkeys(("exp", "log", "log2", "log10", "log1p", "expm1", "sqrt", "abs", "sign"), 1),
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"), 1),
    **dict.fromkeys(("sigmoid", "softplus", "relu", "erf"), 1),
    **dict.fromkeys(("pow", "atan2", "hypot", "min", "max"), 2),
    "where": 3,
}
ARITY = {**OPERATORS, **COMPARISONS, **FUNCTIONS, **REDUCTIONS}
VARIADIC = frozenset({"min", "max"})  # `min(a, b, c)` is `min(min(a, b), c)`
ALIASES = {"ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan"}
CONSTANTS = {"pi": math.pi}


def walk(node: Node) -> Iterator[Node]:
    """Every node of the tree, operands before their operation, left to right."""
    pending: list[tuple[Node, bool]] = [(node, False)]
    while pending:
        current, opened = pending.pop()
        if opened or not isinstance(current, Op):
            yield current
            continue
        pending.append((current, True))
        pending.extend((arg, False) for arg in reversed(current.args))


def _label(node: Node | None) -> object:
    """What tells two nodes apart, their operands aside: in post-order these labels determine a tree."""
    return (node.op, len(node.args)) if isinstance(node, Op) else node
