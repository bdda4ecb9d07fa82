"""What goes to stderr."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """A line on stderr; a stderr that is gone is no reason to fail."""
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return
