"""Experiments to YAML: the file that says the same, every default filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

from gdtrain.experiment.forms import shorten
from gdtrain.experiment.scalars import Refusal, resolve
from gdtrain.experiment.schema import Experiment

# Text that YAML leaves alone wherever it stands, also between brackets.
_PLAIN = re.compile(r"[\w(./][\w()+*/^=.<>~ -]*")
# Keys that say nothing where they say this.
IDLE: Mapping[str, Mapping[str, Any]] = {
    "regress": {"levels": {}, "max_levels": 1000, "unseen": "error"},
    "data": {"missing": "error", "weight_type": "auto"},
    "train": {"polish": False},
}


def dump(experiment: Experiment, without: Iterable[str] = ()) -> str:
    """YAML of an experiment: short forms, one line a key. Loads to an equal experiment.

    without  dotted keys to leave out, to be chosen again
    """
    plain = experiment.model_dump(exclude_none=True)
    for key in without:
        *sections, last = key.split(".")
        reduce(lambda section, name: section.get(name, {}), sections, plain).pop(last, None)
    for section, idle in IDLE.items():
        if section in plain:
            plain[section] = {key: value for key, value in plain[section].items() if idle.get(key, ...) != value}
    for section in ("stop", "uncertainty"):
        plain[section] = getattr(experiment, section).model_dump(exclude_none=True, exclude_defaults=True)
    lines: list[str] = []
    for key, value in shorten(_without_idle(plain)).items():
        if isinstance(value, dict) and key != "loss":
            lines += [f"{key}:", *(f"  {flow(name)}: {flow(item)}" for name, item in value.items())]
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join(lines) + "\n"


def _without_idle(plain: dict[str, Any]) -> dict[str, Any]:
    """Without what says nothing: empty sections, and switches that are off."""
    plain = {key: value for key, value in plain.items() if value not in ({}, [])}
    if "params" in plain:
        plain["params"] = {name: _on(param, "fixed") for name, param in plain["params"].items()}
    if "predict" in plain:
        plain["predict"] = _on(plain["predict"], "data")
    return plain


def _on(section: dict[str, Any], switch: str) -> dict[str, Any]:
    return {key: value for key, value in section.items() if key != switch or value}


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    return json.dumps(value).removesuffix(".0")


def quoted(text: str) -> str:
    """Text as YAML: in quotes where it would otherwise be read as anything else."""
    if _PLAIN.fullmatch(text) and not text.endswith(" ") and _isquoted(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text)


def _isquoted(text: str) -> bool:
    try:
        return resolve(text) == text
    except Refusal:
        return False
