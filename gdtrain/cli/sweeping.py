"""The verb that trains many trials: sweep."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gdtrain.cli.messages import as_text
from gdtrain.cli.options import SweepOptions, takes_options
from gdtrain.errors import UserError


@takes_options(SweepOptions)
def sweep(
    options: SweepOptions,
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE]", help="Experiment file; - is stdin; else gdtrain.yaml, else y = w*x."),
    ] = None,
) -> int:
    """Train an experiment with many values of its keys at once, and rank what came of it.

    Example: gdtrain sweep configs/linear.yaml --lr 1e-3,1e-2,0.1
    """
    from gdtrain.cli.output import Output
    from gdtrain.experiment.sweep import load_sweep, usual_source

    if file is not None and "=" in file and not Path(file).exists():
        key, _, value = file.partition("=")
        flag = f"--{key} {value}" if key in vars(options) else f"--set {key}={value}"
        raise UserError(f"{file} is not a file", remedy=f"to sweep a key, write {flag}")
    source, called = (file, file) if file is not None else usual_source()
    output = Output.checked(options)
    axes, overrides = options.axes(), options.overrides()
    request = _request(options, called, source if isinstance(source, str) else None)
    if options.lr_find:
        options.refuse_beside_lr_find()
        return output.gate.around(lambda: output.find_lr(source, overrides, axes, request))
    spec = load_sweep(source, overrides, axes, zipped=options.zip, random=options.random, stdin=sys.stdin)
    if not spec.axes:
        place = called if isinstance(source, str) else "gdtrain sweep"
        raise UserError("there is nothing to sweep", where=place, remedy="give a key several values: --lr 1e-3,1e-2")
    if options.print_config:
        return output.print_configs([spec.declared], spec.following)
    if options.out is None and (out := spec.experiment.out) is not None:
        request["out"] = spec.experiment.locate(out)
    return output.gate.around(lambda: output.sweep(spec, request))


def _request(options: SweepOptions, called: str, file: str | None) -> dict[str, Any]:
    """How the sweep is carried out: what `gdtrain.sweeps.sweeping.Request` holds."""
    from gdtrain.cli.rerun import alone  # with pydantic behind it, which --help need not wait for

    words, file = [as_text(word) for word in options.words], as_text(file or "")
    return {
        "source": "stdin" if called == "-" else as_text(called),
        "every": options.every,
        "gradients": options.gradients,
        "rank_by": options.rank_by,
        "top": options.top,
        "memory": options.bytes(),
        "out": options.out,
        "words": words,
        "file": file,
        "rerun": partial(alone, words, file=file),
    }
