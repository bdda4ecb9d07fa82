"""Central differences in float64, to hold a derivative against.

No single step suits every function: a large one cuts across its bends, a small one drowns in rounding. So each
entry is differenced over a ladder of steps and the estimate taken where it is steadiest: where its change to the
next step plus its rounding error is least. Steps in proportion to the entry come first; where rounding spoils them
(`1 + x` at 1e-20) steps in proportion to 1 compete.

Shapes: K entries of a name that are differenced, R steps, M values of the expression (1 for their weighted sum).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from gdtrain.formula import Node
from gdtrain.formula.evaluate import evaluate

MAX_ENTRIES = 1_000  # of a name that are differenced: its first
_WORK = 2_000_000  # entries times values: fewer entries of a name are differenced where lists are long
_BLOCK = 30_000  # entries times values at once: what torch leaves to one thread
_STEPS = [10.0**-k for k in range(1, 10)]
_EPS, _TINY = torch.finfo(torch.float64).eps, torch.finfo(torch.float64).tiny
_SETTLED = 1e-6  # of the estimate: an error that needs no other steps
_AGREE = 1e-5  # of the derivative
_MARGIN = 100  # rounding errors
_NOTHING = 1e-10  # of the slope that would take the value to 0 over the largest step


class Differences(NamedTuple):
    """The derivative by each entry (K, M), nan where no step gives one, and how far off it may be (K, M)."""

    derivative: Tensor
    tolerance: Tensor


class _Estimate(NamedTuple):
    """A derivative (K, M), its error, the part of it that is rounding, and what slopes are as good as none."""

    derivative: Tensor
    error: Tensor
    rounding: Tensor
    nothing: Tensor


class _Problem(NamedTuple):
    """What is differenced: the values (M,) of `tree`, or with weights (M,) the sum of them, by one of its names."""

    tree: Node
    point: dict[str, Tensor]
    name: str
    size: int
    weights: Tensor | None

    def along(self, shifted: Tensor) -> tuple[Tensor, Tensor]:
        """Values (K, M), and their magnitudes, with each row of `shifted` (K, N) in the place of the name."""
        values = evaluate(self.tree, {**self.point, self.name: shifted}).expand(len(shifted), self.size)
        if self.weights is None:
            return values, values.abs()
        return (values @ self.weights)[:, None], (values.abs() @ self.weights.abs())[:, None]


def differences(tree: Node, values: Mapping[str, Tensor], name: str, size: int, weights: Tensor | None) -> Differences:
    """Central differences of `tree` by the first entries of `name`.

    values   a number () or a list (N,) for each name
    size     M
    weights  (M,) to difference the weighted sum of the values, as one value; None to difference each
    """
    problem = _Problem(tree, {key: value.detach() for key, value in values.items()}, name, size, weights)
    length, longest = values[name].numel(), max(size, *(value.numel() for value in values.values()))
    entries = min(length, MAX_ENTRIES, max(1, _WORK // longest))
    block = max(1, _BLOCK // longest)
    starts = range(0, entries, block)
    found = [_differenced(problem, torch.arange(start, min(start + block, entries))) for start in starts]
    return Differences(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def agrees(derivative: Tensor, found: Differences) -> Tensor:
    """Where a derivative (K, M) equals its finite difference; true where one of the two does not exist."""
    gap = (derivative - found.derivative).abs()
    scale = torch.maximum(derivative.abs(), found.derivative.abs())
    return (gap <= _AGREE * scale + found.tolerance) | ~torch.isfinite(derivative) | found.derivative.isnan()


def _differenced(problem: _Problem, index: Tensor) -> Differences:
    size = problem.point[problem.name].reshape(-1)[index].abs()
    best = _steadiest(problem, index, torch.where(size == 0, 1.0, size))
    if not (best.error <= _SETTLED * best.derivative.abs()).all():
        other = _steadiest(problem, index, torch.ones_like(size))
        keep = (best.error <= _SETTLED * best.derivative.abs()) | (best.error <= other.error)
        best = _Estimate(*(torch.where(keep, a, b) for a, b in zip(best, other, strict=True)))
    drowned = best.derivative.abs() <= best.rounding
    derivative = best.derivative.masked_fill(drowned, 0.0).masked_fill(~best.error.isfinite(), torch.nan)
    return Differences(derivative, _MARGIN * best.rounding + best.nothing)


def _steadiest(problem: _Problem, index: Tensor, scale: Tensor) -> _Estimate:
    """The steadiest of the central differences by the entries at `index` (K,), over steps in proportion to `scale`."""
    value, rows = problem.point[problem.name].reshape(-1), torch.arange(len(index))
    estimates, roundings, slopes = [], [], []
    for step in _STEPS:
        lower, upper = (value.expand(len(index), -1).clone() for _ in range(2))
        lower[rows, index] -= step * scale
        upper[rows, index] += step * scale
        (below, small), (above, large) = problem.along(lower), problem.along(upper)
        width = (upper - lower)[rows, index][:, None]  # as the sums came out
        estimates.append((above - below) / width)
        magnitude = torch.maximum(small, large)
        slopes.append(magnitude / width)
        roundings.append((_EPS * magnitude + _TINY) / width)
    derivative, rounding = torch.stack(estimates), torch.stack(roundings)
    error = (derivative[1:] - derivative[:-1]).abs() + rounding[:-1]
    error = error.masked_fill(~error.isfinite(), torch.inf)
    best = error.argmin(0, keepdim=True)
    steadiest, least, lost = (each.gather(0, best)[0] for each in (derivative, error, rounding))
    return _Estimate(steadiest, least, lost, _NOTHING * slopes[0].nan_to_num(nan=0.0, posinf=0.0))
