"""Losses from the command line: what is refused and in which words, classes, separation, metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command

TABLES = {
    "labels.csv": "x,y\n1,0\n2,1\n3,0\n4,1\n5,1\n6,0\n7,1\n",
    "apart.csv": "x,y\n1,0\n2,0\n3,0\n4,1\n5,1\n6,1\n",
    "apart3.csv": "x,z,y\n1,0,1\n1,0.1,1\n0,1,2\n0.1,1,2\n-1,-1,5\n-1,-1.1,5\n",
    "three.csv": "x,z,y\n1,2,1\n2,1,1\n3,5,2\n4,4,5\n5,3,2\n3,3,5\n2,4,2\n1,4,5\n1,1,5\n4,2,1\n3,1,2\n",
    "two.csv": "x,y,v\n1,0,1\n2,0,0\n3,2,1\n",
    "one.csv": "x,y\n1,3\n2,3\n",
    "counts.csv": "x,y\n1,0\n2,3\n3,2\n4,6\n",
    "halves.csv": "x,y\n1,0.5\n2,3\n3,2\n4,6\n",
    "below.csv": "x,y\n1,2\n2,3\n3,-1\n4,6\n",
    "passed.csv": "x,y\n1,no\n2,yes\n3,no\n4,yes\n5,yes\n6,no\n7,yes\n",
    "marks.csv": "x,z,y\n1,2,a\n2,1,a\n3,5,b\n4,4,c\n5,3,b\n3,3,c\n2,4,b\n1,4,c\n1,1,c\n4,2,a\n3,1,b\n",
    "alike.csv": "x,y\n1,yes\n2,yes\n",
    "gaps.csv": "x,y\n1,1\n,2\n3,-1\n4,6\n",
    "days.csv": 'day,"price, USD",x,city,void\n2024-01-05,3,1,a,\n2024-01-06,4,2,b,\n2024-01-07,6,3,a,\n',
    "answers.csv": "x,y\n1,no\n2,yes\n3,no\n4,yes\n5,yes\n6,no\n7,NA\n",
    "lost.csv": "x,y\n1,a\n2,b\n3,a\n4,b\n,c\n",
    "lost5.csv": "x,y\n1,1\n2,2\n3,1\n4,2\n,5\n",
    "light.csv": "x,y,w\n1,a,1\n2,b,1\n3,a,1\n4,b,1\n5,c,0\n",
    "rated.csv": "x,y,w,o\n1,0,1,0.5\n2,0,1,9\n3,0,1,0\n2.5,1,0,0\n4,1,1,0\n5,1,1,-9\n6,1,1,0\n",
    "points.csv": "x,y\n1,2\n2,4\n3,6.5\n4,8\n",
}


@pytest.fixture(autouse=True)
def tables(tmp_path: Path) -> None:
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "many.csv").write_text("x,y\n" + "".join(f"{i},{i}\n" for i in range(1500)), encoding="utf-8")


# A line, its exit code, and the first line of what it says.
REFUSED: list[tuple[list[str], int, str]] = [
    (
        ["regress", "two.csv", "--target", "y", "--loss", "logistic"],
        3,
        "two.csv, row 3, column y: logistic takes labels 0 and 1, not 2; "
        "code the two classes as 0 and 1; for more classes there is softmax",
    ),
    (
        ["regress", "two.csv", "--target", "v,y", "--features", "x", "--loss", "logistic"],
        3,
        "two.csv, row 3, column y: logistic takes labels 0 and 1, not 2; "
        "code the two classes as 0 and 1; for more classes there is softmax",
    ),
    (
        ["fit", "y = a*x + b", "halves.csv", "--loss", "logistic"],
        3,
        "halves.csv, row 1, column y: logistic takes labels 0 and 1, not 0.5; "
        "code the two classes as 0 and 1; for more classes there is softmax",
    ),
    (
        ["fit", "y = a*x + b", "below.csv", "--loss", "poisson"],
        3,
        "below.csv, row 3, column y: poisson takes counts, 0 or more, not -1; leave such rows out, or use mse",
    ),
    (
        ["regress", "counts.csv", "--target", "y", "--loss", "gamma"],
        3,
        "counts.csv, row 1, column y: gamma takes numbers above 0, not 0; "
        "leave such rows out; where 0 is a count, use poisson",
    ),
    (
        ["regress", "marks.csv", "--target", "y", "--loss", "logistic"],
        3,
        "marks.csv, column y: logistic tells two classes apart, not 3: a, b, c; use regress with loss: softmax",
    ),
    (
        ["regress", "alike.csv", "--target", "y", "--loss", "logistic"],
        3,
        "alike.csv, column y: every row holds yes: there is nothing to tell apart; add rows of another class",
    ),
    (
        ["regress", "passed.csv", "--target", "y"],
        3,
        "passed.csv, column y: y is text (no, yes), and mse takes numbers; "
        "for the probability of yes use --loss logistic",
    ),
    (
        ["fit", "y = a*x", "passed.csv", "--loss", "huber"],
        3,
        "passed.csv, column y: y is text (no, yes), and huber takes numbers; "
        "for the probability of yes use --loss logistic",
    ),
    (
        ["regress", "marks.csv", "--target", "y", "--loss", "poisson"],
        3,
        "marks.csv, column y: y is text (a, b, ...), and poisson takes numbers; "
        "for the probability of each text use --loss softmax",
    ),
    (
        ["fit", "y = a*x", "marks.csv"],
        3,
        "marks.csv, column y: y is text (a, b, ...), and mse takes numbers; name a column of numbers",
    ),
    (
        ["fit", "y = a*x", "marks.csv", "--loss", "logistic"],
        3,
        "marks.csv, column y: logistic tells two classes apart, not 3: a, b, c; use regress with loss: softmax",
    ),
    (
        ["fit", "z = a*x + b*y", "marks.csv"],
        3,
        "marks.csv, column y: y is text (a, b, ...), and a formula calculates; "
        "take it out, or use regress, which makes indicators of its texts",
    ),
    (
        ["regress", "marks.csv", "--target", "z", "--features", "x", "--set", "data.sample_weight=y"],
        3,
        "marks.csv, column y: y is text (a, b, ...); name a column of numbers",
    ),
    (
        ["fit", "y = a*x", "answers.csv", "--loss", "logistic"],
        3,
        "answers.csv, column y: logistic tells two classes apart, not 3: NA, no, yes; "
        'if NA stands for a missing value: set data.null_values: ["NA"]',
    ),
    (
        ["regress", "days.csv", "--target", "price, USD"],
        2,
        "--target: there is no column price; did you mean price, USD? "
        "A flag takes a name with a comma between backquotes: '`price, USD`'",
    ),
    (
        ["regress", "days.csv", "--target", "`price, USD`"],
        3,
        "days.csv, column day: dates are no numbers; name the features: --features x,city",
    ),
    (
        ["regress", "days.csv", "--target", "x"],
        3,
        "days.csv, column day: dates are no numbers; name the features: --features '`price, USD`,city'",
    ),
    (
        ["regress", "days.csv", "--target", "x", "--features", "day"],
        3,
        "days.csv, line 2, column day: '2024-01-05' is a date, not a number; "
        "leave the column out, or write a number of days",
    ),
    (
        ["regress", "days.csv", "--target", "x", "--features", "void"],
        3,
        "days.csv, line 2, column void: the cell is empty; fill it in, or set data.missing: drop",
    ),
    # The row of the table, though one before it was dropped.
    (
        ["regress", "gaps.csv", "--target", "y", "--loss", "gamma", "--set", "data.missing=drop"],
        3,
        "gaps.csv, row 3, column y: gamma takes numbers above 0, not -1; leave such rows out; "
        "where 0 is a count, use poisson",
    ),
    (
        ["regress", "three.csv", "--target", "y", "--loss", "softmax", "--set", "data.offset=z"],
        2,
        "--set: softmax takes no offset: the same for every class, it changes nothing; leave it out",
    ),
    (
        ["regress", "one.csv", "--target", "y", "--loss", "softmax"],
        3,
        "one.csv, column y: every row holds 3: there is nothing to tell apart; add rows of another class",
    ),
    (
        ["regress", "many.csv", "--target", "y", "--loss", "softmax"],
        3,
        "many.csv, column y: more than 1,000 different values are no classes; use mse for numbers",
    ),
    (
        ["fit", "y = a*x", "labels.csv", "--loss", "softmax"],
        2,
        "--loss: softmax takes a predictor for each class, and fit has one formula; "
        "use regress; for two classes logistic",
    ),
    (
        ["regress", "two.csv", "--target", "v,y", "--features", "x", "--loss", "softmax"],
        2,
        "regress.target: softmax takes one target; name the column that holds the classes",
    ),
    (
        ["solve", "x^2 = 2", "--loss", "logistic"],
        2,
        "--loss: logistic is a loss of data, and an equation has none; leave loss out, or use fit",
    ),
    (
        ["fit", "y = a*x", "points.csv", "--loss", "{name: quantile, q: 1}"],
        2,
        "--loss: q must be below 1, not 1",
    ),
    (
        ["fit", "y = a*x", "points.csv", "--loss", "{name: mae, q: 0.9}"],
        2,
        "--loss: mae takes no q; q belongs to quantile",
    ),
    (
        ["regress", "three.csv", "--target", "y", "--loss", "softmax", "--start", "3.x=1"],
        2,
        "--start: regress has no parameter 3.x; did you mean 5.x?",
    ),
]


@pytest.mark.parametrize(
    ("line", "code", "message"), REFUSED, ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else ""
)
def test_what_is_refused(line: list[str], code: int, message: str, gdtrain: Command) -> None:
    outcome = gdtrain(*line)
    said = [text for text in outcome.err.splitlines() if not text.startswith("features:")]
    assert (outcome.code, said[0]) == (code, message)
    assert outcome.out == ""


SEPARATED = "warning: the classes are separated perfectly: weights grow without bound; add a penalty"
LOGISTIC = ["--target", "y", "--loss", "logistic", "--epochs", "300"]
SOFTMAX = ["--target", "y", "--loss", "softmax", "--epochs", "300"]
DECAY = "{name: sgd, weight_decay: 0.01}"
SEPARATION: list[tuple[list[str], bool]] = [
    (["regress", "apart.csv", *LOGISTIC], True),
    (["regress", "apart.csv", *LOGISTIC, "--optimizer", "adam"], True),
    (["regress", "apart.csv", *SOFTMAX], True),
    (["regress", "apart3.csv", *SOFTMAX], True),
    (["fit", "y = a*(x - 3.4)", "apart.csv", *LOGISTIC[2:]], True),
    (["regress", "labels.csv", *LOGISTIC], False),
    (["regress", "labels.csv", *SOFTMAX], False),
    (["regress", "three.csv", *SOFTMAX], False),
    (["regress", "counts.csv", "--target", "y", "--loss", "poisson"], False),
    # What holds the weights back keeps them from growing.
    (["regress", "apart.csv", *LOGISTIC, "--optimizer", DECAY], False),
    (["regress", "apart.csv", *LOGISTIC, "--set", "params.x.max=2"], False),
    # A row that counts for nothing is none, and no offset joins what the weights tell apart.
    (["regress", "rated.csv", *LOGISTIC, "--features", "x"], False),
    (["regress", "rated.csv", *LOGISTIC, "--features", "x", "--set", "data.sample_weight=w"], True),
    (
        [
            "regress",
            "rated.csv",
            *LOGISTIC,
            "--features",
            "x",
            "--set",
            "data.sample_weight=w",
            "--set",
            "data.offset=o",
        ],
        True,
    ),
]


@pytest.mark.parametrize(
    ("line", "separated"), SEPARATION, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_perfect_separation_is_named(line: list[str], separated: bool, gdtrain: Command) -> None:
    outcome = gdtrain(*line)
    assert outcome.code == 0
    assert (SEPARATED in outcome.err.splitlines()) == separated


def test_counts_that_are_not_whole_are_told(gdtrain: Command) -> None:
    outcome = gdtrain("fit", "y = a*x + b", "halves.csv", "--loss", "poisson")
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        "warning: y is 0.5 in row 1, which is no count: poisson is then a quasi-likelihood, whose weights hold as long "
        "as the mean is right"
    ]
    assert gdtrain("fit", "y = a*x + b", "counts.csv", "--loss", "poisson").err == ""


# Metrics


def metrics_of(gdtrain: Command, *line: str) -> dict[str, Any]:
    found: dict[str, Any] = gdtrain(*line, "--format", "json").document["metrics"]
    return found


def test_metrics_in_the_summary_and_the_document(gdtrain: Command) -> None:
    line = ["regress", "labels.csv", *LOGISTIC]
    found = metrics_of(gdtrain, *line)
    assert list(found) == ["accuracy", "log_loss", "auc", "deviance", "null_deviance", "pseudo_r2", "confusion"]
    out = gdtrain(*line, "--format", "plain").out
    told = [f"{name} {found[key]:.6g}" for name, key in (("accuracy", "accuracy"), ("AUC", "auc"))]
    assert all(text in out for text in told)
    assert "true  taken for 0  taken for 1" in out


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (["fit", "y = a*x", "points.csv"], ["r2", "adjusted_r2", "rmse"]),
        (["fit", "y = a*x", "points.csv", "--engine", "loop"], ["r2", "adjusted_r2", "rmse", "mae"]),
        (["fit", "y = a*x", "points.csv", "--loss", "mae"], ["r2", "adjusted_r2", "rmse", "mae"]),
        (
            ["regress", "counts.csv", "--target", "y", "--loss", "poisson"],
            ["deviance", "null_deviance", "pseudo_r2", "rmse", "mae"],
        ),
    ],
)
def test_each_loss_has_its_metrics(line: list[str], names: list[str], gdtrain: Command) -> None:
    assert list(metrics_of(gdtrain, *line)) == names


@pytest.mark.parametrize("line", [["solve", "x + 1 = 3"], ["minimize", "(x - 1)^2"]])
def test_what_predicts_nothing_has_none(line: list[str], gdtrain: Command) -> None:
    assert "metrics" not in gdtrain(*line, "--format", "json").document


def test_metrics_can_be_asked_for(gdtrain: Command) -> None:
    line = ["regress", "apart.csv", *LOGISTIC]
    assert gdtrain(*line, "--get", "metrics.accuracy").out == "1.0\n"
    assert gdtrain(*line, "--get", "metrics.confusion.0.0").out == "3\n"
    assert gdtrain(*line, "--expect", "metrics.auc >= 0.99").code == 0
    outcome = gdtrain(*line, "--expect", "metrics.r2 > 0.5")
    assert outcome.code == 1
    assert "there is no number called metrics.r2" in outcome.err


def test_trials_are_ranked_by_a_metric_largest_first(gdtrain: Command) -> None:
    (Path.cwd() / "labels.yaml").write_text(
        "regress: {target: y}\ndata: {path: labels.csv, scale: standard}\nloss: logistic\n", encoding="utf-8"
    )
    line = ["sweep", "labels.yaml", "--lr", "1e-3,0.5", "--rank-by", "metrics.pseudo_r2"]
    document = gdtrain(*line, "--format", "json").document
    found = [trial["metrics"]["pseudo_r2"] for trial in document["trials"]]
    assert document["best"] == found.index(max(found)) == 1


def test_predictions_are_probabilities(gdtrain: Command) -> None:
    line = ["regress", "three.csv", *SOFTMAX, "--predict", "data"]
    predictions = gdtrain(*line, "--format", "json").document["predictions"]
    assert [row["target"] for row in predictions] == [1, 1, 2, 5, 2, 5, 2, 5, 5, 1, 2]
    for row in predictions:
        assert list(row["after"]) == ["1", "2", "5"]
        assert row["before"] == pytest.approx({"1": 1 / 3, "2": 1 / 3, "5": 1 / 3})
        assert sum(row["after"].values()) == pytest.approx(1)
    header = gdtrain(*line, "--format", "plain").out.split("predictions\n")[1].splitlines()[0]
    assert header.split()[-1] == "target"


# Text


@pytest.mark.parametrize("extra", [[], ["--set", "data.missing=drop"]])
def test_labels_may_be_text(extra: list[str], gdtrain: Command) -> None:
    """Sorted, the second is 1: all is as with 0 and 1, and told in the table's words."""
    tell = [*LOGISTIC, *extra, "--predict", "data", "--format", "json"]
    named, coded = (gdtrain("regress", name, *tell).document for name in ("passed.csv", "labels.csv"))
    assert named["params"] == coded["params"]
    assert named["loss"] == coded["loss"]
    confused = coded["metrics"].pop("confusion")
    assert named["metrics"].pop("confusion") == {
        own: {"no": row["0"], "yes": row["1"]} for own, row in zip(("no", "yes"), confused.values(), strict=True)
    }
    assert named["metrics"] == coded["metrics"]
    assert [row["after"] for row in named["predictions"]] == [row["after"] for row in coded["predictions"]]
    assert [row["target"] for row in named["predictions"]] == ["no", "yes", "no", "yes", "yes", "no", "yes"]
    out = gdtrain("regress", "passed.csv", *tell[:-2], "--format", "plain").out
    assert "true  taken for no  taken for yes" in out
    assert out.split("predictions\n")[1].splitlines()[1].split()[-1] == "no"


