"""Points on the command line: `--at x=2,w=[1,2,3]`, `--vector 0.1,1`, `--wrt w,b`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gdtrain.errors import UserError
from gdtrain.experiment.scalars import Refusal, resolve

Value = float | list[float] | str  # a text is something to draw, such as randn(3)

_CLOSED_BY = {"[": "]", "(": ")", "{": "}", "`": "`"}
_QUOTED = re.compile(r"\s*`(?P<name>(?:[^`]|``)+)`\s*(?P<equals>=)?")
_DRAWN = re.compile(r"\w+\s*\(.*\)", re.DOTALL)


class _Part(NamedTuple):
    """A stretch of a flag's text, for errors that point at it."""

    flag: str
    whole: str
    start: int
    text: str

    def error(self, what: str, remedy: str) -> UserError:
        blank = len(self.text) - len(self.text.lstrip())
        span = (self.start + blank, self.start + max(len(self.text.rstrip()), blank + 1))
        return UserError(what, where=self.flag, remedy=remedy, text=self.whole, span=span)

    def part(self, start: int, end: int | None = None) -> _Part:
        return self._replace(start=self.start + start, text=self.text[start:end])

    def pieces(self) -> Iterator[_Part]:
        """What stands between the commas, those in brackets and backquotes aside."""
        start = 0
        closing: list[str] = []
        for position, character in enumerate(self.text):
            if closing and character == closing[-1]:
                closing.pop()
            elif character in _CLOSED_BY and closing[-1:] != ["`"]:
                closing.append(_CLOSED_BY[character])
            elif character == "," and not closing:
                yield self.part(start, position)
                start = position + 1
        yield self.part(start)


def point(texts: Sequence[str], flag: str = "--at") -> dict[str, Value]:
    """The value of each name in `x=2,w=3`, `x=[1,2,3]` or `x=randn(3)`. Raises UserError, pointing at the place."""
    found: dict[str, Value] = {}
    for text in texts:
        for piece in _Part(flag, text, 0, text).pieces():
            name, value = _pair(piece)
            if name in found:
                raise piece.error(f"{name} has a value already", "leave out one of them")
            found[name] = _value(name, value)
    return found


def vector(text: str, flag: str = "--vector") -> list[float] | str:
    """The numbers in `0.1,1.0,0.001`, brackets or not; or `ones(3)`, which is drawn. Raises UserError."""
    whole = _Part(flag, text, 0, text)
    if _DRAWN.fullmatch(text.strip()):
        return text.strip()
    return _numbers(whole if not text.strip().startswith("[") else _inside(whole))


def name_list(texts: Sequence[str], flag: str) -> list[str]:
    """The names in `w,b`, with or without backquotes. Raises UserError where one is empty."""
    return [_name(piece) for text in texts for piece in _Part(flag, text, 0, text).pieces()]


def _pair(piece: _Part) -> tuple[str, _Part]:
    quoted = _QUOTED.match(piece.text)
    equals = quoted.start("equals") if quoted else piece.text.find("=")
    if equals < 0:
        what = f"{piece.text.strip() or 'nothing'} is not NAME=VALUE"
        raise piece.error(what, "write x=2, or for a list x=[1,2,3]")
    return _name(piece.part(0, equals)), piece.part(equals + 1)


def _name(part: _Part) -> str:
    quoted = _QUOTED.fullmatch(part.text)
    name = quoted["name"].replace("``", "`") if quoted else unicodedata.normalize("NFC", part.text.strip())
    if not name:
        raise part.error("a name is missing", "write one, such as x")
    return name


def _value(name: str, part: _Part) -> Value:
    text = part.text.strip()
    if text.startswith("["):
        return _numbers(_inside(part))
    return text if _DRAWN.fullmatch(text) else _number(part, f"write {name}=2, {name}=[1,2,3] or {name}=randn(3)")


def _inside(part: _Part) -> _Part:
    """What stands in the brackets that `part` starts with."""
    if not part.text.rstrip().endswith("]"):
        raise part.error("the list is not closed", "write [1,2,3]")
    return part.part(part.text.index("[") + 1, len(part.text.rstrip()) - 1)


def _numbers(part: _Part) -> list[float]:
    if not part.text.strip():
        raise part.error("the list is empty", "write its numbers: [1,2,3]")
    if "[" in part.text:
        raise part.error("a list in a list", "a name has one number or one list: [1,2,3]")
    return [_number(piece, "a list has numbers, with a comma between them: [1,2,3]") for piece in part.pieces()]


def _number(part: _Part, remedy: str) -> float:
    text = part.text.strip()
    try:
        number = resolve(text)
    except Refusal as refusal:
        if any(character.isdigit() for character in text):  # not so `no` and `.nan`
            raise part.error(refusal.what, refusal.remedy) from None
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise part.error(f"{text} is not a number" if text else "a number is missing", remedy)
    try:
        return float(number)
    except OverflowError:
        raise part.error("the number is too large", "float64 ends at 1.8e308") from None
