"""The likelihood of data given a fit, and what it is penalised by: as R's lm, nls and glm have them.

    squares   -n/2 (log(2 pi) + 1 + log(RSS/n)) + sum of log w / 2, w of weights that are no counts
              with known standard errors -1/2 sum (log(2 pi sigma^2) + r^2/sigma^2)
    logistic, softmax   minus the sum of the loss
    poisson   minus the sum of the loss and of log(y!)
    gamma     of shape n/D for a deviance D, as in R

    AIC = 2k - 2 log likelihood,  BIC = k log(n) - 2 log likelihood

k counts the trained parameters, and one for the scatter where that is estimated: of squares and of gamma.

Shapes: N rows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gdtrain.problem.measured import predicted
from gdtrain.problem.objective import DataLoss
from gdtrain.problem.problem import Problem
from gdtrain.problem.tally import Tally


def of_squares(rss: float, tally: Tally, count: float, *, known: bool) -> float:
    """The log likelihood of one target.

    count  n, rows or what they count for; weights are then counts
    known  whether weights are 1/sigma^2 of known standard errors
    """
    weights = tally.log_weight / 2 if count == tally.rows else 0.0
    if known:
        return -count / 2 * math.log(2 * math.pi) + weights - rss / 2
    return -count / 2 * (math.log(2 * math.pi) + 1 + math.log(rss / count)) + weights if rss > 0 else math.inf


def of_rows(problem: Problem, theta_P: Tensor, loss: float, count: float) -> float | None:
    """The log likelihood of a loss that is one; None of one that is none.

    loss   its value at theta, a mean over what the rows count for
    count  n
    """
    name = problem.loss.name if problem.loss else ""
    if name not in ("logistic", "softmax", "poisson", "gamma") or not isinstance(problem.objective, DataLoss):
        return None
    total = -loss * problem.objective.elements
    if name in ("logistic", "softmax"):
        return total
    if name == "poisson":
        _, target, weight_N = predicted(problem.objective, theta_P)
        return total - float(_weighted(torch.lgamma(target.double() + 1), weight_N).sum())
    return sum(_of_gamma(problem, theta_P, t, count) for t in range(len(problem.targets)))


def _of_gamma(problem: Problem, theta_P: Tensor, t: int, count: float) -> float:
    eta, y, weight_N = _of_target(problem, theta_P, t)
    unit = torch.expm1(y.log() - eta) - (y.log() - eta)
    shape = count / (2 * float(_weighted(unit, weight_N).sum()))
    each = shape * (math.log(shape) - eta - y * torch.exp(-eta)) + (shape - 1) * y.log() - math.lgamma(shape)
    return float(_weighted(each, weight_N).sum())


def dispersion(problem: Problem, theta_P: Tensor, t: int, dof: float) -> float:
    """Of gamma: Pearson's sum of (y/mu - 1)^2 over the degrees of freedom, as R's summary of a glm has it."""
    eta, y, weight_N = _of_target(problem, theta_P, t)
    return float(_weighted((y * torch.exp(-eta) - 1).square(), weight_N).sum()) / dof


def _of_target(problem: Problem, theta_P: Tensor, t: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Prediction and target (N,) of one target, and the weights."""
    assert isinstance(problem.objective, DataLoss)
    eta, target, weight_N = predicted(problem.objective, theta_P)
    rows = len(target)
    return eta.double().reshape(rows, -1)[:, t], target.double().reshape(rows, -1)[:, t], weight_N


def _weighted(each: Tensor, weight_N: Tensor | None) -> Tensor:
    return each if weight_N is None else each * weight_N.double().view(-1, *[1] * (each.dim() - 1))


def criteria(loglik: float, parameters: int, count: float) -> dict[str, float]:
    """loglik, aic and bic."""
    return {
        "loglik": loglik,
        "aic": 2 * parameters - 2 * loglik,
        "bic": parameters * math.log(count) - 2 * loglik,
    }
