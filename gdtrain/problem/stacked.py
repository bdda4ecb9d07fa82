"""Losses over rows of their own, walked side by side: each trial has the rows, targets and weights of its problem.

Shapes: S trials, L problems, P trained parameters, B rows of the longest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gdtrain.losses import Loss
from gdtrain.problem.objective import Block, DataLoss, Objective, per_element
from gdtrain.problem.predictors import Stackable


@dataclass(frozen=True, eq=False)
class Stacked:
    """The loss of each of S trials over rows of its own.

    block   (S, B): rows that are fewer are filled up with their last
    filled  which of them those are, shaped as a weight; None where there are none
    value_divisor_S, slope_divisor_S1  what sums of values and of slopes are divided by
    """

    loss: Loss
    block: Block
    filled: Tensor | None
    value_divisor_S: Tensor
    slope_divisor_S1: Tensor

    @classmethod
    def of(cls, objectives: Sequence[Objective]) -> Stacked | None:
        """One trial for each objective; None where they cannot be walked side by side, or some have but one row."""
        losses = [objective for objective in objectives if isinstance(objective, DataLoss)]
        sizes = [0 if loss.target is None else len(loss.target) for loss in losses]
        if len(losses) < len(objectives) or min(sizes) < 2:
            return None
        rows = torch.arange(max(sizes), device=losses[0].blocks()[0].target.device)
        blocks = [loss.on(rows.clamp(max=size - 1)) for loss, size in zip(losses, sizes, strict=True)]
        if not all(isinstance(block.predictor, Stackable) for block in blocks):
            return None
        loss, whole, filled = losses[0].loss, _stacked(blocks), rows >= rows.new_tensor(sizes)[:, None]
        divisor_S = whole.target.new_tensor([one.elements if loss.reduction == "mean" else 1 for one in losses])
        return cls(
            loss,
            whole,
            filled.reshape(*filled.shape, *[1] * (whole.target.dim() - 2)) if len(set(sizes)) > 1 else None,
            divisor_S / loss.value_factor,
            divisor_S[:, None] / loss.slope_factor,
        )

    def take(self, index: Tensor) -> Stacked:
        """Those of some trials, by their numbers; one may stand several times."""
        block = self.block
        assert isinstance(block.predictor, Stackable)
        weight, offset, filled = (
            None if one is None else one[index] for one in (block.weight, block.offset, self.filled)
        )
        block = Block(block.predictor.take(index), block.target[index], weight, offset)
        return replace(
            self,
            block=block,
            filled=filled,
            value_divisor_S=self.value_divisor_S[index],
            slope_divisor_S1=self.slope_divisor_S1[index],
        )

    def loss_and_gradient(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        prediction, saved = self.block.predict(theta_SP)
        value, slope = self._counted(prediction)
        gradient_SP = self.block.predictor.backward(saved, slope)
        return self._reduced(value), gradient_SP / self.slope_divisor_S1

    def terms(self, theta_SP: Tensor) -> Iterator[Tensor]:
        value, _ = self._counted(self.block.predict(theta_SP)[0])
        yield self._reduced(value)

    def jacobians(self, theta_1P: Tensor) -> Iterator[Tensor]:
        """None: the rows of trials differ, and so do their Jacobians."""
        return iter(())

    def _reduced(self, value: Tensor) -> Tensor:
        return value.sum(tuple(range(1, value.dim()))) / self.value_divisor_S

    def _counted(self, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """Values and slopes, as often as rows count, 0 where none is: 0 times what overflows would be no number."""
        value, slope = self.block.weighted(*self.loss.rule(prediction, self.block.target))
        if self.filled is None:
            return value, slope
        return value.masked_fill(self.filled, 0), slope.masked_fill(per_element(self.filled, value, slope), 0)


def _stacked(blocks: Sequence[Block]) -> Block:
    """Blocks of one trial each, of as many rows, as one of a trial for each."""
    first, *others = (block.predictor for block in blocks)
    assert isinstance(first, Stackable)
    return Block(
        first.stack(others),
        torch.cat([block.target for block in blocks]),
        _side_by_side([block.weight for block in blocks]),
        _side_by_side([block.offset for block in blocks]),
    )


def _side_by_side(each: Sequence[Tensor | None]) -> Tensor | None:
    there = [one for one in each if one is not None]
    return torch.cat(there) if there else None
