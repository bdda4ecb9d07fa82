"""States of trials as an engine hands them over: of some epochs, and at the end of each.

Shapes: S trials, L of them that a chunk holds, P parameters, C epochs of a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gdtrain.problem.penalty import Penalty

Bounds = tuple[Tensor, Tensor]  # lower_P, upper_P
Number = float | Tensor  # one for all trials, or (S, 1): one for each


@dataclass(frozen=True)
class Stops:
    """When a trial ends early. Left alone, nothing but a number that is not finite ends it.

    grad_tol   gradient norm at most this, times the norm at the start where that is above 1
    loss_tol   loss at most this
    patience   so many epochs in a row without an objective (the loss, and the penalty where there is one) that is lower
               than the best by more than min_delta
    restore    the state of the best epoch is kept beside that of the last

    Where rows are held out, it is the loss over them that patience and restore watch.
    """

    grad_tol: float | None = None
    loss_tol: float | None = None
    patience: int | None = None
    min_delta: float = 0.0
    restore: bool = False


NO_STOPS = Stops()


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

    def pick(self, *wanted: Collection[int]) -> Chunk:
        """The epochs that stand in one of these, as a copy: the rest of the chunk is let go."""
        rows = [i for i, epoch in enumerate(self.epochs) if any(epoch in some for some in wanted)]
        if len(rows) == len(self.epochs):
            return self
        picked = (t[rows] for t in (self.loss_CS, self.theta_CSP, self.gradient_CSP, self.lr_CS))
        return Chunk([self.epochs[i] for i in rows], *picked)

    def take(self, rows: Sequence[int]) -> Chunk:
        """Some of the trials, by their rows in the chunk."""
        at = index_of(rows, self.loss_CS)
        return Chunk(self.epochs, *(t[:, at] for t in (self.loss_CS, self.theta_CSP, self.gradient_CSP, self.lr_CS)))

    def spread(self, live_L: Sequence[int], trials: int) -> Chunk:
        """The same with a row for each of S trials; those that had ended before are no numbers."""
        if len(live_L) == trials:
            return self
        return Chunk(
            self.epochs,
            *(
                t.new_full((t.shape[0], trials, *t.shape[2:]), math.nan).index_copy(1, index_of(live_L, t), t)
                for t in (self.loss_CS, self.theta_CSP, self.gradient_CSP, self.lr_CS)
            ),
        )


@dataclass(frozen=True)
class End:
    """The last state of one trial, why it is the last, and what to compare it with.

    before   the objective an epoch earlier; nan at the start
    earlier  the objective a tenth of its epochs earlier, and at least one; nan where nobody asks
    best     the state to go back to, of the first of the epochs that were best; None where nobody asks
    norm     of the gradient, as `gradient_norm` counts it; first_norm is that of the start, first_loss its loss
    penalty  what is descended besides the loss, and first_penalty what it was at the start
    """

    epoch: int
    reason: str  # "epochs", "nonfinite", "grad_tol", "loss_tol", "patience", "settled" or "interrupted"
    loss: float
    theta_P: Tensor
    gradient_P: Tensor
    lr: float
    norm: float
    first_loss: float
    first_norm: float
    before: float = math.nan
    earlier: float = math.nan
    penalty: float = 0.0
    first_penalty: float = 0.0
    best: End | None = None

    @property
    def objective(self) -> float:
        """What is descended: the loss, and the penalty."""
        return self.loss + self.penalty

    @property
    def first_objective(self) -> float:
        """The same at the start."""
        return self.first_loss + self.first_penalty


@dataclass(frozen=True)
class States:
    """One state of each of some trials: epoch_S and numbers as arrays, theta_SP, gradient_SP; else as `End`."""

    epoch_S: np.ndarray
    loss_S: Tensor
    theta_SP: Tensor
    gradient_SP: Tensor
    lr_S: Tensor
    before_S: Tensor
    earlier_S: Tensor

    def ends(
        self, reasons: Sequence[str], first: First, bounds: Bounds | None, decay: Number, penalty: Penalty | None = None
    ) -> list[End]:
        """One end a trial. `first`, `decay` and `penalty` are those of these trials."""
        norm_S = gradient_norm(self.theta_SP, self.gradient_SP, bounds, decay, penalty)
        added_S = torch.zeros_like(self.loss_S) if penalty is None else penalty.value(self.theta_SP)
        numbers = (self.loss_S, self.lr_S, norm_S, first.loss_S, first.norm_S, self.before_S, self.earlier_S)
        columns = [column.tolist() for column in (*numbers, added_S, first.penalty_S)]
        states = zip(self.theta_SP.unbind(), self.gradient_SP.unbind(), strict=True)
        return [
            End(epoch, reason, loss, theta_P, gradient_P, lr, norm, first_loss, first_norm, *rest)
            for epoch, reason, (theta_P, gradient_P), loss, lr, norm, first_loss, first_norm, *rest in zip(
                self.epoch_S.tolist(), reasons, states, *columns, strict=True
            )
        ]


@dataclass(frozen=True)
class First:
    """Loss, gradient norm and penalty (S,) at the start."""

    loss_S: Tensor
    norm_S: Tensor
    penalty_S: Tensor

    @classmethod
    def of(
        cls, chunk: Chunk, bounds: Bounds | None = None, decay: Number = 0.0, penalty: Penalty | None = None
    ) -> First:
        """From the chunk that holds the start, of all trials."""
        loss_S, theta_SP = chunk.loss_CS[0], chunk.theta_CSP[0]
        norm_S = gradient_norm(theta_SP, chunk.gradient_CSP[0], bounds, decay, penalty)
        return cls(loss_S, norm_S, torch.zeros_like(loss_S) if penalty is None else penalty.value(theta_SP))

    def take(self, rows: Sequence[int]) -> First:
        index = index_of(rows, self.loss_S)
        return First(self.loss_S[index], self.norm_S[index], self.penalty_S[index])


def taken(number: Number, rows: Sequence[int], trials: int) -> Number:
    """A number of some of the trials."""
    return number[index_of(rows, number)] if isinstance(number, Tensor) and len(number) == trials > 1 else number


def gradient_norm(
    theta: Tensor,
    gradient: Tensor,
    bounds: Bounds | None = None,
    decay: Number = 0.0,
    penalty: Penalty | None = None,
) -> Tensor:
    """Norms (...,) of gradients (..., P) with the pull of weight decay, decay * theta, and of a penalty: what an
    optimizer brings to 0.

    At a bound, the part that pushes against it does not count.
    """
    if penalty is not None:
        gradient = penalty.gradient(theta, gradient)
    if isinstance(decay, Tensor) or decay:
        gradient = gradient + decay * theta
    if bounds is not None:
        lower, upper = bounds
        held = ((theta <= lower) & (gradient > 0)) | ((theta >= upper) & (gradient < 0))
        gradient = gradient.masked_fill(held, 0.0)
    norm: Tensor = torch.linalg.vector_norm(gradient, dim=-1)
    return norm


def index_of(rows: Sequence[int] | np.ndarray, like: Tensor) -> Tensor:
    return torch.as_tensor(rows, dtype=torch.int64, device=like.device)
