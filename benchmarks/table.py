"""The table that is printed: Markdown, to be pasted into the README."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table

from benchmarks.measure import Row

HEADINGS: dict[str, JustifyMethod] = {
    "case": "left",
    "against": "left",
    "ratio": "right",
    "bound": "right",
    "holds?": "left",
    "gdtrain": "right",
    "theirs": "right",
}
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))


def show(rows: Iterable[Row]) -> None:
    """Print the rows on stdout."""
    table = Table(box=box.MARKDOWN)
    for heading, justify in HEADINGS.items():
        table.add_column(heading, justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    Console(width=200, markup=False, highlight=False, emoji=False).print(table)


def duration(seconds: float) -> str:
    """Seconds to three digits in the unit that fits: 14.2 us."""
    size, unit = next((pair for pair in UNITS if seconds >= pair[0]), UNITS[-1])
    return f"{seconds / size:.3g} {unit}"


def _cells(row: Row) -> tuple[str, ...]:
    bound = "" if row.bound is None else f"{row.bound:g}"
    ratio = "" if row.trouble else f"{row.ratio:.2f}"
    return (row.case, row.against, ratio, bound, _holds(row), duration(row.ours), duration(row.theirs))


def _holds(row: Row) -> str:
    if row.trouble:
        return f"not counted: {row.trouble}"
    if row.bound is None:
        return ""
    return "NO" if row.fails else "yes"
