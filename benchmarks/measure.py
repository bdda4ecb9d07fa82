"""Two or more ways to do one thing, timed side by side: A B A B ..., and what that says of one beside another."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple, Self

TOLERANCE = 1e-9  # how far final weights may lie apart, as a share of their norm


class Timed(NamedTuple):
    """One run.

    seconds  how long it took
    weights  what it came to; none where nothing is trained
    trouble  why it does not count; "" where it does
    """

    seconds: float
    weights: tuple[float, ...] = ()
    trouble: str = ""


Side = Callable[[], Timed]
Rounds = Sequence[Timed]  # one side's run in every round


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ours, theirs  medians, in seconds
    ratio         the median over the rounds of ours / theirs
    bound         how large the ratio may be; None for a line that is only for comparison
    trouble       why the ratio does not count; "" where it does
    """

    case: str
    against: str
    ours: float
    theirs: float
    ratio: float
    bound: float | None
    trouble: str

    @classmethod
    def compare(cls, case: str, against: str, ours: Rounds, theirs: Rounds, bound: float | None) -> Self:
        """What the rounds of two sides say. A round whose weights differ makes the ratio worth nothing."""
        pairs = list(zip(ours, theirs, strict=True))
        troubles = [a.trouble or b.trouble or disagreement(a.weights, b.weights) for a, b in pairs]
        return cls(
            case=case,
            against=against,
            ours=typical(ours),
            theirs=typical(theirs),
            ratio=median(a.seconds / b.seconds for a, b in pairs),
            bound=bound,
            trouble=next(filter(None, troubles), ""),
        )

    @property
    def fails(self) -> bool:
        """Whether the bound does not hold, or cannot be said to."""
        return bool(self.trouble) or (self.bound is not None and self.ratio > self.bound)


def interleaved(sides: Mapping[str, Side], repeats: int) -> dict[str, Rounds]:
    """The runs of each side in `repeats` rounds.

    Every round runs each side once, so that what else the machine does meets all of them alike. One round
    before that is not counted: it compiles, and fills caches.
    """
    rounds = [{name: _timed(side) for name, side in sides.items()} for _ in range(repeats + 1)][1:]
    return {name: [each[name] for each in rounds] for name in sides}


def typical(rounds: Rounds) -> float:
    """The median of the seconds."""
    return median(run.seconds for run in rounds)


def disagreement(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """What is wrong with weights that should be the same; "" where they agree to TOLERANCE."""
    if len(ours) != len(theirs):
        return f"{len(ours)} weights against {len(theirs)}"
    apart = math.dist(ours, theirs)
    agree = apart <= TOLERANCE * math.hypot(*theirs)  # false where a weight is nan
    return "" if agree else f"weights {apart:.1e} apart"


def _timed(side: Side) -> Timed:
    gc.collect()  # one side does not pay for what another left
    return side()
