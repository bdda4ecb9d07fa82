"""Minima of `mae` and `quantile`, which lie where residuals are 0: the loss turns there without a curvature.

An element whose residual is 0 pulls with any slope between those on both sides. At a minimum such pulls balance the
others,

    0 = g + sum over the corner of p_k c_k J_k,    low <= p_k <= high

c_k being what the element counts for (Koenker 2005, section 2.2; of a curved model it is the condition of first order).
Elsewhere the least that can be left of the sum is the direction of steepest descent: along it elements whose pull has
slack keep their residual of 0, and the loss falls until enough others pass theirs (Bartels, Conn and Sinclair 1978).

Shapes: N elements, K of them at a corner, P parameters, F of them that no bound holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gdtrain.experiment.objective import KINKED
from gdtrain.problem.objective import Block, DataLoss
from gdtrain.second import Task, moves

_NEAR = 1e-7  # of the mean residual: elements that are at a corner
_NEARBY = (1e-5, 1e-3, 0.03, 0.3)  # those that may be at the one nearby
_SPARE = 50  # so many more of them than parameters, the nearest, are looked at
_BALANCED = 1e-7  # of what the elements there pull with
_EXCESS = 1e-9  # of the loss: what residuals at a corner may add to it
_SLACK = 1e-6  # of the way from one slope to the other
_STEPS = 20  # for each parameter
_MOST = 1 << 24  # numbers
_HALVINGS = 30
_ROUNDING = 1e-13


def has_corners(task: Task) -> bool:
    """Whether the loss has corners, and the derivatives of all elements find room in memory."""
    if not isinstance(task.objective, DataLoss) or task.objective.loss.name not in KINKED:
        return False
    return sum(block.target.numel() for block in task.objective.blocks()) * len(task.theta_P) <= _MOST


def round_corners(task: Task, theta_P: Tensor) -> None:
    """From near a minimum to it, from corner to corner, each visited."""
    for _ in range(_STEPS * len(theta_P)):
        found_P = next((there_P for there_P in _lower(task, theta_P) if there_P is not None), None)
        if found_P is None:
            return
        task.visit(found_P)
        theta_P = found_P


def at_corner(task: Task, theta_P: Tensor) -> bool:
    """Whether theta is a minimum but for rounding: none lies lower, where the model is affine, than by `_EXCESS`."""
    corner = Corner.at(task, theta_P, _Elements.at(task, theta_P), _NEAR)
    return corner.unbalanced <= _BALANCED and corner.excess <= _EXCESS * abs(task.value(theta_P)[0])


def _lower(task: Task, theta_P: Tensor) -> Iterator[Tensor | None]:
    """Points at which the loss is lower, the likeliest first; None where one is not."""
    elements = _Elements.at(task, theta_P)
    corner = Corner.at(task, theta_P, elements, _NEAR)
    if corner.unbalanced > _BALANCED:
        yield _if_lower(task, theta_P, corner.downhill(elements))
    for near in _NEARBY:
        yield _if_lower(task, theta_P, Corner.at(task, theta_P, elements, near).onto_P)


def _if_lower(task: Task, theta_P: Tensor, step_P: Tensor) -> Tensor | None:
    """Where a step leads, halved until the loss is lower."""
    before, _ = task.value(theta_P)
    for _ in range(_HALVINGS):
        there_P = task.within(theta_P + step_P)
        if not moves(theta_P, there_P):
            return None
        if task.value(there_P)[0] < before * (1 - _ROUNDING):
            return there_P
        step_P = step_P / 2
    return None


@dataclass(frozen=True)
class Corner:
    """What lies around a point.

    onto_P      the step to where the residuals of elements with slack are 0, of several the shortest
    down_P      the direction of steepest descent, in units in which all parameters pull alike
    unbalanced  what is left of the gradient at the most, as a share of all that pulls
    excess      what the residuals of the elements at the corner add to the loss at most
    """

    onto_P: Tensor
    down_P: Tensor
    unbalanced: float
    excess: float

    @classmethod
    def at(cls, task: Task, theta_P: Tensor, elements: _Elements, near: float) -> Corner:
        """The corner of the elements whose residuals are at most a share `near` of their mean."""
        from scipy.optimize import lsq_linear

        K = elements.nearest(near)
        _, gradient_P = task.value(theta_P)
        free = (~task.held(theta_P, gradient_P)).nonzero()[:, 0]
        J_KF, low, high = elements.J_NP[K][:, free], elements.low, elements.high
        pull_FK = (elements.count_N[K, None] * J_KF).mT
        others_F = gradient_P[free] - pull_FK @ elements.slope_N[K]
        unit_F = ((elements.count_N[:, None] * elements.J_NP[:, free]).abs().sum(0) * (high - low)).clamp(min=1e-300)
        scaled_FK, left_F = pull_FK / unit_F[:, None], others_F / unit_F
        onto_P = torch.zeros_like(theta_P)
        if len(K) and len(free):
            pulls = lsq_linear(scaled_FK.numpy(), -left_F.numpy(), (low, high), method="bvls").x
            pulls_K = torch.from_numpy(pulls)
            left_F = left_F + scaled_FK @ pulls_K
            slack_K = torch.minimum(pulls_K - low, high - pulls_K) > _SLACK * (high - low)
            if bool(slack_K.any()):
                rows_AF = J_KF[slack_K] / unit_F
                solved = torch.linalg.lstsq(rows_AF, -elements.r_N[K][slack_K][:, None], driver="gelsd").solution
                onto_P[free] = solved[:, 0] / unit_F
        down_P = torch.zeros_like(theta_P)
        down_P[free] = -left_F / unit_F
        excess = float((elements.count_N[K] * elements.r_N[K].abs()).sum()) * (high - low)
        return cls(onto_P, down_P, float(left_F.abs().max()) if len(free) else 0.0, excess)

    def downhill(self, elements: _Elements) -> Tensor:
        """The step along the direction of descent to where the loss, were the model affine, is the least."""
        speed_N = elements.J_NP @ self.down_P
        speed_N = torch.where(speed_N.abs() <= 1e-12 * speed_N.abs().max(), 0.0, speed_N)
        K = elements.nearest(_NEAR)
        r_N = elements.r_N.clone()
        r_N[K] = 0.0
        slope_N = torch.where(r_N == 0, torch.where(speed_N > 0, elements.high, elements.low), elements.slope_N)
        passed = (r_N * speed_N < 0).nonzero()[:, 0]
        when, order = torch.sort(-r_N[passed] / speed_N[passed])
        turns = (elements.count_N * speed_N.abs())[passed][order] * (elements.high - elements.low)
        rising = (elements.count_N * slope_N * speed_N).sum() + turns.cumsum(0) >= 0
        last = int(rising.nonzero()[0]) if bool(rising.any()) else -1
        return self.onto_P + when[last] * self.down_P if len(when) else torch.zeros_like(self.down_P)


@dataclass(frozen=True)
class _Elements:
    """Every element: its derivatives, residual, slope, what it counts for; and the slopes on both sides of 0."""

    J_NP: Tensor
    r_N: Tensor
    slope_N: Tensor
    count_N: Tensor
    low: float
    high: float

    @classmethod
    def at(cls, task: Task, theta_P: Tensor) -> _Elements:
        objective, theta_1P = task.objective, theta_P.to(task.theta_P)[None]
        assert isinstance(objective, DataLoss)
        found: list[tuple[Tensor, ...]] = []
        for block in objective.blocks():
            prediction, _ = block.predict(theta_1P)
            _, slope = objective.loss.rule(prediction, block.target)
            count = torch.ones_like(slope) if block.weight is None else block.weight.expand_as(slope)
            each = (prediction - block.target, slope, count / objective.slope_divisor)
            found.append((block.predictor.jacobian(theta_1P), *(_in_order(block, values) for values in each)))
        one = torch.ones(1, 1, dtype=torch.float64)
        low, high = (float(objective.loss.rule(sign * one, 0 * one)[1]) for sign in (-1, 1))
        J_NP, r_N, slope_N, count_N = (torch.cat(each).double().cpu() for each in zip(*found, strict=True))
        return cls(J_NP, r_N, slope_N, count_N, low, high)

    def nearest(self, near: float) -> Tensor:
        """Numbers (K,) of the elements whose residuals are at most so large a share of their mean."""
        size_N = self.r_N.abs()
        most = size_N.kthvalue(min(len(size_N), self.J_NP.shape[1] + _SPARE)).values
        return (size_N <= torch.minimum(most, near * size_N.mean())).nonzero()[:, 0]


def _in_order(block: Block, values: Tensor) -> Tensor:
    """Values (1, N) or (1, N, T) in the order of the rows of a predictor's `jacobian`: target by target."""
    return values[0].mT.flatten() if block.target.dim() == 3 else values[0]
