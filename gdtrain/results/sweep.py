"""The result of a sweep: its trials, ranked, as plain numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gdtrain.results.distinct import Found, distinct
from gdtrain.results.ranking import LOSSES, direction, rank_values, ranked
from gdtrain.results.result import plain_numbers
from gdtrain.results.seeds import HELD, SEEDS, means, over_seeds
from gdtrain.results.trial import Trial
from gdtrain.statuses import EXIT_CODES

if TYPE_CHECKING:
    import polars

SWEEP_SCHEMA = "gdtrain.sweep/1"
_MEASURED = ("verdict", "epochs", "loss")  # what a row has beside its axes and parameters


@dataclass
class SweepResult:
    """The trials of one experiment along its axes. `to_dict()` is the document, `frame` a data frame.

    source       which experiment it was: `configs/linear.yaml`, `the built-in example`
    axes         dotted keys, in order; `trials` in the order of the points
    rank_by      what ranks the trials: `loss`, `epochs`, a parameter, a dotted path; `-NAME` puts the largest first
    floor        losses that differ by less are rounding (absolute)
    rerun        the command that trains the best trial alone; "" where there is none
    top          so many of the best are shown; None for the usual number
    groups       programs that what was set makes; the trials of one go side by side
    trained      how many were trained now, the others kept from an earlier run; None for all
    starts       the trials are so many random starts of one problem; None in any other sweep
    finder       of a search for a learning rate: `fastest`, `breaks`, `limit` (lr or None) ...; else None
    interrupted  stopped before every trial had ended
    planned      how many trials there were to be; None for just these
    expectations  what was expected of the best, and whether that was met: the section of the document
    """

    name: str
    kind: str
    statement: str
    source: str
    axes: list[str]
    trials: Sequence[Trial]
    seed: int
    versions: dict[str, str]
    timing: dict[str, float] = field(default_factory=dict)
    rank_by: str = "loss"
    floor: float = 0.0
    warnings: list[str] = field(default_factory=list)
    rerun: str = ""
    top: int | None = None
    trained: int | None = None
    starts: int | None = None
    finder: Mapping[str, Any] | None = None
    interrupted: bool = False
    planned: int | None = None
    expectations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def order(self) -> list[int]:
        """Indices of the trials, best first."""
        return self._ranked[0]

    @property
    def ranks(self) -> list[int]:
        """The rank of each trial; those that tie within rounding share one: 1, 1, 3."""
        return self._ranked[1]

    @cached_property
    def _ranked(self) -> tuple[list[int], list[int]]:
        name, largest = self.metric
        values_S = means(self.trials, self.axes, -self.values_S if largest else self.values_S)
        return ranked(self.trials, values_S, self.floor if name in LOSSES else 0.0)

    @property
    def metric(self) -> tuple[str, bool]:
        """The name of what ranks the trials, and whether the largest comes first."""
        return direction(self.rank_by, self.parameters)

    @cached_property
    def values_S(self) -> np.ndarray:
        """What ranks each trial. Raises UserError where no trial has such a number."""
        return rank_values(self.trials, self.metric[0], self.parameters)

    @property
    def best(self) -> int | None:
        """Index of the best trial; None where every one diverged or ended at what is not finite."""
        first = self.order[0] if self.trials else None
        return first if first is not None and self.trials[first].sound else None

    @property
    def first(self) -> Trial | None:
        """The trial that is asked for single numbers: the best, else the first in order; None where none ended."""
        if not self.trials:
            return None
        return self.trials[self.order[0] if self.best is None else self.best]

    @property
    def ties(self) -> int:
        """How many trials share the first rank; 0 where there is no best one."""
        return 0 if self.best is None else self.ranks.count(1)

    @property
    def exit_code(self) -> int:
        """0 if a trial ended well; 1 where no start found a root, 4 where every trial diverged, 130 if interrupted."""
        if self.interrupted or any(trial.status == "interrupted" for trial in self.trials):
            return EXIT_CODES["interrupted"]
        if self.best is None:
            return EXIT_CODES["diverged"]
        return EXIT_CODES["no_root"] if self.kind == "solve" and self.starts is not None and not self.found else 0

    @cached_property
    def found(self) -> list[Found]:
        """Of many starts, the distinct roots or minima."""
        return [] if self.starts is None else distinct(self.trials, self.kind)

    @cached_property
    def parameters(self) -> list[str]:
        """Names of the parameters; trials of several formulas may have different ones."""
        return list(dict.fromkeys(name for trial in self.trials for name in trial.params))

    @property
    def settings(self) -> list[dict[str, Any]]:
        """Where seeds or folds are an axis, each setting of the other axes over these, the least mean loss first."""
        return over_seeds(self.trials, self.axes, self.parameters) if self.seeds else []

    @property
    def seeds(self) -> list[str]:
        """The axes that a setting is told over: seeds, and what is held out."""
        return [axis for axis in self.axes if axis in SEEDS]

    @property
    def averaged(self) -> list[str]:
        """Those of them along which other rows are held out: trials are ranked by the mean over these."""
        return [axis for axis in self.axes if axis in HELD]

    @property
    def frame(self) -> polars.DataFrame:
        """One row a trial, in the order of the points: axes, verdict, epochs, loss, that of held-out rows as `held_out`
        where there are some, its deviation over folds as `held_out_sd`, then a column for each parameter.

        Names that are taken become `set.NAME` and `params.NAME`. An axis of anything but numbers is a column of text.
        """
        import polars

        header, rows = self.columns(), list(self.rows(range(len(self.trials))))
        columns = zip(*rows, strict=True) if rows else [()] * len(header)
        return polars.DataFrame([_series(name, column) for name, column in zip(header, columns, strict=True)])

    def columns(self) -> list[str]:
        """Names of the columns of `rows`."""
        measured = [*_MEASURED, *self._held_out]
        taken = list(measured)
        axes = [free_name(axis, "set.", taken) for axis in self.axes]
        return [*axes, *measured, *(free_name(name, "params.", taken) for name in self.parameters)]

    def rows(self, indices: Iterable[int]) -> Iterable[list[Any]]:
        """These trials as rows of plain values; None for a parameter that a trial has not."""
        for s in indices:
            trial = self.trials[s]
            values = [trial.params.get(name) for name in self.parameters]
            held = [getattr(trial, name) for name in self._held_out]
            axes = (trial.set.get(axis) for axis in self.axes)
            yield [*axes, trial.status, trial.epochs, trial.loss, *held, *values]

    @property
    def _held_out(self) -> list[str]:
        """Names of the columns of held-out losses and of their deviations over folds, where there are some."""
        names = ("held_out", "held_out_sd")
        return [name for name in names if any(getattr(trial, name) is not None for trial in self.trials)]

    @property
    def listed(self) -> list[int]:
        """Indices of the trials that the document lists: all of them, or the best `top`, in the order of the points."""
        return list(range(len(self.trials))) if self.top is None else sorted(self.order[: self.top])

    def to_dict(self) -> dict[str, Any]:
        """The document (schema gdtrain.sweep/1): plain JSON types, non-finite numbers as strings."""
        return {**self.head(), "trials": [self.entry(s) for s in self.listed], **self.tail()}

    def head(self) -> dict[str, Any]:
        """What the document says before its trials."""
        document = {
            "schema": SWEEP_SCHEMA,
            "name": self.name,
            "kind": self.kind,
            "statement": self.statement,
            "source": self.source,
            "axes": self.axes,
            "rank_by": self.rank_by,
            "count": len(self.trials),
        }
        return document | ({} if self.starts is None else {"starts": self.starts})

    def entry(self, s: int) -> dict[str, Any]:
        """Trial s as the document lists it: what was set, its rank, and its result."""
        trial = self.trials[s]
        about: dict[str, Any] = {"set": trial.set, "rank": self.ranks[s]}
        if self.finder is not None:
            about["reach"] = trial.reach
        clean: dict[str, Any] = plain_numbers(about)
        return clean | trial.document()

    def tail(self) -> dict[str, Any]:
        """What the document says after its trials. Indices are places in its list: null for one that is not listed."""
        places = {s: place for place, s in enumerate(self.listed)}
        document: dict[str, Any] = {"best": places.get(-1 if self.best is None else self.best), "ties": self.ties}
        if self.seeds:
            document["settings"] = self.settings
        if self.starts is not None:
            document["roots" if self.kind == "solve" else "minima"] = [self._end(f, places) for f in self.found]
        if self.finder is not None:
            document["finder"] = self.finder
        document["rerun"] = self.rerun
        return self._closed(document)

    def _closed(self, document: dict[str, Any]) -> dict[str, Any]:
        """A last part with what every document of many trials ends in, as plain numbers."""
        if self.expectations:
            document["expectations"] = self.expectations
        if self.warnings:
            document["warnings"] = self.warnings
        document |= {"seed": self.seed, "versions": self.versions}
        if self.timing:
            document["timing"] = self.timing
        clean: dict[str, Any] = plain_numbers(document)
        return clean

    def _end(self, found: Found, places: Mapping[int, int]) -> dict[str, Any]:
        trial = self.trials[found.trial]
        end: dict[str, Any] = {"params": trial.params, "loss": trial.loss, "starts": found.starts}
        if trial.held_out is not None:
            end["held_out"] = trial.held_out
        end["trial"] = places.get(found.trial)
        if self.kind == "solve":
            end["equations"] = trial.document().get("equations", [])
        return end

    def __str__(self) -> str:
        trials = f"{len(self.trials):,} trial{'s' * (len(self.trials) != 1)} of {self.kind} {self.statement}"
        if self.best is None:
            return f"{trials}: none ended well"
        best = self.trials[self.best]
        values = ", ".join(f"{axis} = {value}" for axis, value in best.set.items())
        return f"{trials}\n  best: {values}: {best.status}, loss {best.loss:.6g}"

    __repr__ = __str__


def free_name(name: str, prefix: str, taken: list[str]) -> str:
    """`name`, behind so many prefixes that nothing else is called so."""
    while name in taken:
        name = prefix + name
    taken.append(name)
    return name


def _series(name: str, values: Sequence[Any]) -> polars.Series:
    import polars

    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    present = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        whole = bool(present) and all(isinstance(value, int) for value in present)
        return polars.Series(name, values, dtype=polars.Int64 if whole else polars.Float64, strict=False)
    return polars.Series(name, [None if value is None else as_text(value) for value in values], dtype=polars.String)


def as_text(value: Any) -> str:
    """A value as text that no digit is missing from: numbers and words as they are, anything else as JSON."""
    plain = plain_numbers(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, default=str)
