"""`regress` on gathered rows: the columns of the design, the triangle that stands for all rows, and its quadratics.

Shapes: Q reported parameters, N rows, F features, T targets, D = F + 1 columns of the design (F without an intercept),
M <= N gathered rows, W = 1 + F + T of their columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gdtrain.experiment.schema import Experiment
from gdtrain.losses import Loss
from gdtrain.problem.compress import Compressor
from gdtrain.problem.data import Columns as Arrays
from gdtrain.problem.data import Data
from gdtrain.problem.parameters import Parameters, Scaling
from gdtrain.problem.problem import loss_factor
from gdtrain.problem.quadratic import Quadratic
from gdtrain.problem.squares import Spread


@dataclass(frozen=True)
class Layout:
    """Which columns the design has, whether scaling may centre them, and how many classes the target has, if any.

    They are centred where every intercept is free and unbounded: only then can it take up the shift.
    """

    features: list[str]
    targets: list[str]
    intercept: bool
    centre: bool
    classes: int = 0

    @classmethod
    def of(cls, experiment: Experiment, data: Data) -> Layout:
        assert experiment.regress is not None
        targets, intercept = experiment.regress.target, experiment.regress.intercept
        features = [column.name for column in data.names.design]
        width = len(features) + intercept
        constants = [experiment.param(name) for name in data.names.parameters[width - 1 :: width]]
        shiftable = all(not p.fixed and p.min is None and p.max is None for p in constants)
        classes = len(data.classes.names) if data.classes else 0
        return cls(features, targets, intercept, intercept and shiftable, classes)

    @property
    def width(self) -> int:
        """D, the weights of one target."""
        return len(self.features) + self.intercept

    @property
    def predictors(self) -> int:
        """How many sets of weights there are: one for each target, or each class but the reference."""
        return self.classes - 1 if self.classes else len(self.targets)

    def scalings(self, mean_F: Tensor, sd_F: Tensor) -> list[Scaling]:
        """One for each predictor: its weights, and its intercept where columns are centred."""
        starts = range(0, self.predictors * self.width, self.width)
        last = self.width - 1
        weights = [list(range(start, start + len(self.features))) for start in starts]
        return [
            Scaling(w, s + last if self.centre else None, mean_F, sd_F) for w, s in zip(weights, starts, strict=True)
        ]


@dataclass(frozen=True)
class Gathered:
    """The rows of a table, gathered.

    triangle_MW  (M, 1 + F + T) of [1 X Y], every row as often as it counts
    rows, count  how many there are, and how many they count for
    counted      how many of them count at all
    about_T      sum of squares of each target about its mean, or about 0 without an intercept
    least_F, largest_F  of each feature, where they were asked for
    """

    triangle_MW: Tensor
    rows: int
    count: float
    counted: int
    about_T: Tensor
    least_F: Tensor
    largest_F: Tensor


def gather(layout: Layout, data: Data, *, bounded: bool) -> Gathered:
    """The ones come first: the first row of the triangle then holds the means alone. Targets are less their offset."""
    compressor = Compressor(1 + len(layout.features) + len(layout.targets))
    spread = Spread()  # what offsets are taken from is no longer in the triangle
    count, counted, first = 0.0, 0, 1 + len(layout.features)
    least_F, largest_F = np.full(len(layout.features), np.inf), np.full(len(layout.features), -np.inf)
    for block in data.blocks():
        weight_N = None if data.weight is None else torch.from_numpy(np.array(block[data.weight]))
        rows_WN = _side_by_side(block, [*layout.features, *layout.targets])
        if data.offset is not None:
            spread.add(torch.from_numpy(rows_WN[first:].copy()), weight_N)
            rows_WN[first:] -= block[data.offset]
        if bounded:
            counted_FN = rows_WN[1:first, slice(None) if weight_N is None else weight_N > 0]
            least_F = np.minimum(least_F, counted_FN.min(1, initial=np.inf))
            largest_F = np.maximum(largest_F, counted_FN.max(1, initial=-np.inf))
        count += rows_WN.shape[1] if weight_N is None else float(weight_N.sum())
        counted += rows_WN.shape[1] if weight_N is None else int((weight_N > 0).sum())
        compressor.add(torch.from_numpy(rows_WN).mT, weight_N)
    bounds = torch.from_numpy(least_F), torch.from_numpy(largest_F)
    triangle_MW = compressor.result()
    if data.offset is None:  # the first row holds the means
        about_T = triangle_MW[1 if layout.intercept else 0 :, first:].square().sum(0)
    else:
        about_T = spread.about_mean if layout.intercept else spread.about_zero
    return Gathered(triangle_MW, data.rows, count, counted, about_T, *bounds)


def _side_by_side(block: Arrays, names: Sequence[str]) -> np.ndarray:
    """Ones, then the named columns, as rows of an array (1 + F + T, n): each column lies whole."""
    size = len(next(iter(block.values())))
    return np.stack([np.ones(size), *(block[name] for name in names)])


def scaled_triangle(gathered: Gathered, layout: Layout, scale: str) -> tuple[Tensor, list[Scaling]]:
    """The gathered design (M, D), scaled where asked, and how it was."""
    triangle_MW = gathered.triangle_MW
    x_MF = triangle_MW[:, 1 : 1 + len(layout.features)].clone()
    ones_M1 = triangle_MW[:, :1]
    scalings = []
    if scale == "standard":
        mean_F, sd_F = moments_of(gathered, x_MF, centre=layout.centre)
        if layout.centre:
            x_MF[0] = 0.0  # exactly: the first row holds the means
        x_MF = x_MF / sd_F
        scalings = layout.scalings(mean_F, sd_F)
    elif scale == "minmax":
        least_F, range_F = range_of(gathered.least_F, gathered.largest_F, centre=layout.centre)
        x_MF = (x_MF - ones_M1 * least_F) / range_F
        scalings = layout.scalings(least_F, range_F)
    return torch.cat([x_MF, ones_M1], 1) if layout.intercept else x_MF, scalings


def moments_of(gathered: Gathered, x_MF: Tensor, *, centre: bool) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (divisor N) of each feature; uncentred: 0 and the root mean square.

    A constant column keeps its scale.
    """
    size_F = _lengths(x_MF)
    spread_F = _lengths(x_MF[1:]) if centre else size_F
    constant = spread_F <= 8 * torch.finfo(x_MF.dtype).eps * size_F
    mean_F = x_MF[0] / gathered.triangle_MW[0, 0] if centre else torch.zeros_like(size_F)
    return mean_F, torch.where(constant, torch.ones_like(size_F), spread_F / gathered.count**0.5)


