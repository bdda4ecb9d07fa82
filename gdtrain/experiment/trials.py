"""Trials of one experiment that differ in numbers alone: what a batch trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from gdtrain.experiment.overrides import WHOLE, keys_of
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.tree import Node, Place


@dataclass(frozen=True)
class Trials:
    """S trials of one experiment that differ in numbers alone; a plain run is one trial with no numbers.

    experiment  the first of them
    numbers     canonical dotted key -> S numbers: train.lr, train.epochs, train.seed, params.NAME.start.value,
                train.optimizer.momentum, penalty.l1, penalty.l2 and the like
    count       S
    """

    experiment: Experiment
    numbers: Mapping[str, Sequence[float]] = field(default_factory=dict)
    count: int = 1

    def of(self, key: str) -> Sequence[float] | None:
        """The S numbers of a key; None where all trials share the experiment's."""
        return self.numbers.get(key)

    def take(self, rows: Sequence[int]) -> Trials:
        """These trials alone, in this order; at least one."""
        numbers = {key: [values[s] for s in rows] for key, values in self.numbers.items()}
        return Trials(self.experiment_of(rows[0]), numbers, len(rows))

    def experiment_of(self, s: int) -> Experiment:
        """A trial's own experiment, equal to what loading it alone gives."""
        experiment, tree = self.experiment, self.experiment.tree
        for key, values in self.numbers.items():
            keys, value = keys_of(key), int(values[s]) if key in WHOLE else float(values[s])
            experiment = _with(experiment, keys, value)
            tree = _put(tree, keys, value)
        if experiment is self.experiment:
            return experiment
        return experiment.located(tree=tree, folder=experiment.folder, chosen=experiment.chosen)


def _with(section: Any, keys: Sequence[str], value: float) -> Any:
    """A section of an experiment with the number that `keys` lead to; the other sections are shared."""
    if not keys:
        return value
    if isinstance(section, BaseModel):
        return section.model_copy(update={keys[0]: _with(getattr(section, keys[0]), keys[1:], value)})
    return {**section, keys[0]: _with(section[keys[0]], keys[1:], value)}


def _put(tree: Node, keys: Sequence[str], value: float) -> Node:
    """A tree with a number where `keys` lead, told to stand where the first trial's does."""
    place = tree.find(*keys)
    return tree.put(keys, Node(value, Place.of(place.where, repr(value))), tree.key(*keys))
