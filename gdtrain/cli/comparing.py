"""The verb that compares two results: diff."""

from __future__ import annotations

import json
import math
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gdtrain.cli.messages import print_tables
from gdtrain.cli.options import check_format
from gdtrain.errors import UserError

if TYPE_CHECKING:
    from gdtrain.results.differences import Differences

_DIFFER = 1
_FINGERPRINT = ("size", "sha256")
_RESULT = "A result document, or a folder with result.json; - is stdin."


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=_RESULT, show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="The other.", show_default=False)],
    rtol: Annotated[str, typer.Option("--rtol", metavar="NUMBER", help="Share of numbers that may differ.")] = "1e-9",
    atol: Annotated[str, typer.Option("--atol", metavar="NUMBER", help="How far numbers near 0 may differ.")] = "0",
    style: Annotated[str, typer.Option("--format", metavar="FORMAT", help="table, plain, json, csv or md.")] = "table",
) -> int:
    """Tell how two results differ: parameters, loss, verdict, experiment and data. Exit code 1 where they do.

    Example: gdtrain diff before.json after.json --rtol 1e-6
    """
    from gdtrain.results.differences import Tolerance, compare
    from gdtrain.results.saved import read_document

    check_format(style)
    if a == b == "-":
        raise UserError("stdin can be read once", where="-", remedy="name a file for one of the two")
    tolerance = Tolerance(_tolerance(rtol, "--rtol"), _tolerance(atol, "--atol"))
    stdin = sys.stdin.buffer if sys.stdin else None
    documents = [read_document(path, stdin) for path in (a, b)]
    keys = _experiments(a, b)
    differences = compare(documents[0], documents[1], (a, b), tolerance, keys, _files(a, b))
    _show(differences, style)
    return _DIFFER if differences.found else 0


def _tolerance(text: str, flag: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise UserError(f"{text} is no tolerance", where=flag, remedy="write a number, 0 or more: 1e-6")
    return number


def _experiments(a: str, b: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The keys of two experiments that lie beside their results; None where one of them does not."""
    from gdtrain.keep.runs import EXPERIMENT

    files = [Path(path) / EXPERIMENT for path in (a, b)]
    if not all(file.is_file() for file in files):
        return None
    from gdtrain.experiment.load import load
    from gdtrain.keep.keys import canonical, leaves

    first, second = (dict(leaves(canonical(load(file)))) for file in files)
    return first, second


def _files(a: str, b: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fingerprints of the files that two runs read, where both folders tell them."""
    from gdtrain.keep.runs import MANIFEST

    first, second = (_fingerprints(Path(path) / MANIFEST) for path in (a, b))
    return (first, second) if first is not None and second is not None else ({}, {})


def _fingerprints(file: Path) -> dict[str, Any] | None:
    try:
        told = json.loads(file.read_bytes())["data"].items()
        return {f"{role}.{key}": found[key] for role, found in told for key in _FINGERPRINT}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _show(differences: Differences, style: str) -> None:
    from gdtrain.report import differences as report

    found = report.section(differences)
    if style != "table" or found is None:
        sys.stdout.write(report.render(differences, "plain" if style == "table" else style))
        return
    from gdtrain.report.tables import show_section

    print_tables(partial(show_section, found, folded=True))
    sys.stdout.write(f"{report.summary(differences)}\n")
