"""Training as the command line shows it: the result on stdout, progress, warnings and expectations on stderr."""

from __future__ import annotations

import gc
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gdtrain.cli.gate import Gate
from gdtrain.cli.messages import as_text, say
from gdtrain.cli.options import Common, check_format
from gdtrain.cli.rerun import alone
from gdtrain.cli.watched import Watched
from gdtrain.errors import INTERRUPTED, UserError, printable
from gdtrain.expectations.grammar import Expectation, parse_expectation
from gdtrain.expectations.held import hold
from gdtrain.experiment.features import row_names
from gdtrain.experiment.overrides import AxisFlag, Override
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.sweep import Sweep
from gdtrain.report.parts import Outcome
from gdtrain.report.render import pieces
from gdtrain.results import GroupsResult, Result, SweepResult, Trial
from gdtrain.results.lookup import check_name, look_up, names_of
from gdtrain.results.ranking import check_metric

if TYPE_CHECKING:
    from gdtrain.saved import Saved
    from gdtrain.sweeps.sweeping import Request


@dataclass(frozen=True)
class Output:
    """How results are shown.

    many   several in a row, so that JSON is a document a line
    out    the folder that keeps the run, in place of the experiment's
    force  a run that is in the way is replaced
    """

    options: Common
    expectations: list[Expectation]
    many: bool
    gate: Gate
    out: str | None = None
    force: bool = False

    @classmethod
    def checked(cls, options: Common, *, many: bool = False, out: str | None = None, force: bool = False) -> Output:
        """Refuse before anything trains what could not be shown after."""
        check_format(options.format)
        expected = [parse_expectation(text) for text in options.expect]
        return cls(options, expected, many, Gate(options.junit), out, force)

    def print_configs(self, experiments: Sequence[Experiment], without: Sequence[str] = ()) -> int:
        from gdtrain.experiment.dump import dump

        sys.stdout.write("---\n".join(dump(experiment, without) for experiment in experiments))
        return 0

    def train(self, experiment: Experiment) -> int:
        """Train one experiment, in its folder where it has one, and show what came of it. Returns the exit code."""
        saved = self._saved(experiment)
        if saved is None:
            return self._train(experiment)
        with saved:
            return self._train(experiment, saved)

    def _saved(self, experiment: Experiment) -> Saved | None:
        """The folder that keeps a run, or a fit of groups, opened; None where none does."""
        place = self.place(experiment)
        if place is None:
            if experiment.checkpoint is not None:
                raise UserError("there is no folder to save the run in", where="checkpoint", remedy="give --out DIR")
            return None
        from gdtrain.saved import Saved

        every, gradients = self.options.every, self.options.gradients
        command = self._command
        return Saved.new(experiment, place, force=self.force, command=command, every=every, gradients=gradients)

    def resume(self, place: str, overrides: Sequence[Override]) -> int:
        """Go on with the run in a folder, and show what came of it. Returns the exit code."""
        from gdtrain.keep.manifest import NAME  # with pydantic behind it, which --help need not wait for
        from gdtrain.saved import Saved

        if os.path.isfile(os.path.join(place, NAME)):
            return self._resume_sweep(place, overrides)
        with Saved.resumed(place, overrides, self._command) as saved:
            told = saved.manifest
            output = replace(self, options=replace(self.options, every=told.every, gradients=told.gradients))
            train = output._groups if saved.grouped else output._train
            return train(saved.experiment, saved)

    def _resume_sweep(self, place: str, overrides: Sequence[Override]) -> int:
        """Train what is missing in a sweep's folder."""
        from gdtrain.sweeps.resumed import kept_sweep
        from gdtrain.sweeps.sweeping import Request

        for override in overrides:
            remedy = "type it again, with other epochs and the same --out"
            if override.flag == "--checkpoint":
                remedy = "it keeps each batch that has ended"
            raise UserError("a sweep is taken up as it was", where=override.flag, remedy=remedy)
        spec, asked = kept_sweep(place)
        request = asked.model_dump(exclude={"chosen", "called"}) | {"out": place}
        request["rerun"] = partial(alone, asked.words, file=asked.file)
        if asked.starts:
            return self._starts(spec.declared, asked.starts, Request(**request))
        return self.sweep(spec, request)

    def place(self, experiment: Experiment) -> str | None:
        """The folder that keeps the run; None where none does."""
        own = None if experiment.out is None else experiment.locate(experiment.out)
        return own if self.out is None else self.out

    @property
    def _command(self) -> str:
        """What was typed, as a line."""
        return shlex.join(["gdtrain", *self.options.words]) + "\n"

    def _train(self, experiment: Experiment, saved: Saved | None = None) -> int:
        from gdtrain.train import train

        self._tell_of(saved)
        _collect()
        with self.gate.of(experiment), Watched(experiment.train.epochs, quiet=self.options.quiet) as watch:
            result = train(
                experiment,
                stdin=sys.stdin.buffer if sys.stdin else None,
                every=self.options.every,
                gradients=self.options.gradients,
                watch=watch,
                ready=partial(self._check_get, experiment),
                progress=saved.progress if saved else None,
            )
            failed = saved.finish(result) if saved else None
        result.quiet = self.options.quiet
        if experiment.regress and experiment.regress.features == ["*"] and not self.options.quiet:
            others = {*experiment.regress.target, *row_names(experiment)}
            features = [name for name in result.data["columns"] if name not in others]
            say(printable(f"features: {', '.join(features)}"))
        code = result.verdict.exit_code
        code = watch.code if code == INTERRUPTED else code
        return self._not_written(saved, failed, lambda: self._show(experiment, result, result, code))

    def _tell_of(self, saved: Saved | None) -> None:
        """What there is to say of a folder before anything is trained."""
        for note in saved.notes if saved else ():
            self._note(note)
        if saved is not None and saved.refused is not None:  # told at once: training may take long
            say(str(saved.refused))

    def _not_written(self, saved: Saved | None, failed: UserError | None, show: Callable[[], int]) -> int:
        """Show an outcome whose folder may not have been written. Returns the exit code."""
        if failed is not None and saved is not None and saved.refused is None:
            say(str(failed))
        code = show()
        return code if failed is None else max(code, failed.code)

    def starts(self, experiment: Experiment, count: int, source: object) -> int:
        """Train one experiment from many starts and show what they found. Returns the exit code."""
        from gdtrain.sweeps.sweeping import Request

        words = [as_text(word) for word in self.options.words]
        file = as_text(source) if isinstance(source, str) else ""
        request = Request(
            every=self.options.every,
            gradients=self.options.gradients,
            top=self.options.top,
            out=self.place(experiment),
            rerun=partial(alone, words, file=file),
            words=words,
            file=file,
        )
        return self._starts(experiment, count, request)

    def _starts(self, experiment: Experiment, count: int, request: Request) -> int:
        from gdtrain.sweeps.starts import train_starts

        _collect()
        ready = partial(self._check_get, experiment)
        lost: list[UserError] = []
        with self.gate.of(experiment), Watched(count, quiet=self.options.quiet, unit="starts") as watch:
            told = partial(train_starts, watch=watch, tell=self._note, ready=ready, lost=partial(_lose, lost))
            result = told(experiment, count, request, _tables())
        return self._show_sweep(experiment, result, watch, lost)

    def groups(self, experiment: Experiment, source: object) -> int:
        """Fit each group of rows, in its folder where there is one, and show what came of it. Returns the exit code."""
        saved = self._saved(experiment)
        if saved is None:
            return self._groups(experiment, source=source)
        with saved:
            return self._groups(experiment, saved, source)

    def _groups(self, experiment: Experiment, saved: Saved | None = None, source: object = "") -> int:
        from gdtrain.bygroup import fit_groups

        self._tell_of(saved)
        _collect()
        with self.gate.of(experiment), Watched(None, quiet=self.options.quiet, unit="groups") as watch:
            result = fit_groups(
                experiment,
                _tables(),
                source=source if isinstance(source, str) else "",
                every=self.options.every,
                gradients=self.options.gradients,
                top=self.options.top,
                watch=watch,
                ready=partial(self._check_get, experiment),
                progress=saved.progress if saved else None,
            )
            failed = saved.finish(result) if saved else None
        code = watch.code if result.exit_code == INTERRUPTED else result.exit_code
        return self._not_written(saved, failed, lambda: self._show(experiment, result, None, code))

    def sweep(self, spec: Sweep, request: Mapping[str, Any]) -> int:
        """Train a sweep and show it, ranked. Returns the exit code."""
        from gdtrain.sweeps.sweeping import Request, sweep

        _collect()
        watched = Watched(len(spec.points), quiet=self.options.quiet, unit="trials")
        lost: list[UserError] = []
        with self.gate.of(spec.experiment), watched as watch:
            ready = partial(self._check_sweep, spec.experiment, request["rank_by"])
            told = partial(sweep, watch=watch, tell=self._note, ready=ready, lost=partial(_lose, lost))
            result = told(spec, Request(**request), _tables())
        return self._show_sweep(spec.experiment, result, watch, lost)

    def find_lr(
        self,
        source: str | Mapping[str, Any],
        overrides: Sequence[Override],
        flags: Sequence[AxisFlag],
        request: Mapping[str, Any],
    ) -> int:
        """Look for a learning rate and show where descent is fastest. Returns the exit code."""
        from gdtrain.sweeps.finder import find_lr, search
        from gdtrain.sweeps.sweeping import Request

        tables = _tables()
        _collect()
        spec, limit = search(source, overrides, flags, tables, stdin=sys.stdin)
        if self.options.print_config:
            return self.print_configs([spec.declared], spec.following)
        watched = Watched(len(spec.points), quiet=self.options.quiet, unit="trials")
        with self.gate.of(spec.experiment), watched as watch:
            asked = Request(**request)
            ready = partial(self._check_get, spec.experiment)
            result = find_lr(spec, limit, asked, tables, watch=watch, tell=self._note, ready=ready)
        return self._show_sweep(spec.experiment, result, watch)

    def _check_get(self, experiment: Experiment, parameters: Sequence[str]) -> None:
        """Refuse a name that the result will not have before any time is spent on it."""
        if self.options.get is not None:
            known = names_of(split=_splits(experiment))
            check_name(self.options.get, parameters, where="--get", known=known)

    def _check_sweep(self, experiment: Experiment, rank_by: str | None, parameters: Sequence[str]) -> None:
        self._check_get(experiment, parameters)
        if rank_by is not None:
            check_metric(rank_by, parameters, split=_splits(experiment))

    def _note(self, note: str) -> None:
        if not self.options.quiet:
            say(printable(f"note: {note}"))

    def _show_sweep(
        self, experiment: Experiment, result: SweepResult, watch: Watched, lost: Sequence[UserError] = ()
    ) -> int:
        """Show a sweep; what is asked of one result is asked of the best trial. `lost`: why it could not be kept."""
        if result.best is not None and not self.options.quiet:
            own = result.trials[result.best].document().get("warnings", [])
            for warning in (warning for warning in own if warning not in result.warnings):
                say(printable(f"warning: of the best trial: {warning}"))
        code = watch.code if result.exit_code == INTERRUPTED else result.exit_code
        return max(self._show(experiment, result, result.first, code), *(error.code for error in lost), 0)

    def _show(self, experiment: Experiment, outcome: Outcome, best: Result | Trial | None, code: int) -> int:
        """Hold an outcome against the expectations, the file's first, and show it. Returns the exit code."""
        expected = [*(parse_expectation(text) for text in experiment.expect), *self.expectations]
        found = hold(expected, outcome)
        self.gate.judged(outcome, best, found, code)
        for warning in outcome.warnings if not self.options.quiet else ():
            say(printable(f"warning: {warning}"))
        if self.options.get is not None:
            if isinstance(outcome, GroupsResult):
                self._print_of_each(outcome, self.options.get)
            elif best is not None:
                print(_plain(look_up(best, self.options.get)))
        elif self.options.format == "table":
            _print_tables(outcome)
        else:
            if isinstance(outcome, Result) and outcome.thinned and self.options.format == "csv":
                self._note(
                    f"{len(outcome.recorded.epochs_K):,} of {outcome.epochs + 1:,} epochs; --every N shows others"
                )
            for piece in pieces(outcome, self.options.format, compact=self.many):
                sys.stdout.write(piece)
        if self.many and self.options.format in ("table", "plain", "md") and self.options.get is None:
            print()
        sys.stdout.flush()
        for each in found:
            say(printable(str(each)))
        return max(code, 0 if all(each.met for each in found) else 1)

    def _print_of_each(self, result: GroupsResult, name: str) -> None:
        """Print a value of each group, nan where one has it not. Raises UserError where none has."""
        values: list[str] = []
        errors = []
        for trial in result.trials[: result.top]:
            try:
                values.append(_plain(look_up(trial, name)))
            except UserError as error:
                errors.append(error)
                values.append("nan")
        if values and len(errors) == len(values):
            raise errors[0]
        sys.stdout.writelines(f"{value}\n" for value in values)
        if errors:
            self._note(f"{len(errors):,} of {len(values):,} groups have no {name}, nan here: {errors[0].what}")


def _lose(lost: list[UserError], error: UserError) -> None:
    """What can't be kept is told at once: training may take long."""
    say(str(error))
    lost.append(error)


def _splits(experiment: Experiment) -> bool:
    """Whether rows are held out."""
    return experiment.data is not None and experiment.data.split is not None


def _collect() -> None:
    """From here on there may be garbage to collect; what was imported stays."""
    gc.freeze()
    gc.enable()


def _tables() -> Any:
    from gdtrain.tables import Tables

    return Tables(stdin=sys.stdin.buffer if sys.stdin else None)


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else repr(float(value) if isinstance(value, float) else value)


def _print_tables(outcome: Outcome) -> None:
    from rich.console import Console

    from gdtrain.report.tables import show

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    with console.capture() as shown:  # rich would turn a closed pipe into an exit of its own
        show(outcome, console)
    sys.stdout.write(shown.get())
