"""Which parameters the data do not determine, from the Jacobian of the residuals.

Shapes: P parameters, D null directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gdtrain.linalg.relations import Near, relations

_FEW = 5  # names in a sentence
_FIRST = 64  # rows for each parameter that are looked at before all are
_ROUNDINGS = 10  # times the size of the whole, below which a singular value counts as zero
_INVOLVED = 1e-6  # share of a null direction from which a parameter takes part in it


@dataclass(frozen=True, eq=False)
class Here:
    """Where derivatives were taken, for what they say to be told of the values, and tried out at others.

    values_P    of the parameters, in the units of the data
    in_values   steps (D, P) in the units of the derivatives -> of the values
    by_values   derivatives (n, P) -> by the values
    same        whether predictions are the same at two sets of values (P,)
    """

    values_P: Tensor
    in_values: Callable[[Tensor], Tensor]
    by_values: Callable[[Tensor], Tensor]
    same: Callable[[Tensor, Tensor], bool]


def plainly_determined(jacobians: Iterable[Tensor]) -> bool:
    """Whether the first rows alone determine every parameter beyond doubt; of the others only their size is looked at.

    Rows that are added take nothing away: let s be the least singular value of the first rows, each column over its
    largest magnitude among all N rows; that of all rows is no smaller. `undetermined` divides a column by the largest
    entry of its triangle, at most sqrt(N) times that magnitude, which leaves a norm of P at most: what it compares
    with its tolerance is at least s / (P sqrt(N)).
    """
    triangle, largest_P = torch.zeros(0, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    rows, eps = 0, 0.0
    with torch.inference_mode():
        for jacobian_NP in jacobians:
            if not rows:
                first = jacobian_NP[: _FIRST * jacobian_NP.shape[1]]
                triangle, eps = torch.linalg.qr(first.double().cpu(), mode="r").R, torch.finfo(jacobian_NP.dtype).eps
            rows += len(jacobian_NP)
            size_P = jacobian_NP.amax(0).maximum(-jacobian_NP.amin(0))  # a tenth of what aminmax takes
            largest_P = largest_P.maximum(size_P.double().cpu())
        size = triangle.shape[1]
        if len(triangle) < size or not bool((largest_P > 0).all()) or not bool((triangle / largest_P).isfinite().all()):
            return False
        least = float(torch.linalg.svdvals(triangle / largest_P)[-1])
    return least > _ROUNDINGS * max(rows, size) * eps * size * math.sqrt(rows)


def undetermined(jacobians: Iterable[Tensor], names: Sequence[str], here: Here | None = None) -> list[str]:
    """What the names' derivatives (n, P), block by block, say: a sentence for those that could move without moving any
    residual; [] where none could. With `here`, what is determined together is told too.

    Blocks are gathered by QR, so P + 1 rows at most are held. Columns are compared at their own scale; a singular
    value counts as zero below the rounding error of the whole.
    """
    upper = torch.zeros(0, len(names), dtype=torch.float64)
    rows, eps = 0, torch.finfo(torch.float64).eps
    for jacobian_NP in jacobians:
        rows, eps = rows + len(jacobian_NP), torch.finfo(jacobian_NP.dtype).eps
        upper = torch.linalg.qr(torch.cat([upper, jacobian_NP.double().cpu()]), mode="r").R
    if not rows or not bool(upper.isfinite().all()):
        return []
    size_P = upper.abs().amax(0)  # not the length: squares of 1e300 overflow
    felt = [i for i, size in enumerate(size_P.tolist()) if size > 0]
    _, singular, directions = torch.linalg.svd(upper[:, felt] / size_P[felt], full_matrices=True)
    tolerance = _ROUNDINGS * max(rows, len(names)) * eps
    null_DP = torch.zeros(len(names) - int((singular > tolerance * singular[:1]).sum()), len(names)).double()
    idle = [i for i in range(len(names)) if i not in set(felt)]
    null_DP[: len(idle), idle] = torch.eye(len(idle)).double()
    null_DP[len(idle) :, felt] = directions[len(felt) - (len(null_DP) - len(idle)) :] / size_P[felt]
    if not len(null_DP):
        return []
    unit_P = _unit(upper)
    if here is not None:
        unit_P, null_DP = _unit(here.by_values(upper)), here.in_values(null_DP)
    null_DP = _directions(null_DP / null_DP.abs().amax(1, keepdim=True) / unit_P)
    return _sentences(null_DP, names, None if here is None else Near(here.values_P, unit_P, here.same))


def _unit(slopes_NP: Tensor) -> Tensor:
    """Steps of each parameter that move a residual by about 1."""
    return slopes_NP.abs().amax(0).clamp(min=torch.finfo(torch.float64).tiny).reciprocal()


def _directions(rows_DP: Tensor) -> Tensor:
    """Orthonormal directions that span the same; none where numbers overflow."""
    rows_DP = rows_DP / rows_DP.abs().amax(1, keepdim=True)
    if not len(rows_DP) or not bool(rows_DP.isfinite().all()):
        return rows_DP[:0]
    _, singular, directions = torch.linalg.svd(rows_DP, full_matrices=False)
    found: Tensor = directions[singular > _INVOLVED * singular[0]]
    return found


def _sentences(null_DP: Tensor, names: Sequence[str], near: Near | None) -> list[str]:
    """Of orthonormal directions in which steps are measured by how far they would move residuals."""
    alone = (null_DP.square().sum(0) > 1 - _INVOLVED**2).nonzero()[:, 0].tolist()  # may move by themselves
    idle = alone if near is None else [i for i in alone if near.idle(i)]
    sentences = [f"near the values found, nothing depends on {_list([names[i] for i in idle])}"] if idle else []
    if flat := [names[i] for i in alone if i not in idle]:
        sentences.append(f"the derivatives by {_list(flat)} vanish at the values found")
    null_DP = _without(null_DP, alone)
    if not len(null_DP):
        return sentences
    found = [] if near is None else relations(null_DP, near, names)
    for one in found:
        called = _list([names[i] for i in one.members])
        sentences.append(f"{called} are not determined one by one; {one.sentence}")
    null_DP = _without(null_DP, [i for one in found for i in one.members])
    together = [name for name, part in zip(names, (null_DP.abs() > _INVOLVED).any(0), strict=True) if part]
    if together:
        ways = f"{len(null_DP)} way{'s' if len(null_DP) > 1 else ''}"
        sentences.append(
            f"{_list(together)} are not determined one by one: near the values found they can change together "
            f"in {ways} without changing a residual{_by(null_DP, names, near)}"
        )
    return sentences


def _by(null_DP: Tensor, names: Sequence[str], near: Near | None) -> str:
    """One direction in numbers, of few parameters."""
    moved = (null_DP[0].abs() > _INVOLVED).nonzero()[:, 0].tolist()
    if near is None or len(null_DP) > 1 or len(moved) > _FEW:
        return ""
    by = (null_DP[0] * near.unit_P)[moved]
    return f" ({', '.join(f'{names[i]} by {step:.3g}' for i, step in zip(moved, (by / by[0]).tolist(), strict=True))})"


def _without(null_DP: Tensor, members: Sequence[int]) -> Tensor:
    """What is left of null directions where some parameters stay: those that move none of them."""
    if not members or not len(null_DP):
        return null_DP
    left_DP = null_DP.clone()
    left_DP[:, list(members)] = 0
    return _directions(left_DP[left_DP.abs().amax(1) > _INVOLVED])


def _list(names: Sequence[str]) -> str:
    if len(names) > _FEW:
        return f"{', '.join(names[:_FEW])} and {len(names) - _FEW} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
