"""What is shown of a result or of a sweep, for every format alike."""

from __future__ import annotations

from gdtrain.errors import printable
from gdtrain.report import groups as of_groups
from gdtrain.report import sections as of_result
from gdtrain.report import sweep as of_sweep
from gdtrain.report import uncertainty
from gdtrain.report.sections import Section
from gdtrain.results import GroupsResult, Result, SweepResult

Outcome = Result | SweepResult


def sections(outcome: Outcome, width: int | None = None) -> list[Section]:
    """Its tables. Those wider than `width` cells show fewer weights."""
    if isinstance(outcome, GroupsResult):
        return of_groups.sections(outcome, width)
    if isinstance(outcome, SweepResult):
        return of_sweep.sections(outcome, width)
    estimates = uncertainty.table(outcome)
    return [*of_result.sections(outcome, width), *([] if estimates is None else [estimates])]


def summary(outcome: Outcome) -> list[str]:
    """The lines below the tables."""
    if isinstance(outcome, GroupsResult):
        return of_groups.summary(outcome)
    if isinstance(outcome, SweepResult):
        return of_sweep.summary(outcome)
    return [*of_result.summary(outcome), *map(printable, uncertainty.lines(outcome))]


def status(outcome: Outcome) -> str:
    """The verdict that colours the first of those lines."""
    if isinstance(outcome, GroupsResult):
        return of_groups.status(outcome)
    return of_sweep.status(outcome) if isinstance(outcome, SweepResult) else outcome.verdict.status
