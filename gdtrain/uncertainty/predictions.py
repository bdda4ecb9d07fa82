"""Intervals of predictions by the delta method.

    eta    what is predicted before the link, g its gradient by the trained parameters, C their covariance
    mean   inverse(eta -+ q sqrt(g'Cg)): on the scale of the link, so that a probability stays within 0 and 1
    row    eta -+ q sqrt(g'Cg + s^2/w): of a squared loss alone, s^2 the scatter of a row and w its weight

q is the quantile of Student's t where the fit had one, else of the normal distribution. Of `softmax` the scale is the
logit of each class's probability p_k, whose gradient in eta_j is ([j = k] - p_j)/(1 - p_k).

Shapes: F trained parameters, D rows of a factor of their covariance, N rows, T targets, K classes.
Source: Seber and Wild, Nonlinear Regression, chapter 5; for links, Hosmer and Lemeshow, Applied Logistic Regression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gdtrain.data.predictions import PredictedRows
from gdtrain.experiment.objective import SQUARED
from gdtrain.losses import Loss
from gdtrain.problem.problem import Columns, Predicting, Problem, tensors
from gdtrain.results import Result
from gdtrain.results.parts import Interval
from gdtrain.results.uncertainty import LARGEST, Uncertainty
from gdtrain.uncertainty.student import reach

ROWS_OF_THEIR_OWN = "the error of a new row is not known, so that it has no prediction interval"
Ends = tuple[Tensor, Tensor]  # from and to, each shaped as the prediction


@dataclass(frozen=True)
class Intervals:
    """Intervals of rows: of their means, and where rows have a known scatter of the rows themselves."""

    mean: Ends
    row: Ends | None = None


@dataclass(frozen=True)
class Spread:
    """What intervals of a fit's predictions are made of.

    reach_T    standard errors that they reach to either side, of each target
    factor_DF  B with covariance B'B
    scatter_T  standard deviation of a row about its mean; None where no row has an interval
    alone      why none has, as a sentence; "" where they do
    known      whether weights are 1/sigma^2 of known errors
    weighted   whether a row scatters less by the root of its weight

    Where each row has its own, they are (N, T), (N, D, F) and (N, T).
    """

    loss: Loss
    reach_T: Tensor
    factor_DF: Tensor
    scatter_T: Tensor | None
    alone: str
    known: bool
    weighted: bool

    @classmethod
    def of(cls, found: Uncertainty, loss: Loss, targets: Sequence[str], level: float) -> Spread | str:
        """From what is known of a fit; where nothing is, the reason as a sentence."""
        if found.refused:
            return found.refused
        if found.factor_DF is None:
            return f"the document holds no covariance of more than {LARGEST} parameters"
        dof_T = _of_each(found.numbers.get("dof"), targets) if found.distribution == "t" else [torch.inf] * len(targets)
        alone = _alone(found, loss)
        known = "chi2" in found.numbers
        scatter = [1.0] * len(targets) if known else _of_each(found.numbers.get("sigma"), targets)
        return cls(
            loss,
            torch.tensor([reach(level, dof) for dof in dof_T], dtype=torch.float64),
            torch.from_numpy(found.factor_DF),
            None if alone else torch.tensor(scatter, dtype=torch.float64),
            alone,
            known,
            known or found.numbers.get("weights") == "analytic",
        )

    def intervals(
        self, predicting: Predicting, values_Q: Tensor, columns: Columns, rows: int, weight_N: Tensor | None
    ) -> Intervals:
        """Intervals of some rows; of rows of known error that come without one, of their means alone."""
        jacobian = predicting.jacobian(values_Q, columns, rows).double()
        eta = predicting.eta(values_Q, columns, rows).double()
        if self.loss.name == "softmax":
            return Intervals(self._of_classes(eta, jacobian))
        error_NT = torch.linalg.vector_norm(self._spread(jacobian), dim=-1).mT
        eta_NT = eta.reshape(rows, -1)
        mean = self._about(eta_NT, error_NT, eta)
        if self.scatter_T is None or (self.known and weight_N is None):
            return Intervals(mean)
        variance = self.scatter_T.square().expand_as(error_NT)
        if self.weighted and weight_N is not None:
            variance = variance / weight_N.double()[:, None]
        return Intervals(mean, self._about(eta_NT, (error_NT.square() + variance).sqrt(), eta))

    def _about(self, eta_NT: Tensor, error_NT: Tensor, like: Tensor) -> Ends:
        far = self.reach_T * error_NT
        low, high = (self.loss.inverse(end).reshape(like.shape) for end in (eta_NT - far, eta_NT + far))
        return low, high

    def _spread(self, jacobian_TNF: Tensor) -> Tensor:
        """(T, N, D), whose squares sum to g'Cg."""
        if self.factor_DF.dim() == 2:
            return jacobian_TNF @ self.factor_DF.mT
        return torch.einsum("tnf,ndf->tnd", jacobian_TNF, self.factor_DF)

    def _of_classes(self, eta_NK: Tensor, jacobian_JNF: Tensor) -> Ends:
        log_NK, spread_JND = torch.log_softmax(eta_NK, -1), self._spread(jacobian_JNF)
        p_NK = log_NK.exp()
        others_NK = torch.stack([_all_but(log_NK, k) for k in range(p_NK.shape[1])], 1)  # log(1 - p_k), no digit lost
        mean_ND = torch.einsum("nj,jnd->nd", p_NK[:, 1:], spread_JND)
        ends = []
        for k in range(p_NK.shape[1]):
            own_ND = spread_JND[k - 1] - mean_ND if k else -mean_ND
            error_N = torch.linalg.vector_norm(own_ND, dim=-1) / others_NK[:, k].exp()
            logit_N = log_NK[:, k] - others_NK[:, k]
            far_N = self.reach_T[..., 0] * error_N
            ends.append((logit_N - far_N, logit_N + far_N))
        low, high = (torch.sigmoid(torch.stack(end, 1)) for end in zip(*ends, strict=True))
        return low, high


