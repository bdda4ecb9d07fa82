"""Engine `exact`: sgd with a constant learning rate on a quadratic loss, any epoch of it without the ones before.

With R = U diag(sigma) V' and h = 2 scale sigma^2 + weight_decay,

    theta_k = theta_0 - V diag(lr * reach_k(lr * h)) d_0
    d_0 = 2 scale sigma U'(R theta_0 + z) + weight_decay V'theta_0

where d_0 is the first gradient along the modes and `modes` tells reach_k. A billion epochs cost what ten do. The states
come as the loop engine gives them, and are judged by the same rules. A momentum of 1 or more is for the loop.

Shapes: K epochs, C of a chunk, S trials, P parameters.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from gdtrain.engines.ends import Chunk, Ends, Stops, join
from gdtrain.engines.loop import NO_STOPS, Descent, Watch
from gdtrain.engines.modes import Reach, Sgd, reach
from gdtrain.problem.quadratic import Quadratic

_CHUNK_EPOCHS = 1 << 16
_CHUNK_NUMBERS = 1 << 20


def descend_exactly(
    quadratic: Quadratic,
    sgd: Sgd,
    theta_SP: Tensor,
    *,
    lr_S1: Tensor,
    epochs: int,
    record: Collection[int],
    stops: Stops = NO_STOPS,
    watch: Watch | None = None,
) -> Descent:
    """What `loop.descend` would come to with these options of sgd, from theta_SP with learning rates lr_S1 (S, 1).

    record  which epochs to keep, such as a range; start and end of each trial are kept besides
    watch   asked after every chunk whether to go on; without stops there is but one chunk

    Modes are reckoned in float64; states have theta's dtype, and so has what counts as finite.
    """
    with torch.inference_mode():
        flight = _Flight(quadratic, sgd, theta_SP, lr_S1)
        if stops == NO_STOPS:
            return _at_once(flight, epochs, record, watch)
        return _in_chunks(flight, epochs, record, stops, watch)


class _Flight:
    """The states of S trials at any epochs."""

    def __init__(self, quadratic: Quadratic, sgd: Sgd, theta_SP: Tensor, lr_S1: Tensor) -> None:
        self.decay = float(torch.as_tensor(sgd.weight_decay).flatten()[0])  # one for all: what stops are judged by
        self.theta_SP, self._lr_S1, self._quadratic = theta_SP, lr_S1, quadratic.to(theta_SP)
        self._reach: Reach | None = None
        if not quadratic.finite:  # it has no modes, and its loss is no number anywhere
            return
        start_SP, rate_S1, spectrum = theta_SP.double(), lr_S1.double(), quadratic.spectrum
        along_SM = quadratic.residual(start_SP) @ spectrum.U_MM
        d_SP = sgd.weight_decay * (start_SP @ spectrum.V_PP)
        ranked = slice(spectrum.rank)
        d_SP[:, ranked] += 2 * quadratic.scale * spectrum.sigma_P[ranked] * along_SM[:, ranked]
        h_SP = quadratic.eigenvalues_P + sgd.weight_decay * torch.ones_like(start_SP)
        self._start_SP, self._back_PP = start_SP, spectrum.V_PP.mT
        self._step_SP = rate_S1 * d_SP
        self._reach = reach(rate_S1 * h_SP, sgd)

    def chunk(self, epochs: Sequence[int]) -> Chunk:
        """The states at these epochs, for all trials."""
        epochs_K = _whole(epochs, self.theta_SP)
        theta_KSP = self._theta(epochs_K[:, None, None])
        loss_KS, gradient_KSP = self._quadratic.loss_and_gradient(theta_KSP)
        lr_KS = self._lr_S1[:, 0].expand(len(epochs_K), -1)
        return Chunk(epochs, loss_KS, theta_KSP, gradient_KSP, lr_KS)

    def finite_at(self, epochs_S: Tensor) -> Tensor:
        """Whether each trial's state is finite at an epoch of its own (S,)."""
        theta_1SP = self._theta(epochs_S[None, :, None])
        loss_1S, gradient_1SP = self._quadratic.loss_and_gradient(theta_1SP)
        return (loss_1S.isfinite() & (theta_1SP.isfinite() & gradient_1SP.isfinite()).all(-1))[0]

    def _theta(self, epochs: Tensor) -> Tensor:
        if self._reach is None:
            return self.theta_SP.expand(len(epochs), -1, -1)
        reach_KSP = self._reach(epochs)
        moved_KSP = torch.where((reach_KSP == 0) | (self._step_SP == 0), 0.0, reach_KSP * self._step_SP)
        # What overflowed is as large as can be, and no inf: times a 0 of V that would be no number.
        largest = torch.finfo(moved_KSP.dtype).max
        moved_KSP = moved_KSP.nan_to_num(nan=largest)
        return (self._start_SP - moved_KSP @ self._back_PP).to(self.theta_SP.dtype)


