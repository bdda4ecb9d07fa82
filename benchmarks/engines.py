"""Thousands of epochs in process, in closed form and walked, beside the loop by hand; one thread each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch

from benchmarks.byhand import LOOPS
from benchmarks.cases import (
    CASES,
    Case,
    descent,
    exponential_case,
    loops_by_hand,
    prepared_descent,
    quickest,
    whole_run,
)
from benchmarks.measure import Row, Side, interleaved

EPOCHS = 10_000
DECAY_EPOCHS = 5_000
ROUNDS = 7  # at most: a loop by hand takes a second
LARGE, LARGE_EPOCHS, LARGE_ROUNDS = 1_000_000, 100, 5


class Ours(NamedTuple):
    """What is written beside a side of ours."""

    case: str
    engine: str
    bound: float | None = None

    @property
    def key(self) -> str:
        return f"{self.engine}: {self.case}"


def engines(repeats: int) -> Iterator[Row]:
    """Closed form and walk of what is affine; whole runs of what is not."""
    repeats = min(repeats, ROUNDS)
    for name, bound in {"x + 1 = 3": 1 / 300, "regression, 5 rows": None}.items():
        case, label = CASES[name], f"{name}, {EPOCHS:,} epochs"
        sides = {
            Ours(label, "exact", bound): descent(case.plan(EPOCHS, "auto")),
            Ours(f"{label}, prepared", "exact"): prepared_descent(case, EPOCHS, "auto"),
            Ours(label, "loop"): descent(case.plan(EPOCHS, "loop")),
        }
        yield from _beside_hand(case, EPOCHS, sides, repeats)
    name = "a*exp(-b*x) + c, 1,000 rows"
    label = f"{name}, {DECAY_EPOCHS:,} epochs, whole run"
    yield from _whole(CASES[name], DECAY_EPOCHS, Ours(label, "loop", 0.4), repeats)


def rows(repeats: int) -> Iterator[Row]:
    """A whole run over rows by the million that has no closed form."""
    label = f"a*exp(-b*x) + c, {LARGE:,} rows, {LARGE_EPOCHS} epochs, whole run"
    yield from _whole(exponential_case(LARGE), LARGE_EPOCHS, Ours(label, "loop", 0.5), min(repeats, LARGE_ROUNDS))


def _whole(case: Case, epochs: int, ours: Ours, repeats: int) -> Iterator[Row]:
    return _beside_hand(case, epochs, {ours: whole_run(case, epochs)}, repeats)


def _beside_hand(case: Case, epochs: int, ours: Mapping[Ours, Side], repeats: int) -> Iterator[Row]:
    """Each side of ours against the quickest of the loops by hand."""
    torch.set_num_threads(1)
    sides = {each.key: side for each, side in ours.items()}
    rounds = interleaved({**sides, **loops_by_hand(case, epochs)}, repeats)
    against = quickest({hand: rounds[hand] for hand in LOOPS})
    for each in ours:
        yield Row.compare(each.case, each.engine, against, rounds[each.key], rounds[against], each.bound)
