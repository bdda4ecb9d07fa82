"""Rows that are kept whole: copied as the lines that they are where they may be, and cell by cell elsewhere."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gdtrain.errors import UserError
from gdtrain.prediction import Asked, Predictor, Rows, writer
from gdtrain.sources import Keep, Reading, lines, open_source
from gdtrain.sources.table import Lines
from tests.prediction.models import TABLE, trained

MODEL: dict[str, Any] = {"fit": "y = a*x + b", "train": {"epochs": 3}}
HEAD = "id,x,note\n"

# Texts whose rows are lines, and the lines of them.
COPIED = {
    "plain": (HEAD + "1,2,three\n4,5,six\n", ["1,2,three", "4,5,six"]),
    "no line end at the end": (HEAD + "1,2,three\n4,5,six", ["1,2,three", "4,5,six"]),
    "carriage returns": ("id,x,note\r\n1,2,three\r\n4,5,six\r\n", ["1,2,three", "4,5,six"]),
    "blank lines": (HEAD + "1,2,three\n\n\n4,5,six\n\n", ["1,2,three", "4,5,six"]),
    "quotes": (HEAD + '007,2,"a, ""b"""\n4,5,"six"\n', ['007,2,"a, ""b"""', '4,5,"six"']),
    "other letters": ("\ufeff" + HEAD + "1,2,Köln\n4,5,東京\n", ["1,2,Köln", "4,5,東京"]),
    "empty cells": (HEAD + ',2,\n4,5,""\n', [",2,", '4,5,""']),
    "a quoted header": ('"id",x,"no, te"\n1,2,three\n', ["1,2,three"]),
}
# Those whose rows come cell by cell, and the cells of them.
MADE_ANEW = {
    "line ends in cells": (HEAD + '1,2,"th\nree"\n4,5,six\n', [["1", "2", "th\nree"], ["4", "5", "six"]]),
    "a blank line below the header": (HEAD + "\n1,2,three\n4,5,six\n", [["1", "2", "three"], ["4", "5", "six"]]),
    "a line of spaces": (HEAD + "1,2,three\n  \n4,5,six\n", [["1", "2", "three"], ["4", "5", "six"]]),
    "semicolons": ("id;x;note\n1;2;three\n4;5;si,x\n", [["1", "2", "three"], ["4", "5", "si,x"]]),
    "spaces around cells": ("id, x, note\n1, 2, three\n4, 5, \n", [["1", "2", "three"], ["4", "5", ""]]),
    "a column without a name": ("id,,x,note\n1,9,2,three\n", [["1", "2", "three"]]),
}


