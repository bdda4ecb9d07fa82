"""scikit-learn's SGDRegressor on rows in memory. `ROWS PASSES`.

Prints the seconds of a fit with one pass, of each pass after it, and the weights, the intercept last.
"""

from __future__ import annotations

import json
import sys
import time

from sklearn.linear_model import SGDRegressor

from benchmarks.bigdata import in_memory


def main(rows: int, passes: int) -> None:
    x_NF, y_N = in_memory(rows)

    def fit(count: int) -> tuple[float, SGDRegressor]:
        model = SGDRegressor(penalty=None, max_iter=count, tol=None, random_state=0)
        began = time.perf_counter()
        model.fit(x_NF, y_N)
        return time.perf_counter() - began, model

    first, _ = fit(1)
    total, model = fit(1 + passes)
    weights = [*model.coef_.tolist(), float(model.intercept_[0])]
    print(json.dumps({"first": first, "pass": (total - first) / passes, "weights": weights}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
