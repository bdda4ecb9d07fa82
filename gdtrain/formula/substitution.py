"""A tree with other trees in the place of names."""

from __future__ import annotations

from collections.abc import Mapping

from gdtrain.formula.nodes import Name, Node, Op, walk


def substituted(node: Node, trees: Mapping[str, Node]) -> Node:
    """`node` with each name that stands in `trees` replaced by its tree, which is not looked into."""
    stack: list[Node] = []
    for current in walk(node):
        if isinstance(current, Op):
            first = len(stack) - len(current.args)
            stack[first:] = [Op(current.op, tuple(stack[first:]), current.span)]
        else:
            stack.append(trees.get(current.name, current) if isinstance(current, Name) else current)
    return stack[0]
