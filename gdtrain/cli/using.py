"""The verbs that use a result: predict."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from gdtrain.cli.messages import say
from gdtrain.cli.places import as_it_is
from gdtrain.errors import TERMINATED, UserError, printable
from gdtrain.experiment.terms import split
from gdtrain.formula.text import unquoted


def predict(
    result: Annotated[
        str,
        typer.Argument(
            metavar="RESULT", help="A result document, a folder with result.json, or - for stdin.", show_default=False
        ),
    ],
    table: Annotated[
        str, typer.Argument(metavar="DATA", help="CSV, TSV, Parquet or NDJSON; - is stdin.", show_default=False)
    ],
    keep: Annotated[
        str | None,
        typer.Option("--keep", metavar="NAMES", help="Columns to write beside the predictions: id,city; '*' is all."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write; stdout unless given.", show_default=False),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="csv, ndjson or parquet; else as FILE ends, or csv."),
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option("--interval", metavar="SHARE", help="Add intervals that hold the truth with this share: 0.95."),
    ] = None,
    with_residuals: Annotated[
        bool, typer.Option("--with-residuals", help="Add prediction minus target, which the table then has to have.")
    ] = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Print the metrics of these rows; the rows go to --output, if anywhere.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No warnings on stderr.")] = False,
) -> int:
    """Predict the rows of DATA by a result that was saved.

    Example: gdtrain predict result.json new.csv --keep id -o predictions.csv
    """
    stdin = sys.stdin.buffer if sys.stdin else None
    if result == table == "-":
        raise UserError("stdin can be read once", where="-", remedy="name a file for RESULT or DATA")

    from gdtrain.results import plain_numbers
    from gdtrain.results.saved import doubts, read_result

    document = read_result(result, "", stdin, groups=True)

    from gdtrain.prediction import Asked, Predictor, form_of, writer
    from gdtrain.prediction.rows import level_of
    from gdtrain.threads import threads

    named = [unquoted(name.strip()) for name in split(keep or "", ",") if name.strip()]
    form = form_of(output, form)
    level = None if interval is None else level_of(interval, "--interval")
    asked = Asked(named, level, with_residuals, metrics, lines=form == "csv")
    signal.siginterrupt(signal.SIGINT, True)  # polars has it that Ctrl-C does not end a read of stdin
    with threads(1):  # reader and writer have threads of their own
        predictor = Predictor(document, result, asked)
        source = predictor.open(table, stdin)
        predicted = predictor.predicted(source)
        if metrics and output is None:
            for _ in predicted:
                pass
        else:
            with _sigterm_as_error(), _opened(output) as file, writer(form, file) as written:
                for rows in predicted:
                    written.write(rows)
    for warning in () if quiet else [*doubts(document, result), *source.warnings, *predictor.warnings]:
        say(printable(f"warning: {warning}"))
    if metrics:
        told = {"rows": predictor.rows, "metrics": predictor.metrics()}
        sys.stdout.write(json.dumps(plain_numbers(told), indent=2, ensure_ascii=False) + "\n")
    return 0


@contextmanager
def _sigterm_as_error() -> Iterator[None]:
    """SIGTERM ends the command as an error does inside, so that nothing half-written is left behind."""

    def end(*_: object) -> None:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _opened(path: str | None) -> Iterator[BinaryIO]:
    """Where rows go: stdout, a device as it is, or a file that takes its name once it is whole.

    Raises UserError (exit 74) where it cannot be written.
    """
    from gdtrain.keep.files import refusal, temporary_beside

    if path is None:
        assert sys.stdout is not None  # refused before
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        if as_it_is(Path(path)):
            with open(path, "ab") as file:
                yield file
            return
        place = os.path.realpath(path)  # a link stays one
        made = temporary_beside(Path(place))
        try:
            with open(made, "wb") as file:
                yield file
            os.replace(made, place)
        finally:
            made.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise refusal(path, error, "--output") from None
