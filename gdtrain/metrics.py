"""How good predictions are, in the numbers that readers of each kind of loss ask for.

    losses of residuals   r2, adjusted_r2, rmse, mae
    logistic, softmax     accuracy, log_loss, auc (two classes), deviance, null_deviance, pseudo_r2, confusion
    poisson, gamma        deviance, null_deviance, pseudo_r2, rmse, mae

Every mean is weighted by the rows' weights. What has no value (an R2 of targets that are all alike, an AUC of one
class) is left out. Pure: tensors in, plain numbers out.

Shapes: N rows, T targets, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Metrics = dict[str, Any]
_STRAIGHT = 40.0  # softplus(x) is x to the last digit from here on
_PART = 1 << 15  # rows that are worked on at once: what is made of them stays in the cache


def measure(
    loss: str,
    eta: Tensor,
    target: Tensor,
    weight_N: Tensor | None = None,
    *,
    parameters: int,
    centred: bool = True,
    classes: Sequence[str] = (),
) -> Metrics:
    """The metrics of one target by the name of its loss.

    eta         predictions before the link's inverse, (N,); of classes (N, K). What is not finite has no metrics: {}
    target      (N,): numbers, labels 0 and 1, or numbers of classes
    weight_N    of each row; 1 unless given
    parameters  that were trained, centred: whether R2 is held against the mean; see `explained`
    classes     their names; of labels 0 and 1 unless given
    """
    eta, target = eta.double(), target.double()
    weight_N = target.new_ones(1).expand(len(target)) if weight_N is None else weight_N.double()
    if not bool(torch.stack(torch.aminmax(eta)).isfinite().all()) or not bool(weight_N.sum() > 0):
        return {}
    if loss == "softmax":
        return of_classes(eta, target, weight_N, classes)
    if loss == "logistic":
        return of_labels(eta, target, weight_N, classes or ("0", "1"))
    if loss in _UNIT_DEVIANCE:
        return of_means(loss, eta, target, weight_N)
    return of_numbers(eta, target, weight_N, parameters=parameters, centred=centred)


def _sums(of_rows: Callable[..., Sequence[Tensor]], *columns: Tensor) -> Tensor:
    """The sums of each number (n,) that some rows have, part by part of the columns (N, ...)."""
    parts = zip(*(torch.split(column, _PART) for column in columns), strict=True)
    each = (torch.stack([number_N.sum() for number_N in of_rows(*part)]) for part in parts)
    return sum(each, start=torch.zeros(()))


def of_numbers(prediction_N: Tensor, target_N: Tensor, weight_N: Tensor, *, parameters: int, centred: bool) -> Metrics:
    """r2, adjusted_r2, rmse and mae."""
    size = float(weight_N.sum())
    mean = float(_sums(lambda y, w: [w * y], target_N, weight_N)) / size if centred else 0.0

    def of_rows(prediction: Tensor, y: Tensor, w: Tensor) -> list[Tensor]:
        r = prediction - y
        return [w * r.square(), w * (y - mean).square(), w * r.abs(), w != 0]

    residual, about, absolute, rows = _sums(of_rows, prediction_N, target_N, weight_N).tolist()
    found = explained(residual, about, size, rows=int(rows), parameters=parameters, centred=centred)
    return found and found | {"mae": absolute / size}


def explained(
    residual: float, about: float, size: float, *, rows: int, parameters: int, centred: bool = True
) -> Metrics:
    """r2, adjusted_r2 and rmse from sums of squares: of residuals, and of targets about their mean.

    r2 = 1 - residual / about; adjusted_r2 = 1 - (1 - r2) (n - 1) / (n - p); rmse = sqrt(residual / size)

    size        sum of the weights; rows n that have one, and trained parameters p
    centred     False where the predictor has no constant: `about` is then about 0, and n stands in place of n - 1,
                as in R's lm and NIST's certificates

    Sums that overflow have none of them: {}.
    """
    found: Metrics = {}
    if not math.isfinite(residual):
        return found
    if 0 < about < math.inf:
        share = residual / about
        found["r2"] = 1 - share
        if rows > parameters:
            found["adjusted_r2"] = 1 - share * (rows - centred) / (rows - parameters)
    return found | {"rmse": (residual / size) ** 0.5}


def of_labels(eta_N: Tensor, label_N: Tensor, weight_N: Tensor, classes: Sequence[str] = ("0", "1")) -> Metrics:
    """What `of_classes` tells of two, from the eta of the second alone."""

    def of_rows(eta: Tensor, label: Tensor, w: Tensor) -> list[Tensor]:
        own, taken = label > 0, eta > 0
        log_loss = functional.softplus(torch.where(own, -eta, eta), threshold=_STRAIGHT)
        return [w * log_loss, *(w * (a & b) for a in (~own, own) for b in (~taken, taken))]

    log_losses, *cells = _sums(of_rows, eta_N, label_N, weight_N)
    return _classified(torch.stack(cells).view(2, 2), log_losses, auc(eta_N, label_N, weight_N), classes)


def of_classes(eta_NK: Tensor, number_N: Tensor, weight_N: Tensor, classes: Sequence[str]) -> Metrics:
    """Of numbers of classes: accuracy, log_loss, auc of two, deviance = 2 sum of -log p, confusion[true][predicted].

    The null model gives every row the classes' shares. Of classes that are equally likely the first is taken: of two,
    the second where its probability is above 1/2.
    """
    count = len(classes)
    cells = weight_N.new_zeros(count * count)

    def of_rows(eta: Tensor, number: Tensor, w: Tensor) -> list[Tensor]:
        own = number.long()
        cells.add_(torch.bincount(own * count + eta.argmax(1), w, count * count))
        # Beside a difference that is reckoned first, no digit of a small loss is lost.
        return [w * torch.logsumexp(eta - eta.gather(1, own[:, None]), 1)]

    log_losses = _sums(of_rows, eta_NK, number_N, weight_N)[0]
    area = auc(eta_NK[:, 1] - eta_NK[:, 0], number_N, weight_N) if count == 2 else None
    return _classified(cells.view(count, count), log_losses, area, classes)


def _classified(cells_KK: Tensor, log_losses: Tensor, area: float | None, classes: Sequence[str]) -> Metrics:
    """From the weight of the rows of each true class (down) that were taken for each class (across)."""
    own_K, size = cells_KK.sum(1), float(cells_KK.sum())
    null = -2 * float(torch.xlogy(own_K, own_K / size).sum())
    plain = cells_KK.long() if bool((cells_KK == cells_KK.round()).all()) else cells_KK
    return {
        "accuracy": float(cells_KK.trace()) / size,
        "log_loss": float(log_losses) / size,
        **({} if area is None else {"auc": area}),
        **_against_null(2 * float(log_losses), null),
        "confusion": {
            own: dict(zip(classes, row, strict=True)) for own, row in zip(classes, plain.tolist(), strict=True)
        },
    }


def of_means(loss: str, eta_N: Tensor, target_N: Tensor, weight_N: Tensor) -> Metrics:
    """Of a poisson or gamma mean exp(eta): deviance, and that of the null model, which predicts the mean target."""
    unit, size = _UNIT_DEVIANCE[loss], float(weight_N.sum())
    mean = _sums(lambda y, w: [w * y], target_N, weight_N)[0] / size

    def of_rows(eta: Tensor, y: Tensor, w: Tensor) -> list[Tensor]:
        r = eta.exp() - y
        of_null = w * unit(y, mean.log().expand_as(eta)) if float(mean) > 0 else torch.zeros_like(eta)
        return [w * unit(y, eta), of_null, w * r.square(), w * r.abs()]

    deviance, null, squares, absolute = _sums(of_rows, eta_N, target_N, weight_N).tolist()
    return {**_against_null(2 * deviance, 2 * null), "rmse": (squares / size) ** 0.5, "mae": absolute / size}


def _poisson(y: Tensor, eta: Tensor) -> Tensor:
    """y log(y/mu) - (y - mu)."""
    return torch.xlogy(y, y) - y * eta - (y - eta.exp())


def _gamma(y: Tensor, eta: Tensor) -> Tensor:
    """y/mu - 1 - log(y/mu)."""
    return torch.expm1(y.log() - eta) - (y.log() - eta)


_UNIT_DEVIANCE: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"poisson": _poisson, "gamma": _gamma}


def _against_null(deviance: float, null: float) -> Metrics:
    """Both deviances, and pseudo_r2 = 1 - deviance / null_deviance: of labels, McFadden's."""
    pseudo = {"pseudo_r2": 1 - deviance / null} if null > 0 else {}
    return {"deviance": deviance + 0.0, "null_deviance": null + 0.0, **pseudo}  # no -0


