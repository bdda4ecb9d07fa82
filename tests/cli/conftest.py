"""Commands carried out in this process: importing torch anew for each would take seconds."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gdtrain.cli.process import run

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = REPOSITORY / "configs"


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and its two streams."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


Command = Callable[..., Outcome]


@pytest.fixture
def gdtrain(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """`gdtrain("run", "x.yaml", stdin="...")` in an empty folder, whatever the terminal of the tests is like."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "GDTRAIN_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def command(*arguments: object, stdin: str | bytes | None = None) -> Outcome:
        if stdin is not None:
            raw = stdin.encode() if isinstance(stdin, str) else stdin
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Outcome(code, out, err)

    return command


@pytest.fixture
def linear(tmp_path: Path) -> Path:
    """y = w*x through (1, 2), (2, 4), (3, 6), (4, 8), from w = 0: each epoch takes 0.15 of what is missing of 2."""
    path = tmp_path / "linear.yaml"
    path.write_text(
        "fit: y = w*x\n"
        "data: {columns: {x: [1, 2, 3, 4], y: [2, 4, 6, 8]}}\n"
        "params: {w: 0.0}\n"
        "train: {optimizer: sgd, lr: 0.01, epochs: 20}\n"
        "predict: [{x: 5}]\n"
    )
    return path


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """A table whose least squares line through the origin has w = (1*2 + 2*4 + 3*6.5 + 4*8) / 30 = 2.05."""
    path = tmp_path / "points.csv"
    path.write_text("x,y\n1,2\n2,4\n3,6.5\n4,8\n")
    return path
