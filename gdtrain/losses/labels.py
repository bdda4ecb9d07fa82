"""What the classes of a target are called.

Shapes: K classes.
"""

from __future__ import annotations

import numpy as np


def class_names(classes_K: np.ndarray) -> list[str]:
    """What classes are called: texts as they are, whole numbers without a fraction, true and false in YAML's words."""
    return [_called(value) for value in classes_K.tolist()]


def _called(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
