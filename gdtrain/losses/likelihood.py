"""Negative log likelihoods of a target, given a predictor eta that a link joins to the target's mean.

Each has the canonical link of its family but gamma, which has the logarithm, as is usual. What does not depend on eta
is left out of `poisson` and `gamma`: their losses may be negative. McCullagh and Nelder, Generalized Linear Models,
2nd ed., chapters 2, 4, 5, 6 and 8.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from gdtrain.losses.loss import Loss, require_rows, require_shape

# softplus(x) is x to the last digit from here on; torch's own default, 20, loses seven of them.
_STRAIGHT = 40.0


def logistic() -> Loss:
    """Mean of log(1 + exp(eta)) - y * eta for labels y of 0 and 1: the log loss, as in torch.nn.BCEWithLogitsLoss.

    Derivative sigmoid(eta) - y; the prediction is sigmoid(eta), the probability of a 1. Both are reckoned from eta
    with the sign that the label gives it, so that no digit is lost where the probability is near that label.
    """

    def rule(eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        require_shape(eta, y)
        against = torch.addcmul(eta, y, eta, value=-2)  # -eta where y is 1
        wrong = torch.sigmoid(against)
        return functional.softplus(against, threshold=_STRAIGHT), torch.addcmul(wrong, y, wrong, value=-2)

    return Loss(
        "logistic",
        "mean",
        rule,
        inverse=torch.sigmoid,
        fits=lambda y: (y == 0) | (y == 1),
        takes="labels 0 and 1",
        remedy="code the two classes as 0 and 1; for more classes there is softmax",
    )


def softmax() -> Loss:
    """Mean of log(sum over k of exp(eta_k)) - eta_y for a class number y: as in torch.nn.CrossEntropyLoss.

    eta (S, N, K), y (N,), (1, N) or (S, N) of whole numbers from 0 to K - 1; the value is (S, N). Derivative
    softmax(eta)_k, less 1 where k is y; the prediction is softmax(eta), the probability of each class. Adding the same
    to each eta_k changes nothing: of `regress`, the first class has eta_0 = 0 and no weights.
    """

    def rule(eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        require_rows(eta, y)
        own = y.long().expand(eta.shape[:2])[..., None]
        log = torch.log_softmax(eta, -1)
        value = -log.gather(-1, own)[..., 0]
        slope = torch.scatter_add(log.exp(), -1, own, log.new_full((), -1.0).expand(own.shape))
        return value, slope

    return Loss(
        "softmax",
        "mean",
        rule,
        inverse=lambda eta: torch.softmax(eta, -1),
        fits=lambda y: (y >= 0) & (y == y.floor()),
        takes="classes",
    )


def poisson() -> Loss:
    """Mean of exp(eta) - y * eta for counts y >= 0, as in torch.nn.PoissonNLLLoss: log(y!) is left out.

    Derivative exp(eta) - y; the prediction is exp(eta), the mean count. Numbers that are not whole are taken too: their
    fit is a quasi-likelihood, whose weights are consistent as long as the mean is right (Gourieroux, Monfort and
    Trognon 1984).
    """

    def rule(eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        require_shape(eta, y)
        mean = torch.exp(eta)
        return torch.addcmul(mean, y, eta, value=-1), mean - y

    return Loss(
        "poisson",
        "mean",
        rule,
        inverse=torch.exp,
        fits=lambda y: y >= 0,
        takes="counts, 0 or more",
        remedy="leave such rows out, or use mse",
    )


def gamma() -> Loss:
    """Mean of y * exp(-eta) + eta for y > 0: the log likelihood of a gamma distribution over its shape, with its sign
    changed; terms of y alone are left out.

    Derivative 1 - y * exp(-eta); the prediction is exp(eta), the mean. Standard deviations are in proportion to it.
    """

    def rule(eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        require_shape(eta, y)
        share = y * torch.exp(-eta)
        return share + eta, 1 - share

    return Loss(
        "gamma",
        "mean",
        rule,
        inverse=torch.exp,
        fits=lambda y: y > 0,
        takes="numbers above 0",
        remedy="leave such rows out; where 0 is a count, use poisson",
    )