def add_intervals(
    result: Result,
    problem: Problem,
    values_Q: np.ndarray,
    rows: PredictedRows,
    level: float,
    weights: np.ndarray | None,
) -> None:
    """Give a result's predictions intervals; a warning says where they have none, or their means alone have some."""
    found = result.uncertainty
    if found is None or problem.predict is None or problem.loss is None or not result.predictions:
        return
    spread = Spread.of(found, problem.loss, problem.targets, level)
    if isinstance(spread, str):
        result.warnings.append(f"predictions have no intervals: {spread}")
        return
    like = problem.parameters.start_Q
    weight_N = None if weights is None else torch.from_numpy(weights.copy())
    columns = tensors(rows.columns, like)
    made = spread.intervals(problem.predict, like.new_tensor(values_Q), columns, rows.count, weight_N)
    if made.row is None:
        result.warnings.append(spread.alone or ROWS_OF_THEIR_OWN)
    told = problem.classes or problem.targets
    result.predictions = [
        replace(
            prediction,
            interval=_ends(made.mean, i, told),
            prediction_interval=None if made.row is None else _ends(made.row, i, told),
        )
        for i, prediction in enumerate(result.predictions)
    ]


def _ends(ends: Ends, i: int, told: Sequence[str]) -> Interval:
    low, high = (end[i] for end in ends)
    if low.dim() == 0:
        return float(low), float(high)
    return dict(zip(told, zip(low.tolist(), high.tolist(), strict=True), strict=True))


def _all_but(log_NK: Tensor, k: int) -> Tensor:
    others: Tensor = torch.logsumexp(torch.cat([log_NK[:, :k], log_NK[:, k + 1 :]], 1), 1)
    return others


def _of_each(numbers: float | Mapping[str, float] | None, targets: Sequence[str]) -> list[float]:
    if isinstance(numbers, Mapping):
        return [float(numbers[name]) for name in targets]
    return [torch.nan if numbers is None else float(numbers)] * len(targets)


def _alone(found: Uncertainty, loss: Loss) -> str:
    """Why means alone have intervals, and new rows none."""
    if loss.name not in SQUARED:
        return f"{loss.name} tells no scatter of rows about their mean, so that new rows have no prediction interval"
    if found.method == "sandwich":
        return "--robust lets each row scatter in its own way, so that new rows have no prediction interval"
    if "sigma" not in found.numbers and "chi2" not in found.numbers:
        return "the fit tells no scatter of rows, so that new rows have no prediction interval"
    return ""
