"""What a loss is: a rule for each element, how it is reduced, and what its users need to know of it.

Shapes: S trials, N rows, T targets, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Number = float | Tensor  # one for all trials, or (S, 1): one for each
Pointwise = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def identity(prediction: Tensor) -> Tensor:
    """The prediction itself."""
    return prediction


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of each element of the prediction, and its derivative in it.

    rule          (prediction, target) -> value and derivative of each element, but for the two factors: what holds for
                  every element alike is cheaper to multiply by once they are summed. Weights of rows are no part of it
    value_factor, slope_factor  powers of two, so that they round nothing
    inverse       of the link: from the prediction, which is linear in the weights of `regress`, to what is reported,
                  on the scale of the target: a mean, a probability
    fits          target -> whether each of its values is one that the loss can be had of; None where any number is
    takes         such values in words, and `remedy` what to do with others

    A loss of a residual has no link: its `inverse` is the identity. `rule` raises ValueError where the shapes would
    broadcast. Values may be differentiated by autograd.
    """

    name: str
    reduction: Literal["mean", "sum"]
    rule: Pointwise
    value_factor: float = 1.0
    slope_factor: float = 1.0
    inverse: Callable[[Tensor], Tensor] = identity
    fits: Callable[[Tensor], Tensor] | None = None
    takes: str = "any number"
    remedy: str = ""

    @property
    def linked(self) -> bool:
        """Whether predictions are not on the scale of the target until `inverse` brings them there."""
        return self.inverse is not identity

    def value_and_derivative(self, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Both for each element; of a loss over classes the value (S, N), the derivative (S, N, K)."""
        value, slope = self.rule(prediction, target)
        return value * self.value_factor, slope * self.slope_factor

    def value(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The value of each element."""
        return self.value_and_derivative(prediction, target)[0]

    def derivative(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The derivative of each element's value in its prediction."""
        return self.value_and_derivative(prediction, target)[1]

    def reduce(self, sum_S: Tensor, weight_S: Tensor) -> Tensor:
        """The loss (S,) from the sum of its values and their weight; gradients are reduced alike."""
        return sum_S / weight_S if self.reduction == "mean" else sum_S


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


def per_trial(option: Number, like: Tensor) -> Number:
    """An option as what an element of `like` (S, N) or (S, N, T) can be multiplied by."""
    return option.reshape(-1, *[1] * (like.dim() - 1)) if isinstance(option, Tensor) else option


def require_shape(prediction: Tensor, target: Tensor) -> None:
    """Raise ValueError unless the target is the prediction's, element by element, or shared by its trials."""
    if prediction.shape != target.shape:
        _refuse_broadcast(prediction, prediction.shape, target)


def require_rows(prediction: Tensor, target: Tensor) -> None:
    """Raise ValueError unless a target (S, N), (1, N) or (N,) has a row for each of a prediction (S, N, K)."""
    if prediction.dim() != 3 or target.shape != prediction.shape[:2]:
        _refuse_broadcast(prediction, prediction.shape[:2] if prediction.dim() == 3 else torch.Size(), target)


def _refuse_broadcast(prediction: Tensor, elements: torch.Size, target: Tensor) -> None:
    rows = elements[1:]
    shared = target.shape == rows or target.shape == (1, *rows)
    if len(elements) < 2 or not shared:
        shapes = tuple(prediction.shape), tuple(target.shape)
        raise ValueError("a prediction of shape {} does not fit a target of shape {}".format(*shapes))
