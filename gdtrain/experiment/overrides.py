"""Values from flags, set over those of the file before it is validated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from gdtrain.errors import UserError
from gdtrain.experiment.forms import expand
from gdtrain.experiment.loader import parse
from gdtrain.experiment.rules import ALTERNATIVES
from gdtrain.experiment.tree import Node, Place, from_plain, report

# Keys whose flag is taken as it is: formulas, names and signs that YAML would misread.
_TEXTS = ("name", "solve", "fit", "minimize", "data.path", "data.delimiter", "data.comment")
_LISTS = ("regress.target", "regress.features", "data.header")
_COMMA_LIST = re.compile(r"""[^,\[\]{}"']+(,[^,\[\]{}"']*)+""")
_ITEM = re.compile(r"[^,\s](?:[^,]*[^,\s])?")
# Keys that may follow a name, which may have dots of its own.
_AFTER_NAME = re.compile(r"(?P<name>.+?)(?:\.(?P<rest>start(?:\.(?:value|uniform|normal))?|min|max|fixed))?")


@dataclass(frozen=True)
class Override:
    """A value for a dotted key, such as `train.lr`, and the flag that gave it, which errors name.

    The value is plain, or a Node where its text is known.
    """

    key: str
    value: object
    flag: str

    @classmethod
    def of(cls, key: str, text: str, flag: str) -> Self:
        """A flag's text, read by the file's rules: `1e-3`, `{uniform: [0, 1]}`. Raises UserError."""
        if key in _TEXTS and not (key == "solve" and text.startswith("[")):
            return cls(key, Node(text, Place.of(flag, text)), flag)
        if _COMMA_LIST.fullmatch(text):
            return cls(key, _listed(key, text, flag), flag)
        node, mistakes = parse(text, flag)
        if mistakes:
            raise report(mistakes)
        return cls(key, node, flag)

    @classmethod
    def setting(cls, text: str, flag: str = "--set") -> Self:
        """`train.lr=0.1`. Raises UserError."""
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key:
            place = Place.of(flag, text)
            raise place.error("a key and a value are due", f"write {flag} train.lr=0.1")
        return cls.of(key, value, flag)


def _listed(key: str, text: str, flag: str) -> Node:
    """`income,price` where a list is due; anywhere else several values are a sweep."""
    place = Place.of(flag, text)
    if key not in _LISTS:
        flag_and_text = f"{flag} {key}={text}" if flag == "--set" else f"{flag} {text}"
        raise place.error("several values are a sweep", f"run gdtrain sweep {flag_and_text}")
    return Node([Node(found.group(), Place(place.source, *found.span())) for found in _ITEM.finditer(text)], place)


def apply(tree: Node, overrides: Iterable[Override]) -> Node:
    """An expanded tree with every override set, in order. Raises UserError for what is no key."""
    for override in overrides:
        keys = _keys(override)
        tree = _without_alternatives(tree, keys)
        node = from_plain(override.value, override.flag, flag=True)
        tree = expand(tree.put(keys, node, Place.of(override.flag, override.key)))
    return tree


def _keys(override: Override) -> list[str]:
    """The keys of a dotted key; a parameter's or a column's name may have dots in it."""
    first, _, rest = override.key.partition(".")
    if first == "params" and (found := _AFTER_NAME.fullmatch(rest)):
        return [first, found["name"], *(found["rest"] or "").split(".")] if found["rest"] else [first, rest]
    if override.key.startswith("data.columns."):
        return ["data", "columns", override.key.removeprefix("data.columns.")]
    keys = override.key.split(".")
    if not all(keys):
        raise UserError(f"{override.key!r} is no key", where=override.flag, remedy="write it like train.lr")
    return keys


def _without_alternatives(tree: Node, keys: Sequence[str]) -> Node:
    """The tree without what `keys` excludes: a flag's `data.path` takes the place of the file's columns."""
    inside, name = keys[:-1], keys[-1]
    section = tree.get(*inside)
    for pattern, choices in ALTERNATIVES:
        if section and name in choices and any(found == tuple(inside) for found, _ in tree.select(pattern)):
            for choice in choices:
                section = section.without(choice)
            tree = tree.put(inside, section, tree.key(*inside))
    return tree
