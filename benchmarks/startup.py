"""From the shell's prompt to the last line: commands beside the imports that they cannot do without."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.measure import Row, Side, Timed, interleaved

REPOSITORY = Path(__file__).parents[1]

# The imports -> how many times as long a command may take, and each command with what it must print.
FLOORS: Mapping[str, tuple[float, Mapping[str, str]]] = {
    "import typer, rich": (
        4.0,
        {"--help": "gdtrain solve", "check configs/linear.yaml": "fit: y = w*x", "schema": '"$defs"'},
    ),
    "import torch": (1.25, {"run configs/linear.yaml": "1.92248"}),
}


def startup(repeats: int) -> Iterator[Row]:
    """Each command against its floor."""
    for floor, (bound, commands) in FLOORS.items():
        sides = {command: _process(["-m", "gdtrain", *command.split()], text) for command, text in commands.items()}
        rounds = interleaved({floor: _process(["-c", floor], ""), **sides}, repeats)
        for command in commands:
            against = f"python -c '{floor}'"
            yield Row.compare(f"gdtrain {command}", against, rounds[command], rounds[floor], bound)


def _process(arguments: Sequence[str], text: str) -> Side:
    """A Python process from start to end. It counts when it exits with 0 and has printed `text`.

    It may keep its bytecode, as it may wherever nobody forbids it: else gdtrain alone is compiled every time.
    """
    command = [sys.executable, *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def side() -> Timed:
        began = time.perf_counter()
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, encoding="utf-8")
        seconds = time.perf_counter() - began
        if done.returncode:
            return Timed(seconds, trouble=f"exit code {done.returncode}")
        return Timed(seconds, trouble="" if text in done.stdout else f"{text} is not in its output")

    return side
