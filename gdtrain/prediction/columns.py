"""Predictions as the columns of a table.

    losses of residuals  prediction
    poisson, gamma       prediction, the mean
    logistic             probability of a 1, or of the second label, and label, the likelier of the two
    softmax              probability.CLASS of each class, and label, the likeliest

Where there are several targets, each name ends in that of the target: `prediction.sales`.

Shapes: N rows, T targets, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gdtrain.losses.labels import class_names
from gdtrain.problem.portable import Portable
from gdtrain.uncertainty.predictions import Ends, Intervals

RESIDUAL = "residual"
_MEAN, _ROW = ("ci_lower", "ci_upper"), ("pi_lower", "pi_upper")
_LABELS = np.array([0.0, 1.0])


class Naming:
    """What columns of predictions are called.

    told   targets, or classes: what the numbers of a row stand for
    value  the name of a prediction
    """

    def __init__(self, model: Portable) -> None:
        self._model, loss = model, model.loss.name
        self.told: Sequence[str] = model.classes.names if model.classes else model.targets
        self.value = "probability" if loss in ("logistic", "softmax") else "prediction"
        self.labelled = loss in ("logistic", "softmax")

    def each(self, name: str) -> list[str]:
        """The names of a column for each of what is told."""
        return [name] if len(self.told) == 1 else [f"{name}.{one}" for one in self.told]

    def names(self, *, interval: bool, rows: bool, residual: bool) -> list[str]:
        """Of all columns; `rows` says whether new rows have an interval."""
        ends = [*_MEAN, *(_ROW if rows else ())] if interval else []
        labels = self._label_names() if self.labelled else []
        found = [*self.each(self.value), *labels]
        return [*found, *(one for end in ends for one in self.each(end)), *(self.each(RESIDUAL) if residual else [])]

    def predictions(self, eta: Tensor) -> Iterator[pl.Series]:
        """The predictions, and labels."""
        mean = self._model.loss.inverse(eta)
        yield from self.numbers(self.value, mean)
        if self._model.classes is not None:
            texts = self._model.targets[0] in self._model.labels
            yield _labels("label", eta.argmax(-1), self._model.classes.values_K, self.told if texts else ())
        elif self.labelled:
            for name, target, column in zip(self._label_names(), self.told, _columns(eta), strict=True):
                yield _labels(name, (column > 0).long(), _LABELS, self._model.labels.get(target, ()))

    def intervals(self, found: Intervals) -> Iterator[pl.Series]:
        """The ends of intervals."""
        yield from self._ends(_MEAN, found.mean)
        if found.row is not None:
            yield from self._ends(_ROW, found.row)

    def numbers(self, name: str, values: Tensor) -> Iterator[pl.Series]:
        """A column for each number of a row (N,), (N, T) or (N, K)."""
        for called, column in zip(self.each(name), _columns(values), strict=True):
            yield pl.Series(called, column.numpy())

    def _ends(self, names: Sequence[str], ends: Ends) -> Iterator[pl.Series]:
        for name, end in zip(names, ends, strict=True):
            yield from self.numbers(name, end)

    def _label_names(self) -> list[str]:
        return ["label"] if self._model.classes else self.each("label")


def residuals(model: Portable, eta: Tensor, target: Tensor) -> Tensor:
    """Prediction minus target; of classes the probability of each, less 1 for the row's own."""
    if model.classes is None:
        return model.loss.inverse(eta) - target
    own = torch.nn.functional.one_hot(target.long(), len(model.classes.names))
    return model.loss.inverse(eta) - own


def _columns(values: Tensor) -> Sequence[Tensor]:
    return [values] if values.dim() == 1 else values.mT.contiguous().unbind(0)


def _labels(name: str, places_N: Tensor, values_K: np.ndarray, texts: Sequence[str]) -> pl.Series:
    """The label at each place: its text, else its number, whole where all are."""
    if not texts:
        whole = bool((values_K == np.floor(values_K)).all()) and "." not in "".join(class_names(values_K))
        known = pl.Series(values_K.astype(np.int64) if whole else values_K)
    else:
        known = pl.Series(list(texts))
    return known.gather(pl.Series(places_N.numpy())).alias(name)
