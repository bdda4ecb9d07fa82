"""A result, or a sweep, as rich tables on a console."""

from __future__ import annotations

from rich import box
from rich.console import Console, JustifyMethod
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from gdtrain.report.parts import Outcome, sections, status, summary
from gdtrain.report.sections import Section

COLOURS = {"converged": "green", "max_epochs": "yellow", "stopped": "yellow", "interrupted": "yellow"}


def show(outcome: Outcome, console: Console) -> None:
    """Print the tables and the summary. On a terminal the tables fit its width; elsewhere nothing is cut."""
    console.width = max(console.width, 1)  # COLUMNS may say 0
    for section in sections(outcome, console.width if console.file.isatty() else None):
        show_section(section, console)
    verdict, *lines = summary(outcome)
    _line(Text(verdict, style=COLOURS.get(status(outcome), "red")), console)
    for line in lines:
        _line(Text(line), console)


def show_section(section: Section, console: Console, *, folded: bool = False) -> None:
    """Print one table and its notes, as wide as it is: rich would cut it to the width of the console. `folded`, its
    cells take several lines where a terminal is too narrow.
    """
    _line(Text(section.title, style="bold"), console)
    folded = folded and console.file.isatty()
    table = _table(section, folded=folded)
    needed = 0 if folded else Measurement.get(console, console.options.update(max_width=10**6), table).maximum
    width, console.width = console.width, max(console.width, needed)
    console.print(table, crop=False)
    console.width = width
    for note in section.notes:
        _line(Text(note, style="dim"), console)


def _line(text: Text, console: Console) -> None:
    """A line of words: wrapped between them on a terminal, whole elsewhere (where colours may be forced)."""
    console.print(text, soft_wrap=not console.file.isatty())


def _table(section: Section, *, folded: bool) -> Table:
    table = Table(box=box.ROUNDED)
    for name in section.header:
        justify: JustifyMethod = "left" if name in section.left else "right"
        table.add_column(Text(name), justify=justify, no_wrap=not folded, overflow="fold")
    for row in section.rows:
        table.add_row(*(Text(text) for text in row))
    return table
