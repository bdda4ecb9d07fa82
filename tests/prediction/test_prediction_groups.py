"""Rows predicted each by the fit of its group: as the group's own document predicts it, in the order of the table."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import gdtrain
from gdtrain.errors import UserError
from gdtrain.prediction import Asked, Predictor
from gdtrain.results.saved import doubts
from tests.prediction.models import TABLE, predicted

Json = dict[str, Any]

# 60 rows in three groups of 17 to 25 rows, told apart by every kind of column.
_PLACES = [i % 7 % 3 for i in range(len(TABLE))]
GROUPED = TABLE.with_columns(
    town=pl.Series([["Oslo", "Rome", "Bern"][place] for place in _PLACES]),
    code=pl.Series([[20.0, 7.5, 1e6][place] for place in _PLACES]),
    north=pl.Series([place > 0 for place in _PLACES]),
    day=pl.Series(["2024-01-0" + "213"[place] for place in _PLACES]),
)

CASES: dict[str, tuple[str, Json]] = {
    "formula": ("town", {"fit": "y = a*x + b*z + c"}),
    "by a number": ("code", {"fit": "y = a*x + b"}),
    "by truth": ("north", {"fit": "y = a*x + b"}),
    "by a date": ("day", {"fit": "y = a*x + b"}),
    "no line": ("town", {"fit": "log(gain) = a*x^b + c", "params": {"c": {"start": 0.1, "fixed": True}}}),
    "tied formula": ("town", {"fit": "y = a*x + b*z + c", "params": {"c": {"expr": "a*b"}}}),
    "known errors": ("town", {"fit": "y = a*x + b", "data": {"sigma": "err"}}),
    "columns": ("town", {"regress": {"target": "y", "features": ["x", "log(z)", "x:z"]}}),
    "fixed weight": (
        "code",
        {"regress": {"target": "y", "features": ["x", "z"]}, "params": {"z": {"start": -1, "fixed": True}}},
    ),
    "tied weights": ("town", {"regress": {"target": "y", "features": ["x", "z"]}, "params": {"x": {"expr": "z^2"}}}),
    "levels": ("town", {"regress": {"target": "y", "features": ["x", "city"]}, "data": {"sample_weight": "w"}}),
    "offset": ("town", {"regress": {"target": "y", "features": ["x"], "intercept": False}, "data": {"offset": "z"}}),
    "two targets": ("town", {"regress": {"target": ["y", "y2"], "features": ["x", "z"]}}),
    "counts": ("town", {"regress": {"target": "count", "features": ["x", "z"]}, "loss": "poisson"}),
    "labels": ("town", {"regress": {"target": "word", "features": ["x"]}, "loss": "logistic"}),
    "classes": ("code", {"regress": {"target": "class", "features": ["x"]}, "loss": "softmax", "penalty": {"l2": 0.1}}),
    "samples": ("town", {"fit": "y = a*x + b", "uncertainty": {"bootstrap": 50}}),
    "robust": ("town", {"fit": "y = a*x + b", "uncertainty": {"robust": True}}),
}
LAYERS: dict[str, Json] = {
    "hidden": {"regress": {"target": "y", "features": ["x", "z"]}, "model": {"hidden": [3, 2]}},
    "two outputs": {"regress": {"target": ["y", "y2"], "features": ["x", "city"]}, "model": {"hidden": [4]}},
    "classes": {"regress": {"target": "kind", "features": ["x"]}, "model": {"hidden": [2]}, "loss": "softmax"},
}


def grouped(folder: Path, by: str, experiment: Mapping[str, Any], table: pl.DataFrame = GROUPED, **more: Any) -> Json:
    """The document of groups, by way of its text."""
    path = folder / "table.csv"
    table.write_csv(path)
    data = {**experiment.get("data", {}), "path": str(path), "group_by": by}
    document: Json = json.loads(json.dumps(gdtrain.groups({**experiment, "data": data}, **more).to_dict()))
    return document


def each_alone(document: Json, folder: Path, **asked: Any) -> pl.DataFrame:
    """The rows of the table by the documents of their groups, one after another, put back in order."""
    (by,), parts = {*document["trials"][0]["group"]}, []
    table = GROUPED.with_row_index("at")
    for trial in document["trials"]:
        rows, path = table.filter(pl.col(by) == trial["group"][by]), folder / "group.csv"
        rows.drop("at").write_csv(path)
        parts.append(predicted(trial, path, **asked).with_columns(rows["at"]))
    return pl.concat(parts).sort("at").drop("at")


def assert_alike(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert found.columns == expected.columns
    for name in expected.columns:
        if expected[name].dtype.is_float():
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-13)
        else:
            assert found[name].to_list() == expected[name].to_list()


@pytest.mark.parametrize(("by", "experiment"), CASES.values(), ids=CASES)
def test_rows_are_predicted_as_by_the_document_of_their_group(tmp_path: Path, by: str, experiment: Json) -> None:
    document = grouped(tmp_path, by, experiment)
    interval = None if "penalty" in experiment else 0.9
    asked = {"keep": ["x"], "interval": interval, "residuals": True}
    found = predicted(document, tmp_path / "table.csv", **asked)
    assert_alike(found, each_alone(document, tmp_path, **asked))


@pytest.mark.parametrize("experiment", LAYERS.values(), ids=LAYERS)
def test_each_row_goes_through_the_layers_of_its_group(tmp_path: Path, experiment: Json) -> None:
    document = grouped(tmp_path, "town", {**experiment, "train": {"epochs": 10}})
    assert_alike(predicted(document, tmp_path / "table.csv"), each_alone(document, tmp_path))


def test_blocks_of_many_rows_are_cut_where_numbers_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = grouped(tmp_path, "town", {**LAYERS["hidden"], "train": {"epochs": 3}})
    whole = predicted(document, tmp_path / "table.csv")
    monkeypatch.setattr("gdtrain.problem.bygroup._NUMBERS", 100)
    assert_alike(predicted(document, tmp_path / "table.csv"), whole)
    line = grouped(tmp_path, "town", {"fit": "y = a*x + b"})
    spread = predicted(line, tmp_path / "table.csv", interval=0.9)
    monkeypatch.setattr("gdtrain.uncertainty.bygroup._NUMBERS", 28)
    assert_alike(predicted(line, tmp_path / "table.csv", interval=0.9), spread)


def test_weights_scatter_the_rows_of_groups_where_they_do_not_count_them(tmp_path: Path) -> None:
    """Oslo's weights are whole numbers, which count rows; those of the others are shares."""
    weight = pl.when(pl.col("town") == "Oslo").then(2.0).otherwise(pl.col("w")).alias("w")
    table = GROUPED.with_columns(weight)
    document = grouped(tmp_path, "town", {"fit": "y = a*x + b", "data": {"sample_weight": "w"}}, table)
    kinds = {trial["group"]["town"]: trial["uncertainty"]["weights"] for trial in document["trials"]}
    assert kinds == {"Bern": "analytic", "Oslo": "frequency", "Rome": "analytic"}
    found = predicted(document, tmp_path / "table.csv", interval=0.9)
    for trial in document["trials"]:
        here = table["town"] == trial["group"]["town"]
        table.filter(here).write_csv(tmp_path / "group.csv")
        assert_alike(found.filter(here), predicted(trial, tmp_path / "group.csv", interval=0.9))


