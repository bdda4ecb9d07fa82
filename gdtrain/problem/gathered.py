"""`regress` on gathered rows: the columns of the design, the triangle that stands for all rows, and its quadratics.

Shapes: Q reported parameters, N rows, F features, T targets, D = F + 1 columns of the design (F without an intercept),
M <= N gathered rows, W = 1 + F + T of their columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gdtrain.data.rows import Columns as Arrays
from gdtrain.data.rows import Data
from gdtrain.experiment.schema import Experiment
from gdtrain.linalg.compress import Compressor
from gdtrain.losses import Loss
from gdtrain.problem.between import Between
from gdtrain.problem.layered import Shape
from gdtrain.problem.own import Own
from gdtrain.problem.parameters import Parameters, Scaling
from gdtrain.problem.problem import loss_factor
from gdtrain.problem.quadratic import Quadratic
from gdtrain.problem.squares import Spread
from gdtrain.problem.tally import Tally


@dataclass(frozen=True)
class Layout:
    """Which columns the design has, whether scaling may centre them, and how many classes the target has, if any; and
    what stands between design and prediction, if anything.

    They are centred where every intercept is free and unbounded: only then can it take up the shift.
    """

    features: list[str]
    targets: list[str]
    intercept: bool
    centre: bool
    classes: int = 0
    network: Between | None = None

    @classmethod
    def of(cls, experiment: Experiment, data: Data) -> Layout:
        assert experiment.regress is not None
        targets, intercept = experiment.regress.target, experiment.regress.intercept
        features = [column.name for column in data.names.design]
        classes = len(data.classes.names) if data.classes else 0
        network: Between | None = None
        if data.module is not None:
            network = Own(data.module, classes or len(targets))
        elif (model := experiment.model) is not None:
            outputs = classes - 1 if classes else len(targets)
            network = Shape(len(features), model.hidden, outputs, intercept, model.activation)
        layout = cls(features, targets, intercept, True, classes, network)
        first = data.names.parameters[: layout.predictors * layout.width]
        constants = [experiment.param(name) for name in first[layout.width - 1 :: max(1, layout.width)]]
        shiftable = all(not p.fixed and p.min is None and p.max is None for p in constants)
        return replace(layout, centre=layout.constant and shiftable)

    @property
    def constant(self) -> bool:
        """Whether the design ends in a column of ones: units of a hidden layer have a constant each."""
        return self.intercept if self.network is None else self.network.ones

    @property
    def reference(self) -> bool:
        """Whether the first of classes is left out."""
        return bool(self.classes) and (self.network is None or self.network.reference)

    @property
    def width(self) -> int:
        """D, the weights of one target, or of one unit of the first hidden layer."""
        return len(self.features) + self.constant

    @property
    def predictors(self) -> int:
        """How many sets of weights there are over the design: one for each target, each class but the reference, or
        each unit of the first hidden layer.
        """
        if self.network is not None:
            return self.network.sets
        return self.classes - 1 if self.classes else len(self.targets)

    def scalings(self, mean_F: Tensor, sd_F: Tensor) -> list[Scaling]:
        """One for each set of weights: these, and its intercept where columns are centred."""
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
    rows         how many there are
    tally        how many of them count, and for what
    about_T      sum of squares of each target about its mean, or about 0 without an intercept
    least_F, largest_F  of each feature, where they were asked for
    """

    triangle_MW: Tensor
    rows: int
    tally: Tally
    about_T: Tensor
    least_F: Tensor
    largest_F: Tensor

    @property
    def single_F(self) -> Tensor:
        """Which features hold a single value, as far as that was asked for: no rounding of many rows hides it."""
        return self.least_F == self.largest_F


class _Rows:
    """Gathers rows as they come. The ones come first: the first row of the triangle then holds the means alone. Targets
    are less their offset.
    """

    def __init__(self, layout: Layout, data: Data, *, bounded: bool) -> None:
        self._layout, self._weight, self._offset, self._bounded = layout, data.weight, data.offset, bounded
        self._compressor = Compressor(1 + len(layout.features) + len(layout.targets))
        self._spread = Spread()  # what offsets are taken from is no longer in the triangle
        self._tally = Tally()
        self._least_F = np.full(len(layout.features), np.inf)
        self._largest_F = np.full(len(layout.features), -np.inf)

    def add(self, block: Arrays) -> None:
        layout, first = self._layout, 1 + len(self._layout.features)
        weight_N = None if self._weight is None else torch.from_numpy(np.array(block[self._weight]))
        rows_WN = _side_by_side(block, [*layout.features, *layout.targets])
        if self._offset is not None:
            self._spread.add(torch.from_numpy(rows_WN[first:].copy()), weight_N)
            rows_WN[first:] -= block[self._offset]
        if self._bounded:
            counted_FN = rows_WN[1:first, slice(None) if weight_N is None else weight_N > 0]
            self._least_F = np.minimum(self._least_F, counted_FN.min(1, initial=np.inf))
            self._largest_F = np.maximum(self._largest_F, counted_FN.max(1, initial=-np.inf))
        self._tally.add(rows_WN.shape[1], weight_N)
        self._compressor.add(torch.from_numpy(rows_WN).mT, weight_N)

    def merged(self, others: Sequence[_Rows]) -> _Rows:
        """These rows and others."""
        whole = copy(self)
        whole._compressor = self._compressor.merged([other._compressor for other in others])
        whole._spread = self._spread.merged([other._spread for other in others])
        whole._tally = self._tally.merged([other._tally for other in others])
        for other in others:
            whole._least_F = np.minimum(whole._least_F, other._least_F)
            whole._largest_F = np.maximum(whole._largest_F, other._largest_F)
        return whole

    def result(self, rows: int) -> Gathered:
        triangle_MW, intercept = self._compressor.result(), self._layout.intercept
        if self._offset is None:  # the first row holds the means
            about_T = triangle_MW[1 if intercept else 0 :, 1 + len(self._layout.features) :].square().sum(0)
        else:
            about_T = self._spread.about_mean if intercept else self._spread.about_zero
        bounds = torch.from_numpy(self._least_F), torch.from_numpy(self._largest_F)
        return Gathered(triangle_MW, rows, self._tally, about_T, *bounds)


