"""Places for output that the user names."""

from __future__ import annotations

from pathlib import Path


def as_it_is(path: Path) -> bool:
    """Whether a path leads to a device or a pipe, which no file takes the place of: it is appended to.

    What /dev/stdout leads to may be a file with a result in it.
    """
    return path.exists() and (not path.is_file() or path.parts[:2] == ("/", "dev"))
