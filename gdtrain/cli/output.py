"""Training as the command line shows it: the result on stdout, progress, warnings and expectations on stderr."""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from gdtrain.cli.messages import say
from gdtrain.cli.options import Options, check_format
from gdtrain.errors import printable
from gdtrain.expectations import (
    SCALARS,
    SECTIONS,
    SHORT_NAMES,
    Expectation,
    check,
    look_up,
    no_number,
    parse_expectation,
)
from gdtrain.experiment.schema import Experiment
from gdtrain.report.render import render
from gdtrain.results import Result

_QUIET_SECONDS = 1.0  # a shorter run shows no progress


@dataclass(frozen=True)
class Output:
    """How results are shown. `many`: several in a row, so that JSON is a document a line."""

    options: Options
    expectations: list[Expectation]
    many: bool

    @classmethod
    def checked(cls, options: Options, *, many: bool) -> Output:
        """Refuse before anything trains what could not be shown after."""
        check_format(options.format)
        return cls(options, [parse_expectation(text) for text in options.expect], many)

    def print_configs(self, experiments: Sequence[Experiment]) -> int:
        from gdtrain.experiment.dump import dump

        sys.stdout.write("---\n".join(dump(experiment) for experiment in experiments))
        return 0

    def train(self, experiment: Experiment) -> int:
        """Train one experiment and show what came of it. Returns the exit code."""
        from gdtrain.train import train

        gc.freeze()  # what was imported stays
        gc.enable()
        with _Watch(experiment.train.epochs, quiet=self.options.quiet) as watch:
            result = train(
                experiment,
                stdin=sys.stdin.buffer if sys.stdin else None,
                every=self.options.every,
                gradients=self.options.gradients,
                watch=watch,
                ready=self._check_get,
            )
        if experiment.regress and experiment.regress.features == ["*"] and not self.options.quiet:
            features = [name for name in result.data["columns"] if name not in experiment.regress.target]
            say(printable(f"features: {', '.join(features)}"))
        self._show(result)
        met = [self._expect(expectation, result) for expectation in self.expectations]
        return max(result.verdict.exit_code, 0 if all(met) else 1)

    def _check_get(self, parameters: Sequence[str]) -> None:
        """Refuse a name that the result will not have before any time is spent on it."""
        name = self.options.get
        if name is None or name in (*parameters, *SHORT_NAMES, *SCALARS):
            return
        section, dot, rest = name.partition(".")
        known = section in SECTIONS if section != "params" else any(rest.startswith(p) for p in parameters)
        if not (dot and known):
            raise no_number(name, parameters, where="--get")

    def _show(self, result: Result) -> None:
        if not self.options.quiet:
            for warning in result.warnings:
                say(printable(f"warning: {warning}"))
        if self.options.get is not None:
            print(_plain(look_up(result, self.options.get)))
        elif self.options.format == "table":
            _tables(result)
        else:
            if self.options.format == "csv" and result.thinned and not self.options.quiet:
                say(f"note: {len(result.recorded.epochs_K):,} of {result.epochs + 1:,} epochs; --every N shows others")
            sys.stdout.write(render(result, self.options.format, compact=self.many))
        if self.many and self.options.format in ("table", "plain", "md") and self.options.get is None:
            print()
        sys.stdout.flush()

    def _expect(self, expectation: Expectation, result: Result) -> bool:
        outcome = check(expectation, result)
        say(printable(str(outcome)))
        return outcome.met


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else repr(float(value) if isinstance(value, float) else value)


def _tables(result: Result) -> None:
    from rich.console import Console

    from gdtrain.report.tables import show

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    with console.capture() as shown:  # rich would turn a closed pipe into an exit of its own
        show(result, console)
    sys.stdout.write(shown.get())


class _Watch:
    """Asked by the engine whether to go on. Ctrl-C says no; a second one kills. After a second, shows progress."""

    def __init__(self, epochs: int, *, quiet: bool) -> None:
        self._epochs = epochs
        self._interrupted = False
        self._began = time.monotonic()
        self._live = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._progress: Any = None

    def __call__(self, epoch: int, loss: float) -> bool:
        if self._live and time.monotonic() - self._began > _QUIET_SECONDS:
            self._show(epoch, loss)
        return not self._interrupted

    def __enter__(self) -> _Watch:
        self._before = signal.getsignal(signal.SIGINT)
        signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)
        if self._progress is not None:
            self._progress.stop()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True

    def _show(self, epoch: int, loss: float) -> None:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (MofNCompleteColumn(), TextColumn("epochs"), BarColumn(), TextColumn("{task.description}"))
            console = Console(file=sys.stderr)
            self._progress = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
            self._task = self._progress.add_task("", total=self._epochs)
            self._progress.start()
        self._progress.update(self._task, completed=epoch, description=f"loss {loss:.6g}")
