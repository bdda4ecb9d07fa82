"""Clipping: gradients that are too long are shortened before the optimizer sees them.

A clipped rule is the rule with another gradient: weight decay is added after it, as in torch, where the gradient is
clipped between `backward` and `step`.

Shapes: S trials, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gdtrain.optimizers.rules import Optimizer, State

Clip = Callable[[Tensor], Tensor]  # gradient (S, P) -> one that is no longer
_EPS = 1e-6  # torch's


def norm(most: float) -> Clip:
    """Each trial's gradient times most / (its norm + 1e-6) where that is below 1, as torch.nn.utils.clip_grad_norm_."""

    def clip(gradient: Tensor) -> Tensor:
        length: Tensor = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
        return gradient * (most / (length + _EPS)).clamp_(max=1.0)

    return clip


def value(most: float) -> Clip:
    """Each component within -most and most, as torch.nn.utils.clip_grad_value_."""
    return lambda gradient: gradient.clamp(-most, most)


CLIPS: dict[str, Callable[[float], Clip]] = {"norm": norm, "value": value}


def clipped(rule: Optimizer, clip: Clip) -> Optimizer:
    """`rule` on clipped gradients."""

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        return rule.update(state, theta, clip(gradient), lr)

    take = rule.take
    return rule._replace(update=update, take=None if take is None else lambda rows: clipped(take(rows), clip))
