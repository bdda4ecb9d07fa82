"""From the shell's prompt to the last line: commands beside the imports that they cannot do without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.measure import Row, Run, Side, interleaved
from benchmarks.process import run

# The imports -> how many times as long a command may take, and each command with what it must print.
FLOORS: Mapping[str, tuple[float, Mapping[str, str]]] = {
    "import typer, rich": (
        4.0,
        {"--help": "gdtrain solve", "check configs/linear.yaml": "fit: y = w*x", "schema": '"$defs"'},
    ),
    "import torch": (
        1.25,
        {"run configs/linear.yaml": "1.92248", "run configs/linear.yaml --engine loop": "1.92248"},
    ),
}


def startup(repeats: int) -> Iterator[Row]:
    """Each command against its floor."""
    for floor, (bound, commands) in FLOORS.items():
        sides = {command: _process(["-m", "gdtrain", *command.split()], text) for command, text in commands.items()}
        rounds = interleaved({floor: _process(["-c", floor], ""), **sides}, repeats)
        for command in commands:
            against = f"python -c '{floor}'"
            yield Row.compare(f"gdtrain {command}", _engine(command), against, rounds[command], rounds[floor], bound)


def _engine(command: str) -> str:
    if not command.startswith("run"):
        return ""
    return "loop" if command.endswith("loop") else "exact"


def _process(arguments: Sequence[str], text: str) -> Side:
    """A Python process from start to end. It counts when it exits with 0 and has printed `text`."""

    def side() -> Run:
        child = run(arguments)
        missing = "" if text in child.output else f"{text} is not in its output"
        return Run(child.seconds, trouble=child.trouble or missing)

    return side
