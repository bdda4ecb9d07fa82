"""Where trials stand as they walk, side by side, and the steps of an epoch.

Shapes: S trials, P parameters, C epochs of a chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from gdtrain.engines.minibatches import Minibatches
from gdtrain.engines.states import Bounds, Chunk
from gdtrain.optimizers import Optimizer
from gdtrain.problem.objective import ByRows, Objective
from gdtrain.problem.penalty import Penalty
from gdtrain.problem.stacked import Stacked
from gdtrain.schedules import Schedule, State

RISE = 1e-12  # a loss that is higher by no more than this share is a rounding error higher


class Walk:
    """Where each trial stands: theta, optimizer state, and the loss and gradient there."""

    def __init__(
        self,
        objective: Objective,
        optimizer: Optimizer,
        theta_SP: Tensor,
        lr_S1: Tensor,
        bounds: Bounds | None,
        halving_S: Tensor | None,
        penalty: Penalty | None,
        schedule: Schedule | None,
        batches: Minibatches | None,
    ) -> None:
        self.epoch = 0  # the epoch that comes next
        self._objective, self._optimizer, self._bounds = objective, optimizer, bounds
        self._halving = halving_S if halving_S is not None and bool(halving_S.any()) else None
        self._theta, self._lr, self._state = theta_SP, lr_S1, optimizer.init(theta_SP)
        self._schedule, self._batches = schedule, batches
        self._schedule_state: State = {} if schedule is None else schedule.init(lr_S1)
        if schedule is not None:
            self._lr = schedule.lr(self._schedule_state, 0)
        self._loss, self._gradient = theta_SP, theta_SP  # set by the first epoch
        self._penalty = penalty

    def state(self) -> dict[str, Any]:
        """Where each trial stands, to be taken up by `restore`."""
        return {
            "epoch": self.epoch,
            "theta": self._theta,
            "lr": self._lr,
            "optimizer": self._state,
            "schedule": self._schedule_state,
            "loss": self._loss,
            "gradient": self._gradient,
        }

    def restore(self, state: Mapping[str, Any], rows: Sequence[int]) -> None:
        """Go on from a state, of these of the trials. Raises ValueError for that of another kind of walk."""
        if len(rows) < len(self._theta):
            self.take(rows)
        mine = self.state()
        if any(_form(state[key]) != _form(mine[key]) for key in ("theta", "lr", "optimizer", "schedule")):
            raise ValueError("the state of another kind of walk")
        self.epoch = int(state["epoch"])
        self._theta, self._lr, self._loss, self._gradient = (state[k] for k in ("theta", "lr", "loss", "gradient"))
        self._state, self._schedule_state = state["optimizer"], state["schedule"]

    @property
    def last(self) -> Chunk:
        """The state after the last epoch that was walked."""
        one = (tensor[None] for tensor in (self._loss, self._theta, self._gradient, self._lr[:, 0]))
        return Chunk([self.epoch - 1], *one)

    def take(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone."""
        index = torch.as_tensor(rows, device=self._theta.device)
        if self._optimizer.take is not None:
            self._optimizer = self._optimizer.take(index)
        self._theta, self._lr = self._theta[index], self._lr[index]
        self._loss, self._gradient = self._loss[index], self._gradient[index]
        if self._halving is not None:
            self._halving = self._halving[index]
        if self._penalty is not None:
            self._penalty = self._penalty.take(index)
        self._state = {key: value[index] for key, value in self._state.items()}
        self._schedule_state = {key: value[index] for key, value in self._schedule_state.items()}
        if self._batches is not None:
            self._batches = self._batches.take(rows)
        if isinstance(self._objective, Stacked):
            self._objective = self._objective.take(index)

    def chunk(self, epochs: int) -> Chunk:
        """Walk the next `epochs` epochs. No step leads to epoch 0, the start."""
        losses, thetas, gradients, rates = [], [], [], []
        evaluate = self._objective.loss_and_gradient
        first = self.epoch
        for epoch in range(first, first + epochs):
            if epoch:
                if self._schedule is not None:
                    self._lr = self._schedule.lr(self._schedule_state, epoch - 1)
                state, theta = self._pass(epoch)
                loss, gradient = evaluate(theta)
                if self._halving is not None and bool(
                    (rose := self._rose(theta, loss, gradient) & self._halving).any()
                ):
                    self._take_back(rose, state, theta, loss, gradient)
                else:
                    self._state, self._theta, self._loss, self._gradient = state, theta, loss, gradient
                if self._schedule is not None:
                    self._schedule_state = self._schedule.update(self._schedule_state, loss)
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

    def _pass(self, epoch: int) -> tuple[dict[str, Tensor], Tensor]:
        """The optimizer's state and theta after the steps of an epoch."""
        update, bounds = self._optimizer.update, self._bounds
        state, theta = self._state, self._theta
        for gradient_at in self._gradients(epoch):
            state, theta = update(state, theta, gradient_at(theta), self._lr)
            if bounds is not None:
                theta = theta.clamp(*bounds)
        return state, theta

    def _gradients(self, epoch: int) -> Iterable[Callable[[Tensor], Tensor]]:
        """For each step of an epoch its gradient at theta. Over all rows it is known from the end of the last one."""
        if self._batches is None:
            return (lambda theta: self._gradient,)
        gradient_on = cast(ByRows, self._objective).gradient_on
        return (partial(gradient_on, rows=rows) for rows in self._batches.epoch(epoch))

    def _rose(self, theta_SP: Tensor, loss_S: Tensor, gradient_SP: Tensor) -> Tensor:
        """Which trials' objective is higher than before the step, or no number, or has a gradient that leads nowhere.

        A loss of exactly 0 is good whatever its gradient.
        """
        lost = ~gradient_SP.isfinite().all(1) & (loss_S != 0)
        before_S = self._loss
        if self._penalty is not None:
            before_S = before_S + self._penalty.value(self._theta)
            loss_S = loss_S + self._penalty.value(theta_SP)
        return ~(loss_S <= before_S + RISE * before_S.abs()) | lost

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


def _form(state: Tensor | Mapping[str, Tensor]) -> object:
    """Shape and kind of number of a tensor, or of each of some."""
    if isinstance(state, Tensor):
        return state.shape, state.dtype
    return {key: _form(tensor) for key, tensor in state.items()}
