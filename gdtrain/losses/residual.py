"""Losses of a residual r = prediction - target."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gdtrain.losses.loss import Loss, Number, Pointwise, per_trial, require_shape


def mse() -> Loss:
    """Mean of r^2: no 1/2, divided by the number of elements. Derivative 2r."""
    return Loss("mse", "mean", _of_residual(_square), slope_factor=2.0)


def half_sse() -> Loss:
    """Sum of r^2 / 2, not divided. Derivative r."""
    return Loss("half_sse", "sum", _of_residual(_square), value_factor=0.5)


def sse() -> Loss:
    """Sum of r^2: no 1/2, not divided. Derivative 2r."""
    return Loss("sse", "sum", _of_residual(_square), slope_factor=2.0)


def mae() -> Loss:
    """Mean of |r|. Derivative sign(r), 0 at 0."""
    return Loss("mae", "mean", _of_residual(lambda r: (r.abs(), r.sign())))


def huber(*, delta: Number = 1.0) -> Loss:
    """Mean of r^2 / 2 up to |r| = delta and delta * (|r| - delta/2) beyond, as in torch.nn.HuberLoss.

    Derivative r, held within delta. Huber 1964.
    """

    def rule(r: Tensor) -> tuple[Tensor, Tensor]:
        bound: Any = per_trial(delta, r)
        held = r.clamp(-bound, bound)
        return held * torch.sub(r, held, alpha=0.5), held

    return Loss("huber", "mean", _of_residual(rule))


def logcosh() -> Loss:
    """Mean of log(cosh(r)): r^2 / 2 near 0, |r| - log 2 far from it. Derivative tanh(r).

    To all digits near 0, where it is log1p(sinh(r)^2) / 2, and without overflow far from it.
    """

    def rule(r: Tensor) -> tuple[Tensor, Tensor]:
        size = r.abs()
        near = torch.log1p(torch.sinh(r.clamp(-1.0, 1.0)).square()) / 2
        far = size + torch.log1p(torch.exp(-2 * size)) - math.log(2)
        return torch.where(size < 1, near, far), torch.tanh(r)

    return Loss("logcosh", "mean", _of_residual(rule))


def quantile(*, q: Number = 0.5) -> Loss:
    """Mean of the pinball loss: q * |r| where the prediction is too low, (1 - q) * |r| where it is too high.

    Its minimum is the quantile q of the target, 0 < q < 1; q = 0.5 is half of `mae`. Derivative -q below and 1 - q
    above, 1/2 - q at r = 0, half way between the two, as autograd has it. Koenker and Bassett 1978.
    """

    def rule(r: Tensor) -> tuple[Tensor, Tensor]:
        slope = r.sign() / 2 + (0.5 - per_trial(q, r))
        return slope * r, slope

    return Loss("quantile", "mean", _of_residual(rule))


def _square(r: Tensor) -> tuple[Tensor, Tensor]:
    return r * r, r


def _of_residual(rule: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Pointwise:
    """A loss of r = prediction - target, from the rule for r."""

    def value_and_derivative(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        require_shape(prediction, target)
        return rule(prediction - target)

    return value_and_derivative
