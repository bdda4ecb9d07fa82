"""Engine `loop`: walk the epochs one by one, all trials side by side.

The walk itself checks nothing. Epochs are walked in chunks, and after each chunk its states are judged at once; a
trial that ended inside the chunk is cut there, what was walked beyond its end is dropped, and so is the trial, which
costs no more. So the size of a chunk, which follows the clock, never changes a result, and neither does a neighbour.

Shapes: S trials, P parameters, K recorded epochs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from gdtrain.engines.ends import Ends, Watched
from gdtrain.engines.minibatches import Minibatches
from gdtrain.engines.progress import Bookmark
from gdtrain.engines.states import NO_STOPS, Bounds, Chunk, End, Number, Stops
from gdtrain.errors import DATA, UserError
from gdtrain.optimizers import Optimizer
from gdtrain.problem.objective import ByRows, Objective
from gdtrain.problem.penalty import Penalty
from gdtrain.problem.stacked import Stacked
from gdtrain.schedules import Schedule, State

Watch = Callable[[int, float], bool]  # (epoch, least loss of the trials) -> go on?

RISE = 1e-12  # a loss that is higher by no more than this share is a rounding error higher
_CHUNK_EPOCHS = 1024
_CHUNK_NUMBERS = 1 << 22
_CHUNK_SECONDS = 0.05
_DROP_EPOCHS = 256


@dataclass(frozen=True)
class Descent:
    """What a walk came to.

    recorded  the epochs that were kept; a trial's states past its own end are no part of it
    reads     each trial's end at each epoch that was read: where it had got to by then
    """

    recorded: Chunk
    reads: dict[int, list[End]]

    @property
    def ends(self) -> list[End]:
        """Each trial's end."""
        return self.reads[max(self.reads)]


def descend(
    objective: Objective,
    optimizer: Optimizer,
    theta_SP: Tensor,
    *,
    lr_S1: Tensor,
    epochs: int,
    reads: Collection[int] = (),
    record: Collection[int] | None = None,
    bounds: Bounds | None = None,
    stops: Stops = NO_STOPS,
    decay: Number = 0.0,
    penalty: Penalty | None = None,
    halving_S: Tensor | None = None,
    schedule: Schedule | None = None,
    batches: Minibatches | None = None,
    watched: Watched | None = None,
    watch: Watch | None = None,
    bookmark: Bookmark | None = None,
) -> Descent:
    """Walk `epochs` epochs from theta_SP with learning rates lr_S1 (S, 1).

    reads      epochs at which ends are read besides the last, as if it had been the last
    record     which epochs to keep, such as a range, all unless given; start and last are kept besides
    bounds     (lower_P, upper_P): every step is projected onto them
    decay      weight decay that the optimizer adds to the gradient: it counts in `stops`
    penalty    what the optimizer descends besides the loss
    halving_S  which trials take back an epoch that raises loss + penalty, and halve their lr; none unless given; not
                beside a schedule
    schedule   of the learning rate, from lr_S1 on; constant unless given
    batches    the rows of each step of an epoch; one step over all of them unless given
    watched    what `stops` go by in place of loss + penalty: a chunk of states with that, and its trials -> (C, L)
    watch      asked after every chunk whether to go on
    bookmark   where the walk is taken up, and told where it stands
    """
    trials = theta_SP.shape[0]
    recorded = range(epochs + 1) if record is None else record
    largest = max(1, min(_CHUNK_EPOCHS, _CHUNK_NUMBERS // max(1, theta_SP.numel())))
    traced = bookmark is not None
    ends = Ends(trials, {*reads, epochs}, stops, bounds, decay, penalty, watched, traced=traced)
    kept: list[Chunk] = []
    size, done = 1, False
    with torch.inference_mode():
        walk = _Walk(objective, optimizer, theta_SP, lr_S1, bounds, halving_S, penalty, schedule, batches)
        if bookmark is not None and bookmark.begun is not None:
            with _known_form():
                if _leads_to(bookmark.begun, epochs, recorded):
                    chunk, done = _take_up(bookmark.begun, walk, ends, epochs)
                    kept = [bookmark.begun["recorded"].pick(recorded, {0, chunk.last if done else 0})]

        def state() -> dict[str, Any]:
            return {"walk": walk.state(), "ends": ends.state(), "recorded": join(kept)}

        while not done:
            began = time.perf_counter()
            rows = ends.rows
            chunk = walk.chunk(min(size, epochs + 1 - walk.epoch, _until_drop(walk.epoch) if trials > 1 else size))
            ends.judge(chunk)
            interrupted = watch is not None and not watch(chunk.last, float(chunk.loss_CS[-1].min()))
            done = ends.all_found or interrupted or walk.epoch > epochs
            last = {0, chunk.last if done else 0}
            kept.append(chunk.pick(recorded, last).spread(rows, trials))
            if not done and _until_drop(walk.epoch - 1) == 1 and len(going := ends.drop()) < len(rows):
                walk.take(going)
            if bookmark is not None:
                bookmark.tell(state, over=done)
            if time.perf_counter() - began < _CHUNK_SECONDS / 2:
                size = min(2 * size, largest)
        return Descent(join(kept), ends.close(chunk))


@contextmanager
def _known_form() -> Iterator[None]:
    """What is not to be found in a state becomes a UserError: another version kept other things."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError):
        remedy = "remove it, and resume trains from the start"
        raise UserError("is that of another version of gdtrain", where="checkpoint", remedy=remedy, code=DATA) from None


def _leads_to(begun: Mapping[str, Any], epochs: int, recorded: Collection[int]) -> bool:
    """Whether a walk of so many epochs comes by a state, with these epochs recorded: else it goes from the start."""
    done, known = begun["walk"]["epoch"], set(begun["recorded"].epochs)
    return done <= epochs + 1 and all(epoch in known for epoch in recorded if epoch < done)


def _take_up(begun: Mapping[str, Any], walk: _Walk, ends: Ends, epochs: int) -> tuple[Chunk, bool]:
    """Bring a walk and its ends to a state. Returns the last epoch that was walked, and whether that was the last."""
    ends.restore(begun["ends"])
    walk.restore(begun["walk"], ends.rows)
    return walk.last, ends.all_found or walk.epoch > epochs


def _until_drop(epoch: int) -> int:
    """Epochs from `epoch` up to the next after which trials that have ended are dropped: the 1st, 2nd, 4th, ... 256th,
    and then every 256th. Which trials are side by side may move a rounding error: it must not follow the clock.
    """
    done = epoch + 1
    return (
        (1 << (done - 1).bit_length()) - done + 1 if done <= _DROP_EPOCHS else _DROP_EPOCHS - (done - 1) % _DROP_EPOCHS
    )


class _Walk:
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


def join(chunks: Sequence[Chunk]) -> Chunk:
    """Chunks of the same trials, one after another, as one."""
    if len(chunks) == 1:
        return chunks[0]
    return Chunk(
        [epoch for chunk in chunks for epoch in chunk.epochs],
        torch.cat([chunk.loss_CS for chunk in chunks]),
        torch.cat([chunk.theta_CSP for chunk in chunks]),
        torch.cat([chunk.gradient_CSP for chunk in chunks]),
        torch.cat([chunk.lr_CS for chunk in chunks]),
    )
