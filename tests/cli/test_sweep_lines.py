"""`gdtrain sweep` and `--starts` as they are typed: what is swept, what is refused, and the line that runs the best."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from gdtrain.cli.watched import Watched
from gdtrain.problem.build import build_problem
from gdtrain.trials import batches
from tests.cli.conftest import REPOSITORY, Command

EXAMPLE = "the built-in example y = w*x"


# Which experiment


def test_without_a_file_the_example(gdtrain: Command) -> None:
    outcome = gdtrain("sweep", "--lr", "1e-3,1e-2", "--format", "plain")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[0] == f"fit y = w*x, 2 trials over train.lr ({EXAMPLE})"
    assert gdtrain("sweep", "--lr", "1e-3,1e-2", "--format", "json").document["source"] == EXAMPLE


def test_without_a_file_the_one_that_lies_here(gdtrain: Command, linear: Path) -> None:
    linear.rename(linear.with_name("gdtrain.yaml"))
    outcome = gdtrain("sweep", "--lr", "1e-3,1e-2", "--format", "plain")
    assert outcome.out.splitlines()[0] == "gdtrain: fit y = w*x, 2 trials over train.lr (gdtrain.yaml)"
    document = gdtrain("sweep", "--lr", "1e-3,1e-2", "--format", "json").document
    assert (document["source"], document["rerun"]) == ("gdtrain.yaml", "gdtrain run gdtrain.yaml --lr 0.01")


def test_a_file(gdtrain: Command, linear: Path) -> None:
    document = gdtrain("sweep", linear, "--lr", "1e-3,1e-2", "--format", "json").document
    assert (document["source"], document["name"], document["axes"]) == (str(linear), "linear", ["train.lr"])


def test_stdin_holds_the_experiment(gdtrain: Command, linear: Path) -> None:
    document = gdtrain("sweep", "-", "--lr", "1e-3,1e-2", "--format", "json", stdin=linear.read_text()).document
    assert (document["source"], document["best"]) == ("stdin", 1)
    assert document["rerun"] == ""  # what was read is gone


def test_stdin_holds_the_data_of_every_group(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "fit.yaml").write_text("fit: y = w*x\ndata: {path: '-'}\nparams: {w: 0.0}\ntrain: {lr: 0.1}\n")
    outcome = gdtrain("sweep", "fit.yaml", "--optimizer", "sgd,adam", "--format", "json", stdin="x,y\n1,2\n2,4\n")
    assert [trial["data"]["rows"] for trial in outcome.document["trials"]] == [2, 2]


def test_a_file_with_axes_of_its_own(gdtrain: Command, linear: Path) -> None:
    with linear.open("a") as file:
        file.write("sweep: {train.lr: [0.01, 0.02], train.epochs: {range: [1, 3]}}\n")
    document = gdtrain("sweep", linear, "--format", "json").document
    assert (document["axes"], document["count"]) == (["train.lr", "train.epochs"], 6)
    by_flag = gdtrain("sweep", linear, "--lr", "0.05,0.06", "--format", "json").document
    assert [trial["set"] for trial in by_flag["trials"]][:3] == [
        {"train.epochs": 1, "train.lr": 0.05},
        {"train.epochs": 1, "train.lr": 0.06},
        {"train.epochs": 2, "train.lr": 0.05},
    ]


def test_run_trains_a_file_with_axes_alone_and_says_so(gdtrain: Command, linear: Path) -> None:
    plain = gdtrain("run", "linear.yaml", "--get", "w")
    with linear.open("a") as file:
        file.write("sweep: {train.lr: [0.01, 0.02]}\n")
    outcome = gdtrain("run", "linear.yaml", "--get", "w")
    assert (outcome.code, outcome.out) == (0, plain.out)
    assert outcome.err == "note: linear.yaml has a sweep section; gdtrain sweep linear.yaml trains it\n"
    assert gdtrain("run", "linear.yaml", "--get", "w", "--quiet").err == ""


# Axes as they are typed: flags, and what the trials set.
AXES: list[tuple[list[str], list[dict[str, Any]]]] = [
    (["--lr", "1e-3,1e-2"], [{"train.lr": 0.001}, {"train.lr": 0.01}]),
    (["--lr", "1e-3", "--lr", "1e-2"], [{"train.lr": 0.001}, {"train.lr": 0.01}]),
    (["--lr=1e-3,1e-2"], [{"train.lr": 0.001}, {"train.lr": 0.01}]),
    (["--set", "train.lr=1e-3,1e-2"], [{"train.lr": 0.001}, {"train.lr": 0.01}]),
    (["--set", "train.lr=1e-3", "--set", "train.lr=1e-2"], [{"train.lr": 0.001}, {"train.lr": 0.01}]),
    (["--lr", "auto,0.1"], [{"train.lr": "auto"}, {"train.lr": 0.1}]),
    (["--seed", "0..2"], [{"train.seed": 0}, {"train.seed": 1}, {"train.seed": 2}]),
    (["--epochs", "1e1,20"], [{"train.epochs": 10}, {"train.epochs": 20}]),
    (["--lr", "geomspace:1e-4:1e-2:3"], [{"train.lr": 0.0001}, {"train.lr": 0.001}, {"train.lr": 0.01}]),
    (
        ["--set", "params.w.start=linspace:-1:1:3"],
        [{"params.w.start": -1.0}, {"params.w.start": 0.0}, {"params.w.start": 1.0}],
    ),
    (["--loss", "mse,mae"], [{"loss": "mse"}, {"loss": "mae"}]),
    (["--dtype", "float64,float32"], [{"train.dtype": "float64"}, {"train.dtype": "float32"}]),
    (["--engine", "exact,loop"], [{"train.engine": "exact"}, {"train.engine": "loop"}]),
    (
        ["--optimizer", "sgd,{name: sgd, momentum: 0.9},adam"],
        [
            {"train.optimizer": "sgd"},
            {"train.optimizer": {"name": "sgd", "momentum": 0.9}},
            {"train.optimizer": "adam"},
        ],
    ),
    (
        ["--set", "train.optimizer.momentum=0,0.9"],
        [{"train.optimizer.momentum": 0}, {"train.optimizer.momentum": 0.9}],
    ),
    (["--set", "fit=y = w*x,y = w*x + b"], [{"fit": "y = w*x"}, {"fit": "y = w*x + b"}]),
    (
        ["--lr", "1e-3,1e-2", "--seed", "4,5"],
        [{"train.lr": lr, "train.seed": seed} for lr in (1e-3, 1e-2) for seed in (4, 5)],
    ),
    (
        ["--lr", "1e-3,1e-2", "--seed", "4,5", "--zip"],
        [{"train.lr": 0.001, "train.seed": 4}, {"train.lr": 0.01, "train.seed": 5}],
    ),
]


@pytest.mark.parametrize(("flags", "sets"), AXES)
def test_axes(flags: list[str], sets: list[dict[str, Any]], gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("sweep", linear, *flags, "--quiet", "--format", "json")
    assert (outcome.code, outcome.err) == (0, "")
    found = [trial["set"] for trial in outcome.document["trials"]]
    assert [[*each] for each in found] == [[*each] for each in sets]
    for each, expected in zip(found, sets, strict=True):
        assert each == pytest.approx(expected) if all(isinstance(v, float) for v in each.values()) else each == expected


def test_points_are_drawn_from_the_seed(gdtrain: Command, linear: Path) -> None:
    line = ["sweep", linear, "--lr", "loguniform:1e-3:1e-1", "--random", "5", "--format", "csv"]
    first = gdtrain(*line)
    rates = [float(row["train.lr"]) for row in csv.DictReader(io.StringIO(first.out))]
    assert len(set(rates)) == 5 and all(1e-3 <= lr <= 1e-1 for lr in rates)
    assert gdtrain(*line).out == first.out
    assert gdtrain(*line, "--seed", "1").out != first.out


# Wrong lines: the whole of what is said.
WRONG: list[tuple[list[str], str]] = [
    (["--lr", "-1"], "--lr: lr must be a positive number or auto, not -1\n  -1\n  ^^"),
    (["--lr=-1,0.1"], "--lr: lr must be a positive number or auto, not -1\n  -1,0.1\n  ^^"),
    (["--lr", "0.1,0"], "--lr: lr must be a positive number or auto, not 0\n  0.1,0\n      ^"),
    (["--lr", "0.1,fast"], "--lr: lr must be a positive number or auto, not the text 'fast'\n  0.1,fast\n      ^^^^"),
    (["--lr", ""], "--lr: there are no values here; write one, or several with commas between them"),
    (["--lr", "0.1,,0.2"], "--lr: a value is missing here; write one, or take the comma out\n  0.1,,0.2\n      ^"),
    (["--epochs", "1.5,2"], "--epochs: epochs must be a whole number, not 1.5\n  1.5,2\n  ^^^"),
    (
        ["--optimizer", "sgd,adm"],
        "--optimizer: optimizer must be sgd, adam, adamw, nadam, radam, rmsprop, adagrad, rprop, lm, lbfgs, newton "
        "or auto, not the text 'adm';"
        " did you mean adam?\n  sgd,adm\n      ^^^",
    ),
    (
        ["--set", "train.learning_rate=1,2"],
        "--set: learning_rate is not a key of train; did you mean lr?\n  train.learning_rate\n  ^^^^^^^^^^^^^^^^^^^",
    ),
    (
        ["--set", "params.v.start=1,2"],
        "--set: fit has no parameter v; the parameters are w\n  params.v.start\n  ^^^^^^^^^^^^^^",
    ),
    (
        ["--lr", "1,2", "--seed", "0,1,2", "--zip"],
        "--seed: train.seed has 3 values, train.lr has 2 values; zip pairs them: give each as many\n  0,1,2\n  ^^^^^",
    ),
    (
        ["--lr", "loguniform:1e-3:1"],
        "--lr: loguniform draws the values of train.lr; say how many points: --random 20\n"
        "  loguniform:1e-3:1\n  ^^^^^^^^^^^^^^^^^",
    ),
    (
        ["--lr", "geomspace:0:1:3"],
        "--lr: the ends of geomspace must be of one sign, and not zero; linspace takes any\n"
        "  geomspace:0:1:3\n  ^^^^^^^^^^^^^^^",
    ),
    (
        ["--lr", "1,2", "--random", "3", "--zip"],
        "--random: random draws points, zip pairs values; leave one of them out\n  3\n  ^",
    ),
    (
        ["--lr", "1,2", "--set", "train.lr=2,3"],
        "--set: train.lr is swept twice; give its values once\n  train.lr\n  ^^^^^^^^",
    ),
    (
        ["--lr", "1,2", "--set", "train.lr=2"],
        "--lr: train.lr is both set and swept; leave one of them out\n  1,2\n  ^^^",
    ),
    (
        ["--lr", "1,2", "--rank-by", "nonsense"],
        "--rank-by: there is no number called nonsense; there is w, loss, epochs",
    ),
    (
        ["--lr", "1,2", "--rank-by", "verdict"],
        "--rank-by: verdict is not a number; rank by loss, epochs or a parameter",
    ),
    (["--lr", "1,2", "--get", "v"], "--get: there is no number called v; there is w, verdict, loss, epochs"),
    (["--lr", "1,2", "--top", "0"], "gdtrain sweep: --top must be 1 or more; see gdtrain sweep --help"),
    (["--lr", "1,2", "--random", "0"], "gdtrain sweep: --random must be 1 or more; see gdtrain sweep --help"),
    (["--lr", "1,2", "--memory", "nonsense"], "--memory: nonsense is no size; write it like 512M or 2G"),
    (["--lr", "1,2", "--memory", "0"], "--memory: 0 is too little; give it 16M or more"),
    (["--lr", "1,2", "--format", "jsn"], "--format: there is no format jsn; did you mean json?"),
    (
        ["--lr", "1,2", "--expect", "w"],
        "--expect: not an expectation; write it like 'w = 2 +- 0.01', 'loss < 1e-3' or 'verdict = converged'\n  w",
    ),
    (["--lr-find", "--lr", "1,2"], "--lr-find: train.lr is swept too; leave it out"),
    (["--lr-find", "--lr", "1"], "--lr-find: train.lr is swept too; leave it out"),
    (["--lr-find", "--seed", "1,2"], "--lr-find: train.seed is swept too; give it one value"),
    (
        ["--starts", "3"],
        "gdtrain sweep: there is no option --starts; many starts are a run: gdtrain run FILE --starts N",
    ),
    ([], "linear.yaml: there is nothing to sweep; give a key several values: --lr 1e-3,1e-2"),
    (["--lr", "0.1"], "linear.yaml: there is nothing to sweep; give a key several values: --lr 1e-3,1e-2"),
    (
        ["--lr", "1", "2"],
        "gdtrain sweep: there is no place for 2; it takes one file; "
        "several values stand with commas between them: --lr 0.1,0.2",
    ),
]


@pytest.mark.parametrize(("flags", "message"), WRONG)
def test_wrong_lines(flags: list[str], message: str, gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("sweep", linear.name, *flags)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"{message}\n"


WITHOUT_FILE: list[tuple[list[str], str]] = [
    ([], "gdtrain sweep: there is nothing to sweep; give a key several values: --lr 1e-3,1e-2"),
    (["nofile.yaml", "--lr", "1,2"], "nofile.yaml: there is no such file; gdtrain init writes a starter"),
    (["lr=1,2"], "lr=1,2 is not a file; to sweep a key, write --lr 1,2"),
    (["params.w.start=1,2"], "params.w.start=1,2 is not a file; to sweep a key, write --set params.w.start=1,2"),
]


@pytest.mark.parametrize(("words", "message"), WITHOUT_FILE)
def test_wrong_lines_without_a_file(words: list[str], message: str, gdtrain: Command) -> None:
    outcome = gdtrain("sweep", *words)
    assert (outcome.code, outcome.out, outcome.err) == (2, "", f"{message}\n")


def test_other_verbs_name_sweep(gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("run", "linear.yaml", "--lr", "0.1,0.2")
    assert outcome.code == 2
    assert outcome.err.startswith("--lr: several values are a sweep; run gdtrain sweep --lr 0.1,0.2\n")


# Formats and exit codes

RATES = ["--lr", "0.01,0.1,1,1e300"]  # w falls short, finds 2, swings out, and is no number at once


def test_every_format_holds_every_trial(gdtrain: Command, linear: Path) -> None:
    shown = {style: gdtrain("sweep", linear, *RATES, "--format", style).out for style in ("table", "plain", "md")}
    for text in shown.values():
        assert text.count("diverged") == 3  # two rows, and the line that counts them
        assert "best of 4 trials: train.lr = 0.1, loss 2.72848e-11, max" in text
    rows = [*csv.DictReader(io.StringIO(gdtrain("sweep", linear, *RATES, "--format", "csv").out))]
    assert [row["train.lr"] for row in rows] == ["0.1", "0.01", "1", "1e+300"]  # best first
    document = gdtrain("sweep", linear, *RATES, "--format", "json").document
    assert (document["schema"], document["best"], document["count"]) == ("gdtrain.sweep/1", 1, 4)
    assert [float(row["w"]) for row in rows[:2]] == [document["trials"][i]["params"]["w"]["value"] for i in (1, 0)]


def test_some_may_diverge_but_not_all(gdtrain: Command, linear: Path) -> None:
    assert gdtrain("sweep", linear, *RATES).code == 0
    outcome = gdtrain("sweep", linear, "--lr", "1,2,1e300")
    assert outcome.code == 4
    assert "all 3 trials diverged; with train.lr = 1: " in outcome.out
    assert "to run the best alone" not in outcome.out


def test_what_is_asked_of_one_result_is_asked_of_the_best(gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("sweep", linear, *RATES, "--get", "w", "--expect", "w = 2 +- 1e-3", "--expect", "loss < 1e-30")
    assert outcome.code == 1
    assert float(outcome.out) == pytest.approx(2, abs=1e-3)
    assert [line[:5] for line in outcome.err.splitlines()] == ["pass:", "fail:"]
    assert gdtrain("sweep", linear, *RATES, "--get", "verdict").out == "max_epochs\n"
    assert gdtrain("sweep", linear, *RATES, "--get", "w", "--rank-by", "-loss").out == "1.9224809378309713\n"


def test_a_closed_pipe_ends_quietly(linear: Path) -> None:
    line = f"{sys.executable} -m gdtrain sweep {linear} --lr geomspace:1e-4:1e-1:500 --format csv | head -1"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True, timeout=60, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "train.lr,verdict,epochs,loss,w\n"


@pytest.mark.parametrize("style", ["plain", "json", "csv"])
def test_an_interrupt_prints_the_trials_so_far(
    style: str, gdtrain: Command, linear: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_MOST", 2)
    monkeypatch.setattr(Watched, "__call__", lambda self, done, loss: done < 4)  # the last of the second batch
    line = ["sweep", linear, "--lr", "0.01,0.02,0.03,0.04,0.05", "--engine", "loop", "--format", style]
    outcome = gdtrain(*line, "--out", "out")
    assert (outcome.code, outcome.err) == (130, "note: gdtrain resume out goes on with it\n")
    assert outcome.out.count("0.0") >= 2 and "0.04" in outcome.out and "0.05," not in outcome.out
    if style == "plain":
        assert "\ninterrupted" in outcome.out
    monkeypatch.undo()
    monkeypatch.chdir(linear.parent)
    resumed = gdtrain(*line, "--out", "out")
    assert (resumed.code, resumed.err) == (0, "note: 4 of 5 trials are kept from before\n")


# The line that runs the best alone

ODD = "x,my col,y\n1,1,2\n2,0,4\n3,2,6.5\n4,1,8\n"
RERUN: dict[str, tuple[str, list[str]]] = {
    "lr": ("linear.yaml", ["--lr", "1e-3,0.0123456789012345,5"]),
    "lr with an equals sign": ("linear.yaml", ["--lr=1e-3,1e-2"]),
    "auto": ("linear.yaml", ["--lr", "auto,1e-4"]),
    "an optimizer": ("linear.yaml", ["--optimizer", "adam,{name: sgd, momentum: 0.5},rprop"]),
    "an optimizer, with an option": (
        "linear.yaml",
        ["--optimizer", "sgd,{name: sgd, nesterov: true}", "--set", "train.optimizer.momentum=0.3"],
    ),
    "momentum": ("linear.yaml", ["--set", "train.optimizer.momentum=0,0.3,0.99", "--lr", "0.05"]),
    "start": ("linear.yaml", ["--set", "params.w.start=-3,0.5,7"]),
    "bounds, with a start": ("linear.yaml", ["--start", "w=1", "--set", "params.w.max=1.5,1.8"]),
    "a parameter": ("linear.yaml", ["--set", "params.w={start: 1, max: 1.5},{start: 9}"]),
    "seed": ("drawn.yaml", ["--seed", "0..5"]),
    "seed over another": ("drawn.yaml", ["--set", "train.seed=3,4", "--lr", "0.02"]),
    "epochs": ("linear.yaml", ["--epochs", "3,30,7"]),
    "loss": ("linear.yaml", ["--loss", "{name: huber, delta: 0.5},sse", "--lr", "0.001"]),
    "a formula": ("linear.yaml", ["--set", "fit=y = w * x,y = w*x + 2 * b"]),
    "columns": ("odd.yaml", ["--set", "fit=y = `it's odd`*x,y = `it's odd`*`my col` + x", "--lr", "0.02"]),
    "an odd start": ("odd.yaml", ["--set", "params.it's odd.start=1,2,3"]),
    "features": ("table.yaml", ["--set", "regress.features=[x],[my col],[x, my col]"]),
    "a file with axes of its own": ("swept.yaml", []),
    "axes of a file and flags": ("swept.yaml", ["--epochs", "5,6", "--quiet", "--top", "2", "--every", "3"]),
    "zip": ("linear.yaml", ["--lr", "0.01,0.02", "--epochs", "9,4", "--zip", "--memory", "64M"]),
    "random": ("linear.yaml", ["--random", "4", "--lr", "loguniform:1e-3:1e-2", "--rank-by", "w"]),
    "a file with an odd name": ('it\'s a "file".yaml', ["--lr", "0.01,0.02"]),
    "the example": ("", ["--lr", "1e-3,1e-2"]),
    "the example with a formula": ("", ["--set", "fit=y = w*x,y = w * x + b", "--epochs", "30"]),
    "the example with a start": ("", ["--set", "params.w.start=1,5"]),
}


@pytest.fixture
def files(tmp_path: Path, linear: Path) -> None:
    text = linear.read_text()
    (tmp_path / 'it\'s a "file".yaml').write_text(text)
    (tmp_path / "drawn.yaml").write_text(text.replace("w: 0.0", "w: {start: {uniform: [0, 3]}}"))
    (tmp_path / "swept.yaml").write_text(text + "sweep: {train.lr: [0.01, 0.02], train.epochs: [5, 10]}\n")
    (tmp_path / "odd.csv").write_text(ODD)
    (tmp_path / "odd.yaml").write_text(
        "fit: y = `it's odd` * x\ndata: {path: odd.csv}\nparams: {\"it's odd\": 0}\ntrain: {lr: 0.01, epochs: 9}\n"
    )
    (tmp_path / "table.yaml").write_text(
        "regress: {target: y, features: [x]}\ndata: {path: odd.csv}\ntrain: {epochs: 50}\n"
    )


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("file", "flags"), RERUN.values(), ids=[*RERUN])
def test_the_best_runs_alone(file: str, flags: list[str], gdtrain: Command) -> None:
    outcome = gdtrain("sweep", *([file] if file else []), *flags, "--format", "json")
    assert outcome.code == 0, outcome.err
    check_rerun(outcome.document, gdtrain)


def check_rerun(document: dict[str, Any], gdtrain: Command) -> None:
    """The line gives the best trial's numbers, to the rounding of a trial by itself."""
    best = document["trials"][document["best"]]
    words = shlex.split(document["rerun"])
    assert words[0] == "gdtrain"
    alone = gdtrain(*words[1:], "--quiet", "--format", "json").document
    assert alone["schema"] == "gdtrain.result/1"
    assert alone["loss"]["name"] == best["loss"]["name"]
    assert alone["loss"]["final"] == pytest.approx(best["loss"]["final"], rel=1e-12, abs=1e-25)
    assert [*alone["params"]] == [*best["params"]]
    for name, fields in best["params"].items():
        assert alone["params"][name]["value"] == pytest.approx(fields["value"], rel=1e-12)
        assert alone["params"][name]["start"] == fields["start"]
    assert (alone["epochs"], alone["verdict"]) == (best["epochs"], best["verdict"])


