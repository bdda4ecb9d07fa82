"""The expectations of an experiment: read before anything trains, with every error at its place in the file."""

from __future__ import annotations

from collections.abc import Iterator

from gdtrain.errors import UserError
from gdtrain.expectations.grammar import parse_expectation
from gdtrain.experiment.tree import Mistake, Node


def check(tree: Node) -> Iterator[Mistake]:
    """What is wrong with the expectations of an expanded tree."""
    for _, node in tree.select("expect.*"):
        if not isinstance(node.value, str) or not node.value:
            continue
        try:
            parse_expectation(node.value)
        except UserError as error:
            yield Mistake(node.place, error.what, error.remedy)
