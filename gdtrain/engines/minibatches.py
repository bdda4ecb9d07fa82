"""The mini-batches of an epoch: which rows each step reads, in an order that is drawn anew in every epoch.

An order follows from seed and epoch alone: neither the size of a chunk nor a neighbour changes it. Trials of one seed
share theirs. The last batch of an epoch holds the rows that are left.

Shapes: S trials, N rows, B of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gdtrain.draws import generator
from gdtrain.problem.predictors import Rows

PURPOSE = "shuffle"


@dataclass(frozen=True)
class Minibatches:
    """Rows of steps.

    rows     N
    size     B
    seeds_S  of each trial's orders; None where rows keep theirs
    device   where indices go
    """

    rows: int
    size: int
    seeds_S: Sequence[int] | None
    device: torch.device

    def epoch(self, epoch: int) -> Iterator[Rows]:
        """The rows of each step of an epoch: a slice, or indices (B,), or (S, B) where trials differ in their seeds."""
        parts = [slice(start, start + self.size) for start in range(0, self.rows, self.size)]
        if self.seeds_S is None:
            yield from parts
            return
        order = self._order(epoch, self.seeds_S)
        for part in parts:
            yield order[..., part]

    def take(self, trials: Sequence[int] | Tensor) -> Minibatches:
        """Those of some trials, by their numbers."""
        if self.seeds_S is None:
            return self
        return replace(self, seeds_S=[self.seeds_S[int(s)] for s in trials])

    def _order(self, epoch: int, seeds_S: Sequence[int]) -> Tensor:
        """(N,), or (S, N) where trials differ."""
        each = {seed: generator(seed, epoch, PURPOSE).permutation(self.rows) for seed in dict.fromkeys(seeds_S)}
        if len(each) == 1:
            return torch.from_numpy(each[seeds_S[0]]).to(self.device)
        return torch.from_numpy(np.stack([each[seed] for seed in seeds_S])).to(self.device)
