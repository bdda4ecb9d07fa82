"""One expression at a point: its value, and backward passes from it.

Shapes: M values of the expression, N values of a name (1 for a number), R passes (1 for a gradient, M for a
Jacobian), K entries of a name that are differenced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from gdtrain.errors import UserError
from gdtrain.formula import Node
from gdtrain.formula.evaluate import evaluate
from gdtrain.gradient import notes
from gdtrain.gradient.differences import differences
from gdtrain.gradient.graph import backward_nodes
from gdtrain.gradient.point import check_lengths, plain
from gdtrain.gradient.result import Label, Pass, Value

MAX_ROWS = 10_000  # of a Jacobian; each is a backward pass
MAX_ENTRIES = 1_000_000  # of a Jacobian


class Derived(NamedTuple):
    """By name the derivative and its finite difference, and what to say of them."""

    derivatives: dict[str, Value]
    differences: dict[str, Value]
    notes: list[str]


@dataclass(frozen=True)
class Expression:
    """An expression, the value of each name, and which names are differentiated by.

    length  how many values it has; None for a number
    result  its values, with the graph below them: (M,), or () where no name in it is a list
    """

    text: str
    tree: Node
    values: Mapping[str, Tensor]
    wrt: Sequence[str]
    length: int | None
    result: Tensor

    @classmethod
    def at(cls, text: str, tree: Node, values: Mapping[str, Tensor], wrt: Sequence[str]) -> Expression:
        """Evaluate `tree`. Raises UserError where it pairs lists of different lengths."""
        length = check_lengths(text, tree, values)
        return cls(" ".join(text.split()), tree, values, wrt, length, evaluate(tree, values))

    @property
    def shape(self) -> tuple[int, ...]:
        return () if self.length is None else (self.length,)

    @property
    def size(self) -> int:
        """M."""
        return self.result.numel()

    def passed(self, vector: Tensor | None, *, jacobian: bool, graph: bool, symbol: str) -> tuple[Pass, list[str]]:
        """The backward pass, or none where several values have nothing to start from; and what to say of it.

        vector  (M,) to start from, for an expression with several values
        symbol  what a note calls the expression: the y of dy/dx
        """
        value_M = self.result.detach().reshape(-1)
        leaves = {name: self.values[name] for name in self.wrt}
        nodes = backward_nodes(self.result, leaves) if graph else None
        found = Pass(self.text, plain(value_M, self.shape), graph=nodes)
        said = notes.of_value(self.text, self.tree, self.values)
        if jacobian:
            self._check_size()
            derived = self._derived(None, symbol)
            done = replace(found, jacobian=derived.derivatives, finite_difference=derived.differences)
        elif self.length is None or vector is not None:
            start_M = torch.ones_like(value_M) if self.length is None or vector is None else vector
            chosen = None if self.length is None else plain(start_M, self.shape)
            derived = self._derived(start_M, symbol)
            done = replace(found, vector=chosen, gradient=derived.derivatives, finite_difference=derived.differences)
        else:
            return found, [*said, notes.of_choice(self.text, self.length)]
        return done, said + derived.notes

    def _check_size(self) -> None:
        rows, entries = self.size, sum(self.values[name].numel() for name in self.wrt)
        if rows > MAX_ROWS or rows * entries > MAX_ENTRIES:
            what = f"the Jacobian of {self.text} has {rows:,} rows and {rows * entries:,} entries"
            remedy = f"up to {MAX_ROWS:,} rows and {MAX_ENTRIES:,} entries are worked out; --vector takes any size"
            raise UserError(what, where="--jacobian", remedy=remedy)

    def _derived(self, start_M: Tensor | None, symbol: str) -> Derived:
        """The gradient of the values weighted by `start_M`, or with None their Jacobian."""
        rows = self._backward(start_M)
        derived = Derived({}, {}, notes.of_dependence(self.text, self.tree, self.wrt, self.result))
        for name in self.wrt:
            outer, inner = self.shape if start_M is None else (), self.values[name].shape
            label = Label(symbol, name, rows=bool(outer), entries=bool(inner))
            check = differences(self.tree, self.values, name, self.size, start_M)
            check_RN = torch.full_like(rows[name], torch.nan)
            check_RN[:, : len(check.derivative)] = check.derivative.T
            derived.derivatives[name] = plain(rows[name], (*outer, *inner))
            derived.differences[name] = plain(check_RN, (*outer, *inner))
            derived.notes.extend(notes.of_derivative(self.text, label, rows[name], check))
        return derived

    def _backward(self, start_M: Tensor | None) -> dict[str, Tensor]:
        """By name the derivative (R, N): one pass from `start_M`, or with None one from each value."""
        size = self.size
        starts = iter([start_M]) if start_M is not None else (_unit(i, size) for i in range(size))
        passes = [self._pass(start) for start in starts]
        return {name: torch.stack(rows) for name, *rows in zip(self.wrt, *passes, strict=True)}

    def _pass(self, start_M: Tensor) -> list[Tensor]:
        """For each name in `wrt` its gradient (N,), zeros where nothing depends on it."""
        leaves = [self.values[name] for name in self.wrt]
        if not self.result.requires_grad:
            return [torch.zeros_like(leaf, requires_grad=False).reshape(-1) for leaf in leaves]
        found = torch.autograd.grad(
            self.result,
            leaves,
            start_M.reshape(self.result.shape),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        return [gradient.reshape(-1) for gradient in found]


def _unit(index: int, size: int) -> Tensor:
    start = torch.zeros(size, dtype=torch.float64)
    start[index] = 1.0
    return start
