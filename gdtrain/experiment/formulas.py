"""The formulas of an experiment: parsed, with every error at its place in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import takewhile

from gdtrain.errors import UserError
from gdtrain.experiment.loader import QUOTE
from gdtrain.experiment.tree import Mistake, Node
from gdtrain.formula import Node as Formula
from gdtrain.formula import parse, parse_equation

_NO_EQUALS = {
    "fit": "write what to predict on the left: y = ...",
    "solve": "write it as left = right; to make an expression small write minimize",
}
_COMMENT = re.compile(r"[ \t]+#")


@lru_cache(maxsize=256)
def sides(kind: str, text: str) -> tuple[Formula, ...]:
    """The trees of one formula: left and right of an equation, or one expression. Raises UserError."""
    if kind == "minimize":
        return (parse(text, reductions=True),)
    return parse_equation(text, no_equals=_NO_EQUALS[kind])


def written(tree: Node) -> Iterator[tuple[str, Node]]:
    """The formulas of an experiment's tree, each with its kind."""
    for pattern in ("solve.*", "fit", "minimize"):
        for keys, node in tree.select(pattern):
            if isinstance(node.value, str) and node.value:
                yield str(keys[0]), node


def parsed(tree: Node) -> Iterator[tuple[Node, tuple[Formula, ...]]]:
    """The formulas of an experiment's tree, parsed."""
    for kind, node in written(tree):
        yield node, sides(kind, str(node.value))


def check(tree: Node) -> Iterator[Mistake]:
    """What is wrong with the formulas of an expanded tree."""
    if torn := _torn(tree):
        yield torn
        tree = tree.without("solve")
    for kind, node in written(tree):
        try:
            sides(kind, str(node.value))
        except UserError as error:
            start, end = error.span or (0, 0)
            cut = end >= len(str(node.value)) and _before_comment(node)
            remedy = f"what follows # is a comment to YAML: {QUOTE}" if cut else error.remedy
            yield Mistake(node.within(start, end), error.what, remedy)


def _torn(tree: Node) -> Mistake | None:
    """A list of equations that YAML tore at a comma inside one: `[atan2(x, y) = 3]` is two items to it."""
    items = [node for _, node in tree.select("solve.*")]
    closed = takewhile(lambda node: str(node.value).count("(") <= str(node.value).count(")"), items)
    first = len(list(closed))
    if first + 1 >= len(items) or items[first].place.text != items[first].value:
        return None
    return Mistake(items[first].place, "YAML ends this item at the comma inside the formula", QUOTE)


def _before_comment(node: Node) -> bool:
    """Whether a comment follows on the line of an unquoted scalar."""
    source, end = node.place.source, node.place.end
    return node.place.text == node.value and _COMMENT.match(source.text, end) is not None