# Many starts: what is typed, the exit code, and the parameters that are found, by hand.
FOUND: list[tuple[list[str], str, list[dict[str, float]]]] = [
    (["solve", "x^2 = 4"], "roots", [{"x": -2}, {"x": 2}]),
    (["solve", "x^2 = 4", "--start", "x=3"], "roots", [{"x": -2}, {"x": 2}]),
    (["solve", "(x - 1)*(x - 2)*(x + 3) = 0"], "roots", [{"x": -3}, {"x": 1}, {"x": 2}]),
    (
        ["solve", "x^2 + y^2 = 5", "x*y = 2", "--epochs", "3000"],
        "roots",
        [{"x": -2, "y": -1}, {"x": -1, "y": -2}, {"x": 1, "y": 2}, {"x": 2, "y": 1}],
    ),
    (["minimize", "(x^2 - 1)^2"], "minima", [{"x": -1}, {"x": 1}]),
    (["minimize", "(x^2 - 1)^2", "--set", "params.x.min=0.1"], "minima", [{"x": 1}]),
    (["fit", "y = w*x", "--data", "x=1,2,3", "--data", "y=2,4,6"], "minima", [{"w": 2}]),
    (["fit", "y = `it's`*x", "--data", "x=1,2", "--data", "y=2,4"], "minima", [{"it's": 2}]),
    (["regress", "points.csv", "--target", "y", "--no-intercept"], "minima", [{"my.col": 2}]),
    (["run", "linear.yaml", "--epochs", "200", "--start", "w=5", "--top", "3"], "minima", [{"w": 2}]),
]


