"""When trials end: judged a chunk of epochs at a time, so that the walk itself stays bare.

Shapes: S trials, P parameters, C epochs of a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Bounds = tuple[Tensor, Tensor]  # lower_P, upper_P


@dataclass(frozen=True)
class Stops:
    """When a trial ends early. Left alone, nothing but a number that is not finite ends it.

    grad_tol   gradient norm at most this, times the norm at the start where that is above 1
    loss_tol   loss at most this
    patience   so many epochs in a row without a loss that is lower than the best by more than min_delta
    """

    grad_tol: float | None = None
    loss_tol: float | None = None
    patience: int | None = None
    min_delta: float = 0.0


@dataclass(frozen=True)
class Chunk:
    """States of some epochs in order: loss_CS, theta_CSP, gradient_CSP and lr_CS."""

    epochs: Sequence[int]
    loss_CS: Tensor
    theta_CSP: Tensor
    gradient_CSP: Tensor
    lr_CS: Tensor

    @property
    def last(self) -> int:
        return self.epochs[-1]

    def pick(self, keep: Callable[[int], bool]) -> Chunk:
        """The epochs that `keep` says, as a copy: the rest of the chunk is let go."""
        rows = [i for i, epoch in enumerate(self.epochs) if keep(epoch)]
        if len(rows) == len(self.epochs):
            return self
        picked = (t[rows] for t in (self.loss_CS, self.theta_CSP, self.gradient_CSP, self.lr_CS))
        return Chunk([self.epochs[i] for i in rows], *picked)


@dataclass(frozen=True)
class End:
    """The last state of one trial and why it is the last."""

    epoch: int
    reason: str  # "epochs", "nonfinite", "grad_tol", "loss_tol", "patience" or "interrupted"
    loss: Tensor  # ()
    theta_P: Tensor
    gradient_P: Tensor
    lr: float


class Ends:
    """Finds the end of each of S trials as chunks come in."""

    def __init__(self, trials: int, stops: Stops, bounds: Bounds | None = None, decay: float = 0.0) -> None:
        self.found: list[End | None] = [None] * trials
        self._stops, self._bounds, self._decay = stops, bounds, decay
        self._first_norm_S: Tensor | None = None
        self._best = [math.inf] * trials
        self._waited = [0] * trials

    @property
    def all_found(self) -> bool:
        return None not in self.found

    def judge(self, chunk: Chunk) -> None:
        """Look for the first epoch of the chunk at which a trial that goes on must end."""
        marks = self._marks(chunk)
        for s, end in enumerate(self.found):
            if end is not None:
                continue
            firsts = {
                reason: first for reason, mark_CS in marks.items() if (first := _first(mark_CS[:, s])) is not None
            }
            if self._stops.patience is not None and (late := self._patience(chunk, s)) is not None:
                firsts.setdefault("patience", late)
            if firsts:
                reason = min(firsts, key=lambda name: firsts[name])  # ties go to the first listed
                self.found[s] = _end(chunk, s, firsts[reason], reason)

    def close(self, chunk: Chunk, reason: str) -> list[End]:
        """Every trial's end; those that went on end with the chunk."""
        return [end or _end(chunk, s, len(chunk.epochs) - 1, reason) for s, end in enumerate(self.found)]

    def _marks(self, chunk: Chunk) -> dict[str, Tensor]:
        finite_CS = chunk.loss_CS.isfinite() & (chunk.theta_CSP.isfinite() & chunk.gradient_CSP.isfinite()).all(-1)
        marks = {"nonfinite": ~finite_CS}
        if self._stops.grad_tol is not None:
            norm_CS = gradient_norm(chunk.theta_CSP, chunk.gradient_CSP, self._bounds, self._decay)
            if self._first_norm_S is None:
                self._first_norm_S = norm_CS[0]
            marks["grad_tol"] = norm_CS <= self._stops.grad_tol * self._first_norm_S.clamp(min=1)
        if self._stops.loss_tol is not None:
            marks["loss_tol"] = chunk.loss_CS <= self._stops.loss_tol
        return marks

    def _patience(self, chunk: Chunk, s: int) -> int | None:
        for i, loss in enumerate(chunk.loss_CS[:, s].tolist()):
            if loss < self._best[s] - self._stops.min_delta:
                self._best[s], self._waited[s] = loss, 0
            else:
                self._waited[s] += 1
            if self._waited[s] >= (self._stops.patience or math.inf):
                return i
        return None


def _first(mark_C: Tensor) -> int | None:
    return int(mark_C.int().argmax()) if bool(mark_C.any()) else None


def _end(chunk: Chunk, s: int, i: int, reason: str) -> End:
    return End(
        epoch=chunk.epochs[i],
        reason=reason,
        loss=chunk.loss_CS[i, s],
        theta_P=chunk.theta_CSP[i, s],
        gradient_P=chunk.gradient_CSP[i, s],
        lr=float(chunk.lr_CS[i, s]),
    )


def join(chunks: Sequence[Chunk]) -> Chunk:
    """Chunks one after another as one."""
    return Chunk(
        [epoch for chunk in chunks for epoch in chunk.epochs],
        torch.cat([chunk.loss_CS for chunk in chunks]),
        torch.cat([chunk.theta_CSP for chunk in chunks]),
        torch.cat([chunk.gradient_CSP for chunk in chunks]),
        torch.cat([chunk.lr_CS for chunk in chunks]),
    )


def gradient_norm(theta: Tensor, gradient: Tensor, bounds: Bounds | None = None, decay: float = 0.0) -> Tensor:
    """Norms (...,) of gradients (..., P) with the pull of weight decay, decay * theta: what an optimizer brings to 0.

    At a bound, the part that pushes against it does not count.
    """
    if decay:
        gradient = gradient + decay * theta
    if bounds is not None:
        lower, upper = bounds
        held = ((theta <= lower) & (gradient > 0)) | ((theta >= upper) & (gradient < 0))
        gradient = gradient.masked_fill(held, 0.0)
    norm: Tensor = torch.linalg.vector_norm(gradient, dim=-1)
    return norm
