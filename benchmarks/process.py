"""Processes, from start to exit: how long they took, what they printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

REPOSITORY = Path(__file__).parents[1]
PEERS = REPOSITORY / ".venv-peers" / "bin" / "python"

# One thread for whatever computes; readers keep their own, the same for all.
_ONE_THREAD = dict.fromkeys(["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "1")
_ONE_THREAD["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


@dataclass(frozen=True)
class Child:
    """A process that has ended.

    seconds  from start to exit
    output   what it printed
    trouble  what went wrong; "" where nothing did
    """

    seconds: float
    output: str
    trouble: str

    def says(self) -> dict[str, Any]:
        """What it printed, as JSON; nothing where it went wrong."""
        return {} if self.trouble else json.loads(self.output)


def run(arguments: Sequence[str], *, python: Path = Path(sys.executable)) -> Child:
    """Run Python with these arguments in the repository, to its end.

    It may keep its bytecode, as it may wherever nobody forbids it: else gdtrain alone is compiled every time.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(REPOSITORY)} | _ONE_THREAD
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        child = subprocess.Popen(
            [str(python), *arguments], cwd=REPOSITORY, env=environment, stdout=output, stderr=errors
        )
        code = child.wait()
        seconds = time.perf_counter() - began
        text, complaint = (_text(stream) for stream in (output, errors))
    return Child(seconds, text, _trouble(code, complaint))


def _text(stream: BinaryIO) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")


def _trouble(code: int, complaint: str) -> str:
    if not code:
        return ""
    *_, last = complaint.strip().splitlines() or ["no word"]
    return f"exit code {code}: {last[:80]}"