@pytest.mark.parametrize(("words", "noun", "found"), FOUND)
def test_many_starts(
    words: list[str], noun: str, found: list[dict[str, float]], gdtrain: Command, linear: Path
) -> None:
    linear.with_name("points.csv").write_text("my.col,y\n1,2\n2,4\n")
    outcome = gdtrain(*words, "--starts", "30", "--quiet", "--format", "json")
    assert (outcome.code, outcome.err) == (0, "")
    document = outcome.document
    ends = document[noun]
    assert [end["params"] for end in ends] == [pytest.approx(expected, abs=1e-6) for expected in found]
    assert (document["starts"], document["count"]) == (30, 30)
    assert 0 < sum(end["starts"] for end in ends) <= 30
    check_rerun(document, gdtrain)


def test_no_start_finds_a_root_where_there_is_none(gdtrain: Command) -> None:
    outcome = gdtrain("solve", "x^2 = -4", "--starts", "10")
    assert outcome.code == 1
    assert "no root found from 10 starts (10 no_root)" in outcome.out


def test_starts_are_of_the_seed(gdtrain: Command) -> None:
    line = ["minimize", "(x^2 - 1)^2", "--starts", "5", "--format", "csv"]
    first = gdtrain(*line).out
    assert gdtrain(*line).out == first
    assert gdtrain(*line, "--seed", "1").out != first


