"""What a result shows, before it has a format."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdtrain.errors import cells
from gdtrain.report.numbers import number, short
from gdtrain.report.sections import FEW, MANY, PREDICTIONS, Section, sections, summary
from gdtrain.results import Equation, Parameter, Prediction
from tests.outcomes import HOSTILE_NAMES, outcome

NUMBERS = [
    (0.0, "0", "0"),
    (-0.0, "-0", "-0"),
    (1.0, "1.00000", "1"),
    (-30.0, "-30.0000", "-30"),
    (1.9224809, "1.92248", "1.92248"),
    (123456.7, "123457.", "123457"),
    (1234567.0, "1.23457e+06", "1.23457e+06"),
    (0.00012345678, "0.000123457", "0.000123457"),
    (1e-5, "1.00000e-05", "1e-05"),
    (5e-324, "4.94066e-324", "4.94066e-324"),
    (math.inf, "inf", "inf"),
    (-math.inf, "-inf", "-inf"),
    (math.nan, "nan", "nan"),
]


@pytest.mark.parametrize(("value", "padded", "brief"), NUMBERS)
def test_numbers_have_six_significant_digits(value: float, padded: str, brief: str) -> None:
    assert (number(value), short(value)) == (padded, brief)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_shown_number_is_right_to_six_digits(value: float) -> None:
    tiny = 5e-324  # subnormal numbers have fewer digits themselves
    for text in (number(value), short(value)):
        assert float(text) == pytest.approx(value, rel=5.1e-6, abs=tiny) or math.isinf(float(text))


def test_no_number_is_shown_for_what_is_missing() -> None:
    assert number(None) == ""


# The history


def history(names: int, width: int | None = None, *, gradients: bool = False) -> Section:
    values = {f"w{i}": [0.0, float(i)] for i in range(names)}
    return sections(outcome(values, gradients=values if gradients else None), width)[0]


def test_the_history() -> None:
    values = {"w": [0.0, 1.0], "b": [3.0, 4.0]}
    (section,) = sections(outcome(values, gradients={"w": [5.0, 6.0], "b": [7.0, 8.0]}))
    assert section.title == "line: fit y = w*x"
    assert section.header == ["epoch", "loss", "w", "d/dw", "b", "d/db"]
    assert section.rows == [
        ["0", "4.00000", "0", "5.00000", "3.00000", "7.00000"],
        ["1", "1.00000", "1.00000", "6.00000", "4.00000", "8.00000"],
    ]
    assert section.notes == ()


@pytest.mark.parametrize("names", [1, 2, MANY])
def test_a_few_weights_are_all_shown(names: int) -> None:
    assert history(names).header == ["epoch", "loss", *(f"w{i}" for i in range(names))]


def test_of_many_weights_the_first_few_are_shown_and_the_norm_of_all() -> None:
    """0^2 + 1^2 + ... + 8^2 = 204."""
    section = history(MANY + 1)
    assert section.header == ["epoch", "loss", *(f"w{i}" for i in range(FEW)), "norm"]
    assert float(section.rows[1][-1]) == pytest.approx(math.sqrt(204), rel=1e-5)
    assert section.notes == ("4 more weights are not shown; norm is over all 9",)


def drawn(section: Section) -> int:
    """Cells of a table with borders: each column is its widest text and three more."""
    columns = zip(section.header, *section.rows, strict=True)
    return sum(max(map(cells, column)) + 3 for column in columns) + 1


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
@pytest.mark.parametrize("names", [1, 4, MANY, 40])
def test_the_history_fits_its_width(names: int, width: int, gradients: bool) -> None:
    section = history(names, width, gradients=gradients)
    assert drawn(section) <= width
    assert "w0" in section.header
    hidden = names - sum(name.startswith("w") for name in section.header)
    assert bool(section.notes) == bool(hidden) == ("norm" in section.header)


@pytest.mark.parametrize("width", [1, 20])
def test_one_weight_is_shown_however_narrow(width: int) -> None:
    assert history(3, width).header == ["epoch", "loss", "w0", "norm"]


def test_more_width_never_shows_less() -> None:
    widths = [len(history(MANY, width).header) for width in range(10, 200)]
    assert widths == sorted(widths)
    assert widths[-1] == MANY + 2


def test_an_experiment_without_a_name_is_titled_by_its_kind_alone() -> None:
    assert sections(outcome(name="fit"))[0].title == "fit y = w*x"


# Equations and predictions


def test_equations() -> None:
    equations = [Equation("x + y = 3", 2.5, 3.0), Equation("x - y = 1", 1.0, 1.0)]
    section = sections(outcome(equations=equations))[1]
    assert section.title == "put back into the equations"
    assert section.header == ["equation", "left", "right", "residual"]
    assert section.rows == [
        ["x + y = 3", "2.50000", "3.00000", "-0.500000"],
        ["x - y = 1", "1.00000", "1.00000", "0"],
    ]
    assert sections(outcome(equations=equations[:1]))[1].title == "put back into the equation"


def test_predictions() -> None:
    section = sections(outcome(predictions=[Prediction({"x": 5.0, "z": 0.5}, 0.0, 7.5)]))[1]
    assert section.header == ["x", "z", "before", "after"]
    assert section.rows == [["5", "0.5", "0", "7.50000"]]


def test_predictions_beside_their_targets() -> None:
    rows = [Prediction({"x": 1.0}, {"y": 0.0, "z": 1.0}, {"y": 2.0, "z": 3.0}, {"y": 4.0, "z": 5.0})]
    section = sections(outcome(predictions=rows))[1]
    assert section.header == ["x", "y before", "y after", "y target", "z before", "z after", "z target"]
    assert section.rows == [["1", "0", "2.00000", "4.00000", "1.00000", "3.00000", "5.00000"]]


def test_many_predictions_are_shown_in_part() -> None:
    rows = [Prediction({"x": float(i)}, 0.0, 1.0) for i in range(1000 + PREDICTIONS)]
    section = sections(outcome(predictions=rows))[1]
    assert [row[0] for row in section.rows] == [str(i) for i in range(PREDICTIONS)]
    assert section.notes == ("1,000 more rows are in --format json",)
    assert sections(outcome(predictions=rows[:PREDICTIONS]))[1].notes == ()


# The summary


def test_the_summary() -> None:
    train = {"optimizer": {"name": "adam"}, "lr": 0.001, "scale": "none", "chosen": []}
    assert summary(outcome(train=train)) == [
        "max_epochs after 2 epochs: loss still falling 75 % per epoch",
        "loss (mse) 4 -> 0.25; w = 1.5",
        "adam, lr 0.001, engine loop (every epoch is walked)",
    ]


def test_the_summary_tells_what_was_chosen() -> None:
    train = {
        "optimizer": {"name": "sgd"},
        "lr": 0.5,
        "lr_final": 0.125,
        "scale": "standard",
        "chosen": ["loss", "train.lr", "params.w.start", "params.b.start"],
    }
    how = summary(outcome(train=train))[2]
    assert how == (
        "sgd, lr 0.5 (halved to 0.125), columns scaled (standard), engine loop (every epoch is walked); "
        "chosen for you: loss, lr, start"
    )


@pytest.mark.parametrize(("epochs", "said"), [([0, 1], "1 epoch:"), ([0], "0 epochs:"), ([0, 2000], "2,000 epochs:")])
def test_epochs_are_counted_in_words(epochs: list[int], said: str) -> None:
    line = summary(outcome({"w": [0.0] * len(epochs)}, epochs=epochs))[0]
    assert line.startswith(f"max_epochs after {said}")


def test_many_values_are_counted() -> None:
    line = summary(outcome({f"w{i}": [0.0, 1.0] for i in range(MANY + 3)}))[1]
    assert line.endswith(f"w{MANY - 1} = 1, 3 more")


# Names


def everything(name: str) -> list[str]:
    """Every text that sections and summary hold for a parameter, a feature, a target and an equation of that name."""
    result = outcome(
        {name: [0.0, 1.0]},
        name="n",
        statement=f"{name} = 1",
        gradients={name: [0.0, 1.0]},
        equations=[Equation(f"{name} = 1", 1.0, 1.0)],
        predictions=[Prediction({name: 1.0}, {name: 1.0}, {name: 1.0})],
        parameters=[Parameter(name, 0.0, 1.0, 0.0)],
    )
    texts = summary(result)
    for section in sections(result):
        texts += [section.title, *section.header, *section.notes, *np.ravel(section.rows).tolist()]
    return texts


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_move_no_cursor(name: str) -> None:
    assert all(text.isprintable() for text in everything(name))


@given(st.text(min_size=1, max_size=20))
def test_no_name_moves_a_cursor(name: str) -> None:
    assert all(text.isprintable() for text in everything(name))
