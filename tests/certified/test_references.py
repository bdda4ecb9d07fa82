"""Published results of R and Stata, reached by a descent that suits each, to the digits that they were published to.

Their data lie in tests/data/regression; where each comes from stands in its JSON.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from gdtrain import fit, regress
from gdtrain.results import Result
from tests.certified.references import PUBLISHED, reference, table

MOMENTUM = {"name": "sgd", "momentum": 0.9, "nesterov": True}


def published(name: str) -> dict[str, Any]:
    found: dict[str, Any] = reference(PUBLISHED / f"{name}.json")
    return found


def digits(result: Result, expected: dict[str, Any], names: dict[str, str]) -> float:
    """Of the worst parameter; `names` are the reference's of our parameters."""
    return min(
        -math.log10(max(1e-17, abs(result.params[ours] / expected["certified"][theirs] - 1)))
        for ours, theirs in names.items()
    )


def test_spector_logit() -> None:
    expected, rows = published("spector_logit"), table("spector_logit")
    result = regress(rows, "GRADE", loss="logistic", optimizer=MOMENTUM, epochs=2000)
    names = {"GPA": "b1", "TUCE": "b2", "PSI": "b3", "intercept": "b0"}
    assert result.verdict.status == "converged"
    assert digits(result, expected, names) >= expected["param_digits"] - 1
    assert result.loss["final"] * 32 == pytest.approx(expected["objective_at_optimum"], rel=1e-12)
    assert result.metrics["deviance"] == pytest.approx(-2 * expected["reference_loglik"], rel=1e-6)


def test_cpunish_poisson() -> None:
    expected, rows = published("cpunish_poisson"), table("cpunish_poisson")
    rows["LOGVC"] = [math.log(value) for value in rows.pop("VC100k96")]
    features = ["INCOME", "PERPOVERTY", "PERBLACK", "LOGVC", "SOUTH", "DEGREE"]
    result = regress(rows, "EXECUTIONS", features, loss="poisson", optimizer=MOMENTUM, epochs=4000)
    names = {**{feature: f"b{i + 1}" for i, feature in enumerate(features)}, "intercept": "b0"}
    assert result.verdict.status == "converged"
    assert digits(result, expected, names) >= expected["param_digits"] - 1
    assert result.metrics["deviance"] == pytest.approx(expected["reference_deviance"], rel=1e-10)
    # What the loss leaves out, the mean of log(y!), makes it the negative log likelihood.
    left_out = sum(math.lgamma(y + 1) for y in rows["EXECUTIONS"])
    assert 17 * result.loss["final"] + left_out == pytest.approx(-expected["reference_loglik"], rel=1e-10)


def test_stackloss_huber() -> None:
    """Its scale, the median of absolute deviations, is the reference's; 1.345 of it is the threshold."""
    expected, rows = published("stackloss_huber"), table("stackloss_huber")
    delta = 1.345 * expected["reference_scale"]
    result = regress(rows, "STACKLOSS", loss={"name": "huber", "delta": delta}, epochs=3000)
    names = {"AIRFLOW": "b1", "WATERTEMP": "b2", "ACIDCONC": "b3", "intercept": "b0"}
    assert result.verdict.status == "converged"
    assert digits(result, expected, names) >= expected["param_digits"] - 1
    # The reference takes residuals in units of its scale.
    in_units = 21 * result.loss["final"] / expected["reference_scale"] ** 2
    assert in_units == pytest.approx(expected["objective_at_optimum"], rel=1e-3)


def test_engel_median() -> None:
    """The pinball loss is not smooth: its value is held to 1e-5, its weights to what that leaves them."""
    expected, rows = published("engel_quantile50"), table("engel_quantile50")
    descent: dict[str, Any] = {"optimizer": "adam", "lr": 0.1, "epochs": 20000, "data.scale": "standard"}
    result = regress(rows, "foodexp", loss="quantile", **descent)
    best = expected["objective_at_optimum"]
    assert best <= 235 * result.loss["final"] * (1 + 1e-12) <= best * (1 + 1e-5)


def test_softmax_of_two_classes_is_the_logit() -> None:
    expected, rows = published("spector_logit"), table("spector_logit")
    result = regress(rows, "GRADE", loss="softmax", optimizer=MOMENTUM, epochs=2000)
    names = {"1.GPA": "b1", "1.TUCE": "b2", "1.PSI": "b3", "1.intercept": "b0"}
    assert digits(result, expected, names) >= expected["param_digits"] - 1


def test_a_fit_is_the_regression() -> None:
    """The formula is the linear predictor, in columns brought to like sizes."""
    expected, rows = published("spector_logit"), table("spector_logit")
    formula = "GRADE = b1*(GPA - 3) + b2*(TUCE - 22) + b3*PSI + c"
    result = fit(
        formula, rows, loss="logistic", optimizer=MOMENTUM, epochs=20000, predict=[{"GPA": 3, "TUCE": 22, "PSI": 0}]
    )
    assert digits(result, expected, {"b1": "b1", "b2": "b2", "b3": "b3"}) >= expected["param_digits"] - 1
    (prediction,) = result.predictions
    assert prediction.after == pytest.approx(1 / (1 + math.exp(-result.params["c"])), rel=1e-12)
