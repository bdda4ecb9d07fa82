"""Formulas that want to reach the machine, exhaust it, or be misread."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from gdtrain.errors import UserError
from gdtrain.formula import parse
from gdtrain.formula.evaluate import blame, evaluate

TABLE = json.loads((Path(__file__).parents[1] / "data" / "hostile_formulas.json").read_text(encoding="utf-8"))
# Well formed: what is wrong, or to be decided, shows only beside the data and the names.
LATER = {"domain", "names"}
REFUSED = [c for c in TABLE if c["expect"] == "reject" and (c["category"] not in LATER or c["formula"] == "0/0")]
DOMAIN = ["log(x)", "sqrt(x)", "1/x", "x**0.5"]


@pytest.mark.parametrize("formula", [case["formula"] for case in REFUSED])
def test_refused(formula: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        parse(formula, reductions=True)
    assert caught.value.code == 2
    assert caught.value.span is not None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("formula", "value"), [("-2**2", -4.0), ("2**3**2", 512.0)])
def test_valued(formula: str, value: float) -> None:
    assert float(evaluate(parse(formula), {})) == value


@pytest.mark.parametrize("formula", DOMAIN)
def test_not_finite_on_these_rows(formula: str) -> None:
    tree = parse(formula)
    x = torch.tensor([1.0, 4.0, 0.0, -1.0], dtype=torch.float64)
    found = blame(tree, {"x": x})
    assert found == (tree, 2 if formula in {"log(x)", "1/x"} else 3)


def test_the_table_is_all_there() -> None:
    assert len(TABLE) == 46
    assert {case["formula"] for case in TABLE if case["category"] == "domain"} >= set(DOMAIN)
    assert float(evaluate(parse("e*x"), {"e": math.e, "x": 2.0})) == 2 * math.e  # `e` is a name to the parser
