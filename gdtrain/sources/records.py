"""Records of delimited text, each with the line of the file where it starts. Python's own reader, strict."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gdtrain.errors import DATA, UserError

# What csv.Error says begins with the first; what the user reads, and the remedy.
_TROUBLES = (
    ("unexpected end of data", "a quote opens here and never closes", "close it, or take it out"),
    ("field larger than", "a cell is too long", "take it out of the file"),
    ("new-line character", "a bare carriage return", "save the file with ordinary line ends (\\n)"),
    ("", "text follows a closing quote", 'write a quote inside quotes twice: ""'),
)


@dataclass(frozen=True, slots=True)
class Record:
    """line: the 1-based line where it starts; text: that line; cells: without the spaces before them."""

    line: int
    text: str
    cells: list[str]


def records(lines: Iterable[str], *, delimiter: str, comment: str | None, where: str) -> Iterator[Record]:
    """The records in `lines`; blank lines and, outside quotes, lines that start with `comment` are none.

    Raises UserError (DATA) with the line where quotes or line ends are broken.
    """
    feed = _Feed(lines, comment)
    reader = csv.reader(feed, delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        feed.between = True
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _trouble(str(error), feed, where) from None
        if len(cells) > 1 or feed.text.strip():
            yield Record(feed.start, feed.text, cells)


class _Feed:
    """Lines for csv.reader, which may take several for one record.

    between  whether the next line starts a record; set by the caller
    start    the line number of the record's first line
    text     that line
    """

    def __init__(self, lines: Iterable[str], comment: str | None) -> None:
        self._lines = enumerate(lines, start=1)
        self._comment = comment
        self.between = True
        self.start = 0
        self.text = ""

    def __iter__(self) -> Iterator[str]:
        for number, line in self._lines:
            if self.between:
                if self._comment and line.startswith(self._comment):
                    continue
                self.between = False
                self.start, self.text = number, line.rstrip("\r\n")
            yield line


def _trouble(message: str, feed: _Feed, where: str) -> UserError:
    if message.startswith("field larger than") and len(feed.text) <= csv.field_size_limit():
        message = _TROUBLES[0][0]  # no line is that long: the cell goes on over line ends
    what, remedy = next((what, remedy) for start, what, remedy in _TROUBLES if message.startswith(start))
    return UserError(what, where=f"{where}, line {feed.start}", remedy=remedy, text=feed.text, code=DATA)


def cell_span(text: str, delimiter: str, index: int) -> tuple[int, int] | None:
    """Where in a line cell number `index` (from 0) stands; None where the line ends before it does."""
    start, quoted = 0, False
    for position, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == delimiter and not quoted:
            if index == 0:
                return start, position
            index -= 1
            start = position + 1
    return (start, len(text)) if index == 0 else None
