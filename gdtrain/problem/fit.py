"""`fit`: a formula over columns.

Shapes: P trained parameters, Q reported ones, N rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import cache

import torch
from torch import Tensor

from gdtrain.data.classes import require_targets
from gdtrain.data.rows import Columns as Arrays
from gdtrain.data.rows import Data
from gdtrain.experiment.formulas import sides
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.tied import untied
from gdtrain.formula import Name, Node, Op, to_text
from gdtrain.formula.evaluate import evaluate
from gdtrain.linalg.compress import Compressor
from gdtrain.losses import Loss
from gdtrain.problem.affine import AffineRows, obstacle
from gdtrain.problem.objective import Block, DataLoss
from gdtrain.problem.parameters import Parameters, build_parameters
from gdtrain.problem.predicting import OfFormula
from gdtrain.problem.predictors import Formula, Rows
from gdtrain.problem.problem import (
    Columns,
    Problem,
    fixed_columns,
    loss_factor,
    loss_of,
    loss_scale,
    tensors,
    zero_like,
)
from gdtrain.problem.quadratic import Quadratic
from gdtrain.problem.rows import beside, chosen, weight_of
from gdtrain.problem.squares import Spread

BLOCK_ROWS = 1 << 15  # rows that are worked on at once: fewer cost more calls, more fall out of the cache


def build_fit(experiment: Experiment, data: Data, given: Parameters | None = None) -> Problem:
    """The problem of fitting a formula: on gathered rows where its residual is affine in the parameters.

    given  parameters of other rows
    """
    like, loss = zero_like(experiment), loss_of(experiment)
    left, right = untied(experiment, sides("fit", experiment.fit or ""))
    parameters = given or build_parameters(experiment, data.names.parameters, like=like)
    reason, quadratic, spread = obstacle(experiment, data.names), None, Spread()
    if not reason:
        shifted = right if data.offset is None else Op("add", (right, Name(data.offset)))
        rows = data.gathered("fit", lambda: _Rows((left, shifted), parameters, data))
        spread = rows.spread
        quadratic = Quadratic.of(rows.compressor.result(), loss_factor(loss, spread.tally.size), data.rows)
        if not quadratic.finite:
            reason, quadratic = "the rows are not finite, or too large to gather", None
    gathered = quadratic is not None and experiment.train.engine != "loop"
    columns = {} if gathered else tensors(data.columns, like)

    predicting = OfFormula(left, right, parameters, loss, data.offset)
    target = predicting.target

    def reread() -> Iterator[DataLoss]:
        for block in data.blocks():
            yield _on_rows(right, parameters, tensors(block, like), target, loss, data)

    if columns:
        require_targets(loss, target(columns), [to_text(left)], data)

    return Problem(
        kind="fit",
        loss_name=loss.name,
        parameters=parameters,
        objective=quadratic.to(like)
        if quadratic and gathered
        else _on_rows(right, parameters, columns, target, loss, data),
        quadratic=quadratic,
        obstacle=reason,
        gathered=gathered,
        sides=[(left, right)],
        columns=columns,
        rows=data.rows,
        target=target,
        targets=[to_text(left)],
        inputs=data.names.inputs,
        predict=predicting,
        loss=loss,
        labels={to_text(left): texts for texts in data.labels.values()},
        squares=spread.squares([quadratic]) if quadratic and gathered else None,
        reread=reread if gathered else None,
        loss_scale=quadratic.size if quadratic else loss_scale(target(columns), loss, weight_of(columns, data)),
    )


class _Rows:
    """Gathers rows [A c] of residuals A theta + c, and how far the targets are spread."""

    def __init__(self, sides: tuple[Node, Node], parameters: Parameters, data: Data) -> None:
        self._left, right = sides
        self._like, self._data = parameters.start_Q, data
        self._rows_of = AffineRows(Op("sub", (right, self._left)), parameters, fixed_columns(parameters))
        self.compressor, self.spread = Compressor(len(parameters.free) + 1), Spread()

    def add(self, block: Arrays) -> None:
        columns = tensors(block, self._like)
        rows, weight_N = len(next(iter(columns.values()))), weight_of(columns, self._data)
        weight_N = None if weight_N is None else weight_N.cpu()
        self.compressor.add(self._rows_of(columns, rows).cpu(), weight_N)
        self.spread.add(evaluate(self._left, columns).expand(1, rows).cpu(), weight_N)

    def merged(self, others: Sequence[_Rows]) -> _Rows:
        """These rows and others."""
        whole = copy(self)
        whole.compressor = self.compressor.merged([other.compressor for other in others])
        whole.spread = self.spread.merged([other.spread for other in others])
        return whole


def _on_rows(
    right: Node, parameters: Parameters, columns: Columns, target: Callable[[Columns], Tensor], loss: Loss, data: Data
) -> DataLoss:
    """The loss on every row, in blocks."""
    target_N, fixed = target(columns), fixed_columns(parameters)
    blocks = []
    for start in range(0, len(target_N), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        inside = {name: column[part] for name, column in columns.items()}
        rows = len(target_N[part])
        predictor = Formula(right, parameters.trained, {**fixed, **inside}, rows, parameters.start_Q)
        blocks.append(Block(predictor, target_N[None, part], *beside(columns, data, part)))

    @cache
    def whole() -> Formula:
        with torch.inference_mode(mode=False):  # what is made inside of it, autograd refuses
            return Formula(right, parameters.trained, {**fixed, **columns}, len(target_N), parameters.start_Q)

    def pick(rows: Rows) -> Block:
        return Block(whole().of(rows), chosen(target_N, rows), *beside(columns, data, rows))

    return DataLoss(lambda trials: blocks, loss, pick, target_N)
