"""A result, or a sweep, as text: plain, md, csv or json. The table, which wants a console, is in `tables`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gdtrain.errors import cells
from gdtrain.report.parts import Outcome, sections, summary
from gdtrain.report.sections import Section
from gdtrain.results import Result, SweepResult, as_text, history_names, plain_numbers

FORMATS = ("table", "plain", "json", "csv", "md")


def render(outcome: Outcome, style: str, *, compact: bool = False) -> str:
    """The result as text, with a final newline. `compact` puts a JSON document on one line."""
    return "".join(pieces(outcome, style, compact=compact))


def pieces(outcome: Outcome, style: str, *, compact: bool = False) -> Iterator[str]:
    """The text of `render` bit by bit: the JSON of a sweep holds one trial at a time in memory."""
    if style != "json":
        yield TEXTS[style](outcome)
    elif isinstance(outcome, SweepResult):
        yield from _sweep_json(outcome, None if compact else 2)
    else:
        yield _json(outcome.to_dict(), None if compact else 2) + "\n"


def _sweep_json(sweep: SweepResult, indent: int | None) -> Iterator[str]:
    """The same text as the whole document at once would give."""
    line, item = ("\n" + " " * indent, "\n" + " " * 2 * indent) if indent else ("", "")
    between = item if indent else " "
    yield _json(sweep.head(), indent).removesuffix("}").rstrip() + "," + (line or " ") + '"trials": ['
    for i, s in enumerate(sweep.listed):
        yield ("," + between if i else item) + _json(sweep.entry(s), indent).replace("\n", item)
    yield (line if sweep.listed else "") + "]," + (line or " ")
    yield _json(sweep.tail(), indent).removeprefix("{").lstrip() + "\n"


def _json(document: dict[str, Any], indent: int | None) -> str:
    return json.dumps(document, indent=indent, ensure_ascii=False)


def aligned(section: Section) -> str:
    """A section as lines of plain text, its columns lined up."""
    return f"{section.title}\n{_columns(section)}"


def pipes(section: Section) -> str:
    """A section in Markdown."""
    return f"### {escaped(section.title)}\n\n{pipe_table(section)}"


def _plain(outcome: Outcome) -> str:
    blocks = [aligned(section) for section in sections(outcome)]
    return "\n\n".join([*blocks, "\n".join(summary(outcome))]) + "\n"


def _columns(section: Section) -> str:
    lines = [section.header, *section.rows]
    widths = [max(cells(line[i]) for line in lines) for i in range(len(section.header))]
    padded = []
    for line in lines:
        spaces = [" " * (w - cells(text)) for text, w in zip(line, widths, strict=True)]
        lefts = [name in section.left for name in section.header]
        parts = [t + space if left else space + t for t, space, left in zip(line, spaces, lefts, strict=True)]
        padded.append("  ".join(parts).rstrip())
    return "\n".join([*padded, *section.notes])


def _markdown(outcome: Outcome) -> str:
    blocks = [pipes(section) for section in sections(outcome)]
    return "\n\n".join([*blocks, "  \n".join(escaped(line) for line in summary(outcome))]) + "\n"


def pipe_table(section: Section) -> str:
    """A section's table in Markdown."""
    lines = [[escaped(text) for text in line] for line in [section.header, *section.rows]]
    rule = "|" + "".join(" :--- |" if name in section.left else " ---: |" for name in section.header)
    table = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([table[0], rule, *table[1:], *("\n" + note for note in section.notes)])


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join("\\" + c if c in r"\|*_`<>[]#~&" else c for c in text)


def _csv(outcome: Outcome) -> str:
    return _trials_csv(outcome) if isinstance(outcome, SweepResult) else _history_csv(outcome)


def _trials_csv(sweep: SweepResult) -> str:
    """A row for each trial at full precision, best first."""
    rows = sweep.rows(sweep.order[: sweep.top])
    return _table(sweep.columns(), (["" if value is None else as_text(value) for value in row] for row in rows))


def _history_csv(result: Result) -> str:
    """Every recorded epoch at full precision; with `every`, the epochs that it shows."""
    recorded = result.recorded
    rows = range(len(recorded.epochs_K)) if result.every is None else result.shown
    held, gradients = recorded.held_K, recorded.gradient_KQ
    before = ["epoch", "loss", *([] if held is None else ["held_out"])]
    names = history_names([p.name for p in result.parameters], before)
    header = [*before, *names, *([f"gradient.{n}" for n in names] if gradients is not None else [])]
    numbers = (
        [
            recorded.loss_K[k],
            *([] if held is None else [held[k]]),
            *recorded.values_KQ[k],
            *([] if gradients is None else gradients[k]),
        ]
        for k in rows
    )
    epochs = (int(recorded.epochs_K[k]) for k in rows)
    return _table(header, ([epoch, *plain_numbers(each)] for epoch, each in zip(epochs, numbers, strict=True)))


def _table(header: list[str], rows: Iterable[list[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


TEXTS: dict[str, Callable[[Outcome], str]] = {"plain": _plain, "md": _markdown, "csv": _csv}
