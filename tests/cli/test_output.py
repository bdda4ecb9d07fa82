"""--get, --expect, --start, --set and standard input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command

W = 2 * (1 - 0.85**20)  # linear.yaml after its 20 epochs

GET: list[tuple[str, str]] = [
    ("verdict", "max_epochs"),
    ("epochs", "20"),
    ("loss.initial", "30.0"),
    ("params.w.start", "0.0"),
    ("verdict.epoch", "20"),
    ("verdict.detail", "loss still falling 27.7 % per epoch"),
    ("train.optimizer.name", "sgd"),
    ("data.rows", "4"),
    ("seed", "0"),
    ("dtype", "float64"),
    ("statement", "y = w*x"),
]


@pytest.mark.parametrize(("name", "value"), GET)
def test_get_prints_one_value(name: str, value: str, gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("run", linear, "--get", name)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{value}\n", "")


@pytest.mark.parametrize("name", ["w", "params.w", "params.w.value"])
def test_get_prints_a_parameter_to_the_last_bit(name: str, gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("run", linear, "--get", name)
    document = gdtrain("run", linear, "--format", "json").document
    assert float(outcome.out) == document["params"]["w"]["value"] == pytest.approx(W, rel=1e-14)


@pytest.mark.parametrize("style", ["json", "csv", "md", "plain", "table"])
def test_get_stands_above_any_format(style: str, gdtrain: Command, linear: Path) -> None:
    assert gdtrain("run", linear, "--get", "epochs", "--format", style).out == "20\n"


def test_get_prints_a_value_for_each_file(gdtrain: Command, linear: Path) -> None:
    assert gdtrain("run", linear, linear, "--get", "epochs").out == "20\n20\n"


@pytest.mark.parametrize("name", ["v", "loss.middle", "params.v", "history", "w.value", "epoch"])
def test_get_of_what_is_not_there(name: str, gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("run", linear, "--get", name)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"there is no number called {name}" in outcome.err


def test_get_of_a_diverged_run(gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("run", linear, "--lr", 1e300, "--get", "loss")
    assert outcome.code == 4
    assert outcome.out in ("inf\n", "nan\n")


def test_a_parameter_with_a_name_of_its_own(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("my.col,y\n1,2\n2,4\n")
    for name in ("my.col", "params.my.col", "params.my.col.value"):
        line = ["regress", "t.csv", "--target", "y", "--no-intercept", "--quiet"]
        assert float(gdtrain(*line, "--get", name).out) == pytest.approx(2)


# Expectations


def test_expectations_are_told_on_stderr(gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("run", linear, "--expect", "w = 1.9 +- 0.05", "--expect", "loss < 0.01", "--get", "epochs")
    assert (outcome.code, outcome.out) == (1, "20\n")
    assert outcome.err == ("pass: w = 1.9 +- 0.05 (w = 1.922480938)\nfail: loss < 0.01 (loss = 0.0450690375)\n")


def test_quiet_silences_no_expectation(gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("run", linear, "--expect", "w < 0", "--quiet", "--get", "epochs")
    assert (outcome.code, outcome.err) == (1, "fail: w < 0 (w = 1.922480938)\n")


def test_each_file_is_held_to_the_expectations(gdtrain: Command, linear: Path, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("solve: w = 2\n")
    outcome = gdtrain("run", linear, "other.yaml", "--expect", "w = 2 +- 1e-6", "--format", "json")
    assert outcome.code == 1
    assert [line[:4] for line in outcome.err.splitlines()] == ["fail", "pass"]


def test_no_root_fails_whatever_is_expected(gdtrain: Command) -> None:
    assert gdtrain("solve", "x^2 = -1", "--expect", "verdict = no_root").code == 1
    assert gdtrain("solve", "x^2 = -1", "--start", "x=1", "--expect", "epochs = 1000").code == 1


# Settings

SETTINGS: list[tuple[list[str], str, Any]] = [
    (["--lr", "1e-2"], "train.lr", 0.01),
    (["--epochs", "1e1"], "epochs", 10),
    (["--seed", "7"], "seed", 7),
    (["--loss", "sse"], "loss.initial", 120.0),
    (["--loss", "{name: huber, delta: 1e9}"], "loss.initial", 15.0),  # half of the mean square
    (["--optimizer", "adam"], "train.optimizer.name", "adam"),
    (["--optimizer", "{name: sgd, momentum: 0.5}"], "train.optimizer.momentum", 0.5),
    (["--set", "train.optimizer.momentum=0.5"], "train.optimizer.momentum", 0.5),
    (["--dtype", "float32"], "dtype", "float32"),
    (["--engine", "loop"], "engine.reason", "asked for"),
    (["--start", "w=1"], "params.w.start", 1.0),
    (["--start", "w=-1e-3"], "params.w.start", -0.001),
    (["--start", "w={uniform: [5, 5]}"], "params.w.start", 5.0),
    (["--set", "params.w=3"], "params.w.start", 3.0),
    (["--set", "params.w.max=1"], "params.w.value", 1.0),
    (["--set", "data.columns.y=[0, 0, 0, 0]"], "loss.initial", 0.0),
    (["--set", "fit=y = w*x + 0"], "statement", "y = w*x + 0"),
    (["--set", "name=other"], "name", "other"),
    (["--set", "stop.loss_tol=1"], "verdict.status", "converged"),
    (["--set", "train.epochs=3", "--set", "train.epochs=4"], "epochs", 4),  # the last one holds
    # Whichever is written first, an option of the optimizer stays one.
    (["--optimizer", "rmsprop", "--set", "train.optimizer.alpha=0.5"], "train.optimizer.alpha", 0.5),
    (["--set", "train.optimizer.alpha=0.5", "--optimizer", "rmsprop"], "train.optimizer.alpha", 0.5),
]


@pytest.mark.parametrize(("arguments", "path", "value"), SETTINGS)
def test_settings(arguments: list[str], path: str, value: Any, gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("run", linear, *arguments, "--format", "json")
    found: Any = outcome.document
    for key in path.split("."):
        found = found[key]
    assert found == value
    assert type(found) is type(value)


def test_a_flag_stands_above_the_file_and_the_file_above_the_default(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("solve: x = 1\ntrain: {epochs: 7}\n")
    train = gdtrain("run", "f.yaml", "--seed", 3, "--format", "json").document["train"]
    assert train["epochs"] == 7
    assert "train.seed" not in train["chosen"] and "train.lr" in train["chosen"]


# Starts from a result


def test_starting_from_a_result_goes_on_where_it_ended(gdtrain: Command, linear: Path, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(gdtrain("run", linear, "--epochs", 8, "--format", "json").out)
    rest = gdtrain("run", linear, "--start", "@r.json", "--epochs", 12, "--get", "w")
    assert rest.out == gdtrain("run", linear, "--get", "w").out


def test_a_start_beside_a_result_stands_above_it(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(gdtrain("solve", "x + y = 3", "--format", "json").out)
    document = gdtrain(
        "solve", "x + y = 3", "--start", "@r.json", "--start", "y=9", "--epochs", 0, "--format", "json"
    ).document
    assert document["params"]["y"]["start"] == 9.0
    saved = json.loads((tmp_path / "r.json").read_text())
    assert document["params"]["x"]["start"] == saved["params"]["x"]["value"]


BAD_RESULTS = [
    "",
    "{}",
    "[]",
    "3",
    '{"params": 3}',
    '{"params": {"w": 3}}',
    '{"params": {"w": {}}}',
    "\x00",
    "[" * 9999,
]


@pytest.mark.parametrize("text", BAD_RESULTS, ids=range(len(BAD_RESULTS)))
def test_what_is_no_result(text: str, gdtrain: Command, linear: Path, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(text)
    outcome = gdtrain("run", linear, "--start", "@r.json")
    assert (outcome.code, outcome.out) == (2, "")
    assert "r.json is no result document" in outcome.err


@pytest.mark.parametrize("value", ['"inf"', '"nan"', "1e999", "true", "null", '"2"'])
def test_a_result_that_is_not_finite_is_no_start(value: str, gdtrain: Command, linear: Path, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(f'{{"params": {{"w": {{"value": {value}}}}}}}')
    outcome = gdtrain("run", linear, "--start", "@r.json")
    assert (outcome.code, outcome.out) == (2, "")


def test_a_result_of_another_experiment(gdtrain: Command, linear: Path, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(gdtrain("solve", "v = 1", "--format", "json").out)
    outcome = gdtrain("run", linear, "--start", "@r.json")
    assert outcome.code == 2
    assert "has no parameter v" in outcome.err


# Standard input


def test_stdin_in_every_verb(gdtrain: Command, linear: Path) -> None:
    text, rows = linear.read_text(), "x,y\n1,2\n2,4\n"
    assert gdtrain("run", "-", "--get", "epochs", stdin=text).out == "20\n"
    assert gdtrain("check", "-", stdin=text).out.startswith("name: fit\nfit: y = w*x\n")
    for line in (["fit", "y = w*x", "-"], ["regress", "-", "--target", "y", "--no-intercept"]):
        name = "w" if line[0] == "fit" else "x"
        assert float(gdtrain(*line, "--get", name, stdin=rows).out) == pytest.approx(2)
    assert float(gdtrain("minimize", "mean((a - x)^2)", "-", "--get", "a", stdin=rows).out) == pytest.approx(1.5)


def test_a_file_whose_data_come_from_stdin(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("fit: y = w*x\ndata: {path: '-'}\n")
    assert float(gdtrain("run", "f.yaml", "--get", "w", stdin="x,y\n1,3\n").out) == pytest.approx(3)


BAD_INPUT = [
    (["run", "-"], b"", 2, "stdin"),
    (["run", "-"], b"\xff\xfe", 2, "stdin"),
    (["run", "-"], b"solve: x +", 2, "stdin:1:"),
    (["fit", "y = w*x", "-"], b"", 3, "stdin"),
    (["fit", "y = w*x", "-"], b"x,y\n1,\n", 3, "stdin, line 2"),
    (["fit", "y = w*x", "-"], b"x,y\n1,\xff\n", 3, "stdin"),
]


@pytest.mark.parametrize(("arguments", "stdin", "code", "message"), BAD_INPUT)
def test_bad_input(arguments: list[str], stdin: bytes, code: int, message: str, gdtrain: Command) -> None:
    outcome = gdtrain(*arguments, stdin=stdin)
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith(message)


# Paths


def test_paths_start_at_the_file_and_flags_at_the_working_folder(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "points.csv").write_text("x,y\n1,2\n")
    (tmp_path / "points.csv").write_text("x,y\n1,5\n")
    (tmp_path / "sub" / "f.yaml").write_text("fit: y = w*x\ndata: {path: points.csv}\n")
    assert float(gdtrain("run", "sub/f.yaml", "--get", "w").out) == pytest.approx(2)
    assert float(gdtrain("run", "sub/f.yaml", "--set", "data.path=points.csv", "--get", "w").out) == pytest.approx(5)


@pytest.mark.parametrize("command", [["run", "linear.yaml"], ["check", "linear.yaml"], ["solve", "x = 1"], ["schema"]])
def test_nothing_is_written_that_was_not_asked_for(command: list[str], gdtrain: Command, linear: Path) -> None:
    before = sorted(linear.parent.iterdir())
    assert gdtrain(*command).code == 0
    assert sorted(linear.parent.iterdir()) == before