def test_levels_turn_labels_round(gdtrain: Command) -> None:
    (Path.cwd() / "turned.yaml").write_text(
        "regress: {target: y, levels: {y: ['yes', 'no']}}\ndata: {path: passed.csv, scale: standard}\nloss: logistic\n",
        encoding="utf-8",
    )
    plain = gdtrain("regress", "passed.csv", "--target", "y", "--loss", "logistic", "--format", "json").document
    turned = gdtrain("run", "turned.yaml", "--format", "json").document
    assert turned["params"]["x"]["value"] == pytest.approx(-plain["params"]["x"]["value"], rel=1e-6)
    assert list(turned["metrics"]["confusion"]) == ["yes", "no"]


def test_classes_may_be_text(gdtrain: Command) -> None:
    line = [*SOFTMAX, "--predict", "data", "--format", "json"]
    named, coded = (gdtrain("regress", name, *line).document for name in ("marks.csv", "three.csv"))
    assert list(named["params"]) == ["b.x", "b.z", "b.intercept", "c.x", "c.z", "c.intercept"]
    assert [*named["params"].values()] == [*coded["params"].values()]
    assert named["metrics"]["accuracy"] == coded["metrics"]["accuracy"]
    assert named["predictions"][2]["target"] == "b"
    assert list(named["predictions"][2]["after"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("table", "left"), [("lost.csv", ["b.x", "b.intercept"]), ("lost5.csv", ["2.x", "2.intercept"])]
)
def test_a_class_of_dropped_rows_alone_is_none(table: str, left: list[str], gdtrain: Command) -> None:
    line = ["regress", table, *SOFTMAX, "--set", "data.missing=drop", "--format", "json"]
    assert list(gdtrain(*line).document["params"]) == left


def test_a_class_whose_rows_do_not_count_is_told(gdtrain: Command) -> None:
    line = ["regress", "light.csv", *SOFTMAX, "--set", "data.sample_weight=w"]
    told = "warning: light.csv, column y: no row that counts holds c: its weights grow without bound; "
    assert told + "leave its rows out of the data" in gdtrain(*line).err.splitlines()
    assert "no row that counts" not in gdtrain("regress", "marks.csv", *SOFTMAX).err


def test_labels_of_a_formula(gdtrain: Command) -> None:
    """A formula and a linear predictor of the same two texts are the same model."""
    more = ["--loss", "logistic", "--lr", "0.1", "--epochs", "50", "--predict", "data", "--format", "json"]
    fitted = gdtrain("fit", "y = a*x + b", "passed.csv", *more, "--start", "a=0,b=0").document
    regressed = gdtrain("regress", "passed.csv", "--target", "y", *more).document
    assert fitted["params"]["a"]["value"] == pytest.approx(regressed["params"]["x"]["value"], rel=1e-12)
    assert fitted["metrics"]["confusion"].keys() == {"no", "yes"}
    assert [row["target"] for row in fitted["predictions"]] == [row["target"] for row in regressed["predictions"]]
    assert fitted["predictions"][1]["target"] == "yes"
    for document in (fitted, regressed):
        assert document["data"]["labels"] == {"y": ["no", "yes"]}
    assert "y: 0 is no, 1 is yes" in gdtrain("fit", "y = a*x + b", "passed.csv", *more[:-1], "table").out.splitlines()


def test_a_name_with_a_comma_is_named_in_backquotes(gdtrain: Command) -> None:
    outcome = gdtrain("regress", "days.csv", "--target", "`price, USD`", "--features", "x,city", "--format", "json")
    assert (outcome.code, outcome.document["statement"]) == (0, "price, USD on x, city")


def test_one_word_for_a_missing_value(gdtrain: Command) -> None:
    line = ["fit", "y = a*x", "answers.csv", "--loss", "logistic", "--set", "data.missing=drop", "--format", "json"]
    document = gdtrain(*line, "--set", "data.null_values=NA").document
    assert document["data"]["labels"] == {"y": ["no", "yes"]}
    assert document["data"]["missing"]["columns"] == {"y": 1}


def test_a_loss_below_zero_that_diverges_is_not_without_end(gdtrain: Command) -> None:
    """The loss of counts may be below 0 before the last step; a smaller lr would have gone on from there."""
    data = ["--data", "x=1,2,3,4,5", "--data", "y=1,30,20,60,80"]
    line = ["fit", "y = a*x", *data, "--start", "a=0.3", "--loss", "poisson", "--epochs", "40"]
    verdict = gdtrain(*line, "--lr", "0.005302249686500002", "--format", "json").document["verdict"]
    assert verdict["status"] == "diverged"
    assert verdict["detail"].endswith("would not")
    assert "without end" not in verdict["detail"]
