"""`lm`: least squares by a trust region (scipy's `trf`: Branch, Coleman and Li 1999), finished by Gauss-Newton steps.

The rows [J r] of a point are compressed by QR to at most P + 1, which have the same J'J, J'r and r'r: all that a trust
region knows of them. So memory is that of one block of rows and P^2, at any number of rows.

A point at which no parameter's derivatives correlate with the residuals is at rest:

    |J_j' r| <= GTOL |J_j| |r|    for every parameter j that no bound holds
    |J step| <= OFFSET |r|        for the step of Gauss and Newton

MINPACK's measure (Moré 1978), and the relative offset of Bates and Watts (1981), which sees where columns that nearly
depend on one another explain together what none does alone. Neither depends on the units of parameters or targets. What
is left of them may be rounding: where theta is as good as its own last digit, changing each theta_k by its rounding
moves the residuals by eps sum_k |J_k| |theta_k|, and no smaller correlation can be told from 0.

Shapes: M compressed rows, P parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdtrain.local.residuals import compressed
from gdtrain.problem.objective import DataLoss
from gdtrain.problem.quadratic import Quadratic
from gdtrain.second import Task, moves, start_of
from gdtrain.second.hessian import DENSE
from gdtrain.second.newton import descend, falls_away

GTOL = 1e-8
_OFFSET = 1e-4
_DEPENDENT = 1e-11  # columns that depend on one another but for this share explain nothing more
_ROUNDINGS = 16  # so many rounding errors of a residual are not told from none
_FINISH = 200  # Gauss-Newton steps: they end where the digits stop moving, or they lead nowhere
_IDLE = 3  # of them in a row that are no shorter
_AGAIN = 20  # times that a trust region starts anew, with the scale of the parameters where it stopped
_FAR = 10.0  # times the start's size: as far as a trust region may reach by itself
_FALLS = 1e-3  # share by which the loss is to fall on the way
_SLACK = 1e-11  # share of the sum of squares that it may rise by: rounding
_NEAR = 1e-6  # share of a parameter's size within which a bound counts as reached
_LOST = 100  # points in a row at which residuals are no numbers
_EVALUATIONS = 100_000
_STEPS = 50  # newton's, before the trust region has another try
_WORK = 1e7  # rows times squared parameters up to which second derivatives are worth it


@dataclass(frozen=True)
class Point:
    """A point, and the rows there: J_MP and r_M, compressed. `eps` is that of the numbers which they are made from."""

    theta_P: Tensor
    J_MP: Tensor
    r_M: Tensor
    eps: float

    @classmethod
    def at(cls, task: Task, theta_P: Tensor) -> Point:
        J_MP, r_M = compressed(task.objective, theta_P.to(task.theta_P)[None], task.penalty)
        return cls(theta_P, J_MP, r_M, torch.finfo(task.theta_P.dtype).eps)

    @property
    def finite(self) -> bool:
        return bool(self.J_MP.isfinite().all()) and math.isfinite(self.cost)

    @property
    def cost(self) -> float:
        """The sum of squares."""
        return float(self.r_M.square().sum())

    @property
    def gradient_P(self) -> Tensor:
        """Half of it."""
        return self.J_MP.mT @ self.r_M

    @property
    def lengths_P(self) -> Tensor:
        """Of the columns of J."""
        lengths_P: Tensor = torch.linalg.vector_norm(self.J_MP, dim=0)
        return lengths_P

    def correlation(self, held_P: Tensor) -> float:
        """The largest |J_j' r| / |J_j| of parameters that are not held."""
        lengths_P = self.lengths_P
        share_P = torch.where(lengths_P > 0, self.gradient_P.abs() / lengths_P.clamp(min=1e-300), 0.0)
        return float(share_P.masked_fill(held_P, 0.0).max())

    def rounding(self, scale: float) -> float:
        """Of the residuals: what their terms, the targets of length `scale` among them, are rounded by."""
        return _ROUNDINGS * self.eps * (float((self.lengths_P * self.theta_P.abs()).sum()) + scale)

    def reach(self, held_P: Tensor) -> float:
        """|J step|: how much of the residuals the parameters explain together, those that are not held."""
        return float((self.J_MP @ gauss_newton(self, held_P, cutoff=_DEPENDENT)).norm())

    def at_rest(self, held_P: Tensor, scale: float = 0.0) -> bool:
        """See above; `scale` is the length of the targets."""
        length, rounding = self.cost**0.5, self.rounding(scale)
        if self.correlation(held_P) > max(GTOL * length, rounding):
            return False
        explained: bool = self.reach(held_P) <= max(_OFFSET * length, rounding)
        return explained


