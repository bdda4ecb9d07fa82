"""The result of a fit for each group of rows, as plain numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gdtrain.results.result import plain_numbers
from gdtrain.results.sweep import SweepResult, free_name
from gdtrain.results.trial import Trial
from gdtrain.results.uncertainty import Estimate

GROUPS_SCHEMA = "gdtrain.groups/1"
_ESTIMATES = ("std_error", "low", "high")  # columns of each parameter that was trained


@dataclass(frozen=True)
class GroupTrial(Trial):
    """A group's fit: `set` is the value of the column that tells it apart.

    rows       how many it has
    estimates  () -> standard errors and the like of its parameters, by name; {} where they would say nothing
    """

    rows: int = 0
    estimates: Callable[[], Mapping[str, Estimate]] = field(default=dict, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The result document with the group that it is of."""
        return {"group": dict(self.set), **self.document()}


@dataclass(repr=False)
class GroupsResult(SweepResult):
    """The groups of one experiment, in the order of their values: `trials` holds a fit for each.

    estimated  parameters that have standard errors where these can be told
    """

    trials: Sequence[GroupTrial]
    estimated: Sequence[str] = ()

    @property
    def column(self) -> str:
        """What the rows are grouped by."""
        return self.axes[0]

    @property
    def order(self) -> list[int]:
        """Groups do not compete: they stay in the order of their values."""
        return list(range(len(self.trials)))

    @property
    def ranks(self) -> list[int]:
        return [s + 1 for s in self.order]

    @property
    def best(self) -> int | None:
        """The first that ended well; None where none did."""
        return next((s for s, trial in enumerate(self.trials) if trial.sound), None)

    @property
    def data_rows(self) -> int | None:
        """How many rows the groups have; None where some were not fitted."""
        return None if self.planned not in (None, len(self.trials)) else sum(trial.rows for trial in self.trials)

    @property
    def statuses(self) -> Counter[str]:
        """How many groups ended how."""
        return Counter(trial.status for trial in self.trials)

    def columns(self) -> list[str]:
        """Names of the columns of `rows`: the group, how many rows it has, how its fit ended, its parameters, and
        `std_error.NAME`, `low.NAME` and `high.NAME` of those that were trained.
        """
        taken = ["rows", "verdict", "epochs", "loss"]
        by = free_name(self.column, "group.", taken)
        names = [free_name(name, "params.", taken) for name in self.parameters]
        told = [free_name(f"{what}.{name}", "params.", taken) for name in self.estimated for what in _ESTIMATES]
        return [by, "rows", "verdict", "epochs", "loss", *names, *told]

    def rows(self, indices: Iterable[int]) -> Iterable[list[Any]]:
        """These groups as rows of plain values; None where there is no number."""
        for s in indices:
            trial = self.trials[s]
            estimates = trial.estimates()
            told = [number for name in self.estimated for number in _numbers(estimates.get(name))]
            values = [trial.params.get(name) for name in self.parameters]
            yield [trial.set[self.column], trial.rows, trial.status, trial.epochs, trial.loss, *values, *told]

    def head(self) -> dict[str, Any]:
        """What the document says before its groups. How many were planned is told where fewer were fitted."""
        planned = {} if self.planned in (None, len(self.trials)) else {"planned": self.planned}
        return {
            "schema": GROUPS_SCHEMA,
            "name": self.name,
            "kind": self.kind,
            "statement": self.statement,
            "source": self.source,
            "group_by": self.column,
            "count": len(self.trials),
            **planned,
        }

    def entry(self, s: int) -> dict[str, Any]:
        """A group as the document lists it: its value, and its result."""
        clean: dict[str, Any] = plain_numbers({"group": self.trials[s].set})
        return clean | self.trials[s].document()

    def tail(self) -> dict[str, Any]:
        """What the document says after its groups."""
        return self._closed({"verdicts": dict(self.statuses)})

    def __str__(self) -> str:
        ended = ", ".join(f"{count:,} {status}" for status, count in self.statuses.most_common())
        return f"{len(self.trials):,} groups by {self.column} of {self.kind} {self.statement}: {ended}"

    __repr__ = __str__


def _numbers(found: Estimate | None) -> tuple[float | None, ...]:
    return (None,) * len(_ESTIMATES) if found is None else (found.std_error, *found.interval)
