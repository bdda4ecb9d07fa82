"""The loss over rows that are held out, at many theta at once.

Shapes: P trained parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gdtrain.metrics import Metrics
from gdtrain.problem.measured import metrics_at
from gdtrain.problem.objective import DataLoss
from gdtrain.problem.problem import Problem
from gdtrain.problem.quadratic import Quadratic

_NUMBERS = 1 << 22  # predictions of a block of rows that are worked out at once: 32 MB
_BLOCK = 1 << 15  # rows of a block at most


def held_loss(problem: Problem, theta: Tensor) -> Tensor:
    """The loss (...,) over the rows that a problem holds out, at theta (..., P)."""
    assert problem.held is not None
    held = problem.held
    rows = 1 if held.gathered else min(held.rows, _BLOCK) * max(1, len(held.targets), len(held.classes))
    few = max(1, _NUMBERS // max(rows, theta.shape[-1]))
    each = theta.reshape(-1, theta.shape[-1])
    losses = [sum(held.objective.terms(some), each.new_zeros(())) for some in torch.split(each, few)]
    return torch.cat(losses).reshape(theta.shape[:-1]) if losses else theta.new_zeros(theta.shape[:-1])


def held_size(problem: Problem) -> float | None:
    """What the held-out rows count for in a mean; None where the loss is a sum."""
    held = problem.held
    if held is None or held.loss is None or held.loss.reduction != "mean":
        return None
    if isinstance(held.objective, Quadratic):
        return held.loss.value_factor / held.objective.scale
    return held.objective.elements if isinstance(held.objective, DataLoss) else None


def held_metrics(problem: Problem, theta_P: Tensor) -> Metrics:
    """The metrics of the held-out rows, R2 about their own mean; none adjusted, for they trained nothing."""
    found = {} if problem.held is None else metrics_at(problem.held, theta_P)
    return unadjusted(found)


def unadjusted(found: Metrics) -> Metrics:
    """Metrics of rows that trained nothing."""
    each = {name: unadjusted(metrics) for name, metrics in found.get("targets", {}).items()}
    targets = {"targets": each} if each else {}
    return {name: value for name, value in found.items() if name != "adjusted_r2"} | targets
