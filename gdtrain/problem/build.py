"""Builds the problem that an experiment and its data pose.

Shapes: P trained parameters, N rows, E equations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol

from gdtrain.data.rows import Data
from gdtrain.data.views import FEW, Views
from gdtrain.experiment.formulas import sides
from gdtrain.experiment.grouped import several_problems
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.tied import untied
from gdtrain.formula import Op
from gdtrain.problem.affine import equation_rows, obstacle
from gdtrain.problem.fit import build_fit
from gdtrain.problem.objective import Block, DataLoss, Expression
from gdtrain.problem.parameters import Parameters, build_parameters
from gdtrain.problem.predictors import Equations
from gdtrain.problem.problem import Problem, fixed_columns, loss_factor, loss_of, tensors, zero_like
from gdtrain.problem.quadratic import Quadratic
from gdtrain.problem.regress import build_regress

Builder = Callable[[Experiment, Data], Problem]


class Learner(Protocol):
    """Builds a problem over rows, in parameters that were given or are scaled as these rows are."""

    def __call__(self, experiment: Experiment, data: Data, given: Parameters | None = None) -> Problem: ...


def build_problem(experiment: Experiment, data: Data) -> Problem:
    """The problem that `experiment` poses over `data`: its rows gathered where they can be, else read whole. Where
    rows are held out, over the others; where each fold is to be in turn, over all of them, with the problems of the
    folds.

    Raises UserError (exit 3) where the data is wrong, (exit 2) where the device is none.
    """
    if data.grouping is not None:
        raise several_problems(experiment)
    if data.split is None:
        return BUILDERS[experiment.kind](experiment, data)
    views, build = Views(data), LEARNERS[experiment.kind]
    if data.held is not None:
        return _apart(build, experiment, views, data.held)
    problem = build(experiment, views.every())
    if experiment.data is None or experiment.data.split is None or not experiment.data.split.crossed:
        return problem
    return replace(problem, folds=[partial(_apart, build, experiment, views, k) for k in range(1, views.folds + 1)])


def _apart(build: Learner, experiment: Experiment, views: Views, fold: int) -> Problem:
    """The problem of training without a fold. A fold of few rows is warned of."""
    trains, held_out = views.apart(fold)
    problem = build(experiment, trains)
    held = build(experiment, held_out, problem.parameters)
    if held_out.rows < FEW:
        held_out.warn(f"{held_out.where}: fewer than {FEW} rows are held out at once: their loss says little")
    return replace(problem, held=held)


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


LEARNERS: Mapping[str, Learner] = {"fit": build_fit, "regress": build_regress}
BUILDERS: Mapping[str, Builder] = {"solve": _solve, "minimize": _minimize, **LEARNERS}
