"""lmfit's least squares (Levenberg and Marquardt's method, its default) on the decay. `ROWS`.

Prints the seconds of a second fit, with a model and parameters of its own, and the weights.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from lmfit import Model

from benchmarks.decay import START, decay


def curve(x: Any, a: float, b: float, c: float) -> Any:
    return a * np.exp(-b * x) + c


def main(rows: int) -> None:
    frame = decay(rows)

    def fit() -> tuple[float, list[float]]:
        began = time.perf_counter()
        result = Model(curve).fit(frame["y"], x=frame["x"], **START)
        return time.perf_counter() - began, [float(value) for value in result.best_values.values()]

    fit()
    seconds, weights = fit()
    print(json.dumps({"seconds": seconds, "weights": weights}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
