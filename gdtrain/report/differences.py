"""How two documents differ, in one of the formats: plain, md, csv, json. The table, which wants a console, is in
`tables`.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from gdtrain.errors import printable
from gdtrain.report.numbers import number, short
from gdtrain.report.render import aligned, pipes
from gdtrain.report.sections import Section
from gdtrain.results.differences import Differences

_LEFT = ("part", "", "a", "b")


def section(differences: Differences) -> Section | None:
    """A table of what differs; None where nothing does."""
    if not differences.found:
        return None
    rows = [
        [each.part, printable(each.where), _shown(each.a), _shown(each.b), _shown(each.absolute), number(each.relative)]
        for each in differences.found
    ]
    title = printable(f"a: {differences.a}, b: {differences.b}")
    return Section(title, ["part", "", "a", "b", "b - a", "relative"], rows, left=_LEFT)


def summary(differences: Differences) -> str:
    """One line: how many values differ."""
    within = f"rtol {short(differences.tolerance.rtol)}, atol {short(differences.tolerance.atol)}"
    count = len(differences.found)
    if not count:
        return f"no differences in {differences.compared:,} values ({within})"
    return f"{count:,} of {differences.compared:,} values differ{'s' * (count == 1)} ({within})"


def render(differences: Differences, style: str) -> str:
    """The differences as text, with a final newline."""
    if style == "json":
        return json.dumps(differences.to_dict(), indent=2, ensure_ascii=False) + "\n"
    if style == "csv":
        return _csv(differences)
    found = section(differences)
    table = [] if found is None else [(pipes if style == "md" else aligned)(found)]
    return "\n\n".join([*table, summary(differences)]) + "\n"


def _csv(differences: Differences) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["part", "where", "a", "b", "absolute", "relative"])
    for each in differences.to_dict()["differences"]:
        writer.writerow(["" if value is None else _text(value) for value in each.values()])
    return out.getvalue()


def _shown(value: Any) -> str:
    """A value as the table has it: floats with all digits that tell them apart."""
    return "" if value is None else printable(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
