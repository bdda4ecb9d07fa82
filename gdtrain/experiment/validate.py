"""Trees to experiments: pydantic's verdicts, told in the user's words at the user's places."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from gdtrain.errors import did_you_mean, nearest
from gdtrain.experiment.keys import AXIS, SECTIONS, remedy
from gdtrain.experiment.loader import FORMULAS, QUOTE
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.tree import REFUSED, Key, Mistake, Node, short

# pydantic's type of error -> what the value must be. Filled in from the error's context.
MUST_BE: Mapping[str, str] = {
    "string_type": "must be text",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must hold name: value",
    "model_type": "must hold key: value",
    "model_attributes_type": "must hold key: value",
    "learning_rate": "must be a positive number or auto",
    "value": "must be a number, or a text for a column of text",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be {le:g} or less",
    "string_pattern_mismatch": "must look like cpu or cuda:0",
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} long",
    "too_short": "must hold at least {min_length}, not {actual_length}",
    "too_long": "must hold at most {max_length}, not {actual_length}",
}
_NUMBERS = ("float_type", "int_type", "learning_rate")
_NAMES = ((1, ["params"]), (2, ["sweep", "axes"]))  # where a name of the user's stands, and below what
_COUNTED = ("too_short", "too_long", "string_too_short", "string_too_long")


def validate(tree: Node) -> tuple[Experiment | None, list[Mistake]]:
    """The experiment that an expanded tree says, or everything that is wrong with its values."""
    try:
        return Experiment.model_validate(tree.plain()), []
    except ValidationError as error:
        found = (_mistake(tree, e) for e in error.errors(include_url=False))
        return None, [mistake for mistake in found if mistake]


def _mistake(tree: Node, error: Any) -> Mistake | None:
    """One of pydantic's errors; None where the value at fault has been reported before."""
    kind, context = error["type"], error.get("ctx", {})
    keys: tuple[Key, ...] = error["loc"]
    if _refused(tree, keys):
        return None
    if kind == "extra_forbidden":
        return _unknown(tree, keys)
    if kind == "missing":
        return Mistake(tree.find(*keys[:-1]), f"{keys[-1]} is missing", f"write {keys[-1]} here")
    if kind == "rule":
        return Mistake(tree.find(*keys, *context["at"]), context["what"], context["remedy"])
    what = MUST_BE.get(kind, "does not fit here").format(**context).replace("'", "")
    value = error["input"]
    shown = "" if kind in _COUNTED else f", not {_described(value)}"
    return Mistake(tree.find(*keys), f"{_written(tree, keys)} {what}{shown}", _remedy(keys, kind, value, context))


def _refused(tree: Node, keys: Sequence[Key]) -> bool:
    """Whether an error has been reported for what `keys` lead to, or for a section on the way."""
    nodes = (tree.get(*keys[:count]) for count in range(len(keys) + 1))
    return any(node is not None and node.value is REFUSED for node in nodes)


def _written(tree: Node, keys: Sequence[Key]) -> str:
    """The name of a value as the file writes it: the last key that is not an index or a short form's."""
    for count in range(len(keys), 0, -1):
        key = keys[count - 1]
        if isinstance(key, str) and not _is_short(tree, keys[:count]):
            return key
    return str(keys[0]) if keys else "the file"


def _is_short(tree: Node, keys: Sequence[Key]) -> bool:
    """Whether the last of `keys` was left out in a short form."""
    section = tree.get(*keys[:-1])
    return section is not None and section.keys.get(str(keys[-1])) == section.place


def _described(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {short(value)!r}"
    if isinstance(value, int | float):
        return short(repr(value))
    return "a list" if isinstance(value, list) else "a section of keys"


def _remedy(keys: Sequence[Key], kind: str, value: Any, context: Mapping[str, Any]) -> str:
    if kind == "literal_error":
        known = context["expected"].replace(" or ", ", ")
        return did_you_mean(str(value), (name.strip("' ") for name in known.split(",")))
    if keys == ("data",):
        return f"write data: {{path: {short(str(value))}}}".replace("/dev/stdin", "-")
    if keys == ("model",):
        return "write model: {hidden: [32, 32]}; a formula goes under fit"
    if kind == "string_type":
        return QUOTE if keys[0] in FORMULAS else "put it in quotes"
    if kind in _NUMBERS and isinstance(value, str):
        return "write it without quotes" if _reads_as_number(value) else ""
    return "write a list: predict: [{x: 5}]" if keys == ("predict",) and kind != "float_type" else ""


def _reads_as_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def _unknown(tree: Node, keys: Sequence[Key]) -> Mistake:
    """A key that its section does not have."""
    *inside, key = keys
    section = _pattern(inside)
    named = [str(name) for i, name in enumerate(inside) if not _is_short(tree, inside[: i + 1])]
    what = f"{short(str(key))} is not a key of {'.'.join(named) or 'an experiment'}"
    if section == AXIS and not nearest(str(key), SECTIONS[AXIS]):
        return Mistake(tree.key(*keys), what, f"write a list of values, or {inside[-1]}.{key}: [...]")
    if section == "predict":
        return Mistake(tree.key(*keys), what, "write points as a list: predict: [{x: 5}]")
    return Mistake(tree.key(*keys), what, remedy(str(key), section))


def _pattern(inside: Sequence[Key]) -> str:
    any_name = next((i for i, known in _NAMES if list(inside[:i]) == known), None)
    return ".".join("*" if i == any_name else str(key) for i, key in enumerate(inside))
