"""The result document, and which epochs it shows."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdtrain.results import ROWS, SHOWN, Equation, History, Parameter, Prediction, Verdict, plain_numbers, shown_epochs
from tests.outcomes import outcome

# The document


def test_the_document() -> None:
    """Every key by name: users script against them."""
    result = outcome(
        predictions=[Prediction({"x": 5.0}, before=0.0, after=7.5), Prediction({"x": 1.0}, 0.0, 1.5, target=2.0)]
    )
    assert result.to_dict() == {
        "schema": "gdtrain.result/1",
        "name": "line",
        "kind": "fit",
        "statement": "y = w*x",
        "verdict": {"status": "max_epochs", "epoch": 2, "detail": "loss still falling 75 % per epoch"},
        "epochs": 2,
        "loss": {"name": "mse", "initial": 4.0, "final": 0.25},
        "params": {"w": {"start": 0.0, "value": 1.5, "gradient": -0.5}},
        "engine": {"name": "loop", "data": "rows", "reason": "every epoch is walked"},
        "train": {"optimizer": {"name": "sgd"}, "lr": 0.1, "epochs": 2, "scale": "none", "chosen": []},
        "history": [
            {"epoch": 0, "loss": 4.0, "params": {"w": 0.0}},
            {"epoch": 1, "loss": 1.0, "params": {"w": 1.0}},
            {"epoch": 2, "loss": 0.25, "params": {"w": 1.5}},
        ],
        "predictions": [
            {"inputs": {"x": 5.0}, "before": 0.0, "after": 7.5},
            {"inputs": {"x": 1.0}, "before": 0.0, "after": 1.5, "target": 2.0},
        ],
        "data": {"rows": 4, "columns": ["x", "y"]},
        "seed": 0,
        "dtype": "float64",
        "device": "cpu",
        "versions": {"gdtrain": "0", "torch": "0"},
        "timing": {"load_s": 0.0, "train_s": 0.0},
    }


def test_what_is_there_only_where_it_applies() -> None:
    fixed = Parameter("c", start=1.0, value=1.0, gradient=None, fixed=True)
    scaled = Parameter("x", start=0.0, value=2.0, gradient=0.5, scaled=3.0)
    document = outcome(
        {"c": [1.0, 1.0], "x": [0.0, 2.0]},
        gradients={"c": [0.0, 0.0], "x": [-4.0, 0.5]},
        parameters=[fixed, scaled],
        equations=[Equation("x + 1 = 3", left=2.75, right=3.0)],
        warnings=["mind this"],
    ).to_dict()
    assert document["params"] == {
        "c": {"start": 1.0, "value": 1.0, "fixed": True},
        "x": {"start": 0.0, "value": 2.0, "gradient": 0.5, "scaled": 3.0},
    }
    assert document["equations"] == [{"text": "x + 1 = 3", "left": 2.75, "right": 3.0, "residual": -0.25}]
    assert document["warnings"] == ["mind this"]
    assert [row["gradient"] for row in document["history"]] == [{"c": 0.0, "x": -4.0}, {"c": 0.0, "x": 0.5}]


def test_numbers_that_are_none_are_text() -> None:
    """JSON has no infinity: a reader that is strict must get through."""
    result = outcome({"w": [0.0, math.inf, math.nan]}, [1.0, -math.inf, math.nan])
    document = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert [row["loss"] for row in document["history"]] == [1.0, "-inf", "nan"]
    assert [row["params"]["w"] for row in document["history"]] == [0.0, "inf", "nan"]
    assert document["params"]["w"]["value"] == "nan"
    assert document["loss"]["final"] == "nan"


PLAIN: list[tuple[Any, Any]] = [
    (np.float64(0.1), 0.1),
    (np.int64(3), 3),
    (np.bool_(True), True),
    (np.float32("inf"), "inf"),
    ((1, (np.nan,)), [1, ["nan"]]),
    ({"a": {"b": [-math.inf]}}, {"a": {"b": ["-inf"]}}),
    ("inf", "inf"),
    (None, None),
]


@pytest.mark.parametrize(("value", "expected"), PLAIN)
def test_plain_numbers(value: Any, expected: Any) -> None:
    found = plain_numbers(value)
    assert found == expected
    assert type(found) is type(expected)


def test_full_precision() -> None:
    result = outcome({"w": [0.0, 0.1 + 0.2]})
    assert json.loads(json.dumps(result.to_dict()))["params"]["w"]["value"] == 0.1 + 0.2


# The history

SHOWN_EPOCHS: list[tuple[int, int | None, list[int]]] = [
    (0, None, [0]),
    (3, None, [0, 1, 2, 3]),
    (SHOWN, None, [*range(SHOWN + 1)]),
    (10, 4, [0, 4, 8, 10]),
    (8, 4, [0, 4, 8]),
    (3, 10, [0, 3]),
    (0, 1, [0]),
    (200, 1, [*range(201)]),
]


@pytest.mark.parametrize(("last", "every", "expected"), SHOWN_EPOCHS)
def test_shown_epochs(last: int, every: int | None, expected: list[int]) -> None:
    assert shown_epochs(last, every) == expected


@given(st.integers(SHOWN + 1, 10**9))
def test_a_long_history_shows_about_twenty_epochs(last: int) -> None:
    shown = shown_epochs(last, None)
    assert (shown[0], shown[-1]) == (0, last)
    assert shown == sorted(set(shown))
    assert ROWS - 4 <= len(shown) <= ROWS + 1
    gaps = np.diff(shown)
    assert (np.diff(gaps) >= -1).all()  # log-spaced: steps grow, rounding aside


def test_a_thinned_history_shows_the_next_epochs_that_it_has() -> None:
    history = History(np.array([0, 10, 20, 25]), np.zeros(4), np.zeros((4, 1)))
    assert history.rows([0, 1, 10, 11, 24, 25]) == [0, 1, 2, 3]
    assert history.rows([7, 30]) == [1, 3]


def test_the_history_is_a_data_frame() -> None:
    frame = outcome({"w": [0.0, 1.0], "b": [2.0, 3.0]}, gradients={"w": [4.0, 5.0], "b": [6.0, 7.0]}).history
    assert frame.to_dict(as_series=False) == {
        "epoch": [0, 1],
        "loss": [4.0, 1.0],
        "w": [0.0, 1.0],
        "b": [2.0, 3.0],
        "gradient.w": [4.0, 5.0],
        "gradient.b": [6.0, 7.0],
    }
    assert frame.schema["epoch"].is_integer()


def test_a_parameter_called_loss_hides_no_loss() -> None:
    frame = outcome({"loss": [5.0, 6.0], "epoch": [7.0, 8.0]}).history
    assert frame.columns == ["epoch", "loss", "params.loss", "params.epoch"]
    assert frame["loss"].to_list() == [4.0, 1.0]
    assert frame["params.loss"].to_list() == [5.0, 6.0]


def test_the_history_holds_more_than_is_shown() -> None:
    result = outcome({"w": [float(k) for k in range(1001)]}, [1.0] * 1001)
    assert len(result.history) == 1001
    assert len(result.to_dict()["history"]) < 30
    assert len(replace(result, every=1).to_dict()["history"]) == 1001


# The rest

EXIT_CODES = {
    "converged": 0,
    "max_epochs": 0,
    "stopped": 0,
    "no_root": 1,
    "diverged": 4,
    "interrupted": 130,
}


@pytest.mark.parametrize(("status", "code"), EXIT_CODES.items())
def test_exit_codes(status: str, code: int) -> None:
    assert Verdict(status, 3, "").exit_code == code


def test_params() -> None:
    assert outcome({"w": [0.0, 1.5], "b": [1.0, -2.0]}).params == {"w": 1.5, "b": -2.0}


def test_a_result_prints_well() -> None:
    text = str(outcome({"w": [0.0, 1.23456789], "b": [1.0, -2.0]}))
    assert text == (
        "fit y = w*x: max_epochs at epoch 1: loss still falling 75 % per epoch\n  loss 4 -> 1\n  w = 1.23457\n  b = -2"
    )
    assert repr(outcome()) == str(outcome())