def auc(score_N: Tensor, label_N: Tensor, weight_N: Tensor) -> float | None:
    """The area under the ROC curve: the chance that a row labelled 1 has a higher score than one labelled 0.

    Ties count half. None where one of the labels is missing. Mann and Whitney 1947.
    """
    one_N = label_N > 0
    area = None if bool((weight_N != 1).any()) else _auc_by_rank(score_N.cpu().numpy(), one_N.cpu().numpy())
    if area is not None:
        return area
    (ones, one_weights), (zeros, zero_weights) = (_ascending(score_N[rows], weight_N[rows]) for rows in (one_N, ~one_N))
    pairs = float(one_weights.sum()) * float(zero_weights.sum())
    if not pairs > 0:
        return None
    below = np.concatenate([[0.0], zero_weights.cumsum()])  # weight of the first so many of the rows labelled 0
    less, or_equal = (below[np.searchsorted(zeros, ones, side)] for side in ("left", "right"))
    return float((one_weights * (less + or_equal)).sum()) / (2 * pairs)


def _auc_by_rank(score_N: np.ndarray, one_N: np.ndarray) -> float | None:
    """Of rows that count once, by the ranks of those labelled 1: one sort, at half the time.

    A row's label takes the place of the last bit of its score. None where that leaves scores of both labels alike,
    which may be tied, and where one label is missing.
    """
    scores = score_N + 0.0  # no -0
    bits = scores.view(np.int64)
    bits &= -2
    bits |= one_N
    scores.sort()
    (ranks,) = np.nonzero(bits & 1)
    ones, zeros = len(ranks), len(bits) - len(ranks)
    if not ones or not zeros or bool(((bits[1:] ^ bits[:-1]) == 1).any()):
        return None
    return (int(ranks.sum()) - ones * (ones - 1) // 2) / (ones * zeros)


def _ascending(score_N: Tensor, weight_N: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Scores in order with their weights."""
    score, weight = score_N.cpu().numpy(), weight_N.cpu().numpy()
    order = np.argsort(score)
    return score[order], weight[order]


def over_targets(each: Mapping[str, Metrics]) -> Metrics:
    """The metrics of several targets: of each number its mean over them, and under `targets` those of each."""
    first, *others = each.values()
    shared = [
        name
        for name, value in first.items()
        if isinstance(value, float) and all(isinstance(other.get(name), float) for other in others)
    ]
    means = {name: sum(found[name] for found in each.values()) / len(each) for name in shared}
    return {**means, "targets": dict(each)}
