"""docs/accuracy.md says how exact results are: each of its rows is measured again, and held to what is promised.

Digits differ by one and epochs by a half from one machine to the next; words, and which rows there are, do not.
"""

from __future__ import annotations

import re

import pytest

from gdtrain.results import Result
from tests.certified.page import PAGE, header, rows
from tests.certified.sections import SECTIONS, Key

TEXT = PAGE.read_text(encoding="utf-8")
LONG = 150  # epochs above which a row is measured by the command alone
SMALL = 1e-4  # of g_j theta_j beside the loss, whatever the units: Dennis and Schnabel 1983, section 7.2


def short(name: str) -> list[Key]:
    at = SECTIONS[name].header.index("epochs") if "epochs" in SECTIONS[name].header else None
    return [row for row in rows(TEXT, name) if at is None or int(row[at]) <= LONG]


def alike(column: str, page: str, now: str) -> bool:
    if not re.fullmatch(r"[\d.e+-]+", page + now):
        return page == now
    if column == "epochs":
        return abs(int(page) - int(now)) <= 10 + int(page) / 2
    if column == "sum of squares" and ("." in page or "e" in page):
        return float(now) == pytest.approx(float(page), rel=0.05)
    return abs(float(page) - float(now)) <= 1


def slope(result: Result) -> float:
    """The largest |g_j theta_j|, as a share of the loss."""
    loss = result.loss["final"]
    steepest = max(abs((parameter.gradient or 0.0) * parameter.value) for parameter in result.parameters)
    return steepest / loss if loss > 1e-20 * max(1.0, result.loss["initial"]) else 0.0


@pytest.mark.parametrize(("name", "row"), [(name, row) for name in SECTIONS for row in short(name)])
def test_a_row_is_what_is_measured(name: str, row: Key) -> None:
    section = SECTIONS[name]
    if not section.source.is_dir():
        pytest.skip("the reference cases are not beside this checkout")
    head = section.header
    key = row[: next(i for i in range(len(row)) if row[:i] in set(section.cases()))]
    cells, result = section.measure(*key)
    for column, page, now in zip(head[len(key) :], row[len(key) :], cells, strict=True):
        assert alike(column, page, now), f"{column} is {now}, {page} on the page: see python -m tests.certified"
    corner = result.loss["name"] == "quantile"  # slopes there meet
    assert result.verdict.status != "converged" or corner or slope(result) <= SMALL


@pytest.mark.parametrize("name", SECTIONS)
def test_every_case_has_a_row(name: str) -> None:
    section = SECTIONS[name]
    assert header(TEXT, name) == section.header
    if not section.source.is_dir():
        pytest.skip("the reference cases are not beside this checkout")
    keys = list(section.cases())
    assert [row[: len(keys[0])] for row in rows(TEXT, name)] == keys


def column(name: str, of: str) -> list[str]:
    return [row[SECTIONS[name].header.index(of)] for row in rows(TEXT, name)]


# What is promised, of the page's own figures.
PROMISED = [
    ("nonlinear", "parameters", 10),
    ("nonlinear", "sum of squares", 10),
    ("nonlinear", "standard errors", 10),
    ("linear", "parameters", 6),
]


@pytest.mark.parametrize(("name", "of", "digits"), PROMISED)
def test_what_is_promised(name: str, of: str, digits: int) -> None:
    assert min(map(int, column(name, of))) >= digits


def test_promises_that_differ_from_row_to_row() -> None:
    assert set(column("nonlinear", "verdict")) == {"converged"}
    for row in rows(TEXT, "linear"):
        if row[3] != "–":  # exact data have no scatter
            assert int(row[3]) >= (5 if row[0] == "Filip" else 8)
    near = [row for row in rows(TEXT, "equations") if row[1] == "1"]
    assert sum(int(row[3]) >= 4 for row in near) >= 18
    assert sum(int(row[2]) >= 12 for row in rows(TEXT, "roots")) >= 41
