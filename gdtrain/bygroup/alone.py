"""Groups fitted one after another, or side by side where their walks can be joined: each as its rows alone would be."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gdtrain.data.groups import GroupRows, Groups
from gdtrain.data.predictions import PredictedRows
from gdtrain.engines.loop import Descent, Watch
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.trials import Trials
from gdtrain.planning.plan import Plan, make_plan
from gdtrain.problem.build import build_problem
from gdtrain.results.groups import GroupTrial
from gdtrain.results.uncertainty import Estimate
from gdtrain.threads import threads
from gdtrain.trials.batch import Batch
from gdtrain.trials.joined import cut, join, joins
from gdtrain.trials.outcome import Outcome
from gdtrain.trials.swept import trial_of

_ROWS = 1 << 15  # of groups that are walked side by side
_NUMBERS = 1 << 20  # of what is recorded of these, and of their columns


@dataclass(frozen=True)
class Alone:
    """How each group is fitted.

    every, gradients  of its history, of which about `few` epochs are recorded
    """

    experiment: Experiment
    groups: Groups
    every: int | None
    gradients: bool
    few: int

    def outcomes(
        self, some: Sequence[int], watch: Watch | None, known: Container[int] = ()
    ) -> Iterator[tuple[int, Outcome]]:
        """What some groups came to, but for those that are known. These move no other's number: what is walked side by
        side stays so.
        """
        for together in self._chunks(some):
            wanted = [g not in known for g in together]
            if not any(wanted):
                continue
            posed = [self._posed(g) for g in together]
            plans = [plan for _, plan in posed]
            for g, (data, plan), descent in zip(together, posed, _descents(plans, wanted, watch), strict=True):
                if descent is not None:
                    yield g, self._outcome(data, plan, descent)

    def outcome(self, g: int) -> Outcome:
        """What a group came to."""
        data, plan = self._posed(g)
        return self._outcome(data, plan, plan.run())

    def trial(self, settings: Mapping[str, Any], g: int, outcome: Outcome, *, keep: bool) -> GroupTrial:
        """A group's fit as plain numbers; its document is made of what was kept, or by fitting it once more."""
        found = trial_of(settings, outcome)
        document = found.document if keep else partial(self.document, g)
        numbers = {name: getattr(found, name) for name in ("status", "epochs", "loss", "first", "params")}
        estimates = partial(_estimates, outcome) if keep else partial(self.estimates, g)
        rows = self.groups.sizes[g]
        return GroupTrial(settings, document=document, rows=rows, estimates=estimates, **numbers)

    def document(self, g: int) -> dict[str, Any]:
        """A group's result document."""
        with threads(1):
            return trial_of({}, self.outcome(g)).document()

    def estimates(self, g: int) -> Mapping[str, Estimate]:
        """Its standard errors."""
        with threads(1):
            return _estimates(self.outcome(g))

    def _chunks(self, some: Sequence[int]) -> Iterator[list[int]]:
        """Groups that are posed at once: no more than are walked side by side, their rows filled up to the longest."""
        chunk: list[int] = []
        longest, sizes = 0, self.groups.sizes
        parameters = len(self.groups.whole.names.parameters)
        for g in some:
            longest = max(longest, sizes[g])
            count = len(chunk) + 1
            if chunk and (count * longest > _ROWS or count * parameters * max(longest, self.few) > _NUMBERS):
                yield chunk
                chunk, longest = [], sizes[g]
            chunk.append(g)
        if chunk:
            yield chunk

    def _posed(self, g: int) -> tuple[GroupRows, Plan]:
        data = self.groups.of(g)
        with threads(1):
            problem = build_problem(self.experiment, data)
            return data, make_plan(Trials(self.experiment), problem, self.every, brief=self.few)

    def _outcome(self, data: GroupRows, plan: Plan, descent: Descent) -> Outcome:
        rows = data.own_rows() if self.experiment.predict is not None else PredictedRows({}, 0, {})
        batch = Batch(Trials(self.experiment), data, plan, descent, rows, gradients=self.gradients)
        return Outcome(batch, 0, plan.epochs)


def _estimates(outcome: Outcome) -> Mapping[str, Estimate]:
    found = outcome.result().uncertainty
    return {} if found is None else found.estimates


def _descents(plans: Sequence[Plan], wanted: Sequence[bool], watch: Watch | None) -> Iterator[Descent | None]:
    """The descent of each plan that is wanted: as one where that is cheaper."""
    longest = max(plans, key=lambda plan: plan.problem.rows)
    with threads(1):
        if len(plans) > 1 and joins(longest, len(plans)) and (joint := join(plans)):
            for descent, one in zip(cut(joint.run(watch), len(plans)), wanted, strict=True):
                yield descent if one else None
            return
        for plan, one in zip(plans, wanted, strict=True):
            yield plan.run(watch) if one else None
