"""What CI reads of a command: expectations as JUnit XML, and a summary for the page of a GitHub workflow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gdtrain.cli.messages import say
from gdtrain.cli.places import as_it_is
from gdtrain.errors import NOT_WRITTEN, UserError, printable
from gdtrain.expectations.held import Outcome
from gdtrain.experiment.schema import Experiment
from gdtrain.keep.files import write_atomically, writing
from gdtrain.report.judged import Judged
from gdtrain.report.parts import Outcome as Trained
from gdtrain.results import Result, Trial

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
_WHERE = "--junit"


class Gate:
    """Gathers what each experiment of a command came to, and writes it once all have ended."""

    def __init__(self, junit: str | None) -> None:
        """Raises UserError where a file could not be written in the end."""
        self._junit = None if junit is None else Path(junit)
        self._summary = os.environ.get(STEP_SUMMARY, "")
        self._judged: list[Judged] = []
        self._named = ("", 0.0)
        if self._junit is not None:
            _require_room(self._junit)

    @contextmanager
    def of(self, experiment: Experiment) -> Iterator[None]:
        """Train an experiment: a mistake that ends it is part of what is told."""
        self._named = experiment.name, time.monotonic()
        try:
            yield
        except UserError as error:
            self._judged.append(Judged.stopped(experiment.name, str(error).splitlines()[0], self._seconds))
            raise

    def judged(self, outcome: Trained, best: Result | Trial | None, found: Sequence[Outcome], code: int) -> None:
        """Take in what the experiment that was trained last came to."""
        if self._junit is not None or self._summary:
            self._judged.append(Judged.of(outcome, best, found, code, self._seconds))

    def around(self, work: Callable[[], int]) -> int:
        """Carry out `work`, then write what it came to, also where it ended in an error. Returns the exit code."""
        try:
            code = work()
        except UserError:
            self._write()
            raise
        return max(code, self._write())

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._named[1]

    def _write(self) -> int:
        if self._summary and self._judged:
            self._append_summary()
        if self._junit is None:
            return 0
        from gdtrain.report.junit import junit

        try:
            with writing(self._junit, _WHERE):
                _put(self._junit, junit(self._judged))
        except UserError as error:
            say(str(error))
            return error.code
        return 0

    def _append_summary(self) -> None:
        """A page that cannot be written to fails no gate."""
        from gdtrain.report.judged import markdown

        try:
            with open(self._summary, "a", encoding="utf-8") as file:
                if file.tell():  # what is there may end in the middle of a line
                    file.write("\n")
                file.write(markdown(self._judged))
        except (OSError, ValueError) as error:
            what = getattr(error, "strerror", None) or "not a path"
            say(printable(f"warning: {STEP_SUMMARY}: cannot write {self._summary}: {what}"))


def _put(path: Path, text: str) -> None:
    """Write a file whole or not at all; a device or a pipe as it is. Raises OSError."""
    if as_it_is(path):
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    else:
        write_atomically(Path(os.path.realpath(path)), [text])


def _require_room(path: Path) -> None:
    """Refuse what is known before training to be no place for a file."""
    folder = path.parent
    if path.is_dir():
        what, remedy = f"{path} is a folder", "name a file in it"
    elif not folder.is_dir():
        what, remedy = f"there is no folder {folder}", "make it first"
    elif not (as_it_is(path) or os.access(folder, os.W_OK)):
        what, remedy = f"cannot write in {folder}", "name another folder"
    else:
        return
    raise UserError(what, where=_WHERE, remedy=remedy, code=NOT_WRITTEN)
