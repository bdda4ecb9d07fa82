"""Pipes, full disks, closed streams and signals: real processes, a few at a time since torch takes its time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CONFIGS, REPOSITORY, Command

GDTRAIN = f"{sys.executable} -m gdtrain"
LINEAR = CONFIGS / "linear.yaml"
LIGHT = f"{GDTRAIN} check {LINEAR}"  # starts without torch
Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A line for bash; its exit code is that of the first command of its pipe."""

    def carry_out(line: str, **more: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        script = f"{line}; exit ${{PIPESTATUS[0]}}"
        return subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, timeout=60, env=environment, cwd=tmp_path, **more
        )

    return carry_out


CLOSED_PIPES = [f"run {LINEAR}", "--help", "schema", f"check {LINEAR}"]


@pytest.mark.parametrize("command", CLOSED_PIPES)
def test_a_closed_pipe_ends_quietly(command: str, shell: Shell) -> None:
    done = shell(f"{GDTRAIN} {command} | head -c 1")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("command", [f"check {LINEAR}", "schema", "--help"])
def test_a_full_disk(command: str, shell: Shell) -> None:
    done = shell(f"{GDTRAIN} {command} > /dev/full")
    assert done.returncode == 74
    assert done.stderr == "stdout: the result could not be written: No space left on device\n"


@pytest.mark.parametrize("command", [f"run {LINEAR} --format json", f"check {LINEAR}"])
def test_no_stdout_at_all(command: str, shell: Shell) -> None:
    done = shell(f"{GDTRAIN} {command} >&-")
    assert done.returncode == 74
    assert "could not be written" in done.stderr and "bug" not in done.stderr


def test_no_stderr_at_all(shell: Shell) -> None:
    done = shell(f"{GDTRAIN} check nofile.yaml 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@pytest.mark.parametrize(("command", "code"), [("check -", 2), ("fit 'y = w*x' - --get w", 3)])
def test_no_stdin_at_all(command: str, code: int, shell: Shell) -> None:
    done = shell(f"{GDTRAIN} {command} <&-")
    assert done.returncode == code
    assert "stdin" in done.stderr and "bug" not in done.stderr


LONG = "solve: x + 1 = 3\nparams: {x: 0.0}\ntrain: {lr: 1.0e-9, epochs: 1000000000, engine: loop}\n"


def interrupted(after: float, folder: Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a long run that gets Ctrl-C after so many seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gdtrain", "run", "long.yaml", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=folder,
    )
    try:
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, err


def test_an_interrupt_prints_the_result_so_far(tmp_path: Path) -> None:
    """Before training there is none, and loading torch takes longer where others are at work too."""
    (tmp_path / "long.yaml").write_text(LONG)
    for after in (4, 10, 30):
        code, out, err = interrupted(after, tmp_path)
        assert code == 130, err
        assert "Traceback" not in err
        if out:
            break
    assert '"status": "interrupted"' in out


HEAVY = ("torch", "polars", "numpy", "pandas", "scipy")


@pytest.mark.parametrize("command", [["--help"], ["check", str(LINEAR)], ["schema"], ["--version"], []])
def test_light_commands_import_nothing_heavy(command: list[str], shell: Shell) -> None:
    code = (
        f"import sys; from gdtrain.cli.process import run; run({command!r})\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", [["--help"], ["sweep", "--help"], ["--version"]])
def test_help_does_not_wait_for_the_models(command: list[str]) -> None:
    code = (
        f"import sys; from gdtrain.cli.process import run; run({command!r})\n"
        "print('gdtrain.experiment.schema' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
    assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_stdin_holds_the_experiment(gdtrain: Command) -> None:
    assert gdtrain("run", "-", "--get", "w", stdin=LINEAR.read_text()).out == "1.9224809378309713\n"


@pytest.mark.parametrize("rows", ["x,y\n1,2\n2,4\n", '{"x": 1, "y": 2}\n{"x": 2, "y": 4}\n', "x\ty\n1\t2\n2\t4\n"])
def test_stdin_holds_the_data(rows: str, gdtrain: Command) -> None:
    assert float(gdtrain("fit", "y = w*x", "-", "--get", "w", stdin=rows).out) == pytest.approx(2)


def test_stdin_cannot_hold_both(gdtrain: Command) -> None:
    outcome = gdtrain("run", "-", stdin="fit: y = w*x\ndata: {path: '-'}\n")
    assert outcome.code == 2
    assert "stdin" in outcome.err
