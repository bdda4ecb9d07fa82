"""Which parameters the data do not determine, from the Jacobian of the residuals.

Shapes: N rows, P parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

_FEW = 5  # names in a sentence
_INVOLVED = 1e-6  # share of a null direction from which a parameter takes part in it


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
    tolerance = 10 * max(rows, len(names)) * eps
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
