"""The options that all training verbs share, written once.

A verb takes them as one `options` argument; `takes_options` spreads them over its signature, where typer reads them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from gdtrain.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from gdtrain.experiment.overrides import Override  # with pydantic behind it, which --help need not wait for

TRAINING, OUTPUT = "Training", "Output"

# Flags that are shorthand for one key of the experiment.
KEYS = {
    "lr": "train.lr",
    "epochs": "train.epochs",
    "optimizer": "train.optimizer",
    "loss": "loss",
    "seed": "train.seed",
    "engine": "train.engine",
    "dtype": "train.dtype",
    "device": "train.device",
}


def _key(flag: str, what: str, metavar: str) -> Any:
    return typer.Option(f"--{flag}", metavar=metavar, help=what, rich_help_panel=TRAINING, show_default=False)


def _output(flag: str, what: str, **more: Any) -> Any:
    return typer.Option(flag, help=what, rich_help_panel=OUTPUT, show_default=False, **more)


@dataclass(frozen=True)
class Options:
    """What the flags said."""

    lr: Annotated[str | None, _key("lr", "Learning rate, or auto.", "NUMBER")] = None
    epochs: Annotated[str | None, _key("epochs", "Passes over the data (1,000).", "N")] = None
    optimizer: Annotated[str | None, _key("optimizer", "sgd, adam, ..., or {name: sgd, momentum: 0.9}.", "NAME")] = None
    loss: Annotated[str | None, _key("loss", "mse, half_sse, sse, mae, huber.", "NAME")] = None
    seed: Annotated[str | None, _key("seed", "Seed of every random draw (0).", "N")] = None
    start: Annotated[
        list[str],
        typer.Option(
            "--start",
            metavar="NAME=NUMBER|@FILE",
            help="Where a parameter starts: w=0, or all of them from a result: @result.json.",
            rich_help_panel=TRAINING,
            show_default=False,
        ),
    ] = field(default_factory=list)
    set: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any key of the experiment: train.optimizer.momentum=0.9.",
            rich_help_panel=TRAINING,
            show_default=False,
        ),
    ] = field(default_factory=list)
    engine: Annotated[str | None, _key("engine", "auto or loop.", "NAME")] = None
    dtype: Annotated[str | None, _key("dtype", "float64 or float32.", "NAME")] = None
    device: Annotated[str | None, _key("device", "cpu, cuda, mps, ...", "NAME")] = None
    every: Annotated[int | None, _output("--every", "Show every Nth epoch.", metavar="N", min=1)] = None
    gradients: Annotated[bool, _output("--gradients", "Show gradients beside the weights.")] = False
    get: Annotated[str | None, _output("--get", "Print this value alone: w, loss, ...", metavar="NAME")] = None
    expect: Annotated[
        list[str],
        _output("--expect", "Fail (exit 1) unless this holds: 'w = 2 +- 0.01', 'loss < 1e-3'.", metavar="EXPR"),
    ] = field(default_factory=list)
    format: Annotated[str, _output("--format", "table, plain, json, csv or md.", metavar="FORMAT")] = "table"
    quiet: Annotated[bool, _output("--quiet", "No progress, no warnings on stderr.")] = False
    print_config: Annotated[
        bool, _output("--print-config", "Print the experiment file that says the same, and do not train.")
    ] = False

    def overrides(self) -> list[Override]:
        """The flags that change the experiment: the shorthands, --start, then --set, which is the most particular."""
        from gdtrain.cli.starts import start_overrides
        from gdtrain.experiment.overrides import Override

        given = {name: text for name in KEYS if (text := getattr(self, name)) is not None}
        found = [Override.of(KEYS[name], text, f"--{name}") for name, text in given.items()]
        return [*found, *start_overrides(self.start), *(Override.setting(text) for text in self.set)]


def check_format(style: str) -> None:
    """Refuse a format that there is not."""
    from gdtrain.report.render import FORMATS

    if style not in FORMATS:
        remedy = did_you_mean(style, FORMATS) or f"there are {', '.join(FORMATS)}"
        raise UserError(f"there is no format {style}", where="--format", remedy=remedy)


def takes_options(verb: Callable[..., int]) -> Callable[..., int]:
    """Give `verb`, which takes `options: Options`, one command-line option for each field of Options."""
    hints = get_type_hints(Options, include_extras=True)
    shared = [
        inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=f.default if f.default is not MISSING else [],
            annotation=hints[f.name],
        )
        for f in fields(Options)
    ]
    own = [p for p in inspect.signature(verb, eval_str=True).parameters.values() if p.name != "options"]

    @wraps(verb)
    def command(**given: Any) -> int:
        options = Options(**{p.name: given.pop(p.name) for p in shared})
        return verb(**given, options=options)

    del command.__wrapped__  # typer must read the signature below, not the verb's own
    command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in [*own, *shared]}
    return command
