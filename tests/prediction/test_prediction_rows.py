"""Rows predicted by a saved result are those that the run predicted, whatever the model is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from gdtrain.errors import UserError
from gdtrain.prediction import Asked, Predictor
from gdtrain.prediction import rows as module
from tests.prediction.models import TABLE, predicted, trained

Json = Mapping[str, Any]
SHORT = {"epochs": 30}
MODELS: dict[str, dict[str, Any]] = {
    "formula": {"fit": "y = a*exp(-b*x) + c*z", "train": SHORT},
    "formula with a pole": {"fit": "y = a*x + b/z", "train": SHORT},
    "formula of a left side": {"fit": "log(gain) = a*x + b", "train": SHORT},
    "formula with an offset": {"fit": "y = a*x", "data": {"offset": "z"}, "train": SHORT},
    "formula with ties": {
        "fit": "y = a*x + b*z",
        "params": {"b": {"expr": "2*a + k"}, "k": {"start": 0.5, "fixed": True}},
        "train": SHORT,
    },
    "constant formula": {"fit": "y = m", "train": SHORT},
    "a parameter called e": {"fit": "y = e*x", "params": {"e": 1.0}, "train": SHORT},
    "columns": {"regress": {"target": "y", "features": ["x", "z"]}, "train": SHORT},
    "columns, scaled": {
        "regress": {"target": "y", "features": ["x", "z"]},
        "data": {"scale": "minmax"},
        "train": SHORT,
    },
    "columns without a constant": {"regress": {"target": "y", "features": ["x"], "intercept": False}, "train": SHORT},
    "weights tied and fixed": {
        "regress": {"target": "y", "features": ["x", "z"]},
        "params": {"z": {"expr": "-x/2"}, "intercept": {"start": 1.0, "fixed": True}},
        "train": SHORT,
    },
    "text": {"regress": {"target": "y", "features": ["x", "city", "open"]}, "train": SHORT},
    "expressions and products": {
        "regress": {"target": "y", "features": ["log(x)", "r = x/z", "city:x", "x*z"]},
        "train": SHORT,
    },
    "several targets": {"regress": {"target": ["y", "y2"], "features": ["x", "city"]}, "train": SHORT},
    "offset": {"regress": {"target": "y", "features": ["x"]}, "data": {"offset": "z"}, "train": SHORT},
    "labels": {"regress": {"target": "bit", "features": ["x", "z"]}, "loss": "logistic", "train": SHORT},
    "labels of text": {"regress": {"target": "word", "features": ["x", "z"]}, "loss": "logistic", "train": SHORT},
    "formula of labels": {"fit": "word = a*x + b", "loss": "logistic", "train": SHORT},
    "classes": {"regress": {"target": "class", "features": ["x"]}, "loss": "softmax", "train": SHORT},
    "classes of text": {"regress": {"target": "kind", "features": ["x", "city"]}, "loss": "softmax", "train": SHORT},
    "counts": {"regress": {"target": "count", "features": ["x"]}, "loss": "poisson", "train": SHORT},
    "means": {"regress": {"target": "gain", "features": ["x"]}, "loss": "gamma", "train": SHORT},
    "quantile": {"fit": "y = a*x + b", "loss": {"name": "quantile", "q": 0.8}, "train": SHORT},
    "hidden layers": {
        "regress": {"target": "y", "features": ["x", "city"]},
        "model": {"hidden": [4, 3]},
        "train": SHORT,
    },
    "hidden layers of classes": {
        "regress": {"target": "kind", "features": ["x", "z"]},
        "model": {"hidden": [3]},
        "loss": "softmax",
        "train": SHORT,
    },
    "single precision": {"regress": {"target": "y", "features": ["x"]}, "train": {"dtype": "float32", **SHORT}},
    "known errors": {"fit": "y = a*x + b", "data": {"sigma": "err"}, "train": SHORT},
    "rows held out": {
        "regress": {"target": "y", "features": ["*"]},
        "data": {"split": {"column": "open", "test": True}},
        "train": SHORT,
    },
}


@pytest.mark.parametrize("name", MODELS)
def test_rows_are_predicted_as_by_the_run(name: str, tmp_path: Path) -> None:
    document = trained(tmp_path, MODELS[name])
    found = predicted(document, tmp_path / "table.csv")
    after = [row["after"] for row in document["predictions"]]
    told = [list(one.values()) if isinstance(one, dict) else [one] for one in after]
    numbers = found.select(pl.col("^(prediction|probability).*$")).to_numpy()
    assert numbers.shape == (60, len(told[0]))
    np.testing.assert_allclose(numbers, told, rtol=1e-6 if "single" in name else 1e-12, atol=0)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("columns", ["prediction"]),
        ("several targets", ["prediction.y", "prediction.y2"]),
        ("labels", ["probability", "label"]),
        ("classes", ["probability.2", "probability.4", "probability.7", "label"]),
    ],
)
def test_names_of_columns(name: str, columns: list[str], tmp_path: Path) -> None:
    assert predicted(trained(tmp_path, MODELS[name]), tmp_path / "table.csv").columns == columns


@pytest.mark.parametrize(
    ("name", "labels"), [("labels", {0, 1}), ("labels of text", {"no", "yes"}), ("classes", {2, 4, 7})]
)
def test_labels_are_the_likeliest(name: str, labels: set[object], tmp_path: Path) -> None:
    found = predicted(trained(tmp_path, MODELS[name]), tmp_path / "table.csv")
    assert set(found["label"]) <= labels
    if name == "classes":
        likeliest = found.select(pl.col("^probability.*$")).to_numpy().argmax(1)
        assert found["label"].to_list() == [[2, 4, 7][k] for k in likeliest]
    else:
        first, second = sorted(labels, key=str)
        assert found["label"].to_list() == [second if p > 0.5 else first for p in found["probability"]]


@pytest.mark.parametrize("name", ["columns", "several targets", "counts", "formula of a left side"])
def test_residuals_are_prediction_minus_target(name: str, tmp_path: Path) -> None:
    document = trained(tmp_path, MODELS[name])
    found = predicted(document, tmp_path / "table.csv", residuals=True)
    wanted = [row["after"] for row in document["predictions"]], [row["target"] for row in document["predictions"]]
    after, target = ([[*one.values()] if isinstance(one, dict) else [one] for one in each] for each in wanted)
    residual = found.select(pl.col("^residual.*$")).to_numpy()
    np.testing.assert_allclose(residual, np.array(after) - np.array(target), atol=1e-12)


def test_residuals_of_classes(tmp_path: Path) -> None:
    found = predicted(
        trained(tmp_path, MODELS["classes of text"]), tmp_path / "table.csv", residuals=True, keep=["kind"]
    )
    for name in ("blue", "green", "red"):
        own = (found["kind"] == name).cast(pl.Float64)
        np.testing.assert_allclose(found[f"residual.{name}"], found[f"probability.{name}"] - own, atol=1e-15)


@pytest.mark.parametrize(
    "name", ["columns", "several targets", "labels of text", "classes", "counts", "means", "offset"]
)
def test_metrics_of_the_training_rows_are_the_runs(name: str, tmp_path: Path) -> None:
    """But for those adjusted for training, and for what gathered rows do not tell."""
    document = trained(tmp_path, {**MODELS[name], "train": {"engine": "loop", **SHORT}})
    predictor = Predictor(document, "result.json", Asked(metrics=True))
    assert sum(frame.height for frame in predictor.frames(predictor.open(str(tmp_path / "table.csv")))) == 60
    found, own = predictor.metrics(), document["metrics"]
    flat = {key: value for key, value in own.items() if isinstance(value, float) and key != "adjusted_r2"}
    assert flat == pytest.approx({key: found[key] for key in flat}, rel=1e-12)
    assert "adjusted_r2" not in str(found)
    if "confusion" in own:
        assert found["confusion"] == own["confusion"]


def test_weights_count_in_metrics_where_they_are_there(tmp_path: Path) -> None:
    model = {**MODELS["columns"], "data": {"sample_weight": "w"}, "train": {"engine": "loop", **SHORT}}
    document = trained(tmp_path, model)
    TABLE.drop("w").write_csv(tmp_path / "bare.csv")
    found, warned = [], []
    for name in ("table.csv", "bare.csv"):
        predictor = Predictor(document, "result.json", Asked(metrics=True))
        list(predictor.frames(predictor.open(str(tmp_path / name))))
        found.append(predictor.metrics()["r2"])
        warned.append([warning.rpartition(": ")[2] for warning in predictor.warnings])
    assert found[0] == pytest.approx(document["metrics"]["r2"], rel=1e-12)
    assert abs(found[1] - found[0]) > 1e-6
    assert warned == [[], ["every row weighs 1"]]


@pytest.mark.parametrize("name", ["text", "labels of text", "formula", "hidden layers"])
def test_blocks_make_no_difference(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small blocks, through polars, against one of the careful reader."""
    document = trained(tmp_path, MODELS[name])
    rows = pl.concat([TABLE.with_row_index("id")] * 100)
    rows.write_csv(tmp_path / "long.csv")
    assert (tmp_path / "long.csv").stat().st_size > 1 << 18  # which polars reads
    whole = predicted(document, tmp_path / "long.csv", keep=["id"], residuals=True)
    monkeypatch.setattr(module, "BLOCK_ROWS", 1024)
    small = predicted(document, tmp_path / "long.csv", keep=["id"], residuals=True)
    assert small.columns == whole.columns and small["id"].to_list() == [str(i) for i in rows["id"]]
    for column in whole.columns:
        if whole[column].dtype == pl.Float64:
            np.testing.assert_allclose(small[column], whole[column], rtol=1e-12, atol=1e-12)


