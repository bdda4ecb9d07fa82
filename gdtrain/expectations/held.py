"""Results held against expectations: whether each is met, and by what."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gdtrain.errors import UserError
from gdtrain.expectations.grammar import Expectation
from gdtrain.results import GroupsResult, Result, SweepResult, Trial
from gdtrain.results.lookup import look_up_each

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_TOLD = 3  # groups that fail an expectation


@dataclass(frozen=True)
class Outcome:
    """Whether an expectation was met, and by what. One that could not be evaluated is not met.

    found  a sentence
    value  the number or the word that it is about; None where there is none
    """

    expectation: Expectation
    met: bool
    found: str
    value: float | str | None = None

    def __str__(self) -> str:
        return f"{'pass' if self.met else 'fail'}: {self.expectation.text} ({self.found})"

    def document(self) -> dict[str, Any]:
        """Its entry in a result document."""
        return {"expect": self.expectation.text, "met": self.met, "found": self.value, "detail": self.found}


def hold(expectations: Sequence[Expectation], outcome: Result | SweepResult) -> list[Outcome]:
    """Hold what training came to against expectations: a result; a sweep by its best trial, the first of them where
    none ended well; every one of groups. The outcome's document then tells of them.
    """
    asked, sweep = (outcome.first, outcome) if isinstance(outcome, SweepResult) else (outcome, None)
    if isinstance(outcome, GroupsResult):
        found = [_of_groups(each, outcome) for each in expectations]
    elif asked is None:
        found = [Outcome(each, False, "no trial ended") for each in expectations]
    else:
        found = [check(each, asked, sweep) for each in expectations]
    outcome.expectations = [each.document() for each in found]
    return found


def check(expectation: Expectation, result: Result | Trial, sweep: SweepResult | None = None) -> Outcome:
    """Hold `result` against one expectation: what it has not is looked up in the sweep whose best trial it is.

    Where a name stands for several numbers, as `params.*.gradient`, every one must meet it, and the first that does
    not is told.
    """
    try:
        found = look_up_each(result, expectation.name, None if sweep is None else sweep.to_dict)
    except UserError as error:
        return Outcome(expectation, False, "; ".join(part for part in (error.what, error.remedy) if part))
    outcomes = [_held(expectation, name, value) for name, value in found]
    failed = [outcome for outcome in outcomes if not outcome.met]
    if len(outcomes) == 1:
        return outcomes[0]
    if failed:
        first = failed[0]
        return Outcome(expectation, False, f"{first.found}; {len(failed)} of {len(outcomes)} fail", first.value)
    return Outcome(expectation, True, f"all {len(outcomes)} of them")


def _of_groups(expectation: Expectation, result: GroupsResult) -> Outcome:
    """Whether every group meets an expectation; the first that do not are told of."""
    failed = [(trial, outcome) for trial in result.trials if not (outcome := check(expectation, trial)).met]
    groups = f"{len(result.trials):,} group{'s' * (len(result.trials) != 1)}"
    if not failed:
        return Outcome(expectation, True, f"in {groups}")
    by = result.column
    told = ", ".join(f"{by} = {trial.set[by]}: {outcome.found}" for trial, outcome in failed[:_TOLD])
    more = ", ..." if len(failed) > _TOLD else ""
    return Outcome(expectation, False, f"not in {len(failed):,} of {groups}: {told}{more}", failed[0][1].value)


def _held(expectation: Expectation, name: str, found: float | str) -> Outcome:
    if isinstance(expectation.wanted, str):
        met = (found == expectation.wanted) == (expectation.sign != "!=")
        return Outcome(expectation, met, f"{name} = {found}", found)
    if isinstance(found, str):
        return Outcome(expectation, False, f"{name} = {found}, which is no number", found)
    return Outcome(expectation, _compare(expectation, float(found)), f"{name} = {found:.10g}", found)


def _compare(expectation: Expectation, found: float) -> bool:
    wanted = float(expectation.wanted)
    if math.isnan(found) or math.isnan(wanted):
        return False
    if expectation.tolerance is not None:
        distance = abs(found - wanted)
        return not math.isnan(distance) and (distance <= expectation.tolerance) == (expectation.sign != "!=")
    return COMPARISONS[expectation.sign](found, wanted)
