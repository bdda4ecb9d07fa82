"""Short forms: what may be written in place of a section, in one table.

Each is expanded before validation, so that the models have no unions and every error keeps its place; each is
undone for printing, and admitted by the JSON Schema for editors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gdtrain.experiment.axes import Axes
from gdtrain.experiment.keys import AXIS
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.tree import Key, Node
from gdtrain.experiment.values import written

Json = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """A short form.

    at      dotted keys of the section, `*` for any name
    expand  the full form of what is written there; what is no short form comes back as it is
    shorten the short form of the section's plain value, or that value where it has none
    schema  JSON Schema of the short form
    """

    at: str
    expand: Callable[[Node], Node]
    shorten: Callable[[Any], Any]
    schema: Json


def _is_scalar(node: Node) -> bool:
    return isinstance(node.value, str | int | float)


def _under(key: str) -> Callable[[Node], Node]:
    """A scalar as the value of `key`."""

    def expand(node: Node) -> Node:
        return Node({key: node}, node.place, {key: node.place}) if _is_scalar(node) else node

    return expand


def _only(key: str) -> Callable[[Any], Any]:
    """The value of `key` where a section holds nothing else."""

    def shorten(section: Any) -> Any:
        return section[key] if list(section) == [key] else section

    return shorten


def _listed(node: Node) -> Node:
    return Node([node], node.place) if _is_scalar(node) else node


def _features(node: Node) -> Node:
    """A list of texts; `{name: density, expr: mass/volume}` is the text `density = mass/volume`."""
    node = _listed(node)
    if isinstance(node.value, dict) and set(node.value) == {"name", "expr"}:
        node = Node([node], node.place)
    return replace(node, value=[_feature(item) for item in node.value]) if isinstance(node.value, list) else node


def _feature(node: Node) -> Node:
    named = node.get("name"), node.get("expr")
    if not isinstance(node.value, dict) or set(node.value) != {"name", "expr"}:
        return node
    name, expr = (part.value if part else None for part in named)
    return Node(f"{name} = {expr}", node.place) if isinstance(name, str) and isinstance(expr, str) else node


def _single(items: Any) -> Any:
    return items[0] if len(items) == 1 else items


def _prediction(node: Node) -> Node:
    if isinstance(node.value, list):
        return Node({"points": node}, node.place, {"points": node.place})
    if node.value == "data":
        return Node({"data": replace(node, value=True)}, node.place, {"data": node.place})
    return _under("path")(node)


def _short_prediction(section: Any) -> Any:
    if "interval" in section:
        return section
    if "points" in section:
        return section["points"]
    return "data" if "data" in section else section["path"] if section["path"] != "data" else section


def _short_param(section: Any) -> Any:
    number = _only("start")(section)
    return section if isinstance(number, dict) else number


def _swept(node: Node) -> Node:
    """Axes beside `zip` and `random`, and texts that say several values, in the full form."""
    if not isinstance(node.value, dict):
        return node
    beside = {key: inner for key, inner in node.value.items() if key in Axes.model_fields}
    axes = {key: inner for key, inner in node.value.items() if key not in beside}
    if "axes" not in beside:
        inner = Node({key: _axis(key, axis) for key, axis in axes.items()}, node.place, node.keys)
        return replace(node, value={"axes": inner, **beside}, keys={**node.keys, "axes": node.place})
    given = beside["axes"]
    if not isinstance(given.value, dict) or not any(_is_scalar(axis) for axis in given.value.values()):
        return node
    inner = replace(given, value={key: _axis(key, axis) for key, axis in given.value.items()})
    return replace(node, value={**node.value, "axes": inner})


def _axis(key: str, node: Node) -> Node:
    """A text is read as a flag's; any other scalar is one value."""
    if not _is_scalar(node):
        return node
    if not isinstance(node.value, str):
        return Node({"values": Node([node], node.place)}, node.place, {"values": node.place})
    return written(key, node.within(0, len(node.value)))


def _short_sweep(section: Any) -> Any:
    beside = {key: value for key, value in section.items() if key != "axes" and value is not False}
    return {**section.get("axes", {}), **beside}


def _values(node: Node) -> Node:
    return Node({"values": node}, node.place, {"values": node.place}) if isinstance(node.value, list) else node


