"""Losses: how far predictions are from their targets, as one number for each trial.

A loss gives every element its value and the derivative of that value in the prediction. It is reduced to a
weighted sum and a weight, both (S,), divided once: those of blocks, folds and processes add up exactly.

    loss      reduction  value of an element, r = prediction - target
    mse       mean       r^2
    half_sse  sum        r^2 / 2
    sse       sum        r^2
    mae       mean       |r|
    huber     mean       r^2 / 2 where |r| <= delta, else delta * (|r| - delta/2)
    logcosh   mean       log(cosh(r))
    quantile  mean       (1 - q) * r where r > 0, else -q * r
                         eta = prediction, y = target
    logistic  mean       log(1 + exp(eta)) - y*eta
    softmax   mean       log(sum of exp(eta_k)) - eta_y, of a row
    poisson   mean       exp(eta) - y*eta
    gamma     mean       y*exp(-eta) + eta

A mean is over rows, and over targets too where there are several, as in `torch.nn`.

Shapes: S trials, N rows, T targets, K classes. A prediction is (S, N) or (S, N, T); its target has the same shape, or
where trials share it (N,), (1, N), (N, T) or (1, N, T). A prediction of classes is (S, N, K), its target a number of a
class for each row. Nothing else is broadcast: an (N, 1) target beside (N,) predictions would compare every row with
every other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gdtrain.losses.likelihood import gamma, logistic, poisson, softmax
from gdtrain.losses.loss import Loss, Number, Pointwise, total
from gdtrain.losses.residual import half_sse, huber, logcosh, mae, mse, quantile, sse

__all__ = ["LOSSES", "Loss", "Number", "Pointwise", "build", "total"]

LOSSES: dict[str, Callable[..., Loss]] = {
    "mse": mse,
    "half_sse": half_sse,
    "sse": sse,
    "mae": mae,
    "huber": huber,
    "logcosh": logcosh,
    "quantile": quantile,
    "logistic": logistic,
    "softmax": softmax,
    "poisson": poisson,
    "gamma": gamma,
}


def build(name: str, options: Mapping[str, Any]) -> Loss:
    """The loss `name` with its options: `delta` for huber, `q` for quantile, a number or a tensor (S, 1).

    An unknown name is a KeyError, an unknown option a TypeError: both have been refused with the experiment.
    """
    return LOSSES[name](**options)
