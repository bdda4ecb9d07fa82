"""The result documents of groups that were solved at once: what all share from one that was fitted alone, and their own
numbers from what was found.

A group of which anything is doubtful is fitted once more: one whose rows are too few, or lie on the model, or hardly
determine it.

Shapes: G groups, P trained parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from typing import Any

import numpy as np

from gdtrain.bygroup.alone import Alone
from gdtrain.bygroup.numbers import Known, numbers_of
from gdtrain.bygroup.together import Together
from gdtrain.results.uncertainty import LARGEST
from gdtrain.threads import threads
from gdtrain.verdicts.verdict import at_rest

_NUMBERS = 1 << 14  # of the covariances that are held at once
_ALIKE = ("engine", "train", "predictor", "versions")  # sections that all groups have in common, in one mapping each

Own = Mapping[str, Any]


class Documents:
    """Those of all groups, made when they are asked for."""

    def __init__(self, alone: Alone, found: Together) -> None:
        self._alone, self._found = alone, found
        self._size = max(1, _NUMBERS // len(found.parameters.free) ** 2)
        self._first, self._clear, self._lists = -1, np.zeros(0, dtype=bool), dict[str, list[Any]]()
        self._shared: dict[str, Any] | None = None

    def of(self, g: int) -> dict[str, Any]:
        """A group's result document."""
        if not self._usual or not self._is_clear(g):
            return self._alone.document(g)
        if self._shared is None:
            self._shared = self._alone.document(g)
        return self._document(self._shared, g, {name: each[g - self._first] for name, each in self._lists.items()})

    @cached_property
    def _usual(self) -> bool:
        """Whether documents hold nothing but what is known of all groups, without their rows."""
        alone, experiment = self._alone, self._alone.experiment
        usual = not alone.gradients and experiment.predict is None and len(self._found.parameters.free) <= LARGEST
        return usual and not experiment.robust and not experiment.uncertainty.bootstrap

    @cached_property
    def _known(self) -> Known:
        return Known.of(self._alone.experiment, self._alone.groups, self._found)

    def _is_clear(self, g: int) -> bool:
        """Whether nothing about a group is doubtful. Groups are asked for in turn: many are worked out at once."""
        first = g - g % self._size
        if first != self._first:
            with threads(1):
                numbers, self._clear = numbers_of(self._known, slice(first, first + self._size))
            self._first, self._lists = first, {name: each.tolist() for name, each in numbers.items()}
        return bool(self._clear[g - first])

    def _document(self, shared: Mapping[str, Any], g: int, own: Own) -> dict[str, Any]:
        """With what all share."""
        found, names, starts = self._found, self._found.parameters.names, self._found.parameters.start_Q.tolist()
        rows = [(0, found.first_G[g], starts), (1, found.loss_G[g], own["value"])]
        history = [
            {"epoch": epoch, "loss": loss, "params": dict(zip(names, values, strict=True))}
            for epoch, loss, values in rows
        ]
        return {
            **shared,
            **{name: deepcopy(shared[name]) for name in _ALIKE if name in shared},
            "verdict": {**shared["verdict"], "detail": at_rest("loss", own["norm"])},
            "loss": {**shared["loss"], "initial": found.first_G[g], "final": found.loss_G[g]},
            "params": self._params(starts, own),
            "history": history,
            "predictions": [],
            "data": {**deepcopy(shared["data"]), "rows": self._alone.groups.sizes[g]},
            "metrics": {name: own[name] for name in shared["metrics"]},
            "uncertainty": self._uncertainty(shared["uncertainty"], g, own),
            "curvature": shared["curvature"]
            | {name: own[name] for name in shared["curvature"] if name in own}
            | {"optimum": dict(zip(names, own["optimum"], strict=True))},
        }

    def _params(self, starts: Sequence[float], own: Own) -> dict[str, Any]:
        parameters = self._found.parameters
        places = {q: p for p, q in enumerate(parameters.free)}
        return {name: _param(starts[q], q, places.get(q), own) for q, name in enumerate(parameters.names)}

    def _uncertainty(self, shared: Mapping[str, Any], g: int, own: Own) -> dict[str, Any]:
        names = self._found.parameters.trained
        told = {name: own[name] for name in shared if name in own}
        for name in ("covariance", "correlation"):
            told[name] = {one: dict(zip(names, row, strict=True)) for one, row in zip(names, own[name], strict=True)}
        if "weights" in shared:
            told["weights"] = "frequency" if self._known.counts_G[g] else "analytic"
        return {**shared, **told}


def _param(start: float, q: int, p: int | None, own: Own) -> dict[str, Any]:
    """The parameter q, which is the trained one p."""
    fields = {"start": start, "value": own["value"][q]}
    fields |= {"fixed": True} if p is None else {"gradient": own["gradient"][p]}
    fields |= {"scaled": own["scaled"][q]} if "scaled" in own else {}
    fields["optimum"] = own["optimum"][q]
    if p is not None:
        fields |= {name: own[name][p] for name in ("std_error", "t", "p", "interval")}
    return fields
