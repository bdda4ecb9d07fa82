"""How many trials go side by side: as many as fit the memory and the cache, and no more.

Which trials go together may move a rounding error, so how they are cut follows from the sweep alone: neither from the
clock, nor from which of them have been trained before.

Shapes: S trials, P trained parameters, N rows, K recorded epochs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gdtrain.experiment.trials import Trials
from gdtrain.problem.problem import Problem

FEW_EPOCHS = 300  # epochs of which about so many are recorded of each trial
_NUMBER = 8  # bytes
_AT_ONCE = 1 << 16  # numbers in a formula's column for all trials: more fall out of the cache
_STATES = 1 << 20  # numbers of states that the closed form works out at once
_MOST = 1 << 14  # trials: more do not make a step cheaper
_WORK = 1e11  # trials times epochs times numbers read in one: a batch is what an interruption loses
_COPIES = 16  # of a block's predictions that a step makes
_BLOCK = 1 << 10  # rows of the smallest block
_RECORD_SHARE = 0.5  # of the memory, for what is recorded of all trials


@dataclass(frozen=True)
class Walkers:
    """The trials of a group that are walked. An axis of epochs adds none: it is one walk, read at each.

    points  of each walker, those of the group that it serves
    reads   the epochs at which points end, ascending
    """

    trials: Trials
    points: list[list[int]]
    reads: list[int]

    @classmethod
    def of(cls, trials: Trials) -> Walkers:
        epochs = cls.epochs_of(trials)
        others = [values for key, values in trials.numbers.items() if key != "train.epochs"]
        if len(others) == len(trials.numbers):
            return cls(trials, [[point] for point in range(trials.count)], [epochs[0]])
        points: dict[tuple[float, ...], list[int]] = {}
        for point in range(trials.count):
            points.setdefault(tuple(values[point] for values in others), []).append(point)
        served = list(points.values())
        return cls(trials.take([first for first, *_ in served]), served, sorted(set(epochs)))

    @staticmethod
    def epochs_of(trials: Trials) -> list[int]:
        """The epoch at which each trial ends."""
        own = trials.of("train.epochs")
        return [trials.experiment.train.epochs] * trials.count if own is None else [int(epochs) for epochs in own]


def recorded_epochs(trials: int, parameters: int, memory: int, wanted: int = FEW_EPOCHS) -> int:
    """About how many epochs of each trial are recorded: those that are wanted, where there is room."""
    room = int(_RECORD_SHARE * memory) // max(1, _NUMBER * trials * (parameters + 1))
    return max(2, min(wanted, room))


def cut(problem: Problem, trials: Trials, epochs: int, memory: int) -> Iterator[Sequence[int]]:
    """The trials' numbers, a batch at a time."""
    size = max(1, min(_fitting(problem, trials, memory), _worthwhile(problem, epochs), _MOST))
    for first in range(0, trials.count, size):
        yield range(first, min(first + size, trials.count))


def _fitting(problem: Problem, trials: Trials, memory: int) -> int:
    """Trials whose states in work fit the cache, and the memory."""
    parameters = max(1, len(problem.parameters.free))
    if problem.quadratic is not None and problem.gathered:
        return _STATES // (parameters * FEW_EPOCHS)
    if problem.kind == "regress":
        block = _BLOCK * (problem.network.row_numbers if problem.network else 1)
        return min(
            memory // (_NUMBER * _COPIES * max(parameters, block)),
            memory // (_NUMBER * _orders(problem, trials)),
        )
    return _AT_ONCE // max(1, problem.rows)


def _orders(problem: Problem, trials: Trials) -> int:
    """Numbers that mini-batches take for each trial where seeds differ: an order of the rows, and a batch of these."""
    batch_size = trials.experiment.train.batch_size
    if batch_size is None or trials.of("train.seed") is None:
        return 1
    return problem.rows + min(batch_size, problem.rows) * max(1, len(problem.parameters.free))


def _worthwhile(problem: Problem, epochs: int) -> int:
    """Trials of which a batch takes some seconds, or a minute."""
    if problem.quadratic is not None and problem.gathered:
        return _MOST
    read = max(1, problem.rows) * max(1, len(problem.parameters.free))
    return int(_WORK / (read * max(1, epochs)))


def usual_memory() -> int:
    """A quarter of the machine's memory, or of what this process may have of it: bytes."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 1 << 32
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        limit = "max"
    return (min(whole, int(limit)) if limit.isdecimal() else whole) // 4
