"""What goes to stderr and into files, and tables on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


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


def print_tables(show: Callable[[Console], None]) -> None:
    """Print what `show` puts on a rich console, at once: rich would turn a closed pipe into an exit of its own."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    with console.capture() as shown:
        show(console)
    sys.stdout.write(shown.get())
