"""Points to batches: those that differ in numbers alone train together, and all are checked before the first does."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from gdtrain.experiment.defaults import OF_EPOCHS
from gdtrain.experiment.overrides import keys_of
from gdtrain.experiment.points import Dimension, Row
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.trials import Trials

Batch = tuple[Trials, list[int]]  # and where its trials stand among all points


def grouped(dimensions: Sequence[Dimension], rows: Sequence[Row], load: Callable[[Row], Experiment]) -> list[Batch]:
    """The batches of some points, in the order of their first.

    load  the experiment of a point, checked; called for a few points of each batch: a number's limits are an
          interval, so that where its least and its largest pass, the others do

    Raises what `load` does.
    """
    numbers = {a for a, dimension in enumerate(dimensions) if dimension.number}
    batches = _batches(dimensions, rows, range(len(rows)), numbers, load)
    return sorted(batches, key=lambda batch: batch[1][0])


def _batches(
    dimensions: Sequence[Dimension],
    rows: Sequence[Row],
    indices: Sequence[int],
    numbers: set[int],
    load: Callable[[Row], Experiment],
) -> Iterator[Batch]:
    """The batches of the points at `indices`, with numbers of the axes `numbers` beside each other."""
    alike: dict[tuple[int, ...], list[int]] = {}
    together = [
        [-1 if a in numbers and dimension.is_number(i) else i for i in range(len(dimension.values))]
        for a, dimension in enumerate(dimensions)
    ]
    for index in indices:
        alike.setdefault(tuple(t[i] for t, i in zip(together, rows[index], strict=True)), []).append(index)
    for members in alike.values():
        first = load(rows[members[0]])
        inside = {a for a in numbers if together[a][rows[members[0]][a]] < 0}
        fixed = {a for a in inside if _is_fixed(first, dimensions[a].number)}
        varied = {a: _seen(rows, members, a) for a in inside}
        if any(len(varied[a]) > 1 for a in fixed):
            yield from _batches(dimensions, rows, members, numbers - fixed, load)
            continue
        values = {a: {dimensions[a].values[i]: at for i, at in seen.items()} for a, seen in varied.items()}
        for index in {at for seen in values.values() for at in _telling(seen)} - {members[0]}:
            load(rows[index])
        differing = {
            dimensions[a].number: [dimensions[a].values[rows[index][a]] for index in members]
            for a in sorted(inside)
            if len(varied[a]) > 1
        }
        yield Trials(first, differing, len(members)), members


def _is_fixed(experiment: Experiment, key: str) -> bool:
    """Whether more follows from a key than a number of the batch: it is the start of a parameter that is kept there, or
    the epochs of a schedule that is as long as the run.
    """
    if key == "train.epochs":
        return not set(OF_EPOCHS).isdisjoint(experiment.chosen)
    keys = keys_of(key)
    return keys[0] == "params" and experiment.param(keys[1]).fixed


def _seen(rows: Sequence[Row], members: Sequence[int], axis: int) -> dict[int, int]:
    """The values of an axis by index, each with the first of the points that has it."""
    seen: dict[int, int] = {}
    for index in members:
        seen.setdefault(rows[index][axis], index)
    return seen


def _telling(seen: dict[float, int]) -> Iterator[int]:
    """The points to check for all: of the least, the largest, a fraction, zero, and what is not finite."""
    yield seen[min(seen)]
    yield seen[max(seen)]
    for is_telling in (lambda v: not math.isfinite(v), lambda v: math.isfinite(v) and v != int(v), lambda v: v == 0):
        yield from (at for at in [next((at for v, at in seen.items() if is_telling(v)), None)] if at is not None)
