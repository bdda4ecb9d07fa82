"""The verbs that look without training: grad."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from gdtrain.cli.messages import print_tables, say
from gdtrain.cli.options import check_format
from gdtrain.cli.points import name_list, point
from gdtrain.cli.points import vector as vector_of
from gdtrain.errors import printable

if TYPE_CHECKING:
    from gdtrain.gradient import Gradient


def grad(
    expressions: Annotated[
        list[str],
        typer.Argument(metavar="EXPRESSION...", help="'w*x + b', 'mean(2*(x+2)^2)'.", show_default=False),
    ],
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="NAME=VALUE,...",
            help="The point: x=2,w=3, 'x=[1,2,3]', 'x=randn(3)' (rand, ones, zeros).",
            show_default=False,
        ),
    ] = None,
    wrt: Annotated[
        list[str] | None,
        typer.Option("--wrt", metavar="NAMES", help="Differentiate by these; else by all.", show_default=False),
    ] = None,
    detach: Annotated[
        list[str] | None,
        typer.Option("--detach", metavar="NAMES", help="Leave these out of the graph.", show_default=False),
    ] = None,
    vector: Annotated[
        str | None,
        typer.Option(
            "--vector",
            metavar="N,N,...",
            help="Start from this vector where there are several values (vector-Jacobian product).",
            show_default=False,
        ),
    ] = None,
    jacobian: Annotated[bool, typer.Option("--jacobian", help="The whole Jacobian, a row for each value.")] = False,
    accumulate: Annotated[
        bool, typer.Option("--accumulate", help="Add gradients up over the passes, as when nobody zeroes them.")
    ] = False,
    repeat: Annotated[int, typer.Option("--repeat", metavar="N", help="Make the passes N times.")] = 1,
    graph: Annotated[bool, typer.Option("--graph", help="Show the chain of backward nodes.")] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of drawn values.")] = 0,
    style: Annotated[str, typer.Option("--format", metavar="FORMAT", help="table, plain, json, csv or md.")] = "table",
    quiet: Annotated[bool, typer.Option("--quiet", help="No notes on stderr.")] = False,
) -> int:
    """Show the value and the gradient of expressions at a point, without training.

    Each entry stands beside its finite difference.

    Example: gdtrain grad 'w*x + b' --at x=2,w=3,b=4 --wrt w,b
    """
    check_format(style)
    values = point(at or [])
    start = None if vector is None else vector_of(vector)
    by = None if wrt is None else name_list(wrt, "--wrt")
    detached = name_list(detach or [], "--detach")

    from gdtrain.gradient import grad as differentiate

    gradient = differentiate(
        [text.strip() for text in expressions],
        values,
        wrt=by,
        detach=detached,
        vector=start,
        jacobian=jacobian,
        accumulate=accumulate,
        repeat=repeat,
        graph=graph,
        seed=seed,
    )
    notes = gradient.notes + (
        ["csv leaves the graph out; the other formats have it"] if graph and style == "csv" else []
    )
    for note in () if quiet else notes:
        say(printable(f"note: {note}"))
    _show(gradient, style)
    return gradient.exit_code


def _show(gradient: Gradient, style: str) -> None:
    from gdtrain.cli import gradients

    if style == "table":
        print_tables(partial(gradients.show, gradient))
    else:
        sys.stdout.write(gradients.render(gradient, style))