def test_metrics_are_of_all_rows_together(tmp_path: Path) -> None:
    """y = 2x + {0.1, -0.1} in one group and y = x in the other, rows of both in turn; R2 about the mean of all."""
    table = pl.DataFrame({"g": ["a", "b"] * 3, "x": [1.0, 1, 2, 2, 3, 3], "y": [2.1, 1, 3.8, 2, 6.1, 3]})
    document = grouped(tmp_path, "g", {"fit": "y = k*x"}, table)
    a = (2.1 + 2 * 3.8 + 3 * 6.1) / 14  # sum xy / sum x^2
    left = sum((y - a * x) ** 2 for x, y in ((1, 2.1), (2, 3.8), (3, 6.1)))
    mean = table["y"].mean()
    assert isinstance(mean, float)
    predictor = Predictor(document, "result.json", Asked(metrics=True))
    assert sum(frame.height for frame in predictor.frames(predictor.open(str(tmp_path / "table.csv")))) == 6
    found = predictor.metrics()
    assert found["rmse"] == pytest.approx((left / 6) ** 0.5, rel=1e-9)
    assert found["r2"] == pytest.approx(1 - left / sum((y - mean) ** 2 for y in table["y"]), rel=1e-9)


LINE = "town,x,y\nOslo,1,3\nOslo,2,5\nOslo,3,7.5\nRome,1,1\nRome,2,2\nRome,3,2.5\nBern,1,4\n"
REFUSED = {
    "strange": ("town,x\nOslo,1\nParis,2\n", None, "row 2, column town: Paris is no group that training had"),
    "slip": ("town,x\nOslo,1\noslo,2\n", None, "oslo is no group that training had; did you mean Oslo?"),
    "missing": ("town,x\nOslo,1\n,2\n", None, "line 3, column town: the cell is empty; fill it in"),
    "no column": ("x\n1\n", None, "there is no column town; the columns are x"),
    "no interval": ("town,x\nOslo,1\nBern,2\n", 0.9, "row 2, column town: Bern has no intervals: 1 row cannot"),
}


