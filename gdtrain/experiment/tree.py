"""Values that remember where they were written: what the loader reads and every error points into."""

from __future__ import annotations

import bisect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

from gdtrain.errors import UserError, UserErrors

Scalar = str | int | float | bool
Key = str | int


class Refused:
    """Stands for a value that an error has already been reported about."""

    def __repr__(self) -> str:
        return "REFUSED"


REFUSED = Refused()


def short(text: str, length: int = 60) -> str:
    """Text from a file as a message repeats it: cut where it is long."""
    return text if len(text) <= length else text[: length - 3] + "..."


@dataclass(frozen=True, eq=False)
class Source:
    """A text that values are written in.

    where   a file, or a flag such as `--lr`, or a dotted key of a mapping
    text    all of it
    lined   whether places in it are told by line and column
    """

    where: str
    text: str = ""
    lined: bool = False

    @cached_property
    def _starts(self) -> list[int]:
        """Offsets at which lines start."""
        return [0, *(i + 1 for i, character in enumerate(self.text) if character == "\n")]

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """Both counted from 1."""
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1."""
        start = self._starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start:] if end < 0 else self.text[start:end]


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a source, from offset `start` to `end`."""

    source: Source
    start: int = 0
    end: int = 0

    @classmethod
    def of(cls, where: str, text: str = "") -> Self:
        """All of a text that is no file."""
        return cls(Source(where, text), 0, len(text))

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def where(self) -> str:
        """`file.yaml:3:7`, `--lr` or `train.lr`."""
        if not self.source.lined:
            return self.source.where
        line, column = self.source.line_and_column(self.start)
        return f"{self.source.where}:{line}:{column}"

    def error(self, what: str, remedy: str = "") -> UserError:
        """An error here: its line, and a caret under this stretch."""
        number, column = self.source.line_and_column(self.start)
        span = (column - 1, column - 1 + max(self.end - self.start, 1))
        return UserError(what, where=self.where, remedy=remedy, text=self.source.line(number), span=span)


class Mistake(NamedTuple):
    """Something wrong at a place, and what to do about it."""

    place: Place
    what: str
    remedy: str = ""


def report(mistakes: Sequence[Mistake]) -> UserErrors:
    """One error that tells all of them, a file's in the order of its lines."""
    ordered = sorted(dict.fromkeys(mistakes), key=lambda m: (not m.place.source.lined, m.place.start))
    return UserErrors([m.place.error(m.what, m.remedy) for m in ordered])


_NO_KEYS: Mapping[str, Place] = {}


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place; `keys` holds the places of a mapping's keys."""

    value: dict[str, Node] | list[Node] | Scalar | Refused
    place: Place
    keys: Mapping[str, Place] = field(default_factory=lambda: _NO_KEYS)

    def children(self) -> Iterator[tuple[Key, Node]]:
        """The values of a mapping by name, those of a list by index."""
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif isinstance(self.value, list):
            yield from enumerate(self.value)

    def get(self, *keys: Key) -> Node | None:
        """The node that `keys` lead to."""
        node: Node | None = self
        for key in keys:
            node = node._child(key) if node else None
        return node

    def _child(self, key: Key) -> Node | None:
        if isinstance(self.value, dict):
            return self.value.get(str(key))
        if isinstance(self.value, list) and isinstance(key, int) and key < len(self.value):
            return self.value[key]
        return None

    def find(self, *keys: Key) -> Place:
        """The place of the value that `keys` lead to; where there is none, of the section around it."""
        place, node = self.place, self
        for key in keys:
            child = node._child(key)
            if child is None:
                return place
            place, node = child.place, child
        return place

    def key(self, *keys: Key) -> Place:
        """The place of the last of `keys` as a key; of its value where it has none."""
        section = self.get(*keys[:-1])
        return section.keys.get(str(keys[-1])) or self.find(*keys) if section else self.find(*keys)

    def select(self, pattern: str) -> Iterator[tuple[tuple[Key, ...], Node]]:
        """The nodes that a dotted pattern such as `params.*.start` leads to, with the keys to each."""
        first, _, rest = pattern.partition(".")
        for key, node in self.children():
            if first in ("*", key):
                yield from (((key, *keys), n) for keys, n in node.select(rest)) if rest else [((key,), node)]

    def within(self, start: int, end: int) -> Place:
        """The place of a stretch of this text: in its source where that repeats it, else in the text."""
        text = str(self.value)
        for indent in (0, 1):  # plain, quoted
            if self.place.text[indent : len(self.place.text) - indent] == text:
                first = self.place.start + indent
                return Place(self.place.source, first + start, first + end)
        return Place(Source(self.place.where, text), start, end)

    def put(self, keys: Sequence[Key], node: Node, key: Place) -> Node:
        """This mapping with `node` at `keys`, its key at `key`; missing sections on the way are made."""
        if not keys:
            return node
        if not isinstance(self.value, dict):
            return self  # its own error says that it is no section
        name = str(keys[0])
        inner = self.value.get(name) or Node({}, node.place)
        value = {**self.value, name: inner.put(keys[1:], node, key)}
        place = key if len(keys) == 1 else self.keys.get(name, key)
        return replace(self, value=value, keys={**self.keys, name: place})

    def without(self, name: str) -> Node:
        """This mapping with a key taken out."""
        if not isinstance(self.value, dict):
            return self
        return replace(self, value={key: node for key, node in self.value.items() if key != name})

    def plain(self) -> Any:
        """The value alone: dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def from_plain(value: object, where: str = "", *, flag: bool = False) -> Node:
    """A node for a value that was never text: mappings, sequences, arrays (by their `tolist`) and scalars.

    where  its dotted key, or the `flag` that it came by

    Raises UserError for anything else.
    """
    if isinstance(value, Node):
        return value
    if isinstance(value, Mapping):
        places = {str(key): Place.of(where if flag else f"{where}.{key}".lstrip(".")) for key in value}
        nodes = {str(key): from_plain(item, places[str(key)].where, flag=flag) for key, item in value.items()}
        return Node(nodes, Place.of(where), places)
    if isinstance(value, list | tuple):
        items = [from_plain(item, where if flag else f"{where}[{i}]", flag=flag) for i, item in enumerate(value)]
        return Node(items, Place.of(where))
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        raise UserError("too large a number", where=where, remedy="float64 ends at 1.8e308")
    if isinstance(value, str | int | float):
        return Node(value, Place.of(where, value if isinstance(value, str) else repr(value)))
    if hasattr(value, "tolist"):
        return from_plain(value.tolist(), where, flag=flag)
    raise UserError("there is no value here" if value is None else "not a value of YAML", where=where)
