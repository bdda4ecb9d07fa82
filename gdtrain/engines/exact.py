"""Engine `exact`: sgd with a constant learning rate on a quadratic loss, any epoch of it without the ones before.

With R = U diag(sigma) V' and h = 2 scale sigma^2 + weight_decay,

    theta_k = theta_0 - V diag(lr * reach_k(lr * h)) d_0
    d_0 = 2 scale sigma U'(R theta_0 + z) + weight_decay V'theta_0

An l2 penalty is P more rows of R and z, and so has modes of its own: each l2 has, where trials differ in it.

where d_0 is the first gradient along the modes and `modes` tells reach_k. A billion epochs cost what ten do. The states
come as the loop engine gives them, and are judged by the same rules. A momentum of 1 or more is for the loop.

Shapes: K epochs, C of a chunk, S trials, P parameters.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from gdtrain.engines.ends import Ends, Watched
from gdtrain.engines.loop import Descent, Watch, join
from gdtrain.engines.modes import Number, Reach, Sgd, reach
from gdtrain.engines.states import NO_STOPS, Chunk, End, First, States, Stops
from gdtrain.engines.trace import tenth_before
from gdtrain.problem.penalty import Penalty, Ridges
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
    reads: Collection[int] = (),
    record: Collection[int],
    stops: Stops = NO_STOPS,
    penalty: Penalty | None = None,
    ridges: Ridges | None = None,
    watched: Watched | None = None,
    watch: Watch | None = None,
) -> Descent:
    """What `loop.descend` would come to with these options of sgd, from theta_SP with learning rates lr_S1 (S, 1).

    reads    epochs at which ends are read besides the last
    record   which epochs to keep, such as a range; start and last are kept besides
    penalty  an l2 that is descended besides the loss; l1 has no closed form
    ridges   the quadratic with it, where some have been worked out before
    watched  what `stops` go by, as for the loop
    watch    asked after every chunk whether to go on; without stops there is but one chunk

    Modes are reckoned in float64; states have theta's dtype, and so has what counts as finite.
    """
    with torch.inference_mode():
        if penalty is not None and ridges is None:
            ridges = Ridges(quadratic, penalty.weights_P)
        flight = _Flight(quadratic, sgd, theta_SP, lr_S1, penalty, ridges)
        every_read = sorted({*reads, epochs})
        if stops == NO_STOPS:
            return _at_once(flight, every_read, record, watch)
        return _in_chunks(flight, every_read, record, stops, watched, watch)


class _Flight:
    """The states of S trials at any epochs."""

    def __init__(
        self,
        quadratic: Quadratic,
        sgd: Sgd,
        theta_SP: Tensor,
        lr_S1: Tensor,
        penalty: Penalty | None = None,
        ridges: Ridges | None = None,
    ) -> None:
        self.sgd, self.theta_SP, self.lr_S1, self.penalty = sgd, theta_SP, lr_S1, penalty
        self._ridges = ridges
        self._given, self._quadratic = quadratic, quadratic.to(theta_SP)
        self._reach: Reach | None = None
        if not quadratic.finite:  # it has no modes, and its loss is no number anywhere
            return
        start_SP, rate_S1 = theta_SP.double(), lr_S1.double()
        if penalty is None or ridges is None:
            h_SP, d_SP, self._back = _modes(quadratic, start_SP, sgd.weight_decay)
        else:
            h_SP, d_SP, self._back = _modes_of_each(ridges, penalty, start_SP, sgd)
        self._start_SP = start_SP
        self._step_SP = rate_S1 * d_SP
        self._reach = reach(rate_S1 * h_SP, sgd)

    def chunk(self, epochs: Sequence[int]) -> Chunk:
        """The states at these epochs, for all trials."""
        epochs_K = _whole(epochs, self.theta_SP)
        theta_KSP = self._theta(epochs_K[:, None, None])
        loss_KS, gradient_KSP = self._quadratic.loss_and_gradient(theta_KSP)
        lr_KS = self.lr_S1[:, 0].expand(len(epochs_K), -1)
        return Chunk(epochs, loss_KS, theta_KSP, gradient_KSP, lr_KS)

    def at(self, epochs_KS: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Loss (K, S), theta and gradient (K, S, P) of each trial at epochs of its own."""
        theta_KSP = self._theta(epochs_KS[:, :, None])
        loss_KS, gradient_KSP = self._quadratic.loss_and_gradient(theta_KSP)
        return loss_KS, theta_KSP, gradient_KSP

    def finite_at(self, epochs_KS: Tensor) -> Tensor:
        """Whether each trial's state is finite at epochs of its own (K, S)."""
        loss_KS, theta_KSP, gradient_KSP = self.at(epochs_KS)
        return loss_KS.isfinite() & (theta_KSP.isfinite() & gradient_KSP.isfinite()).all(-1)

    def take(self, rows: Sequence[int]) -> _Flight:
        """The same of these trials alone."""
        index = torch.as_tensor(rows, device=self.theta_SP.device)
        penalty = None if self.penalty is None else self.penalty.take(index)
        theta_LP, lr_L1 = self.theta_SP[index], self.lr_S1[index]
        return _Flight(self._given, self.sgd.take(index), theta_LP, lr_L1, penalty, self._ridges)

    def _theta(self, epochs: Tensor) -> Tensor:
        if self._reach is None:
            return self.theta_SP.expand(len(epochs), -1, -1)
        reach_KSP = self._reach(epochs)
        moved_KSP = torch.where((reach_KSP == 0) | (self._step_SP == 0), 0.0, reach_KSP * self._step_SP)
        # What overflowed is as large as can be, and no inf: times a 0 of V that would be no number.
        largest = torch.finfo(moved_KSP.dtype).max
        moved_KSP = moved_KSP.nan_to_num(nan=largest)
        if self._back.dim() == 3:  # modes of their own: (S, K, P) by (S, P, P)
            moved_KSP = (moved_KSP.transpose(0, 1) @ self._back).transpose(0, 1)
        else:
            moved_KSP = moved_KSP @ self._back
        return (self._start_SP - moved_KSP).to(self.theta_SP.dtype)


