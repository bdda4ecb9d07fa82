"""The numbers of the result documents of groups that were solved at once, worked out for some of them together.

The formulas are those of a fit alone: see `outcome`, `insight`, `metrics` and `uncertainty`.

Shapes: G groups, P trained parameters, Q reported ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gdtrain.bygroup.rows import targets
from gdtrain.bygroup.squares import Squares
from gdtrain.bygroup.sums import Scales, Sums
from gdtrain.bygroup.together import Together
from gdtrain.data.groups import Groups
from gdtrain.experiment.schema import Experiment
from gdtrain.uncertainty.inference import estimates_of_each

_APART = 1e-4  # singular values from which columns, scaled or not, are far from dependent
_RESIDUE = 1e-6  # share of their terms from which residuals are no rounding
_SPREAD = 1e-12  # share of their squares from which targets are spread

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Known:
    """What is known of all groups, besides what they came to, before anything is worked out.

    scales        of their columns; None where these are not scaled
    about_G       sum of squares of the targets about their mean, about 0 where the predictor has no constant
    about_zero_G  about 0
    count_G       n, and counts_G whether weights say how many rows each stands for
    """

    experiment: Experiment
    found: Together
    scales: Scales | None
    about_G: np.ndarray
    about_zero_G: np.ndarray
    count_G: np.ndarray
    counts_G: np.ndarray

    @classmethod
    def of(cls, experiment: Experiment, groups: Groups, found: Together) -> Known:
        sums, target_N = Sums.of(groups), targets(experiment, groups, found.parameters)
        with np.errstate(all="ignore"):  # what overflows is in doubt
            about_zero_G = sums.about(target_N, np.zeros(len(groups)))
            about_G = sums.about(target_N, sums.mean(target_N)) if _centred(experiment) else about_zero_G
        return cls(
            experiment,
            found,
            Scales.of(experiment, groups),
            about_G,
            about_zero_G,
            found.tallies.count_of(experiment).numpy(),
            found.tallies.counts(experiment),
        )

    @property
    def sigma(self) -> bool:
        """Whether the standard error of each row is known."""
        return self.experiment.data is not None and self.experiment.data.sigma is not None


def numbers_of(known: Known, some: slice) -> tuple[Arrays, np.ndarray]:
    """The numbers of some groups by name, (G, ...) each, and of which nothing is doubtful (G,): the numbers of others
    mean nothing.
    """
    found = known.found
    squares, theta_GP = found.squares.take(some), found.theta_GP[some]
    scales = None if known.scales is None else known.scales.take(some)
    with np.errstate(all="ignore"):  # what is not finite is in doubt
        steps_GPP = None if scales is None else _steps(scales, found)
        trained = squares if steps_GPP is None else Squares(squares.R_GPP @ steps_GPP, squares.z_GP, squares.rho_G)
        identity_PP = torch.eye(theta_GP.shape[1], dtype=torch.float64)
        inverse_GPP = torch.linalg.solve_triangular(squares.R_GPP, identity_PP.expand_as(squares.R_GPP), upper=True)
        numbers = {
            **_places(found, some, squares, steps_GPP, inverse_GPP),
            **({} if scales is None else {"scaled": scales.scaled(found.value_GQ[some].numpy())}),
            **_curvature(trained, found.factor_G[some]),
            **_metrics(known, some, squares),
            **_likelihood(known, some, squares),
            **_errors(known, some, squares, inverse_GPP),
        }
    return numbers, _clear(known, some, numbers, squares, trained)


def _clear(known: Known, some: slice, numbers: Arrays, squares: Squares, trained: Squares) -> np.ndarray:
    found = known.found
    terms_G = squares.terms(found.theta_GP[some])
    told_G = torch.tensor(found.clear_G[some]) & (squares.rho_G > _RESIDUE * terms_G)
    told_G &= (squares.least_G > _APART) & (trained.least_G > _APART)
    clear_G = told_G.numpy() & (known.about_G[some] > _SPREAD * known.about_zero_G[some])
    if known.scales is not None:
        clear_G &= known.scales.clear_G[some]
    finite = (np.isfinite(each).reshape(len(each), -1).all(1) for each in numbers.values())
    every_G: np.ndarray = np.logical_and.reduce([clear_G, _dof(known, some) > 0, *finite])
    return every_G


def _centred(experiment: Experiment) -> bool:
    return experiment.regress is None or experiment.regress.intercept


def _dof(known: Known, some: slice) -> np.ndarray:
    dof_G: np.ndarray = known.count_G[some] - known.found.theta_GP.shape[1]
    return dof_G


def _steps(scales: Scales, found: Together) -> Tensor:
    """Derivatives of the trained parameters in the units of the data by themselves as they are trained."""
    steps_GQQ = scales.steps(len(found.parameters.names))
    free = found.parameters.free
    return torch.from_numpy(steps_GQQ[:, free][:, :, free])


def _places(
    found: Together, some: slice, squares: Squares, steps_GPP: Tensor | None, inverse_GPP: Tensor
) -> dict[str, np.ndarray]:
    """Where each group came to, and the gradient there; the length of that is as it is trained."""
    theta_GP, factor_G = found.theta_GP[some], found.factor_G[some]
    optimum_GP = -(inverse_GPP @ squares.z_GP[..., None])[..., 0]
    slopes_GP = (squares.residual(theta_GP)[:, None, :] @ squares.R_GPP)[:, 0] * (2 * factor_G)[:, None] + 0.0  # no -0
    as_trained_GP = slopes_GP if steps_GPP is None else (slopes_GP[:, None, :] @ steps_GPP)[:, 0]
    apart_GP = (squares.R_GPP @ (theta_GP - optimum_GP)[..., None])[..., 0]
    return {
        "value": found.value_GQ[some].numpy(),
        "gradient": slopes_GP.numpy(),
        "norm": torch.linalg.vector_norm(as_trained_GP, dim=1).numpy(),
        "optimum": found.parameters.values(optimum_GP + 0.0).numpy(),
        "loss_at_optimum": (squares.sum(optimum_GP) * factor_G).numpy(),
        "excess_loss": (apart_GP.square().sum(1) * factor_G).numpy(),
    }


def _curvature(trained: Squares, factor_G: Tensor) -> Arrays:
    """The eigenvalues of the Hessian."""
    identity_PP = torch.eye(trained.R_GPP.shape[1], dtype=torch.float64)
    sigma_GP = torch.linalg.svdvals(torch.where(trained.finite_G[:, None, None], trained.R_GPP, identity_PP))
    steep_GP = 2 * factor_G[:, None] * sigma_GP.square()
    condition_G = (sigma_GP[:, 0] / sigma_GP[:, -1]).square()
    return {
        "largest": steep_GP[:, 0].numpy(),
        "smallest": steep_GP[:, -1].numpy(),
        "condition": condition_G.numpy(),
    }


def _metrics(known: Known, some: slice, squares: Squares) -> Arrays:
    rss_G = squares.sum(known.found.theta_GP[some]).numpy()
    rows_G, size_G = (each[some] for each in (known.found.tallies.rows_G, known.found.tallies.size_G))
    share_G = rss_G / known.about_G[some]
    left_G = rows_G - known.found.theta_GP.shape[1]
    return {
        "r2": 1 - share_G,
        "adjusted_r2": 1 - share_G * (rows_G - _centred(known.experiment)) / left_G,
        "rmse": np.sqrt(rss_G / size_G),
    }


def _likelihood(known: Known, some: slice, squares: Squares) -> Arrays:
    """Degrees of freedom, scatter and likelihood: as `uncertainty.likelihood` has them."""
    count_G, tallies = known.count_G[some], known.found.tallies
    rss_G = squares.sum(known.found.theta_GP[some]).numpy()
    log_weight_G = np.where(count_G == tallies.rows_G[some], tallies.log_weight_G[some] / 2, 0.0)
    parameters = known.found.theta_GP.shape[1] + (not known.sigma)
    if known.sigma:
        scatter = {"chi2": rss_G}
        loglik_G = -count_G / 2 * math.log(2 * math.pi) + log_weight_G - rss_G / 2
    else:
        scatter = {"sigma": np.sqrt(rss_G / _dof(known, some))}
        loglik_G = -count_G / 2 * (math.log(2 * math.pi) + 1 + np.log(rss_G / count_G)) + log_weight_G
    return {
        "dof": _dof(known, some),
        **scatter,
        "loglik": loglik_G,
        "aic": 2 * parameters - 2 * loglik_G,
        "bic": parameters * np.log(count_G) - 2 * loglik_G,
    }


def _errors(known: Known, some: slice, squares: Squares, inverse_GPP: Tensor) -> Arrays:
    """Standard errors and their matrices."""
    found, dof_G = known.found, _dof(known, some)
    rss_G = squares.sum(found.theta_GP[some])
    scatter_G = torch.ones_like(rss_G) if known.sigma else (rss_G / torch.from_numpy(dof_G)).sqrt()
    spread_GPP = inverse_GPP.mT * scatter_G[:, None, None]
    error_GP = torch.linalg.vector_norm(spread_GPP, dim=1).numpy()
    value_GP = found.value_GQ[some][:, found.parameters.free].numpy()
    free_G = np.full_like(dof_G, np.inf) if known.sigma else dof_G
    t_GP, p_GP, interval_GP2 = estimates_of_each(value_GP, error_GP, free_G, found.level)
    covariance_GPP = spread_GPP.mT @ spread_GPP
    return {
        "std_error": error_GP,
        "t": t_GP,
        "p": p_GP,
        "interval": interval_GP2,
        "covariance": covariance_GPP.numpy(),
        "correlation": _correlation(covariance_GPP).numpy(),
        "factor": _triangle(spread_GPP).numpy(),
    }


def _correlation(covariance_GPP: Tensor) -> Tensor:
    size_GP = covariance_GPP.diagonal(dim1=1, dim2=2).sqrt()
    correlation_GPP = (covariance_GPP / size_GP[:, None, :] / size_GP[..., None]).clamp(-1, 1)
    correlation_GPP.diagonal(dim1=1, dim2=2).fill_(1.0)
    return correlation_GPP


def _triangle(spread_GPP: Tensor) -> Tensor:
    """The factor as a triangle whose diagonal is above 0."""
    upper_GPP = torch.linalg.qr(spread_GPP.nan_to_num(), mode="r").R
    return torch.where(upper_GPP.diagonal(dim1=1, dim2=2)[..., None] < 0, -upper_GPP, upper_GPP) + 0.0  # no -0
