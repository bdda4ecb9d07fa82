"""Central differences in float64, to hold a derivative against.

No single step suits every function: a large one cuts across its bends, a small one drowns in rounding. So each
entry is differenced over a ladder of steps, and the step is taken where the estimate is steadiest: where its
change to the next step plus its rounding error is least.

Shapes: K entries of a name that are differenced, R steps, M values of the expression (1 for a number).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from gdtrain.formula import Node
from gdtrain.formula.evaluate import evaluate

MAX_ENTRIES = 1_000  # of a name that are differenced: its first
_WORK = 4_000_000  # entries times values: fewer entries of a name are differenced where lists are long
_BLOCK = 50_000  # entries times values at once: what stays in a processor's cache
_RUNGS = 12
_EPS = torch.finfo(torch.float64).eps
_AGREE = 1e-5  # relative
_MARGIN = 100  # rounding errors that two derivatives may be apart


class Differences(NamedTuple):
    """The derivative by each entry (K, M), nan where no step gives one, and its rounding error (K, M)."""

    derivative: Tensor
    rounding: Tensor


def differences(tree: Node, values: Mapping[str, Tensor], name: str, size: int, weights: Tensor | None) -> Differences:
    """Central differences of `tree` by the first entries of `name`.

    values   a number () or a list (N,) for each name
    size     M
    weights  (M,) to difference the weighted sum of the values, as one value; None to difference each
    """
    point = {key: value.detach() for key, value in values.items()}
    length, longest = point[name].numel(), max(size, *(value.numel() for value in point.values()))
    entries = min(length, MAX_ENTRIES, max(1, _WORK // longest))
    block = max(1, _BLOCK // longest)
    found = [
        _steadiest(*_ladder(tree, point, name, range(first, min(first + block, entries)), size, weights))
        for first in range(0, entries, block)
    ]
    return Differences(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def agrees(derivative: Tensor, found: Differences) -> Tensor:
    """Where a derivative (K, M) equals its finite difference; true where there is none to compare with."""
    gap = (derivative - found.derivative).abs()
    scale = torch.maximum(derivative.abs(), found.derivative.abs())
    agree = gap <= _AGREE * scale + _MARGIN * found.rounding
    return agree | ~torch.isfinite(derivative) | torch.isnan(found.derivative)


def _ladder(
    tree: Node, point: dict[str, Tensor], name: str, entries: range, size: int, weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Central differences (R, K, M) at every step, and the rounding error of each."""
    estimates, roundings = [], []
    for lower, upper in _shifted(point[name].reshape(-1), entries):
        below, above = (_along(tree, point, name, shifted, size) for shifted in (lower, upper))
        error = torch.maximum(below.abs(), above.abs())
        if weights is not None:
            below, above = ((values @ weights)[:, None] for values in (below, above))
            error = (error @ weights.abs())[:, None]
        rows = torch.arange(len(entries))
        step = (upper - lower)[rows, torch.as_tensor(entries)][:, None]
        estimates.append((above - below) / step)
        roundings.append(_EPS * error / step)
    return torch.stack(estimates), torch.stack(roundings)


def _shifted(value: Tensor, entries: range) -> Iterator[tuple[Tensor, Tensor]]:
    """For each step, `value` with one entry after the other moved down and up: (K, N) each.

    The steps run from a tenth of the entry, or of 1 where that is more, to a billionth of the lesser of the two.
    """
    index = torch.as_tensor(entries)
    rows = torch.arange(len(entries))
    entry = value[index].abs()
    largest = 0.1 * entry.clamp(min=1.0)
    smallest = 1e-9 * torch.where(entry == 0, 1.0, entry.clamp(max=1.0))
    for rung in range(_RUNGS):
        step = largest * (smallest / largest) ** (rung / (_RUNGS - 1))
        lower, upper = (value.expand(len(entries), -1).clone() for _ in range(2))
        lower[rows, index] -= step
        upper[rows, index] += step
        yield lower, upper


def _along(tree: Node, point: dict[str, Tensor], name: str, shifted: Tensor, size: int) -> Tensor:
    """The values of `tree` (K, M) with each row of `shifted` (K, N) in the place of `name`."""
    return evaluate(tree, {**point, name: shifted}).expand(len(shifted), size)


def _steadiest(estimates: Tensor, roundings: Tensor) -> Differences:
    """From every step's estimate (R, K, M), the one that changes least to the next."""
    change = (estimates[1:] - estimates[:-1]).abs() + roundings[:-1]
    best = change.nan_to_num(nan=torch.inf, posinf=torch.inf).argmin(0, keepdim=True)
    derivative, rounding = (each[:-1].gather(0, best)[0] for each in (estimates, roundings))
    steady = torch.isfinite(change.gather(0, best)[0])
    derivative = derivative.masked_fill(~steady, torch.nan)
    return Differences(derivative.masked_fill(derivative.abs() <= rounding, 0.0), rounding)