def test_gaps_are_filled_with_the_means_of_training(tmp_path: Path) -> None:
    gappy = TABLE.with_columns(x=pl.when(pl.int_range(60) < 5).then(None).otherwise("x"))
    model = {**MODELS["columns"], "data": {"missing": "mean"}}
    document = trained(tmp_path, model, gappy)
    found = predicted(document, tmp_path / "table.csv")["prediction"].to_list()
    assert found == pytest.approx([row["after"] for row in document["predictions"]], rel=1e-12)
    mean = document["predictor"]["means"]["x"]
    assert mean == pytest.approx(gappy["x"].mean())
    (tmp_path / "one.csv").write_text(f"x,z\n,1\n{mean!r},1\n")
    one = predicted(document, tmp_path / "one.csv")["prediction"]
    assert one[0] == one[1]


def test_a_level_that_training_had_not_is_the_reference_where_that_was_said(tmp_path: Path) -> None:
    regress = {"target": "y", "features": ["x", "city"], "unseen": "reference"}
    document = trained(tmp_path, {"regress": regress, "train": SHORT})
    (tmp_path / "one.csv").write_text("x,city\n1,Rom\n1,Bonn\n")
    found = predicted(document, tmp_path / "one.csv")["prediction"]
    assert found[0] == found[1]


