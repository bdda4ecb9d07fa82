"""Values from flags, set over those of the file before it is validated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from gdtrain.errors import UserError
from gdtrain.experiment.axes import Axes, Axis
from gdtrain.experiment.forms import expand
from gdtrain.experiment.loader import parse
from gdtrain.experiment.rules import ALTERNATIVES
from gdtrain.experiment.scalars import is_doubtful
from gdtrain.experiment.tree import Key, Node, Place, from_plain, report
from gdtrain.experiment.values import CELLS, LISTS, TEXTS, axis_of, is_listed, is_several, written

_COMMA_LIST = re.compile(r"""[^,\[\]{}"']+(,[^,\[\]{}"']*)+""")
_NAME = re.compile(r"""[^,\[\]{}"']*[^,\[\]{}"'\s][^,\[\]{}"']*""")  # that YAML might take for a number
_ITEM = re.compile(r"[^,\s](?:[^,]*[^,\s])?")
# Keys that may follow a name, which may have dots of its own.
_AFTER_NAME = re.compile(r"(?P<name>.+?)(?:\.(?P<rest>start(?:\.(?:value|uniform|normal))?|min|max|fixed|expr))?")
_FORMULA = re.compile(r"params\..+\.expr")


# Keys that count: their numbers are whole.
WHOLE = ("train.epochs", "train.seed", "train.batch_size", "stop.patience", "data.split.folds", "data.split.fold")


@dataclass(frozen=True)
class Override:
    """A value for a dotted key, such as `train.lr`, and the flag that gave it, which errors name.

    The value is plain, or a Node where its text is known.
    """

    key: str
    value: object
    flag: str

    @property
    def node(self) -> Node:
        """The value as a node."""
        return from_plain(self.value, self.flag, flag=True)

    @property
    def said(self) -> str:
        """How it is called: `--folds`, `--set data.split.folds`."""
        return f"{self.flag} {self.key}" if self.flag == "--set" else self.flag

    @classmethod
    def of(cls, key: str, text: str, flag: str) -> Self:
        """A flag's text, read by the file's rules: `1e-3`, `{uniform: [0, 1]}`. Raises UserError."""
        if (
            _FORMULA.fullmatch(key)
            or (key in TEXTS and not (key == "solve" and text.startswith("[")))
            or (key in CELLS and is_doubtful(text))
        ):
            return cls(key, Node(text, Place.of(flag, text)), flag)
        if _COMMA_LIST.fullmatch(text) or is_several(text) or (key in LISTS and _NAME.fullmatch(text)):
            return cls(key, _listed(key, text, flag), flag)
        node, mistakes = parse(text, flag)
        if mistakes:
            raise report(mistakes)
        return cls(key, node, flag)

    @classmethod
    def setting(cls, text: str, flag: str = "--set") -> Self:
        """`train.lr=0.1`. Raises UserError."""
        return cls.of(*_key_and_value(text, flag), flag)


@dataclass(frozen=True)
class AxisFlag:
    """The values of a dotted key, and the flag that gave them, which errors name.

    node   an axis in its full form
    plain  the value, where it is only one, so that nothing is swept; None where it is an axis
    """

    key: str
    node: Node
    flag: str
    plain: Override | None = None

    @classmethod
    def of(cls, key: str, texts: str | Sequence[str], flag: str) -> Self:
        """A flag's text, `1e-3,1e-2`, or the texts of a flag given again and again. Raises UserError."""
        texts = [texts] if isinstance(texts, str) else texts
        if key not in LISTS:
            return cls._found(key, written(key, Place.of(flag, ",".join(texts))), flag)
        axes = [written(key, Place.of(flag, text)) for text in texts]
        return cls._found(
            key, axis_of(key, Node([node for axis in axes for node in _values(axis)], axes[0].place)), flag
        )

    @classmethod
    def settings(cls, texts: Sequence[str], flag: str = "--set") -> list[Self]:
        """`train.lr=1e-3,1e-2`, in the order of their keys' first. Raises UserError."""
        values: dict[str, list[str]] = {}
        for key, value in (_key_and_value(text, flag) for text in texts):
            values.setdefault(key, []).append(value)
        return [cls.of(key, given, flag) for key, given in values.items()]

    @classmethod
    def of_values(cls, key: str, values: object, flag: str) -> Self:
        """Values from Python: a sequence, an array or a range of them, a mapping as in a file, a flag's text, or one.

        A sequence stays an axis though it holds one value. Raises UserError.
        """
        if isinstance(values, str):
            return cls.of(key, values, flag)
        as_list = getattr(values, "tolist", None) or getattr(values, "to_list", None)  # numpy and pandas, polars
        plain = as_list() if as_list else values
        if not isinstance(plain, list | tuple | range):
            return cls._found(key, axis_of(key, from_plain(plain, flag, flag=True)), flag)
        place = Place.of(flag)
        nodes = [Node(value, place) if type(value) is float else from_plain(value, flag, flag=True) for value in plain]
        node = axis_of(key, Node(nodes, place))
        one = is_listed(key) and _values(node) != nodes
        return cls._found(key, node, flag) if one else cls(key, node, flag)

    @classmethod
    def _found(cls, key: str, node: Node, flag: str) -> Self:
        values = _values(node)
        return cls(key, node, flag, Override(key, values[0], flag) if len(values) == 1 else None)


def _values(axis: Node) -> list[Node]:
    """The values that an axis lists, none where it says them in another way."""
    listed = axis.get("values")
    return listed.value if listed and isinstance(listed.value, list) else []


def _key_and_value(text: str, flag: str) -> tuple[str, str]:
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key:
        place = Place.of(flag, text)
        raise place.error("a key and a value are due", f"write {flag} train.lr=0.1")
    return key, value


def _listed(key: str, text: str, flag: str) -> Node:
    """`income,price` where a list is due; anywhere else several values are a sweep."""
    place = Place.of(flag, text)
    if key not in LISTS:
        flag_and_text = f"{flag} {key}={text}" if flag == "--set" else f"{flag} {text}"
        raise place.error("several values are a sweep", f"run gdtrain sweep {flag_and_text}")
    return Node([Node(found.group(), Place(place.source, *found.span())) for found in _ITEM.finditer(text)], place)


def apply(tree: Node, overrides: Iterable[Override]) -> Node:
    """An expanded tree with every override set, in order. Raises UserError for what is no key, and for two that exclude
    each other; the tree's own values give way.
    """
    overrides = list(overrides)
    refuse_alternatives(overrides)
    for override in overrides:
        at = Place.of(override.flag, override.key)
        tree = put(tree, keys_of(override.key, override.flag), override.node, at)
    return tree


def refuse_alternatives(overrides: Iterable[Override]) -> None:
    """Raises UserError for two flags, of different keys, that set what excludes each other."""
    chosen: dict[tuple[Key, ...], tuple[str, Override]] = {}
    for override in overrides:
        for section, choice in _chosen(override):
            before, first = chosen.setdefault(section, (choice, override))
            if before != choice and first.key != override.key:
                raise UserError(f"{first.said} and {override.said} exclude each other", remedy="leave one out")


def _chosen(override: Override) -> Iterator[tuple[tuple[Key, ...], str]]:
    """Each section in which a flag takes one of several alternatives, and which it takes."""
    node = override.node
    alone = expand(Node({}, node.place).put(keys_of(override.key, override.flag), node, node.place))
    for pattern, choices in ALTERNATIVES:
        for section, inside in alone.select(pattern):
            yield from ((section, choice) for choice in choices if inside.get(choice))


def put(tree: Node, keys: Sequence[str], node: Node, key: Place) -> Node:
    """An expanded tree with a value at `keys`, in place of what it excludes; `key` is where its key stands."""
    return expand(_without_alternatives(tree, keys).put(keys, node, key))


def keys_of(dotted: str, flag: str = "") -> list[str]:
    """The keys of a dotted key; a parameter's or a column's name may have dots in it. Raises UserError."""
    first, _, rest = dotted.partition(".")
    if first == "params" and (found := _AFTER_NAME.fullmatch(rest)):
        return [first, found["name"], *(found["rest"] or "").split(".")] if found["rest"] else [first, rest]
    if dotted.startswith("data.columns."):
        return ["data", "columns", dotted.removeprefix("data.columns.")]
    if first == "sweep" and rest and rest not in Axes.model_fields:
        return [first, "axes", *_axis_keys(rest.removeprefix("axes."))]
    keys = dotted.split(".")
    if not all(keys):
        raise UserError(f"{dotted!r} is no key", where=flag, remedy="write it like train.lr")
    return keys


def _axis_keys(dotted: str) -> list[str]:
    """The key that is swept, and what follows it."""
    name, _, last = dotted.rpartition(".")
    return [name, last] if name and last in Axis.model_fields else [dotted]


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