def _modes(quadratic: Quadratic, start_SP: Tensor, decay: Number) -> tuple[Tensor, Tensor, Tensor]:
    """Curvatures and first gradients along the modes, (S, P) each, and the way back from them (P, P)."""
    spectrum = quadratic.spectrum
    along_SM = quadratic.residual(start_SP) @ spectrum.U_MM
    d_SP = decay * (start_SP @ spectrum.V_PP)
    ranked = slice(spectrum.rank)
    d_SP[:, ranked] += 2 * quadratic.scale * spectrum.sigma_P[ranked] * along_SM[:, ranked]
    h_SP = quadratic.eigenvalues_P + decay * torch.ones_like(start_SP)
    return h_SP, d_SP, spectrum.V_PP.mT


def _modes_of_each(ridges: Ridges, penalty: Penalty, start_SP: Tensor, sgd: Sgd) -> tuple[Tensor, Tensor, Tensor]:
    """The same where each trial has an l2; the way back is (S, P, P) where they differ in it."""
    l2_S = penalty.l2_S1.expand(len(start_SP), 1)[:, 0].tolist()
    if len(set(l2_S)) == 1:
        return _modes(ridges.of(l2_S[0]), start_SP, sgd.weight_decay)
    h_SP, d_SP = torch.empty_like(start_SP), torch.empty_like(start_SP)
    back_SPP = start_SP.new_empty(*start_SP.shape, start_SP.shape[1])
    for l2 in dict.fromkeys(l2_S):
        rows = torch.tensor([s for s, own in enumerate(l2_S) if own == l2], device=start_SP.device)
        h_SP[rows], d_SP[rows], back_SPP[rows] = _modes(ridges.of(l2), start_SP[rows], sgd.take(rows).weight_decay)
    return h_SP, d_SP, back_SPP


def _at_once(flight: _Flight, reads: Sequence[int], record: Collection[int], watch: Watch | None) -> Descent:
    """All states that are kept, as one chunk."""
    trials, last = len(flight.theta_SP), reads[-1]
    lost_S = _first_not_finite(flight, last)
    chunk = flight.chunk(_kept(record, int(lost_S.clamp(max=last).max())))
    if watch is not None:
        watch(chunk.last, float(chunk.loss_CS[-1].min()))
    first = First.of(chunk, decay=flight.sgd.weight_decay, penalty=flight.penalty)
    return Descent(chunk, {read: _ends_at(flight, read, lost_S, first, trials) for read in reads})