@pytest.mark.parametrize(("text", "interval", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals(tmp_path: Path, text: str, interval: float | None, message: str) -> None:
    document = grouped(tmp_path, "town", {"fit": "y = a*x + b"}, pl.read_csv(io.StringIO(LINE)))
    path = tmp_path / "new.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        predicted(document, path, interval=interval)
    assert message in str(error.value)
    assert error.value.code == 3


def test_a_strange_group_is_named_whatever_stands_below_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a later block than the first, before one with a missing cell."""
    document = grouped(tmp_path, "town", {"fit": "y = a*x + b"}, pl.read_csv(io.StringIO(LINE)))
    path = tmp_path / "new.csv"
    path.write_text("town,x\n" + "Oslo,1\n" * 6 + "Paris,1\n" + "Rome,2\n" * 6 + ",2\n")
    predictor = Predictor(document, "result.json", Asked())
    monkeypatch.setattr(predictor, "_size", lambda kept: 4)
    with pytest.raises(UserError, match="row 7, column town: Paris is no group that training had"):
        list(predictor.frames(predictor.open(str(path))))


def test_rows_in_other_formats_are_told_by_the_same_values(tmp_path: Path) -> None:
    document = grouped(tmp_path, "day", {"fit": "y = a*x + b"})
    GROUPED.with_columns(pl.col("day").str.to_date()).write_parquet(tmp_path / "table.parquet")
    GROUPED.write_ndjson(tmp_path / "table.ndjson")
    expected = predicted(document, tmp_path / "table.csv")
    for name in ("table.parquet", "table.ndjson"):
        assert_alike(predicted(document, tmp_path / name), expected)
    GROUPED.head(3).with_columns(day=pl.Series(["2024-01-01"] * 2 + ["2024-01-09"])).write_parquet(
        tmp_path / "x.parquet"
    )
    with pytest.raises(UserError, match="row 3, column day: 2024-01-09 is no group that training had"):
        predicted(document, tmp_path / "x.parquet")


def test_a_group_whose_fit_diverged_predicts_none_of_its_rows(tmp_path: Path) -> None:
    """The step is below 2/4 for x = 1, above it for x = 3."""
    table = pl.DataFrame({"g": ["a", "a", "b", "b"], "x": [1.0, 1, 3, 3], "y": [2.0, 3, 4, 5]})
    document = grouped(tmp_path, "g", {"fit": "y = k*x", "train": {"optimizer": "sgd", "lr": 0.5, "epochs": 30}}, table)
    assert [trial["verdict"]["status"] for trial in document["trials"]] == ["converged", "diverged"]
    path = tmp_path / "new.csv"
    path.write_text("g,x\na,1\n")
    assert predicted(document, path)["prediction"][0] == pytest.approx(2.5)
    with pytest.raises(UserError, match="row 3, column g: b has a fit that diverged; leave its rows out"):
        predicted(document, tmp_path / "table.csv")
    with pytest.raises(UserError, match="no group has a fit to predict by"):
        predicted({**document, "trials": document["trials"][1:]}, path)


def test_documents_that_do_not_hold_all_groups_or_do_not_fit_together(tmp_path: Path) -> None:
    document = grouped(tmp_path, "town", {"fit": "y = a*x + b"}, top=2)
    with pytest.raises(UserError, match="Rome is none of the 2 groups that were saved; there were 3: save them all"):
        predicted(document, tmp_path / "table.csv")
    first, second = document["trials"]
    for other in ({**second, "dtype": "float32"}, {**second, "group": first["group"]}, {**second, "params": {}}):
        with pytest.raises(UserError, match="is damaged: its sections do not fit together"):
            predicted({**document, "trials": [first, other]}, tmp_path / "table.csv")
    fewer = {**second["uncertainty"], "factor": second["uncertainty"]["factor"][:1]}
    with pytest.raises(UserError, match="is damaged: its sections do not fit together"):
        trials = [first, {**second, "uncertainty": fewer}]
        predicted({**document, "trials": trials}, tmp_path / "table.csv", interval=0.9)


def test_from_python(tmp_path: Path) -> None:
    """y = 2x in one group and y = 3x in the other; a result, its document, and the folder that keeps it serve alike."""
    rows = {"g": ["a", "b", "a", "b"], "x": [1.0, 1.0, 2.0, 2.0], "y": [2.0, 3.0, 4.0, 6.0]}
    found = gdtrain.groups({"fit": "y = k*x"}, "g", data=rows, out=tmp_path / "kept")
    for result in (found, found.to_dict(), tmp_path / "kept"):
        frame = gdtrain.predict(result, {"g": ["b", "a"], "x": [5, 7]}, keep="g")
        assert frame["g"].to_list() == ["b", "a"]
        assert frame["prediction"].to_list() == pytest.approx([15, 14])
    with pytest.raises(UserError, match="the rows, row 1, column g: c is no group that training had"):
        gdtrain.predict(found, [{"g": "c", "x": 1}])


def test_a_fit_that_was_stopped_is_warned_of(tmp_path: Path) -> None:
    document = grouped(tmp_path, "town", {"fit": "y = a*x + b"})
    some = {**document, "count": 2, "planned": 3, "trials": document["trials"][:2]}
    with pytest.warns(UserWarning, match="the result is of a fit that was stopped: it has 2 of 3 groups"):
        gdtrain.predict(some, [{"town": "Oslo", "x": 1}])
    stopped, diverged = doubts({**some, "verdicts": {"converged": 1, "diverged": 1}}, "r.json")
    assert stopped == "r.json is of a fit that was stopped: it has 2 of 3 groups"
    assert diverged == "r.json: the fits of 1 of 2 groups diverged, and predict nothing"


def test_a_document_of_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 GiB, which some 250,000 groups take."""
    (tmp_path / "groups.json").write_text(json.dumps(grouped(tmp_path, "town", {"fit": "y = a*x + b"})))
    monkeypatch.setattr("gdtrain.results.saved._MOST", 2000)
    with pytest.raises(
        UserError, match=r"groups\.json has more than 2,000 bytes; save fewer trials, or groups: --top N"
    ):
        gdtrain.predict(tmp_path / "groups.json", [{"town": "Oslo", "x": 1}])
