"""`regress`: a linear predictor over columns.

Shapes: Q reported parameters, N rows, F features, T targets, D = F + 1 columns of the design (F without an intercept),
M <= N gathered rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from gdtrain.experiment.schema import Experiment
from gdtrain.losses import Loss
from gdtrain.problem.affine import obstacle
from gdtrain.problem.classes import require_targets
from gdtrain.problem.compress import Compressor
from gdtrain.problem.data import Columns as Arrays
from gdtrain.problem.data import Data
from gdtrain.problem.objective import Block, DataLoss
from gdtrain.problem.parameters import Parameters, Scaling, build_parameters
from gdtrain.problem.predictors import Linear, OverReference, Predictor, over_reference
from gdtrain.problem.problem import Columns, Problem, loss_factor, loss_of, loss_scale, tensors, zero_like
from gdtrain.problem.quadratic import Quadratic, side_by_side
from gdtrain.problem.squares import Squares

BLOCK_ROWS = 1 << 16  # rows that one trial works on at once
_LEAST_ROWS = 1 << 11  # that many do


@dataclass(frozen=True)
class _Layout:
    """Which columns the design has, whether scaling may centre them, and how many classes the target has, if any.

    They are centred where every intercept is free and unbounded: only then can it take up the shift.
    """

    features: list[str]
    targets: list[str]
    intercept: bool
    centre: bool
    classes: int = 0

    @classmethod
    def of(cls, experiment: Experiment, data: Data) -> _Layout:
        assert experiment.regress is not None
        targets, intercept = experiment.regress.target, experiment.regress.intercept
        width = len(data.names.inputs) + intercept
        constants = [experiment.param(name) for name in data.names.parameters[width - 1 :: width]]
        shiftable = all(not p.fixed and p.min is None and p.max is None for p in constants)
        classes = len(data.classes.values_K) if data.classes else 0
        return cls(data.names.inputs, targets, intercept, intercept and shiftable, classes)

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


def build_regress(experiment: Experiment, data: Data) -> Problem:
    """The problem of a linear predictor: on gathered rows under a squared loss."""
    like, loss, layout = zero_like(experiment), loss_of(experiment), _Layout.of(experiment, data)
    scaled = experiment.data is not None and experiment.data.scale == "standard" and bool(layout.features)
    reason, quadratic = obstacle(experiment, data.names), None
    parameters: Parameters | None = None
    squares: Squares | None = None
    if not reason:
        triangle_MW = _gather(layout, data)
        if bool(triangle_MW.isfinite().all()):
            design_MD, scalings = _scaled_triangle(triangle_MW, data.rows, layout, scaled=scaled)
            parameters = build_parameters(experiment, data.names.parameters, scalings=scalings, like=like)
            each = _quadratics(design_MD, triangle_MW, parameters, layout, loss, data.rows)
            quadratic = each[0] if len(each) == 1 else side_by_side(each)
            first = 1 if layout.intercept else 0  # the first row holds the means
            squares = Squares(each, triangle_MW[first:, 1 + len(layout.features) :].square().sum(0))
        else:
            reason = "the rows are too large to gather"
    gathered = quadratic is not None and experiment.train.engine != "loop"
    columns = {} if gathered else tensors(data.columns, like)
    if parameters is None:
        scalings = layout.scalings(*_moments(columns, layout, like)) if scaled else []
        parameters = build_parameters(experiment, data.names.parameters, scalings=scalings, like=like)

    def target(columns: Columns) -> Tensor:
        y = [columns[name] for name in layout.targets]
        return y[0] if len(y) == 1 else torch.stack(y, 1)

    def predict(values_Q: Tensor, columns: Columns, rows: int) -> Tensor:
        x_ND = _design([columns[name] for name in layout.features], layout.intercept, rows, like)
        eta = (x_ND @ values_Q.view(-1, layout.width).T).squeeze(1)
        return loss.inverse(eta if data.classes is None else over_reference(eta))

    if columns:
        fitted = target(columns) if data.classes is None else data.classes.numbers(target(columns))
        require_targets(loss, fitted, layout.targets, data)
    return Problem(
        kind="regress",
        loss_name=loss.name,
        parameters=parameters,
        objective=quadratic.to(like) if quadratic and gathered else _on_rows(columns, fitted, parameters, layout, loss),
        quadratic=quadratic,
        obstacle=reason,
        gathered=gathered,
        columns=columns,
        rows=data.rows,
        target=target,
        targets=layout.targets,
        inputs=data.names.inputs,
        predict=predict,
        loss=loss,
        classes=data.classes.names if data.classes else [],
        squares=squares if gathered else None,
        centred=layout.intercept,
        loss_scale=quadratic.size if quadratic else loss_scale(fitted, loss, layout.classes),
    )


def _gather(layout: _Layout, data: Data) -> Tensor:
    """The triangle (M, 1 + F + T) of [1 X Y]. The ones come first: its first row then holds the means alone."""
    compressor = Compressor(1 + len(layout.features) + len(layout.targets))
    for block in data.blocks():
        compressor.add(torch.from_numpy(_side_by_side(block, [*layout.features, *layout.targets])).mT)
    return compressor.result()


def _side_by_side(block: Arrays, names: Sequence[str]) -> np.ndarray:
    """Ones, then the named columns, as rows of an array (1 + F + T, n): each column lies whole."""
    columns = [block[name] for name in names]
    return np.stack([np.ones(len(columns[0])), *columns])


def _scaled_triangle(triangle_MW: Tensor, rows: int, layout: _Layout, *, scaled: bool) -> tuple[Tensor, list[Scaling]]:
    """The gathered design (M, D), scaled where asked, and how it was."""
    x_MF = triangle_MW[:, 1 : 1 + len(layout.features)].clone()
    ones_M1 = triangle_MW[:, :1]
    scalings = []
    if scaled:
        mean_F, sd_F = _gathered_moments(triangle_MW, x_MF, rows, centre=layout.centre)
        if layout.centre:
            x_MF[0] = 0.0  # exactly: the first row holds the means
        x_MF = x_MF / sd_F
        scalings = layout.scalings(mean_F, sd_F)
    return torch.cat([x_MF, ones_M1], 1) if layout.intercept else x_MF, scalings


def _gathered_moments(triangle_MW: Tensor, x_MF: Tensor, rows: int, *, centre: bool) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (divisor N) of each feature; uncentred: 0 and the root mean square.

    A constant column keeps its scale.
    """
    size_F = _lengths(x_MF)
    spread_F = _lengths(x_MF[1:]) if centre else size_F
    constant = spread_F <= 8 * torch.finfo(x_MF.dtype).eps * size_F
    mean_F = x_MF[0] / triangle_MW[0, 0] if centre else torch.zeros_like(size_F)
    return mean_F, torch.where(constant, torch.ones_like(size_F), spread_F / rows**0.5)


