"""What came of training as the command line shows it: judged, on stdout, with warnings and expectations on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from gdtrain.cli.gate import Gate
from gdtrain.cli.messages import print_tables, say
from gdtrain.cli.options import Common, check_format
from gdtrain.cli.watched import Watched
from gdtrain.errors import INTERRUPTED, UserError, printable
from gdtrain.expectations.grammar import Expectation, parse_expectation
from gdtrain.expectations.held import hold
from gdtrain.experiment.schema import Experiment
from gdtrain.report.parts import Outcome
from gdtrain.report.render import pieces
from gdtrain.results import GroupsResult, Result, SweepResult, Trial
from gdtrain.results.lookup import look_up


@dataclass(frozen=True)
class Showing:
    """How outcomes are shown.

    many  several in a row, so that JSON is a document a line
    """

    options: Common
    expectations: list[Expectation]
    many: bool
    gate: Gate

    @classmethod
    def checked(cls, options: Common, *, many: bool = False) -> Showing:
        """Refuse before anything trains what could not be shown after."""
        check_format(options.format)
        expected = [parse_expectation(text) for text in options.expect]
        return cls(options, expected, many, Gate(options.junit))

    def outcome(self, experiment: Experiment, outcome: Outcome, best: Result | Trial | None, code: int) -> int:
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
            from gdtrain.report.tables import show

            print_tables(partial(show, outcome))
        else:
            if isinstance(outcome, Result) and outcome.thinned and self.options.format == "csv":
                self.note(
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

    def note(self, note: str) -> None:
        """Say what is neither result nor warning."""
        if not self.options.quiet:
            say(printable(f"note: {note}"))

    def sweep(self, experiment: Experiment, result: SweepResult, watch: Watched, lost: Sequence[UserError] = ()) -> int:
        """Show a sweep; what is asked of one result is asked of the best trial. `lost`: why it could not be kept."""
        if result.best is not None and not self.options.quiet:
            own = result.trials[result.best].document().get("warnings", [])
            for warning in (warning for warning in own if warning not in result.warnings):
                say(printable(f"warning: of the best trial: {warning}"))
        code = watch.code if result.exit_code == INTERRUPTED else result.exit_code
        return max(self.outcome(experiment, result, result.first, code), *(error.code for error in lost), 0)

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
            self.note(f"{len(errors):,} of {len(values):,} groups have no {name}, nan here: {errors[0].what}")


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else repr(float(value) if isinstance(value, float) else value)
