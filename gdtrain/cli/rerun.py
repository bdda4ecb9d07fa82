"""The command that trains one trial of many alone: the words that were typed, with what its axes set in their place."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gdtrain.cli.options import KEYS
from gdtrain.experiment.dump import flow

# Options of many trials, which one alone has no use for; those of output go too.
_OF_MANY = ("--zip", "--random", "--top", "--lr-find", "--memory", "--rank-by", "--out", "--starts")
_OF_OUTPUT = ("--format", "--get", "--expect", "--quiet", "--every", "--gradients", "--print-config")
_SWITCHES = ("--zip", "--lr-find", "--quiet", "--gradients", "--print-config", "--no-intercept")
_START = ".start"


def alone(words: Sequence[str], settings: Mapping[str, Any], source: str = "") -> str:
    """The command for a shell.

    words     as they were typed, the verb first
    settings  what the trial sets, by dotted key
    source    the file that `sweep` read where none was typed
    """
    verb, *rest = words
    kept = [word for group in _options(rest) if not _replaced(group, settings) for word in group]
    if verb == "sweep":
        verb = "run"
        kept = kept if not source or source in kept else [source, *kept]
    return shlex.join(["gdtrain", verb, *kept, *_flags(settings)])


def _options(words: Sequence[str]) -> Iterator[list[str]]:
    """The words, each option with its value."""
    left = list(words)
    while left:
        word = left.pop(0)
        valued = word.startswith("--") and "=" not in word and word not in _SWITCHES
        yield [word, left.pop(0)] if valued and left else [word]


def _replaced(group: Sequence[str], settings: Mapping[str, Any]) -> bool:
    """Whether an option is of many trials, or sets what the trial sets."""
    name, _, inline = group[0].partition("=")
    value = group[1] if len(group) > 1 else inline
    if name in (*_OF_MANY, *_OF_OUTPUT):
        return True
    if name == "--set":
        return _canonical(value.partition("=")[0].strip()) in map(_canonical, settings)
    return KEYS.get(name.removeprefix("--"), "") in settings


def _canonical(key: str) -> str:
    """One spelling of a key that has several."""
    key = key.removesuffix(".value").removesuffix(".name")
    return key.removesuffix(_START) if key.startswith("params.") else key


def _flags(settings: Mapping[str, Any]) -> Iterator[str]:
    short = {key: f"--{name}" for name, key in KEYS.items()}
    for key, value in settings.items():
        text = value if isinstance(value, str) else flow(value)
        if key in short:
            yield from (short[key], text)
        elif key.startswith("params.") and key.endswith(_START):
            yield from ("--start", f"{_name(key.removeprefix('params.').removesuffix(_START))}={text}")
        else:
            yield from ("--set", f"{key}={text}")


def _name(name: str) -> str:
    return name if name.replace("_", "").isalnum() else f"`{name}`"
