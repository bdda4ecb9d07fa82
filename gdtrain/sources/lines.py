"""Rows of delimited text as the lines that they are, beside what is read of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gdtrain.sources.fast import Doubt
from gdtrain.sources.layout import Layout
from gdtrain.sources.origin import Origin
from gdtrain.sources.table import Lines

_PART = 1 << 20  # bytes of text that are taken apart at once


class LineReader:
    """Gives the lines of as many rows as were read, in order, from the first row on.

    That each row is one line is known by the quotes in it: a cell that holds a line end leaves one open.
    """

    def __init__(self, origin: Origin, layout: Layout) -> None:
        self._names, self._comment = layout.names, (layout.comment or "").encode()
        self._read = _lines(origin, layout.body)
        self._held: list[bytes] = []

    @staticmethod
    def serves(origin: Origin, layout: Layout, kept: Sequence[str]) -> bool:
        """Whether the lines of a text are its kept columns as comma-separated values, and can be read beside them."""
        plain = layout.delimiter == "," and not layout.padded and not origin.compression
        return plain and origin.shared and list(kept) == list(layout.names)

    def take(self, count: int) -> Lines:
        """The next `count` rows. Raises Doubt where they are not as many lines of text."""
        while len(self._held) < count:
            if (lines := next(self._read, None)) is None:
                raise Doubt("fewer lines than rows")
            self._held += filter(bytes.strip, lines)
            if self._comment:
                self._held = [line for line in self._held if not line.startswith(self._comment)]
        taken, self._held = self._held[:count], self._held[count:]
        return Lines(self._names, taken)


def _lines(origin: Origin, after: int) -> Iterator[list[bytes]]:
    """The lines of a text behind its first, without line ends. Raises Doubt where one is no text, or no record."""
    rest = b""
    for part in origin.parts(_PART, after):
        first, *others = part.split(b"\n")
        *lines, rest = rest + first, *others
        if lines:
            yield _checked(lines, part)
    yield _checked([rest], rest)


def _checked(lines: list[bytes], part: bytes) -> list[bytes]:
    """Lines all of which but the beginning of the first lie in a part of the text; without carriage returns."""

    def has(byte: bytes) -> bool:
        return byte in part or byte in lines[0]

    if has(b"\0") or not ((part.isascii() and lines[0].isascii()) or _is_text(lines)):
        raise Doubt("no text")
    if has(b'"') and any(line.count(b'"') % 2 for line in lines):
        raise Doubt("a line end within quotes")
    return [line.removesuffix(b"\r") for line in lines] if has(b"\r") else lines


def _is_text(lines: list[bytes]) -> bool:
    try:
        return bool(b"\n".join(lines).decode())
    except UnicodeDecodeError:
        return False
