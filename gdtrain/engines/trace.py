"""The losses that an end is compared with.

Shapes: S trials, L of them that a chunk holds, C epochs of a chunk.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdtrain.engines.states import Chunk, index_of

_TRACED = 1 << 13  # epochs of which every loss is kept, to tell whether a trial that stopped was rising


class Trace:
    """The objectives that an end is compared with: of this chunk, the epoch before it, and those a tenth earlier."""

    def __init__(self, trials: int, reads: Sequence[int], *, traced: bool) -> None:
        self._trials, self._traced = trials, traced
        self._wanted = {tenth_before(epoch) for epoch in reads}
        self._kept: dict[int, Tensor] = {}
        self._now = range(0)
        self._chunk: Tensor | None = None  # (C, S) with the epoch before it, where there is one

    def state(self) -> dict[str, Any]:
        assert self._chunk is not None
        epochs = sorted(self._kept)
        kept = torch.stack([self._kept[epoch] for epoch in epochs]) if epochs else None
        return {"epochs": epochs, "kept": kept, "last": self._now.stop - 1, "losses": self._chunk[-1:]}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._kept = dict(zip(state["epochs"], state["kept"] if state["epochs"] else (), strict=True))
        self._chunk, self._now = state["losses"], range(state["last"], state["last"] + 1)

    def add(self, chunk: Chunk, live: Sequence[int]) -> None:
        loss_CS = _spread(chunk.loss_CS, live, self._trials)
        before = [] if self._chunk is None else [self._chunk[-1:]]
        self._chunk = torch.cat([*before, loss_CS])
        self._now = range(chunk.epochs[0] - len(before), chunk.last + 1)
        first = chunk.epochs[0]
        traced = _traced(first, chunk.last) if self._traced else ()
        for epoch in (*(epoch for epoch in self._wanted if epoch in chunk.epochs), *traced):
            self._kept[epoch] = loss_CS[epoch - first]

    def around(self, epoch_S: np.ndarray, trials: Sequence[int]) -> tuple[Tensor, Tensor]:
        """The losses (S,) an epoch before, and a tenth before, of these trials."""
        assert self._chunk is not None
        s = index_of(trials, self._chunk)
        before_S = self._chunk[index_of((epoch_S - 1 - self._now.start).clip(min=0), s), s]
        before_S = before_S.masked_fill(_mask(epoch_S == 0, s), math.nan)
        earlier_S = torch.full_like(before_S, math.nan)
        kept = sorted(self._kept)
        for epoch in np.unique(epoch_S[epoch_S > 0]).tolist():
            if at := bisect.bisect_right(kept, tenth_before(epoch)):
                mask_S = _mask(epoch_S == epoch, s)
                earlier_S[mask_S] = self._kept[kept[at - 1]][s[mask_S]]
        return before_S, earlier_S


def _traced(first: int, last: int) -> Iterator[int]:
    """Epochs from `first` to `last` whose losses are kept: all of the first 8,192, half as many of each doubling after.

    So what an end is compared with does not depend on how many epochs were to come.
    """
    while first <= last:
        doublings = max(0, first.bit_length() - _TRACED.bit_length() + 1)
        stride, until = 1 << doublings, _TRACED << doublings
        yield from range(-(-first // stride) * stride, min(last + 1, until), stride)
        first = until


def tenth_before(epoch: int) -> int:
    """The epoch from which the last tenth of `epoch` epochs is counted."""
    return max(0, epoch - max(1, epoch // 10))


def _mask(mask: np.ndarray, like: Tensor) -> Tensor:
    return torch.as_tensor(mask, device=like.device)


def _spread(loss_CL: Tensor, live: Sequence[int], trials: int) -> Tensor:
    if len(live) == trials:
        return loss_CL
    return loss_CL.new_full((len(loss_CL), trials), math.nan).index_copy(1, index_of(live, loss_CL), loss_CL)
