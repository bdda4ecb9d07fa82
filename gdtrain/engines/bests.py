"""The best state of each trial so far, as chunks of epochs come in.

Shapes: S trials, L of them that a chunk holds, P parameters, C epochs of a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdtrain.engines.states import Chunk, States, index_of


class Bests:
    """Of each of S trials the state of its best epoch: the first whose watched number is the least; what is no number
    is none.
    """

    def __init__(self, trials: int) -> None:
        self._trials = trials
        self._least_S: Tensor | None = None  # before the chunk, as the states are
        self._before: Chunk | None = None
        self._epoch_S = np.zeros(trials, dtype=np.int64)
        self._chunk: Chunk | None = None  # that is not settled yet

    def state(self) -> dict[str, Any]:
        """The best so far, to be taken up by `restore`."""
        self._settle()
        return {"least": self._least_S, "best": self._before, "epochs": self._epoch_S}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self._least_S, self._before, self._epoch_S = state["least"], state["best"], state["epochs"].cpu().numpy()

    def add(self, chunk: Chunk, watched_CL: Tensor, rows: Sequence[int]) -> None:
        """Take in the next chunk, whose trials are `rows`, with what is watched."""
        if self._before is None or self._least_S is None:
            self._least_S = watched_CL.new_full((self._trials,), math.inf)
            self._before = chunk.pick([chunk.epochs[0]])
        else:
            self._settle()
        self._chunk, self._rows = chunk, list(rows)
        watched_CL = watched_CL.nan_to_num(nan=math.inf)
        self._least_CL = watched_CL.cummin(0).values

    def until(self, index: np.ndarray, rows: Sequence[int], trials: Sequence[int]) -> States:
        """The best states of `trials`, which stand in these rows of the chunk, each up to its epoch at `index`."""
        assert self._chunk is not None and self._before is not None and self._least_S is not None
        chunk, before, s = self._chunk, self._before, index_of(trials, self._least_S)
        i, j = index_of(index, self._least_S), index_of(rows, self._least_S)
        at_L = _first(self._least_CL, i, j)
        here_L = self._least_CL[i, j] < self._least_S[s]
        here = here_L.cpu().numpy()
        epochs = np.asarray(chunk.epochs)[at_L.cpu().numpy()]
        loss, lr = chunk.loss_CS[at_L, j], chunk.lr_CS[at_L, j]
        nothing = torch.full_like(loss, math.nan)
        return States(
            epoch_S=np.where(here, epochs, self._epoch_S[list(trials)]),
            loss_S=torch.where(here_L, loss, before.loss_CS[0, s]),
            theta_SP=torch.where(here_L[:, None], chunk.theta_CSP[at_L, j], before.theta_CSP[0, s]),
            gradient_SP=torch.where(here_L[:, None], chunk.gradient_CSP[at_L, j], before.gradient_CSP[0, s]),
            lr_S=torch.where(here_L, lr, before.lr_CS[0, s]),
            before_S=nothing,
            earlier_S=nothing,
        )

    def _settle(self) -> None:
        """Note what the last chunk came to."""
        if self._chunk is None:
            return
        assert self._before is not None and self._least_S is not None
        last = np.full(len(self._rows), len(self._chunk.epochs) - 1)
        found = self.until(last, range(len(self._rows)), self._rows)
        s = index_of(self._rows, self._least_S)
        self._epoch_S[self._rows] = found.epoch_S
        self._before = Chunk(
            [0],
            *(
                old.index_copy(1, s, new[None])
                for old, new in (
                    (self._before.loss_CS, found.loss_S),
                    (self._before.theta_CSP, found.theta_SP),
                    (self._before.gradient_CSP, found.gradient_SP),
                    (self._before.lr_CS, found.lr_S),
                )
            ),
        )
        self._least_S = self._least_S.index_copy(0, s, torch.minimum(self._least_S[s], self._least_CL[-1]))


def _first(least_CL: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """The first epoch of a chunk at which the least number up to epoch i was met."""
    met_CL = least_CL[:, j] <= least_CL[i, j]
    return met_CL.to(torch.int8).argmax(0)