def range_of(least_F: Tensor, largest_F: Tensor, *, centre: bool) -> tuple[Tensor, Tensor]:
    """Least value and range of each feature; uncentred: 0 and the largest magnitude. A constant one keeps its scale."""
    if not centre:
        least_F, largest_F = torch.zeros_like(least_F), torch.maximum(least_F.abs(), largest_F.abs())
    range_F = largest_F - least_F
    return least_F, torch.where(range_F > 0, range_F, torch.ones_like(range_F))


def _lengths(x_MF: Tensor) -> Tensor:
    """Lengths of columns, which may hold 1e300: squares of that overflow."""
    least_1F = x_MF.new_full((1, x_MF.shape[1]), torch.finfo(x_MF.dtype).tiny)
    largest_F = torch.cat([x_MF, least_1F]).abs().amax(0)
    lengths_F: Tensor = torch.linalg.vector_norm(x_MF / largest_F, dim=0) * largest_F
    return lengths_F


def quadratics_of(
    design_MD: Tensor, gathered: Gathered, parameters: Parameters, layout: Layout, loss: Loss
) -> list[Quadratic]:
    """The loss of each target over its own parameters; what is fixed joins the constant."""
    weights_TD = parameters.scaled(parameters.start_Q).double().view(len(layout.targets), layout.width)
    free = set(parameters.varying)
    factor = loss_factor(loss, gathered.count * len(layout.targets))
    found = []
    for t in range(len(layout.targets)):
        trained = [d for d in range(layout.width) if t * layout.width + d in free]
        held = [d for d in range(layout.width) if t * layout.width + d not in free]
        c_M = design_MD[:, held] @ weights_TD[t, held] - gathered.triangle_MW[:, 1 + len(layout.features) + t]
        found.append(Quadratic.of(torch.cat([design_MD[:, trained], c_M[:, None]], 1), factor, gathered.rows))
    return found
