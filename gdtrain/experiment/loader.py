"""Text to values that know their place: YAML without its surprises.

PyYAML reads the events; nothing of its constructors runs, so a tag can build nothing. Size, depth and
repetition through aliases are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from gdtrain.errors import UserError
from gdtrain.experiment.scalars import Refusal, resolve
from gdtrain.experiment.tree import REFUSED, Mistake, Node, Place, Source, report, short

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_NODES = 1_000_000  # values, counting a repeated one each time; a file of MAX_BYTES stays below without aliases
FORMULAS = ("solve", "fit", "minimize")  # the keys that hold formulas
QUOTE = "put the formula in quotes"

_TOP_KEY = re.compile(r"""^(?:["']?(\w+)["']?)\s*:""", re.MULTILINE)
# Controls, line ends of some readers only, text direction, halves of characters, byte order marks.
_UNREADABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Part of PyYAML's words -> what is wrong, what to do. {sign} is the character at fault.
_PROBLEMS = (
    ("mapping values are not allowed", "a colon does not belong here", "put text with a colon in quotes"),
    ("sequence entries are not allowed", "- does not belong here", "start a list on a line of its own"),
    ("cannot start any token", "a value does not start with {sign}", "put the text in quotes"),
    ("node content", "a value is missing here", "write one, or put text with brackets in quotes"),
    ("expected ',' or", "a bracket is not closed", "close it, or put text with brackets in quotes"),
    ("expected chomping", "| and > start lines of text below", "put the text in quotes"),
    ("expected comment or line break", "| and > start lines of text below", "put the text in quotes"),
    ("end of stream", "a quote is not closed", "close it"),
    ("document separator", "a quote is not closed", "close it"),
    ("could not find expected ':'", "a key has no colon", "write key: value"),
    ("unknown escape character", "an escape that YAML does not know", "use single quotes, which know none"),
    ("alphabetic or numeric", "* and & do not start text", "put the text in quotes"),
    (
        "expected key",
        "this does not line up with the keys above",
        "indent keys alike; quote the whole of a text",
    ),
    (
        "expected <block end>",
        "this does not line up with what is above",
        "indent alike; quote the whole of a text",
    ),
    ("expected '-' indicator", "this does not line up with the items above", "start each item with -"),
)


def parse_file(data: bytes, where: str) -> tuple[Node, list[Mistake]]:
    """The values of an experiment file, and what is wrong with them: see `parse`."""
    if len(data) > MAX_BYTES:
        remedy = "keep rows in a file of their own: data: {path: rows.csv}"
        raise UserError(f"more than {MAX_BYTES >> 20} MiB", where=where, remedy=remedy)
    return parse(_decode(data, where), where, lined=True)


def parse(text: str, where: str, *, lined: bool = False) -> tuple[Node, list[Mistake]]:
    """The values of a YAML text, in a file (`lined`) or behind a flag, and what is wrong with them.

    A value that is refused stands as REFUSED. Raises UserErrors where reading breaks off.
    """
    source = Source(where, text.replace("\r\n", "\n").replace("\r", "\n"), lined)
    if found := _UNREADABLE.search(source.text):
        code = f"U+{ord(found.group()):04X}"
        raise Place(source, *found.span()).error(f"the character {code} is not allowed", "take it out")
    builder = _Builder(source)
    try:
        return builder.document(), builder.mistakes
    except _BrokenOff as broken:
        raise report([*builder.mistakes, broken.mistake]) from None


class _BrokenOff(Exception):
    """Nothing can be read past a mistake."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.what)
        self.mistake = mistake


def _decode(data: bytes, where: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError("this is UTF-16", where=where, remedy="save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8"
        raise UserError(what, where=f"{where}:{line}", remedy="save it as UTF-8") from None


class _Builder:
    """Nodes from the events of one text."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.mistakes: list[Mistake] = []
        self._events = self._read()
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._count = 0

    def _read(self) -> Iterator[Any]:
        try:
            yield from yaml.parse(self.source.text, Loader=_Loader)
        except yaml.YAMLError as error:
            self._raise_syntax(error)

    def _raise_syntax(self, error: Any) -> NoReturn:
        problem, mark = str(error.problem or error), error.problem_mark
        at = min(mark.index if mark else 0, len(self.source.text.rstrip()))
        sign = self.source.text[at : at + 1]
        known = (words for part, *words in _PROBLEMS if part in problem)
        what, remedy = next(known, [f"YAML cannot read this: {problem}", ""])
        if sign == "\t":
            what, remedy = "a tab does not indent", "indent with spaces"
        place = Place(self.source, at, at + 1)
        raise _BrokenOff(Mistake(place, what.format(sign=sign), self._quote(place, remedy)))

    def _break_off(self, place: Place, what: str, remedy: str) -> NoReturn:
        raise _BrokenOff(Mistake(place, what, remedy))

    def _quote(self, place: Place, remedy: str) -> str:
        """The remedy for what YAML misreads, which for a formula are quotes."""
        return QUOTE if self._in_formula(place.start) else remedy

    def _in_formula(self, offset: int) -> bool:
        """Whether the last key at the margin, up to the line of `offset`, is one that holds formulas."""
        end = self.source.text.find("\n", offset)
        keys = _TOP_KEY.findall(self.source.text, 0, end if end >= 0 else len(self.source.text))
        return bool(keys) and keys[-1] in FORMULAS

    def _refuse(self, place: Place, what: str, remedy: str) -> Node:
        self.mistakes.append(Mistake(place, what, remedy))
        return Node(REFUSED, place)

    def _place(self, first: Any, last: Any = None) -> Place:
        """From the start of one event to its end, or to another's."""
        return Place(self.source, first.start_mark.index, (last or first).end_mark.index)

    def document(self) -> Node:
        next(self._events)  # start of the stream
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return self._refuse(Place(self.source), "nothing is written here", "write key: value")
        node = self._node(next(self._events), 0)
        next(self._events)  # end of the document
        if not isinstance(event := next(self._events), yaml.StreamEndEvent):
            self._refuse(self._place(event), "a second document starts here", "one experiment a file")
        return node

    def _node(self, event: Any, depth: int) -> Node:
        place = self._place(event)
        if depth > MAX_DEPTH:
            self._break_off(place, f"nested deeper than {MAX_DEPTH} levels", "an experiment needs five")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), place)
        before = self._count
        self._add(1, place)
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, place)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, depth)
        else:
            node = self._mapping(event, depth)
        if event.tag is not None:
            node = self._refuse(place, f"the tag {short(event.tag)} is not allowed", self._quote(place, "leave it out"))
        if event.anchor:
            self._anchors[event.anchor] = node, self._count - before
        return node

    def _add(self, count: int, place: Place) -> None:
        self._count += count
        if self._count > MAX_NODES:
            self._break_off(place, f"more than {MAX_NODES} values", "repeat less")

    def _alias(self, anchor: str, place: Place) -> Node:
        if anchor not in self._anchors:
            remedy = self._quote(place, "put text that starts with * in quotes")
            self._break_off(place, f"*{short(anchor)} refers to nothing", remedy)
        node, count = self._anchors[anchor]
        self._add(count, place)
        return node

    def _scalar(self, event: Any, place: Place) -> Node:
        if not event.implicit[0]:  # quoted, or a block of lines
            return Node(event.value, place)
        try:
            value = resolve(event.value)
        except Refusal as refusal:
            return self._refuse(place, refusal.what, refusal.remedy)
        if value is None:
            return self._refuse(place, "there is no value here", "write one, or leave the key out")
        return Node(value, place)

    def _sequence(self, start: Any, depth: int) -> Node:
        nodes = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            nodes.append(self._node(event, depth + 1))
        return Node(nodes, self._place(start, event))

    def _mapping(self, start: Any, depth: int) -> Node:
        nodes: dict[str, Node] = {}
        places: dict[str, Place] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key, place = self._key(event), self._place(event)
            value = self._node(next(self._events), depth + 1)
            if key in nodes:
                line, _ = self.source.line_and_column(places[key].start)
                self._refuse(place, f"{short(key)} stands twice", f"the first is on line {line}")
            else:
                nodes[key], places[key] = value, place
        return Node(nodes, self._place(start, event), places)

    def _key(self, event: Any) -> str:
        """A key is text whatever it looks like."""
        place = self._place(event)
        if not isinstance(event, yaml.ScalarEvent):
            self._break_off(place, "a key must be a name", "put text with brackets or a * in quotes")
        if event.tag is not None:
            self._refuse(place, f"the tag {short(event.tag)} is not allowed", "write the key alone")
        if event.value == "<<" and event.implicit[0]:
            self._refuse(place, "<< is not allowed", "write the keys out")
        if not event.value:
            self._refuse(place, "a key must be a name", "write key: value")
        return str(event.value)
