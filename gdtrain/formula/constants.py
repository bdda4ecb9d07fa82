"""Subtrees without names, worked out in Python's own floats: what they come to, and which are refused."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping

from gdtrain.formula.nodes import Name, Node, Number, Op, walk
from gdtrain.formula.tokens import mistake

MAX_EXPONENT = 1_000  # of a power with a constant exponent, either sign

_Function = Callable[..., float]


def _sign(x: float) -> float:
    return math.copysign(1.0, x) if x else 0.0


def _sigmoid(x: float) -> float:
    small = math.exp(-abs(x))  # never overflows
    return (1.0 if x >= 0 else small) / (1.0 + small)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _where(condition: float, yes: float, no: float) -> float:
    return yes if condition else no


def _itself(x: float) -> float:
    return x


FOLD: Mapping[str, _Function] = {
    "neg": operator.neg,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": math.pow,
    "exp": math.exp,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "log1p": math.log1p,
    "expm1": math.expm1,
    "sqrt": math.sqrt,
    "abs": abs,
    "sign": _sign,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "atan2": math.atan2,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "relu": lambda x: max(x, 0.0),
    "erf": math.erf,
    "min": min,
    "max": max,
    "hypot": math.hypot,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "eq": operator.eq,
    "ne": operator.ne,
    "where": _where,
    "sum": _itself,
    "mean": _itself,
}


def fold(op: str, args: list[float]) -> float:
    """The value of one operation on numbers; nan where it has none or overflows."""
    try:
        return float(FOLD[op](*args))
    except (ArithmeticError, ValueError):
        return math.nan


def constants(node: Node) -> list[tuple[Node, float | None]]:
    """Every node in post-order with its value, which is None where the subtree holds a name."""
    found: list[tuple[Node, float | None]] = []
    stack: list[float | None] = []
    for current in walk(node):
        stack.append(_value(current, stack))
        found.append((current, stack[-1]))
    return found


def _value(node: Node, stack: list[float | None]) -> float | None:
    """The value of `node`, whose operands' values are on top of the stack and are taken from it."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Name):
        return None
    args = [stack.pop() for _ in node.args][::-1]
    known = [arg for arg in args if arg is not None]
    return fold(node.op, known) if len(known) == len(args) else None


def constant(node: Node) -> float | None:
    """What `node` comes to when it holds no name, else None."""
    return constants(node)[-1][1]


def check_constants(text: str, node: Node) -> None:
    """Raise UserError at the innermost constant that is not finite, or at an exponent past its bound."""
    values: dict[int, float | None] = {}
    for current, value in constants(node):
        values[id(current)] = value
        if isinstance(current, Op) and current.op == "pow":
            _check_exponent(text, current.args[1], values[id(current.args[1])])
        if value is not None and not math.isfinite(value):
            shown = text[slice(*current.span)]
            raise mistake(
                text,
                current.span,
                f"{shown} is not a finite number",
                "correct it: no data and no parameter changes it",
            )


def _check_exponent(text: str, exponent: Node, value: float | None) -> None:
    if value is not None and abs(value) > MAX_EXPONENT:
        what = f"the exponent {value:g} is out of bounds"
        raise mistake(text, exponent.span, what, f"exponents run from -{MAX_EXPONENT} to {MAX_EXPONENT}")
