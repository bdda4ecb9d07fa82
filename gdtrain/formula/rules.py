"""Each operation in torch: its value, and the backward rule that carries an adjoint to each operand.

With `y = op(a, b)` and `g` the adjoint of `y`, a rule's `backward[i](g, y, a, b)` is the adjoint of operand i
before it is summed to that operand's shape. The conventions where a derivative is not unique are autograd's:
`abs` has slope 0 at 0, `min` and `max` share a tie half and half, `relu` has slope 0 at 0, and a branch that
`where` leaves out gets 0 (which turns to nan where that branch's own slope is infinite).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

Function = Callable[..., Tensor]


class Rule(NamedTuple):
    """An operation's value, and for each operand its adjoint; None where the derivative is 0 everywhere."""

    forward: Function
    backward: tuple[Function | None, ...]


@dataclass(frozen=True, slots=True)
class Times:
    """The backward rule g * y (which = 0) or g times an operand (1, 2): a product, of which equal ones are shared."""

    which: int

    def __call__(self, g: Tensor, *values: Tensor) -> Tensor:
        return g * values[self.which]


def through(g: Tensor, *_: Tensor) -> Tensor:
    """The backward rule of what is added: g itself."""
    return g


def _against(g: Tensor, *_: Tensor) -> Tensor:
    return -g


def _one_minus(x: Tensor) -> Tensor:
    return torch.rsub(x, 1)  # what `1 - x` comes to, at two thirds of its time


def _softplus(a: Tensor) -> Tensor:
    # torch's own threshold of 20 drops exp(-20), which is 2e-9; at 40 nothing is lost to float64.
    return softplus(a, 1.0, 40.0)


def _larger(g: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`g` where a > b, half of it where they tie."""
    return torch.where(a == b, g / 2, g).masked_fill(a < b, 0.0)


def _per_square(a: Tensor, b: Tensor) -> Tensor:
    """1/(a^2 + b^2), and 0 at the origin, where `atan2` has no slope."""
    square = a * a + b * b
    return torch.reciprocal(square).masked_fill(square == 0, 0.0)


def _base(g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return (g * (b * torch.pow(a, b - 1))).masked_fill(b == 0, 0.0)


def _exponent(g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return g * (y * torch.log(a)).masked_fill((a == 0) & (b >= 0), 0.0)


def _sum(a: Tensor) -> Tensor:
    return a.sum(-1, keepdim=True)


def _mean(a: Tensor) -> Tensor:
    return a.mean(-1, keepdim=True)


RULES: dict[str, Rule] = {
    "neg": Rule(torch.neg, (_against,)),
    "add": Rule(torch.add, (through, through)),
    "sub": Rule(torch.sub, (through, _against)),
    "mul": Rule(torch.mul, (Times(2), Times(1))),
    "div": Rule(torch.div, (lambda g, y, a, b: g / b, lambda g, y, a, b: -g * (y / b))),
    "pow": Rule(torch.pow, (_base, _exponent)),
    "exp": Rule(torch.exp, (Times(0),)),
    "log": Rule(torch.log, (lambda g, y, a: g / a,)),
    "log2": Rule(torch.log2, (lambda g, y, a: g / (a * math.log(2)),)),
    "log10": Rule(torch.log10, (lambda g, y, a: g / (a * math.log(10)),)),
    "log1p": Rule(torch.log1p, (lambda g, y, a: g / (a + 1),)),
    "expm1": Rule(torch.expm1, (lambda g, y, a: g * (y + 1),)),
    "sqrt": Rule(torch.sqrt, (lambda g, y, a: g / (y + y),)),
    "abs": Rule(torch.abs, (lambda g, y, a: g * torch.sign(a),)),
    "sign": Rule(torch.sign, (None,)),
    "sin": Rule(torch.sin, (lambda g, y, a: g * torch.cos(a),)),
    "cos": Rule(torch.cos, (lambda g, y, a: -g * torch.sin(a),)),
    "tan": Rule(torch.tan, (lambda g, y, a: g * (y * y + 1),)),
    "asin": Rule(torch.asin, (lambda g, y, a: g * torch.rsqrt(_one_minus(a * a)),)),
    "acos": Rule(torch.acos, (lambda g, y, a: -g * torch.rsqrt(_one_minus(a * a)),)),
    "atan": Rule(torch.atan, (lambda g, y, a: g / (a * a + 1),)),
    "atan2": Rule(
        torch.atan2,
        (
            lambda g, y, a, b: g * (b * _per_square(a, b)),
            lambda g, y, a, b: -g * (a * _per_square(a, b)),
        ),
    ),
    "sinh": Rule(torch.sinh, (lambda g, y, a: g * torch.cosh(a),)),
    "cosh": Rule(torch.cosh, (lambda g, y, a: g * torch.sinh(a),)),
    "tanh": Rule(torch.tanh, (lambda g, y, a: g * _one_minus(y * y),)),
    "sigmoid": Rule(torch.sigmoid, (lambda g, y, a: g * (y * _one_minus(y)),)),
    "softplus": Rule(_softplus, (lambda g, y, a: g * torch.sigmoid(a),)),
    "relu": Rule(torch.relu, (lambda g, y, a: g.masked_fill(y <= 0, 0.0),)),
    "erf": Rule(torch.erf, (lambda g, y, a: g * (torch.exp(-a * a) * (2 / math.sqrt(math.pi))),)),
    "min": Rule(torch.minimum, (lambda g, y, a, b: _larger(g, b, a), lambda g, y, a, b: _larger(g, a, b))),
    "max": Rule(torch.maximum, (lambda g, y, a, b: _larger(g, a, b), lambda g, y, a, b: _larger(g, b, a))),
    "hypot": Rule(torch.hypot, (lambda g, y, a, b: g * (a / y), lambda g, y, a, b: g * (b / y))),
    "lt": Rule(torch.lt, (None, None)),
    "le": Rule(torch.le, (None, None)),
    "gt": Rule(torch.gt, (None, None)),
    "ge": Rule(torch.ge, (None, None)),
    "eq": Rule(torch.eq, (None, None)),
    "ne": Rule(torch.ne, (None, None)),
    "where": Rule(
        torch.where,
        (
            None,
            lambda g, y, condition, a, b: torch.where(condition, g, 0.0),
            lambda g, y, condition, a, b: torch.where(condition, 0.0, g),
        ),
    ),
    "sum": Rule(_sum, (lambda g, y, a: g.expand_as(a),)),
    "mean": Rule(_mean, (lambda g, y, a: (g / a.shape[-1]).expand_as(a),)),
}

_SQUARE = Rule(torch.square, (lambda g, y, a: g * (a + a),))


def power(exponent: float) -> Rule:
    """The rule of `a^exponent` for a number as exponent: one operand, and no logarithm of the base."""
    if exponent == 2:
        return _SQUARE

    def forward(a: Tensor) -> Tensor:
        return torch.pow(a, exponent)

    def backward(g: Tensor, y: Tensor, a: Tensor) -> Tensor:
        return g * (torch.pow(a, exponent - 1) * exponent)

    return Rule(forward, (backward if exponent else None,))
