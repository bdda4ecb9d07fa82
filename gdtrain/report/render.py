"""A result as text: plain, md, csv or json. The table, which wants a console, is in `tables`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

from gdtrain.errors import cells
from gdtrain.report.sections import Section, sections, summary
from gdtrain.results import Result, history_names, plain_numbers

FORMATS = ("table", "plain", "json", "csv", "md")


def render(result: Result, style: str, *, compact: bool = False) -> str:
    """The result as text, with a final newline. `compact` puts a JSON document on one line."""
    if style == "json":
        return json.dumps(result.to_dict(), indent=None if compact else 2, ensure_ascii=False) + "\n"
    return TEXTS[style](result)


def aligned(section: Section) -> str:
    """A section as lines of plain text, its columns lined up."""
    return f"{section.title}\n{_columns(section)}"


def pipes(section: Section) -> str:
    """A section in Markdown."""
    return f"### {_escaped(section.title)}\n\n{_pipes(section)}"


def _plain(result: Result) -> str:
    blocks = [aligned(section) for section in sections(result)]
    return "\n\n".join([*blocks, "\n".join(summary(result))]) + "\n"


def _columns(section: Section) -> str:
    lines = [section.header, *section.rows]
    widths = [max(cells(line[i]) for line in lines) for i in range(len(section.header))]
    padded = ["  ".join(" " * (w - cells(text)) + text for text, w in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([*(line.rstrip() for line in padded), *section.notes])


def _markdown(result: Result) -> str:
    blocks = [pipes(section) for section in sections(result)]
    return "\n\n".join([*blocks, "  \n".join(_escaped(line) for line in summary(result))]) + "\n"


def _pipes(section: Section) -> str:
    lines = [[_escaped(text) for text in line] for line in [section.header, *section.rows]]
    rule = "|" + " ---: |" * len(section.header)
    table = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([table[0], rule, *table[1:], *("\n" + note for note in section.notes)])


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join("\\" + c if c in r"\|*_`<>[]#~&" else c for c in text)


def _history_csv(result: Result) -> str:
    """Every recorded epoch at full precision; with `every`, the epochs that it shows."""
    recorded = result.recorded
    rows = range(len(recorded.epochs_K)) if result.every is None else result.shown
    names = history_names([p.name for p in result.parameters])
    gradients = recorded.gradient_KQ
    header = ["epoch", "loss", *names, *([f"gradient.{n}" for n in names] if gradients is not None else [])]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    for k in rows:
        numbers = [recorded.loss_K[k], *recorded.values_KQ[k], *(gradients[k] if gradients is not None else [])]
        writer.writerow([int(recorded.epochs_K[k]), *plain_numbers(numbers)])
    return out.getvalue()


TEXTS: dict[str, Callable[[Result], str]] = {"plain": _plain, "md": _markdown, "csv": _history_csv}
