"""How far one mode of a quadratic loss has moved after k epochs of sgd, without walking them.

Along an eigenvector of the Hessian with eigenvalue h (weight decay included), torch.optim.SGD's recurrences are linear
in the first gradient d_0 and know nothing else of the data:

    theta_k = theta_0 - lr * reach_k * d_0,      a = lr * h
    b_1 = 1,  b_k+1 = momentum * b_k + (1 - dampening) * (1 - a * reach_k)      the first buffer is undamped
    reach_0 = 0,  reach_k+1 = reach_k + b_k+1       Nesterov: + (1 - a * reach_k) + momentum * b_k+1

No optimum occurs in it, so that a = 0, a direction that the data do not determine, is not special: there reach_k = k.
Powers are kept as what they differ from 1 by, so that a slow mode keeps its relative accuracy.

Shapes: K epochs, S trials, P modes. Epochs are whole numbers (K, 1, 1), or (K, S, 1) where trials differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

Reach = Callable[[Tensor], Tensor]  # epochs -> reach (K, S, P)
Number = float | Tensor  # one for all trials, or (S, 1): one for each

_LARGEST = 1e300  # of a: its square overflows as it should, and nothing before that does


@dataclass(frozen=True)
class Sgd:
    """The options of torch.optim.SGD but for lr. Nesterov wants no dampening."""

    momentum: Number = 0.0
    dampening: Number = 0.0
    nesterov: bool = False
    weight_decay: Number = 0.0

    def take(self, rows: Tensor) -> Sgd:
        """The options of some trials, by their numbers (L,)."""
        numbers = (self.momentum, self.dampening, self.weight_decay)
        momentum, dampening, decay = (n[rows] if isinstance(n, Tensor) and len(n) > 1 else n for n in numbers)
        return Sgd(momentum, dampening, self.nesterov, decay)

    def each(self, trials: int) -> list[Sgd]:
        """Every trial's own options, as plain numbers."""
        columns = [
            number.expand(trials, 1)[:, 0].tolist() if isinstance(number, Tensor) else [number] * trials
            for number in (self.momentum, self.dampening, self.weight_decay)
        ]
        return [Sgd(m, d, self.nesterov, w) for m, d, w in zip(*columns, strict=True)]

    @property
    def plain(self) -> bool:
        return not _any(self.momentum)

    @property
    def gain(self) -> Number:
        """1 - dampening; torch leaves dampening out where there is no momentum."""
        if isinstance(self.momentum, Tensor) or isinstance(self.dampening, Tensor):
            momentum, dampening = torch.as_tensor(self.momentum), torch.as_tensor(self.dampening)
            return torch.where(momentum == 0, 1.0, 1.0 - dampening)
        return 1.0 if self.momentum == 0 else 1.0 - self.dampening


def reach(a_SP: Tensor, sgd: Sgd) -> Reach:
    """reach_k of modes with a = lr * h. Where it overflows it is no number, but never a wrong one."""
    a_SP = a_SP.clamp(max=_LARGEST)
    return _plain(a_SP) if sgd.plain else _Momentum(a_SP, sgd)


def _plain(a_SP: Tensor) -> Reach:
    """reach_k = (1 - (1 - a)^k) / a, by way of log |1 - a|; beyond a = 1 the power changes sign with every epoch."""
    log_SP = torch.where(a_SP < 1, torch.log1p(-a_SP), torch.log(a_SP - 1))
    flips, still = a_SP > 1, a_SP == 0
    divisor_SP = a_SP.masked_fill(still, 1.0)

    def at(epochs: Tensor) -> Tensor:
        growth = epochs * log_SP
        gone = -torch.expm1(growth)
        if bool(flips.any()):
            gone = torch.where(flips & (epochs % 2 == 1), 1 + torch.exp(growth), gone)
        moved = torch.where(still, epochs.to(gone.dtype), gone / divisor_SP)
        return torch.where(epochs == 0, 0.0, moved)

    return at


class _Affine(NamedTuple):
    """A step of (reach, b): both change by E (reach, b) + c. Entries are (S, P)."""

    e11: Tensor
    e12: Tensor
    e21: Tensor
    e22: Tensor
    c1: Tensor
    c2: Tensor

    def twice(self) -> _Affine:
        """The step done twice: (I + E)^2 = I + (2 E + E E), and c + (I + E) c."""
        e11, e12, e21, e22, c1, c2 = self
        mixed, trace = e12 * e21, e11 + e22
        return _Affine(
            2 * e11 + (e11 * e11 + mixed),
            2 * e12 + e12 * trace,
            2 * e21 + e21 * trace,
            2 * e22 + (e22 * e22 + mixed),
            2 * c1 + (e11 * c1 + e12 * c2),
            2 * c2 + (e21 * c1 + e22 * c2),
        )

    def __call__(self, moved: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return (
            moved + (self.e11 * moved + self.e12 * b + self.c1),
            b + (self.e21 * moved + self.e22 * b + self.c2),
        )


class _Momentum:
    """reach_k by the binary digits of k - 1: from the state after the first epoch, steps of 1, 2, 4, ... epochs."""

    def __init__(self, a_SP: Tensor, sgd: Sgd) -> None:
        one = torch.ones_like(a_SP)
        keep, gain = sgd.momentum * one, sgd.gain * one
        if sgd.nesterov:
            self._first = (1 + keep, one)
            step = _Affine(-a_SP * (1 + keep), keep * keep, -a_SP, keep - 1, 1 + keep, one)
        else:
            self._first = (one, one)
            step = _Affine(-gain * a_SP, keep, -gain * a_SP, keep - 1, gain, gain)
        self._steps = [step]  # of 2^j epochs

    def __call__(self, epochs: Tensor) -> Tensor:
        left = (epochs - 1).clamp(min=0)
        moved, b = self._first
        for j in range(int(left.max()).bit_length()):
            if j == len(self._steps):
                self._steps.append(self._steps[-1].twice())
            bit = (left >> j) % 2 == 1
            if bool(bit.any()):
                further = self._steps[j](moved, b)
                moved, b = torch.where(bit, further[0], moved), torch.where(bit, further[1], b)
        return torch.where(epochs == 0, 0.0, moved)


def _any(number: Number) -> bool:
    return bool((number != 0).any()) if isinstance(number, Tensor) else number != 0
