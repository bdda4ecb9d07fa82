"""How the optimum scatters, from what the loss is like near it.

    of the model  s^2 (R'R)^-1, where R'R is the curvature and s^2 the scatter of a row, 1 where it is known
    sandwich      (R'R)^-1 (sum of g g') (R'R)^-1 n/(n - p), with each row's own gradient g: it holds whatever the
                  scatter of the rows (White 1980; the factor is that of HC1, MacKinnon and White 1985)

Either is held as a factor B, covariance B B', so that nothing cancels.

Shapes: P trained parameters, N rows, T targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gdtrain.linalg.compress import Compressor
from gdtrain.local.linearised import linearised
from gdtrain.local.nearby import Nearby
from gdtrain.problem.problem import Problem


def inverse(part: Nearby) -> Tensor:
    """R^-1 (P, P)."""
    found: Tensor = torch.linalg.solve_triangular(
        part.squares.R_MP, torch.eye(len(part.index), dtype=torch.float64), upper=True
    )
    return found


def spreads(
    problem: Problem, theta_P: Tensor, options: Mapping[str, float], parts: Sequence[Nearby], *, counts: bool
) -> list[Tensor]:
    """Triangles G of each target with G'G = the sum of g g' over rows.

    options  of the loss
    counts   whether weights are counts, so that a row stands for as many; else its gradient is so many times as large
    """
    compressors = [Compressor(len(part.index)) for part in parts]
    for rows in linearised(problem, theta_P, options):
        for compressor, one in zip(compressors, rows, strict=True):
            score_NP = one.score_NP
            if one.weight_N is not None:
                score_NP = score_NP * (one.weight_N.sqrt() if counts else one.weight_N)[:, None]
            compressor.add(score_NP.cpu())
    return [compressor.result() for compressor in compressors]


def sandwich(inverse_PP: Tensor, spread_MP: Tensor, count: float) -> Tensor:
    """The factor B (P, M) of one target's covariance; `count` is n."""
    size = len(inverse_PP)
    factor: Tensor = inverse_PP @ (inverse_PP.mT @ spread_MP.mT) * (count / (count - size)) ** 0.5
    return factor
