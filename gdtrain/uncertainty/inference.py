"""Standard errors, intervals, likelihood: of a fit that ended at a minimum.

Shapes: P trained parameters, F of them in the units of the data, T targets, D rows of a factor of the covariance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdtrain.results.uncertainty import Estimate, Uncertainty
from gdtrain.threads import threads
from gdtrain.uncertainty import reasons
from gdtrain.uncertainty.bootstrap import enough, estimates_of, samples_of
from gdtrain.uncertainty.covariance import inverse, sandwich, spreads
from gdtrain.uncertainty.fitted import Fitted
from gdtrain.uncertainty.likelihood import criteria, dispersion, of_rows, of_squares
from gdtrain.uncertainty.student import reach, reach_of_each, two_sided, two_sided_of_each


def uncertainty_of(fitted: Fitted) -> Uncertainty | None:
    """What is known of the parameters; None of a problem without data, or with nothing that was trained."""
    problem = fitted.problem
    if problem.loss is None or not problem.targets or not len(fitted.theta_P):
        return None
    with threads(1):  # small factorisations wait for one another longer than they take
        return _uncertainty(fitted)


def _uncertainty(fitted: Fitted) -> Uncertainty:
    problem, level = fitted.problem, fitted.experiment.level
    if reason := reasons.before(fitted):
        return Uncertainty("none", level, reason)
    if fitted.samples and not fitted.curved:
        return _bootstrapped(fitted, fitted.samples, {})
    if reason := reasons.nearby(fitted):
        return Uncertainty(fitted.method, level, reason)
    inverses = [inverse(part) for part in fitted.parts]
    error_F = _lengths(_in_values(fitted, _factors(fitted, inverses, least=True)))
    if reason := reasons.short_of(fitted, error_F) or reasons.saddle(fitted):
        return Uncertainty(fitted.method, level, reason)
    if fitted.samples:
        return _bootstrapped(fitted, fitted.samples, _numbers(fitted))
    spread_DF = _in_values(fitted, _factors(fitted, inverses))
    covariance_FF = spread_DF.mT @ spread_DF
    if not bool(covariance_FF.isfinite().all()):
        return Uncertainty(fitted.method, level, "they overflow: bring the columns to other units")
    dof_F = _dof_of_each(fitted)
    estimates = {
        name: estimate(value, error, dof, level)
        for name, value, error, dof in zip(
            problem.parameters.trained, _values(fitted), _lengths(spread_DF).tolist(), dof_F, strict=True
        )
    }
    errors_U = _lengths(spread_DF @ fitted.tied_UF.mT).tolist()
    for i, error in zip(fitted.tied, errors_U, strict=True):
        if error > 0:  # it does not follow from fixed ones alone
            value = float(problem.parameters.values(fitted.theta_P)[i])
            estimates[problem.parameters.names[i]] = estimate(value, error, dof_F[0], level)
    return Uncertainty(
        fitted.method,
        level,
        estimates=estimates,
        distribution="normal" if all(map(math.isinf, dof_F)) else "t",
        numbers=_numbers(fitted),
        covariance_FF=covariance_FF.numpy(),
        factor_DF=_triangle(spread_DF),
    )


def _bootstrapped(fitted: Fitted, count: int, numbers: Mapping[str, Any]) -> Uncertainty:
    """From fits of samples of the rows."""
    level, values_SV = fitted.experiment.level, samples_of(fitted, count)
    if not enough(values_SV, count):
        reason = f"only {len(values_SV):,} of {count:,} samples of the rows determine the parameters"
        return Uncertainty(fitted.method, level, reason)
    names = fitted.problem.parameters.names
    shown = [*fitted.problem.parameters.trained, *(names[i] for i in fitted.tied)]
    values_SF = values_SV[:, : len(fitted.theta_P)]
    about_SF = (values_SF - values_SF.mean(0)) / (len(values_SF) - 1) ** 0.5
    return Uncertainty(
        fitted.method,
        level,
        estimates=estimates_of(values_SV, shown, level),
        distribution="",
        numbers={"samples": len(values_SV), **numbers},
        covariance_FF=np.atleast_2d(np.cov(values_SF.numpy(), rowvar=False)),
        factor_DF=_triangle(about_SF),
    )


def _triangle(factor_DF: Tensor) -> np.ndarray:
    """The same factor in as few rows as there are parameters, none of them negative on the diagonal."""
    upper_FF = torch.linalg.qr(factor_DF, mode="r").R
    turned_FF = torch.where(upper_FF.diagonal()[:, None] < 0, -upper_FF, upper_FF) + 0.0  # no -0
    found: np.ndarray = turned_FF.numpy()
    return found


def _factors(fitted: Fitted, inverses: list[Tensor], *, least: bool = False) -> list[Tensor]:
    """B (P, M) of each target.

    least  of a squared loss with the scatter as it would be at the optimum, 0 of exact data
    """
    if fitted.robust:
        found = spreads(fitted.problem, fitted.theta_P, fitted.options, fitted.parts, counts=fitted.counts)
        return [sandwich(each, spread, fitted.count) for each, spread in zip(inverses, found, strict=True)]
    scatters = [_scatter(fitted, t, least=least) for t in range(len(inverses))]
    return [each * scatter for each, scatter in zip(inverses, scatters, strict=True)]


def _scatter(fitted: Fitted, t: int, *, least: bool = False) -> float:
    """The standard deviation of a row's residual; of likelihoods 1, or the root of gamma's dispersion."""
    part = fitted.parts[t]
    if fitted.loss_name == "gamma":
        return math.sqrt(dispersion(fitted.problem, fitted.theta_P, t, fitted.dof(part)))
    if not fitted.squared or fitted.known:
        return 1.0
    length = part.squares.rho if least else part.length
    return 0.0 if least and length <= fitted.rounding(part) else length / math.sqrt(fitted.dof(part))


def _in_values(fitted: Fitted, factors: list[Tensor]) -> Tensor:
    """The factor of the covariance of all values, (D, F), from those of each target."""
    rows = []
    for part, factor_PM in zip(fitted.parts, factors, strict=True):
        step_MP = torch.zeros(factor_PM.shape[1], len(fitted.theta_P), dtype=torch.float64)
        step_MP[:, part.index] = factor_PM.mT
        rows.append(fitted.in_values(step_MP))
    return torch.cat(rows)


def _lengths(spread_DF: Tensor) -> Tensor:
    found: Tensor = torch.linalg.vector_norm(spread_DF, dim=0)
    return found


def _values(fitted: Fitted) -> list[float]:
    parameters = fitted.problem.parameters
    values: list[float] = parameters.values(fitted.theta_P)[parameters.free].double().tolist()
    return values


def _dof_of_each(fitted: Fitted) -> list[float]:
    """Degrees of freedom of each parameter's t; infinitely many where the scatter of rows is not estimated."""
    estimated = (fitted.squared and not fitted.known) or fitted.loss_name in ("gamma", "huber", "logcosh")
    dof_P = [math.inf] * len(fitted.theta_P)
    for part in fitted.parts if estimated else ():
        for p in part.index:
            dof_P[p] = fitted.dof(part)
    return dof_P


