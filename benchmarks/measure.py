"""Two or more ways to do one thing, measured side by side: A B A B ..., and what that says of one beside another."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, NamedTuple, Self, TypeVar

TOLERANCE = 1e-9  # how far final weights may lie apart, as a share of their norm

Unit = Literal["s", "B"]
Key = TypeVar("Key", bound=Hashable)


class Run(NamedTuple):
    """One run.

    cost     what it took, seconds or bytes
    weights  what it came to; none where nothing is trained
    trouble  why it does not count; "" where it does
    """

    cost: float
    weights: tuple[float, ...] = ()
    trouble: str = ""


Side = Callable[[], Run]
Rounds = Sequence[Run]  # one side's run in every round


@dataclass(frozen=True)
class Row:
    """One line of the table.

    engine        what computed our epochs: `exact` is the closed form, `loop` walks; "" where that says nothing
    ours, theirs  medians, in `unit`
    ratio         the median over the rounds of ours / theirs
    bound         how large the ratio may be; None for a line that is only for comparison
    trouble       why the ratio does not count, which fails; "" where it does
    absent        why there is nothing to compare with, which does not
    """

    case: str
    engine: str
    against: str
    ours: float = math.nan
    theirs: float = math.nan
    ratio: float = math.nan
    bound: float | None = None
    unit: Unit = "s"
    trouble: str = ""
    absent: str = ""

    @classmethod
    def compare(
        cls,
        case: str,
        engine: str,
        against: str,
        ours: Rounds,
        theirs: Rounds,
        bound: float | None = None,
        *,
        tolerance: float = TOLERANCE,
        unit: Unit = "s",
    ) -> Self:
        """What the rounds of two sides say. A round whose weights differ makes the ratio worth nothing."""
        pairs = list(zip(ours, theirs, strict=True))
        troubles = [a.trouble or b.trouble or disagreement(a.weights, b.weights, tolerance) for a, b in pairs]
        return cls(
            case=case,
            engine=engine,
            against=against,
            ours=typical(ours),
            theirs=typical(theirs),
            ratio=median(a.cost / b.cost for a, b in pairs),
            bound=bound,
            unit=unit,
            trouble=next(filter(None, troubles), ""),
        )

    @property
    def fails(self) -> bool:
        """Whether the bound does not hold, or cannot be said to."""
        return bool(self.trouble) or (self.bound is not None and self.ratio > self.bound)


def interleaved(sides: Mapping[Key, Side], repeats: int, *, warm_up: bool = True) -> dict[Key, Rounds]:
    """The runs of each side in `repeats` rounds.

    Every round runs each side once, so that what else the machine does meets all of them alike. One round
    before that is not counted, unless it costs too much: it compiles, and fills caches.
    """
    rounds = [{name: _run(side) for name, side in sides.items()} for _ in range(repeats + warm_up)][warm_up:]
    return {name: [each[name] for each in rounds] for name in sides}


def typical(rounds: Rounds) -> float:
    """The median of what the runs took."""
    return median(run.cost for run in rounds)


def disagreement(ours: Sequence[float], theirs: Sequence[float], tolerance: float = TOLERANCE) -> str:
    """What is wrong with weights that should be the same; "" where they agree to `tolerance` of their norm."""
    if len(ours) != len(theirs):
        return f"{len(ours)} weights against {len(theirs)}"
    apart = math.dist(ours, theirs)
    agree = apart <= tolerance * math.hypot(*theirs)  # false where a weight is nan
    return "" if agree else f"weights {apart:.1e} apart"


def _run(side: Side) -> Run:
    gc.collect()  # one side does not pay for what another left
    return side()
