"""Two or more ways to do one thing, timed side by side: A B A B ..., and the median of each."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

TOLERANCE = 1e-9  # how far final weights may lie apart, as a share of their norm: DESIGN's for whole trajectories


class Timed(NamedTuple):
    """How long it took in seconds, and the weights that it came to; none where nothing is trained."""

    seconds: float
    weights: tuple[float, ...] = ()


Side = Callable[[], Timed]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ours, theirs  medians, in seconds
    bound         how many times `theirs` `ours` may be; None for a line that is only for comparison
    trouble       why the ratio does not count; "" where it does
    """

    case: str
    against: str
    ours: float
    theirs: float
    bound: float | None
    trouble: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def fails(self) -> bool:
        """Whether the bound does not hold, or cannot be said to."""
        return bool(self.trouble) or (self.bound is not None and self.ratio > self.bound)


def interleaved(sides: Mapping[str, Side], repeats: int) -> dict[str, Timed]:
    """The median time of each side over `repeats` rounds, with its weights.

    Every round runs each side once, so that what else the machine does meets all of them alike. One round before
    that is not counted: it compiles, and fills caches.
    """
    rounds = [{name: _timed(side) for name, side in sides.items()} for _ in range(repeats + 1)][1:]
    return {
        name: Timed(median(each[name].seconds for each in rounds), rounds[-1][name].weights) for name in sides
    }


def disagreement(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """What is wrong with weights that should be the same; "" where they agree to TOLERANCE."""
    if len(ours) != len(theirs):
        return f"{len(ours)} weights against {len(theirs)}"
    apart = math.dist(ours, theirs)
    if apart <= TOLERANCE * math.hypot(*theirs):  # false where a weight is nan
        return ""
    return f"weights {apart:.1e} apart"


def _timed(side: Side) -> Timed:
    gc.collect()  # one side does not pay for what another left
    return side()
