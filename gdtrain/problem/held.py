"""The loss over rows that are held out, at many theta at once.

Shapes: P trained parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gdtrain.problem.problem import Problem

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
