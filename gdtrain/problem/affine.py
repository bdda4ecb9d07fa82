"""Rows [A c] of a residual A theta + c, and why an experiment has none.

Shapes: N rows, P trained parameters, E equations.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gdtrain.experiment.formulas import sides
from gdtrain.experiment.names import Names
from gdtrain.experiment.schema import Experiment
from gdtrain.formula import Node, Op, degree
from gdtrain.formula.tape import Tape
from gdtrain.problem.parameters import Parameters

SQUARED = {"mse", "half_sse", "sse"}
WIDEST = 4096  # parameters: the triangle of so many takes 134 MB
_WIDE = 64  # so few are always worth gathering, however few the epochs
_EPOCHS_WORTH = 8  # parameters for each epoch from which walking the rows is cheaper


def obstacle(experiment: Experiment, names: Names) -> str:
    """Why the experiment's rows cannot be gathered into a few, as a clause; "" where they can."""
    if experiment.loss is None:
        return "an expression is no sum of squares"
    if experiment.model is not None:
        return "hidden layers have no closed form"
    if experiment.train.batch_size is not None:
        return "mini-batches have no closed form"
    if experiment.loss.name not in SQUARED:
        return f"{experiment.loss.name} is not a squared loss"
    trained = [name for name in names.parameters if not experiment.param(name).fixed]
    for text in [experiment.fit] if experiment.fit else experiment.solve or ():
        if degree(Op("sub", sides(experiment.kind, text)), trained) > 1:
            return f"the residual of {text} is not affine in the parameters"
    if len(trained) > WIDEST:
        return f"{len(trained):,} parameters are too many to gather"
    if len(trained) > max(_WIDE, _EPOCHS_WORTH * experiment.train.epochs):
        return f"walking {experiment.train.epochs:,} epochs costs less than gathering {len(trained):,} columns"
    return ""


class AffineRows:
    """The rows [A c] of one residual tree: A is its derivative, the same at every theta; c its value at theta = 0.

    Nothing is differenced: r(e_j) - r(0) would cancel.
    """

    def __init__(self, residual: Node, parameters: Parameters, fixed: dict[str, Tensor]) -> None:
        self._tape = Tape([residual], parameters.trained)
        self._zero_1P = parameters.start_Q.new_zeros(1, len(parameters.free))
        self._fixed = fixed

    def __call__(self, columns: dict[str, Tensor], rows: int) -> Tensor:
        """[A c] (rows, P + 1)."""
        bound = self._tape.bind({**columns, **self._fixed}, like=self._zero_1P)
        (c,), _ = bound.forward(self._zero_1P)
        (jacobian_1NP,) = bound.jacobian(self._zero_1P)
        return torch.cat([jacobian_1NP[0].expand(rows, -1), c.reshape(-1, 1).expand(rows, 1)], 1)


def equation_rows(residuals: Sequence[Node], parameters: Parameters, fixed: dict[str, Tensor]) -> Tensor:
    """[A c] (E, P + 1) of equations."""
    return torch.cat([AffineRows(residual, parameters, fixed)({}, 1) for residual in residuals])
