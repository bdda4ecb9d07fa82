"""Classes of a target: which there are, and the number of each row's.

Shapes: N rows, K classes.
"""

from __future__ import annotations

import numpy as np


def labels(values_N: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The K classes in sorted order, as text, and each row's number in that order, (N,) float64.

    Of two texts the second is thus 1, and the first the reference. Numbers are sorted as numbers and told without a
    needless fraction: `1`, not `1.0`. K is as many as there are: one or a thousand is for the caller to refuse.
    """
    classes_K, codes_N = np.unique(values_N, return_inverse=True)
    return class_names(classes_K), codes_N.reshape(-1).astype(np.float64)


def class_names(classes_K: np.ndarray) -> list[str]:
    """What classes are called: texts as they are, whole numbers without a fraction, true and false in YAML's words."""
    return [_called(value) for value in classes_K.tolist()]


def _called(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