def _lengths(x_MF: Tensor) -> Tensor:
    """Lengths of columns, which may hold 1e300: squares of that overflow."""
    least_1F = x_MF.new_full((1, x_MF.shape[1]), torch.finfo(x_MF.dtype).tiny)
    largest_F = torch.cat([x_MF, least_1F]).abs().amax(0)
    lengths_F: Tensor = torch.linalg.vector_norm(x_MF / largest_F, dim=0) * largest_F
    return lengths_F


def _quadratics(
    design_MD: Tensor, triangle_MW: Tensor, parameters: Parameters, layout: _Layout, loss: Loss, rows: int
) -> list[Quadratic]:
    """The loss of each target over its own parameters; what is fixed joins the constant."""
    weights_TD = parameters.scaled(parameters.start_Q).double().view(len(layout.targets), layout.width)
    free = set(parameters.free)
    factor = loss_factor(loss, rows * len(layout.targets))
    found = []
    for t in range(len(layout.targets)):
        trained = [d for d in range(layout.width) if t * layout.width + d in free]
        held = [d for d in range(layout.width) if t * layout.width + d not in free]
        c_M = design_MD[:, held] @ weights_TD[t, held] - triangle_MW[:, 1 + len(layout.features) + t]
        found.append(Quadratic.of(torch.cat([design_MD[:, trained], c_M[:, None]], 1), factor, rows))
    return found


def _on_rows(columns: Columns, target: Tensor, parameters: Parameters, layout: _Layout, loss: Loss) -> DataLoss:
    """The loss on every row, in blocks: the more trials, the fewer rows, so that predictions stay in the cache."""
    raw = [columns[name] for name in layout.features]
    if parameters.scalings:
        mean_F, sd_F = parameters.scalings[0].mean_F, parameters.scalings[0].sd_F
        raw = [(x - mean) / sd for x, mean, sd in zip(raw, mean_F, sd_F, strict=True)]
    x_ND = _design(raw, layout.intercept, len(target), target)
    weights_Q = parameters.scaled(parameters.start_Q)

    def predictor(part: slice) -> Predictor:
        linear = Linear(x_ND[part], layout.predictors, parameters.free, weights_Q)
        return OverReference(linear) if layout.classes else linear

    @cache
    def blocks_of(rows: int) -> list[Block]:
        parts = [slice(start, start + rows) for start in range(0, len(target), rows)]
        with torch.inference_mode(mode=False):  # what is made inside of it, autograd refuses
            return [Block(predictor(p), target[None, p]) for p in parts]

    def cut(trials: int) -> list[Block]:
        return blocks_of(max(_LEAST_ROWS, BLOCK_ROWS >> (trials - 1).bit_length()))

    return DataLoss(cut, loss)


def _design(columns: Sequence[Tensor], intercept: bool, rows: int, like: Tensor) -> Tensor:
    """The columns side by side, then a column of ones for the intercept: (N, D)."""
    ones = [like.new_ones(rows)] if intercept else []
    return torch.stack([*columns, *ones], 1)


def _moments(columns: Columns, layout: _Layout, like: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (divisor N) of each feature; uncentred: 0 and the root mean square.

    A constant column keeps its scale. Values are divided by their largest first: squares of 1e300 overflow.
    """
    means, deviations = [], []
    for x in (columns[name] for name in layout.features):
        largest = x.abs().max().clamp(min=torch.finfo(x.dtype).tiny)
        unit = x / largest
        mean = unit.mean() if layout.centre else like
        sd = (unit - mean).square().mean().sqrt()
        means.append(mean * largest)
        deviations.append(sd * largest if sd > 8 * torch.finfo(x.dtype).eps else torch.ones_like(sd))
    return torch.stack(means), torch.stack(deviations)