def lm(task: Task) -> None:
    """Descend from the task's start until the last digits stop moving.

    options  ftol, xtol, gtol as scipy's `least_squares` has them
    """
    point = Point.at(task, start_of(task))
    if isinstance(task.objective, Quadratic) and not task.bounded and point.finite:
        task.visit(_finished(task, point, lambda theta_P: None).theta_P)  # the residuals are affine: one step
        return
    for _ in range(_AGAIN):
        if not point.finite:
            return
        found = _by_curvature(task, _finished(task, _onto_bounds(task, _trust_region(task, point)), task.visit))
        gained = found.cost < point.cost * (1 - 1e-6)
        point = found
        if point.at_rest(task.held(point.theta_P, point.gradient_P)):
            return
        if not gained:
            if (there := _afar(task, point)) is None:
                return
            point = there


def _afar(task: Task, point: Point) -> Point | None:
    """Where Gauss and Newton's step leads, visited, once it is halved so often that the sum of squares falls.

    A trust region grows from the size of the start: where the way is far longer, its first steps change nothing.
    """
    if not point.finite:
        return None
    step_P = gauss_newton(point, task.held(point.theta_P, point.gradient_P))
    nearest = _FAR * (1 + float(point.theta_P.norm()))
    value, _ = task.value(point.theta_P)
    while nearest < float(step_P.norm()) < math.inf:
        theta_P = task.within(point.theta_P + step_P)
        if task.value(theta_P)[0] < value * (1 - _FALLS):
            task.visit(theta_P)
            return Point.at(task, theta_P)
        step_P = step_P / 2
    return None


def _by_curvature(task: Task, point: Point) -> Point:
    """Where newton's steps lead from a point that Gauss and Newton's cannot settle, or that is a saddle.

    Where residuals are large and bend, these come nearer by a share that may be small, or not at all.
    """
    size = len(point.theta_P)
    exact = point.cost**0.5 <= point.rounding(0.0)
    if not point.finite or exact or size > DENSE or _rows(task) * size**2 > _WORK:
        return point
    if point.at_rest(task.held(point.theta_P, point.gradient_P)) and not falls_away(task, point.theta_P):
        return point
    theta_P = descend(task, point.theta_P, steps=_STEPS)
    return Point.at(task, theta_P) if moves(point.theta_P, theta_P) else point


def _rows(task: Task) -> int:
    objective = task.objective
    return sum(block.target.numel() for block in objective.blocks()) if isinstance(objective, DataLoss) else 0


