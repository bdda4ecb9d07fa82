"""Axes together: the points of a sweep, as a grid, in pairs or drawn."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from gdtrain.draws import generator
from gdtrain.experiment.axes import MOST, Axis
from gdtrain.experiment.forms import expand
from gdtrain.experiment.overrides import WHOLE, keys_of
from gdtrain.experiment.rules import ALTERNATIVES
from gdtrain.experiment.tree import Key, Mistake, Node, Place, report

# Keys whose numbers may differ between the trials of one batch.
PER_TRIAL = re.compile(
    r"train\.(lr|epochs|seed)|params\..+\.start\.value|penalty\.(l1|l2)"
    r"|train\.optimizer\.(momentum|dampening|weight_decay|eps|alpha|lr_decay|initial_accumulator_value|momentum_decay)"
)
_BELOW_ONE = ("train.optimizer.momentum",)  # of these, 1 or more has no closed form
APART = ("penalty.l1",)  # of these, 0 is another program: without it there is a closed form
_START = re.compile(r"params\..+\.start")
# Keys that are the same for all trials, and why.
_NOT_SWEPT = {
    "name": "one name stands for all trials",
    "sweep": "a sweep holds no other",
    "predict": "it does not change the training",
    "expect": "it does not change the training",
}

Row = tuple[int, ...]  # a point by the index of each axis's value


@dataclass(frozen=True)
class Dimension:
    """An axis of a sweep, made ready.

    name     its dotted key, the same for all spellings: `params.w.start`, `train.optimizer`
    written  its dotted key as it was written, `at` where; `keys` are its keys
    told     where to point for the axis as a whole
    values   plain; those of a distribution are yet to be drawn
    nodes    of the values, place by place
    axis     as it was declared
    slots    the keys that a value sets, with one for those that exclude each other
    number   the key that a number sets where it may differ between the trials of a batch, else ""
    """

    name: str
    written: str
    at: Place
    told: Place
    keys: Sequence[str]
    values: Sequence[Any]
    nodes: Sequence[Node]
    axis: Axis
    slots: frozenset[str]
    number: str

    def is_number(self, i: int) -> bool:
        """Whether the value may stand beside others in one batch."""
        value = self.values[i]
        if not (self.number and _is_number(value)):
            return False
        return not (value == 0 and self.number in APART) and not (value >= 1 and self.number in _BELOW_ONE)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def dimension(key: str, at: Place, told: Place, node: Node, axis: Axis, *, drawn: bool) -> Dimension:
    """An axis made ready.

    key    its dotted key as it was written `at` a place; `told` is where to point for the whole
    node   the axis in its full form
    drawn  whether points are drawn

    Raises UserErrors for a key that cannot be swept, and for a distribution where no points are drawn.
    """
    if why := _NOT_SWEPT.get(key.partition(".")[0]):
        raise report([Mistake(told, f"{key} cannot be swept", why)])
    keys = keys_of(key, at.where)
    listed = node.get(axis.form) or node
    nodes = list(listed.value) if isinstance(listed.value, list) and axis.form in ("values", "choice") else []
    if axis.form == "uniform" and not drawn and is_start(key):  # a start that is drawn from the seed
        nodes = [node]
    elif axis.drawn and not drawn:
        what = f"{axis.form} draws the values of {key}"
        raise report([Mistake(listed.place, what, "say how many points: --random 20")])
    elif not nodes:
        low = axis.listed() or [getattr(axis, axis.form)[0]]
        nodes = [Node(value, listed.place) for value in low]
    nodes = [_rounded(key, node, spread=axis.form not in ("values", "choice")) for node in nodes]
    values = [node.plain() for node in nodes]
    slots, numbers = sets(key, nodes)
    name = _name(key, slots)
    number = numbers if PER_TRIAL.fullmatch(numbers) else ""
    return Dimension(name, key, at, told, keys, values, nodes, axis, slots, number)


def _rounded(key: str, node: Node, *, spread: bool) -> Node:
    """A number for a key that counts: whole where it is so, and rounded where it was spread or drawn."""
    if key not in WHOLE or not isinstance(node.value, float) or not math.isfinite(node.value):
        return node
    return replace(node, value=round(node.value)) if spread or node.value.is_integer() else node


def sets(key: str, nodes: Sequence[Node]) -> tuple[frozenset[str], str]:
    """The keys that values of a dotted key set, with one for those that exclude each other; the one of a number."""
    scalars = [node for node in nodes if not isinstance(node.value, dict | list)]
    number = next((node for node in scalars if _is_number(node.value)), None)
    samples = [node for node in nodes if isinstance(node.value, dict | list)] + scalars[:1]
    slots = frozenset(_slot(keys) for node in samples for keys in _leaves(key, node))
    return slots, ".".join(map(str, next(_leaves(key, number)))) if number else ""


def _leaves(key: str, node: Node) -> Iterator[tuple[Key, ...]]:
    """The keys that lead to each value below a dotted key, short forms written out."""
    return _below(expand(Node({}, node.place).put(keys_of(key), node, node.place)), ())


def _below(node: Node, keys: tuple[Key, ...]) -> Iterator[tuple[Key, ...]]:
    if not isinstance(node.value, dict):
        yield keys
    else:
        for key, inner in node.value.items():
            yield from _below(inner, (*keys, key))


def _slot(keys: tuple[Key, ...]) -> str:
    """A key, or the first of those that exclude it."""
    for pattern, choices in ALTERNATIVES:
        steps = pattern.split(".")
        inside = all(step in ("*", key) for step, key in zip(steps, keys, strict=False))
        if inside and len(keys) == len(steps) + 1 and keys[-1] in choices:
            return ".".join(map(str, (*keys[: len(steps)], choices[0])))
    return ".".join(map(str, keys))


def _name(key: str, slots: frozenset[str]) -> str:
    if len(slots) != 1:
        return key
    (slot,) = slots
    spelt = slot.removesuffix(".value") if slot.endswith(".start.value") else slot.removesuffix(".name")
    return spelt if spelt.startswith(key) or key.startswith(spelt) else key


def is_start(key: str) -> bool:
    """Whether a dotted key is a parameter's start, for which {uniform: [a, b]} is a value."""
    return _START.fullmatch(key) is not None


