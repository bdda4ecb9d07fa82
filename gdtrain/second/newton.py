"""`newton`: steps by the Hessian, damped so that the loss never rises.

    (|H| + mu D^2) step = -g,    D^2 the largest scale of H so far

in the eigenvectors of D^-1 H D^-1, |H| being H with its eigenvalues taken without their signs (Greenstadt 1967): the
step leads downhill along each of them. mu is 0 where that lowers the loss; else it grows until a step does (Levenberg
1944, Marquardt 1963). Where the gradient vanishes and the curvature of some direction is negative, on a saddle or a
ridge, the step is along that direction.

Shapes: P parameters, F of them that no bound holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gdtrain.local.curvature import bends_down, units_of
from gdtrain.second import Task, moves, start_of
from gdtrain.second.hessian import NEGATIVE, hessian, rounding_of

_TRIES = 60  # dampings, each four times the last, for one step
_LEAVE = 4  # steps by which a saddle is left
_LEAST = 1e-3  # share of the largest eigenvalue that damping starts from
_ROUNDING = 1e-13  # share of the loss that a difference of two must pass to be one


@dataclass(frozen=True)
class _Place:
    """A point, with loss, gradient and Hessian there."""

    theta_P: Tensor
    value: float
    gradient_P: Tensor
    hessian_PP: Tensor

    @classmethod
    def at(cls, task: Task, theta_P: Tensor) -> _Place:
        return cls(theta_P, *task.value(theta_P), hessian(task, theta_P))

    @property
    def finite(self) -> bool:
        return math.isfinite(self.value) and bool(self.gradient_P.isfinite().all() & self.hessian_PP.isfinite().all())


def newton(task: Task) -> None:
    """Descend from the task's start until neither loss nor gradient falls.

    options  damping: mu at first, as a share of the largest eigenvalue
    """
    descend(task, start_of(task), damping=float(task.options["damping"]))


def descend(task: Task, theta_P: Tensor, *, damping: float = 0.0, steps: float = math.inf) -> Tensor:
    """At most so many of newton's steps from theta (P,), each visited: where they lead."""
    place, scale_P, taken = _Place.at(task, theta_P), torch.zeros_like(theta_P), 0
    while place.finite and taken < steps:
        scale_P = torch.maximum(scale_P, units_of(place.hessian_PP))
        found, damping = _stepped(task, place, scale_P, damping)
        if found is None:
            break
        task.visit(found.theta_P)
        place, taken = found, taken + 1
    return place.theta_P


def falls_away(task: Task, theta_P: Tensor) -> bool:
    """Whether the curvature along some direction within the bounds is clearly negative: a rest there is no minimum."""
    place = _Place.at(task, theta_P)
    free = (~task.held(theta_P, place.gradient_P)).nonzero()[:, 0]
    if not place.finite or not len(free):
        return False
    return bends_down(place.hessian_PP[free][:, free])


def leave(task: Task, theta_P: Tensor, gain: float) -> Tensor | None:
    """Where a few such steps lead from a point at which another method stopped, off a saddle too; None where they lower
    the loss by no more than `gain`.
    """
    place = first = _Place.at(task, theta_P)
    for _ in range(_LEAVE if place.finite else 0):
        found, _ = _stepped(task, place, units_of(place.hessian_PP), 0.0)
        if found is None:
            return None
        if first.value - found.value > gain:
            return found.theta_P
        place = found
    return None


def _stepped(task: Task, place: _Place, scale_P: Tensor, damping: float) -> tuple[_Place | None, float]:
    """The next place and its damping; None where no step leads lower."""
    free = (~task.held(place.theta_P, place.gradient_P)).nonzero()[:, 0]
    unit_F = scale_P[free]
    scaled_FF = place.hessian_PP[free][:, free] / unit_F[:, None] / unit_F
    if not len(free) or not bool(scaled_FF.isfinite().all()):
        return None, damping
    eigenvalues_F, vectors_FF = torch.linalg.eigh(scaled_FF)
    slope_F = vectors_FF.mT @ (place.gradient_P[free] / unit_F)
    largest, least = float(eigenvalues_F.abs().max()), float(eigenvalues_F.min())
    if largest == 0:
        largest = 1.0
    steep_F = eigenvalues_F.abs().clamp(min=NEGATIVE * largest) if least < 0 else eigenvalues_F
    for _ in range(_TRIES):
        step_P = torch.zeros_like(place.theta_P)
        along_F = torch.where(slope_F == 0, 0.0, slope_F / (steep_F + damping * largest))
        step_P[free] = -(vectors_FF @ along_F) / unit_F
        if (found := _lower(task, place, step_P)) is not None:
            return found, damping / 8 if damping > _LEAST / 64 else 0.0
        damping = max(4 * damping, _LEAST)
    if least < -NEGATIVE * largest and bool((place.gradient_P[free].abs() <= _flat(place)[free]).all()):
        return _away(task, place, free, vectors_FF[:, 0] / unit_F), 0.0
    return None, damping


def _flat(place: _Place) -> Tensor:
    """Components of a gradient that are none but for rounding."""
    return rounding_of(place.hessian_PP, place.theta_P) + 1e-12 * max(1.0, abs(place.value))


def _lower(task: Task, place: _Place, step_P: Tensor) -> _Place | None:
    """The place after a step where the loss is lower; or where it is no higher but for rounding, and the gradient
    less.
    """
    theta_P = task.within(place.theta_P + step_P)
    if not bool(theta_P.isfinite().all()) or not moves(place.theta_P, theta_P):
        return None
    value, gradient_P = task.value(theta_P)
    slack = _ROUNDING * abs(place.value)
    held_P = task.held(theta_P, gradient_P)
    less = float(gradient_P.masked_fill(held_P, 0.0).norm()) < 0.5 * float(
        place.gradient_P.masked_fill(task.held(place.theta_P, place.gradient_P), 0.0).norm()
    )
    if not (value < place.value - slack or (value <= place.value + slack and less)):
        return None
    found = _Place(theta_P, value, gradient_P, hessian(task, theta_P))
    return found if found.finite else None


def _away(task: Task, place: _Place, free: Tensor, direction_F: Tensor) -> _Place | None:
    """The place along a direction of negative curvature, either way, where the loss is lower."""
    for length in (2.0**-k for k in range(40)):
        for sign in (1.0, -1.0):
            step_P = torch.zeros_like(place.theta_P)
            step_P[free] = sign * length * direction_F
            if (found := _lower(task, place, step_P)) is not None:
                return found
    return None
