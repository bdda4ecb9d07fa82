"""The one user-facing error: where it is, what is wrong, what to do about it.

Domain code raises `UserError`; only `cli/` catches it. A message holds nothing of our insides.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

USAGE = 2  # exit code: the command line, the experiment file or a formula is wrong
DATA = 3  # exit code: the data is wrong
INTERRUPTED = 130  # exit code: stopped by Ctrl-C
TERMINATED = 143  # exit code: stopped by SIGTERM
NOT_WRITTEN = 74  # exit code: the result could not be written

_WINDOW = 100  # characters of a source line that are shown around its caret


class UserError(Exception):
    """A mistake that its user can mend.

    where   place: `file.yaml:3:7`, `data.csv, line 4`, `--lr`; "" where the text below says it
    what    what is wrong, in the user's words
    remedy  what to do; "" where that is plain
    text    the line at fault, shown below the message
    span    (start, end) offsets in `text` that the caret marks
    code    exit code: USAGE, DATA or NOT_WRITTEN
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        remedy: str = "",
        text: str = "",
        span: tuple[int, int] | None = None,
        code: int = USAGE,
    ) -> None:
        super().__init__(what)
        self.what, self.where, self.remedy = what, where, remedy
        self.text, self.span, self.code = text, span, code

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        lines = [printable(f"{head}; {self.remedy}" if self.remedy else head)]
        if self.text:
            lines += excerpt(self.text, self.span)
        return "\n".join(lines)


class UserErrors(UserError):
    """Every mistake of one file, reported at once; the exit code is the highest of theirs."""

    def __init__(self, errors: Sequence[UserError]) -> None:
        super().__init__(errors[0].what, code=max(error.code for error in errors))
        self.errors = list(errors)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def printable(text: str) -> str:
    """`text` with what would move a cursor, ring, colour or hide shown as an escape such as `\\x1b`."""
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def excerpt(text: str, span: tuple[int, int] | None) -> list[str]:
    """The line of `text` at fault and a caret line under `span`, cut to a window when it is long."""
    start, end = span or (0, 0)
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", first)
    line = text[first:] if last < 0 else text[first:last]
    start, end = start - first, min(max(end, start + 1) - first, len(line) + 1)
    left = max(0, start - _WINDOW // 2)
    right = left + _WINDOW
    shown = ("..." if left else "") + printable(line[left:right]) + ("..." if right < len(line) else "")
    if span is None:
        return ["  " + shown]
    before = ("..." if left else "") + printable(line[left:start])
    marked = printable(line[start : min(end, right)]) or " "
    return ["  " + shown, "  " + " " * cells(before) + "^" * max(1, cells(marked))]


def cells(text: str) -> int:
    """Terminal cells that `text` takes: wide characters take two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean NAME?`, or "" where no known name is close."""
    close = nearest(name, known)
    return f"did you mean {close}?" if close else ""


def nearest(name: str, known: Iterable[str], likeness: float = 0.65) -> str:
    """The known name that is closest to `name` (letter case aside), or "" where none is that alike.

    likeness  0 to 1, the share of letters in common; `rnu` is as alike `run` as the default asks
    """
    names = {k.casefold(): k for k in known}
    match = get_close_matches(name.casefold(), names, n=1, cutoff=likeness)
    return names[match[0]] if match else ""
