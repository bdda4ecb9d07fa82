"""Which parameters the data do not determine, from the Jacobian of the residuals.

Shapes: N rows, P parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gdtrain.problem.objective import Objective

_FEW = 5  # names in a sentence
_INVOLVED = 1e-6  # share of a null direction from which a parameter takes part in it


def undetermined(objective: Objective, theta_1P: Tensor, names: Sequence[str]) -> list[str]:
    """One sentence for each way in which `names` could move at theta without moving any residual; [] where none.

    Blocks are gathered by QR, so P + 1 rows at most are held. Columns are compared at their own scale; a singular
    value counts as zero below the rounding error of the whole.
    """
    upper = theta_1P.new_zeros(0, theta_1P.shape[1])
    rows = 0
    for jacobian_NP in objective.jacobians(theta_1P):
        rows += len(jacobian_NP)
        upper = torch.linalg.qr(torch.cat([upper, jacobian_NP]), mode="r").R
    if not rows or not bool(upper.isfinite().all()):
        return []
    size_P = upper.norm(dim=0)
    idle = [name for name, size in zip(names, size_P.tolist(), strict=True) if size == 0]
    sentences = [f"near the values found, nothing depends on {_list(idle)}"] if idle else []
    felt = [i for i, size in enumerate(size_P.tolist()) if size > 0]
    scaled = upper[:, felt] / size_P[felt]
    _, singular, directions = torch.linalg.svd(scaled, full_matrices=True)
    tolerance = 10 * max(rows, len(names)) * torch.finfo(theta_1P.dtype).eps
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