FORMS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "csv": pl.DataFrame.write_csv,
    "parquet": pl.DataFrame.write_parquet,
    "ndjson": pl.DataFrame.write_ndjson,
}


@pytest.mark.parametrize("form", FORMS)
def test_tables_of_any_form(form: str, tmp_path: Path) -> None:
    """The same numbers, and cells that are kept as they stand."""
    document = trained(tmp_path, MODELS["text"])
    wanted = predicted(document, tmp_path / "table.csv")["prediction"].to_list()
    FORMS[form](TABLE.with_row_index("id", 7), tmp_path / f"rows.{form}")
    found = predicted(document, tmp_path / f"rows.{form}", keep=["id", "city"])
    assert found["prediction"].to_list() == pytest.approx(wanted, rel=1e-12)
    ids = [*range(7, 67)]
    assert found["id"].to_list() == ([str(i) for i in ids] if form == "csv" else ids)
    assert found["city"].to_list() == TABLE["city"].to_list()


HARD = 'id,x,z,note\n007,1.50,2,"a, ""b"""\n\n008,2,1,\n'


@pytest.mark.parametrize("times", [1, 20_000], ids=["careful", "polars"])
def test_texts_are_kept_as_they_stand(times: int, tmp_path: Path) -> None:
    """Zeros before numbers, quotes, empty cells, and columns that are calculated with as well."""
    document = trained(tmp_path, MODELS["columns"])
    head, rows = HARD.split("\n", 1)
    (tmp_path / "hard.csv").write_text(f"{head}\n{rows * times}")
    found = predicted(document, tmp_path / "hard.csv", keep=["*"])
    assert found.height == 2 * times
    assert found.columns == ["id", "x", "z", "note", "prediction"]
    assert found.row(-2)[:4] == ("007", "1.50", "2", 'a, "b"')
    assert found.row(-1)[:4] == ("008", "2", "1", None)


