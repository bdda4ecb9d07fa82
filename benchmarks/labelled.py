"""Rows for losses of a likelihood by the million: the features of `bigdata`, and a target drawn from what they predict.

Shapes: N rows, F features, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.bigdata import FEATURES, Array

CLASSES = 5
_CHUNK = 1 << 14  # rows: what is made on the way takes no memory to speak of


def _label(rng: np.random.Generator, x_NF: Array) -> Array:
    """0 or 1, 1 with the probability sigmoid(x w)."""
    eta_N = x_NF @ _weights(1)[:, 0]
    return np.asarray(rng.random(len(x_NF)) < 1 / (1 + np.exp(-eta_N)))


def _class(rng: np.random.Generator, x_NF: Array) -> Array:
    """The number of a class, k with a probability in proportion to exp(x w_k)."""
    eta_NK = x_NF @ _weights(CLASSES)
    return np.asarray((eta_NK + rng.gumbel(size=eta_NK.shape)).argmax(1))


def _count(rng: np.random.Generator, x_NF: Array) -> Array:
    """A Poisson count of mean exp(x w)."""
    return rng.poisson(np.exp(x_NF @ _weights(1)[:, 0] / 4))


DRAWS: Mapping[str, Callable[[np.random.Generator, Array], Array]] = {
    "logistic": _label,
    "softmax": _class,
    "poisson": _count,
}


def labelled(loss: str, rows: int) -> tuple[Array, Array]:
    """Features (F, N), each lying whole, and the target (N,) of a loss, as float64."""
    x_FN, y_N = np.empty((FEATURES, rows)), np.empty(rows)
    for start in range(0, rows, _CHUNK):
        rng = np.random.default_rng((2, start))
        x_NF = rng.standard_normal((min(_CHUNK, rows - start), FEATURES))
        x_FN[:, start : start + _CHUNK] = x_NF.T
        y_N[start : start + _CHUNK] = DRAWS[loss](rng, x_NF)
    return x_FN, y_N


def frame_of(x_FN: Array, y_N: Array) -> dict[str, Array]:
    """The columns of a table, each an array of its own."""
    return {**{f"x{i}": x_N.copy() for i, x_N in enumerate(x_FN)}, "y": y_N}


def _weights(sets: int) -> Array:
    """(F, sets): predictors of standard deviation 1."""
    weights_FS: Array = np.random.default_rng(3).standard_normal((FEATURES, sets)) / FEATURES**0.5
    return weights_FS
