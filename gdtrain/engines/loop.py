"""Engine `loop`: walk the epochs one by one, all trials side by side.

The walk itself checks nothing. Epochs are walked in chunks, and after each chunk its states are judged at once; a
trial that ended inside the chunk is cut there, what was walked beyond its end is dropped, and so is the trial, which
costs no more. So the size of a chunk, which follows the clock, never changes a result, and neither does a neighbour.

Shapes: S trials, P parameters, K recorded epochs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gdtrain.engines.ends import Ends, Watched
from gdtrain.engines.minibatches import Minibatches
from gdtrain.engines.progress import Bookmark
from gdtrain.engines.states import NO_STOPS, Bounds, Chunk, End, Number, Stops
from gdtrain.engines.walk import Walk
from gdtrain.errors import DATA, UserError
from gdtrain.optimizers import Optimizer
from gdtrain.problem.objective import Objective
from gdtrain.problem.penalty import Penalty
from gdtrain.schedules import Schedule

Watch = Callable[[int, float], bool]  # (epoch, least loss of the trials) -> go on?

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
        walk = Walk(objective, optimizer, theta_SP, lr_S1, bounds, halving_S, penalty, schedule, batches)
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


def _take_up(begun: Mapping[str, Any], walk: Walk, ends: Ends, epochs: int) -> tuple[Chunk, bool]:
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