WRONG: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "no such column": ("columns", "x\n1\n", {}, "rows.csv: there is no column z"),
    "no target": ("columns", "x,z\n1,2\n", {"residuals": True}, "rows.csv: there is no column y"),
    "a missing cell": (
        "columns",
        "x,z\n1,\n",
        {},
        "rows.csv, line 2, column z: the cell is empty; fill it in, or delete",
    ),
    "text for a number": ("columns", "x,z\n1,two\n", {}, "rows.csv, line 2, column z: 'two' is not a number"),
    "a level that is none": ("text", "x,city,open\n1,Rom,true\n", {}, "line 2, column city: 'Rom' is no level of city"),
    "a label that is none": (
        "labels",
        "x,z,bit\n1,2,3\n",
        {"residuals": True},
        "row 1, column bit: logistic takes labels",
    ),
    "a class that is none": ("classes", "x,class\n1,2\n1,5\n", {"metrics": True}, "row 2, column class: 5 is no class"),
    "no finite number": ("expressions and products", "x,z,city\n-1,2,Bonn\n", {}, "row 1: log(x) is not finite"),
    "a pole": ("formula with a pole", "x,z\n1,2\n1,0\n", {}, "row 2: the prediction is not finite (x = 1, z = 0)"),
    "a name twice": ("columns", "x,z,prediction\n1,2,3\n", {"keep": ["prediction"]}, "--keep: prediction is what the"),
    "no column to keep": ("columns", "x,z\n1,2\n", {"keep": ["id"]}, "rows.csv: there is no column id"),
    "no row": ("columns", "x,z\n", {}, "rows.csv: there are no rows"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str, tmp_path: Path) -> None:
    model, text, asked, message = WRONG[name]
    document = trained(tmp_path, MODELS[model])
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(UserError) as error:
        predicted(document, tmp_path / "rows.csv", **asked)
    assert message in str(error.value)


def without(document: Json, *path: str) -> dict[str, Any]:
    if len(path) == 1:
        return {key: value for key, value in document.items() if key != path[0]}
    return {**document, path[0]: without(document[path[0]], *path[1:])}


DAMAGED: dict[str, tuple[Callable[[Json], Json], str]] = {
    "no predictor": (lambda d: without(d, "predictor"), "does not say how to predict"),
    "no parameter": (lambda d: without(d, "params", "x"), "is damaged"),
    "no features": (lambda d: without(d, "predictor", "regress"), "its predictor is wrong"),
    "other features": (
        lambda d: {**d, "predictor": {**d["predictor"], "regress": {"target": "y", "features": ["nope"]}}},
        "its predictor is wrong: there is no column nope",
    ),
    "not finite": (
        lambda d: {**d, "params": {n: {"value": "inf"} for n in d["params"]}},
        "its parameters are not finite",
    ),
    "nan": (lambda d: {**d, "params": {n: {"value": float("nan")} for n in d["params"]}}, "parameters are not finite"),
    "a list": (lambda d: {**d, "predictor": []}, "is damaged"),
    "values of text": (
        lambda d: {**d, "params": {n: {"value": "a"} for n in d["params"]}},
        "parameters are not finite",
    ),
    "no kind": (lambda d: without(d, "kind"), "is damaged"),
    "a factor of more": (lambda d: {**d, "uncertainty": {**d["uncertainty"], "factor": [[[1.0]] * 3]}}, "is damaged"),
    "a factor that is none": (lambda d: {**d, "uncertainty": {**d["uncertainty"], "factor": [[1.0]]}}, "is damaged"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_documents_that_are_damaged(name: str, tmp_path: Path) -> None:
    change, message = DAMAGED[name]
    document = change(trained(tmp_path, {"regress": {"target": "y", "features": ["x", "z"]}}))
    with pytest.raises(UserError, match=message) as error:
        Predictor(document, "result.json", Asked(interval=0.95))
    assert str(error.value).startswith("result.json: ")


def test_labels_are_two(tmp_path: Path) -> None:
    document = trained(tmp_path, {"regress": {"target": "word", "features": ["x"]}, "loss": "logistic"})
    document["predictor"]["levels"]["word"] = ["no"]
    with pytest.raises(UserError, match="is damaged"):
        Predictor(document, "result.json", Asked())
