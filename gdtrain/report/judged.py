"""What an experiment came to beside what was expected of it: what a gate in CI reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from gdtrain.errors import printable
from gdtrain.expectations.held import Outcome
from gdtrain.report.numbers import number
from gdtrain.report.parts import Outcome as Trained
from gdtrain.report.render import escaped, pipe_table
from gdtrain.report.sections import Section
from gdtrain.results import GroupsResult, Result, Trial

_SHOWN = 20  # parameters of a summary
_UNSOUND = {1: "failure", 4: "failure"}  # exit codes of training itself that are no errors of the command


@dataclass(frozen=True)
class Judged:
    """One experiment's end.

    name      of the experiment
    told      what it came to, in a sentence
    outcomes  of its expectations
    wrong     `failure` where it ended badly (diverged, no root), `error` where it did not end at all, else ""
    seconds   that it took
    params    name -> value at the end, of a sweep those of the best trial
    """

    name: str
    told: str
    outcomes: Sequence[Outcome]
    wrong: str
    seconds: float
    params: Sequence[tuple[str, float]] = ()

    @classmethod
    def of(
        cls, outcome: Trained, best: Result | Trial | None, found: Sequence[Outcome], code: int, seconds: float
    ) -> Self:
        """Of what training came to, whose exit code was `code`."""
        told = f"{outcome.kind} {outcome.statement}: {_ended(outcome, best)}"
        params = [] if best is None else [*best.params.items()]
        return cls(outcome.name, told, found, _UNSOUND.get(code, "error") if code else "", seconds, params)

    @classmethod
    def stopped(cls, name: str, message: str, seconds: float) -> Self:
        """Of an experiment that an error ended."""
        return cls(name, message, (), "error", seconds)

    @property
    def met(self) -> bool:
        """Whether it ended well, and as expected."""
        return not self.wrong and all(outcome.met for outcome in self.outcomes)


def _ended(outcome: Trained, best: Result | Trial | None) -> str:
    if isinstance(outcome, Result):
        verdict = outcome.verdict
        return f"{verdict.status} after {verdict.epoch:,} epochs, {verdict.detail}; loss {outcome.loss['final']:.6g}"
    if isinstance(outcome, GroupsResult):
        ended = ", ".join(f"{count:,} {status}" for status, count in outcome.statuses.most_common())
        return f"{len(outcome.trials):,} groups by {outcome.column}, {ended}"
    trials = f"{len(outcome.trials):,} trials"
    if not isinstance(best, Trial):
        return f"{trials}, none ended"
    values = ", ".join(f"{axis} = {value}" for axis, value in best.set.items())
    of = f" at {values}" if values else ""
    if outcome.best is None:
        return f"{trials}, none ended well; the best {best.status}{of}"
    return f"{trials}, the best{of}: {best.status} after {best.epochs:,} epochs; loss {best.loss:.6g}"


def markdown(judged: Sequence[Judged]) -> str:
    """A summary in Markdown: for each experiment its end, its expectations, and its first parameters."""
    return "".join(f"{_block(each)}\n\n" for each in judged)


def _block(judged: Judged) -> str:
    mark = "✅" if judged.met else "❌"
    parts = [f"### {mark} gdtrain: {escaped(printable(judged.name))}", escaped(printable(judged.told))]
    if judged.outcomes:
        rows = [
            ["pass" if each.met else "fail", printable(each.expectation.text), printable(each.found)]
            for each in judged.outcomes
        ]
        parts.append(_table(["", "expectation", "found"], rows))
    if judged.params:
        rows = [[printable(name), number(value)] for name, value in judged.params[:_SHOWN]]
        parts.append(_table(["parameter", "value"], rows))
    if len(judged.params) > _SHOWN:
        parts.append(f"and {len(judged.params) - _SHOWN:,} more parameters")
    return "\n\n".join(parts)


def _table(header: list[str], rows: list[list[str]]) -> str:
    return pipe_table(Section("", header, rows, left=tuple(header[:1] + header[1:] * (len(header) > 2))))
