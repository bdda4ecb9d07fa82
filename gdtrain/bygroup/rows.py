"""The rows [A c] of residuals that are affine in the parameters, for all groups, and what the rows of each count for.

Shapes: G groups, N rows, Q reported parameters, W = P + 1 columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gdtrain.data.groups import Groups
from gdtrain.data.rows import Data
from gdtrain.experiment.formulas import sides
from gdtrain.experiment.schema import Experiment
from gdtrain.formula import Name, Op
from gdtrain.formula.evaluate import evaluate
from gdtrain.problem.affine import AffineRows
from gdtrain.problem.parameters import Parameters
from gdtrain.problem.problem import Columns, fixed_columns, tensors

_ROWS = 1 << 16  # that are made at once


def affine_rows(experiment: Experiment, groups: Groups, parameters: Parameters) -> Tensor:
    """[A c] (N, W), one group after another, each row as often as it counts."""
    data = groups.whole
    make = _fit if experiment.fit else _regress
    parts = []
    for columns in _parts(groups, parameters):
        rows_NW = make(experiment, data, parameters, columns)
        parts.append(rows_NW if data.weight is None else rows_NW * columns[data.weight].sqrt()[:, None])
    return torch.cat(parts)


def targets(experiment: Experiment, groups: Groups, parameters: Parameters) -> np.ndarray:
    """What is predicted (N,), offsets and all."""
    if experiment.regress is not None:
        return groups.made[experiment.regress.target[0]]
    left = sides("fit", experiment.fit or "")[0]
    parts = _parts(groups, parameters)
    return np.concatenate([evaluate(left, part).expand(len(next(iter(part.values())))).numpy() for part in parts])


def _parts(groups: Groups, parameters: Parameters) -> Iterator[Columns]:
    """The columns, so many rows at a time."""
    for start in range(0, int(groups.edges[-1]), _ROWS):
        part = {name: column[start : start + _ROWS] for name, column in groups.made.items()}
        yield tensors(part, parameters.start_Q)


def _fit(experiment: Experiment, data: Data, parameters: Parameters, columns: Columns) -> Tensor:
    left, right = sides("fit", experiment.fit or "")
    shifted = right if data.offset is None else Op("add", (right, Name(data.offset)))
    rows_of = AffineRows(Op("sub", (shifted, left)), parameters, fixed_columns(parameters))
    return rows_of(columns, len(next(iter(columns.values()))))


def _regress(experiment: Experiment, data: Data, parameters: Parameters, columns: Columns) -> Tensor:
    assert experiment.regress is not None
    (target,) = (columns[name] for name in experiment.regress.target)
    ones = [torch.ones_like(target)] if experiment.regress.intercept else []
    x_NQ = torch.stack([*(columns[column.name] for column in data.names.design), *ones], 1)
    free = set(parameters.free)
    held = [i for i in range(len(parameters.names)) if i not in free]
    c_N = x_NQ[:, held] @ parameters.start_Q[held] - target
    c_N = c_N if data.offset is None else c_N + columns[data.offset]
    return torch.cat([x_NQ[:, parameters.free], c_N[:, None]], 1)


@dataclass(frozen=True)
class Tallies:
    """What the rows of each group count for, how many count, whether every weight is a whole number; and the sum of the
    logarithms of those above 0.
    """

    size_G: np.ndarray
    rows_G: np.ndarray
    whole_G: np.ndarray
    log_weight_G: np.ndarray

    @classmethod
    def of(cls, groups: Groups) -> Tallies:
        rows_G = np.diff(groups.edges).astype(np.float64)
        if groups.whole.weight is None:
            return cls(rows_G, rows_G, np.ones(len(groups), dtype=bool), 0 * rows_G)
        weight_N = groups.made[groups.whole.weight]
        some_N = weight_N > 0
        size_G, some_G, odd_G, log_G = (
            np.add.reduceat(each.astype(np.float64), groups.edges[:-1])
            for each in (weight_N, some_N, weight_N != np.rint(weight_N), np.log(np.where(some_N, weight_N, 1.0)))
        )
        return cls(size_G, some_G, odd_G == 0, log_G)

    def counts(self, experiment: Experiment) -> np.ndarray:
        """Whether the weights of each group say how many rows each stands for (G,)."""
        data = experiment.data
        if data is None or data.sample_weight is None or data.weight_type == "analytic":
            return np.zeros_like(self.whole_G)
        counts_G: np.ndarray = self.whole_G | (data.weight_type == "frequency")
        return counts_G

    def count_of(self, experiment: Experiment) -> Tensor:
        """n of each group: what weights that are counts add up to, else the rows."""
        return torch.from_numpy(np.where(self.counts(experiment), self.size_G, self.rows_G))