def gather(layout: Layout, data: Data, *, bounded: bool) -> Gathered:
    """The data's rows, gathered; `bounded` asks for the least and the largest of each feature."""
    return data.gathered("regress", lambda: _Rows(layout, data, bounded=bounded)).result(data.rows)


def _side_by_side(block: Arrays, names: Sequence[str]) -> np.ndarray:
    """Ones, then the named columns, as rows of an array (1 + F + T, n): each column lies whole."""
    size = len(next(iter(block.values())))
    return np.stack([np.ones(size), *(block[name] for name in names)])


def scaled_triangle(
    gathered: Gathered, layout: Layout, scale: str, given: Sequence[Scaling] | None = None
) -> tuple[Tensor, list[Scaling]]:
    """The gathered design (M, D), scaled where asked, and how it was.

    given  scale as other rows were
    """
    triangle_MW = gathered.triangle_MW
    x_MF = triangle_MW[:, 1 : 1 + len(layout.features)].clone()
    ones_M1 = triangle_MW[:, :1]
    scalings = list(given or [])
    if given is not None:
        for scaling in given[:1]:
            x_MF = (x_MF - ones_M1 * scaling.mean_F.to(x_MF)) / scaling.sd_F.to(x_MF)
    elif scale == "standard":
        mean_F, sd_F = moments_of(gathered, x_MF, centre=layout.centre)
        if layout.centre:
            x_MF[0] = 0.0  # exactly: the first row holds the means
            x_MF[:, _constant(gathered, layout)] = 0.0  # not the roundings that are left of them
        x_MF = x_MF / sd_F
        scalings = layout.scalings(mean_F, sd_F)
    elif scale == "minmax":
        least_F, range_F = range_of(gathered.least_F, gathered.largest_F, centre=layout.centre)
        x_MF = (x_MF - ones_M1 * least_F) / range_F
        if layout.centre:
            x_MF[:, _constant(gathered, layout)] = 0.0
        scalings = layout.scalings(least_F, range_F)
    return torch.cat([x_MF, ones_M1], 1) if layout.intercept else x_MF, scalings


def moments_of(gathered: Gathered, x_MF: Tensor, *, centre: bool) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (divisor N) of each feature; uncentred: 0 and the root mean square.

    A constant column keeps its scale.
    """
    size_F = _lengths(x_MF)
    spread_F = _lengths(x_MF[1:]) if centre else size_F
    constant = _is_constant(spread_F, size_F) | (gathered.single_F & centre)
    mean_F = x_MF[0] / gathered.triangle_MW[0, 0] if centre else torch.zeros_like(size_F)
    return mean_F, torch.where(constant, torch.ones_like(size_F), spread_F / gathered.tally.size**0.5)


def _constant(gathered: Gathered, layout: Layout) -> Tensor:
    """Which features do not vary (F,)."""
    x_MF = gathered.triangle_MW[:, 1 : 1 + len(layout.features)]
    return _is_constant(_lengths(x_MF[1:]), _lengths(x_MF)) | gathered.single_F


def _is_constant(spread_F: Tensor, size_F: Tensor) -> Tensor:
    return spread_F <= 8 * torch.finfo(size_F.dtype).eps * size_F


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
    factor = loss_factor(loss, gathered.tally.size * len(layout.targets))
    found = []
    for t in range(len(layout.targets)):
        trained = [d for d in range(layout.width) if t * layout.width + d in free]
        held = [d for d in range(layout.width) if t * layout.width + d not in free]
        c_M = design_MD[:, held] @ weights_TD[t, held] - gathered.triangle_MW[:, 1 + len(layout.features) + t]
        found.append(Quadratic.of(torch.cat([design_MD[:, trained], c_M[:, None]], 1), factor, gathered.rows))
    return found
