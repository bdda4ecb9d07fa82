"""docs/accuracy.md: its prose is written by hand, its tables by `python -m tests.certified`.

A table stands between `<!-- NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.certified.sections import Key
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "accuracy.md"


def rows(text: str, name: str) -> list[Key]:
    """Those of a table, below its header."""
    found = re.search(_between(name), text, re.DOTALL)
    assert found is not None, f"no table {name} in {PAGE.name}"
    lines = found[2].strip().splitlines()[2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def header(text: str, name: str) -> Key:
    found = re.search(_between(name), text, re.DOTALL)
    assert found is not None
    return tuple(cell.strip() for cell in found[2].strip().splitlines()[0].strip("|").split("|"))


def replaced(text: str, name: str, head: Key, cells: Sequence[Key]) -> str:
    """The page with another table."""
    lines = [_line(head), _line(["---"] * len(head)), *map(_line, cells)]
    new, count = re.subn(_between(name), lambda found: found[1] + "\n".join(lines) + "\n" + found[3], text, flags=re.S)
    assert count == 1, f"no table {name} in {PAGE.name}"
    return new


def _between(name: str) -> str:
    return rf"(<!-- {name} -->\n)(.*?)(<!-- end -->)"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
