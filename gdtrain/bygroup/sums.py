"""Sums over the rows of each group: how the targets are spread, and by what the columns of each are scaled.

Shapes: G groups, N rows, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gdtrain.data.groups import Groups
from gdtrain.experiment.schema import Experiment
from gdtrain.problem.gathered import Layout

_VARIES = 1e-5  # share of its size by which a column varies beyond doubt


@dataclass(frozen=True)
class Sums:
    """Over rows that lie group by group, each as often as it counts.

    edges  (G + 1,) where each group begins and ends
    """

    edges: np.ndarray
    weight_N: np.ndarray | None

    @classmethod
    def of(cls, groups: Groups) -> Sums:
        weight = groups.whole.weight
        return cls(groups.edges, None if weight is None else groups.made[weight])

    def sum(self, column_N: np.ndarray) -> np.ndarray:
        """(G,)"""
        weighed_N = column_N if self.weight_N is None else column_N * self.weight_N
        found: np.ndarray = np.add.reduceat(weighed_N, self.edges[:-1])
        return found

    def mean(self, column_N: np.ndarray) -> np.ndarray:
        """(G,)"""
        mean_G: np.ndarray = self.sum(column_N) / self.sum(np.ones_like(column_N))
        return mean_G

    def about(self, column_N: np.ndarray, mean_G: np.ndarray) -> np.ndarray:
        """The sum of squares about a number of each group (G,)."""
        return self.sum(np.square(column_N - np.repeat(mean_G, np.diff(self.edges))))

    def least(self, column_N: np.ndarray) -> np.ndarray:
        """Of the rows that count (G,)."""
        counted_N = column_N if self.weight_N is None else np.where(self.weight_N > 0, column_N, np.inf)
        found: np.ndarray = np.minimum.reduceat(counted_N, self.edges[:-1])
        return found


@dataclass(frozen=True)
class Scales:
    """What the columns of each group are scaled by: x' = (x - mean) / sd.

    weights, intercept  where these stand among the parameters; the intercept is None where columns are not centred
    """

    weights: Sequence[int]
    intercept: int | None
    mean_GF: np.ndarray
    sd_GF: np.ndarray

    @classmethod
    def of(cls, experiment: Experiment, groups: Groups) -> Scales | None:
        """None where nothing is scaled."""
        kind = experiment.data.scale if experiment.data is not None and experiment.regress is not None else "none"
        layout = Layout.of(experiment, groups.whole) if kind != "none" else None
        if layout is None or not layout.features:
            return None
        sums, find = Sums.of(groups), _moments if kind == "standard" else _range
        with np.errstate(all="ignore"):  # what overflows is in doubt
            each = [find(sums, groups.made[name], layout.centre) for name in layout.features]
        mean_GF, sd_GF = (np.stack(columns, 1) for columns in zip(*each, strict=True))
        last = len(layout.features)
        return cls(range(last), last if layout.centre else None, mean_GF, sd_GF)

    @property
    def clear_G(self) -> np.ndarray:
        """Whether every column varies beyond doubt."""
        clear_G: np.ndarray = (self.sd_GF > _VARIES * (np.abs(self.mean_GF) + self.sd_GF)).all(1)
        return clear_G

    def scaled(self, value_GQ: np.ndarray) -> np.ndarray:
        """Values in the units of the data as those that are trained."""
        scaled_GQ = value_GQ.copy()
        if self.intercept is not None:
            scaled_GQ[:, self.intercept] += (value_GQ[:, self.weights] * self.mean_GF).sum(1)
        scaled_GQ[:, self.weights] *= self.sd_GF
        return scaled_GQ

    def steps(self, size: int) -> np.ndarray:
        """Derivatives of the values by those that are trained (G, Q, Q); Q is `size`."""
        steps_GQQ = np.broadcast_to(np.eye(size), (len(self.sd_GF), size, size)).copy()
        steps_GQQ[:, self.weights, self.weights] = 1 / self.sd_GF
        if self.intercept is not None:
            steps_GQQ[:, self.intercept, : len(self.weights)] = -self.mean_GF / self.sd_GF
        return steps_GQQ

    def take(self, some: slice) -> Scales:
        """Those of some groups."""
        return Scales(self.weights, self.intercept, self.mean_GF[some], self.sd_GF[some])


def _moments(sums: Sums, column_N: np.ndarray, centre: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (divisor N); uncentred: 0 and the root mean square."""
    mean_G = sums.mean(column_N) if centre else np.zeros(len(sums.edges) - 1)
    return mean_G, np.sqrt(sums.about(column_N, mean_G) / sums.sum(np.ones_like(column_N)))


def _range(sums: Sums, column_N: np.ndarray, centre: bool) -> tuple[np.ndarray, np.ndarray]:
    """Least value and range; uncentred: 0 and the largest magnitude."""
    if centre:
        least_G = sums.least(column_N)
        return least_G, -sums.least(-column_N) - least_G
    largest_G = -sums.least(-np.abs(column_N))
    return np.zeros_like(largest_G), largest_G
