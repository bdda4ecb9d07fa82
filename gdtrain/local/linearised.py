"""Rows of a loss near a point: how predictions, and with them gradient and curvature, follow the parameters.

Shapes: P trained parameters, N rows, T targets, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gdtrain.losses.curved import curved, of_classes
from gdtrain.problem.objective import Block
from gdtrain.problem.problem import Problem

_BLOCK_NUMBERS = 1 << 21  # of a block of derivatives: 16 MB
_LEAST_ROWS = 1 << 10


@dataclass(frozen=True, eq=False)
class Linearised:
    """Some rows for one target, float64: near theta the sum of their losses is 1/2 ||A d + c||^2 + rest'd.

    A_NP, c_N  every row as often as it counts; a row of `softmax` is one for each class but the first
    rest_P     the gradient of rows without curvature
    score_NP   each row's own gradient, once
    weight_N   how often it counts; None where each counts once
    """

    A_NP: Tensor
    c_N: Tensor
    rest_P: Tensor
    score_NP: Tensor
    weight_N: Tensor | None


def targets_of(problem: Problem) -> list[list[int]]:
    """The parameters of each target, by their place in theta; all of them where targets share some: classes, and
    targets with tied parameters.
    """
    if len(problem.targets) < 2 or problem.classes or problem.parameters.ties:
        return [list(range(len(problem.parameters.free)))]
    width = len(problem.parameters.names) // len(problem.targets)
    owner = [i // width for i in problem.parameters.free]
    return [[p for p, t in enumerate(owner) if t == target] for target in range(len(problem.targets))]


def linearised(
    problem: Problem, theta_P: Tensor, options: Mapping[str, float], *, weighted: bool = True
) -> Iterator[list[Linearised]]:
    """The rows of each target, a block at a time, which is all that is held of them.

    options   of the loss, which has a curvature: see `losses.curved`
    weighted  whether rows count as often as their weights say, or once
    """
    owned, sets = targets_of(problem), max(1, len(problem.targets), len(problem.classes) - 1)
    most = max(_LEAST_ROWS, _BLOCK_NUMBERS // max(1, len(theta_P) * sets))
    for loss in problem.losses():
        for block in loss.parts(most):
            weight_N = None if block.weight is None else block.weight[0].reshape(-1).double()
            counted = replace(block, weight=block.weight if weighted else None)
            parts = _block(counted, theta_P, loss.loss.name, options, owned)
            yield parts if weighted else [replace(part, weight_N=weight_N) for part in parts]


def _block(
    block: Block, theta_P: Tensor, loss: str, options: Mapping[str, float], owned: list[list[int]]
) -> list[Linearised]:
    eta = block.predict(theta_P[None])[0][0].detach().double()
    jacobian = block.predictor.jacobian(theta_P[None]).detach().double()
    target, rows = block.target[0].double(), len(eta)
    weight_N = None if block.weight is None else block.weight[0].reshape(-1).double()
    if loss == "softmax":
        return [_of_classes(eta, target, jacobian.view(-1, rows, len(theta_P)), weight_N)]
    rule = curved(loss, options)
    assert rule is not None
    slope, curvature = (each.reshape(rows, -1) for each in rule(eta, target))
    if len(owned) == 1:  # one target after another, as the derivatives are
        every_N = None if weight_N is None else weight_N.repeat(slope.shape[1])
        return [_of_numbers(slope.mT.flatten(), curvature.mT.flatten(), jacobian, every_N)]
    each = jacobian.view(-1, rows, len(theta_P))
    return [_of_numbers(slope[:, t], curvature[:, t], each[t][:, index], weight_N) for t, index in enumerate(owned)]


def _of_numbers(slope_N: Tensor, curvature_N: Tensor, jacobian_NP: Tensor, weight_N: Tensor | None) -> Linearised:
    flat_N = curvature_N == 0
    count_N = torch.ones_like(slope_N) if weight_N is None else weight_N
    root_N = (count_N * curvature_N).sqrt()
    c_N = torch.where(flat_N, 0.0, slope_N * (count_N / curvature_N.masked_fill(flat_N, 1.0)).sqrt())
    score_NP = jacobian_NP * slope_N[:, None]
    return Linearised(jacobian_NP * root_N[:, None], c_N, (count_N * flat_N) @ score_NP, score_NP, weight_N)


def _of_classes(eta_NK: Tensor, number_N: Tensor, jacobian_KNP: Tensor, weight_N: Tensor | None) -> Linearised:
    """B' J and B^-1 slope of each row, B as `losses.curved.of_classes` has it; J is of all classes but the first."""
    slope_NK, q_NK, first_N = of_classes(eta_NK, number_N)
    count_N = torch.ones_like(first_N) if weight_N is None else weight_N
    scaled_KNP = jacobian_KNP * q_NK.mT[..., None]
    along_NP = (scaled_KNP * q_NK.mT[..., None]).sum(0)
    a_N = 1 / (1 + first_N)
    A_KNP = scaled_KNP - (a_N[:, None] * q_NK).mT[..., None] * along_NP
    c_NK = slope_NK / q_NK + (a_N / first_N * slope_NK.sum(1))[:, None] * q_NK
    root_N = count_N.sqrt()
    score_NP = (jacobian_KNP * slope_NK.mT[..., None]).sum(0)
    return Linearised(
        (A_KNP * root_N[:, None]).flatten(0, 1), (c_NK * root_N[:, None]).mT.flatten(),
        torch.zeros_like(score_NP[0]), score_NP, weight_N,
    )  # fmt: skip