def _trust_region(task: Task, start: Point) -> Point:
    """Where scipy's trf comes to from a point. It asks for derivatives at points that it has accepted: an epoch each.

    The sum of squares at the start is its unit: `gtol` is no absolute number then.
    """
    from scipy.optimize import least_squares

    unit = max(start.cost, 1e-300) ** 0.5
    last = [start]
    accepted = [start]
    lost: list[int] = []

    def at(theta: np.ndarray) -> Point:
        theta_P = torch.from_numpy(theta.copy())
        if moves(last[0].theta_P, theta_P):
            last[0] = Point.at(task, theta_P)
        return last[0]

    def residuals(theta: np.ndarray) -> Any:
        point = at(theta)
        if not point.finite:
            lost.append(1)
            if len(lost) > _LOST:
                raise ValueError  # trf would go on shortening its step to the last evaluation
            return torch.full_like(point.r_M, torch.nan).numpy()
        lost.clear()
        r_M = point.r_M
        return r_M.numpy() / unit

    def derivatives(theta: np.ndarray) -> Any:
        point = at(theta)
        if moves(accepted[-1].theta_P, point.theta_P) and point.cost < accepted[-1].cost:
            accepted.append(point)
            task.visit(point.theta_P)
        return point.J_MP.numpy() / unit

    bounds = (task.lower_P.numpy(), task.upper_P.numpy()) if task.bounded else (-np.inf, np.inf)
    tolerances = {key: value for key, value in task.options.items() if key in ("ftol", "xtol", "gtol")}
    # Where a step overflows, or LAPACK gives up: stay with what was found.
    with np.errstate(all="ignore"), suppress(ValueError, np.linalg.LinAlgError):
        least_squares(
            residuals,
            start.theta_P.numpy(),
            derivatives,
            bounds,
            method="trf",
            x_scale="jac",
            max_nfev=_EVALUATIONS,
            **tolerances,
        )
    return accepted[-1]


def _onto_bounds(task: Task, point: Point) -> Point:
    """A trust region comes close to a bound, and not onto it: there where that is no worse."""
    theta_P, gradient_P = point.theta_P, point.gradient_P
    reach_P = _NEAR * theta_P.abs().clamp(min=1.0)
    low_P, high_P = theta_P - task.lower_P <= reach_P, task.upper_P - theta_P <= reach_P
    onto_P = torch.where(low_P & (gradient_P > 0), task.lower_P, theta_P)
    onto_P = torch.where(high_P & (gradient_P < 0), task.upper_P, onto_P)
    return _better(task, point, onto_P) or point


def _better(task: Task, point: Point, theta_P: Tensor) -> Point | None:
    """The point at theta, visited, where it is another and not worse."""
    if not moves(point.theta_P, theta_P):
        return None
    found = Point.at(task, theta_P)
    if not (found.finite and found.cost <= point.cost):
        return None
    task.visit(theta_P)
    return found


def _finished(task: Task, point: Point, visit: Callable[[Tensor], None]) -> Point:
    """Gauss-Newton steps until they get no shorter: their length, in units of the columns', is what theta is off by.

    Near a minimum each comes to be a fixed share of the last, but for rounding (Björck 1996, section 9.2.1); the first
    few may be longer.
    """
    held_P = task.held(point.theta_P, point.gradient_P)
    step_P = gauss_newton(point, held_P)
    best, shortest, idle = point, float((point.lengths_P * step_P).norm()), 0
    for _ in range(_FINISH):
        theta_P = task.within(point.theta_P + step_P)
        if not moves(point.theta_P, theta_P):
            break
        found = Point.at(task, theta_P)
        if not found.finite or found.cost > best.cost * (1 + _SLACK):
            break
        point, step_P = found, gauss_newton(found, held_P)
        length = float((point.lengths_P * step_P).norm())
        if length < shortest:
            visit(theta_P)
            best, shortest, idle = point, length, 0
        elif (idle := idle + 1) == _IDLE:
            break
    return best


def gauss_newton(point: Point, held_P: Tensor, cutoff: float = 0.0) -> Tensor:
    """The step (P,) that solves min |J step + r| over the parameters that are not held, of several the shortest in
    units of the columns' lengths.

    cutoff  share of the largest singular value below which one is 0, rounding at least
    """
    lengths_P = point.lengths_P
    free = (~held_P & (lengths_P > 0)).nonzero()[:, 0]
    scaled_MF = point.J_MP[:, free] / lengths_P[free]
    cutoff = max(cutoff, torch.finfo(torch.float64).eps * max(scaled_MF.shape))
    solved = torch.linalg.lstsq(scaled_MF, -point.r_M[:, None], rcond=cutoff, driver="gelsd").solution[:, 0]
    step_P = torch.zeros_like(point.theta_P)
    step_P[free] = solved / lengths_P[free]
    return step_P
