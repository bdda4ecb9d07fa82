"""Engine `loop`: walk the epochs one by one, all trials side by side.

The walk itself checks nothing. Epochs are walked in chunks, and after each chunk its states are judged at once; a
trial that ended inside the chunk is cut there and what was walked beyond its end is dropped. So the size of a chunk,
which follows the clock, never changes a result.

Shapes: S trials, P parameters, K recorded epochs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from gdtrain.engines.ends import Bounds, Chunk, End, Ends, Stops, join
from gdtrain.optimizers import Optimizer
from gdtrain.problem.objective import Objective

Watch = Callable[[int, float], bool]  # (epoch, least loss of the trials) -> go on?

NO_STOPS = Stops()
RISE = 1e-12  # a loss that is higher by no more than this share is a rounding error higher
_CHUNK_EPOCHS = 1024
_CHUNK_NUMBERS = 1 << 22
_CHUNK_SECONDS = 0.05


@dataclass(frozen=True)
class Descent:
    """What a walk came to: the recorded epochs (with those past a trial's own end), and each trial's end.

    first_gradient_SP is the gradient at the start.
    """

    recorded: Chunk
    ends: list[End]
    first_gradient_SP: Tensor


def descend(
    objective: Objective,
    optimizer: Optimizer,
    theta_SP: Tensor,
    *,
    lr_S1: Tensor,
    epochs: int,
    record: Collection[int] | None = None,
    bounds: Bounds | None = None,
    stops: Stops = NO_STOPS,
    decay: float = 0.0,
    halving: bool = False,
    watch: Watch | None = None,
) -> Descent:
    """Walk `epochs` epochs from theta_SP with learning rates lr_S1 (S, 1).

    record    which epochs to keep, such as a range, all unless given; start and end of each trial are kept besides
    bounds    (lower_P, upper_P): every step is projected onto them
    decay     weight decay that the optimizer adds to the gradient: it counts in `stops`
    halving   a step that raises a trial's loss is taken back and that trial's lr halved
    watch     asked after every chunk whether to go on
    """
    trials = theta_SP.shape[0]
    recorded = range(epochs + 1) if record is None else record
    largest = max(1, min(_CHUNK_EPOCHS, _CHUNK_NUMBERS // max(1, theta_SP.numel())))
    ends = Ends(trials, stops, bounds, decay)
    kept: list[Chunk] = []
    size, done = 1, False
    with torch.inference_mode():
        walk = _Walk(objective, optimizer, theta_SP, lr_S1, bounds, halving)
        while not done:
            began = time.perf_counter()
            chunk = walk.chunk(min(size, epochs + 1 - walk.epoch))
            ends.judge(chunk)
            interrupted = watch is not None and not watch(chunk.last, float(chunk.loss_CS[-1].min()))
            done = ends.all_found or interrupted or walk.epoch > epochs
            closed = ends.close(chunk, "interrupted" if walk.epoch <= epochs else "epochs")
            special = {0, *(end.epoch for end in (closed if done else ends.found) if end)}
            kept.append(chunk.pick(lambda epoch, s=special: epoch in s or epoch in recorded))  # type: ignore[misc]
            if time.perf_counter() - began < _CHUNK_SECONDS / 2:
                size = min(2 * size, largest)
    return Descent(join(kept), closed, kept[0].gradient_CSP[0])


class _Walk:
    """Where each trial stands: theta, optimizer state, and the loss and gradient there."""

    def __init__(
        self,
        objective: Objective,
        optimizer: Optimizer,
        theta_SP: Tensor,
        lr_S1: Tensor,
        bounds: Bounds | None,
        halving: bool,
    ) -> None:
        self.epoch = 0  # the epoch that comes next
        self._objective, self._optimizer, self._bounds, self._halving = objective, optimizer, bounds, halving
        self._theta, self._lr, self._state = theta_SP, lr_S1, optimizer.init(theta_SP)
        self._loss, self._gradient = theta_SP, theta_SP  # set by the first epoch

    def chunk(self, epochs: int) -> Chunk:
        """Walk the next `epochs` epochs. No step leads to epoch 0, the start."""
        losses, thetas, gradients, rates = [], [], [], []
        update, bounds, evaluate = self._optimizer.update, self._bounds, self._objective.loss_and_gradient
        first = self.epoch
        for epoch in range(first, first + epochs):
            if epoch:
                state, theta = update(self._state, self._theta, self._gradient, self._lr)
                if bounds is not None:
                    theta = theta.clamp(*bounds)
                loss, gradient = evaluate(theta)
                if self._halving and bool((rose := self._rose(loss, gradient)).any()):
                    self._take_back(rose, state, theta, loss, gradient)
                else:
                    self._state, self._theta, self._loss, self._gradient = state, theta, loss, gradient
            else:
                self._loss, self._gradient = evaluate(self._theta)
            losses.append(self._loss)
            thetas.append(self._theta)
            gradients.append(self._gradient)
            rates.append(self._lr)
        self.epoch += epochs
        return Chunk(
            epochs=range(first, self.epoch),
            loss_CS=torch.stack(losses),
            theta_CSP=torch.stack(thetas),
            gradient_CSP=torch.stack(gradients),
            lr_CS=torch.stack(rates)[:, :, 0],
        )

    def _rose(self, loss_S: Tensor, gradient_SP: Tensor) -> Tensor:
        """Which trials' loss is higher than before the step, or no number, or has a gradient that leads nowhere.

        A loss of exactly 0 is good whatever its gradient.
        """
        lost = ~gradient_SP.isfinite().all(1) & (loss_S != 0)
        return ~(loss_S <= self._loss + RISE * self._loss.abs()) | lost

    def _take_back(
        self, rose_S: Tensor, state: dict[str, Tensor], theta: Tensor, loss: Tensor, gradient: Tensor
    ) -> None:
        """Where the loss rose, stay, halve lr and start the optimizer anew: momentum that led uphill is forgotten."""
        rose_S1 = rose_S[:, None]
        anew = self._optimizer.init(self._theta)
        self._state = {key: torch.where(rose_S1, anew[key], value) for key, value in state.items()}
        self._theta = torch.where(rose_S1, self._theta, theta)
        self._loss = torch.where(rose_S, self._loss, loss)
        self._gradient = torch.where(rose_S1, self._gradient, gradient)
        self._lr = torch.where(rose_S1, self._lr / 2, self._lr)