def _at_once(flight: _Flight, epochs: int, record: Collection[int], watch: Watch | None) -> Descent:
    """All states that are kept, as one chunk."""
    first_S = _first_not_finite(flight, epochs)
    ends = Ends(len(flight.theta_SP), NO_STOPS)
    chunk = flight.chunk(_kept(record, {0, *first_S}))
    ends.judge(chunk)
    if watch is not None:
        watch(chunk.last, float(chunk.loss_CS[-1].min()))
    return Descent(chunk, ends.close(chunk, "epochs"), chunk.gradient_CSP[0])


def _kept(record: Collection[int], ends: set[int]) -> Sequence[int]:
    """The epochs of `record` up to the last end, the ends among them, in order. A range stays one: that saves a third
    of a run.
    """
    last = max(ends)
    if isinstance(record, range):
        record = range(record.start, min(record.stop, last + 1), record.step)
        if all(end in record for end in ends):
            return record
    return sorted({epoch for epoch in record if epoch <= last} | ends)


def _whole(epochs: Sequence[int], like: Tensor) -> Tensor:
    """Epochs as a tensor on the device of `like`; a range not by way of a list, which takes longer than the rest."""
    if isinstance(epochs, range):
        return torch.arange(epochs.start, epochs.stop, epochs.step, device=like.device)
    return torch.tensor(epochs, dtype=torch.int64, device=like.device)


def _first_not_finite(flight: _Flight, epochs: int) -> list[int]:
    """The first epoch at which each trial is not finite, `epochs` where there is none, by bisection.

    Below a momentum of 1 what diverges grows by a factor, and what is not finite once is so ever after. The start is
    taken to be finite: it is judged besides.
    """
    infinite_S = torch.full((len(flight.theta_SP),), epochs, device=flight.theta_SP.device)
    finite_S = torch.where(flight.finite_at(infinite_S), infinite_S, 0)
    while bool((infinite_S - finite_S > 1).any()):
        middle_S = (finite_S + infinite_S) // 2
        is_finite_S = flight.finite_at(middle_S)
        finite_S = torch.where(is_finite_S, middle_S, finite_S)
        infinite_S = torch.where(is_finite_S, infinite_S, middle_S)
    return [int(epoch) for epoch in infinite_S]


def _in_chunks(flight: _Flight, epochs: int, record: Collection[int], stops: Stops, watch: Watch | None) -> Descent:
    """Chunk after chunk in order, since where a stop ends a trial depends on every epoch before it."""
    ends = Ends(len(flight.theta_SP), stops, decay=flight.decay)
    largest = max(1, min(_CHUNK_EPOCHS, _CHUNK_NUMBERS // flight.theta_SP.numel()))
    kept: list[Chunk] = []
    first, size, done = 0, min(64, largest), False
    while not done:
        chunk = flight.chunk(range(first, min(first + size, epochs + 1)))
        ends.judge(chunk)
        interrupted = watch is not None and not watch(chunk.last, float(chunk.loss_CS[-1].min()))
        done = ends.all_found or interrupted or chunk.last == epochs
        closed = ends.close(chunk, "epochs" if chunk.last == epochs else "interrupted")
        special = {0, *(end.epoch for end in (closed if done else ends.found) if end)}
        kept.append(chunk.pick(lambda epoch, s=special: epoch in s or epoch in record))  # type: ignore[misc]
        first, size = chunk.last + 1, min(2 * size, largest)
    return Descent(join(kept), closed, kept[0].gradient_CSP[0])
