"""Text to tokens, each with its place."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Literal, NamedTuple

from gdtrain.errors import UserError
from gdtrain.formula.characters import (
    REMEDIES,
    REPLACEMENTS,
    code_point,
    continues_name,
    is_hidden,
    is_space,
    starts_name,
)
from gdtrain.formula.nodes import Span

MAX_LENGTH = 10_000  # characters of a formula, blanks aside
MAX_NAME = 200  # characters of a name

_BLANKS = re.compile(r"\s+")
_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SYMBOL = re.compile(r"\*\*|<=|>=|==|!=|[-+*/^()|,<>=~]")
_QUOTED = re.compile(r"`((?:[^`]|``)*)`")

# What other languages read as one number, and implicit multiplication would read as a product.
_NOT_NUMBERS = (
    (
        re.compile(r"0[xX][0-9a-fA-F]+|0[bB][01]+\b|0[oO][0-7]+\b"),
        "numbers are decimal",
        "write {} as a decimal number",
    ),
    (re.compile(r"[0-9.]+(?:_[0-9]+)+\b"), "numbers have no underscores", "write {plain}"),
    (
        re.compile(r"[0-9.]+(?:[eE][+-]?[0-9]+)?[jJ]\b"),
        "there are no complex numbers",
        "for a name write {number}*{last}",
    ),
    (re.compile(r"[0-9]*\.[0-9]*\.[0-9.]*"), "{} is not a number", "a number has one decimal point"),
)


class Token(NamedTuple):
    kind: Literal["number", "name", "symbol", "end"]
    text: str  # the symbol, or the name without backquotes and in Unicode's composed form (NFC)
    span: Span
    value: float = 0.0  # of a number
    quoted: bool = False  # a name in backquotes: never a function, never pi


def mistake(text: str, span: Span, what: str, remedy: str = "") -> UserError:
    """The error that points at `span` of the formula `text`."""
    return UserError(what, remedy=remedy, text=text, span=span)


def tokenize(text: str) -> list[Token]:
    """The tokens of a formula, closed by one of kind `end`.

    Raises UserError, pointing at the character, where one belongs to no token or cannot be seen.
    """
    length = len(text) - text.count(" ")  # printing a tree adds blanks, and its text must parse again
    if length > MAX_LENGTH:
        what = f"the formula has {length:,} characters, the limit is {MAX_LENGTH:,}"
        raise mistake(text, (0, 1), what, "split it")
    if not (text.isascii() and text.isprintable()):
        _refuse_hidden(text)
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        if blanks := _BLANKS.match(text, position):
            position = blanks.end()
            continue
        tokens.append(_token(text, position))
        position = tokens[-1].span[1]
    return [*tokens, Token("end", "", (len(text), len(text)))]


def _refuse_hidden(text: str) -> None:
    for position, character in enumerate(text):
        if is_hidden(character) and not is_space(character):
            what = f"hidden character {code_point(character)}"
            raise mistake(text, (position, position + 1), what, "delete it")


def _token(text: str, start: int) -> Token:
    if match := _NUMBER.match(text, start):
        return _number(text, match)
    if match := _SYMBOL.match(text, start):
        return Token("symbol", match[0], match.span())
    if text[start] == "`":
        return _quoted(text, start)
    if starts_name(text[start]):
        return _name(text, start)
    raise _unknown(text, start)


def _number(text: str, match: re.Match[str]) -> Token:
    for pattern, what, remedy in _NOT_NUMBERS:
        if wrong := pattern.match(text, match.start()):
            word = wrong[0]
            parts = {"plain": word.replace("_", ""), "number": word[:-1], "last": word[-1]}
            raise mistake(text, wrong.span(), what.format(word, **parts), remedy.format(word, **parts))
    value = float(match[0])
    if not math.isfinite(value):
        raise mistake(text, match.span(), "the number is too large for a float", "the largest is about 1.8e308")
    if value == 0 and re.search("[1-9]", re.split("[eE]", match[0])[0]):
        raise mistake(text, match.span(), "the number is too small for a float", "the smallest is about 5e-324")
    return Token("number", match[0], match.span(), value)


def _name(text: str, start: int) -> Token:
    end = start + 1
    while end < len(text) and continues_name(text[end]):
        end += 1
    # Keyboards and files write é as one code point or as two: one name all the same.
    return _bounded(text, Token("name", unicodedata.normalize("NFC", text[start:end]), (start, end)))


def _quoted(text: str, start: int) -> Token:
    match = _QUOTED.match(text, start)
    if match is None:
        raise mistake(text, (start, start + 1), "the backquote is not closed", "write `name`")
    if not match[1].strip():
        raise mistake(text, match.span(), "there is no name between the backquotes", "write `name`")
    return _bounded(text, Token("name", match[1].replace("``", "`"), match.span(), quoted=True))


def _bounded(text: str, token: Token) -> Token:
    if len(token.text) > MAX_NAME:
        what = f"the name has {len(token.text):,} characters, the limit is {MAX_NAME}"
        raise mistake(text, token.span, what, "shorten it")
    return token


def _unknown(text: str, start: int) -> UserError:
    character = text[start]
    shown = character if character.isascii() else f"{character} ({code_point(character)})"
    if character in REPLACEMENTS:
        remedy = f"write {REPLACEMENTS[character]}"
    else:
        remedy = REMEDIES.get(character, "a column with other characters goes in backquotes: `a b`")
    return mistake(text, (start, start + 1), f"{shown} has no meaning in a formula", remedy)
