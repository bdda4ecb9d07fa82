"""Which characters a formula may hold: what starts and continues a name, and what no one can see."""

from __future__ import annotations

import unicodedata

# Default-ignorable and blank code points that Unicode files under letters, marks or symbols.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# Signs that look right to a reader, by code point (many look alike): what to write in their place.
REPLACEMENTS = {
    **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014", "-"),
    **dict.fromkeys("\u00d7\u00b7\u2217\u2219\u2022\u22c5", "*"),
    **dict.fromkeys("\u00f7\u2044\u2215", "/"),
    **dict.fromkeys("\u00b4\u2018\u2019\u201c\u201d", "`"),
    "²": "^2",
    "³": "^3",
    "½": "(1/2)",
    "√": "sqrt(...)",
    "∑": "sum(...)",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    **dict.fromkeys("[{", "("),
    **dict.fromkeys("]}", ")"),
}
# Signs of programming languages that formulas do without: what to do in their place.
REMEDIES = {
    '"': "a formula holds no text; a column with other characters goes in backquotes: `a b`",
    "'": "a formula holds no text; a column with other characters goes in backquotes: `a b`",
    ".": "a formula has no attributes; a column with a dot goes in backquotes: `a.b`",
    "%": "there is no remainder; a column with a % goes in backquotes: `a%`",
    "!": "there is no factorial; not equal is !=",
    "&": "nest two conditions: where(a > 0, where(b > 0, ..., ...), ...)",
    ":": "an equation is written with =",
    ";": "one formula at a time",
    "#": "a column with a # goes in backquotes: `a#b`",
    "$": "a column with a $ goes in backquotes: `a$`",
}


def is_space(character: str) -> bool:
    """Blanks, tabs and line breaks; the wide and narrow blanks of Unicode too."""
    return character in " \t\r\n" or unicodedata.category(character) == "Zs"


def is_hidden(character: str) -> bool:
    """Characters that show nothing, or move what is shown: controls, zero-width, direction marks, fillers."""
    return (
        unicodedata.category(character) in _HIDDEN_CATEGORIES
        or character in _BLANK
        or any(ord(character) in selectors for selectors in _VARIATION_SELECTORS)
    )


def starts_name(character: str) -> bool:
    """A letter of any script, or `_`."""
    return character == "_" or unicodedata.category(character)[0] == "L"


def continues_name(character: str) -> bool:
    """A letter, a combining mark, a decimal digit, or `_`; never a superscript such as `²`."""
    return starts_name(character) or unicodedata.category(character) in {"Mn", "Mc", "Nd"}


def is_plain_name(name: str) -> bool:
    """Whether `name` needs no backquotes for its characters' sake."""
    return (
        bool(name)
        and starts_name(name[0])
        and all(continues_name(c) and not is_hidden(c) for c in name)
        and unicodedata.is_normalized("NFC", name)
    )


def code_point(character: str) -> str:
    """`U+200B ZERO WIDTH SPACE`."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()
