"""What a folder says of itself: whose it is, and of which experiment and data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gdtrain.experiment.schema import Experiment
from gdtrain.keep.fingerprint import Fingerprint
from gdtrain.keep.keys import canonical, leaves, versions

NAME = "sweep.json"
_LISTED = 6  # changed keys that a sentence lists


class Asked(BaseModel):
    """What was asked of a sweep besides its experiment: with it, one that is resumed ends in the same document.

    source, file, words   what it was called, the file that was named, and the whole line; "" and none from Python
    every, gradients, rank_by, memory, starts  as of `gdtrain.sweeps.sweeping.Request`
    chosen                keys that were chosen for the user: of the experiment, then of each group of trials
    called                paths of the experiment, and what messages call them
    """

    source: str = ""
    file: str = ""
    words: list[str] = []
    every: int | None = Field(None, ge=1)
    gradients: bool = False
    rank_by: str | None = None
    memory: int | None = Field(None, ge=1)
    starts: int | None = Field(None, ge=1)
    chosen: list[list[str]] = []
    called: dict[str, str] = {}


class Manifest(BaseModel):
    """What every folder says of itself.

    data      fingerprints of what is read
    versions  what trained it
    """

    model_config = ConfigDict(populate_by_name=True)

    folder: Literal["gdtrain.folder/1"] = Field("gdtrain.folder/1", alias="schema")
    kind: str
    data: dict[str, Fingerprint]
    versions: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The manifest at `path`; None where it is none of this kind. Raises OSError."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError:
            return None

    def text(self) -> str:
        return json.dumps(self.model_dump(by_alias=True, exclude_none=True), indent=2) + "\n"


class SweepManifest(Manifest):
    """A sweep's folder.

    experiment  what of it moves numbers, before axes
    trials      how many the sweep has
    sha256      of the keys of its trials: the same sweep has the same
    asked       what was asked besides
    """

    kind: Literal["sweep"] = "sweep"
    experiment: dict[str, Any]
    trials: int
    sha256: str
    asked: Asked = Asked()

    @classmethod
    def of(
        cls, experiment: Experiment, data: Mapping[str, Fingerprint], keys: Sequence[str], asked: Asked | None = None
    ) -> SweepManifest:
        return cls(
            experiment=canonical(experiment),
            data=dict(data),
            versions=versions(),
            trials=len(keys),
            sha256=sha256("\n".join(keys).encode()).hexdigest(),
            asked=asked or Asked(),
        )

    def changes(self, before: SweepManifest) -> list[str]:
        """What differs from an earlier manifest of this folder, a clause each."""
        changed = _changed_keys(before.experiment, self.experiment)
        more = len(changed) - _LISTED
        listed = ", ".join(changed[:_LISTED]) + (f" and {more} more" if more > 0 else "")
        return [
            *dict.fromkeys(table_changes(before.data, self.data)),
            *([f"the experiment has changed: {listed}"] if changed else []),
            *(
                f"{name} was {old}, now {self.versions[name]}"
                for name, old in other_versions(before.versions, self.versions)
            ),
        ]


def _changed_keys(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Dotted keys that were changed, added or taken out, in short: `loss` for `loss.name` and the options with it, and
    one word for a section that is new or gone.
    """
    old, new = dict(leaves(before)), dict(leaves(now))
    differing = [key for key in {**new, **old} if old.get(key) != new.get(key)]
    named = [f"{section}." for section in before.keys() ^ now.keys()]
    named += [key.removesuffix("name") for key in differing if key.endswith(".name")]
    short = [next((name for name in named if key.startswith(name)), key) for key in differing]
    return list(dict.fromkeys(key.removesuffix(".").removesuffix(".value") for key in short))


def table_changes(before: Mapping[str, Fingerprint], now: Mapping[str, Fingerprint]) -> Iterator[str]:
    """A clause for each table that is another, with its path."""
    for role in {**now, **before}:
        old, new = before.get(role), now.get(role)
        if new is None or old is None:
            path = (new or old or before[role]).path
            yield f"{path} is {'new' if old is None else 'no longer read'}"
        elif old.identity != new.identity and old.path != new.path:
            yield f"{new.path} holds other rows than {old.path} did"
        elif old.identity != new.identity:
            yield f"{new.path} has changed since ({_difference(old, new)})"


def _difference(old: Fingerprint, new: Fingerprint) -> str:
    if old.rows is not None and new.rows is not None and old.rows != new.rows:
        return f"{new.rows:,} rows, {old.rows:,} before"
    return f"{new.size:,} bytes, {old.size:,} before" if old.size != new.size else "as long, other bytes"


def other_versions(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str]]:
    """Name and earlier version of what has another now."""
    return [(name, before[name]) for name in now if name in before and before[name] != now[name]]
