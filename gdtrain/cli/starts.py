"""`--start`: where parameters start, one by one or from a result that was saved."""

from __future__ import annotations

from collections.abc import Sequence

from gdtrain.errors import UserError
from gdtrain.experiment.overrides import Override
from gdtrain.formula.text import unquoted
from gdtrain.results.saved import read_result


def start_overrides(texts: Sequence[str]) -> list[Override]:
    """`w=0`, `w=0,b=1` or `@result.json` as overrides of `params.NAME.start`."""
    return [override for text in texts for override in (_from_file(text) if text.startswith("@") else _pairs(text))]


def started(text: str) -> list[str]:
    """The parameters that a text starts, none where it is a file."""
    return [] if text.startswith("@") else [unquoted(pair.rpartition("=")[0]) for pair in _split(text)]


def _pairs(text: str) -> list[Override]:
    found = []
    for pair in _split(text):
        name, equals, value = pair.rpartition("=")
        if not equals or not name.strip():
            raise UserError("write NAME=NUMBER", where="--start", remedy="as in --start w=0", text=text)
        found.append(_override(unquoted(name), value.strip()))
    return found


def _split(text: str) -> list[str]:
    """At commas outside of brackets, so that `{uniform: [0, 1]}` stays whole."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += (character in "[{(") - (character in "]})")
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current]


def _override(name: str, value: str) -> Override:
    return Override.of(f"params.{name}.start", value, "--start")


def _from_file(text: str) -> list[Override]:
    """Every parameter's value in a result document (`--format json`)."""
    path = text[1:]
    document = read_result(path, "--start")
    try:
        trained = {name: fields for name, fields in document["params"].items() if not fields.get("fixed")}
        values = {name: fields["value"] for name, fields in trained.items()}
        if not all(isinstance(value, float | int) and not isinstance(value, bool) for value in values.values()):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError):
        remedy = "save one with gdtrain run FILE --format json > result.json"
        raise UserError(f"{path} is no result document", where="--start", remedy=remedy) from None
    return [_override(name, repr(value)) for name, value in values.items()]
