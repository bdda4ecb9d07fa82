"""Published results of R and Stata, by the line that a user would write: no optimizer, no learning rate.

Their data lie in tests/data/regression; where each comes from stands in its JSON.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from gdtrain import regress
from gdtrain.results import Result
from tests.certified.references import PUBLISHED, reference, shown, table, worst, worst_error


def _plain(known: Mapping[str, Any], rows: dict[str, list[float]], **keys: Any) -> Result:
    features = [feature for feature in names(known).values() if feature != "intercept"]
    return regress(rows, known["target"], features, **keys)


def _weighted(known: Mapping[str, Any], rows: dict[str, list[float]]) -> Result:
    rows["w"] = [1 / square for square in rows["INCOMESQ"]]
    return _plain(known, rows, **{"data.sample_weight": "w"})


def _counts(known: Mapping[str, Any], rows: dict[str, list[float]]) -> Result:
    return _plain(known, rows, loss="poisson")


def _huber(known: Mapping[str, Any], rows: dict[str, list[float]]) -> Result:
    """Its scale is the reference's; 1.345 of it is the threshold."""
    return _plain(known, rows, loss={"name": "huber", "delta": 1.345 * known["reference_scale"]})


REGRESSIONS: dict[str, Callable[[Mapping[str, Any], dict[str, list[float]]], Result]] = {
    "stackloss_ols": _plain,
    "diabetes_raw_ols": _plain,
    "ccard_wls": _weighted,
    "spector_logit": lambda known, rows: _plain(known, rows, loss="logistic"),
    "cpunish_poisson": _counts,
    "stackloss_huber": _huber,
    "engel_quantile50": lambda known, rows: _plain(known, rows, loss="quantile"),
}


def names(known: Mapping[str, Any]) -> dict[str, str]:
    """Our name of each of the reference's parameters; its formula says `b1*AIRFLOW`, and b0 is the intercept."""
    found = dict(re.findall(r"(\w+)\*(log\(\w+\)|\w+)", str(known["formula"])))
    return {name: found.get(name, "intercept") for name in known["certified"]}


def measure(name: str) -> tuple[list[str], Result]:
    known = reference(PUBLISHED / f"{name}.json")
    result = REGRESSIONS[name](known, table(name))
    ours, most = names(known), math.floor(known["param_digits"])
    reached = worst(result.params, {ours[key]: value for key, value in known["certified"].items()})
    comparable = result.uncertainty is not None and result.uncertainty.method != "sandwich"  # R's rlm has another
    known_errors = known.get("certified_sd", {}) if comparable else {}
    errors = worst_error(result, {ours[key]: value for key, value in known_errors.items()})
    cells = [str(result.train["optimizer"]["name"]), shown(reached, most), str(most), shown(errors, 9)]
    return [*cells, result.verdict.status], result
