"""What a script gates on: exit codes, and that the result is printed whatever they are."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command

pytestmark = pytest.mark.usefixtures("linear", "points")

CODES: list[tuple[list[str], int]] = [
    (["run", "linear.yaml"], 0),
    (["run", "linear.yaml", "--epochs", "200"], 0),
    (["run", "linear.yaml", "--expect", "w = 1.92 +- 0.01"], 0),
    (["run", "linear.yaml", "--set", "stop.patience=1", "--set", "stop.min_delta=100"], 0),
    (["solve", "x + 1 = 3"], 0),
    (["run", "linear.yaml", "--expect", "w = 2 +- 0.01"], 1),
    (["run", "linear.yaml", "--expect", "verdict = converged"], 1),
    (["run", "linear.yaml", "--expect", "v = 2"], 1),
    (["run", "linear.yaml", "--expect", "v != 2"], 1),
    (["solve", "x^2 + 1 = 0"], 1),
    (["run", "linear.yaml", "--lr", "1"], 4),
    (["run", "linear.yaml", "--lr", "1e300"], 4),
    (["run", "linear.yaml", "--lr", "1", "--expect", "w = 2 +- 0.01"], 4),
    (["solve", "log(x) = 1", "--start", "x=-1"], 4),
]


@pytest.mark.parametrize(
    ("arguments", "code"), CODES, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_the_result_is_printed_whatever_the_code(arguments: list[str], code: int, gdtrain: Command) -> None:
    outcome = gdtrain(*arguments, "--format", "json")
    assert outcome.code == code
    assert outcome.document["schema"] == "gdtrain.result/1"


# Wrong before anything trains: no result.
WRONG: list[tuple[list[str], int]] = [
    (["run", "nofile.yaml"], 2),
    (["run", "linear.yaml", "--lr", "x"], 2),
    (["solve", "x +"], 2),
    (["fit", "y = w*q", "points.csv", "--get", "x"], 2),
    (["fit", "y = w*x", "nofile.csv"], 3),
    (["fit", "y = w*x", "bad.csv"], 3),
    (["fit", "y = w*x", "points.csv", "--predict", "bad.csv"], 3),
    (["fit", "y = w*x", "--data", "x=1,a", "--data", "y=1,2"], 3),
    (["check", "nodata.yaml", "--data"], 3),
]


@pytest.mark.parametrize(
    ("arguments", "code"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_nothing_is_printed_before_training(arguments: list[str], code: int, gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("x,y\n1,2\ntwo,4\n")
    (tmp_path / "nodata.yaml").write_text("fit: y = w*x\ndata: {path: nofile.csv}\n")
    outcome = gdtrain(*arguments)
    assert (outcome.code, outcome.out) == (code, ""), outcome
    assert outcome.err


BUGS: list[tuple[type[BaseException], int, str]] = [
    (ZeroDivisionError, 70, "a bug of ours: ZeroDivisionError"),
    (RecursionError, 70, "a bug of ours: RecursionError"),
    (MemoryError, 70, "MemoryError"),
]


@pytest.mark.parametrize(("error", "code", "message"), BUGS)
def test_a_bug_of_ours(
    error: type[BaseException], code: int, message: str, gdtrain: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error("within")

    monkeypatch.setattr("gdtrain.train.train", broken)
    outcome = gdtrain("run", "linear.yaml")
    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_an_interrupt_at_any_time_is_no_bug(gdtrain: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a second Ctrl-C, which does not wait for a result."""

    def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gdtrain.train.train", broken)
    outcome = gdtrain("run", "linear.yaml")
    assert (outcome.code, outcome.out) == (130, "")
    assert "bug" not in outcome.err


def test_a_bug_shows_its_traceback_when_asked(gdtrain: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from gdtrain.cli.process import run

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("gdtrain.train.train", broken)
    monkeypatch.setenv("GDTRAIN_DEBUG", "1")
    assert run(["run", "linear.yaml"]) == 70  # gdtrain() would object to the traceback


class Full:
    """A stdout on a disk that is full."""

    encoding = "utf-8"
    errors = "strict"

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def flush(self) -> None:
        return

    def isatty(self) -> bool:
        return False

    def reconfigure(self, **_: object) -> None:
        return


@pytest.mark.parametrize("style", ["table", "plain", "json", "csv", "md"])
def test_a_result_that_cannot_be_written(style: str, gdtrain: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gdtrain.cli.process._let_go_of_stdout", lambda: None)  # of the tests' own
    monkeypatch.setattr(sys, "stdout", Full())
    outcome = gdtrain("run", "linear.yaml", "--format", style)
    assert outcome.code == 74
    assert outcome.err == "stdout: the result could not be written: No space left on device\n"


@pytest.mark.parametrize("files", [1, 3])
def test_an_interrupt_prints_the_result_so_far(files: int, gdtrain: Command, linear: Path) -> None:
    """Ctrl-C half a second in: the run that is on ends, those that would come after do not start."""
    interrupt = threading.Timer(0.5, os.kill, (os.getpid(), 2))
    interrupt.start()
    outcome = gdtrain("run", *[linear] * files, "--epochs", 10**9, "--lr", 1e-9, "--engine", "loop", "--format", "json")
    interrupt.join()
    assert outcome.code == 130
    (document,) = [json.loads(line) for line in outcome.out.splitlines()] if files > 1 else [outcome.document]
    assert document["verdict"]["status"] == "interrupted"
    assert 0 < document["epochs"] < 10**9


# Several files

OTHER: dict[str, tuple[str, int]] = {
    "good": ("solve: x = 1\nparams: {x: 0.0}\n", 0),
    "rootless": ("solve: x^2 = -1\nparams: {x: 1.0}\n", 1),
    "dataless": ("fit: y = w*x\ndata: {path: nofile.csv}\n", 3),
    "diverging": ("solve: x = 1\nparams: {x: 0.0}\ntrain: {lr: 3.0}\n", 4),
}


@pytest.mark.parametrize(
    "names", [["good", "rootless"], ["diverging", "good", "rootless"], ["dataless", "good"], ["good"] * 2]
)
def test_the_highest_code_wins_and_the_rest_still_trains(names: list[str], gdtrain: Command, tmp_path: Path) -> None:
    for name, (text, _) in OTHER.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    outcome = gdtrain("run", *(f"{name}.yaml" for name in names), "--format", "json")
    assert outcome.code == max(OTHER[name][1] for name in names)
    documents: list[dict[str, Any]] = [json.loads(line) for line in outcome.out.splitlines()]
    assert [document["name"] for document in documents] == [name for name in names if name != "dataless"]


def test_all_files_are_checked_before_the_first_trains(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("solve: x +\n")
    outcome = gdtrain("run", "linear.yaml", "bad.yaml", "nofile.yaml")
    assert (outcome.code, outcome.out) == (2, "")
    assert "bad.yaml:1:" in outcome.err and "nofile.yaml: " in outcome.err