@pytest.fixture(params=[7, 1 << 20], ids=["small parts", "one part"])
def part(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text goes through polars whatever its size, and lines are cut at any place."""
    monkeypatch.setattr("gdtrain.sources.origin._SMALL", 0)
    monkeypatch.setattr(lines, "_PART", request.param)


def predicted(folder: Path, text: str | bytes, data: dict[str, Any] | None = None, **asked: Any) -> list[Rows]:
    """The rows that are predicted of a text, all columns kept."""
    document = trained(folder, MODEL)
    document["predictor"]["data"] = data or {}
    path = folder / "rows.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    predictor = Predictor(document, "result.json", Asked(keep=["*"], lines=True, **asked))
    return list(predictor.predicted(predictor.open(str(path))))


def written(rows: list[Rows]) -> str:
    file = io.BytesIO()
    with writer("csv", file) as output:
        for some in rows:
            output.write(some)
    return file.getvalue().decode()


@pytest.mark.usefixtures("part")
@pytest.mark.parametrize("name", COPIED)
def test_lines_are_copied(name: str, tmp_path: Path) -> None:
    text, copied = COPIED[name]
    rows = predicted(tmp_path, text)
    assert all(isinstance(some.kept, Lines) for some in rows)
    _, *found = written(rows).splitlines()
    predictions = [value for some in rows for value in some.made["prediction"].to_list()]
    assert found == [f"{line},{value}" for line, value in zip(copied, predictions, strict=True)]


@pytest.mark.usefixtures("part")
@pytest.mark.parametrize("name", MADE_ANEW)
def test_what_is_no_line_is_made_anew(name: str, tmp_path: Path) -> None:
    text, cells = MADE_ANEW[name]
    rows = predicted(tmp_path, text)
    assert not any(isinstance(some.kept, Lines) for some in rows)
    header, *found = csv.reader(io.StringIO(written(rows)))
    assert header == ["id", "x", "note", "prediction"]
    assert [row[:3] for row in found] == cells


@pytest.mark.parametrize("text", [case[0] for case in [*COPIED.values(), *MADE_ANEW.values()]])
def test_both_ways_say_the_same(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line by line, cell by cell through polars, and cell by cell through Python."""
    found = []
    for small, whole in ((0, True), (0, False), (1 << 18, True)):
        monkeypatch.setattr("gdtrain.sources.origin._SMALL", small)
        rows = predicted(tmp_path, text)
        if not whole:
            document = trained(tmp_path, MODEL)
            predictor = Predictor(document, "result.json", Asked(keep=["*"]))
            rows = list(predictor.predicted(predictor.open(str(tmp_path / "rows.csv"))))
        found.append(list(csv.reader(io.StringIO(written(rows)))))
    assert found[0] == found[1] == found[2]


@pytest.mark.usefixtures("part")
def test_comments_and_a_header_of_ones_own(tmp_path: Path) -> None:
    data = {"header": ["id", "x", "note"], "comment": "#"}
    text = written(predicted(tmp_path, "# not this\n1,2,three\n# nor this\n4,5,#six\n", data))
    assert [line.rpartition(",")[0] for line in text.splitlines()] == ["id,x,note", "1,2,three", "4,5,#six"]


@pytest.mark.usefixtures("part")
@pytest.mark.parametrize("keep", [Keep(["id", "x", "note"], lines=True), Keep(["id"]), Keep()], ids=["*", "id", "none"])
def test_a_line_of_spaces_is_no_row_whose_cells_are_missing(keep: Keep, tmp_path: Path) -> None:
    """Where a gap may be, nothing else tells the two apart; and lines would stand beside the numbers of others."""
    path = tmp_path / "rows.csv"
    path.write_text(HEAD + "1,2,three\n  \n4,,six\n\n7,8,nine\n")
    blocks = list(open_source(path=str(path)).rows(["x"], keep, reading=Reading({}, gaps=["x"])))
    assert [str(x) for block, _ in blocks for x in block["x"]] == ["2.0", "nan", "8.0"]


@pytest.mark.usefixtures("part")
@pytest.mark.parametrize("keep", [Keep(["id", "x", "note"], lines=True), Keep(["id"]), Keep()], ids=["*", "id", "none"])
def test_a_row_of_empty_cells_is_no_blank_line_that_comes_later(keep: Keep, tmp_path: Path) -> None:
    """It was dropped for one in an early block; the rows before the blank line then came once more."""
    path = tmp_path / "rows.csv"
    path.write_text(HEAD + "1,2,three\n,,\n" + "4,5,six\n" * 20 + "\n7,8,nine\n")
    blocks = list(open_source(path=str(path)).rows(["x"], keep, 2, Reading({}, gaps=["x"])))
    assert [str(x) for block, _ in blocks for x in block["x"]] == ["2.0", "nan", *["5.0"] * 20, "8.0"]


def test_a_line_end_far_below_goes_on_cell_by_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that were given as lines are not given again."""
    monkeypatch.setattr(lines, "_PART", 1 << 12)
    text = HEAD + "".join(f"{i},2,note {i}\n" for i in range(200_000)) + '200000,2,"th\nree"\n7,8,nine\n'
    rows = predicted(tmp_path, text)
    assert isinstance(rows[0].kept, Lines) and not isinstance(rows[-1].kept, Lines)
    _, *found = csv.reader(io.StringIO(written(rows)))
    assert [row[0] for row in found] == [*map(str, range(200_001)), "7"]
    assert found[-2][2] == "th\nree"


@pytest.mark.usefixtures("part")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD.encode() + b"1,2,three\n4,5,s\xffx\n", "line 3: not UTF-8: byte 0xff"),
        (HEAD.encode() + b"1,2,three\n4,5,s\0x\n", "line 3: a NUL byte"),
        (HEAD.encode() + b"1,2,three\n4,5\n", "line 3: the row has 2 cells, the header 3"),
        (HEAD.encode() + b"1,2,three\n4,5,six,7\n", "line 3: the row has 4 cells, the header 3"),
        (HEAD.encode() + b'1,2,three\n4,5,"six\n', "line 3: a quote opens here and never closes"),
    ],
)
def test_what_is_wrong_is_refused_as_ever(text: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        predicted(tmp_path, text)
    assert message in str(caught.value)


def test_a_label_with_a_line_end_stands_behind_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gdtrain.sources.origin._SMALL", 0)
    model = {"regress": {"target": "word", "features": ["x"]}, "loss": "logistic", "train": {"epochs": 3}}
    document = trained(tmp_path, model, TABLE.with_columns(pl.col("word").replace("yes", "y\nes")))
    (tmp_path / "rows.csv").write_text("x\n9\n0\n-9\n")
    predictor = Predictor(document, "result.json", Asked(keep=["*"], lines=True))
    rows = list(predictor.predicted(predictor.open(str(tmp_path / "rows.csv"))))
    assert isinstance(rows[0].kept, Lines)
    _, *found = csv.reader(io.StringIO(written(rows)))
    assert [(row[0], row[2]) for row in found] == [("9", "y\nes"), ("0", found[1][2]), ("-9", "no")]
