"""References from outside, and how many digits of them a number has.

What may be carried along lies in tests/data; the rest is read from where it lies beside the checkout, or left out.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gdtrain.results import Result
from tests.conftest import CASES

DATA = Path(__file__).resolve().parents[1] / "data"
NONLINEAR = DATA / "nist"
PUBLISHED = DATA / "regression"
LINEAR = CASES / "nist"
EQUATIONS = CASES / "equations"


def reference(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def columns(known: Mapping[str, Any]) -> dict[str, list[float]]:
    """The table of one of NIST's sets."""
    return {name: [row[i] for row in known["data"]] for i, name in enumerate(known["columns"])}


def table(name: str) -> dict[str, list[float]]:
    """The table of a published regression."""
    with (PUBLISHED / f"{name}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {column: [float(row[column]) for row in rows] for column in rows[0]}


def digits(value: float, known: float) -> float:
    """-log10(|value - known| / |known|); where 0 is known, of the value itself."""
    return -math.log10(max(1e-16, abs(value - known) / (abs(known) or 1.0)))


def worst(values: Mapping[str, float], known: Mapping[str, float]) -> float:
    return min(digits(values[name], number) for name, number in known.items())


def worst_error(result: Result, known: Mapping[str, float]) -> float:
    """Of the standard errors; nan where they were refused, or none are known."""
    found = result.uncertainty
    if found is None or found.refused or not known:
        return math.nan
    return worst({name: found.estimates[name].std_error for name in known}, known)


def shown(count: float, most: int) -> str:
    """Whole digits: rounding moves the last of them, which is left out. No more than `most`, what a reference tells."""
    return "–" if math.isnan(count) else str(math.floor(max(0.0, min(count, most))))
