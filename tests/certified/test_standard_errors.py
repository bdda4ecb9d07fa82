"""Standard errors of certified and published fits, to the digits that stand beside each.

NIST's certificates come from hundreds of digits; R's and Stata's results from as many as they printed.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from gdtrain import fit, regress
from tests.certified.references import PUBLISHED, columns, digits, reference, table
from tests.certified.test_references import MOMENTUM


def published(name: str) -> dict[str, Any]:
    found: dict[str, Any] = reference(PUBLISHED / f"{name}.json")
    return found


def formula(certified: dict[str, Any]) -> str:
    return f"{certified['response']} = {certified['formula']}"


@pytest.mark.parametrize("name", ["Wampler1", "Wampler2"])
def test_exact_polynomials(name: str, cases: Path) -> None:
    """Their certified standard errors are 0, which is certainty of nothing."""
    certified = reference(cases / "nist" / f"{name}.json")
    result = fit(formula(certified), columns(certified), polish=True)
    assert result.uncertainty is not None
    assert result.uncertainty.refused.startswith("the residuals are 0 to rounding")


def test_spector_logit() -> None:
    expected, rows = published("spector_logit"), table("spector_logit")
    names = {"GPA": "b1", "TUCE": "b2", "PSI": "b3", "intercept": "b0"}
    for loss, prefix in (("logistic", ""), ("softmax", "1.")):
        result = regress(rows, "GRADE", loss=loss, optimizer=MOMENTUM, epochs=2000)
        assert result.uncertainty is not None
        assert result.uncertainty.distribution == "normal"
        for ours, theirs in names.items():
            error = result.uncertainty.estimates[prefix + ours].std_error
            assert digits(error, expected["certified_sd"][theirs]) >= 6
        assert digits(result.uncertainty.numbers["loglik"], expected["reference_loglik"]) >= 6


def test_a_formula_of_a_logit_takes_the_curvature_of_its_own() -> None:
    """The same model with b2 = exp(c): in R' = R diag(1, 1, b2, 1) at its optimum, where the gradient is 0."""
    expected, rows = published("spector_logit"), table("spector_logit")
    formula = "GRADE = b1*(GPA - 3) + exp(c)*(TUCE - 22) + b3*PSI + b0"
    result = fit(formula, rows, loss="logistic", optimizer=MOMENTUM, epochs=2000, polish=True, params={"c": -2.0})
    assert result.uncertainty is not None
    assert result.uncertainty.method == "hessian"
    errors = {name: one.std_error for name, one in result.uncertainty.estimates.items()}
    assert digits(errors["b1"], expected["certified_sd"]["b1"]) >= 6
    assert digits(errors["c"] * math.exp(result.params["c"]), expected["certified_sd"]["b2"]) >= 6


def test_cpunish_poisson() -> None:
    expected, rows = published("cpunish_poisson"), table("cpunish_poisson")
    rows["LOGVC"] = [math.log(value) for value in rows.pop("VC100k96")]
    features = ["INCOME", "PERPOVERTY", "PERBLACK", "LOGVC", "SOUTH", "DEGREE"]
    result = regress(rows, "EXECUTIONS", features, loss="poisson", optimizer=MOMENTUM, epochs=400, polish=True)
    assert result.uncertainty is not None
    for i, feature in enumerate([*features, "intercept"]):
        theirs = "b0" if feature == "intercept" else f"b{i + 1}"
        assert digits(result.uncertainty.estimates[feature].std_error, expected["certified_sd"][theirs]) >= 4
    assert digits(result.uncertainty.numbers["loglik"], expected["reference_loglik"]) >= 10


@pytest.mark.parametrize("factor", [1.0, 1e-3, 1e4])
def test_ccard_wls(factor: float) -> None:
    """Weights that are no counts say how much less a row scatters: their unit does not matter."""
    expected, rows = published("ccard_wls"), table("ccard_wls")
    rows["w"] = [factor / square for square in rows["INCOMESQ"]]
    keys: dict[str, Any] = {"data.sample_weight": "w", "polish": True}
    result = regress(rows, "AVGEXP", ["AGE", "INCOME", "INCOMESQ", "OWNRENT"], **keys)
    assert result.uncertainty is not None
    names = {"AGE": "b1", "INCOME": "b2", "INCOMESQ": "b3", "OWNRENT": "b4", "intercept": "b0"}
    for ours, theirs in names.items():
        assert digits(result.uncertainty.estimates[ours].std_error, expected["certified_sd"][theirs]) >= 9
