"""Held-out rows on the command line: which flags go together, which columns tell rows apart, what is asked by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import gdtrain
from gdtrain.cli.process import run as command

ROWS = 40


@pytest.fixture
def rows_csv(tmp_path: Path) -> str:
    """y = 2 x but for a wiggle, and columns that tell rows apart."""
    lines = ["x,y,day,flag,answer,part"]
    for i in range(ROWS):
        x = (7 * i % ROWS) / 10 - 2
        told = f"2024-01-0{1 + i % 3},{'true' if i % 4 == 0 else 'false'},{'yes' if i % 5 else 'no'},p{i % 2}"
        lines.append(f"{x},{2 * x + 0.1 * (-1) ** (i // 2)},{told}")
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def fitted(rows: str, *words: str) -> int:
    return command(["fit", "y = w*x", rows, *words])


# Flags that exclude each other


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--folds", "5", "--holdout", ".2"], "--holdout and --folds exclude each other; leave one out"),
        (
            ["--set", "data.split.column=day", "--holdout", ".2"],
            "--holdout and --set data.split.column exclude each other",
        ),
        (
            ["--set", "data.split={folds: 3}", "--holdout", ".2"],
            "--holdout and --set data.split exclude each other",
        ),
        (
            ["--set", "train.clip.norm=1", "--set", "train.clip.value=1"],
            "--set train.clip.norm and --set train.clip.value exclude each other",
        ),
    ],
)
def test_two_flags_of_one_choice(
    flags: list[str], message: str, rows_csv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fitted(rows_csv, *flags) == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def split_yaml(tmp_path: Path, rows_csv: str) -> str:
    path = tmp_path / "split.yaml"
    path.write_text(f"fit: y = w*x\ndata: {{path: {rows_csv}, split: {{folds: 4}}}}\n")
    return str(path)


def test_a_flag_takes_the_place_of_the_files_choice(split_yaml: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["run", split_yaml, "--holdout", "0.25", "--get", "data.split.held_out"]) == 0
    assert capsys.readouterr().out == "10\n"
    assert command(["run", split_yaml, "--folds", "2", "--folds", "3", "--get", "folds.count"]) == 0
    assert capsys.readouterr().out == "3\n"


def test_an_axis_and_a_flag_of_one_choice(split_yaml: str, capsys: pytest.CaptureFixture[str]) -> None:
    for flags in (["--folds", "2,3", "--holdout", ".2"], ["--folds", "2", "--holdout", ".2,.3"]):
        assert command(["sweep", split_yaml, *flags]) == 2
        assert "exclude each other; leave one out" in capsys.readouterr().err
    assert command(["sweep", split_yaml, "--holdout", ".2,.3", "--format", "csv", "--quiet"]) == 0


# Columns of dates and truth values


def written(rows: str, kind: str) -> str:
    """The table in another format; as `moments` its days are points in time."""
    frame, path = pl.read_csv(rows, try_parse_dates=True), Path(rows)
    if kind == "moments":
        frame = frame.with_columns(pl.col("day").cast(pl.Datetime("ns")))
    if kind in ("parquet", "moments"):
        path = path.with_suffix(".parquet")
        frame.write_parquet(path)
    elif kind == "ndjson":
        path = path.with_suffix(".ndjson")
        pl.read_csv(rows).write_ndjson(path)
    return str(path)


@pytest.mark.parametrize("kind", ["csv", "parquet", "moments", "ndjson"])
@pytest.mark.parametrize(
    ("column", "values", "test", "held"),
    [
        ("day", ["2024-01-01", "2024-01-02", "2024-01-03"], "2024-01-02", 13),
        ("flag", ["false", "true"], "true", 10),
        ("flag", ["false", "true"], "False", 30),
        ("answer", ["no", "yes"], "no", 8),
    ],
)
def test_days_and_truth_tell_rows_apart(
    kind: str, column: str, values: list[str], test: str, held: int, rows_csv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = written(rows_csv, kind)
    split = ["--set", f"data.split.column={column}"]
    assert fitted(rows, *split, "--set", f"data.split.test={test}", "--get", "data.split.held_out", "--quiet") == 0
    assert capsys.readouterr().out == f"{held}\n"
    assert fitted(rows, *split, "--format", "plain", "--quiet") == 0
    shown = capsys.readouterr().out
    assert all(f" {value} " in shown for value in values)


@pytest.mark.parametrize("unit", ["D", "s", "ns"])
def test_dates_of_a_frame_tell_rows_apart(unit: str) -> None:
    days = np.array([f"2024-01-0{1 + i % 3}" for i in range(30)], dtype=f"datetime64[{unit}]")
    table = {"x": np.arange(30.0), "y": np.arange(30.0), "day": days}
    found = gdtrain.run({"fit": "y = w*x", "data": {"split": {"column": "day"}}}, data=table).folds
    assert found is not None
    assert [fold["value"] for fold in found["each"]] == ["2024-01-01", "2024-01-02", "2024-01-03"]


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y = w*x + v*day", "column day: dates are no numbers; let it tell the rows apart alone"),
        ("log(day) = w*x", "column day: dates are no numbers"),
        ("y = w*x + v*part", "column part: part is text (p0, p1), and a formula calculates"),
    ],
)
def test_what_tells_rows_apart_is_no_number(
    formula: str, message: str, rows_csv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    column = "part" if "part" in formula else "day"
    assert command(["fit", formula, rows_csv, "--set", f"data.split.column={column}"]) == 3
    assert message in capsys.readouterr().err


def test_a_truth_value_in_a_file(rows_csv: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "flag.yaml"
    path.write_text(f"fit: y = w*x\ndata: {{path: {rows_csv}, split: {{column: flag, test: true}}}}\n")
    assert command(["run", str(path), "--get", "data.split.held_out"]) == 0
    assert capsys.readouterr().out == "10\n"
    assert command(["run", str(path), "--print-config"]) == 0
    again = tmp_path / "again.yaml"
    again.write_text(capsys.readouterr().out)
    assert command(["run", str(again), "--get", "data.split.test"]) == 0
    assert capsys.readouterr().out == "true\n"


# What is asked by name


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--holdout", ".5", "--get", "held_out"], "there is no number called held_out; did you mean loss.held_out?"),
        (["--get", "held_out"], "there is no number called held_out; there is w, verdict, loss, epochs\n"),
        (
            ["--holdout", ".5", "--get", "metrics.holdout"],
            "metrics.holdout is a section; it holds metrics.holdout.r2, metrics.holdout.rmse\n",
        ),
        (["--get", "metrics"], "metrics is a section; write metrics.NAME for one of its numbers"),
        (
            ["--folds", "3", "--get", "folds.each"],
            "folds.each is a list of 3; write folds.each.0 for the first of them",
        ),
        (["--folds", "3", "--get", "folds.each.3.loss.final"], "there is no number called folds.each.3.loss.final"),
    ],
)
def test_names_that_are_no_numbers(
    flags: list[str], message: str, rows_csv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fitted(rows_csv, *flags, "--quiet") == 2
    assert message in capsys.readouterr().err


def test_what_an_expectation_could_mean(rows_csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--expect", "held_out < 5", "--expect", "metrics.holdout < 3", "--expect", "folds.each.1.held_out = 8"]
    assert fitted(rows_csv, "--folds", "5", *asked, "--get", "folds.each.0.rows", "--quiet") == 1
    said = capsys.readouterr()
    assert said.out == "32\n"
    assert "did you mean loss.held_out?" in said.err and "metrics.holdout is a section" in said.err
    assert "pass: folds.each.1.held_out = 8" in said.err
    assert command(["sweep", "--lr", "1e-3,1e-2", "--rank-by", "metrics"]) == 2


# One mistake, one message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["solve", "x = 2", "--holdout", ".2"], "--holdout: solve has no data; write fit for a formula of columns"),
        (["minimize", "x^2", "--folds", "3"], "--folds: minimize has no split"),
        (["fit", "y = w*x", "ROWS", "--set", "data.split.fold=2"], "fold is one of several"),
        (["fit", "y = w*x", "ROWS", "--set", "data.split.test=2"], "test is a value of a column, and none is named"),
        (["fit", "y = w*x", "ROWS", "--set", "data.split.seed=2"], "split says nothing; write one of holdout, folds"),
        (["fit", "y = w*x", "--folds", "3"], "data says nothing; write one of path, columns"),
        (["minimize", "x^2", "--set", "data.missing=drop"], "data says nothing; write one of path, columns"),
    ],
)
def test_one_mistake_is_told_once(
    words: list[str], message: str, rows_csv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command([rows_csv if word == "ROWS" else word for word in words]) == 2
    said = capsys.readouterr().err
    assert message in said and sum(line.startswith("--") for line in said.splitlines()) == 1


# Gaps, and the table of folds


@pytest.mark.parametrize("test", [None, "true", "p1", "2024-01-01"])
@pytest.mark.parametrize("column", ["day", "flag", "part"])
def test_a_gap_where_rows_are_told_apart(
    column: str, test: str | None, rows_csv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(rows_csv)
    path.write_text(path.read_text() + "0.5,1.0,,,,\n")
    split = ["--set", f"data.split.column={column}", *([] if test is None else ["--set", f"data.split.test={test}"])]
    assert fitted(rows_csv, *split, "--set", "data.missing=mean") == 3
    remedy = "mean fills only numbers that predict: set data.missing: drop, or fill it in"
    assert f"column {column}: the cell is empty; {remedy}" in capsys.readouterr().err


def test_the_value_of_a_fold_has_a_column_of_its_own(rows_csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert fitted(rows_csv, "--set", "data.split.column=part", "--format", "md", "--quiet") == 0
    shown = capsys.readouterr().out
    assert "| fold | value | rows | held out |" in shown
    assert "| 1 | p0 | 20 | 20 |" in shown and "| mean |  |  |  |  |  | " in shown
    assert fitted(rows_csv, "--folds", "2", "--format", "md", "--quiet") == 0
    assert "| fold | rows | held out |" in capsys.readouterr().out


# Many starts


def test_a_minimum_has_its_held_out_loss(rows_csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--holdout", ".25", "--starts", "3", "--quiet"]
    assert fitted(rows_csv, *asked, "--format", "md") == 0
    assert "| minimum | loss | held out | w | starts |" in capsys.readouterr().out
    assert fitted(rows_csv, *asked, "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    (minimum,) = document["minima"]
    assert minimum["held_out"] == document["trials"][minimum["trial"]]["loss"]["held_out"]


@pytest.mark.parametrize("split", [["--folds", "3"], ["--set", "data.split.column=part"]])
def test_many_starts_hold_out_no_folds(split: list[str], rows_csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert fitted(rows_csv, *split, "--starts", "3") == 2
    assert "many starts are of one problem, and each fold is one of its own; hold out one" in capsys.readouterr().err
    assert fitted(rows_csv, *split, "--set", "data.split.fold=1", "--starts", "3", "--quiet") == 0
