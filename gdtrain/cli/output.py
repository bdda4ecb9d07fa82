"""Training as the command line has it: in folders, watched, and shown."""

from __future__ import annotations

import gc
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdtrain.cli.gate import Gate
from gdtrain.cli.messages import as_text, say
from gdtrain.cli.options import Common
from gdtrain.cli.rerun import alone
from gdtrain.cli.showing import Showing
from gdtrain.cli.watched import Watched
from gdtrain.errors import INTERRUPTED, TERMINATED, UserError, printable
from gdtrain.experiment.features import row_names
from gdtrain.experiment.overrides import AxisFlag, Override
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.sweep import Sweep
from gdtrain.results.lookup import check_name, names_of
from gdtrain.results.ranking import check_metric

if TYPE_CHECKING:
    from gdtrain.saved import Saved
    from gdtrain.sweeps.sweeping import Request


@dataclass(frozen=True)
class Output:
    """How experiments are trained and shown.

    out    the folder that keeps the run, in place of the experiment's
    force  a run that is in the way is replaced
    """

    showing: Showing
    out: str | None = None
    force: bool = False

    @classmethod
    def checked(cls, options: Common, *, many: bool = False, out: str | None = None, force: bool = False) -> Output:
        """Refuse before anything trains what could not be shown after."""
        return cls(Showing.checked(options, many=many), out, force)

    @property
    def options(self) -> Common:
        return self.showing.options

    @property
    def gate(self) -> Gate:
        return self.showing.gate

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
            options = replace(self.options, every=told.every, gradients=told.gradients)
            output = replace(self, showing=replace(self.showing, options=options))
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
        return self._shown(saved, failed, lambda: self.showing.outcome(experiment, result, result, code))

    def _tell_of(self, saved: Saved | None) -> None:
        """What there is to say of a folder before anything is trained."""
        for note in saved.notes if saved else ():
            self.showing.note(note)
        if saved is not None and saved.refused is not None:  # told at once: training may take long
            say(str(saved.refused))

    def _shown(self, saved: Saved | None, failed: UserError | None, show: Callable[[], int]) -> int:
        """Show an outcome, and tell what became of its folder. Returns the exit code."""
        if failed is not None and saved is not None and saved.refused is None:
            say(str(failed))
        code = show()
        if failed is not None:
            return max(code, failed.code)
        return self._going_on(code, saved.named if saved else None)

    def _going_on(self, code: int, folder: str | Path | None) -> int:
        """Tell how what was interrupted is taken up. Returns the exit code."""
        if folder is not None and code in (INTERRUPTED, TERMINATED):
            self.showing.note(f"gdtrain resume {shlex.quote(str(folder))} goes on with it")
        return code

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
            told = partial(train_starts, watch=watch, tell=self.showing.note, ready=ready, lost=partial(_lose, lost))
            result = told(experiment, count, request, _tables())
        return self._going_on(self.showing.sweep(experiment, result, watch, lost), None if lost else request.out)

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
        return self._shown(saved, failed, lambda: self.showing.outcome(experiment, result, None, code))

    def sweep(self, spec: Sweep, request: Mapping[str, Any]) -> int:
        """Train a sweep and show it, ranked. Returns the exit code."""
        from gdtrain.sweeps.sweeping import Request, sweep

        _collect()
        watched = Watched(len(spec.points), quiet=self.options.quiet, unit="trials")
        lost: list[UserError] = []
        with self.gate.of(spec.experiment), watched as watch:
            ready = partial(self._check_sweep, spec.experiment, request["rank_by"])
            told = partial(sweep, watch=watch, tell=self.showing.note, ready=ready, lost=partial(_lose, lost))
            result = told(spec, Request(**request), _tables())
        shown = self.showing.sweep(spec.experiment, result, watch, lost)
        return self._going_on(shown, None if lost else request["out"])

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
            result = find_lr(spec, limit, asked, tables, watch=watch, tell=self.showing.note, ready=ready)
        return self.showing.sweep(spec.experiment, result, watch)

    def _check_get(self, experiment: Experiment, parameters: Sequence[str]) -> None:
        """Refuse a name that the result will not have before any time is spent on it."""
        if self.options.get is not None:
            known = names_of(split=_splits(experiment))
            check_name(self.options.get, parameters, where="--get", known=known)

    def _check_sweep(self, experiment: Experiment, rank_by: str | None, parameters: Sequence[str]) -> None:
        self._check_get(experiment, parameters)
        if rank_by is not None:
            check_metric(rank_by, parameters, split=_splits(experiment))


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