def name_of(key: str, node: Node) -> str:
    """The name of a dotted key with a value, the same for all spellings."""
    return _name(key, sets(key, [node])[0])


def check(dimensions: Sequence[Dimension], *, paired: bool, drawn: bool) -> Iterator[Mistake]:
    """What is wrong with axes beside each other: one key swept twice, pairs of unequal length, too many points."""
    for i, later in enumerate(dimensions):
        for earlier in dimensions[:i]:
            if later.slots & earlier.slots:
                also = f", also as {earlier.written}" if earlier.written != later.written else ""
                yield Mistake(later.told, f"{later.written} is swept twice{also}", "give its values once")
    for other in dimensions[1:] if paired else ():
        if len(other.values) != len((first := dimensions[0]).values):
            counts = f"{other.name} has {_counted(other)}, {first.name} has {_counted(first)}"
            yield Mistake(other.told, counts, "zip pairs them: give each as many")
    count = math.prod(len(dimension.values) for dimension in dimensions)
    if count > MOST and not (paired or drawn):
        what = f"the grid has {count:,} points, and a sweep at most {MOST:,}"
        yield Mistake(dimensions[-1].told, what, "draw some of them: --random 1000")


def _counted(dimension: Dimension) -> str:
    count = len(dimension.values)
    return f"{count} value" if count == 1 else f"{count} values"


def grid(dimensions: Sequence[Dimension]) -> tuple[list[Dimension], list[Row]]:
    """Every value with every other; the last axis runs fastest. A value that stands twice counts once."""
    single = [_once(dimension) for dimension in dimensions]
    return single, list(product(*(range(len(dimension.values)) for dimension in single)))


def _once(dimension: Dimension) -> Dimension:
    first: dict[object, int] = {}
    for i, value in enumerate(dimension.values):
        first.setdefault(_identity(value), i)
    if len(first) == len(dimension.values):
        return dimension
    kept = list(first.values())
    return replace(dimension, values=[dimension.values[i] for i in kept], nodes=[dimension.nodes[i] for i in kept])


def _identity(value: object) -> object:
    """Equal for values that say the same: 1 and 1.0, but not true."""
    return value if _is_number(value) else (type(value).__name__, json.dumps(value, sort_keys=True))


def pairs(dimensions: Sequence[Dimension]) -> tuple[list[Dimension], list[Row]]:
    """The first values of all axes, the second ones, and so on."""
    count = len(dimensions[0].values) if dimensions else 1
    return list(dimensions), [(i,) * len(dimensions) for i in range(count)]


def draws(dimensions: Sequence[Dimension], count: int, seed: int) -> tuple[list[Dimension], list[Row]]:
    """Points with each value drawn by itself: from its distribution, or from its values with equal chances.

    An axis draws from generators of its own, keyed by its name, so that another axis beside it moves nothing.
    """
    drawn = [_drawn(dimension, count, seed) for dimension in dimensions]
    return [dimension for dimension, _ in drawn], list(zip(*(chosen for _, chosen in drawn), strict=True)) or [()]


def _drawn(dimension: Dimension, count: int, seed: int) -> tuple[Dimension, list[int]]:
    generators = (generator(seed, i, f"sweep {dimension.name}") for i in range(count))
    if dimension.axis.listed() is not None:
        return dimension, [int(each.integers(len(dimension.values))) for each in generators]
    place = dimension.nodes[0].place
    nodes = [_rounded(dimension.written, Node(dimension.axis.draw(each), place), spread=True) for each in generators]
    return replace(dimension, values=[node.value for node in nodes], nodes=nodes), list(range(count))
