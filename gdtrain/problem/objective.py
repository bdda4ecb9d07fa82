"""Objectives: theta_SP to the loss (S,) of each trial and its gradient (S, P)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from gdtrain.formula import Node
from gdtrain.formula.tape import Tape
from gdtrain.losses import Loss
from gdtrain.problem.predictors import Predictor


class Objective(Protocol):
    """What is descended. `loss_and_gradient` builds no graph; `terms` may be differentiated by autograd."""

    def loss_and_gradient(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        """Loss (S,) and its gradient (S, P)."""
        ...

    def terms(self, theta_SP: Tensor) -> Iterator[Tensor]:
        """Terms (S,), one for each block of rows, that add up to the loss."""
        ...

    def jacobians(self, theta_1P: Tensor) -> Iterator[Tensor]:
        """Derivatives of the residuals, (rows, P) for each block; nothing where there are no residuals."""
        ...


@dataclass(frozen=True)
class Block:
    """Some rows: their predictor, and their target as (1, N) or (1, N, T).

    weight  how often each row counts, (1, N) or (S, N), with a last axis of 1 where there are several targets
    offset  what is added to the predictions, shaped as `weight`
    """

    predictor: Predictor
    target: Tensor
    weight: Tensor | None = None
    offset: Tensor | None = None

    def predict(self, theta_SP: Tensor) -> tuple[Tensor, Any]:
        """The predictor's `forward` with the offset added."""
        prediction, saved = self.predictor.forward(theta_SP)
        return (prediction if self.offset is None else prediction + self.offset), saved

    @property
    def elements(self) -> float:
        """What a mean over the block divides by; of weights that differ between trials their first."""
        if self.weight is None:
            return self.target.numel()
        return float(self.weight[0].sum()) * (self.target.shape[2] if self.target.dim() == 3 else 1)


class DataLoss:
    """A loss of predictions against targets: sums over blocks of rows, divided once.

    cut   how many trials there are -> the blocks that suit so many: all of the rows, in one order

    A mean is over rows, each as often as its weight says, and over targets too where there are several, as in torch.
    """

    def __init__(self, cut: Callable[[int], Sequence[Block]], loss: Loss) -> None:
        self._cut, self.loss = cut, loss
        blocks = cut(1)
        self.elements = sum(block.elements for block in blocks)
        divisor = self.elements if loss.reduction == "mean" else 1
        like = blocks[0].target  # torch divides by a tensor in half the time that a number takes
        self._value_divisor = like.new_tensor(divisor / loss.value_factor)
        self._slope_divisor = like.new_tensor(divisor / loss.slope_factor)
        self._undivided = divisor == loss.slope_factor
        self._elements = tuple(range(1, blocks[0].target.dim()))

    def loss_and_gradient(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        first, *others = self._cut(len(theta_SP))
        loss, gradient = self._block(first, theta_SP)
        for block in others:
            more_loss, more_gradient = self._block(block, theta_SP)
            loss, gradient = loss + more_loss, gradient + more_gradient
        return loss / self._value_divisor, gradient if self._undivided else gradient / self._slope_divisor

    def _block(self, block: Block, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        prediction, saved = block.predict(theta_SP)
        value, slope = self.loss.rule(prediction, block.target)
        if block.weight is not None:
            of_classes = slope.dim() > value.dim()
            value = value * block.weight
            slope = slope * (block.weight[..., None] if of_classes else block.weight)
        return torch.sum(value, self._elements), block.predictor.backward(saved, slope)

    def terms(self, theta_SP: Tensor) -> Iterator[Tensor]:
        for block in self._cut(len(theta_SP)):
            prediction, _ = block.predict(theta_SP)
            value, _ = self.loss.rule(prediction, block.target)
            value = value if block.weight is None else value * block.weight
            yield value.sum(self._elements) / self._value_divisor

    def jacobians(self, theta_1P: Tensor) -> Iterator[Tensor]:
        for block in self._cut(1):
            jacobian = block.predictor.jacobian(theta_1P)
            if block.weight is not None:  # rows that count for nothing determine nothing
                weight_N = block.weight.flatten()
                jacobian = jacobian * weight_N.sqrt().repeat(len(jacobian) // len(weight_N))[:, None]
            yield jacobian

    def blocks(self) -> Sequence[Block]:
        """All of the rows, in one order."""
        return self._cut(1)


class Expression:
    """The value of an expression is the loss; columns, where it has any, are reduced by `sum` or `mean`."""

    def __init__(self, tree: Node, parameters: Sequence[str], columns: Mapping[str, Tensor], like: Tensor) -> None:
        self._tape = Tape([tree], parameters).bind(columns, like=like)

    def loss_and_gradient(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        (value,), saved = self._tape.forward(theta_SP)
        return value[:, 0], self._tape.backward(saved, [torch.ones_like(value)])

    def terms(self, theta_SP: Tensor) -> Iterator[Tensor]:
        (value,), _ = self._tape.forward(theta_SP)
        yield value[:, 0]

    def jacobians(self, theta_1P: Tensor) -> Iterator[Tensor]:
        return iter(())
