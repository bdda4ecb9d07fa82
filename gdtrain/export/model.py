"""A fitted model as trees of numbers and columns, which every language writes from.

Beside the operations of formulas these trees have `total`, the sum of any number of terms, and the activations of
hidden layers; a leaf is a number, a column, a number by the level of a column of text, or the result of a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gdtrain.formula.nodes import Name, Node, Number, Op, walk

TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Case(Name):
    """The number of the level that a column of text, `name`, has in a row.

    numbers    level -> number
    otherwise  for a text that is no level; None where that is refused
    """

    numbers: tuple[tuple[str, float], ...] = ()
    otherwise: float | None = None


@dataclass(frozen=True, slots=True)
class Ref(Name):
    """The result of the step `name`."""


@dataclass(frozen=True, slots=True)
class Own(Name):
    """The number that the parameter `name` has in the group of a row."""


@dataclass(frozen=True)
class Groups:
    """What differs between groups of rows.

    column   that tells them
    values   what it has in each
    numbers  of each parameter: name -> a number for each group
    """

    column: str
    values: Sequence[str | float | bool]
    numbers: Mapping[str, Sequence[float]]

    @property
    def text(self) -> bool:
        """Whether the column is text."""
        return any(isinstance(value, str) for value in self.values)


@dataclass(frozen=True)
class Model:
    """What predicts a row.

    title    which model it is, in a line
    steps    what is worked out first: name -> tree, in an order in which each needs only those before it
    outputs  what is predicted: name -> tree
    fills    column -> what stands in for a missing number
    told     targets, or classes: what each output tells of
    probable whether outputs are probabilities
    groups   whose numbers `Own` stands for; None where all rows have the same
    """

    title: str
    steps: Mapping[str, Node]
    outputs: Mapping[str, Node]
    fills: Mapping[str, float]
    told: Sequence[str]
    probable: bool
    groups: Groups | None = None

    @property
    def columns(self) -> list[str]:
        """The columns that a prediction needs, in the order in which they are first used."""
        first = [self.groups.column] if self.groups else []
        return list(dict.fromkeys([*first, *(n.name for n in self._leaves() if not isinstance(n, Ref | Own))]))

    @property
    def texts(self) -> set[str]:
        """Those of them that are text."""
        return {leaf.name for leaf in self._leaves() if isinstance(leaf, Case)}

    def _leaves(self) -> Iterator[Name]:
        for tree in (*self.steps.values(), *self.outputs.values()):
            yield from (node for node in walk(tree) if isinstance(node, Name))


def total(terms: Sequence[Node]) -> Node:
    """The sum of terms, zeros left out."""
    kept = [term for term in terms if not (isinstance(term, Number) and term.value == 0)]
    if not kept:
        return Number(0.0)
    return kept[0] if len(kept) == 1 else Op(TOTAL, tuple(kept))


def product(factors: Sequence[Node]) -> Node:
    """The product of factors, ones left out."""
    kept = [factor for factor in factors if not (isinstance(factor, Number) and factor.value == 1)]
    found: Node = kept[0] if kept else Number(1.0)
    for factor in kept[1:]:
        found = Op("mul", (found, factor))
    return found
