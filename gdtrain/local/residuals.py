"""Residuals and their derivatives, block by block, in the units in which the objective is the sum of their squares.

Shapes: N rows of a block, P parameters, M <= P + 1 rows that stand for all.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from gdtrain.linalg.compress import Compressor
from gdtrain.problem.objective import Block, DataLoss, Objective
from gdtrain.problem.penalty import Penalty
from gdtrain.problem.problem import loss_factor
from gdtrain.problem.quadratic import Quadratic
from gdtrain.threads import threads


def residual_rows(objective: Objective, theta_1P: Tensor, penalty: Penalty | None = None) -> Iterator[Tensor]:
    """[J r] of each block, (N, P + 1): sum of r^2 is the squared loss of one trial, with its l2 as rows of its own.

    Raises TypeError where the objective is no sum of squares, which the experiment has refused.
    """
    if isinstance(objective, Quadratic):
        yield from _of_quadratic(objective, theta_1P)
    elif isinstance(objective, DataLoss):
        scale = loss_factor(objective.loss, objective.elements) ** 0.5
        for block, jacobian_NP in zip(objective.blocks(), objective.jacobians(theta_1P), strict=True):
            yield scale * torch.cat([jacobian_NP, _residuals(block, theta_1P)[:, None]], 1)
    else:
        raise TypeError("no residuals")
    if penalty is not None:
        root_P = (penalty.l2(theta_1P)[0] / 2).sqrt()
        yield torch.cat([torch.diag(root_P), (root_P * theta_1P[0])[:, None]], 1)


def compressed(objective: Objective, theta_1P: Tensor, penalty: Penalty | None = None) -> tuple[Tensor, Tensor]:
    """J (M, P) and r (M,) in float64 that stand for all rows at theta: J'J, J'r and r'r are theirs.

    On one thread: narrow factorisations wait for one another on several.
    """
    compressor = Compressor(theta_1P.shape[1] + 1)
    with threads(1):
        for rows_NW in residual_rows(objective, theta_1P, penalty):
            compressor.add(rows_NW.cpu())
    rows_MW = compressor.result()
    return rows_MW[:, :-1], rows_MW[:, -1]


def _residuals(block: Block, theta_1P: Tensor) -> Tensor:
    """Prediction minus target of each element, target by target, times the root of how often its row counts."""
    prediction, _ = block.predict(theta_1P)
    residual = prediction - block.target
    if block.weight is not None:
        residual = residual * block.weight.sqrt()
    return residual[0].mT.flatten() if residual.dim() == 3 else residual[0]


def _of_quadratic(quadratic: Quadratic, theta_1P: Tensor) -> Iterator[Tensor]:
    scale = quadratic.scale**0.5
    yield scale * torch.cat([quadratic.R_MP, quadratic.residual(theta_1P[0])[:, None]], 1)
    rest = theta_1P.new_zeros(1, theta_1P.shape[1] + 1)
    rest[0, -1] = scale * quadratic.rho
    yield rest
