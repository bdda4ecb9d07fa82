"""How two documents differ: parameters, loss, verdict, experiment, data; those of sweeps trial by trial."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gdtrain.errors import UserError
from gdtrain.results.groups import GROUPS_SCHEMA
from gdtrain.results.result import SCHEMA, plain_numbers
from gdtrain.results.saved import undamaged
from gdtrain.results.sweep import SWEEP_SCHEMA

DIFF_SCHEMA = "gdtrain.diff/1"
RTOL = 1e-9
_KINDS = {SCHEMA: "a single result", SWEEP_SCHEMA: "a sweep", GROUPS_SCHEMA: "a fit of groups"}
_NAMED = ("kind", "statement")
_TRAIN = ("chosen",)  # who chose a value is no part of what it is
_PLACE = ".path"  # where data lie is no part of what they are
_ABSENT = object()

Document = Mapping[str, Any]
Keys = Mapping[str, Any]  # dotted key -> value


@dataclass(frozen=True)
class Tolerance:
    """Numbers agree within atol + rtol * the larger of their magnitudes; nan agrees with nan."""

    rtol: float = RTOL
    atol: float = 0.0

    def agree(self, a: Any, b: Any) -> bool:
        """Whether two values do. Only numbers have a tolerance, and whole ones as little as texts."""
        if not (_is_number(a) and _is_number(b)) or (isinstance(a, int) and isinstance(b, int)):
            return bool(a == b)
        if math.isnan(a) or math.isnan(b):
            return math.isnan(a) and math.isnan(b)
        return bool(a == b) or abs(a - b) <= self.atol + self.rtol * max(abs(a), abs(b)) < math.inf


@dataclass(frozen=True)
class Difference:
    """What differs: `where` is a dotted name; a and b are the two values, None for one that is not there.

    part  `params`, `loss`, `verdict`, `experiment` or `data`; of sweeps also `trials`
    """

    part: str
    where: str
    a: Any
    b: Any

    @property
    def absolute(self) -> float | None:
        """b - a, of finite numbers."""
        if not (_is_number(self.a) and _is_number(self.b)):
            return None
        distance: float = self.b - self.a
        return distance if math.isfinite(distance) else None

    @property
    def relative(self) -> float | None:
        """|b - a| as a share of the larger magnitude."""
        if self.absolute is None or not self.absolute:
            return None
        return float(abs(self.absolute) / max(abs(self.a), abs(self.b)))

    def document(self) -> dict[str, Any]:
        """Its entry in the document."""
        told = {"part": self.part, "where": self.where, "a": self.a, "b": self.b}
        return told | {"absolute": self.absolute, "relative": self.relative}


@dataclass(frozen=True)
class Differences:
    """Those of two documents, `a` and `b` as they were called; `compared` is how many values were."""

    a: str
    b: str
    tolerance: Tolerance
    compared: int
    found: list[Difference]

    def to_dict(self) -> dict[str, Any]:
        """The document (schema gdtrain.diff/1)."""
        document: dict[str, Any] = plain_numbers(
            {
                "schema": DIFF_SCHEMA,
                "a": self.a,
                "b": self.b,
                **vars(self.tolerance),
                "same": not self.found,
                "compared": self.compared,
                "differences": [each.document() for each in self.found],
            }
        )
        return document


def compare(
    a: Document,
    b: Document,
    called: tuple[str, str],
    tolerance: Tolerance,
    keys: tuple[Keys, Keys] | None = None,
    files: tuple[Keys, Keys] = ({}, {}),
) -> Differences:
    """The differences of two documents.

    called  what they are called
    keys    dotted keys of the two experiments where both are known whole; else those that the documents tell
    files   fingerprints of the files that each read, by dotted key, where both are known

    Raises UserError where the two are not of a kind, or one is not whole.
    """
    swept = a["schema"] != SCHEMA
    if a["schema"] != b["schema"]:
        kinds = [_KINDS.get(document["schema"], "another") for document in (a, b)]
        what = f"{called[0]} holds {kinds[0]}, {called[1]} {kinds[1]}"
        raise UserError(what, remedy="compare two of a kind; one of several trials may be saved alone")
    pairs = []
    for document, name, own, read in zip((a, b), called, keys or (None, None), files, strict=True):
        with undamaged(name):
            told = dict(_sweep(document, own) if swept else _result(document, own))
            pairs.append(told | {("data", f"files.{where}"): value for where, value in read.items()})
    names = [*pairs[0], *(name for name in pairs[1] if name not in pairs[0])]
    parts = list(dict.fromkeys(part for part, _ in names))
    names.sort(key=lambda name: parts.index(name[0]))
    found = []
    for part, where in names:
        left, right = (pair.get((part, where), _ABSENT) for pair in pairs)
        if not tolerance.agree(left, right):
            found.append(Difference(part, where, *(None if value is _ABSENT else value for value in (left, right))))
    return Differences(*called, tolerance, len(names), found)


Named = Iterator[tuple[tuple[str, str], Any]]  # (part, dotted name) -> value


def _result(document: Document, keys: Keys | None) -> Named:
    yield from _came_to(document)
    for where, value in (_experiment(document) if keys is None else keys).items():
        yield ("experiment", where), _number(value)
    for where, value in _leaves(document["data"], "data"):
        if not where.endswith(_PLACE):
            yield ("data", where), _number(value)


def _came_to(document: Document) -> Named:
    """What one trial came to."""
    yield ("verdict", "verdict"), document["verdict"]["status"]
    for which in ("final", "held_out"):
        if which in document["loss"]:
            yield ("loss", f"loss.{which}"), _real(document["loss"][which])
    for name, fields in document["params"].items():
        yield ("params", name), _real(fields["value"])


def _experiment(document: Document) -> dict[str, Any]:
    """The keys of the experiment, as far as a result tells them."""
    told: dict[str, Any] = {name: document[name] for name in _NAMED}
    told |= {
        "loss.name": document["loss"].get("name"),
        "train.seed": document["seed"],
        "train.dtype": document["dtype"],
    }
    told |= {key: value for key, value in _leaves(document["train"], "train") if key.partition(".")[2] not in _TRAIN}
    told |= {key.removeprefix("."): value for key, value in _leaves(document.get("predictor", {}), "")}
    for name, fields in document["params"].items():
        told[f"params.{name}.start"] = fields.get("start")
        told |= {f"params.{name}.{flag}": True for flag in ("fixed", "tied") if fields.get(flag)}
    return told


def _sweep(document: Document, keys: Keys | None) -> Named:
    """Trial by trial, each by what it sets, or by its group; those of many starts by their place."""
    named = [name for name in (*_NAMED, "axes", "rank_by", "group_by", "seed") if name in document]
    experiment = {name: document[name] for name in named} if keys is None else keys
    best = document.get("best")
    trials: dict[str, Document] = {}
    for i, trial in enumerate(document["trials"]):
        told = trial.get("group") or trial["set"]
        name = ", ".join(f"{key} = {_text(value)}" for key, value in told.items()) or f"start {i}"
        trials[name if name not in trials else f"{name} ({i})"] = trial
    if "best" in document:
        yield ("trials", "best"), None if best is None else [*trials][best]
    for name, trial in trials.items():
        for (part, where), value in _came_to(trial):
            yield (part, f"{name}: {where}"), value
        if "group" in trial:
            yield ("data", f"{name}: data.rows"), trial["data"]["rows"]
    for where, value in experiment.items():
        yield ("experiment", where), _number(value)


def _leaves(section: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Dotted names below a section, and what stands there; a list is one value."""
    if not isinstance(section, Mapping):
        yield path, section
        return
    for key, value in section.items():
        yield from _leaves(value, f"{path}.{key}")


def _number(value: Any) -> Any:
    """A value of a document, where what is not finite is a word."""
    return float(value) if value in ("inf", "-inf", "nan") else value


def _real(value: Any) -> Any:
    """A number that has a tolerance also where a document that passed through other hands says 2 for 2.0."""
    return float(value) if _is_number(value) else _number(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
