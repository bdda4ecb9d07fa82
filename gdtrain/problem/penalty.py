"""A penalty on the weights, which is descended beside the loss.

    objective(theta) = loss(theta) + l1 * sum |w| + l2/2 * sum w^2        over the weights w as they are trained

Weights are every trained parameter of a `fit`, and of a `regress` all but intercepts, those of hidden units too. Fixed
ones are constants, and do not count. (Hoerl and Kennard 1970 for l2, ridge; Tibshirani 1996 for l1, the lasso; Zou and
Hastie 2005 for both.)

Shapes: S trials, P trained parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gdtrain.experiment.features import INTERCEPT
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.trials import Trials
from gdtrain.problem.objective import DataLoss, Objective
from gdtrain.problem.problem import Problem
from gdtrain.problem.quadratic import Quadratic


@dataclass(frozen=True, eq=False)
class Penalty:
    """l1 * sum |w| + l2/2 * sum w^2 of each trial.

    l1_S1, l2_S1  one for each trial, float64, at least 0
    weights_P     1 for weights, 0 for parameters that are left free, float64
    """

    l1_S1: Tensor
    l2_S1: Tensor
    weights_P: Tensor

    @property
    def sparse(self) -> bool:
        """Whether there is an l1, which has a kink wherever a weight is 0."""
        return bool((self.l1_S1 > 0).any())

    def l1(self, like: Tensor) -> Tensor:
        """Of each parameter, (S, P), in the dtype of `like`."""
        return (self.l1_S1 * self.weights_P).to(like)

    def l2(self, like: Tensor) -> Tensor:
        """Of each parameter, (S, P), in the dtype of `like`."""
        return (self.l2_S1 * self.weights_P).to(like)

    def value(self, theta: Tensor) -> Tensor:
        """What it adds to the loss at theta (..., S, P): (..., S)."""
        weights = theta[..., self.weights_P > 0]
        l1_S, l2_S = self.l1_S1[:, 0].to(theta), self.l2_S1[:, 0].to(theta)
        corners = torch.where(l1_S > 0, l1_S * weights.abs().sum(-1), 0.0)  # 0 times inf is no penalty
        return corners + torch.where(l2_S > 0, l2_S / 2 * weights.square().sum(-1), 0.0)

    def gradient(self, theta: Tensor, gradient: Tensor) -> Tensor:
        """The objective's gradient at theta (..., S, P) from the loss's: at a kink the subgradient of the least norm.

        It is 0 where no step lowers a convex objective. (Karush, Kuhn and Tucker's conditions for the lasso.)
        """
        smooth = gradient + self.l2(theta) * theta
        if not self.sparse:
            return smooth
        l1_SP = self.l1(theta)
        at_kink = smooth.sign() * (smooth.abs() - l1_SP).clamp(min=0)
        return torch.where(theta == 0, at_kink, smooth + l1_SP * theta.sign())

    def take(self, rows: Tensor) -> Penalty:
        """That of some trials, by their numbers (L,)."""
        return replace(self, l1_S1=self.l1_S1[rows], l2_S1=self.l2_S1[rows])


class Smooth:
    """A loss with the part of a penalty that has derivatives, l2: what the curvature is that of."""

    def __init__(self, objective: Objective, penalty: Penalty) -> None:
        self._objective, self._penalty = objective, replace(penalty, l1_S1=torch.zeros_like(penalty.l1_S1))

    def loss_and_gradient(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        """Loss + l2/2 * sum w^2 (S,) and its gradient (S, P)."""
        return self.added(theta_SP, *self._objective.loss_and_gradient(theta_SP))

    def added(self, theta_SP: Tensor, loss_S: Tensor, gradient_SP: Tensor) -> tuple[Tensor, Tensor]:
        """The penalty added to a loss and its gradient."""
        return loss_S + self._penalty.value(theta_SP), self._penalty.gradient(theta_SP, gradient_SP)

    def terms(self, theta_SP: Tensor) -> Iterator[Tensor]:
        """The loss's terms, and the penalty as one more."""
        yield from self._objective.terms(theta_SP)
        yield self._penalty.value(theta_SP)

    def hessian(self, theta_SP: Tensor) -> Tensor | None:
        """The loss's with l2 beside it, where there is one."""
        found = self._objective.hessian(theta_SP) if isinstance(self._objective, DataLoss) else None
        return None if found is None else found + torch.diag_embed(self._penalty.l2(theta_SP))

    def jacobians(self, theta_1P: Tensor) -> Iterator[Tensor]:
        """The residuals' derivatives, and a row sqrt(l2) e_j for each weight: what it pulls to 0 is determined."""
        yield from self._objective.jacobians(theta_1P)
        yield torch.diag(self._penalty.l2(theta_1P)[0].sqrt())


class Ridges:
    """A quadratic loss with l2 added, for each l2 that is asked for; each is worked out once."""

    def __init__(self, quadratic: Quadratic, weights_P: Tensor) -> None:
        self._weights_P = weights_P.to(quadratic.R_MP)
        self._found = {0.0: quadratic}

    def of(self, l2: float) -> Quadratic:
        """Loss + l2/2 * sum w^2."""
        if l2 not in self._found:
            self._found[l2] = self._found[0.0].decayed(l2, self._weights_P)
        return self._found[l2]


def penalty_of(trials: Trials, problem: Problem) -> Penalty | None:
    """The trials' penalty; None where they have none."""
    written = trials.experiment.penalty
    if written is None:
        return None
    device = problem.parameters.start_Q.device

    def column(key: str, shared: float) -> Tensor:
        own: Sequence[float] = trials.of(key) or [shared] * trials.count
        return torch.tensor(own, dtype=torch.float64, device=device)[:, None]

    names, network = problem.parameters.names, problem.network
    constants = {names[i] for i in network.constants} if network else set[str]()
    weights = [n not in constants and _is_weight(trials.experiment, problem, n) for n in problem.parameters.trained]
    return Penalty(
        column("penalty.l1", written.l1),
        column("penalty.l2", written.l2),
        torch.tensor(weights, dtype=torch.float64, device=device),
    )


def _is_weight(experiment: Experiment, problem: Problem, name: str) -> bool:
    """Whether a parameter is penalised: an intercept of `regress` is not, be it that of one of several targets."""
    if experiment.regress is None or not experiment.regress.intercept or name in problem.inputs:
        return True
    return name != INTERCEPT and not name.endswith(f".{INTERCEPT}")
