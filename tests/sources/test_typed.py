"""Text as codes, true and false as numbers, missing cells as NaN: alike in every form of table."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gdtrain.errors import DATA, UserError
from gdtrain.sources import Reading, Source, open_source

pytestmark = pytest.mark.usefixtures("way")

# n number, t text, b true or false, g number with gaps
ROWS: list[dict[str, Any]] = [
    {"n": 1.5, "t": "Paris", "b": True, "g": 1.0},
    {"n": 2.0, "t": "Lon don", "b": False, "g": None},
    {"n": 3.0, "t": None, "b": True, "g": -999.0},
    {"n": 4.0, "t": "Paris", "b": False, "g": 4.0},
    {"n": 5.0, "t": "none", "b": False, "g": 5.0},
]
LEVELS = {"t": ["Lon don", "Paris", "none"]}


def _cell(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _delimited(folder: Path, *, padded: bool) -> Source:
    lines = [",".join(_cell(v).replace("-999.0", "-999") for v in row.values()) for row in ROWS]
    text = "\n".join(["n,t,b,g", *lines, ""])
    (folder / "a.csv").write_text(text.replace(",", " , ") if padded else text)
    return open_source(path=str(folder / "a.csv"), nulls=["-999"], where="T")


def _ndjson(folder: Path) -> Source:
    (folder / "a.ndjson").write_text("".join(json.dumps(row).replace("-999.0", '"-999"') + "\n" for row in ROWS))
    return open_source(path=str(folder / "a.ndjson"), nulls=["-999"], where="T")


def _parquet(folder: Path) -> Source:
    frame = pl.DataFrame(ROWS).with_columns(pl.when(pl.col("g") != -999).then(pl.col("g")).alias("g"))
    frame.write_parquet(folder / "a.parquet")
    return open_source(path=str(folder / "a.parquet"), where="T")


def _frame(folder: Path) -> Source:
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    columns["g"][2] = math.nan
    return open_source(frame=columns, where="T")


FORMS: dict[str, Callable[[Path], Source]] = {
    "csv": lambda folder: _delimited(folder, padded=False),
    "padded": lambda folder: _delimited(folder, padded=True),
    "ndjson": _ndjson,
    "parquet": _parquet,
    "frame": _frame,
}


@pytest.fixture(params=FORMS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    return FORMS[request.param](tmp_path)


def test_kinds(source: Source) -> None:
    assert [column.kind for column in source.columns] == ["number", "text", "bool", "number"]


def test_typed_blocks(source: Source) -> None:
    assert source.levels(["t"], 10) == LEVELS
    block = source.read(["g", "b", "t", "n"], reading=Reading(levels=LEVELS, gaps=("t", "g")))
    assert block["n"].tolist() == [1.5, 2, 3, 4, 5]
    assert block["b"].tolist() == [1, 0, 1, 0, 0]
    assert [None if math.isnan(code) else code for code in block["t"]] == [1, 0, None, 1, 2]
    assert [None if math.isnan(value) else value for value in block["g"]] == [1, None, None, 4, 5]
    assert "'none' is taken for a level" in source.warnings[0]


@pytest.mark.parametrize(
    ("name", "reading", "message"),
    [
        ("g", Reading(), "column g"),
        ("g", Reading(gaps=("t",)), "column g"),
        ("t", Reading(levels=LEVELS), "column t"),
        ("t", Reading(levels={"t": ["Paris", "none"]}, gaps=("t",)), "column t"),
        ("t", Reading(levels=LEVELS, advice={"t": "do this"}), "do this"),
    ],
)
def test_refused(source: Source, name: str, reading: Reading, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        source.read([name], reading=reading)
    assert caught.value.code == DATA


def test_unseen_texts(source: Source) -> None:
    reading = Reading(levels={"t": ["Paris", "none"]}, gaps=("t",), unseen=("t",))
    assert source.read(["t"], reading=reading)["t"].tolist()[:2] == [0, -1]


def test_too_many_levels(source: Source) -> None:
    with pytest.raises(UserError, match="T, column t: the text has more than 2 different values; leave the column out"):
        source.levels(["t"], 2)


def test_numbers_as_levels(source: Source) -> None:
    """A number is a level by its shortest text; in delimited text by the one it was written with."""
    levels = source.levels(["n"], 10)["n"]
    written = "2.0" if type(source).__name__ == "DelimitedSource" else "2"
    assert [level for level in levels if level.startswith("2")] == [written]


def test_a_word_that_is_no_null_is_no_gap(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,1\nnan,2\n")
    with pytest.raises(UserError, match="line 3, column x: 'nan' is not a number"):
        open_source(path=str(path), where="a.csv").read(["x"], reading=Reading(gaps=("x",)))


def test_short_rows_are_no_gaps(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n1,1\n2\n,3\n")
    with pytest.raises(UserError, match="line 3: the row has 1 cell"):
        open_source(path=str(path), where="a.csv").read(["x", "y"], reading=Reading(gaps=("x", "y")))
