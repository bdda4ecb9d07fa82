"""Losses: how far predictions are from their targets, as one number for each trial.

A loss gives every element its value and the derivative of that value in the prediction. It is reduced to a
weighted sum and a weight, both (S,), divided once: those of blocks, folds and processes add up exactly.

    loss      reduction  value of an element, r = prediction - target
    mse       mean       r^2
    half_sse  sum        r^2 / 2
    sse       sum        r^2
    mae       mean       |r|
    huber     mean       r^2 / 2 where |r| <= delta, else delta * (|r| - delta/2)

A mean is over rows, and over targets too where there are several, as in `torch.nn`.

Shapes: S trials, N rows, T targets. A prediction is (S, N) or (S, N, T); its target has the same shape, or
where trials share it (N,), (1, N), (N, T) or (1, N, T). Nothing else is broadcast: an (N, 1) target beside
(N,) predictions would compare every row with every other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

Number = float | Tensor  # one for all trials, or (S, 1): one for each
Pointwise = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss. `value_and_slope(prediction, target)` gives both for each element of the prediction.

    Raises ValueError where the shapes would broadcast. Values may be differentiated by autograd.

    steepness  the derivative is so many times the slope: a factor that is applied to sums, not to every row
    """

    name: str
    reduction: Literal["mean", "sum"]
    value_and_slope: Pointwise
    steepness: float = 1.0

    def value(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The value of each element."""
        return self.value_and_slope(prediction, target)[0]

    def derivative(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The derivative of each element's value in its prediction."""
        return self.value_and_slope(prediction, target)[1] * self.steepness

    def reduce(self, sum_S: Tensor, weight_S: Tensor) -> Tensor:
        """The loss (S,) from the sum of its values and their weight; gradients are reduced alike."""
        return sum_S / weight_S if self.reduction == "mean" else sum_S


def build(name: str, options: Mapping[str, Any]) -> Loss:
    """The loss `name` with its options: `delta` for huber, a number or a tensor (S, 1).

    An unknown name is a KeyError, an unknown option a TypeError: both have been refused with the experiment.
    """
    return LOSSES[name](**options)


def total(loss: Loss, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The weighted sum of the values and the weight, both (S,).

    weight  of each row, (N,) or (S, N); 1 unless given. A row with several targets counts once for each.
    """
    value = loss.value(prediction, target)
    if weight is None:
        elements = value[0].numel()
        return value.flatten(1).sum(-1), value.new_full((len(value),), elements)
    weight = weight.expand(prediction.shape[:2])
    if value.dim() == 3:
        weight = weight[..., None].expand_as(value)
    return (value * weight).flatten(1).sum(-1), weight.flatten(1).sum(-1)


def mse() -> Loss:
    """Mean of r^2: no 1/2, divided by the number of elements. Derivative 2r."""
    return Loss("mse", "mean", _of_residual(_square), steepness=2.0)


def half_sse() -> Loss:
    """Sum of r^2 / 2, not divided. Derivative r."""
    return Loss("half_sse", "sum", _of_residual(_half_square))


def sse() -> Loss:
    """Sum of r^2: no 1/2, not divided. Derivative 2r."""
    return Loss("sse", "sum", _of_residual(_square), steepness=2.0)


def mae() -> Loss:
    """Mean of |r|. Derivative sign(r), 0 at 0."""
    return Loss("mae", "mean", _of_residual(lambda r: (r.abs(), r.sign())))


def huber(*, delta: Number = 1.0) -> Loss:
    """Mean of r^2 / 2 up to |r| = delta and delta * (|r| - delta/2) beyond, as in torch.nn.HuberLoss.

    Derivative r, held within delta. Huber 1964.
    """

    def rule(r: Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(delta, Tensor):
            bound = delta.reshape(-1, *[1] * (r.dim() - 1))
            held = r.clamp(-bound, bound)
        else:
            held = r.clamp(-delta, delta)
        return held * torch.sub(r, held, alpha=0.5), held

    return Loss("huber", "mean", _of_residual(rule))


LOSSES: dict[str, Callable[..., Loss]] = {
    "mse": mse,
    "half_sse": half_sse,
    "sse": sse,
    "mae": mae,
    "huber": huber,
}


def _square(r: Tensor) -> tuple[Tensor, Tensor]:
    return r * r, r


def _half_square(r: Tensor) -> tuple[Tensor, Tensor]:
    return (r * r).mul_(0.5), r


def _of_residual(rule: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Pointwise:
    """A loss of r = prediction - target, from the rule for r."""

    def value_and_slope(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        if prediction.shape != target.shape:
            _refuse_broadcast(prediction, target)
        return rule(prediction - target)

    return value_and_slope


def _refuse_broadcast(prediction: Tensor, target: Tensor) -> None:
    rows = prediction.shape[1:]
    shared = target.shape == rows or target.shape == (1, *rows)
    if prediction.dim() < 2 or not shared:
        shapes = tuple(prediction.shape), tuple(target.shape)
        raise ValueError("a prediction of shape {} does not fit a target of shape {}".format(*shapes))
