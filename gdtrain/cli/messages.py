"""What goes to stderr, and into files."""

from __future__ import annotations

import sys


def as_text(word: str) -> str:
    """A word of the command line for files that hold text: its bytes that are none are escaped."""
    return word.encode(errors="backslashreplace").decode()


def say(text: str) -> None:
    """A line on stderr; a stderr that is gone is no reason to fail."""
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return
