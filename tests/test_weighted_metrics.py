"""Metrics and links of rows that count more than once, or have an offset."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from gdtrain import fit, regress
from tests.certified.references import table
from tests.certified.test_references import MOMENTUM, digits, published

RNG = np.random.default_rng(11)
N = 60
X, Z, OFFSET = RNG.normal(0, 1, N), RNG.normal(0, 1, N), RNG.normal(0, 0.5, N)
WEIGHT = RNG.integers(0, 4, N).astype(float)
COUNT = RNG.poisson(np.exp(0.5 + 0.4 * X + OFFSET)).astype(float)
TARGETS = {
    "mse": 2 + X - Z + RNG.normal(0, 1, N),
    "huber": 2 + X - Z + RNG.standard_t(2, N),
    "logistic": (RNG.random(N) < 1 / (1 + np.exp(-X))).astype(float),
    "softmax": RNG.integers(0, 3, N).astype(float),
    "poisson": COUNT,
    "gamma": RNG.gamma(2, np.exp(0.3 * X)),
}
REPEATED = np.repeat(np.arange(N), WEIGHT.astype(int))


def close(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert list(found) == list(expected)
    for name, value in expected.items():
        if isinstance(value, Mapping):
            close(found[name], value)
        else:
            assert found[name] == pytest.approx(value, rel=1e-9), name


CASES = [("mse", "exact", offset) for offset in (False, True)]
CASES += [(loss, "loop", offset) for loss in TARGETS for offset in (False, True) if not (offset and loss == "softmax")]


@pytest.mark.parametrize(("loss", "engine", "offset"), CASES)
def test_a_weight_is_a_row_repeated(loss: str, engine: str, offset: bool) -> None:
    rows = {"x": X, "z": Z, "y": TARGETS[loss]} | ({"o": OFFSET} if offset else {})
    keys: dict[str, Any] = {"loss": loss, "lr": 0.1, "epochs": 40, "engine": engine, "data.scale": "standard"}
    keys |= {"data.offset": "o"} if offset else {}
    repeated = regress({name: column[REPEATED] for name, column in rows.items()}, "y", **keys)
    keys |= {"data.sample_weight": "w"}
    weighted = regress({**rows, "w": WEIGHT}, "y", **keys)
    found, expected = dict(weighted.metrics), dict(repeated.metrics)
    assert found
    if "adjusted_r2" in found:  # of rows that count, however often: as in R
        n, counted = int((WEIGHT > 0).sum()), len(REPEATED)
        share = (1 - expected.pop("adjusted_r2")) * (counted - 3) / (counted - 1)
        assert found.pop("adjusted_r2") == pytest.approx(1 - share * (n - 1) / (n - 3), rel=1e-9)
    close(found, expected)


@pytest.mark.parametrize("engine", ["exact", "loop"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [True, False])
def test_r2_is_of_the_targets_as_they_stand(engine: str, weighted: bool, intercept: bool) -> None:
    y, w = TARGETS["mse"], WEIGHT if weighted else np.ones(N)
    keys: dict[str, Any] = {"epochs": 30, "engine": engine, "data.offset": "o", "intercept": intercept}
    keys |= {"data.sample_weight": "w"} if weighted else {}
    result = regress({"x": X, "o": 3 * OFFSET, "w": WEIGHT, "y": y}, "y", ["x"], **keys)
    prediction = result.params["x"] * X + result.params.get("intercept", 0.0) + 3 * OFFSET
    centre = np.average(y, weights=w) if intercept else 0.0
    expected = 1 - (w * (prediction - y) ** 2).sum() / (w * (y - centre) ** 2).sum()
    assert result.metrics["r2"] == pytest.approx(expected, rel=1e-9)
    assert result.metrics["rmse"] == pytest.approx(math.sqrt(np.average((prediction - y) ** 2, weights=w)), rel=1e-9)


@pytest.mark.parametrize("engine", ["exact", "loop"])
def test_r2_of_a_fit_with_an_offset(engine: str) -> None:
    y = TARGETS["mse"]
    keys: dict[str, Any] = {"engine": engine, "epochs": 30, "lr": 0.05, "data.sample_weight": "w", "data.offset": "o"}
    result = fit("y = a*x + b", {"x": X, "o": 3 * OFFSET, "w": WEIGHT, "y": y}, **keys)
    prediction = result.params["a"] * X + result.params["b"] + 3 * OFFSET
    about = (WEIGHT * (y - np.average(y, weights=WEIGHT)) ** 2).sum()
    assert result.metrics["r2"] == pytest.approx(1 - (WEIGHT * (prediction - y) ** 2).sum() / about, rel=1e-9)


def test_counts_over_an_exposure() -> None:
    """A constant alone is the logarithm of all counts over all exposure; predictions are counts of their exposure."""
    rows = {"y": COUNT, "exposure": np.exp(OFFSET), "o": OFFSET}
    rate = math.log(COUNT.sum() / np.exp(OFFSET).sum())
    keys: dict[str, Any] = {"loss": "poisson", "epochs": 2000, "data.offset": "o", "predict": [{"o": 2.0}]}
    for result, name in (
        (regress(rows, "y", [], **keys), "intercept"),
        (fit("y = c", rows, **keys), "c"),
        (fit("y = c + 0*exposure", rows, **{**keys, "predict": [{"o": 2.0, "exposure": 1.0}]}), "c"),
    ):
        assert result.params[name] == pytest.approx(rate, rel=1e-6)
        assert result.predictions[0].after == pytest.approx(math.exp(result.params[name] + 2), rel=1e-12)


def test_cpunish_with_what_it_knows_as_an_offset() -> None:
    """Two of the certified weights times their columns, as an offset, leave the others where they are."""
    expected, rows = published("cpunish_poisson"), table("cpunish_poisson")
    rows["LOGVC"] = [math.log(value) for value in rows.pop("VC100k96")]
    features = ["INCOME", "PERPOVERTY", "PERBLACK", "LOGVC", "SOUTH", "DEGREE"]
    known = expected["certified"]["b1"], expected["certified"]["b6"]
    columns = zip(rows["INCOME"], rows["DEGREE"], strict=True)
    rows["known"] = [known[0] * income + known[1] * degree for income, degree in columns]
    keys: dict[str, Any] = {"loss": "poisson", "optimizer": MOMENTUM, "epochs": 4000, "data.offset": "known"}
    result = regress(rows, "EXECUTIONS", features[1:5], **keys)
    names = {**{features[i]: f"b{i + 1}" for i in range(1, 5)}, "intercept": "b0"}
    assert digits(result, expected, names) >= expected["param_digits"] - 1
    assert result.metrics["deviance"] == pytest.approx(expected["reference_deviance"], rel=1e-8)


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_spector_from_rows_halved_and_doubled(loss: str) -> None:
    """Every row once as a half and once as one and a half, and one more that counts for nothing."""
    expected, rows = published("spector_logit"), table("spector_logit")
    rows = {name: [*column, *column, 50.0 if name != "GRADE" else 1.0] for name, column in rows.items()}
    rows["w"] = [0.5] * 32 + [1.5] * 32 + [0.0]
    keys: dict[str, Any] = {"loss": loss, "optimizer": MOMENTUM, "epochs": 2000, "data.sample_weight": "w"}
    result = regress(rows, "GRADE", ["GPA", "TUCE", "PSI"], **keys)
    prefix = "1." if loss == "softmax" else ""
    names = {"GPA": "b1", "TUCE": "b2", "PSI": "b3", "intercept": "b0"}
    assert digits(result, expected, {prefix + ours: theirs for ours, theirs in names.items()}) >= 3
    assert result.metrics["deviance"] == pytest.approx(-2 * 2 * expected["reference_loglik"], rel=1e-6)
