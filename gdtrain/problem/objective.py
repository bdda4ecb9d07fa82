"""Objectives: theta_SP to the loss (S,) of each trial and its gradient (S, P)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from gdtrain.formula import Node
from gdtrain.formula.tape import Tape
from gdtrain.losses import Loss
from gdtrain.problem.predictors import Linear, Predictor, Rows
from gdtrain.threads import each


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


class ByRows(Objective, Protocol):
    """An objective that is a sum or a mean over rows of data."""

    def gradient_on(self, theta_SP: Tensor, rows: Rows) -> Tensor:
        """The gradient (S, P) of the same objective over some rows alone: a mean is over these, a sum of these."""
        ...


@dataclass(frozen=True)
class Block:
    """Some rows: their predictor, and their target as (1, N) or (1, N, T), or (S, N) or (S, N, T).

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

    def weighted(self, value: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Values and slopes of its elements, each as often as its row counts."""
        if self.weight is None:
            return value, slope
        of_classes = slope.dim() > value.dim()
        return value * self.weight, slope * (self.weight[..., None] if of_classes else self.weight)

    @property
    def elements(self) -> float:
        """What a mean over the block divides by; of weights that differ between trials their first."""
        each = self.elements_S1
        return each if isinstance(each, int) else float(each[0])

    @property
    def elements_S1(self) -> Tensor | int:
        """What a mean over the block divides by, of each trial: (S, 1), or one number for all."""
        if self.weight is None:
            return self.target[0].numel()
        targets = self.target.shape[2] if self.target.dim() == 3 else 1
        return self.weight.flatten(1).sum(1, keepdim=True) * targets


class DataLoss:
    """A loss of predictions against targets: sums over blocks of rows, divided once.

    cut     how many trials there are -> the blocks that suit so many: all of the rows, in one order
    pick    rows -> the block of these alone; None where neither `gradient_on` nor `on` is asked for
    target  of all rows, (N,) or (N, T), where it lies in one; None where only blocks have theirs

    A mean is over rows, each as often as its weight says, and over targets too where there are several, as in torch.
    """

    def __init__(
        self,
        cut: Callable[[int], Sequence[Block]],
        loss: Loss,
        pick: Callable[[Rows], Block] | None = None,
        target: Tensor | None = None,
    ) -> None:
        self._cut, self.loss, self._pick, self.target = cut, loss, pick, target
        blocks = cut(1)
        self.elements = sum(block.elements for block in blocks)
        divisor = self.elements if loss.reduction == "mean" else 1
        like = blocks[0].target  # torch divides by a tensor in half the time that a number takes
        self._value_divisor = like.new_tensor(divisor / loss.value_factor)
        self.slope_divisor = like.new_tensor(divisor / loss.slope_factor)
        self._undivided = divisor == loss.slope_factor
        self._elements = tuple(range(1, blocks[0].target.dim()))

    def loss_and_gradient(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        found = iter(each(lambda block: self._block(block, theta_SP), self._cut(len(theta_SP))))
        loss, gradient = next(found)
        for more_loss, more_gradient in found:  # as they come: small numbers that are kept hold large ones apart
            loss, gradient = loss + more_loss, gradient + more_gradient
        return loss / self._value_divisor, gradient if self._undivided else gradient / self.slope_divisor

    def gradient_on(self, theta_SP: Tensor, rows: Rows) -> Tensor:
        block = self.on(rows)
        prediction, saved = block.predict(theta_SP)
        _, slope = block.weighted(*self.loss.rule(prediction, block.target))
        gradient = block.predictor.backward(saved, slope)
        if self.loss.reduction == "sum":
            return gradient * self.loss.slope_factor
        return gradient * (self.loss.slope_factor / block.elements_S1)

    def on(self, rows: Rows) -> Block:
        """Some rows alone."""
        assert self._pick is not None
        return self._pick(rows)

    def _block(self, block: Block, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        prediction, saved = block.predict(theta_SP)
        value, slope = block.weighted(*self.loss.rule(prediction, block.target))
        return torch.sum(value, self._elements), block.predictor.backward(saved, slope)

    def hessian(self, theta_SP: Tensor) -> Tensor | None:
        """Its Hessian (S, P, P) where predictions are linear, of one target; else None."""
        blocks = self._cut(len(theta_SP))
        if blocks[0].target.dim() > 2 or not all(isinstance(block.predictor, Linear) for block in blocks):
            return None
        return cast(Tensor, sum(each(lambda block: self._curved(block, theta_SP), blocks))) / self.slope_divisor

    def _curved(self, block: Block, theta_SP: Tensor) -> Tensor:
        prediction, saved = block.predict(theta_SP)
        prediction = prediction.detach().requires_grad_()
        _, slope = block.weighted(*self.loss.rule(prediction, block.target))
        (derivative,) = torch.autograd.grad(slope.sum(), prediction, materialize_grads=True)
        return cast(Linear, block.predictor).hessian(saved, derivative)

    def terms(self, theta_SP: Tensor) -> Iterator[Tensor]:
        for block in self._cut(len(theta_SP)):
            prediction, _ = block.predict(theta_SP)
            value, _ = block.weighted(*self.loss.rule(prediction, block.target))
            yield value.sum(self._elements) / self._value_divisor

    def jacobians(self, theta_1P: Tensor) -> Iterator[Tensor]:
        for block in self._cut(1):
            jacobian = block.predictor.jacobian(theta_1P)
            if block.weight is not None:  # rows that count for nothing determine nothing
                weight_N = block.weight.flatten()
                jacobian = jacobian * weight_N.sqrt().repeat(len(jacobian) // len(weight_N))[:, None]
            yield jacobian

    def parts(self, most: int) -> Iterator[Block]:
        """The same, at most so many rows at once where they can be picked."""
        if self._pick is None:
            yield from self.blocks()
            return
        rows = sum(block.target.shape[1] for block in self.blocks())
        for first in range(0, rows, most):
            yield self._pick(slice(first, min(first + most, rows)))

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
