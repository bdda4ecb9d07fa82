"""Expectations: `w = 2 +- 0.01`, `loss < 1e-3`, `verdict = converged`."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdtrain.errors import UserError
from gdtrain.expectations.grammar import parse_expectation
from gdtrain.expectations.held import check, hold
from gdtrain.report.metrics import LABELS
from gdtrain.results import Result
from gdtrain.results.lookup import METRICS, look_up
from tests.outcomes import outcome

# w ends at 2.25 exactly, the loss at 0.5; gradients are -0.5.
RESULT = outcome(
    {
        "w": [0.0, 2.25],
        "a.b": [0.0, -3.0],
        "my col": [0.0, 7.0],
        "y.x": [0.0, 1.0],
        "params.w": [0.0, 9.0],
        "<=": [0.0, 5.0],
        "nan": [0.0, math.nan],
        "up": [0.0, math.inf],
    },
    [8.0, 0.5],
    metrics={"r2": 0.97, "holdout": {"r2": 0.5}},
)

HELD: list[tuple[str, bool]] = [
    ("w = 2.25", True),
    ("w=2.25", True),
    ("  w == 2.25  ", True),
    ("w = 2.2500001", False),
    ("w != 2.25", False),
    ("w != 2", True),
    ("w < 2.25", False),
    ("w <= 2.25", True),
    ("w > 2.25", False),
    ("w >= 2.25", True),
    ("w < 2.26", True),
    ("w > -3", True),
    ("w = 2 +- 0.25", True),  # the end belongs to it
    ("w = 2 +- 0.2499", False),
    ("w = 2.5 +- 0.25", True),
    ("w = 2+-.25", True),
    ("w = 2 ± 0.25", True),
    ("w = 2 +/- 25e-2", True),
    ("w == 2e0 +- 0.3", True),
    ("w != 2 +- 0.25", False),
    ("w != 2 +- 0.2", True),
    ("w = 2.25 +- 0", True),
    ("w = +2.25", True),
    ("w = 225e-2", True),
    ("loss = 0.5", True),
    ("loss < 1e-3", False),
    ("loss.initial = 8", True),
    ("loss.final = 0.5", True),
    ("epochs = 1", True),
    ("epochs > 1", False),
    ("verdict = max_epochs", True),
    ("verdict=max_epochs", True),
    ("verdict == converged", False),
    ("verdict != converged", True),
    ("verdict != max_epochs", False),
    ("params.w.gradient = -0.5", True),
    ("params.w.start = 0", True),
    ("params.a.b.value = -3", True),
    ("data.rows = 4", True),
    ("seed = 0", True),
    ("verdict.epoch = 1", True),
    ("a.b = -3", True),
    ("y.x = 1", True),
    ("my col = 7", True),
    ("`my col` = 7", True),
    ("params.w = 9", True),  # a parameter's own name comes first
    ("`<=` = 5", True),
    ("up = inf", True),
    ("up > 1e300", True),
    ("up = 2 +- 1", False),
    ("up != inf +- 1", False),
    ("w < inf", True),
    ("w > -inf", True),
    ("r2 > 0.9", True),
    ("metrics.r2 = 0.97", True),
    ("holdout = 0.5", False),  # a section, no metric
    ("verdict.status = max_epochs", True),
    # Every item of a list or a section.
    ("params.*.gradient = -0.5", True),
    ("params.*.gradient != -0.5", False),
    ("history.*.loss <= 8", True),
    ("history.*.loss < 8", False),
    ("history.*.params.*  > -4", False),  # with nan and -3 among them
    ("metrics.*.r2 = 0.5", False),  # r2 and rmse have none
    ("*.final = 0.5", False),
    ("nothing.*.r2 != 0.5", False),
    ("warnings.* = 1", False),
    # What is not a number is neither equal, nor unequal, nor more or less.
    ("nan = 1", False),
    ("nan != 1", False),
    ("nan < 1", False),
    ("nan >= 1", False),
    ("nan != 1 +- 1", False),
]


@pytest.mark.parametrize(("text", "met"), HELD)
def test_held(text: str, met: bool) -> None:
    assert check(parse_expectation(text), RESULT).met is met


# What cannot be evaluated is never met, whichever way it is asked.
NEVER = ["v = 1", "v != 1", "v < 1", "v != 1 +- 1", "engine.name != 1", "engine = 1", "history != 1", "params != 1"]


@pytest.mark.parametrize("text", NEVER)
def test_what_cannot_be_evaluated_is_not_met(text: str) -> None:
    assert not check(parse_expectation(text), RESULT).met


SAID = [
    ("w = 2 +- 0.3", "pass: w = 2 +- 0.3 (w = 2.25)"),
    ("w = 1", "fail: w = 1 (w = 2.25)"),
    ("verdict = converged", "fail: verdict = converged (verdict = max_epochs)"),
    ("engine.name = 1", "fail: engine.name = 1 (engine.name = loop, which is no number)"),
    ("losss = 1", "fail: losss = 1 (there is no number called losss; did you mean loss?)"),
    ("R2 = 1", "fail: R2 = 1 (there is no number called R2; did you mean r2?)"),
    ("metric.r2 = 1", "fail: metric.r2 = 1 (there is no number called metric.r2; did you mean metrics.r2?)"),
    ("loss.fianl = 1", "fail: loss.fianl = 1 (there is no number called loss.fianl; did you mean loss.final?)"),
    ("nan = 1", "fail: nan = 1 (nan = nan)"),
    ("params.*.start = 0", "pass: params.*.start = 0 (all 8 of them)"),
    ("history.*.loss < 8", "fail: history.*.loss < 8 (history.0.loss = 8; 1 of 2 fail)"),
    ("metrics.*.r2 = 1", "fail: metrics.*.r2 = 1 (there is no number called metrics.r2.r2)"),
]


@pytest.mark.parametrize(("text", "said"), SAID)
def test_an_outcome_says_what_was_found(text: str, said: str) -> None:
    assert str(check(parse_expectation(text), RESULT)) == said


REFUSED = [
    ("", "not an expectation"),
    ("w", "not an expectation"),
    ("w = ", "not an expectation"),
    ("= 2", "not an expectation"),
    ("w == = 2", "not an expectation"),
    ("1 < w < 3", "not an expectation"),
    ("w ~ 2", "not an expectation"),
    ("w = two", "two is not a number"),
    ("w = 1,5", "1,5 is not a number"),
    ("w = 1_0", "1_0 is not a number"),
    ("w = 0x1", "0x1 is not a number"),
    ("w = nan", "nan is not a number"),
    ("w = 2 +- x", "x is not a number"),
    ("w = 2 +-", "is not a number"),
    ("w = 2 +- -1", "a tolerance is not negative"),
    ("w < 2 +- 1", "a tolerance goes with =, not with <"),
    ("w >= 2 +- 1", "a tolerance goes with =, not with >="),
    ("verdict < converged", "a verdict is equal or not"),
    ("verdict = convergd", "did you mean converged?"),
    ("verdict != convergd", "did you mean converged?"),
    ("verdict = 1", "there is no verdict 1"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_expectation(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("--expect: ")
    assert caught.value.code == 2


@given(st.text(alphabet=st.sampled_from("wverdict=<>!+-±.`1e "), max_size=12) | st.text(max_size=30))
def test_any_text_is_an_expectation_or_the_users_mistake(text: str) -> None:
    try:
        expectation = parse_expectation(text)
    except UserError:
        return
    outcome = check(expectation, RESULT)
    assert outcome.met in (True, False)
    if "there is no number" in outcome.found:
        assert not outcome.met


def test_the_document_tells_of_expectations() -> None:
    """The number that was found stands there as it is, none where there are several or no."""
    result = outcome({"w": [0.0, math.inf], "v": [0.0, 1 / 3]})
    texts = ["v > 1", "w = inf", "u = 1", "params.*.start = 0"]
    hold([parse_expectation(text) for text in texts], result)
    told = result.to_dict()["expectations"]
    assert [each["expect"] for each in told] == texts
    assert [(each["met"], each["found"]) for each in told] == [
        (False, 1 / 3),
        (True, "inf"),
        (False, None),
        (True, None),
    ]
    assert told[0]["detail"] == "v = 0.3333333333"


def test_metrics_by_name_are_those_that_there_are() -> None:
    assert set(METRICS) == set(LABELS)


def test_look_up_names_what_there_is() -> None:
    result: Result = outcome({"w": [0.0, 1.0]})
    with pytest.raises(UserError, match="there is no number called velocity") as caught:
        look_up(result, "velocity")
    assert "w" in caught.value.remedy and "loss" in caught.value.remedy


def test_an_infinite_number_of_the_document_is_a_number_again() -> None:
    assert look_up(RESULT, "params.up.value") == math.inf
