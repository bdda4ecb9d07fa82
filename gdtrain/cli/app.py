"""The verbs, in their help panels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

import gdtrain
from gdtrain.cli.comparing import diff
from gdtrain.cli.exporting import export
from gdtrain.cli.looking import grad
from gdtrain.cli.resuming import resume
from gdtrain.cli.sweeping import sweep
from gdtrain.cli.training import fit, minimize, regress, run, solve
from gdtrain.cli.using import predict
from gdtrain.cli.writing import check, init, schema

EXAMPLES = """Gradient descent for the command line.

Examples:

  gdtrain solve 'x + 1 = 3'

  gdtrain fit 'y = w*x + b' points.csv

  gdtrain run experiment.yaml --lr 0.01
"""

PANELS: Mapping[str, Sequence[Callable[..., int]]] = {
    "Train": (run, sweep, solve, fit, regress, minimize),
    "Look": (grad,),
    "Use": (predict, export, resume, diff),
    "Write": (init, check, schema),
}

app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True, help=EXAMPLES)
def gdtrain_command(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> int:
    if version:
        print(f"gdtrain {gdtrain.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit
    return 0


for panel, verbs in PANELS.items():
    for verb in verbs:
        app.command(rich_help_panel=panel)(verb)
