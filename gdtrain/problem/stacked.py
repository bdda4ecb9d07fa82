"""Losses over rows of their own, walked side by side: each trial has the rows, targets and weights of its problem.

Shapes: S trials, L problems, P trained parameters, B rows of the longest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from gdtrain.losses import Loss
from gdtrain.problem.objective import Block, DataLoss, Objective
from gdtrain.problem.predictors import Stackable


@dataclass(frozen=True, eq=False)
class Stacked:
    """The loss of each of S trials over rows of its own.

    block  (S, B): where rows are fewer, the last fills up, and counts 0 times
    value_divisor_S, slope_divisor_S1  what sums of values and of slopes are divided by
    """

    loss: Loss
    block: Block
    value_divisor_S: Tensor
    slope_divisor_S1: Tensor

    @classmethod
    def of(cls, objectives: Sequence[Objective]) -> Stacked | None:
        """A trial for each objective; None where they cannot be walked side by side, or one has but one row."""
        losses = [objective for objective in objectives if isinstance(objective, DataLoss)]
        sizes = [0 if loss.target is None else len(loss.target) for loss in losses]
        if len(losses) < len(objectives) or min(sizes) < 2:
            return None
        rows = torch.arange(max(sizes), device=losses[0].blocks()[0].target.device)
        blocks = [loss.on(rows.clamp(max=size - 1)) for loss, size in zip(losses, sizes, strict=True)]
        if not all(isinstance(block.predictor, Stackable) for block in blocks):
            return None
        loss, block = losses[0].loss, _stack(blocks)
        if len(set(sizes)) > 1:
            count = (rows < rows.new_tensor(sizes)[:, None]).to(block.target)
            count = count.reshape(*count.shape, *[1] * (block.target.dim() - 2))
            block = replace(block, weight=count if block.weight is None else count * block.weight)
        divisor_S = block.target.new_tensor([one.elements if loss.reduction == "mean" else 1 for one in losses])
        return cls(loss, block, divisor_S / loss.value_factor, divisor_S[:, None] / loss.slope_factor)

    def take(self, index: Tensor) -> Stacked:
        """Those of some trials, by their numbers; one may stand several times."""
        return replace(
            self,
            block=_take(self.block, index),
            value_divisor_S=self.value_divisor_S[index],
            slope_divisor_S1=self.slope_divisor_S1[index],
        )

    def loss_and_gradient(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        prediction, saved = self.block.predict(theta_SP)
        value, slope = self.block.weighted(*self.loss.rule(prediction, self.block.target))
        return self._reduced(value), self.block.predictor.backward(saved, slope) / self.slope_divisor_S1

    def terms(self, theta_SP: Tensor) -> Iterator[Tensor]:
        prediction, _ = self.block.predict(theta_SP)
        yield self._reduced(self.block.weighted(*self.loss.rule(prediction, self.block.target))[0])

    def jacobians(self, theta_1P: Tensor) -> Iterator[Tensor]:
        """None: trials have residuals of their own."""
        return iter(())

    def _reduced(self, value: Tensor) -> Tensor:
        return value.sum(tuple(range(1, value.dim()))) / self.value_divisor_S


def _stack(blocks: Sequence[Block]) -> Block:
    """Blocks (1, B) as one, a trial for each."""
    first, *others = (block.predictor for block in blocks)

    def together(each: Sequence[Tensor | None]) -> Tensor | None:
        there = [one for one in each if one is not None]
        return torch.cat(there) if there else None

    return Block(
        cast(Stackable, first).stack(others),
        torch.cat([block.target for block in blocks]),
        together([block.weight for block in blocks]),
        together([block.offset for block in blocks]),
    )


def _take(block: Block, index: Tensor) -> Block:
    weight, offset = (None if one is None else one[index] for one in (block.weight, block.offset))
    return Block(cast(Stackable, block.predictor).take(index), block.target[index], weight, offset)