def _ends_at(flight: _Flight, read: int, lost_S: Tensor, first: First, trials: int) -> list[End]:
    """Each trial's end where `read` is the last epoch; at `lost_S` it is not finite."""
    epoch_S = lost_S.clamp(max=read)
    tenth_S = torch.as_tensor([tenth_before(epoch) for epoch in epoch_S.tolist()], device=epoch_S.device)
    before_S = (epoch_S - 1).clamp(min=0)
    loss_KS, theta_KSP, gradient_KSP = flight.at(torch.stack([epoch_S, before_S, tenth_S]))
    objective_KS = loss_KS if flight.penalty is None else loss_KS + flight.penalty.value(theta_KSP)
    states = States(
        epoch_S=epoch_S.cpu().numpy(),
        loss_S=loss_KS[0],
        theta_SP=theta_KSP[0],
        gradient_SP=gradient_KSP[0],
        lr_S=flight.lr_S1[:, 0],
        before_S=objective_KS[1],
        earlier_S=objective_KS[2],
    )
    reasons = ["nonfinite" if lost else "epochs" for lost in (lost_S <= read).tolist()]
    return states.ends(reasons, first, None, flight.sgd.weight_decay, flight.penalty)


def _kept(record: Collection[int], last: int) -> Sequence[int]:
    """The epochs of `record` up to `last`, start and last among them, in order. A range stays one: that saves a third
    of a run.
    """
    if isinstance(record, range):
        record = range(record.start, min(record.stop, last + 1), record.step)
        if 0 in record and last in record:
            return record
    return sorted({epoch for epoch in record if epoch <= last} | {0, last})


def _whole(epochs: Sequence[int], like: Tensor) -> Tensor:
    """Epochs as a tensor on the device of `like`; a range not by way of a list, which takes longer than the rest."""
    if isinstance(epochs, range):
        return torch.arange(epochs.start, epochs.stop, epochs.step, device=like.device)
    return torch.tensor(epochs, dtype=torch.int64, device=like.device)


def _first_not_finite(flight: _Flight, epochs: int) -> Tensor:
    """The first epoch (S,) at which each trial is not finite, epochs + 1 where there is none, by bisection.

    Below a momentum of 1 what diverges grows by a factor, and what is not finite once is so ever after.
    """
    last_S = torch.full((len(flight.theta_SP),), epochs, device=flight.theta_SP.device)
    finite_KS = flight.finite_at(torch.stack([torch.zeros_like(last_S), last_S]))
    begins_S = finite_KS[0]  # what is not finite at first may be so later
    lasts_S = begins_S & finite_KS[1]
    finite_S = torch.where(lasts_S, last_S, torch.where(begins_S, 0, -1))
    infinite_S = torch.where(lasts_S, epochs + 1, torch.where(begins_S, last_S, 0))
    while bool((infinite_S - finite_S > 1).any()):
        middle_S = (finite_S + infinite_S) // 2
        is_finite_S = flight.finite_at(middle_S[None])[0]
        finite_S = torch.where(is_finite_S, middle_S, finite_S)
        infinite_S = torch.where(is_finite_S, infinite_S, middle_S)
    return infinite_S


def _in_chunks(
    flight: _Flight,
    reads: Sequence[int],
    record: Collection[int],
    stops: Stops,
    watched: Watched | None,
    watch: Watch | None,
) -> Descent:
    """Chunk after chunk in order, since where a stop ends a trial depends on every epoch before it."""
    trials, epochs = len(flight.theta_SP), reads[-1]
    ends = Ends(trials, reads, stops, decay=flight.sgd.weight_decay, penalty=flight.penalty, watched=watched)
    largest = max(1, min(_CHUNK_EPOCHS, _CHUNK_NUMBERS // flight.theta_SP.numel()))
    kept: list[Chunk] = []
    first, size, done = 0, min(64, largest), False
    while not done:
        rows = ends.rows
        chunk = flight.chunk(range(first, min(first + size, epochs + 1)))
        ends.judge(chunk)
        interrupted = watch is not None and not watch(chunk.last, float(chunk.loss_CS[-1].min()))
        done = ends.all_found or interrupted or chunk.last == epochs
        last = {0, chunk.last if done else 0}
        kept.append(chunk.pick(record, last).spread(rows, trials))
        if not done and len(going := ends.drop()) < len(rows):
            flight = flight.take(going)
        first, size = chunk.last + 1, min(2 * size, largest)
    return Descent(join(kept), ends.close(chunk))
