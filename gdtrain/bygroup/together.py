"""Least squares of many groups at once, where residuals are affine in the parameters: what `lm` comes to in each.

Only groups of which nothing is doubtful are told of here: numbers are finite, columns dependent or far from it. The
others are left to be fitted alone.

Shapes: G groups, P trained parameters, Q reported ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdtrain.bygroup.rows import Tallies, affine_rows
from gdtrain.bygroup.squares import Squares
from gdtrain.data.groups import Groups
from gdtrain.data.rows import Data
from gdtrain.experiment.objective import SQUARED
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.stop import Stop
from gdtrain.experiment.tied import ties
from gdtrain.linalg.triangles import triangles
from gdtrain.problem.affine import obstacle
from gdtrain.problem.parameters import Parameters, build_parameters
from gdtrain.problem.problem import loss_factor, loss_of, zero_like
from gdtrain.results.uncertainty import Estimate
from gdtrain.uncertainty.fitted import ROUNDING
from gdtrain.uncertainty.inference import estimates_of_each


@dataclass(frozen=True)
class Together:
    """What each group came to.

    clear_G   which groups are told of; the numbers of others mean nothing
    parameters  without scales: what they are in the units of the data
    squares   of each group, in these units, and tallies of its rows
    theta_GP  where they are least, and value_GQ all parameters there
    first_G, loss_G  the loss at the start and at the end
    factor_G  what the loss multiplies the sum of squares by
    error_GP  standard errors, nan where they would say nothing; dof_G their degrees of freedom
    level     of intervals
    """

    clear_G: list[bool]
    parameters: Parameters
    squares: Squares
    tallies: Tallies
    theta_GP: Tensor
    value_GQ: Tensor
    first_G: list[float]
    loss_G: list[float]
    factor_G: Tensor
    error_GP: Tensor
    dof_G: list[float]
    level: float

    def estimates(self, g: int) -> dict[str, Estimate]:
        """How far the parameters of a group can be trusted; {} where that cannot be told."""
        told = zip(*(each[g] for each in self._estimates), strict=True)
        found = {
            name: Estimate(error, t, p, (low, high))
            for name, (error, t, p, (low, high)) in zip(self.parameters.trained, told, strict=True)
        }
        return found if all(math.isfinite(each.std_error) for each in found.values()) else {}

    @cached_property
    def _estimates(self) -> list[list[list[Any]]]:
        """Standard errors, t, p and intervals of every group."""
        value_GP, error_GP = self.value_GQ[:, self.parameters.free].numpy(), self.error_GP.numpy()
        told = estimates_of_each(value_GP, error_GP, np.array(self.dof_G), self.level)
        return [each.tolist() for each in (error_GP, *told)]


def goes_together(experiment: Experiment, data: Data) -> bool:
    """Whether an experiment, its optimizer decided, is solved in one step whatever the rows: nothing else is asked."""
    train, loss = experiment.train, experiment.loss
    plain = train.optimizer.name == "lm" and train.engine != "loop" and not train.polish and train.epochs > 0
    usual = train.dtype == "float64" and train.device == "cpu" and experiment.stop == Stop()
    free = all(param.min is None and param.max is None for param in experiment.params.values())
    one = experiment.regress is None or len(experiment.regress.target) == 1
    squared = loss is not None and loss.name in SQUARED and not obstacle(experiment, data.names)
    trained = any(experiment.param(name).trained for name in data.names.parameters)
    return plain and usual and free and one and squared and trained and not experiment.penalty and not ties(experiment)


def solved(experiment: Experiment, groups: Groups) -> Together:
    """The least squares of every group, of an experiment that `goes_together`."""
    loss = loss_of(experiment)
    parameters = build_parameters(experiment, groups.whole.names.parameters, like=zero_like(experiment))
    squares = Squares.of(triangles(affine_rows(experiment, groups, parameters), groups.edges))
    start_GP = parameters.theta(parameters.start_Q).expand_as(squares.z_GP)
    theta_GP = squares.nearest(start_GP)
    tallies = Tallies.of(groups)
    factors = [loss_factor(loss, size) if size > 0 else math.nan for size in tallies.size_G.tolist()]
    factor_G = torch.tensor(factors, dtype=torch.float64)
    first_G, loss_G = squares.sum(start_GP) * factor_G, squares.sum(theta_GP) * factor_G
    error_GP, dof_G = _errors(experiment, squares, theta_GP, tallies)
    clear_G = squares.clear_G & theta_GP.isfinite().all(1) & first_G.isfinite() & loss_G.isfinite()
    if experiment.data is not None and experiment.data.scale != "none":  # which minimum is nearest depends on the scale
        clear_G &= squares.full_G
    return Together(
        clear_G=clear_G.tolist(),
        parameters=parameters,
        squares=squares,
        tallies=tallies,
        theta_GP=theta_GP,
        value_GQ=parameters.values(theta_GP),
        first_G=first_G.tolist(),
        loss_G=loss_G.tolist(),
        factor_G=factor_G,
        error_GP=error_GP,
        dof_G=dof_G,
        level=experiment.level,
    )


def _errors(experiment: Experiment, squares: Squares, theta_GP: Tensor, tallies: Tallies) -> tuple[Tensor, list[float]]:
    """Standard errors, nan where they would say nothing, and their degrees of freedom: as `uncertainty` has them."""
    dof_G = tallies.count_of(experiment) - theta_GP.shape[1]
    error_GP = torch.linalg.vector_norm(squares.inverse_GPP, dim=2)
    if experiment.data is not None and experiment.data.sigma is not None:
        return error_GP.masked_fill(~squares.full_G[:, None], torch.nan), [math.inf] * len(dof_G)
    length_G = squares.sum(theta_GP).sqrt()
    exact_G = length_G <= ROUNDING * torch.finfo(torch.float64).eps * squares.terms(theta_GP)
    told_G = squares.full_G & (dof_G > 0) & ~exact_G
    scatter_G = torch.where(told_G, length_G / dof_G.clamp(min=1e-300).sqrt(), torch.nan)
    return error_GP * scatter_G[:, None], dof_G.tolist()
