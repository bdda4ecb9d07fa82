"""Which epochs of a descent are kept: as many as a history has room for, and those that will be shown."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from gdtrain.errors import UserError
from gdtrain.results import shown_epochs

FULL_HISTORY = 10_000  # epochs up to which every one of a run is recorded
_HISTORY_NUMBERS = 1 << 23  # numbers that a history may hold


def stride_of(epochs: int, parameters: int) -> int:
    """Every so many epochs are recorded: 1 up to ten thousand of them, fewer where there are many parameters."""
    room = min(FULL_HISTORY, _HISTORY_NUMBERS // max(1, parameters))
    return max(1, math.ceil(epochs / max(1, room)))


def recorded(reads: Sequence[int], stride: int, every: int | None, brief: int | None) -> Collection[int]:
    """The epochs up to the last of `reads`, at which trials end.

    every  show each so many, in place of all or about twenty
    brief  about so many in all, since there are many trials; None for those of a run
    """
    last = reads[-1]
    shown = {epoch for read in reads for epoch in shown_epochs(read, every)}
    if brief is not None:
        return _few(shown, last, brief)
    if stride > 1 and every is not None:
        return range(0, last + 1, every)
    steps = range(0, last + 1, stride)
    return steps if stride == 1 else frozenset(steps) | shown


def refuse_long_history(epochs: int, every: int | None, numbers: int) -> None:
    """Raises UserError where more is to be shown than a history holds; `numbers` are those of an epoch."""
    if every is None or epochs // every * numbers <= _HISTORY_NUMBERS:
        return
    sparser = int(10 ** math.ceil(math.log10(epochs * numbers / _HISTORY_NUMBERS)))
    what = f"{epochs // every:,} epochs are too many to show"
    raise UserError(what, where="--every", remedy=f"show every {sparser:,}th")


def _few(shown: Collection[int], epochs: int, few: int) -> Collection[int]:
    """All epochs where they are few; else those that are shown, and as many as there is room for: the first hundred,
    then log-spaced ones.
    """
    if epochs <= few:
        return range(epochs + 1)
    room = max(0, few - len(shown))
    spread = [*range(min(101, room)), *np.geomspace(100, epochs, max(0, room - 101)).round().astype(int).tolist()]
    return frozenset(shown) | frozenset(spread)
