"""Second-order optimizers: they take the objective, not a gradient, and find the length of their steps themselves.

    lm      trust region on the residuals (sums of squares), finished by Gauss-Newton steps in QR
    lbfgs   the curvature along past steps; a line search with strong Wolfe conditions
    newton  the Hessian, damped so that the loss never rises

A method goes through one trial at a time. It visits every point that it has come to, which is an epoch of the history,
and returns when it has come to rest; a visit raises `Over` where the trial is to end.

Shapes: P parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gdtrain.problem.objective import Objective
from gdtrain.problem.penalty import Penalty, Smooth


class Over(Exception):
    """The trial has ended: so many epochs, or one of its stops."""


class Last:
    """Loss (1,) and gradient (1, P) of an objective, kept for the point that was asked for last: a method, its line
    search and the history ask for the same one.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._point: Tensor | None = None

    def __call__(self, theta_1P: Tensor) -> tuple[Tensor, Tensor]:
        if self._point is None or not torch.equal(self._point, theta_1P):
            self._point, self._found = theta_1P.clone(), self._objective.loss_and_gradient(theta_1P)
        return self._found


@dataclass(frozen=True)
class Task:
    """What a method descends: loss + l2 of one trial, within bounds.

    theta_P           the start
    lower_P, upper_P  bounds, float64: -inf and inf where there are none
    options           of the optimizer, as the experiment has them
    visit             told of each point (P,) that was come to after the start
    """

    objective: Objective
    last: Last
    penalty: Penalty | None
    theta_P: Tensor
    lower_P: Tensor
    upper_P: Tensor
    options: Mapping[str, Any]
    visit: Callable[[Tensor], None]

    @property
    def smooth(self) -> Objective:
        """Loss and l2 as one objective."""
        return self.objective if self.penalty is None else Smooth(self.objective, self.penalty)

    @property
    def bounded(self) -> bool:
        return bool(self.lower_P.isfinite().any() | self.upper_P.isfinite().any())

    def within(self, theta_P: Tensor) -> Tensor:
        """The nearest point within the bounds."""
        return theta_P.clamp(self.lower_P, self.upper_P)

    def held(self, theta_P: Tensor, gradient_P: Tensor) -> Tensor:
        """Which parameters are at a bound that descent would cross."""
        at_lower, at_upper = theta_P <= self.lower_P, theta_P >= self.upper_P
        return (at_lower & (gradient_P > 0)) | (at_upper & (gradient_P < 0))

    def value(self, theta_P: Tensor) -> tuple[float, Tensor]:
        """The objective at theta, and its gradient (P,), both float64."""
        theta_1P = theta_P.to(self.theta_P)[None]
        loss_1, gradient_1P = self.last(theta_1P)
        if self.penalty is not None:
            loss_1, gradient_1P = Smooth(self.objective, self.penalty).added(theta_1P, loss_1, gradient_1P)
        return float(loss_1[0]), gradient_1P[0].double().cpu()


def start_of(task: Task) -> Tensor:
    """The start in float64, where all methods reckon."""
    return task.theta_P.double().cpu()


def moves(old_P: Tensor, new_P: Tensor) -> bool:
    """Whether two points differ."""
    return not torch.equal(old_P, new_P)
