"""How delimited text is laid out: its delimiter, its header, its columns, told from its first lines."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass

from gdtrain.errors import DATA, USAGE, UserError
from gdtrain.sources.cells import Tally
from gdtrain.sources.origin import Origin
from gdtrain.sources.records import Record, records
from gdtrain.sources.table import Column

_DELIMITERS = (",", "\t", ";", "|")  # in the order of preference
_SPELLED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " "}
_CALLED = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
_EXPECTED = {".csv": ",;", ".tsv": "\t", ".tab": "\t"}  # the delimiters that surprise nobody

_SAMPLE_LINES = 1000
_SAMPLE_TEXT = 1 << 20  # characters after which the sample ends
_GUESSING_ROWS = 20


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the experiment says of its text; None is for guessing, for a header line, for no comments."""

    delimiter: str | None = None
    header: tuple[str, ...] | None = None
    comment: str | None = None

    @classmethod
    def checked(cls, delimiter: str | None, header: Sequence[str] | None, comment: str | None) -> Dialect:
        """The dialect of these options. Raises UserError (USAGE)."""
        if delimiter is not None:
            delimiter = _SPELLED.get(delimiter, delimiter)
            if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
                raise UserError(f"data.delimiter is one character, not {delimiter!r}", remedy="write , or ; or tab")
        if comment is not None and (not comment or not comment.isascii() or re.search("[\r\n]", comment)):
            raise UserError(f"data.comment is what comment lines start with, not {comment!r}", remedy="write '#'")
        if header is not None:
            header = tuple(name.strip() for name in header)
            _check_names(header, "data.header", code=USAGE)
        return cls(delimiter, header, comment)


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of a text.

    names    the header's names, in order; "" for a column that has none and can't be asked for
    header   the record that the names come from; None where data.header gives them
    body     lines before the first row, comments and blank ones included
    columns  of the names that are not empty
    padded   whether spaces stand around cells
    """

    delimiter: str
    comment: str | None
    names: tuple[str, ...]
    header: Record | None
    body: int
    columns: list[Column]
    padded: bool
    warnings: list[str]


def read_layout(origin: Origin, dialect: Dialect, nulls: Collection[str] = ()) -> Layout:
    """The layout of `origin`, from its first thousand lines. Raises UserError (DATA)."""
    lines, whole = _first_lines(origin)
    delimiter = dialect.delimiter or _guess(lines, dialect.comment)
    rows = _sample(lines, delimiter, dialect.comment, origin.where, strict=True)
    if not rows:
        raise UserError("there is no header and no row", where=origin.where, remedy="add them", code=DATA)
    header = None if dialect.header else rows.pop(0)
    names = dialect.header or ()
    if header:
        names = tuple(cell.strip() for cell in header.cells)
        _check_names(names, f"{origin.where}, line {header.line}", code=DATA)
    return Layout(
        delimiter=delimiter,
        comment=dialect.comment,
        names=names,
        header=header,
        body=_lines_of_header(lines, header),
        columns=_columns(names, rows, whole, nulls),
        padded=_has_spaces_around_cells(rows, delimiter),
        warnings=_surprises(delimiter, origin, dialect),
    )


def _first_lines(origin: Origin) -> tuple[list[str], bool]:
    """The first lines, and whether they are all."""
    taken: list[str] = []
    length = 0
    with closing(origin.lines()) as lines:
        for line in lines:
            if len(taken) >= _SAMPLE_LINES or length > _SAMPLE_TEXT:
                return taken, False
            taken.append(line)
            length += len(line)
    return taken, True


def _sample(lines: list[str], delimiter: str, comment: str | None, where: str, *, strict: bool) -> list[Record]:
    """The records of `lines` up to a broken one; with `strict`, the first may not be broken."""
    found: list[Record] = []
    try:
        for record in records(lines, delimiter=delimiter, comment=comment, where=where):
            found.append(record)
    except UserError:
        if strict and not found:
            raise
    return found


def _guess(lines: list[str], comment: str | None) -> str:
    """What parts each of the first lines into equally many cells, and most; else what the header has most."""
    first = _sample(lines, ",", comment, "", strict=False)[:1]
    best, most = max(_DELIMITERS, key=first[0].text.count) if first else ",", 1
    for delimiter in _DELIMITERS:
        rows = _sample(lines[:_GUESSING_ROWS], delimiter, comment, "", strict=False)
        widths = {len(row.cells) for row in rows}
        if len(widths) == 1 and max(widths) > most:
            best, most = delimiter, max(widths)
    return best


def _surprises(delimiter: str, origin: Origin, dialect: Dialect) -> list[str]:
    if dialect.delimiter or delimiter in _EXPECTED.get(origin.suffix, delimiter):
        return []
    return [f"{origin.where}: read as parted by {_CALLED[delimiter]}; set data.delimiter if that is wrong"]


def _check_names(names: Sequence[str], where: str, *, code: int) -> None:
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise UserError(
                f"column {name} appears twice",
                where=where,
                remedy="give each column a name of its own",
                code=code,
            )
        seen.add(name)


def _lines_of_header(lines: list[str], header: Record | None) -> int:
    """Lines up to the end of the header, whose quoted names may hold line ends."""
    if header is None:
        return 0
    inside = sum(cell.count("\n") for cell in header.cells)
    return header.line + inside


def _columns(names: Sequence[str], rows: Sequence[Record], whole: bool, nulls: Collection[str]) -> list[Column]:
    """The columns with a name, as the sample shows them; their gaps where the sample is the whole text."""
    tallies = [Tally(nulls) for _ in names]
    for row in rows:
        for tally, cell in zip(tallies, row.cells, strict=False):  # a ragged row is an error once it is read
            tally.add(cell)
    named = zip(names, tallies, strict=True)
    return [Column(name, tally.kind, tally.gaps if whole else None) for name, tally in named if name]


def _has_spaces_around_cells(rows: Sequence[Record], delimiter: str) -> bool:
    part = re.escape(delimiter)
    spaces = re.compile(rf"(?:^|{part}) | (?:$|{part})")
    return delimiter != " " and any(spaces.search(re.sub(r'"[^"]*"', '""', row.text)) for row in rows)
