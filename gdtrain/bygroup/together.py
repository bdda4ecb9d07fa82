"""Least squares of many groups at once, where residuals are affine in the parameters: what `lm` comes to in each.

Only groups of which nothing is doubtful are told of here: numbers are finite, columns far from dependent. The others
are left to be fitted alone.

Shapes: G groups, N rows, P trained parameters, Q reported ones, W = P + 1 columns of [A c].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gdtrain.experiment.formulas import sides
from gdtrain.experiment.objective import SQUARED
from gdtrain.experiment.schema import Experiment, Stop
from gdtrain.experiment.tied import ties
from gdtrain.formula import Name, Op
from gdtrain.problem.affine import AffineRows, obstacle
from gdtrain.problem.data import Data
from gdtrain.problem.groups import Groups
from gdtrain.problem.parameters import Parameters, build_parameters
from gdtrain.problem.problem import Columns, fixed_columns, loss_factor, loss_of, tensors, zero_like
from gdtrain.problem.triangles import triangles
from gdtrain.results.uncertainty import Estimate
from gdtrain.uncertainty.fitted import ROUNDING
from gdtrain.uncertainty.inference import estimate

_NEAR = 1e-7  # singular values, of columns of length 1, from which columns are not taken to be dependent
_ROWS = 1 << 16  # that are made at once


@dataclass(frozen=True)
class Together:
    """What each group came to.

    clear_G   which groups are told of; the numbers of others mean nothing
    value_GQ  parameters, `trained` the names of those that were
    first_G, loss_G  the loss at the start and at the end
    error_GP  standard errors, nan where they would say nothing; dof_G their degrees of freedom
    level     of intervals
    """

    clear_G: list[bool]
    value_GQ: Tensor
    trained: list[str]
    free: list[int]
    first_G: list[float]
    loss_G: list[float]
    error_GP: Tensor
    dof_G: list[float]
    level: float

    def estimates(self, g: int) -> dict[str, Estimate]:
        """How far the parameters of a group can be trusted; {} where that cannot be told."""
        if not bool(self.error_GP[g].isfinite().all()):
            return {}
        values, errors = self.value_GQ[g, self.free].tolist(), self.error_GP[g].tolist()
        return {
            name: estimate(value, error, self.dof_G[g], self.level)
            for name, value, error in zip(self.trained, values, errors, strict=True)
        }


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
    data, like, loss = groups.whole, zero_like(experiment), loss_of(experiment)
    parameters = build_parameters(experiment, data.names.parameters, like=like)
    rows_NW, weight_N = _rows(experiment, groups, parameters)
    tallies = _Tallies.of(groups, weight_N)
    upper_GWW = triangles(rows_NW, groups.edges)
    P = len(parameters.free)
    R_GPP, z_GP1, rho_G = upper_GWW[:, :P, :P], upper_GWW[:, :P, P:], upper_GWW[:, P, P].abs()
    length_GP = torch.linalg.vector_norm(R_GPP, dim=1)
    unit_GPP = R_GPP / length_GP[:, None, :]
    clear_G = upper_GWW.isfinite().all(2).all(1) & unit_GPP.isfinite().all(2).all(1)
    safe_GPP = torch.where(clear_G[:, None, None], unit_GPP, torch.eye(P, dtype=torch.float64))
    sigma_GP = torch.linalg.svdvals(safe_GPP)
    clear_G &= sigma_GP[:, -1] > _NEAR * sigma_GP[:, 0]
    safe_GPP = torch.where(clear_G[:, None, None], safe_GPP, torch.eye(P, dtype=torch.float64))
    inverse_GPP = torch.linalg.solve_triangular(
        safe_GPP, torch.eye(P, dtype=torch.float64).expand_as(safe_GPP), upper=True
    )
    inverse_GPP = inverse_GPP / length_GP[:, :, None]
    theta_GP = parameters.theta(parameters.start_Q).double().expand(len(rho_G), P)
    first_G, _ = _residual(R_GPP, z_GP1, rho_G, theta_GP)
    for _ in range(2):  # the second takes what rounding left of the first
        _, residual_GP = _residual(R_GPP, z_GP1, rho_G, theta_GP)
        theta_GP = theta_GP - (inverse_GPP @ residual_GP[..., None])[..., 0]
    square_G, _ = _residual(R_GPP, z_GP1, rho_G, theta_GP)
    clear_G &= theta_GP.isfinite().all(1) & square_G.isfinite() & first_G.isfinite()
    factors = [loss_factor(loss, size) if size else math.nan for size in tallies.size_G]
    factor_G = torch.tensor(factors, dtype=torch.float64)
    clear_G &= factor_G.isfinite()
    known = experiment.data is not None and experiment.data.sigma is not None
    dof_G = tallies.count_of(experiment, known=known) - P
    terms_G = (length_GP * theta_GP.abs()).sum(1) + (z_GP1[..., 0].square().sum(1) + rho_G.square()).sqrt()
    scatter_G = torch.ones_like(rho_G) if known else (square_G / dof_G).sqrt()
    tells_G = (
        dof_G >= 0 if known else (dof_G > 0) & (square_G.sqrt() > ROUNDING * torch.finfo(torch.float64).eps * terms_G)
    )
    error_GP = torch.linalg.vector_norm(inverse_GPP, dim=2) * scatter_G[:, None]
    return Together(
        clear_G=clear_G.tolist(),
        value_GQ=parameters.values(theta_GP),
        trained=parameters.trained,
        free=parameters.free,
        first_G=(first_G * factor_G).tolist(),
        loss_G=(square_G * factor_G).tolist(),
        error_GP=error_GP.masked_fill(~tells_G[:, None], torch.nan),
        dof_G=[math.inf] * len(groups) if known else dof_G.tolist(),
        level=experiment.level,
    )


def _residual(R_GPP: Tensor, z_GP1: Tensor, rho_G: Tensor, theta_GP: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of squares, and R theta + z."""
    residual_GP = (R_GPP @ theta_GP[..., None] + z_GP1)[..., 0]
    return residual_GP.square().sum(1) + rho_G.square(), residual_GP


