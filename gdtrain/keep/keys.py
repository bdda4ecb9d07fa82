"""Keys of trials: the same for what gives the same numbers, whichever sweep the trial is part of.

A key is the SHA-256 of everything that a trial's numbers follow from: the experiment with every default filled in, the
bytes of its data, the version of the document, gdtrain's and torch's. Left out is what moves no number:

name    stands in the title; `renewed` puts today's into a kept document
chosen  which of its values were chosen for the user: 1,000 epochs are 1,000 epochs; `renewed` puts in today's list
sweep   says which trials there are, not what each of them is
expect  is held against them
out     is where they are kept, and checkpoint how often on the way
paths   of data and of rows to predict; their fingerprints tell what lies there
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from gdtrain import __version__
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.trials import Trials
from gdtrain.keep.fingerprint import Fingerprint, plain
from gdtrain.results import SCHEMA

_LEFT_OUT = ("name", "sweep", "expect", "out", "checkpoint")


def versions() -> dict[str, str]:
    """Of gdtrain and of torch, which is not imported for it."""
    return {"gdtrain": __version__, "torch": version("torch")}


def canonical(experiment: Experiment) -> dict[str, Any]:
    """What of an experiment moves numbers, as plain values."""
    paths = {"data": {"path"}, "predict": {"path"}}
    return experiment.model_dump(exclude={**dict.fromkeys(_LEFT_OUT, True), **paths}, exclude_none=True)


def leaves(section: Mapping[str, Any], *above: str) -> Iterator[tuple[str, Any]]:
    """Dotted keys of plain sections, and what stands there: a list is one value."""
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, *above, key)
        else:
            yield ".".join((*above, key)), value


class TrialKeys:
    """Keys of trials that differ from an experiment in numbers alone.

    experiment  as it was loaded
    data        the fingerprints of what it reads
    also        what else its documents show: every which epoch, whether gradients; plain values
    """

    def __init__(
        self,
        experiment: Experiment,
        data: Mapping[str, Fingerprint] | None = None,
        also: Mapping[str, Any] | None = None,
    ) -> None:
        whole = dict(leaves(canonical(experiment)))
        numbers = {key: value for key, value in sorted(whole.items()) if _is_number(value)}
        columns = experiment.data.columns if experiment.data else None
        rest = {
            "schema": SCHEMA,
            "versions": versions(),
            "experiment": {key: value for key, value in whole.items() if key not in numbers},
            "columns": list(columns or ()),  # in which order, which sorting the keys would lose
            "data": plain(data or {}),
            "also": dict(also or {}),
        }
        self._rest = sha256(json.dumps(rest, sort_keys=True).encode())
        self._types = {key: type(value) for key, value in numbers.items()}
        self._written = {key: f"\n{key} = {value!r}" for key, value in numbers.items()}

    def key(self, numbers: Mapping[str, float] | None = None) -> str:
        """The key of the trial with these numbers, by dotted key, in place of the experiment's."""
        types = self._types
        own = {key: f"\n{key} = {types[key](number)!r}" for key, number in (numbers or {}).items()}
        digest = self._rest.copy()
        digest.update("".join((self._written | own).values()).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def of(self, trials: Trials) -> list[str]:
        """The S keys of trials of this experiment."""
        rows = zip(*trials.numbers.values(), strict=True) if trials.numbers else [()] * trials.count
        return [self.key(dict(zip(trials.numbers, row, strict=True))) for row in rows]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def renewed(document: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    """A kept document as it would be written today: what its key leaves out, as the trial's experiment has it."""
    told = [key for key in experiment.chosen if key != "train.lr" or "lr" in document["train"]]
    train = document["train"] | {"chosen": told}
    return document | {"name": experiment.name, "train": train}
