"""What may stand between the columns of `regress` and the prediction: hidden layers, or a module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from gdtrain.problem.predictors import Predictor, Rows


class OfRows(Predictor, Protocol):
    """A predictor that can be had of some rows alone."""

    def of(self, rows: Rows) -> Predictor: ...


class Between(Protocol):
    """What stands between the columns and the prediction, where that is not linear.

    shared       how many parameters it has, the first of all; `constants` are the places of those free of penalties
    sets         how many sets of weights there are over the columns, where a scaling of these is to be undone
    ones         whether it takes a column of ones; `reference` whether it leaves out the first of classes
    row_numbers  numbers that a row takes in work, for each trial
    told         it in a few words
    """

    @property
    def shared(self) -> int: ...

    @property
    def constants(self) -> Sequence[int]: ...

    @property
    def sets(self) -> int: ...

    @property
    def ones(self) -> bool: ...

    @property
    def reference(self) -> bool: ...

    @property
    def row_numbers(self) -> int: ...

    @property
    def told(self) -> str: ...

    def block_rows(self, trials: int) -> int: ...

    def predictor(self, x_ND: Tensor, free: Sequence[int], weights_Q: Tensor) -> OfRows: ...
