"""What a second-order optimizer has no use for, and what `lm` needs."""

from __future__ import annotations

from collections.abc import Iterator

from gdtrain.experiment.objective import SQUARED
from gdtrain.experiment.optimizers import SECOND
from gdtrain.experiment.tree import Mistake, Node

# Keys of `train` that say how a gradient is stepped along -> why there is no such choice here.
_USELESS = {
    "lr": "it finds the length of its steps itself",
    "schedule": "there is no lr to schedule",
    "clip": "there is no gradient to clip: it finds the length of its steps itself",
    "batch_size": "each of its steps needs all rows",
}


def check(tree: Node, kind: str) -> Iterator[Mistake]:
    """Settings that belong to gradient steps beside a second-order optimizer; a problem that is not `lm`'s."""
    named = tree.get("train", "optimizer", "name")
    name = str(named.value) if named else ""
    if named is None or name not in SECOND:
        return
    for key, why in _USELESS.items():
        given = tree.get("train", key)
        if given is not None and given.value != "auto":
            yield Mistake(tree.key("train", key), f"{name} takes no {key}: {why}", f"leave {key} out")
    l1 = tree.get("penalty", "l1")
    if l1 and isinstance(l1.value, int | float) and l1.value > 0:
        what = f"{name} takes no l1: at 0 it has no derivative"
        yield Mistake(l1.place, what, "write optimizer: sgd, or {name: sgd, momentum: 0.9, nesterov: true}")
    if name == "lm":
        yield from _sum_of_squares(tree, kind, named)


def _sum_of_squares(tree: Node, kind: str, named: Node) -> Iterator[Mistake]:
    others = "use lbfgs or newton"
    loss = tree.get("loss", "name")
    if kind == "minimize":
        yield Mistake(named.place, "lm needs a sum of squares, and minimize has an expression", others)
    elif loss and loss.value not in SQUARED:
        what = f"lm needs a sum of squares, and {loss.value} is none"
        yield Mistake(named.place, what, f"{others}; lm takes {', '.join(SQUARED)}")
