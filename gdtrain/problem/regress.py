"""`regress`: a linear predictor over columns, or one through hidden layers.

Shapes: Q reported parameters, N rows, F features, T targets, D = F + 1 columns of the design (F without an intercept),
M <= N gathered rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from gdtrain.data.classes import require_targets, warn_of_empty
from gdtrain.data.rows import Data
from gdtrain.experiment.schema import Experiment
from gdtrain.losses import Loss
from gdtrain.problem.affine import obstacle
from gdtrain.problem.between import OfRows
from gdtrain.problem.gathered import Layout, gather, quadratics_of, range_of, scaled_triangle
from gdtrain.problem.matrix import matrix
from gdtrain.problem.objective import Block, DataLoss
from gdtrain.problem.parameters import Parameters, build_parameters
from gdtrain.problem.predicting import OfColumns
from gdtrain.problem.predictors import Linear, OverReference, Predictor, Rows
from gdtrain.problem.problem import Columns, Problem, fixed_columns, loss_of, loss_scale, tensors, zero_like
from gdtrain.problem.quadratic import side_by_side
from gdtrain.problem.rows import beside, chosen, weight_of
from gdtrain.problem.squares import Squares
from gdtrain.problem.tied import Spreading, Tied

BLOCK_ROWS = 1 << 15  # rows that one trial works on at once
_LEAST_ROWS = 1 << 10  # that many do
NO_CLOSED_FORM = "a torch module has no closed form"


def build_regress(experiment: Experiment, data: Data, given: Parameters | None = None) -> Problem:
    """The problem of a linear predictor: on gathered rows under a squared loss.

    given  parameters of other rows, scaled as these were
    """
    like, loss, layout = zero_like(experiment), loss_of(experiment), Layout.of(experiment, data)
    scale = experiment.data.scale if experiment.data is not None and layout.features else "none"
    reason, quadratic = NO_CLOSED_FORM if data.module is not None else obstacle(experiment, data.names), None
    parameters = given
    squares: Squares | None = None
    if not reason:
        gathered_rows = gather(layout, data, bounded=scale != "none")
        triangle_MW = gathered_rows.triangle_MW
        if bool(triangle_MW.isfinite().all()):
            design_MD, scalings = scaled_triangle(gathered_rows, layout, scale, given.scalings if given else None)
            parameters = given or build_parameters(experiment, data.names.parameters, scalings=scalings, like=like)
            each = quadratics_of(design_MD, gathered_rows, parameters, layout, loss)
            quadratic = each[0] if len(each) == 1 else side_by_side(each)
            spreading = Spreading(parameters, fixed_columns(parameters)) if parameters.ties else None
            quadratic = spreading.of(quadratic) if spreading else quadratic
            squares = Squares(each, gathered_rows.about_T, gathered_rows.tally, spreading)
        else:
            reason = "the rows are too large to gather"
    gathered = quadratic is not None and experiment.train.engine != "loop"
    columns = {} if gathered else tensors(data.columns, like)
    if parameters is None:
        scalings = [] if scale == "none" else layout.scalings(*SCALES[scale](columns, layout, weight_of(columns, data)))
        parameters = build_parameters(experiment, data.names.parameters, scalings=scalings, like=like)

    predicting = OfColumns(layout, parameters, loss, data.offset)
    target = predicting.target

    def reread() -> Iterator[DataLoss]:
        for block in data.blocks():
            part = tensors(block, like)
            yield _on_rows(part, target(part), parameters, layout, loss, data, scattered=False)

    if columns:
        fitted = target(columns) if data.classes is None else data.classes.numbers(target(columns))
        require_targets(loss, fitted, layout.targets, data)
        if data.classes is not None and given is None:
            warn_of_empty(data.classes, fitted, weight_of(columns, data), layout.targets[0], data)
    return Problem(
        kind="regress",
        loss_name=loss.name,
        parameters=parameters,
        objective=quadratic.to(like)
        if quadratic and gathered
        else _on_rows(
            columns,
            fitted,
            parameters,
            layout,
            loss,
            data,
            scattered=(experiment.train.batch_size or data.rows) < data.rows,
        ),
        quadratic=quadratic,
        obstacle=reason,
        gathered=gathered,
        columns=columns,
        rows=data.rows,
        target=target,
        targets=layout.targets,
        inputs=data.names.inputs,
        terms=data.names.terms,
        predict=predicting,
        loss=loss,
        classes=data.classes.names if data.classes else [],
        labels=data.labels,
        squares=squares if gathered else None,
        reread=reread if gathered else None,
        centred=layout.constant,
        network=layout.network,
        loss_scale=quadratic.size if quadratic else loss_scale(fitted, loss, weight_of(columns, data), layout.classes),
    )


def _on_rows(
    columns: Columns,
    target: Tensor,
    parameters: Parameters,
    layout: Layout,
    loss: Loss,
    data: Data,
    *,
    scattered: bool,
) -> DataLoss:
    """The loss on every row, in blocks: the more trials, the fewer rows, so that predictions stay in the cache."""
    scaling = parameters.scalings[0] if parameters.scalings else None
    features = [columns[name] for name in layout.features]
    net = layout.network
    x_ND = matrix(features, layout.constant, scaling, target, scattered=scattered or net is not None)
    weights_Q = parameters.scaled(parameters.start_Q)
    if net is None:
        whole: OfRows = Linear(x_ND, layout.predictors, parameters.varying, weights_Q)
    else:
        assert isinstance(x_ND, Tensor)  # its rows lie whole
        whole = net.predictor(x_ND, parameters.varying, weights_Q)
    spreading = Spreading(parameters, fixed_columns(parameters)) if parameters.ties else None

    def block(rows: Rows) -> Block:
        predictor: Predictor = whole.of(rows)
        predictor = Tied(predictor, spreading) if spreading else predictor
        predictor = OverReference(predictor) if layout.reference else predictor
        return Block(predictor, chosen(target, rows), *beside(columns, data, rows))

    @cache
    def blocks_of(rows: int) -> list[Block]:
        with torch.inference_mode(mode=False):  # what is made inside of it, autograd refuses
            return [block(slice(start, start + rows)) for start in range(0, len(target), rows)]

    def cut(trials: int) -> list[Block]:
        if layout.network is not None:
            return blocks_of(layout.network.block_rows(trials))
        return blocks_of(max(_LEAST_ROWS, BLOCK_ROWS >> (trials - 1).bit_length()))

    return DataLoss(cut, loss, block, target)


def _moments(columns: Columns, layout: Layout, weight_N: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (divisor N) of each feature; uncentred: 0 and the root mean square.

    A constant column keeps its scale. Values are divided by their largest first: squares of 1e300 overflow.
    """
    means, deviations = [], []
    for x in (columns[name] for name in layout.features):
        largest = x.abs().max().clamp(min=torch.finfo(x.dtype).tiny)
        unit = x / largest
        mean = _mean(unit, weight_N) if layout.centre else x.new_zeros(())
        sd = _mean((unit - mean).square(), weight_N).sqrt()
        varies = bool(sd > 8 * torch.finfo(x.dtype).eps)
        means.append(mean * largest if varies or not layout.centre else _counted(x, weight_N)[0])
        deviations.append(sd * largest if varies else torch.ones_like(sd))
    return torch.stack(means), torch.stack(deviations)


def _mean(x_N: Tensor, weight_N: Tensor | None) -> Tensor:
    return x_N.mean() if weight_N is None else (x_N * weight_N).sum() / weight_N.sum()


def _counted(x_N: Tensor, weight_N: Tensor | None) -> Tensor:
    return x_N if weight_N is None else x_N[weight_N > 0]


def _bounds(columns: Columns, layout: Layout, weight_N: Tensor | None) -> tuple[Tensor, Tensor]:
    """Least value and range of each feature, of rows that count."""
    x_FN = [_counted(columns[name], weight_N) for name in layout.features]
    least_F, largest_F = torch.stack([x.min() for x in x_FN]), torch.stack([x.max() for x in x_FN])
    return range_of(least_F, largest_F, centre=layout.centre)


SCALES = {"standard": _moments, "minmax": _bounds}
