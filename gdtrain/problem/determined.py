"""Which parameters the data do not determine, from the Jacobian of the residuals.

Shapes: N rows, P parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

_FEW = 5  # names in a sentence
_FIRST = 64  # rows for each parameter that are looked at before all are
_ROUNDINGS = 10  # times the size of the whole, below which a singular value counts as zero
_INVOLVED = 1e-6  # share of a null direction from which a parameter takes part in it


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


def undetermined(jacobians: Iterable[Tensor], names: Sequence[str]) -> list[str]:
    """What the names' derivatives (n, P), block by block, say: a sentence for those that could move without moving any
    residual; [] where none could.

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
    idle = [name for name, size in zip(names, size_P.tolist(), strict=True) if size == 0]
    sentences = [f"near the values found, nothing depends on {_list(idle)}"] if idle else []
    felt = [i for i, size in enumerate(size_P.tolist()) if size > 0]
    scaled = upper[:, felt] / size_P[felt]
    _, singular, directions = torch.linalg.svd(scaled, full_matrices=True)
    tolerance = _ROUNDINGS * max(rows, len(names)) * eps
    rank = int((singular > tolerance * singular[:1]).sum())
    involved = (directions[rank:].abs() > _INVOLVED).any(0) if rank < len(felt) else []
    together = [names[i] for i, part in zip(felt, involved, strict=False) if part]
    if together:
        missing = len(felt) - rank
        ways = f"{missing} way{'s' if missing > 1 else ''}"
        sentences.append(
            f"{_list(together)} are not determined one by one: near the values found they can change together "
            f"in {ways} without changing a residual"
        )
    return sentences


def _list(names: Sequence[str]) -> str:
    if len(names) > _FEW:
        return f"{', '.join(names[:_FEW])} and {len(names) - _FEW} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
