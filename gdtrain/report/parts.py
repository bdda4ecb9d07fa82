"""What is shown of a result or of a sweep, for every format alike."""

from __future__ import annotations

from gdtrain.report import sections as of_result
from gdtrain.report import sweep as of_sweep
from gdtrain.report.sections import Section
from gdtrain.results import Result, SweepResult

Outcome = Result | SweepResult


def sections(outcome: Outcome, width: int | None = None) -> list[Section]:
    """Its tables. Those wider than `width` cells show fewer weights."""
    if isinstance(outcome, SweepResult):
        return of_sweep.sections(outcome, width)
    return of_result.sections(outcome, width)


def summary(outcome: Outcome) -> list[str]:
    """The lines below the tables."""
    return of_sweep.summary(outcome) if isinstance(outcome, SweepResult) else of_result.summary(outcome)


def status(outcome: Outcome) -> str:
    """The verdict that colours the first of those lines."""
    return of_sweep.status(outcome) if isinstance(outcome, SweepResult) else outcome.verdict.status
