"""The graph that autograd walks backward, as a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gdtrain.gradient.result import BackwardNode


def backward_nodes(value: Tensor, leaves: Mapping[str, Tensor]) -> list[BackwardNode]:
    """The backward nodes below `value`, each after what it is reached from; a shared one is opened once.

    leaves  the tensors that collect a gradient, by name
    """
    found: list[BackwardNode] = []
    seen: set[Any] = set()  # the nodes themselves: a node that is let go of may lend its identity to another
    pending: list[tuple[Any, int]] = [(value.grad_fn, 0)] if value.grad_fn is not None else []
    while pending:
        node, depth = pending.pop()
        shared = node in seen
        found.append(BackwardNode(type(node).__name__, depth, _leaf(node, leaves), shared))
        if shared:
            continue
        seen.add(node)
        below = [following for following, _ in node.next_functions if following is not None]
        pending.extend((following, depth + 1) for following in reversed(below))
    return found


def _leaf(node: Any, leaves: Mapping[str, Tensor]) -> str:
    if not hasattr(node, "variable"):
        return ""
    return next(name for name, leaf in leaves.items() if leaf is node.variable)