def _rows(experiment: Experiment, groups: Groups, parameters: Parameters) -> tuple[Tensor, np.ndarray | None]:
    """[A c] (N, W), each row as often as it counts, and how often that is."""
    data, like = groups.whole, parameters.start_Q
    weight_N = None if data.weight is None else groups.made[data.weight]
    parts = []
    for start in range(0, int(groups.edges[-1]), _ROWS):
        part = {name: column[start : start + _ROWS] for name, column in groups.made.items()}
        columns = tensors(part, like)
        rows_NW = (
            _fit(experiment, data, parameters, columns)
            if experiment.fit
            else _regress(experiment, data, parameters, columns)
        )
        if data.weight is not None:
            rows_NW = rows_NW * columns[data.weight].sqrt()[:, None]
        parts.append(rows_NW)
    return torch.cat(parts), weight_N


def _fit(experiment: Experiment, data: Data, parameters: Parameters, columns: Columns) -> Tensor:
    left, right = sides("fit", experiment.fit or "")
    shifted = right if data.offset is None else Op("add", (right, Name(data.offset)))
    rows_of = AffineRows(Op("sub", (shifted, left)), parameters, fixed_columns(parameters))
    return rows_of(columns, len(next(iter(columns.values()))))


def _regress(experiment: Experiment, data: Data, parameters: Parameters, columns: Columns) -> Tensor:
    assert experiment.regress is not None
    (target,) = (columns[name] for name in experiment.regress.target)
    ones = [torch.ones_like(target)] if experiment.regress.intercept else []
    x_NQ = torch.stack([*(columns[column.name] for column in data.names.design), *ones], 1)
    free = set(parameters.free)
    held = [i for i in range(len(parameters.names)) if i not in free]
    c_N = x_NQ[:, held] @ parameters.start_Q[held] - target
    c_N = c_N if data.offset is None else c_N + columns[data.offset]
    return torch.cat([x_NQ[:, parameters.free], c_N[:, None]], 1)


@dataclass(frozen=True)
class _Tallies:
    """What the rows of each group count for, how many count, and whether every weight is a whole number."""

    size_G: list[float]
    rows_G: np.ndarray
    whole_G: np.ndarray

    @classmethod
    def of(cls, groups: Groups, weight_N: np.ndarray | None) -> _Tallies:
        rows_G = np.diff(groups.edges).astype(np.float64)
        if weight_N is None:
            return cls(rows_G.tolist(), rows_G, np.ones(len(groups), dtype=bool))
        size_G, some_G, odd_G = (
            np.add.reduceat(each.astype(np.float64), groups.edges[:-1])
            for each in (weight_N, weight_N > 0, weight_N != np.rint(weight_N))
        )
        return cls(size_G.tolist(), some_G, odd_G == 0)

    def count_of(self, experiment: Experiment, *, known: bool) -> Tensor:
        """n of each group: what weights that are counts add up to, else the rows."""
        data = experiment.data
        if known or data is None or data.sample_weight is None or data.weight_type == "analytic":
            return torch.from_numpy(self.rows_G)
        counts_G = self.whole_G | (data.weight_type == "frequency")
        return torch.from_numpy(np.where(counts_G, self.size_G, self.rows_G))