def estimate(value: float, error: float, dof: float, level: float) -> Estimate:
    """A parameter's standard error with its t, p and interval; `dof` is inf where the scatter is known."""
    t, far = (value / error if error > 0 else math.copysign(math.inf, value)), reach(level, dof) * error
    return Estimate(error, t, two_sided(t, dof), (value - far, value + far))


def estimates_of_each(
    value_GP: np.ndarray, error_GP: np.ndarray, dof_G: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`estimate` of the parameters of G fits: t (G, P), p (G, P) and interval (G, P, 2)."""
    with np.errstate(all="ignore"):  # an error of 0
        t_GP = np.where(error_GP == 0, np.copysign(np.inf, value_GP), value_GP / error_GP)
    far_GP = reach_of_each(level, dof_G)[:, None] * error_GP
    interval_GP2 = np.stack([value_GP - far_GP, value_GP + far_GP], 2)
    return t_GP, two_sided_of_each(t_GP, dof_G[:, None]), interval_GP2


def _numbers(fitted: Fitted) -> dict[str, Any]:
    """Degrees of freedom, scatter and likelihood: of several targets by their names."""
    parts, targets = fitted.parts, fitted.problem.targets
    each: dict[str, list[float]] = {"dof": [fitted.dof(part) for part in parts]}
    logliks: list[float] = []
    if fitted.squared:
        rss = [part.length**2 for part in parts]
        each |= {"chi2": rss} if fitted.known else {"sigma": [_scatter(fitted, t) for t in range(len(parts))]}
        logliks = [of_squares(one, fitted.tally, fitted.count, known=fitted.known) for one in rss]
    elif fitted.loss_name == "gamma":
        each["dispersion"] = [_scatter(fitted, t) ** 2 for t in range(len(parts))]
    found: dict[str, Any] = {
        key: values[0] if len(values) == 1 else dict(zip(targets, values, strict=True)) for key, values in each.items()
    }
    loglik = sum(logliks) if logliks else of_rows(fitted.problem, fitted.theta_P, fitted.loss, fitted.count)
    if loglik is not None:
        scatters = len(parts) if (fitted.squared and not fitted.known) or fitted.loss_name == "gamma" else 0
        found |= criteria(loglik, len(fitted.theta_P) + scatters, fitted.count)
    data = fitted.experiment.data
    if data is not None and data.sample_weight is not None:
        found["weights"] = "frequency" if fitted.counts else "analytic"
    return found
