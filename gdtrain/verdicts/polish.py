"""The last steps of a descent: from where it ended to the minimum nearby, to the last digits.

A loss that is quadratic has its minimum in closed form. Others take Gauss and Newton's steps on QR, each halved until
it raises nothing; where these gain too little, or there are no residuals, those of `newton`. Each step is an epoch
more.
Weight decay, which is the optimizer's, is left behind: what is brought to its minimum is the loss, with its penalty.

Shapes: P trained parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gdtrain.engines.states import End, gradient_norm
from gdtrain.experiment.schema import Experiment
from gdtrain.local.nearby import has_curvature, nearby
from gdtrain.planning.plan import Plan
from gdtrain.second import Over
from gdtrain.second.newton import newton
from gdtrain.second.walk import task_of

_STEPS = 100
_HALVINGS = 40
_SETTLED = 1e-15  # a step this small beside the parameters changes no digit
_SMALL = 1e-6  # from here on a step that is not much smaller than the last is a rounding error
_GAIN, _NEAR = 0.1, 0.1  # near the minimum a step that is longer than so much of the last gains too little
_FLOOR = 1e-10  # shorter steps of Newton's own lose more digits to its squared condition than they gain
_ROUNDING = 1e-13  # share of a loss, and of the squares that it is the difference of
_UNDAMPED: Mapping[str, Any] = {"damping": 0.0}


def polish(experiment: Experiment, plan: Plan, reads: Mapping[int, Sequence[End]]) -> dict[tuple[int, int], list[End]]:
    """The steps after each trial's end, by its number and the epoch that was its last; {} unless they are asked for."""
    if not experiment.train.polish:
        return {}
    options = experiment.loss.options if experiment.loss else {}
    steps = {
        (s, epochs): polished(plan.trial(s, epochs), end, options)
        for epochs, ends in reads.items()
        for s, end in enumerate(ends)
    }
    return {key: states for key, states in steps.items() if states}


def polished(plan: Plan, end: End, options: Mapping[str, float]) -> list[End]:
    """The states after each step from the end of a plan of one trial; none where it cannot be left for the better.

    options  of the loss
    """
    if end.reason in ("nonfinite", "interrupted") or plan.sparse or not bool(end.theta_P.isfinite().all()):
        return []
    states: list[End] = []

    def visit(theta_P: Tensor) -> None:
        states.append(_state(plan, states[-1] if states else end, theta_P.to(end.theta_P)))
        if len(states) >= _STEPS:
            raise Over

    with suppress(Over), torch.no_grad():
        arrived = _stepped(plan, end, options, visit) if plan.quadratic is None else _solved(plan, end, visit)
        if not arrived:
            there_P = states[-1].theta_P if states else end.theta_P
            newton(task_of(plan.problem.objective, plan.penalty, there_P, plan.bounds, _UNDAMPED, visit))
    return states


def _solved(plan: Plan, end: End, visit: Callable[[Tensor], None]) -> bool:
    """The minimum of a quadratic loss itself, of several the nearest; False where it lies beyond a bound."""
    assert plan.quadratic is not None
    theta_P = plan.quadratic.solution(end.theta_P.double()).to(end.theta_P) + 0.0  # no -0
    if plan.bounds is not None and not torch.equal(theta_P, theta_P.clamp(*plan.bounds)):
        return False
    if bool(theta_P.isfinite().all()) and not torch.equal(theta_P, end.theta_P):
        visit(theta_P)
    return True


def _stepped(plan: Plan, end: End, options: Mapping[str, float], visit: Callable[[Tensor], None]) -> bool:
    """Gauss and Newton's steps, and whether they came to the last digits; False where Newton's own are due."""
    theta_P, loss, last = end.theta_P.clone(), _loss(plan, end.theta_P), math.inf
    if plan.penalty is not None or not has_curvature(plan.problem):
        return False
    while (step_P := _gauss_newton(plan, theta_P, options)) is not None:
        size = _size(step_P, theta_P)
        if max(_FLOOR, _GAIN * last) < size < _NEAR:
            return False
        if size <= _SETTLED or (size < _SMALL and size > last / 2):
            return True
        found = _shortened(plan, theta_P, step_P, loss)
        if found is None:
            return False
        theta_P, loss = found
        last = size
        visit(theta_P)
    return False


def _gauss_newton(plan: Plan, theta_P: Tensor, options: Mapping[str, float]) -> Tensor | None:
    """None where a direction is not determined, or the step leads beyond a bound."""
    parts = nearby(plan.problem, theta_P, options)
    if not all(part.squares.finite and part.full for part in parts):
        return None
    step_P = torch.zeros_like(theta_P)
    for part in parts:
        step_P[part.index] = part.step.to(theta_P)
    there_P = theta_P + step_P
    within = plan.bounds is None or torch.equal(there_P, there_P.clamp(*plan.bounds))
    return step_P if within and bool(step_P.isfinite().all()) else None


def _shortened(plan: Plan, theta_P: Tensor, step_P: Tensor, loss: float) -> tuple[Tensor, float] | None:
    """The point that a step leads to, halved until it raises nothing; None where it never does."""
    for _ in range(_HALVINGS):
        tried_P = theta_P + step_P
        tried = _loss(plan, tried_P)
        if tried <= loss + _ROUNDING * (abs(loss) + math.sqrt(abs(loss) * plan.problem.loss_scale)):
            return (tried_P, tried) if not torch.equal(tried_P, theta_P) else None
        step_P = step_P / 2
    return None


def _size(step_P: Tensor, theta_P: Tensor) -> float:
    return float((step_P.abs() / theta_P.abs().clamp(min=1e-300)).max())


def _loss(plan: Plan, theta_P: Tensor) -> float:
    loss_1, _ = plan.smooth.loss_and_gradient(theta_P[None])
    return float(loss_1[0])


def _state(plan: Plan, before: End, theta_P: Tensor) -> End:
    loss_1, gradient_1P = plan.problem.objective.loss_and_gradient(theta_P[None])
    penalty = 0.0 if plan.penalty is None else float(plan.penalty.value(theta_P[None])[0])
    return replace(
        before,
        epoch=before.epoch + 1,
        loss=float(loss_1[0]),
        theta_P=theta_P,
        gradient_P=gradient_1P[0],
        norm=float(gradient_norm(theta_P[None], gradient_1P, plan.bounds, 0.0, plan.penalty)[0]),
        before=before.objective,
        penalty=penalty,
    )
