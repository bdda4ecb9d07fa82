"""Starter files load as they are, and name what a data file holds."""

from __future__ import annotations

import pytest

from gdtrain.errors import UserError
from gdtrain.experiment.schema import KINDS
from gdtrain.experiment.starter import regress_starter, starter

from .texts import read

COLUMNS = [
    ("sales", "number", 0),
    ("income", "number", None),
    ("unit price", "number", 0),
    ("tax", "number", 3),
    ("region", "text", 0),
    ("no", "number", 0),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_starter_loads_and_says_nothing_false(kind: str) -> None:
    text = starter(kind)
    experiment = read(text)
    assert experiment.kind == kind
    assert experiment.params and experiment.train.lr == "auto"
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_starter_offers_in_comments_loads_too(kind: str) -> None:
    text = starter(kind).replace("# lr:", "lr:").replace("# stop:", "stop:")
    experiment = read(text)
    assert (experiment.train.lr, experiment.stop.patience) == (0.01, 50)


def test_a_regression_starter_lists_the_columns_and_why_one_is_left_out() -> None:
    text = regress_starter("my data.csv", COLUMNS, "sales")
    experiment = read(text)
    assert experiment.regress is not None and experiment.data is not None
    assert experiment.regress.target == ["sales"]
    assert experiment.regress.features == ["income", "unit price", "region", "no"]
    assert (experiment.data.path, experiment.data.scale) == ("my data.csv", "standard")
    assert "    # - tax  # number, but 3 empty cells\n" in text
    assert "    - region  # text\n" in text


def test_a_regression_starter_without_features_loads() -> None:
    experiment = read(regress_starter("x.csv", [("y", "number", 0), ("\x1b[31m", "date", 0)], "y"))
    assert experiment.regress is not None
    assert experiment.regress.features == []


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("sale", "--target: there is no column sale; did you mean sales?"),
        ("q", "--target: there is no column q; the columns are sales, income, unit price, tax, region, no"),
        ("day", "--target: day holds dates, no numbers; name another column"),
    ],
)
def test_a_target_must_be_a_column_that_can_be_predicted(target: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        regress_starter("x.csv", [*COLUMNS, ("day", "date", 0)] if target == "day" else COLUMNS, target)
    assert str(caught.value) == message


@pytest.mark.parametrize(("kind", "loss"), [("number", "mse"), ("text", "softmax"), ("bool", "logistic")])
def test_the_loss_goes_by_the_target(kind: str, loss: str) -> None:
    experiment = read(regress_starter("x.csv", [("y", kind, 0), ("x", "number", 0)], "y"))
    assert experiment.loss is not None and experiment.loss.name == loss


def test_an_unknown_kind() -> None:
    with pytest.raises(UserError, match=r"there is no kind regres; did you mean regress\?"):
        starter("regres")
