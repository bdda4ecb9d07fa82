"""Training as it goes: Ctrl-C and SIGTERM, and progress on a terminal."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType
from typing import Any

from gdtrain.errors import INTERRUPTED, TERMINATED

_CODES: dict[int, int] = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}
_QUIET_SECONDS = 1.0  # a shorter run shows no progress


class Watched:
    """Asked by the engine whether to go on. Ctrl-C and SIGTERM say no; twice they kill, and at once where nothing was
    asked yet: data is still being read then. After a second, shows progress.

    total  epochs, or trials, that there are to be done, None where that is not known; `unit` is their name
    code   exit code of what was interrupted
    """

    def __init__(self, total: int | None, *, quiet: bool, unit: str = "epochs") -> None:
        self._total, self._unit = total, unit
        self._asked = self._interrupted = False
        self.code = INTERRUPTED
        self._began = time.monotonic()
        self._live = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._progress: Any = None

    def __call__(self, done: int, loss: float) -> bool:
        self._asked = True
        if self._live and time.monotonic() - self._began > _QUIET_SECONDS:
            self._show(done, loss)
        return not self._interrupted

    def __enter__(self) -> Watched:
        self._before = {number: signal.signal(number, self._interrupt) for number in _CODES}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        if self._progress is not None:
            self._progress.stop()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._interrupted or not self._asked:
            raise SystemExit(TERMINATED) if number == signal.SIGTERM else KeyboardInterrupt
        self._interrupted, self.code = True, _CODES[number]

    def _show(self, done: int, loss: float) -> None:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (MofNCompleteColumn(), TextColumn(self._unit), BarColumn(), TextColumn("{task.description}"))
            console = Console(file=sys.stderr)
            self._progress = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
            self._task = self._progress.add_task("", total=self._total)
            self._progress.start()
        self._progress.update(self._task, completed=done, description=f"loss {loss:.6g}")
