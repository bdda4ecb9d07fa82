"""scikit-learn's logistic regression with its default solver, lbfgs, and no penalty. `ROWS LEAST NEAR`.

How many of its iterations bring the mean log loss within NEAR of LEAST is looked for first. Prints the seconds of a fit
of so many, their number, and the weights, the intercept last.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from benchmarks.labelled import labelled


def main(rows: int, least: float, near: float) -> None:
    x_FN, y_N = labelled("logistic", rows)
    x_NF = x_FN.T.copy()
    warnings.simplefilter("ignore")  # that it has not converged

    def fit(iterations: int) -> tuple[float, LogisticRegression]:
        model = LogisticRegression(C=np.inf, max_iter=iterations, tol=0.0)
        began = time.perf_counter()
        model.fit(x_NF, y_N)
        return time.perf_counter() - began, model

    iterations = 1
    while log_loss(y_N, fit(iterations)[1].predict_proba(x_NF)[:, 1]) > least + near:
        iterations += 1
    seconds, model = fit(iterations)
    weights = [*model.coef_[0].tolist(), float(model.intercept_[0])]
    print(json.dumps({"seconds": seconds, "iterations": iterations, "weights": weights}))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
