"""The table that is printed: Markdown, to be pasted into the README."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table

from benchmarks.measure import Row, Unit

HEADINGS: dict[str, JustifyMethod] = {
    "case": "left",
    "engine": "left",
    "against": "left",
    "ratio": "right",
    "bound": "right",
    "holds?": "left",
    "gdtrain": "right",
    "theirs": "right",
}
UNITS: dict[Unit, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")),
    "B": ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")),
}
_LARGE = 20
_SMALL = 0.15  # a ratio below this is easier read as one over a number


def show(rows: Iterable[Row]) -> None:
    """Print the rows on stdout."""
    table = Table(box=box.MARKDOWN)
    for heading, justify in HEADINGS.items():
        table.add_column(heading, justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    Console(width=200, markup=False, highlight=False, emoji=False).print(table)


def amount(number: float, unit: Unit) -> str:
    """A number to three digits in the unit that fits: 14.2 us, 638 MiB."""
    if math.isnan(number):
        return ""
    size, name = next((pair for pair in UNITS[unit] if number >= pair[0]), UNITS[unit][-1])
    return f"{number / size:.3g} {name}"


def ratio_text(ratio: float) -> str:
    """A ratio to two decimals; 517 or 1/428 where it is large or small."""
    if 0 < ratio < _SMALL:
        return f"1/{1 / ratio:.0f}"
    return f"{ratio:.2f}" if ratio < _LARGE else f"{ratio:.0f}"


def _cells(row: Row) -> tuple[str, ...]:
    bound = "" if row.bound is None else ratio_text(row.bound)
    ratio = "" if row.trouble or row.absent else ratio_text(row.ratio)
    times = amount(row.ours, row.unit), amount(row.theirs, row.unit)
    return (row.case, row.engine, row.against, ratio, bound, _holds(row), *times)


def _holds(row: Row) -> str:
    if row.absent:
        return f"not measured: {row.absent}"
    if row.trouble:
        return f"not counted: {row.trouble}"
    if row.bound is None:
        return ""
    return "NO" if row.fails else "yes"
