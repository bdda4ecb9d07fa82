"""Builds the problem that an experiment and its data pose.

Shapes: P trained parameters, N rows, E equations.
"""

from __future__ import annotations

from gdtrain.experiment.formulas import sides
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.tied import untied
from gdtrain.formula import Op
from gdtrain.problem.affine import equation_rows, obstacle
from gdtrain.problem.data import Data
from gdtrain.problem.fit import build_fit
from gdtrain.problem.objective import Block, DataLoss, Expression
from gdtrain.problem.parameters import build_parameters
from gdtrain.problem.predictors import Equations
from gdtrain.problem.problem import Problem, fixed_columns, loss_factor, loss_of, tensors, zero_like
from gdtrain.problem.quadratic import Quadratic
from gdtrain.problem.regress import build_regress


def build_problem(experiment: Experiment, data: Data) -> Problem:
    """The problem that `experiment` poses over `data`: its rows gathered where they can be, else read whole.

    Raises UserError (exit 3) where the data is wrong, (exit 2) where the device is none.
    """
    return BUILDERS[experiment.kind](experiment, data)


def _solve(experiment: Experiment, data: Data) -> Problem:
    like, loss = zero_like(experiment), loss_of(experiment)
    pairs = [untied(experiment, sides("solve", text)) for text in experiment.solve or ()]
    parameters = build_parameters(experiment, data.names.parameters, like=like)
    fixed = fixed_columns(parameters)
    residuals = [Op("sub", pair) for pair in pairs]
    equations = Equations(residuals, parameters.trained, fixed, like)
    block = Block(equations, like.new_zeros(1, len(pairs)))
    reason, quadratic = obstacle(experiment, data.names), None
    if not reason:
        rows_EW = equation_rows(residuals, parameters, fixed)
        quadratic = Quadratic.of(rows_EW.double(), loss_factor(loss, len(pairs)), len(pairs))
        if not quadratic.finite:
            reason, quadratic = "the equations are not finite", None
    return Problem(
        kind="solve",
        loss_name=loss.name,
        parameters=parameters,
        objective=DataLoss(lambda trials: [block], loss),
        quadratic=quadratic,
        obstacle=reason,
        sides=pairs,
    )


def _minimize(experiment: Experiment, data: Data) -> Problem:
    like = zero_like(experiment)
    (tree,) = untied(experiment, sides("minimize", experiment.minimize or ""))
    parameters = build_parameters(experiment, data.names.parameters, like=like)
    columns = tensors(data.columns, like)
    return Problem(
        kind="minimize",
        loss_name="expression",
        parameters=parameters,
        objective=Expression(tree, parameters.trained, {**columns, **fixed_columns(parameters)}, like),
        obstacle=obstacle(experiment, data.names),
        sides=[(tree,)],
        columns=columns,
        rows=data.rows,
    )


BUILDERS = {"solve": _solve, "minimize": _minimize, "fit": build_fit, "regress": build_regress}
