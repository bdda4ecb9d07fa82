"""Formats, and what terminals and pipes make of them."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import REPOSITORY, Command

ESCAPE = re.compile(r"\x1b\[[\d;]*m")
STYLES = ["table", "plain", "json", "csv", "md"]


@pytest.mark.parametrize("style", STYLES)
def test_every_format_tells_the_same_numbers(style: str, gdtrain: Command, linear: Path) -> None:
    """w_3 = 2(1 - 0.85^3) = 0.77175."""
    outcome = gdtrain("run", linear, "--epochs", 3, "--format", style)
    assert (outcome.code, outcome.err) == (0, "")
    assert re.search(r"0\.7717[45]", outcome.out)
    assert outcome.out.endswith("\n") and not outcome.out.endswith("\n\n")


@pytest.mark.parametrize("style", STYLES)
def test_gradients(style: str, gdtrain: Command, linear: Path) -> None:
    """15(w - 2): -30 at the start, -25.5 after an epoch."""
    text = gdtrain("run", linear, "--epochs", 1, "--gradients", "--format", style).out
    assert "-30.0" in text and "-25.5" in text
    without = gdtrain("run", linear, "--epochs", 1, "--format", style).out
    assert "-30.0" not in without


EVERY = [
    ([], [*range(21)]),
    (["--every", "1"], [*range(21)]),
    (["--every", "7"], [0, 7, 14, 20]),
    (["--every", "20"], [0, 20]),
    (["--every", "1000000000000"], [0, 20]),
    (["--every", "3", "--epochs", "5"], [0, 3, 5]),
    (["--epochs", "0"], [0]),
    (["--epochs", "150", "--every", "50"], [0, 50, 100, 150]),
]


@pytest.mark.parametrize(("arguments", "epochs"), EVERY)
def test_every_nth_epoch_is_shown(arguments: list[str], epochs: list[int], gdtrain: Command, linear: Path) -> None:
    command = ["run", str(linear), *arguments]
    document = gdtrain(*command, "--format", "json").document
    assert [row["epoch"] for row in document["history"]] == epochs
    rows = list(csv.DictReader(io.StringIO(gdtrain(*command, "--format", "csv").out)))
    assert [int(row["epoch"]) for row in rows] == epochs
    for style, mark in (("table", "│"), ("md", "|"), ("plain", " ")):
        first = gdtrain(*command, "--format", style).out.partition("predictions")[0]
        found = re.findall(rf"^{re.escape(mark)}? *(\d+)\b", first, re.MULTILINE)
        assert [int(epoch) for epoch in found] == epochs, style


def test_csv_has_every_epoch_of_a_long_run(gdtrain: Command, linear: Path) -> None:
    rows = gdtrain("run", linear, "--epochs", 3000, "--format", "csv").out.splitlines()
    assert len(rows) == 3002
    table = gdtrain("run", linear, "--epochs", 3000, "--format", "json").document["history"]
    assert len(table) < 25
    shown = {str(row["epoch"]): f"{row['epoch']},{row['loss']},{row['params']['w']}" for row in table}
    assert all(shown[epoch] == row for row in rows if (epoch := row.partition(",")[0]) in shown)


def test_a_thinned_history_says_so(gdtrain: Command, linear: Path) -> None:
    outcome = gdtrain("run", linear, "--epochs", 20_000, "--format", "csv")
    epochs = [row.partition(",")[0] for row in outcome.out.splitlines()[1:]]
    assert set(map(str, range(0, 20_001, 2))) <= set(epochs)
    assert outcome.err == f"note: {len(epochs):,} of 20,001 epochs; --every N shows others\n"


# Pipes


@pytest.mark.parametrize("columns", ["0", "1", "40", "400", "no number", "-5"])
@pytest.mark.parametrize("style", ["table", "plain"])
def test_a_piped_table_has_one_width(
    style: str, columns: str, gdtrain: Command, linear: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["run", str(linear), "--gradients", "--format", style]
    expected = gdtrain(*command).out
    monkeypatch.setenv("COLUMNS", columns)
    assert gdtrain(*command).out == expected
    assert "…" not in expected


COLOURS: list[tuple[dict[str, str], bool]] = [
    ({}, False),
    ({"TERM": "xterm-256color"}, False),
    ({"FORCE_COLOR": "1"}, True),
    ({"FORCE_COLOR": "1", "COLUMNS": "20"}, True),
    ({"FORCE_COLOR": ""}, False),
    ({"NO_COLOR": "1"}, False),
    ({"FORCE_COLOR": "1", "TERM": "dumb"}, False),
]


@pytest.mark.parametrize(("environment", "styled"), COLOURS)
def test_colours_in_a_pipe(
    environment: dict[str, str], styled: bool, gdtrain: Command, linear: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None unless they are forced; what is printed stays the same."""
    plain = gdtrain("run", linear).out
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    text = gdtrain("run", linear).out
    assert bool(ESCAPE.search(text)) == styled
    assert ESCAPE.sub("", text) == plain


def test_no_color_wins(gdtrain: Command, linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bold is no colour."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[33m" in gdtrain("run", linear).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[\d;]*3\dm", gdtrain("run", linear).out)


@pytest.mark.parametrize("style", ["plain", "json", "csv", "md"])
def test_only_tables_are_coloured(style: str, gdtrain: Command, linear: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in gdtrain("run", linear, "--format", style).out


# Terminals


def on_terminal(*arguments: str) -> str:
    """What a terminal of 80 columns receives from a process of its own."""
    import fcntl
    import struct
    import termios

    pid, fd = pty.fork()
    if pid == 0:
        clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")}
        os.execve(
            sys.executable,
            [sys.executable, "-m", "gdtrain", *arguments],
            {**clean, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm"},
        )
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    received = b""
    try:
        while piece := os.read(fd, 65536):
            received += piece
    except OSError:  # how a terminal says that its process has ended
        pass
    finally:
        os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, received
    return received.decode().replace("\r\n", "\n")


def test_a_terminal(gdtrain: Command, linear: Path) -> None:
    """Colours there, and the same text; the lines of words are wrapped."""
    text = on_terminal("run", str(linear), "--every", "10")
    assert "\x1b[33mmax_epochs after 20 epochs" in text
    piped = gdtrain("run", linear, "--every", "10").out
    assert ESCAPE.sub("", text).split() == piped.split()


def test_several_documents_are_a_line_each(gdtrain: Command, linear: Path) -> None:
    lines = gdtrain("run", linear, linear, linear, "--format", "json").out.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["linear"] * 3


@pytest.mark.parametrize("style", ["table", "plain", "md"])
def test_several_results_are_apart(style: str, gdtrain: Command, linear: Path) -> None:
    one = gdtrain("run", linear, "--format", style).out
    assert gdtrain("run", linear, linear, "--format", style).out == f"{one}\n{one}\n"