_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "number"}
_FEATURE: Json = {
    "type": "object",
    "properties": {"name": _TEXT, "expr": _TEXT},
    "required": ["name", "expr"],
    "additionalProperties": False,
}
_FEATURES: Json = {"type": "array", "items": {"anyOf": [_TEXT, _FEATURE]}}
_POINTS: Json = {"type": "array", "items": {"type": "object", "additionalProperties": {"type": ["number", "string"]}}}
_AXIS: Json = {"anyOf": [{"type": "array", "minItems": 1}, {"type": ["string", "number", "boolean"]}]}
_AXES: Json = {
    "type": "object",
    "patternProperties": {
        "^zip$": {"type": "boolean"},
        "^random$": {"type": "integer", "minimum": 1},
        "^(?!(axes|zip|random)$)": {"anyOf": [_AXIS, {"$ref": "#/$defs/Axis"}]},
    },
    "not": {"required": ["axes"]},
}
FORMS = (
    Form("solve", _listed, _single, _TEXT),
    Form("regress.target", _listed, _single, _TEXT),
    Form("regress.features", _features, _single, {"anyOf": [_TEXT, _FEATURE, _FEATURES]}),
    Form("data.null_values", _listed, _single, _TEXT),
    Form("model.hidden", _listed, _single, {"type": "integer", "minimum": 1}),
    Form("loss", _under("name"), _only("name"), _TEXT),
    Form("train.optimizer", _under("name"), _only("name"), _TEXT),
    Form("train.schedule", _under("name"), _only("name"), _TEXT),
    Form("train.clip", _under("norm"), _only("norm"), _NUMBER),
    Form("params.*", _under("start"), _short_param, _NUMBER),
    Form("params.*.start", _under("value"), _only("value"), _NUMBER),
    Form("sweep", _swept, _short_sweep, _AXES),
    Form(AXIS, _values, _only("values"), _AXIS),
    Form("expect", _listed, _single, _TEXT),
    Form("predict", _prediction, _short_prediction, {"anyOf": [_TEXT, _POINTS]}),
)


def expand(tree: Node) -> Node:
    """An experiment's tree with every short form written out; a full form stays as it is."""
    for form in FORMS:
        for keys, node in list(tree.select(form.at)):
            full = form.expand(node)
            if full is not node:
                tree = tree.put(keys, full, tree.key(*keys))
    return tree


def shorten(plain: Json) -> Json:
    """An experiment's plain value with every section in its short form, where it has one."""
    for form in reversed(FORMS):
        plain = _at(plain, form.at.split("."), form.shorten)
    return plain


def _at(value: Any, keys: Sequence[Key], change: Callable[[Any], Any]) -> Any:
    """`value` with `change` made to what `keys` lead to."""
    if not keys:
        return change(value)
    if not isinstance(value, dict):
        return value
    names = list(value) if keys[0] == "*" else [keys[0]] if keys[0] in value else []
    return {**value, **{name: _at(value[name], keys[1:], change) for name in names}}


def json_schema() -> Json:
    """A JSON Schema (draft 2020-12) of the experiment file for editors: full forms and short ones."""
    schema = _tidy(Experiment.model_json_schema())
    for form in FORMS:
        slot, name = _slot(schema, form.at.split("."))
        full = slot[name]
        described = {"description": full.pop("description")} if "description" in full else {}
        slot[name] = {**described, "anyOf": [form.schema, full]}
    kinds = [{"required": [kind]} for kind in ("solve", "fit", "regress", "minimize")]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "gdtrain experiment"}
    return {**head, **schema, "oneOf": kinds}


def _says(default: Any) -> bool:
    """Whether a default can be written: not null, and no section with null in it."""
    return default is not None and not (isinstance(default, dict) and None in default.values())


def _tidy(value: Any, *, names: bool = False) -> Any:
    """Without pydantic's titles, and without null, which no key takes.

    names  whether the keys of `value` are names, not JSON Schema's own words
    """
    if isinstance(value, list):
        return [_tidy(item) for item in value if item != {"type": "null"}]
    if not isinstance(value, dict):
        return value
    kept = {
        key: _tidy(item, names=key in ("properties", "$defs", "mapping") and not names)
        for key, item in value.items()
        if names or (key != "title" and not (key == "default" and not _says(item)))
    }
    if len(kept.get("anyOf", ())) == 1:
        kept |= kept.pop("anyOf")[0]
    return kept


def _slot(schema: Json, keys: Sequence[str]) -> tuple[Json, str]:
    """Where the schema of what `keys` lead to is kept: the mapping, and its key there."""
    section = schema
    slot, name = schema, ""
    for key in keys:
        slot, name = (section, "additionalProperties") if key == "*" else (section["properties"], key)
        section = _referred(schema, slot[name])
    return slot, name


def _referred(schema: Json, section: Json) -> Json:
    """The definition that a section refers to, past a short form beside it."""
    full = section["anyOf"][-1] if "anyOf" in section else section
    return schema["$defs"][full["$ref"].rsplit("/", 1)[1]] if "$ref" in full else full
