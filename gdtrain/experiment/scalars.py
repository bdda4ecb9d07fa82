"""What a plain (unquoted) scalar means: YAML 1.2's core rules, and the looks that are refused.

Readers of YAML 1.1 take `no` for false, `012` for ten, `1:30` for ninety and `1e-3` for text. Here a scalar
is what it looks like; one that looks like two things is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from gdtrain.experiment.tree import short

_MAX_DIGITS = 300  # no float is longer


class Refusal(Exception):
    """Why a scalar is refused, and what to write."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_REFUSED_WORDS = {
    **dict.fromkeys(("yes", "no", "on", "off"), "write true or false, or put it in quotes"),
    **dict.fromkeys((".inf", "+.inf", "-.inf", ".nan"), "write a finite number"),
}
_USUAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<float>(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)")  # most numbers of most files
_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], int | float]], ...] = (
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"0o[0-7]+"), lambda text: int(text, 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text, 16)),
)
_DOUBTFUL = (
    (
        re.compile(r"[-+]?0[0-9]+"),
        "has a leading zero",
        "write {stripped}, or put it in quotes if it is text",
    ),
    (re.compile(r"[-+]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?"), "has commas in it", "write {joined}"),
    (re.compile(r"[-+]?[0-9][0-9,_]*_[0-9_,]*(\.[0-9_]*)?"), "has underscores in it", "write {joined}"),
    (
        re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?"),
        "is a time, or a number to base 60",
        "write a plain number, or put it in quotes if it is text",
    ),
    (
        re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"),
        "is a date",
        "put it in quotes if it is text",
    ),
)


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar. Raises Refusal where readers disagree or a number is not finite."""
    if text in _WORDS:
        return _WORDS[text]
    if text.lower() in _REFUSED_WORDS:
        raise Refusal(_about(text), _REFUSED_WORDS[text.lower()])
    if found := _USUAL.fullmatch(text):
        return _finite(text, float if found["float"] else int)
    if not any(character.isdigit() for character in text):
        return text
    for pattern, what, remedy in _DOUBTFUL:
        if pattern.fullmatch(text):
            stripped, joined = text.lstrip("+-0") or "0", re.sub("[,_]", "", text)
            raise Refusal(f"{short(text)} {what}", remedy.format(stripped=short(stripped), joined=short(joined)))
    for pattern, number in _NUMBERS:
        if pattern.fullmatch(text):
            return _finite(text, number)
    return text


def is_doubtful(text: str) -> bool:
    """Whether a plain scalar is refused."""
    try:
        resolve(text)
    except Refusal:
        return True
    return False


def _about(text: str) -> str:
    number = "inf" in text.lower() or "nan" in text.lower()
    return f"{text} is not a finite number" if number else f"{text} means true or false to some readers of YAML"


def _finite(text: str, number: Callable[[str], int | float]) -> int | float:
    if len(text) > _MAX_DIGITS and number is not float:
        raise Refusal(f"{short(text)} is too large a number", "write fewer digits, or 1e6 for a million")
    value = number(text)
    if math.isinf(value):
        raise Refusal(f"{short(text)} is too large a number", "float64 ends at 1.8e308")
    return value