WRONG_STARTS: list[tuple[list[str], str]] = [
    (["solve", "x^2 = 4", "--starts", "0"], "gdtrain solve: --starts must be 1 or more; see gdtrain solve --help"),
    (["solve", "x^2 = 4", "--starts", "many"], "gdtrain solve: --starts must be a whole number; see gdtrain"),
    (["solve", "x^2 = 4", "--starts", "3", "--get", "y"], "--get: there is no number called y"),
]


@pytest.mark.parametrize(("words", "message"), WRONG_STARTS)
def test_wrong_starts(words: list[str], message: str, gdtrain: Command) -> None:
    outcome = gdtrain(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(message)


# A search for a learning rate


def test_the_lr_that_is_found_is_the_one_that_lands_at_once(gdtrain: Command, linear: Path) -> None:
    """The loss is 7.5(w - 2)^2: its curvature is 15, so that 1/15 lands at once and 2/15 is the limit."""
    outcome = gdtrain("sweep", linear, "--lr-find", "--format", "json")
    assert outcome.code == 0
    finder = outcome.document["finder"]
    step = 10**0.1  # the grid has 41 values from 1/1000 of the limit to 10 times of it
    assert finder["limit"] == pytest.approx(2 / 15)
    assert 1 / 15 / step <= finder["fastest"] <= 1 / 15 * step
    assert 2 / 15 < finder["breaks"] <= 2 / 15 * step**2
    assert outcome.document["rerun"] == f"gdtrain run {linear} --lr {finder['fastest']!r}"


@pytest.mark.parametrize("flags", [["--optimizer", "adam"], ["--loss", "mae"], ["--engine", "loop"]])
def test_a_search_with_others(flags: list[str], gdtrain: Command, linear: Path) -> None:
    document = gdtrain("sweep", linear, "--lr-find", *flags, "--epochs", "200", "--format", "json").document
    reaches = {trial["set"]["train.lr"]: trial["reach"] for trial in document["trials"]}
    fastest = reaches[document["finder"]["fastest"]]
    assert fastest == min(reach for reach in reaches.values() if reach is not None)
    words = shlex.split(document["rerun"])
    assert gdtrain(*words[1:], "--get", "verdict.status").out in ("converged\n", "max_epochs\n")


def test_a_search_poses_its_problem_once(gdtrain: Command, linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    posed = Mock(side_effect=build_problem)
    monkeypatch.setattr("gdtrain.tables.build_problem", posed)
    assert gdtrain("sweep", linear, "--lr-find").code == 0
    assert posed.call_count == 1


@pytest.mark.parametrize("penalty", ["penalty.l2=20", "penalty.l1=3"])
def test_a_search_under_a_penalty_looks_at_the_objective(penalty: str, gdtrain: Command, linear: Path) -> None:
    """From w = 2 on, where the loss is 0, a penalty pulls w back: the least loss of all is that at the start."""
    line = ["sweep", linear, "--lr-find", "--start", "w=2", "--set", penalty, "--epochs", "30", "--format", "json"]
    trials = gdtrain(*line).document["trials"]
    ends = {
        trial["set"]["train.lr"]: trial["objective"] for trial in trials if trial["verdict"]["status"] != "diverged"
    }
    best, first = min(end["final"] for end in ends.values()), trials[0]["objective"]["initial"]
    near = {lr for lr, end in ends.items() if end["final"] <= best + 1e-3 * (first - best)}
    assert {trial["set"]["train.lr"] for trial in trials if trial["reach"] is not None} == near
    assert 0 < len(near) < len(ends)


# The file that says the same

PRINTED: list[list[str]] = [
    ["--lr", "1e-3,1e-2"],
    ["--optimizer", "sgd,{name: sgd, momentum: 0.9}", "--seed", "0..2"],
    ["--lr", "geomspace:1e-4:1e-2:3", "--epochs", "5,6,7", "--zip"],
    ["--lr", "loguniform:1e-4:1e-2", "--random", "4", "--seed", "5"],
    ["--set", "fit=y = w*x,y = w*x + b", "--set", "params.w.start=1,2"],
]


@pytest.mark.parametrize("flags", PRINTED)
def test_the_printed_file_swept_gives_the_same(flags: list[str], gdtrain: Command, linear: Path) -> None:
    printed = gdtrain("sweep", linear, *flags, "--print-config")
    assert printed.code == 0
    linear.with_name("printed.yaml").write_text(printed.out)
    direct = gdtrain("sweep", linear, *flags, "--format", "json").document
    again = gdtrain("sweep", "printed.yaml", "--format", "json").document
    for document in (direct, again):
        for key in ("timing", "source", "rerun"):
            del document[key]
        for trial in document["trials"]:
            del trial["train"]["chosen"]  # a default that was printed is chosen no more
    assert again == direct
    assert gdtrain("sweep", "printed.yaml", "--print-config").out == printed.out


# Kept in a folder


def test_swept_into_a_folder_again(gdtrain: Command, linear: Path, tmp_path: Path) -> None:
    line = ["sweep", linear, "--out", "out", "--format", "plain"]
    assert gdtrain(*line, "--lr", "0.01,0.02").err == ""
    more = gdtrain(*line, "--lr", "0.01,0.02,0.03")
    assert more.err == "note: 2 of 3 trials are kept from before\n"
    assert more.out == gdtrain("sweep", linear, "--format", "plain", "--lr", "0.01,0.02,0.03").out
    quiet = gdtrain(*line, "--lr", "0.01,0.02,0.03", "--quiet")
    assert quiet.err == ""
    assert json.loads((tmp_path / "out" / "result.json").read_text())["count"] == 3


def test_what_changed_is_said(gdtrain: Command, linear: Path, points: Path, tmp_path: Path) -> None:
    (tmp_path / "fit.yaml").write_text("fit: y = w*x\ndata: {path: points.csv}\ntrain: {epochs: 10}\n")
    line = ["sweep", "fit.yaml", "--out", "out", "--lr", "0.01,0.02", "--format", "csv"]
    first = gdtrain(*line)
    assert first.err == ""
    points.write_text(points.read_text().replace("6.5", "6.0"))
    outcome = gdtrain(*line)
    assert outcome.out != first.out
    assert outcome.err.startswith("note: ") and "points.csv" in outcome.err
    assert outcome.err.endswith("; its trials are computed anew\n")
    outcome = gdtrain(*line, "--epochs", "11")
    assert outcome.err.startswith("note: ") and "epochs" in outcome.err
    assert outcome.err.endswith("; its trials are computed anew\n")


def test_a_folder_of_other_things(gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("sweep", linear, "--lr", "0.01,0.02", "--out", ".")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "--out: . holds other things than a sweep; name a new folder\n"


def test_losses_of_several_kinds_do_not_compare(gdtrain: Command, linear: Path) -> None:
    line = ["sweep", linear, "--loss", "mse,sse", "--format", "csv"]
    warning = "warning: the trials have different losses, whose numbers do not compare: rank by something else"
    assert gdtrain(*line).err.startswith(warning)
    assert gdtrain(*line, "--quiet").err == ""
    assert gdtrain(*line, "--rank-by", "w").err == ""
