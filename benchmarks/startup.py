"""From the shell's prompt to the last line: commands beside the imports that they cannot do without."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.measure import Row, Side, Timed, interleaved

REPOSITORY = Path(__file__).parents[1]

# The least that has to be imported -> how many times that a command may take -> commands, and what they must print.
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
        sides: dict[str, Side] = {floor: _process(["-c", floor], "")}
        sides |= {command: _process(["-m", "gdtrain", *command.split()], text) for command, text in commands.items()}
        medians = interleaved(sides, repeats)
        for command in commands:
            ours, theirs = medians[command].seconds, medians[floor].seconds
            yield Row(f"gdtrain {command}", f"python -c '{floor}'", ours, theirs, bound)


def _process(arguments: Sequence[str], text: str) -> Side:
    """A Python process from start to end, which must exit 0 and print `text`."""

    def side() -> Timed:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, encoding="utf-8", check=True
        )
        seconds = time.perf_counter() - began
        if text not in done.stdout:
            raise RuntimeError(f"{' '.join(arguments)} did not print {text}")
        return Timed(seconds)

    return side
