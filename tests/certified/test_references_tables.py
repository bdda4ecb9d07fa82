"""Published regressions, by `gdtrain regress` from their own tables."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pytest

from gdtrain.experiment.load import load
from gdtrain.train import train
from tests.certified.references import PUBLISHED, digits, reference


def certified(case: dict[str, object]) -> dict[str, float]:
    """The certified weights by feature; the formula names them `b1*AIRFLOW`, and `b0` alone is the intercept."""
    features = dict(re.findall(r"(\w+)\*(\w+)", str(case["formula"])))
    values = case["certified"]
    assert isinstance(values, dict)
    return {features.get(name, "intercept"): value for name, value in values.items()}


def weighted(table: Path, folder: Path) -> Path:
    """The table of ccard_wls with its weights, n/INCOMESQ over their sum, as a column."""
    with table.open() as file:
        rows = list(csv.DictReader(file))
    inverse = [1 / float(row["INCOMESQ"]) for row in rows]
    path = folder / table.name
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "weight"])
        writer.writeheader()
        total = math.fsum(inverse)
        writer.writerows(
            {**row, "weight": repr(one * len(rows) / total)} for row, one in zip(rows, inverse, strict=True)
        )
    return path


@pytest.mark.parametrize("name", ["stackloss_ols", "diabetes_raw_ols", "ccard_wls"])
@pytest.mark.parametrize("scale", ["standard", "minmax"])
def test_published_regression(name: str, scale: str, tmp_path: Path) -> None:
    case = reference(PUBLISHED / f"{name}.json")
    table, weight = PUBLISHED / f"{name}.csv", {}
    if name == "ccard_wls":
        table, weight = weighted(table, tmp_path), {"sample_weight": "weight"}
    wanted = certified(case)
    features = [feature for feature in wanted if feature != "intercept"]
    experiment = {
        "regress": {"target": case["target"], "features": features},
        "data": {"path": str(table), "scale": scale, **weight},
        "loss": "sse",
        "train": {"epochs": 10_000_000},
    }
    result = train(load(experiment))
    assert result.verdict.status == "converged"
    reached = {feature: digits(result.params[feature], value) for feature, value in wanted.items()}
    assert min(reached.values()) >= case["param_digits"] - 1, reached
    assert digits(result.loss["final"], case["objective_at_reference"]) >= 11
