"""When trials end: judged a chunk of epochs at a time, so that the walk itself stays bare.

Shapes: S trials, L of them that a chunk holds, P parameters, C epochs of a chunk, R epochs that are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from gdtrain.engines.bests import Bests
from gdtrain.engines.states import (
    NO_STOPS,
    Bounds,
    Chunk,
    End,
    First,
    Number,
    States,
    Stops,
    gradient_norm,
    index_of,
    taken,
)
from gdtrain.engines.trace import Trace
from gdtrain.problem.penalty import Penalty

Watched = Callable[[Chunk, Sequence[int]], Tensor]


class Ends:
    """Finds the end of each of S trials as chunks come in, at each of the epochs that are read.

    watched  what patience and the best epoch go by, (C, L), in place of what is descended, of a chunk of that and its
             trials

    traced   keep losses to compare with, though no end between reads is looked for: what is gone on with later may be
             read at other epochs

    rows  the trials, by number, whose states a chunk holds: all, but for those that were dropped
    """

    def __init__(
        self,
        trials: int,
        reads: Collection[int],
        stops: Stops = NO_STOPS,
        bounds: Bounds | None = None,
        decay: Number = 0.0,
        penalty: Penalty | None = None,
        watched: Watched | None = None,
        *,
        traced: bool = False,
    ) -> None:
        self.rows = list(range(trials))
        self._penalty = penalty
        self._trials, self._reads = trials, sorted(reads)
        self._found: list[End | None] = [None] * trials
        self._read: dict[int, list[End]] = {}
        self._stops, self._bounds, self._decay = stops, bounds, decay
        self._first: First | None = None
        self._watched = watched
        self._best = [math.inf] * trials
        self._waited = [0] * trials
        self._bests = Bests(trials) if stops.restore else None
        traced = traced or stops.grad_tol is not None or stops.patience is not None
        self._losses = Trace(trials, self._reads, traced=traced)

    def state(self) -> dict[str, Any]:
        """All that has been judged, to be taken up by `restore`."""
        return {
            "rows": self.rows,
            "found": self._found,
            "read": self._read,
            "first": self._first,
            "best": self._best,
            "waited": self._waited,
            "bests": None if self._bests is None else self._bests.state(),
            "losses": self._losses.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, which may be that of a walk with other reads."""
        self.rows, self._found, self._first = state["rows"], state["found"], state["first"]
        self._read = {epoch: ends for epoch, ends in state["read"].items() if epoch in self._reads}
        self._best, self._waited = state["best"], state["waited"]
        if self._bests is not None:
            self._bests.restore(state["bests"])
        self._losses.restore(state["losses"])

    @property
    def all_found(self) -> bool:
        return all(self._found)

    def judge(self, chunk: Chunk) -> None:
        """Look for the first epoch of the chunk at which a trial that goes on must end."""
        if self._first is None:
            self._first = First.of(chunk, self._bounds, self._decay, self._penalty)
        descended = self._descended(chunk)
        self._losses.add(descended, self.rows)
        watched = self._watching(chunk, descended)
        if self._bests is not None:
            self._bests.add(chunk, watched, self.rows)
        over = {s for s in self.rows if self._found[s] is not None}
        index_L, reasons = self._firsts(chunk, watched)
        ended = np.flatnonzero(index_L < len(chunk.epochs)).tolist()
        found = self._ends(chunk, ended, index_L[ended], [reasons[j] for j in ended])
        for j, end in zip(ended, found, strict=True):
            self._found[self.rows[j]] = end
        for epoch in self._reads:
            if epoch in chunk.epochs:
                at = epoch - chunk.epochs[0]
                on = [j for j, s in enumerate(self.rows) if index_L[j] > at and s not in over]
                self._read[epoch] = self._all(chunk, on, at, "epochs")

    def _watching(self, chunk: Chunk, descended: Chunk) -> Tensor:
        """What patience and the best epoch go by, (C, L)."""
        stops = self._stops
        if self._watched is None or (stops.patience is None and not stops.restore):
            return descended.loss_CS
        return self._watched(descended, self.rows)

    def _descended(self, chunk: Chunk) -> Chunk:
        """The chunk with the objective in the place of the loss."""
        penalty = self._penalty_of(self.rows)
        return chunk if penalty is None else replace(chunk, loss_CS=chunk.loss_CS + penalty.value(chunk.theta_CSP))

    def _penalty_of(self, trials: Sequence[int]) -> Penalty | None:
        """That of some trials."""
        return None if self._penalty is None else self._penalty.take(index_of(trials, self._penalty.l1_S1))

    @property
    def _going(self) -> list[int]:
        """Rows of the chunk whose trials have not ended."""
        return [j for j, s in enumerate(self.rows) if self._found[s] is None]

    def drop(self) -> list[int]:
        """Leave the trials that have ended out of the chunks to come. Returns which rows of a chunk go on."""
        going = self._going
        self.rows = [self.rows[j] for j in going]
        return going

    def settle(self, chunk: Chunk) -> None:
        """Trials that go on end with the chunk: there is nothing more to be done for them."""
        going = self._going
        last = np.full(len(going), len(chunk.epochs) - 1)
        for j, end in zip(going, self._ends(chunk, going, last, ["settled"] * len(going)), strict=True):
            self._found[self.rows[j]] = end

    def close(self, chunk: Chunk) -> dict[int, list[End]]:
        """Every trial's end at each epoch that is read. Where a read was not come to, the trials that go on end with
        the last chunk, interrupted.
        """
        left = [epoch for epoch in self._reads if epoch not in self._read]
        ends = self._all(chunk, self._going, len(chunk.epochs) - 1, "interrupted") if left else []
        return self._read | dict.fromkeys(left, ends)

    def _all(self, chunk: Chunk, on: Sequence[int], at: int, reason: str) -> list[End]:
        """Every trial's end where those in the rows `on` of the chunk are taken to end at its epoch `at`."""
        whole = list(self._found)
        for j, end in zip(on, self._ends(chunk, on, np.full(len(on), at), [reason] * len(on)), strict=True):
            whole[self.rows[j]] = end
        return [end for end in whole if end is not None]

    def _firsts(self, chunk: Chunk, watched_CL: Tensor) -> tuple[np.ndarray, list[str]]:
        """For each row's trial the epoch of the chunk at which it must end, the chunk's length where it need not or has
        ended before, and why.
        """
        firsts = {reason: _first(mark_CL.cpu().numpy()) for reason, mark_CL in self._marks(chunk).items()}
        if self._stops.patience is not None:
            losses = watched_CL.T.tolist()
            firsts["patience"] = np.array([self._patience(losses[j], s) for j, s in enumerate(self.rows)])
        names, index = list(firsts), np.stack(list(firsts.values()))
        ended = [j for j, s in enumerate(self.rows) if self._found[s] is not None]
        index[:, ended] = len(chunk.epochs)
        return index.min(0), [names[i] for i in index.argmin(0)]  # ties go to the first listed

    def _marks(self, chunk: Chunk) -> dict[str, Tensor]:
        finite_CL = chunk.loss_CS.isfinite() & (chunk.theta_CSP.isfinite() & chunk.gradient_CSP.isfinite()).all(-1)
        marks = {"nonfinite": ~finite_CL}
        if self._stops.grad_tol is not None and self._first is not None:
            decay, penalty = taken(self._decay, self.rows, self._trials), self._penalty_of(self.rows)
            norm_CL = gradient_norm(chunk.theta_CSP, chunk.gradient_CSP, self._bounds, decay, penalty)
            first_L = self._first.norm_S[index_of(self.rows, norm_CL)]
            marks["grad_tol"] = norm_CL <= self._stops.grad_tol * first_L.clamp(min=1)
        if self._stops.loss_tol is not None:
            marks["loss_tol"] = chunk.loss_CS <= self._stops.loss_tol
        return marks

    def _patience(self, losses: Sequence[float], s: int) -> int:
        for i, loss in enumerate(losses):
            if loss < self._best[s] - self._stops.min_delta:
                self._best[s], self._waited[s] = loss, 0
            else:
                self._waited[s] += 1
            if self._waited[s] >= (self._stops.patience or math.inf):
                return i
        return len(losses)

    def _ends(self, chunk: Chunk, rows: Sequence[int], index: np.ndarray, reasons: Sequence[str]) -> list[End]:
        """Ends of the chunk's trials `rows`, each at the chunk's epoch `index`."""
        if not rows or self._first is None:
            return []
        i, j = index_of(index, chunk.loss_CS), index_of(rows, chunk.loss_CS)
        trials = [self.rows[row] for row in rows]
        epoch_S = np.asarray(chunk.epochs)[index]
        before_S, earlier_S = self._losses.around(epoch_S, trials)
        states = States(
            epoch_S=epoch_S,
            loss_S=chunk.loss_CS[i, j],
            theta_SP=chunk.theta_CSP[i, j],
            gradient_SP=chunk.gradient_CSP[i, j],
            lr_S=chunk.lr_CS[i, j],
            before_S=before_S,
            earlier_S=earlier_S,
        )
        ends = self._told(states, trials, reasons)
        if self._bests is None:
            return ends
        best = self._told(self._bests.until(index, rows, trials), trials, ["best"] * len(trials))
        return [replace(end, best=one) for end, one in zip(ends, best, strict=True)]

    def _told(self, states: States, trials: Sequence[int], reasons: Sequence[str]) -> list[End]:
        assert self._first is not None
        decay, penalty = taken(self._decay, trials, self._trials), self._penalty_of(trials)
        return states.ends(reasons, self._first.take(trials), self._bounds, decay, penalty)


def _first(mark_CL: np.ndarray) -> np.ndarray:
    """The first row that is marked in each column, the number of rows where none is."""
    return np.where(mark_CL.any(0), mark_CL.argmax(0), len(mark_CL))
