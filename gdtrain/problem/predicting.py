"""How rows are predicted by the values of all parameters, in the units of the data: a formula, or columns with weights.

Shapes: P trained parameters, Q reported ones, N rows, T targets, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gdtrain.data.rows import Data
from gdtrain.experiment.formulas import sides
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.tied import untied
from gdtrain.formula import Node
from gdtrain.formula.evaluate import evaluate
from gdtrain.losses import Loss
from gdtrain.problem.gathered import Layout
from gdtrain.problem.parameters import Parameters
from gdtrain.problem.predictors import Formula, Linear, Predictor, over_reference
from gdtrain.problem.problem import Columns, Predicting, by_name, fixed_columns, loss_of
from gdtrain.problem.tied import Spreading, Tied


@dataclass(frozen=True)
class OfFormula:
    """`fit`: the right side of a formula.

    left, right  its sides, tied parameters written out
    offset       column that is added to the prediction, if any
    """

    left: Node
    right: Node
    parameters: Parameters
    loss: Loss
    offset: str | None

    def __call__(self, values_Q: Tensor, columns: Columns, rows: int) -> Tensor:
        return self.loss.inverse(self.eta(values_Q, columns, rows))

    def eta(self, values_Q: Tensor, columns: Columns, rows: int) -> Tensor:
        eta = evaluate(self.right, {**columns, **by_name(self.parameters.names, values_Q)}).expand(rows)
        return eta if self.offset is None else eta + columns[self.offset]

    def target(self, columns: Columns) -> Tensor:
        return evaluate(self.left, columns).expand(max(map(len, columns.values())))

    def jacobian(self, values_Q: Tensor, columns: Columns, rows: int) -> Tensor:
        here = replace(self.parameters, start_Q=values_Q)
        inputs = {**fixed_columns(here), **columns}
        predictor = Formula(self.right, here.trained, inputs, rows, values_Q)
        return predictor.jacobian(values_Q[here.free][None])[None]


@dataclass(frozen=True)
class OfColumns:
    """`regress`: weights of the columns of a design, or hidden layers over them.

    offset  column that is added to each prediction, if any
    """

    layout: Layout
    parameters: Parameters
    loss: Loss
    offset: str | None

    def __call__(self, values_Q: Tensor, columns: Columns, rows: int) -> Tensor:
        return self.loss.inverse(self.eta(values_Q, columns, rows))

    def eta(self, values_Q: Tensor, columns: Columns, rows: int) -> Tensor:
        layout, x_ND = self.layout, self.design(columns, rows, values_Q)
        if layout.network is None:
            eta = x_ND @ values_Q.view(-1, layout.width).T
        else:
            free = range(len(values_Q))
            eta = layout.network.predictor(x_ND, free, values_Q).forward(values_Q[None])[0].view(rows, -1)
        eta = (eta if self.offset is None else eta + columns[self.offset][:, None]).squeeze(1)
        return over_reference(eta) if layout.reference else eta

    def target(self, columns: Columns) -> Tensor:
        y = [columns[name] for name in self.layout.targets]
        return y[0] if len(y) == 1 else torch.stack(y, 1)

    def jacobian(self, values_Q: Tensor, columns: Columns, rows: int) -> Tensor:
        here = replace(self.parameters, start_Q=values_Q, scalings=())
        x_ND = self.design(columns, rows, values_Q)
        predictor: Predictor = Linear(x_ND, self.layout.predictors, here.varying, values_Q)
        if here.ties:
            predictor = Tied(predictor, Spreading(here, fixed_columns(here)))
        return predictor.jacobian(values_Q[here.free][None]).view(-1, rows, len(here.free))

    def design(self, columns: Columns, rows: int, like: Tensor) -> Tensor:
        """The columns side by side, then a column of ones where there is a constant: (N, D)."""
        ones = [like.new_ones(rows)] if self.layout.constant else []
        return torch.stack([*(columns[name] for name in self.layout.features), *ones], 1)


def predicting_of(experiment: Experiment, data: Data, parameters: Parameters) -> Predicting:
    """How a `fit` or a `regress` predicts."""
    loss = loss_of(experiment)
    if experiment.fit is not None:
        left, right = untied(experiment, sides("fit", experiment.fit))
        return OfFormula(left, right, parameters, loss, data.offset)
    return OfColumns(Layout.of(experiment, data), parameters, loss, data.offset)
