"""Engine `loop` beside the same training written by hand in torch, per epoch, one thread each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from benchmarks.byhand import LOOPS
from benchmarks.cases import CASES, descent, loops_by_hand, quickest
from benchmarks.measure import Row, interleaved

BOUND = 0.5
EPOCHS = 1000  # of one timed run; all of them are recorded, as in any run


def loop(repeats: int) -> Iterator[Row]:
    """Each case against each loop by hand; the bound is held against the quicker of them."""
    torch.set_num_threads(1)
    for name, case in CASES.items():
        rounds = interleaved({"gdtrain": descent(case.plan(EPOCHS, "loop")), **loops_by_hand(case, EPOCHS)}, repeats)
        for against in LOOPS:
            bound = BOUND if against == quickest(rounds) else None
            row = Row.compare(f"{name}, an epoch", "loop", against, rounds["gdtrain"], rounds[against], bound)
            yield replace(row, ours=row.ours / EPOCHS, theirs=row.theirs / EPOCHS)
