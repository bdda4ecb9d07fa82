"""Several values in one text: `1e-3,1e-2`, `0..9`, `geomspace:1e-4:1:13`. What a sweep's flags are written in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from gdtrain.errors import UserError, UserErrors, nearest
from gdtrain.experiment.axes import SPREADS, Axis, as_flag, faults
from gdtrain.experiment.loader import parse
from gdtrain.experiment.scalars import Refusal, is_doubtful, resolve
from gdtrain.experiment.tree import Mistake, Node, Place, report

# Keys whose flag is taken as it is: formulas, names and signs that YAML would misread.
TEXTS = ("name", "solve", "fit", "minimize", "data.path", "data.delimiter", "data.comment")
# Keys whose flag is what a cell of a table holds: what YAML would refuse, a date, yes, 007, is text.
CELLS = ("data.split.test",)
# Keys whose flag is a list of names without brackets.
LISTS = ("regress.target", "regress.features", "data.header", "data.null_values")
# Keys whose one value is a list, so that [a, b] is that value and not two.
_LISTED = re.compile(
    "|".join(map(re.escape, (*LISTS, "solve")))
    + r"|train\.optimizer\.(betas|etas|step_sizes)|params\..+\.start\.(uniform|normal)|data\.columns\..+|predict.*"
)

_NAMED = re.compile(rf"(?P<name>{'|'.join(SPREADS)}):(?P<numbers>.*)")
_RANGE = re.compile(r"(?P<first>[-+]?[\w.]*?)\.\.(?P<last>[-+]?[\w.]*)")
_NUMBER = r"[-+]?[\d.]+(?:[eE][-+]?\d+)?"
_PLAIN = re.compile(r"[-+.\w]+")
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_QUOTES = "'\"`"


def is_listed(key: str) -> bool:
    """Whether one value of a key is a list."""
    return _LISTED.fullmatch(key) is not None


def is_several(text: str) -> bool:
    """Whether a text says several values without a comma: `0..9`, `geomspace:1e-4:1:13`."""
    return bool(_NAMED.fullmatch(text) or _RANGE.fullmatch(text))


def stretch(place: Place, start: int, end: int) -> Place:
    """A part of a place, from offset `start` to `end` in its text."""
    return replace(place, start=place.start + start, end=place.start + end)


def written(key: str, place: Place) -> Node:
    """The axis, in its full form, that a text at a place says for a key. Raises UserError."""
    text = place.text
    if not text.strip():
        return _values([], place)
    if key in TEXTS and len(text) == 1:  # a comma may be a delimiter
        return _values([_one(key, place)], place)
    if key in LISTS and not text.lstrip().startswith("["):
        names = [stretch(place, *span) for span in _trimmed(text)]
        listed = Node([Node(name.text, name) for name in names if name.text], place)
        return _values([listed] if listed.value else [], place)
    pieces = [stretch(place, *span) for span in _trimmed(text)]
    if len(pieces) == 1:
        return _alone(key, pieces[0])
    return _values([node for piece in pieces for node in _several(key, piece)], place)


def _values(nodes: list[Node], place: Place) -> Node:
    if not nodes:
        raise place.error("there are no values here", "write one, or several with commas between them")
    return Node({"values": Node(nodes, place)}, place, {"values": place})


def _trimmed(text: str) -> Iterator[tuple[int, int]]:
    """The stretches between the commas that stand outside of brackets and quotes, without blanks around them."""
    for start, end in _split(text):
        piece = text[start:end]
        first = start + len(piece) - len(piece.lstrip())
        yield first, max(first, start + len(piece.rstrip()))


def _split(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    closing: list[str] = []
    for i, sign in enumerate(text):
        if closing and closing[-1] in _QUOTES:
            if sign == closing[-1]:
                closing.pop()
        elif sign in _QUOTES:
            closing.append(sign)
        elif sign in _PAIRS:
            closing.append(_PAIRS[sign])
        elif closing and sign == closing[-1]:
            closing.pop()
        elif sign == "," and not closing:
            yield start, i
            start = i + 1
    yield start, len(text)


def _alone(key: str, piece: Place) -> Node:
    """A text without commas: a way to say several values, a list of them, or one."""
    if key not in TEXTS and (spread := _spread(piece)):
        name, numbers = spread
        _require_numbers(name, numbers, piece)
        return Node({name: numbers}, piece, {name: piece})
    node = _one(key, piece)
    return axis_of(key, node)


def axis_of(key: str, node: Node) -> Node:
    """The axis, in its full form, that a value says for a key: an axis as it is, a list of values, or one value."""
    if isinstance(node.value, list) and not (is_listed(key) and any(not isinstance(n.value, list) for n in node.value)):
        return _values(node.value, node.place)
    if isinstance(node.value, dict) and node.value and set(node.value) <= set(Axis.model_fields):
        return node
    return _values([node], node.place)


def _several(key: str, piece: Place) -> list[Node]:
    """The values that one of several pieces says."""
    if key in TEXTS or not (spread := _spread(piece)):
        return [_one(key, piece)]
    name, numbers = spread[0], spread[1].plain()
    _require_numbers(name, spread[1], piece)
    for what, remedy, _ in faults(name, numbers):
        raise piece.error(what, remedy)
    if not (values := SPREADS[name].values):
        raise piece.error(f"{name} stands alone", "draw from it, or list values")
    return [Node(number, piece) for number in values(numbers)]


def _require_numbers(name: str, numbers: Node, piece: Place) -> None:
    """Refuse what is no number, and too many or too few, in the words of a flag. Raises UserError."""
    found = numbers.plain()
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in found):
        raise piece.error(f"{name} takes numbers", f"as in {as_flag(name)}")
    if len(found) != SPREADS[name].count:
        what, remedy, _ = next(iter(faults(name, found, as_flag(name))))
        raise piece.error(what, remedy)


def _spread(piece: Place) -> tuple[str, Node] | None:
    """The name and the numbers of `0..9` and `geomspace:1e-4:1:13`; None for what is neither."""
    if found := _NAMED.fullmatch(piece.text):
        spans, start = [], found.start("numbers")
        for number in found["numbers"].split(":"):
            spans.append((start, start + len(number)))
            start += len(number) + 1
        return _form(found["name"], [stretch(piece, *span) for span in spans], piece)
    if found := _RANGE.fullmatch(piece.text):
        return _form("range", [stretch(piece, *found.span(name)) for name in ("first", "last")], piece)
    return None


def _form(name: str, numbers: list[Place], piece: Place) -> tuple[str, Node]:
    if not all(number.text.strip() for number in numbers):
        raise piece.error(f"a number of {name} is missing", f"as in {as_flag(name)}")
    return name, Node([_read(number) for number in numbers], piece)


def _one(key: str, piece: Place) -> Node:
    """A single value, by the rules of the file; for some keys the text itself, without quotes around it."""
    if not piece.text:
        raise piece.error("a value is missing here", "write one, or take the comma out")
    if key in TEXTS and not (key == "solve" and piece.text.startswith("[")):
        quoted = len(piece.text) > 1 and piece.text[0] == piece.text[-1] and piece.text[0] in "'\""
        return Node(piece.text[1:-1] if quoted else piece.text, piece)
    if key in CELLS and is_doubtful(piece.text):
        return Node(piece.text, piece)
    if remedy := _meant(piece.text):
        raise piece.error(f"{piece.text} is no value", f"did you mean {remedy}?")
    return _read(piece)


def _meant(text: str) -> str:
    """What other tools write as `0-9`, `0.1:0.5` or `logspace:1e-4:1:13`, as it is written here."""
    if found := re.fullmatch(r"(\d+)-(\d+)", text):
        return f"{found[1]}..{found[2]}"
    first, colon, rest = text.partition(":")
    if not colon or not re.fullmatch(rf"{_NUMBER}(:{_NUMBER})*", rest):
        return ""
    if re.fullmatch(_NUMBER, first):
        ends = [first, *rest.split(":")][:2]
        return f"linspace:{':'.join(ends)}:5" if len(ends) == 2 else ""
    close = "geomspace" if first == "logspace" else nearest(first, SPREADS)
    return f"{close}:{rest}" if close else ""


def _read(piece: Place) -> Node:
    """A piece of YAML that knows its place in the text around it."""
    if _PLAIN.fullmatch(piece.text):  # numbers and names, without the cost of a parser
        try:
            if (value := resolve(piece.text)) is not None:
                return Node(value, piece)
        except Refusal as refusal:
            raise report([Mistake(piece, refusal.what, refusal.remedy)]) from None
    try:
        node, mistakes = parse(piece.text, piece.source.where)
        if mistakes:
            raise report(mistakes)
    except UserError as error:
        first = error.errors[0] if isinstance(error, UserErrors) else error
        raise _elsewhere(first, piece) from None
    return _moved(node, piece)


def _moved(node: Node, piece: Place) -> Node:
    """A node that was read alone, at the place that it has in the text around it."""
    place = stretch(piece, node.place.start, node.place.end)
    if isinstance(node.value, dict):
        keys = {key: stretch(piece, at.start, at.end) for key, at in node.keys.items()}
        return Node({key: _moved(inner, piece) for key, inner in node.value.items()}, place, keys)
    if isinstance(node.value, list):
        return Node([_moved(inner, piece) for inner in node.value], place)
    return Node(node.value, place)


def _elsewhere(error: UserError, piece: Place) -> UserError:
    """An error in a piece that was read alone, told in the text around it."""
    start, end = error.span or (0, len(piece.text))
    return stretch(piece, start, end).error(error.what, error.remedy)
