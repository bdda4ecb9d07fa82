"""The command that trains one trial of many alone: the words that were typed, with what its axes set in their place."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gdtrain.cli.starts import started
from gdtrain.experiment.dump import flow
from gdtrain.experiment.schema import STDIN
from gdtrain.experiment.shorthands import KEYS
from gdtrain.experiment.starter import EXAMPLE_WORDS

# Options of many trials, which one alone has no use for, and of output.
_LEFT_OUT = {
    *(
        "--zip",
        "--random",
        "--top",
        "--lr-find",
        "--memory",
        "--rank-by",
        "--out",
        "--starts",
        "--force",
        "--checkpoint",
    ),
    *("--format", "--get", "--expect", "--junit", "--quiet", "--every", "--gradients", "--print-config"),
}
_SWITCHES = (
    *("--zip", "--lr-find", "--quiet", "--gradients", "--print-config", "--no-intercept"),
    *("--robust", "--polish", "--force"),
)
_START = ".start"


def alone(words: Sequence[str], settings: Mapping[str, Any], file: str = "") -> str:
    """The command for a shell; "" where standard input would be needed again, or nothing was typed.

    words     as they were typed, the verb first
    settings  what the trial sets, by dotted key
    file      that `run` or `sweep` read; a sweep of none is that of the built-in example
    """
    if not words:
        return ""
    verb, *rest = words
    if verb == "sweep" and not file:
        verb, rest = "fit", [*EXAMPLE_WORDS, *rest]
    groups = [group for group in _options(rest) if group[0].partition("=")[0] not in _LEFT_OUT]
    if verb in ("run", "sweep"):
        verb, groups = "run", [[file], *(group for group in groups if group[0].startswith("--"))]
    if [STDIN] in groups:
        return ""
    kept, known = [], {_canonical(key) for key in settings}
    for group in reversed(groups):
        keys = set(_sets(group))
        if not keys or keys - known:
            kept.append(group)
            known |= keys
    return shlex.join(["gdtrain", verb, *(word for group in reversed(kept) for word in group), *_flags(settings)])


def _options(words: Sequence[str]) -> Iterator[list[str]]:
    """The words, each option with its value."""
    left = list(words)
    while left:
        word = left.pop(0)
        valued = word.startswith("--") and "=" not in word and word not in _SWITCHES
        yield [word, left.pop(0)] if valued and left else [word]


def _sets(group: Sequence[str]) -> list[str]:
    """The keys that an option sets, in one spelling."""
    name, _, inline = group[0].partition("=")
    value = group[1] if len(group) > 1 else inline
    if name == "--set":
        return [_canonical(value.partition("=")[0].strip())]
    if name == "--start":
        return [f"params.{parameter}" for parameter in started(value)]
    key = KEYS.get(name.removeprefix("--"))
    return [] if key is None or not name.startswith("--") else [key]


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
