"""The verb that writes a model in another language: export."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gdtrain.cli.messages import say
from gdtrain.errors import UserError, did_you_mean, printable


def export(
    result: Annotated[
        str,
        typer.Argument(
            metavar="RESULT", help="A result document, or a folder with result.json; - is stdin.", show_default=False
        ),
    ],
    to: Annotated[str, typer.Option("--to", metavar="LANGUAGE", help="python, sql or latex.", show_default=False)],
) -> int:
    """Write the model of a saved result as a function or an expression that needs no gdtrain.

    Example: gdtrain export result.json --to sql
    """
    languages = ("python", "sql", "latex")
    if to not in languages:
        remedy = did_you_mean(to, languages) or f"there are {', '.join(languages)}"
        raise UserError(f"there is no language {to}", where="--to", remedy=remedy)
    from gdtrain.results.saved import doubts, read_result

    document = read_result(result, "", sys.stdin.buffer if sys.stdin else None, groups=True)

    from gdtrain.export import export as exported

    sys.stdout.write(exported(document, result, to))
    for warning in doubts(document, result):
        say(printable(f"warning: {warning}"))
    return 0
