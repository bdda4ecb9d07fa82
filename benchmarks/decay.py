"""The nonlinear formula that is measured, a*exp(-b*x) + c, and rows of it that are the same every time."""

from __future__ import annotations

from typing import Any

import numpy as np

START = {"a": 1.0, "b": 1.0, "c": 0.0}
LR = 0.05
EXPERIMENT = {
    "fit": "y = a*exp(-b*x) + c",
    "params": START,
    "loss": "mse",
    "train": {"optimizer": "sgd", "lr": LR},
}
_CHUNK = 1 << 14  # rows


def decay(rows: int) -> dict[str, np.ndarray[Any, Any]]:
    """Rows of a decay with noise of sd 0.02. Made in place: memory that it took would hide what a training takes."""
    x_N = np.linspace(0.0, 5.0, rows)
    y_N = x_N * -0.6
    np.exp(y_N, out=y_N)
    y_N *= 2.5
    y_N += 0.5
    rng = np.random.default_rng(0)
    for start in range(0, rows, _CHUNK):
        part = y_N[start : start + _CHUNK]
        part += rng.normal(0.0, 0.02, len(part))
    return {"x": x_N, "y": y_N}
