"""A gradient in one of the formats: table, plain, md, csv, json."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from rich.console import Console
from rich.text import Text

from gdtrain.errors import cells, printable
from gdtrain.gradient.result import SHOWN, BackwardNode, Gradient, Label, Pass, Value, listed
from gdtrain.report.render import aligned, pipes
from gdtrain.report.sections import Section
from gdtrain.report.tables import show_section

_INDENT = "  "


def render(gradient: Gradient, style: str) -> str:
    """The gradient as text, with a final newline."""
    return TEXTS[style](gradient)


def show(gradient: Gradient, console: Console) -> None:
    """Print a table for each pass and the graphs. On a terminal long lists fit its width."""
    for section in sections(gradient, console.width if console.file.isatty() else None):
        show_section(section, console)
    for title, lines in graphs(gradient):
        console.print(Text(title, style="bold"), soft_wrap=True)
        for line in lines:
            console.print(Text(line), soft_wrap=True)


def sections(gradient: Gradient, width: int | None = None) -> list[Section]:
    """A table for each pass. Lists show fewer values where `width` cells are too few for them."""
    return [_fitting(gradient, i, width) for i in range(len(gradient.passes))]


def graphs(gradient: Gradient) -> Iterator[tuple[str, list[str]]]:
    """Title and lines of each graph, once for each expression."""
    by_expression = {each.expression: each.graph for each in gradient.passes if each.graph is not None}
    for expression, nodes in by_expression.items():
        title = printable(f"graph of {expression}, from its value back")
        yield title, [_node(node) for node in nodes] or ["no graph: the value depends on nothing"]


def _node(node: BackwardNode) -> str:
    leaf = f" of {printable(node.leaf)}" if node.leaf else ""
    shared = " (shared: see above)" if node.shared else ""
    return f"{_INDENT * node.depth}{node.node}{leaf}{shared}"


def _fitting(gradient: Gradient, index: int, width: int | None) -> Section:
    for shown in range(SHOWN, 0, -1):
        section = _section(gradient, index, shown)
        if width is None or _width(section) <= width:
            break
    return section


def _width(section: Section) -> int:
    """Cells that the table takes with its borders."""
    columns = zip(section.header, *section.rows, strict=True)
    return sum(max(map(cells, column)) + 3 for column in columns) + 1


def _section(gradient: Gradient, index: int, shown: int) -> Section:
    each = gradient.passes[index]
    rows = [["value", listed(each.value, shown=shown), ""]]
    if each.vector is not None:
        rows.append(["vector", listed(each.vector, shown=shown), ""])
    notes = []
    for name, derivative in each.derivatives.items():
        label = Label(gradient.symbol, name)
        pairs = _rows(label, derivative, (each.finite_difference or {})[name])
        for text, row, check in pairs[:SHOWN]:
            rows.append([text, listed(row, shown=shown), listed(check, shown=shown, nan="-")])
        if len(pairs) > SHOWN:
            notes.append(f"{len(pairs) - SHOWN:,} more rows of {label} are in --format json")
    header = ["", "at the point", "finite difference"]
    width = len(header) if each.derivatives else len(header) - 1  # nothing to hold a value alone against
    return Section(_title(gradient, index), header[:width], [row[:width] for row in rows], tuple(notes))


def _rows(label: Label, derivative: Value, check: Value) -> list[tuple[str, Value, Value]]:
    """What a table shows of a derivative: one line, or of a Jacobian with two axes one for each of its rows."""
    if not isinstance(derivative, np.ndarray) or derivative.ndim < 2:
        return [(str(label), derivative, check)]
    labels = [str(replace(label, symbol=f"{label.symbol}[{i}]")) for i in range(len(derivative))]
    return list(zip(labels, derivative, np.asarray(check), strict=True))


def _title(gradient: Gradient, index: int) -> str:
    count = len(gradient.passes)
    number = f"pass {index + 1} of {count}" if count > 1 else ""
    added = ", gradients added up" if gradient.accumulate and index else ""
    head = f"{number}{added}: " if number else ""
    return printable(f"{head}{gradient.symbol} = {gradient.passes[index].expression}")


def _plain(gradient: Gradient) -> str:
    drawn = ["\n".join([title, *lines]) for title, lines in graphs(gradient)]
    return "\n\n".join([*map(aligned, sections(gradient)), *drawn]) + "\n"


def _markdown(gradient: Gradient) -> str:
    drawn = ["\n".join([f"    {line}" for line in (title, *lines)]) for title, lines in graphs(gradient)]
    return "\n\n".join([*map(pipes, sections(gradient)), *drawn]) + "\n"


def _json(gradient: Gradient) -> str:
    return json.dumps(gradient.to_dict(), indent=2, ensure_ascii=False) + "\n"


def _csv(gradient: Gradient) -> str:
    """A line for each number: of values, then of derivatives beside their finite differences."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["pass", "expression", "quantity", "value", "finite_difference"])
    for i, each in enumerate(gradient.passes, 1):
        writer.writerows([i, each.expression, *cells] for cells in _numbers(gradient.symbol, each))
    return out.getvalue()


def _numbers(of: str, each: Pass) -> Iterator[tuple[str, float, float | str]]:
    for row, number in enumerate(np.ravel(each.value).tolist()):
        yield (f"{of}[{row}]" if np.ndim(each.value) else of), number, ""
    rows = bool(each.jacobian) and np.ndim(each.value) > 0
    for name, derivative in each.derivatives.items():
        label = Label(of, name, rows=rows, entries=np.ndim(derivative) > rows)
        checks = _matrix((each.finite_difference or {})[name], rows)
        for (row, entry), number in np.ndenumerate(_matrix(derivative, rows)):
            check = checks[row, entry].item()
            yield label(row, entry), number.item(), check if check == check else ""


def _matrix(value: Value, rows: bool) -> np.ndarray:
    """(R, N), where R is 1 for all but a Jacobian of several values."""
    array = np.asarray(value)
    return array.reshape(len(array) if rows else 1, -1)


TEXTS: dict[str, Callable[[Gradient], str]] = {"plain": _plain, "md": _markdown, "csv": _csv, "json": _json}
