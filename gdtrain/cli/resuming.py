"""The verb that goes on with what was interrupted: resume."""

from __future__ import annotations

from typing import Annotated

import typer

from gdtrain.cli.options import Common, ResumeOptions, takes_options


@takes_options(ResumeOptions)
def resume(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="What --out named.", show_default=False)],
    options: ResumeOptions,
) -> int:
    """Go on with the run, or the sweep, that a folder keeps, to the same end as if it had never stopped.

    Example: gdtrain resume runs/first --epochs 2000
    """
    from gdtrain.cli.output import Output

    common = Common(
        get=options.get, expect=options.expect, format=options.format, quiet=options.quiet, words=options.words
    )
    return Output.checked(common).resume(folder, options.overrides())
