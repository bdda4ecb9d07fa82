"""What `grad` found: one record for each backward pass. Knows neither torch nor how it is shown.

Shapes: M values of an expression, N values of a name. A number counts as neither axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gdtrain.errors import printable

SCHEMA = "gdtrain.grad/1"
NOT_FINITE = 4  # exit code: a value or a derivative is not finite
SHOWN = 8  # of a longer list so many values are shown

Value = float | NDArray[np.float64]  # a number, or an array


@dataclass(frozen=True)
class BackwardNode:
    """A node of the graph that autograd walks backward.

    depth   steps from the expression's value
    leaf    the name that collects its gradient here, or ""
    shared  whether the node stands further up already; what is below it is listed there
    """

    node: str
    depth: int
    leaf: str = ""
    shared: bool = False


@dataclass(frozen=True, eq=False)
class Pass:
    """One expression, and one backward pass through it.

    value              a number or (M,)
    vector             (M,) what the pass started from, where it was chosen
    gradient           by name: a number or (N,); None where no pass was made. Accumulated over the passes before
                       this one where that was asked for
    jacobian           by name: the axes of the value, then those of the name; None where it was not asked for
    finite_difference  of the same shapes as gradient or jacobian; nan where there is none
    graph              the backward nodes, the first one first; None where it was not asked for
    """

    expression: str
    value: Value
    vector: Value | None = None
    gradient: Mapping[str, Value] | None = None
    jacobian: Mapping[str, Value] | None = None
    finite_difference: Mapping[str, Value] | None = None
    graph: list[BackwardNode] | None = None

    @property
    def derivatives(self) -> Mapping[str, Value]:
        """The gradient or the Jacobian by name, or nothing."""
        return self.gradient or self.jacobian or {}

    @property
    def finite(self) -> bool:
        return all(bool(np.isfinite(value).all()) for value in (self.value, *self.derivatives.values()))

    def to_dict(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "expression": self.expression,
            "value": _plain(self.value),
            "vector": None if self.vector is None else _plain(self.vector),
            "gradient": _plain_by_name(self.gradient),
            "jacobian": _plain_by_name(self.jacobian),
            "finite_difference": _plain_by_name(self.finite_difference, nan=None),
        }
        if self.graph is not None:
            document["graph"] = [vars(node) for node in self.graph]
        return document


@dataclass(frozen=True, eq=False)
class Gradient:
    """What the passes found, in their order. `value` and `gradient` are those of the last one.

    at          the value of each name
    wrt         names that are differentiated by
    detached    names that were left out of the graph
    accumulate  whether each gradient is the sum over the passes up to it
    notes       sentences for the user: what is missing, does not agree or is not finite
    """

    passes: list[Pass]
    at: Mapping[str, Value]
    wrt: list[str]
    detached: list[str]
    accumulate: bool
    seed: int
    notes: list[str]

    @property
    def value(self) -> Value:
        return self.passes[-1].value

    @property
    def gradient(self) -> Mapping[str, Value]:
        """By name; empty where no backward pass was made."""
        return self.passes[-1].gradient or {}

    @property
    def jacobian(self) -> Mapping[str, Value]:
        """By name; empty where it was not asked for."""
        return self.passes[-1].jacobian or {}

    @property
    def exit_code(self) -> int:
        return 0 if all(each.finite for each in self.passes) else NOT_FINITE

    @property
    def symbol(self) -> str:
        """What stands for the expression in `dy/dx`: y, or another letter where y is a name of the user's."""
        return symbol(self.at)

    def to_dict(self) -> dict[str, Any]:
        """The document (schema gdtrain.grad/1): plain JSON types, non-finite numbers as strings.

        A finite difference that does not exist, or was not taken, is null.
        """
        return {
            "schema": SCHEMA,
            "passes": [each.to_dict() for each in self.passes],
            "at": _plain_by_name(self.at),
            "wrt": self.wrt,
            "detached": self.detached,
            "accumulate": self.accumulate,
            "seed": self.seed,
            "notes": self.notes,
        }

    def __str__(self) -> str:
        return "\n".join(line for each in self.passes for line in self._lines(each))

    __repr__ = __str__

    def _lines(self, each: Pass) -> list[str]:
        shown = [(Label(self.symbol, name), value) for name, value in each.derivatives.items()]
        values = [f"  {label} = {listed(value)}" for label, value in shown]
        return [f"{printable(each.expression)} = {listed(each.value)}", *values]


def symbol(taken: Iterable[str]) -> str:
    names = set(taken)
    return next((letter for letter in ("y", "f", "z") if letter not in names), "value")


@dataclass(frozen=True)
class Label:
    """What a derivative is called, `dy/dx`, and each of its entries: `dy/dx[2]`, or in a Jacobian `dy[0]/dx[2]`.

    rows, entries  whether the expression, and the name, are lists here
    """

    symbol: str
    name: str
    rows: bool = False
    entries: bool = False

    def __call__(self, row: int, entry: int) -> str:
        row_index, index = f"[{row}]" if self.rows else "", f"[{entry}]" if self.entries else ""
        return f"d{self.symbol}{row_index}/d{printable(self.name)}{index}"

    def __str__(self) -> str:
        return f"d{self.symbol}/d{printable(self.name)}"


def listed(value: Value, *, shown: int = SHOWN, nan: str = "nan") -> str:
    """A number to six significant digits, or a list of them in brackets; of a long one the first `shown`."""
    if isinstance(value, np.ndarray) and value.ndim:
        items = [listed(item, shown=shown, nan=nan) for item in value[:shown]]
        more = [f"... {len(value) - shown:,} more"] if len(value) > shown else []
        return f"[{', '.join([*items, *more])}]"
    return nan if np.isnan(value) else f"{float(value) + 0.0:.6g}"  # adding 0 turns -0 to 0


def _plain(value: Value, *, nan: str | None = "nan") -> Any:
    """Numbers and nested lists of them, non-finite ones as "inf", "-inf" and `nan`."""
    if isinstance(value, np.ndarray):
        numbers = value.tolist()
        return numbers if np.isfinite(value).all() else _nested(numbers, nan)
    return _nested(float(value), nan)


def _nested(value: Any, nan: str | None) -> Any:
    if isinstance(value, list):
        return [_nested(item, nan) for item in value]
    if math.isnan(value):
        return nan
    return value if math.isfinite(value) else str(value)


def _plain_by_name(values: Mapping[str, Value] | None, *, nan: str | None = "nan") -> dict[str, Any] | None:
    return None if values is None else {name: _plain(value, nan=nan) for name, value in values.items()}
