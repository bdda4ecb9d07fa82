"""A fit whose uncertainty is asked for: where it ended, and what the loss is like there.

Shapes: P trained parameters, F of them in the units of the data, U tied ones, Q reported ones, T targets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from gdtrain.experiment.objective import SQUARED
from gdtrain.experiment.schema import Experiment
from gdtrain.formula import degree
from gdtrain.local.curvature import hessian_of
from gdtrain.local.nearby import Nearby, has_curvature, nearby
from gdtrain.planning.plan import Plan
from gdtrain.problem.objective import DataLoss
from gdtrain.problem.problem import Problem, fixed_columns
from gdtrain.problem.tally import Tally
from gdtrain.problem.tied import Spreading

ROUNDING = 16  # roundings of its terms that the length of the residuals may come to where the data are exact
OBSERVED = ("logistic", "poisson")  # whose curvature is that of the log likelihood itself, of a formula too


@dataclass(frozen=True, eq=False)
class Fitted:
    """A plan of one trial, the experiment, and the end of the descent, in trained units."""

    plan: Plan
    experiment: Experiment
    theta_P: Tensor
    loss: float
    status: str
    polished: bool

    @property
    def problem(self) -> Problem:
        return self.plan.problem

    @property
    def loss_name(self) -> str:
        return self.problem.loss_name

    @property
    def options(self) -> Mapping[str, float]:
        """Of the loss."""
        return self.experiment.loss.options if self.experiment.loss else {}

    @property
    def squared(self) -> bool:
        return self.loss_name in SQUARED

    @property
    def robust(self) -> bool:
        """Whether the scatter is taken from each row: where asked, and for losses that have no likelihood."""
        return self.experiment.robust or self.loss_name in ("huber", "logcosh")

    @property
    def samples(self) -> int | None:
        """How many samples of the rows are to be fitted; None where the curvature is to tell."""
        return self.experiment.uncertainty.bootstrap

    @property
    def curved(self) -> bool:
        """Whether the loss has a curvature that tells of its minimum: no kinks, and no penalty that moves it."""
        return has_curvature(self.problem) and self.plan.penalty is None

    @property
    def known(self) -> bool:
        """Whether the standard error of each row is known."""
        return self.experiment.data is not None and self.experiment.data.sigma is not None

    @cached_property
    def parts(self) -> list[Nearby]:
        """The loss of each target nearby."""
        found = nearby(self.problem, self.theta_P, self.options)
        hessian_PP = self._observed
        return found if hessian_PP is None else [found[0].with_curvature(hessian_PP)]

    @cached_property
    def _observed(self) -> Tensor | None:
        """The curvature of a formula's log likelihood, where it is not Fisher's."""
        problem = self.problem
        if problem.kind != "fit" or self.loss_name not in OBSERVED or not isinstance(problem.objective, DataLoss):
            return None
        if degree(problem.sides[0][1], problem.parameters.trained) <= 1:
            return None
        hessian_PP = hessian_of(problem.objective, self.theta_P[None])
        return None if hessian_PP is None else hessian_PP.double().cpu() * problem.objective.elements

    @property
    def method(self) -> str:
        """What the covariance is made of."""
        if self.samples:
            return "bootstrap"
        if self.robust:
            return "sandwich"
        if self.squared:
            return "gauss-newton"
        return "fisher" if self._observed is None else "hessian"

    @cached_property
    def tally(self) -> Tally:
        """Of the rows."""
        if has_curvature(self.problem):
            return self.parts[0].tally
        tally = Tally()
        for loss in self.problem.losses():
            for block in loss.blocks():
                weight = None if block.weight is None else block.weight[0].reshape(-1)
                tally.add(block.target.shape[1], weight)
        return tally

    @property
    def counts(self) -> bool:
        """Whether weights say how many rows each stands for: as they are told to, else where all are whole numbers."""
        data = self.experiment.data
        if self.known or data is None or data.sample_weight is None:
            return not self.known
        return data.weight_type == "frequency" or (data.weight_type == "auto" and self.tally.whole)

    @property
    def count(self) -> float:
        """n."""
        return self.tally.size if self.counts else float(self.tally.rows)

    def dof(self, part: Nearby) -> float:
        """Degrees of freedom of one target, n - p."""
        return self.count - len(part.index)

    def rounding(self, part: Nearby) -> float:
        """How long the residuals of a squared loss may be where the data are exact: some roundings of their terms."""
        R_MP, theta_P = part.squares.R_MP, self.theta_P.double().cpu()[part.index]
        terms = float((torch.linalg.vector_norm(R_MP, dim=0) * theta_P.abs()).sum())
        gathered = self.problem.squares is not None
        eps = torch.finfo(torch.float64 if gathered else self.theta_P.dtype).eps
        return ROUNDING * eps * (terms + self._target_length)

    @cached_property
    def _target_length(self) -> float:
        """Of the targets, each as often as its row counts."""
        targets = max(1, len(self.problem.targets))
        factor = self.problem.loss.value_factor if self.problem.loss else 1.0
        mean = self.problem.loss is not None and self.problem.loss.reduction == "mean"
        return math.sqrt(self.problem.loss_scale / factor * (self.tally.size * targets if mean else 1))

    @property
    def tied(self) -> list[int]:
        """Tied parameters, by their place among the reported ones."""
        return [i for i, _ in self.problem.parameters.ties]

    @cached_property
    def tied_UF(self) -> Tensor:
        """Derivatives of the tied parameters by those that they follow from (U, F), all in the units of the data."""
        parameters = self.problem.parameters
        if not parameters.ties:
            return torch.zeros(0, len(parameters.free), dtype=torch.float64)
        rows = [parameters.varying.index(i) for i in self.tied]
        slopes_VF = Spreading(parameters, fixed_columns(parameters)).jacobian(self.theta_P[None])
        return slopes_VF[rows].double().cpu()

    def in_values(self, step: Tensor) -> Tensor:
        """Steps (..., P) of theta as steps of the trained values (..., F), in the units of the data."""
        return self.problem.parameters.moved(step)[..., self.problem.parameters.free]
