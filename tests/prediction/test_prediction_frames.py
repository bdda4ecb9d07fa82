"""`gdtrain.predict`: rows from memory and from files, with the columns and the errors of the verb."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars as pl
import pytest

import gdtrain
from gdtrain.results import Result
from tests.prediction.models import TABLE, predicted, trained

# y = 2x through (1, 2) and (3, 6): sum xy / sum xx = 20/10.
LINE = {"x": [1.0, 3.0], "y": [2.0, 6.0]}
TEXTS = {"regress": {"target": "y", "features": ["x", "city"]}}


@pytest.fixture(scope="module")
def line() -> Result:
    return gdtrain.fit("y = w*x", LINE)


ROWS: dict[str, Callable[[Path], object]] = {
    "a dict": lambda folder: {"x": [5, 6]},
    "arrays": lambda folder: {"x": np.array([5.0, 6.0], dtype=np.float32)},
    "dicts": lambda folder: [{"x": 5}, {"x": 6.0}],
    "polars": lambda folder: pl.DataFrame({"x": [5, 6], "other": ["a", "b"]}),
    "pandas": lambda folder: pandas.DataFrame({"other": [None, None], "x": [5, 6]}),
    "a path": lambda folder: folder / "rows.csv",
    "the text of a path": lambda folder: str(folder / "rows.csv"),
}


@pytest.mark.parametrize("rows", ROWS)
def test_rows_from_anywhere(rows: str, line: Result, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x\n5\n6\n")
    found = gdtrain.predict(line, ROWS[rows](tmp_path))
    assert found.columns == ["prediction"]
    assert found["prediction"].to_list() == pytest.approx([10.0, 12.0], rel=1e-12)


def test_results_from_anywhere(line: Result, tmp_path: Path) -> None:
    kept = gdtrain.fit("y = w*x", LINE, out=tmp_path / "run")
    text = json.dumps(line.to_dict())
    (tmp_path / "line.json").write_text(text)
    trial = gdtrain.sweep({"fit": "y = w*x"}, data=LINE, lr=[0.1, 0.05]).trials[0]
    wanted = gdtrain.predict(line, {"x": [5.0]})
    for result in (kept, json.loads(text), tmp_path / "line.json", str(tmp_path / "run"), trial):
        assert gdtrain.predict(result, {"x": [5.0]})["prediction"].to_list() == pytest.approx([10.0], rel=1e-9)
    assert gdtrain.predict(tmp_path / "line.json", {"x": [5.0]}).equals(wanted)


def test_gaps_that_are_kept(line: Result) -> None:
    """As gaps, of numbers and of texts, however the rows have them."""
    gaps = {"x": [5.0, 6.0], "text": ["a", None], "n": [1.0, float("nan")]}
    for rows in (gaps, pandas.DataFrame(gaps), pandas.DataFrame(gaps).convert_dtypes(), pl.DataFrame(gaps)):
        kept = gdtrain.predict(line, rows, keep=["text", "n"])
        assert kept["text"].to_list() == ["a", None] and kept["n"].to_list() == [1.0, None]
    assert gdtrain.predict(line, {**gaps, "text": ["a", float("nan")]}, keep="text")["text"].to_list() == ["a", None]


def test_targets_that_are_not_finite() -> None:
    found = gdtrain.fit("log(y) = a*x + b", {"x": [1, 2, 3], "y": [2, 4, 7]})
    with pytest.raises(gdtrain.UserError, match=r"the rows, row 2: the target is not finite \(y = -1\)"):
        gdtrain.predict(found, {"x": [1, 2], "y": [2, -1]}, residuals=True)


MODELS: dict[str, dict[str, Any]] = {
    "texts": TEXTS,
    "labels": {"regress": {"target": "word", "features": ["x", "z"]}, "loss": "logistic"},
    "classes": {"regress": {"target": "kind", "features": ["x", "city"]}, "loss": "softmax"},
    "targets": {"regress": {"target": ["y", "y2"], "features": ["x", "city*z"]}},
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore:(logistic|softmax) tells no scatter")
def test_the_same_as_the_verb(name: str, tmp_path: Path) -> None:
    """A frame and the file that it came from: the same columns, the same numbers."""
    document = trained(tmp_path, MODELS[name])
    wanted = predicted(document, tmp_path / "table.csv", interval=0.9, residuals=True)
    read = pl.read_csv(tmp_path / "table.csv")
    for rows in (read, tmp_path / "table.csv"):
        assert gdtrain.predict(document, rows, interval=0.9, residuals=True).equals(wanted)


def test_kept_columns_stand_as_they_were(tmp_path: Path) -> None:
    document = trained(tmp_path, TEXTS)
    found = gdtrain.predict(document, TABLE, keep=["city", "open", "x"])
    assert found.columns == ["city", "open", "x", "prediction"]
    assert found.select("city", "open", "x").equals(TABLE.select("city", "open", "x"))
    assert gdtrain.predict(document, TABLE, keep="*").columns == [*TABLE.columns, "prediction"]
    assert gdtrain.predict(document, TABLE, keep="city").columns == ["city", "prediction"]


def test_rows_of_many_blocks(line: Result) -> None:
    """What is kept starts with gaps, and goes on with numbers."""
    count = 400_000
    kept = [None] * (count // 2) + [1.5] * (count // 2)
    found = gdtrain.predict(line, {"x": np.arange(count), "kept": kept}, keep="kept")
    assert found["prediction"].to_numpy() == pytest.approx(2.0 * np.arange(count), rel=1e-12)
    assert found["kept"].to_list() == kept


def test_gaps_are_read_as_in_training(tmp_path: Path) -> None:
    (tmp_path / "gaps.csv").write_text("x,y\n1,2\n?,4\n3,6\n")
    data = {"path": str(tmp_path / "gaps.csv"), "missing": "mean", "null_values": ["?"]}
    result = gdtrain.run({"regress": {"target": "y", "features": ["x"]}, "data": data})
    found = gdtrain.predict(result, {"x": [2.0, None, "?"]})["prediction"]
    assert found.to_list() == [found[0]] * 3


def test_warnings_are_those_of_python() -> None:
    labels = gdtrain.fit("y = w*x", {"x": [1, 2, 3, 4], "y": [0, 1, 0, 1]}, loss="logistic")
    with pytest.warns(UserWarning, match="logistic tells no scatter of rows") as caught:
        gdtrain.predict(labels, {"x": [1]}, interval=0.9)
    assert caught[0].filename == __file__


WRONG: dict[str, tuple[Callable[[Result], object], str]] = {
    "no column": (lambda line: gdtrain.predict(line, {"z": [1]}), "the rows: there is no column x; the columns are z"),
    "no key": (lambda line: gdtrain.predict(line, [{"x": 1}, {}]), "the rows, row 2, column x: the cell is empty"),
    "text": (lambda line: gdtrain.predict(line, {"x": ["a"]}), "the rows, row 1, column x: 'a' is text, not a number"),
    "no rows": (lambda line: gdtrain.predict(line, {"x": []}), "the rows: there are no rows"),
    "no target": (lambda line: gdtrain.predict(line, {"x": [1]}, residuals=True), "the rows: there is no column y"),
    "nothing to keep": (lambda line: gdtrain.predict(line, {"x": [1]}, keep="id"), "the rows: there is no column id"),
    "no share": (lambda line: gdtrain.predict(line, {"x": [1]}, interval=95), "interval: 95 is no share"),
    "no file": (lambda line: gdtrain.predict(line, "none.csv"), "none.csv: there is no such file"),
    "no result": (lambda line: gdtrain.predict("none.json", {"x": [1]}), "cannot read none.json: No such file"),
    "parameters": (lambda line: gdtrain.predict(line.params, {"x": [1]}), "the result is no result document"),
    "solve": (lambda line: gdtrain.predict(gdtrain.solve("x = 1"), {"x": [1]}), "the result: solve predicts nothing"),
    "not finite": (
        lambda line: gdtrain.predict(gdtrain.fit("y = w*log(x)", LINE), {"x": [1.0, 0.0]}),
        "the rows, row 2: the prediction is not finite (x = 0)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong(name: str, line: Result) -> None:
    call, message = WRONG[name]
    with pytest.raises(gdtrain.UserError) as caught:
        call(line)
    assert str(caught.value).startswith(message)


def test_a_sweep_has_many_results() -> None:
    swept = gdtrain.sweep({"fit": "y = w*x"}, data=LINE, lr=[0.1, 0.05])
    with pytest.raises(gdtrain.UserError, match="the result: holds 2 results"):
        gdtrain.predict(swept.to_dict(), {"x": [1]})
