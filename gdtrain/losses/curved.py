"""What least squares need of a loss: slope and curvature of each row in its prediction.

    loss        slope             curvature
    mse, sse, half_sse   r        1           of r^2/2, whose minimum is the same
    huber       r within delta    1 where |r| <= delta, else 0
    logcosh     tanh(r)           1 - tanh(r)^2
    logistic    p - y             p (1 - p)
    poisson     mu - y            mu
    gamma       1 - y/mu          1           its mean, Fisher's: the curvature itself is y/mu

`softmax` has a vector of slopes and a matrix of curvatures, see `of_classes`. `mae` and `quantile` have no curvature.

Shapes: N rows, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Curved = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
_LEAST = 1e-300  # a probability that is not 0


def curved(loss: str, options: Mapping[str, float]) -> Curved | None:
    """(prediction, target), float64, -> slope and curvature of each row; None for a loss without."""
    if loss == "huber":
        delta = options.get("delta", 1.0)
        return lambda eta, y: ((eta - y).clamp(-delta, delta), ((eta - y).abs() <= delta).to(eta))
    return _OF_ONE.get(loss)


def _squared(eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return eta - y, torch.ones_like(eta)


def _logcosh(eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    slope = torch.tanh(eta - y)
    return slope, torch.cosh(eta - y).square().reciprocal()


def _logistic(eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    one = torch.sigmoid(eta)
    return torch.where(y > 0, -torch.sigmoid(-eta), one), one * torch.sigmoid(-eta)


def _poisson(eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    mean = eta.exp()
    return mean - y, mean


def _gamma(eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return 1 - y * torch.exp(-eta), torch.ones_like(eta)


_OF_ONE: Mapping[str, Curved] = {
    "mse": _squared,
    "sse": _squared,
    "half_sse": _squared,
    "logcosh": _logcosh,
    "logistic": _logistic,
    "poisson": _poisson,
    "gamma": _gamma,
}


def of_classes(eta_NK: Tensor, number_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of `softmax`, over all classes but the first, whose eta is 0: what makes a row a sum of squares.

    The curvature diag(p) - p p' is B B' with B = D (I - a q q'), D = diag(q), q = sqrt(p) and a = 1/(1 + sqrt(p_0)).

    Returns the slopes (N, K - 1), q (N, K - 1), and sqrt(p_0) (N,).
    """
    p_NK = torch.softmax(eta_NK, -1).clamp(min=_LEAST)
    own_NK = torch.nn.functional.one_hot(number_N.long(), eta_NK.shape[-1]).to(p_NK)
    return (p_NK - own_NK)[:, 1:], p_NK[:, 1:].sqrt(), p_NK[:, 0].sqrt()
