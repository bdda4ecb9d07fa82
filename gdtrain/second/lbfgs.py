"""`lbfgs`: quasi-Newton steps from the gradients of past ones, along which strong Wolfe conditions hold.

scipy's L-BFGS-B (Byrd, Lu, Nocedal and Zhu 1995; line search of Moré and Thuente 1994), which takes bounds. Parameters
are measured in units in which the Hessian's diagonal is 1 where the search starts: descent would hardly move one whose
curvature is a millionth of another's. Where it stops, it starts anew in the units of that place, until that gains
nothing; on a saddle, by a step of `newton` off it. The last digits, which a difference of losses does not show, are
those of a few steps of `newton`, or of a step onto a corner of the loss.

Shapes: P parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gdtrain.second import Task, moves, start_of
from gdtrain.second.corners import has_corners, round_corners
from gdtrain.second.hessian import DENSE, hessian
from gdtrain.second.newton import descend, leave

_AGAIN = 20  # searches at most
_FINISH = 5  # steps of newton
_LINE = 60  # evaluations of a line search: a step into nowhere is shortened so often
_GAIN = 1e-12  # share of the loss from which a new search gains something
_OF_ALL = 1e-20  # share of the loss at the start that a step off a saddle must gain
_NOTHING = 1e-40  # share of the loss at the start: so little is none, and what is lower still is no better
_WIDEST = 1e6  # ratio of units up to which the curvature at one place is believed


def lbfgs(task: Task) -> None:
    """Descend from the task's start until no step lowers the objective.

    options  history_size, tolerance_grad, tolerance_change as `torch.optim.LBFGS` has them
    """
    theta_P = start_of(task)
    first, _ = task.value(theta_P)
    value = first
    for _ in range(_AGAIN):
        search = _Search(task, theta_P, _units(task, theta_P), first)
        search.carry_out()
        theta_P, before, value = search.last_P, value, search.last_value
        if before - value > _GAIN * abs(before) and abs(value) > _NOTHING * abs(first):
            continue
        if has_corners(task):
            break
        there_P = leave(task, theta_P, max(_GAIN * abs(value), _OF_ALL * abs(first))) if len(theta_P) <= DENSE else None
        if there_P is None:
            break
        task.visit(there_P)
        theta_P, value = there_P, task.value(there_P)[0]
    if len(theta_P) > DENSE or abs(value) <= _NOTHING * abs(first):
        return
    if has_corners(task):
        round_corners(task, theta_P)
    else:
        descend(task, theta_P, steps=_FINISH)


def _units(task: Task, theta_P: Tensor) -> Tensor:
    """Steps (P,) along which the curvature is alike, none by far the longest; 1 where it is not known."""
    ones_P = torch.ones_like(theta_P)
    if len(theta_P) > DENSE:
        return ones_P
    steep_P = hessian(task, theta_P).diagonal().abs()
    if not bool(steep_P.isfinite().all()) or not bool((steep_P > 0).any()):
        return ones_P
    return steep_P.clamp(min=float(steep_P.max()) / _WIDEST**2).rsqrt()


@dataclass
class _Best:
    """The point that counts: loss and gradient there."""

    theta_P: Tensor
    value: float
    gradient_P: Tensor


class _Search:
    """One run of L-BFGS-B from a point."""

    def __init__(self, task: Task, theta_P: Tensor, units_P: Tensor, first: float) -> None:
        self._task, self._units_P, self._first = task, units_P, abs(first)
        value, gradient_P = task.value(theta_P)
        self._best = _Best(theta_P, value, gradient_P)
        # The loss is measured in: tolerances and the first step depend on it. It may be 0 here by chance.
        self._unit = max(abs(value), float((gradient_P * units_P).square().sum()), 1e-300)

    @property
    def last_P(self) -> Tensor:
        return self._best.theta_P

    @property
    def last_value(self) -> float:
        return self._best.value

    def carry_out(self) -> None:
        from scipy.optimize import minimize

        task, options = self._task, self._task.options
        lower, upper = ((bound_P / self._units_P).numpy() for bound_P in (task.lower_P, task.upper_P))
        with np.errstate(all="ignore"):
            minimize(
                self._value,
                (self.last_P / self._units_P).numpy(),
                jac=True,
                method="L-BFGS-B",
                bounds=np.stack([lower, upper], 1) if task.bounded else None,
                callback=self._arrived,
                options={
                    "maxcor": int(options["history_size"]),
                    "gtol": options["tolerance_grad"] / self._unit,
                    "ftol": options["tolerance_change"],
                    "maxiter": 10**9,
                    "maxfun": 10**9,
                    "maxls": _LINE,
                },
            )

    def _theta(self, point: np.ndarray) -> Tensor:
        return self._task.within(torch.from_numpy(point.copy()) * self._units_P)

    def _value(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Loss and gradient. Where they are no numbers: those of a slope that leads back to the last point."""
        theta_P = self._theta(point)
        value, gradient_P = self._task.value(theta_P)
        if not (math.isfinite(value) and bool(gradient_P.isfinite().all())):
            best = self._best
            rise = float((best.gradient_P * (theta_P - best.theta_P)).sum())
            value, gradient_P = best.value + abs(rise), -best.gradient_P
        scaled: np.ndarray = (gradient_P * self._units_P / self._unit).numpy()
        return value / self._unit, scaled

    def _arrived(self, point: np.ndarray) -> None:
        """At the end of a line search."""
        theta_P = self._theta(point)
        value, gradient_P = self._task.value(theta_P)
        if moves(self.last_P, theta_P) and value <= self.last_value:
            self._best = _Best(theta_P, value, gradient_P)
            self._task.visit(theta_P)
            if abs(value) <= _NOTHING * self._first:
                raise StopIteration
