"""The options that all training verbs share, written once.

A verb takes them as one `options` argument; `takes_options` spreads them over its signature, where typer reads them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from gdtrain.errors import UserError, did_you_mean
from gdtrain.experiment.shorthands import ALONE, KEYS

if TYPE_CHECKING:
    # With pydantic behind it, which --help need not wait for.
    from gdtrain.experiment.overrides import AxisFlag, Override

TRAINING, OUTPUT = "Training", "Output"


def _key(flag: str, what: str, metavar: str) -> Any:
    return typer.Option(f"--{flag}", metavar=metavar, help=what, rich_help_panel=TRAINING, show_default=False)


def _training(flag: str, what: str, **more: Any) -> Any:
    return typer.Option(flag, help=what, rich_help_panel=TRAINING, show_default=False, **more)


def _output(flag: str, what: str, **more: Any) -> Any:
    return typer.Option(flag, help=what, rich_help_panel=OUTPUT, show_default=False, **more)


_START = "Where a parameter starts: w=0, or all of them from a result: @result.json."
_SET = "Any key of the experiment: train.optimizer.momentum=0.9."
_HOLDS = "Fail (exit 1) unless this holds: 'w = 2 +- 0.01', 'loss < 1e-3'."
_GET = _output("--get", "Print this value alone: w, loss, ...", metavar="NAME")
_EXPECT = _output("--expect", _HOLDS, metavar="EXPR")
_JUNIT = _output("--junit", "Write the expectations to FILE as JUnit XML.", metavar="FILE")
_FORMAT = _output("--format", "table, plain, json, csv or md.", metavar="FORMAT")
_QUIET = _output("--quiet", "No progress, no warnings on stderr.")
_CHECKPOINT = _output("--checkpoint", "Save it there so often, for gdtrain resume.", metavar="SECONDS")


@dataclass(frozen=True)
class Common:
    """What the flags said that all verbs that train have. `words` is the whole command line after `gdtrain`."""

    lr: Any = None
    epochs: Any = None
    optimizer: Any = None
    loss: Any = None
    holdout: Any = None
    folds: Any = None
    seed: Any = None
    start: Annotated[list[str], _training("--start", _START, metavar="NAME=NUMBER|@FILE")] = field(default_factory=list)
    set: Annotated[list[str], _training("--set", _SET, metavar="KEY=VALUE")] = field(default_factory=list)
    engine: Any = None
    dtype: Any = None
    device: Any = None
    every: Annotated[int | None, _output("--every", "Show every Nth epoch.", metavar="N", min=1)] = None
    gradients: Annotated[bool, _output("--gradients", "Show gradients beside the weights.")] = False
    get: Annotated[str | None, _GET] = None
    expect: Annotated[list[str], _EXPECT] = field(default_factory=list)
    junit: Annotated[str | None, _JUNIT] = None
    format: Annotated[str, _FORMAT] = "table"
    quiet: Annotated[bool, _QUIET] = False
    print_config: Annotated[
        bool, _output("--print-config", "Print the experiment file that says the same, and do not train.")
    ] = False
    top: Annotated[int | None, _output("--top", "Of many trials show the N best.", metavar="N", min=1)] = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options(Common):
    """What the flags of a verb that trains one experiment said."""

    lr: Annotated[str | None, _key("lr", "Learning rate, or auto.", "NUMBER")] = None
    epochs: Annotated[str | None, _key("epochs", "Passes over the data (1,000).", "N")] = None
    optimizer: Annotated[str | None, _key("optimizer", "sgd, adam, ..., or {name: sgd, momentum: 0.9}.", "NAME")] = None
    loss: Annotated[str | None, _key("loss", "mse, mae, huber, quantile, logistic, softmax, poisson, ...", "NAME")] = (
        None
    )
    holdout: Annotated[str | None, _key("holdout", "Share of the rows to hold out, to judge by: 0.2.", "SHARE")] = None
    folds: Annotated[str | None, _key("folds", "Hold out each of so many folds in turn.", "N")] = None
    seed: Annotated[str | None, _key("seed", "Seed of every random draw (0).", "N")] = None
    engine: Annotated[str | None, _key("engine", "auto, exact or loop.", "NAME")] = None
    dtype: Annotated[str | None, _key("dtype", "float64 or float32.", "NAME")] = None
    device: Annotated[str | None, _key("device", "cpu, cuda, mps, ...", "NAME")] = None
    level: Annotated[str | None, _key("level", "Share of the intervals that hold the truth (0.95).", "SHARE")] = None
    robust: Annotated[bool, _training("--robust", "Standard errors from the scatter of each row (sandwich).")] = False
    bootstrap: Annotated[
        str | None, _key("bootstrap", "Intervals from N samples of the rows, drawn with replacement.", "N")
    ] = None
    interval: Annotated[
        str | None, _key("interval", "Give predictions intervals that hold the truth with this share: 0.95.", "SHARE")
    ] = None
    out: Annotated[str | None, _output("--out", "Keep the run in this folder.", metavar="DIR")] = None
    force: Annotated[bool, _output("--force", "Replace a run that is kept there.")] = False
    checkpoint: Annotated[str | None, _CHECKPOINT] = None
    polish: Annotated[bool, _training("--polish", "After the last epoch, go to the minimum by Newton's steps.")] = False
    group_by: Annotated[str | None, _key("group-by", "Fit each group of rows alone: those of one value.", "COLUMN")] = (
        None
    )
    starts: Annotated[
        int | None,
        _training("--starts", "Train from N random starts at once; shows what they found.", metavar="N", min=1),
    ] = None

    def overrides(self) -> list[Override]:
        """The flags that change the experiment: the shorthands, --start, then --set, which is the most particular."""
        from gdtrain.cli.starts import start_overrides
        from gdtrain.experiment.overrides import Override

        given = {name: text for name in KEYS if (text := getattr(self, name)) is not None}
        found = [Override.of(KEYS[name], text, f"--{name}") for name, text in given.items()]
        for name, key in ALONE.items():
            if isinstance(text := getattr(self, name), str):
                found.append(Override.of(key, text, f"--{name.replace('_', '-')}"))
            elif text:
                found.append(Override(key, True, f"--{name.replace('_', '-')}"))
        return [*found, *start_overrides(self.start), *(Override.setting(text) for text in self.set)]


@dataclass(frozen=True)
class ResumeOptions:
    """What the flags of `resume` said."""

    epochs: Annotated[str | None, _key("epochs", "So many in all, in place of the experiment's.", "N")] = None
    checkpoint: Annotated[str | None, _CHECKPOINT] = None
    get: Annotated[str | None, _GET] = None
    expect: Annotated[list[str], _EXPECT] = field(default_factory=list)
    format: Annotated[str, _FORMAT] = "table"
    quiet: Annotated[bool, _QUIET] = False
    words: tuple[str, ...] = ()

    def overrides(self) -> list[Override]:
        """The flags that change the experiment."""
        from gdtrain.experiment.overrides import Override

        given = {"epochs": ("train.epochs", self.epochs), "checkpoint": ("checkpoint.every_s", self.checkpoint)}
        return [Override.of(key, text, f"--{name}") for name, (key, text) in given.items() if text is not None]


def _axis(flag: str, what: str) -> Any:
    return _key(flag, what, "VALUES")


@dataclass(frozen=True)
class SweepOptions(Common):
    """What the flags of `sweep` said: those of an experiment's keys may have several values."""

    lr: Annotated[list[str], _axis("lr", "Learning rates: 1e-3,1e-2 or geomspace:1e-4:1:13.")] = field(
        default_factory=list
    )
    epochs: Annotated[list[str], _axis("epochs", "Epochs at which to read: 10,100,1000.")] = field(default_factory=list)
    optimizer: Annotated[list[str], _axis("optimizer", "sgd,adam or '{name: sgd, momentum: 0.9},adam'.")] = field(
        default_factory=list
    )
    loss: Annotated[list[str], _axis("loss", "mse,mae,huber.")] = field(default_factory=list)
    holdout: Annotated[list[str], _axis("holdout", "Shares of the rows to hold out: 0.2.")] = field(
        default_factory=list
    )
    folds: Annotated[list[str], _axis("folds", "How many folds to hold out, each in turn: 5.")] = field(
        default_factory=list
    )
    seed: Annotated[list[str], _axis("seed", "Seeds: 0..9.")] = field(default_factory=list)
    engine: Annotated[list[str], _axis("engine", "auto, exact or loop.")] = field(default_factory=list)
    dtype: Annotated[list[str], _axis("dtype", "float64,float32.")] = field(default_factory=list)
    device: Annotated[list[str], _axis("device", "cpu, cuda, mps, ...")] = field(default_factory=list)
    zip: Annotated[bool, _training("--zip", "Pair the values of the axes; without it every combination.")] = False
    random: Annotated[
        int | None, _training("--random", "Draw N points from axes such as lr=loguniform:1e-4:1.", metavar="N", min=1)
    ] = None
    lr_find: Annotated[
        bool, _training("--lr-find", "Look for a learning rate: where descent is fastest, where it breaks.")
    ] = False
    memory: Annotated[
        str | None,
        _training("--memory", "What trials side by side may take: 2G (a quarter of it all).", metavar="SIZE"),
    ] = None
    rank_by: Annotated[
        str | None,
        _output("--rank-by", "Rank by this in place of the loss: epochs, w, -w, ...", metavar="NAME"),
    ] = None
    out: Annotated[
        str | None, _output("--out", "Keep finished trials here, and go on from what is there.", metavar="DIR")
    ] = None

    def overrides(self) -> list[Override]:
        """The flags that have one value by their kind."""
        from gdtrain.cli.starts import start_overrides

        try:
            return start_overrides(self.start)
        except UserError as error:
            remedy = f"{error.remedy}; several starts: --set params.w.start=0,1"
            raise UserError(error.what, where=error.where, remedy=remedy, text=error.text) from None

    def axes(self) -> list[AxisFlag]:
        """The flags that may have several values, in the order of the table of keys; --set comes last."""
        from gdtrain.experiment.overrides import AxisFlag

        given = {name: texts for name in KEYS if (texts := getattr(self, name))}
        return [*(AxisFlag.of(KEYS[n], texts, f"--{n}") for n, texts in given.items()), *AxisFlag.settings(self.set)]

    def refuse_beside_lr_find(self) -> None:
        """Options that a search for a learning rate has no use for. Raises UserError."""
        given = {"--zip": self.zip, "--random": self.random, "--rank-by": self.rank_by, "--out": self.out}
        for flag, value in given.items():
            if value:
                raise UserError("--lr-find has no use for it", where=flag, remedy="leave it out")

    def bytes(self) -> int | None:
        """--memory as a number of bytes. Raises UserError."""
        if self.memory is None:
            return None
        found = _SIZE.fullmatch(self.memory.strip())
        if found is None:
            raise UserError(f"{self.memory} is no size", where="--memory", remedy="write it like 512M or 2G")
        size = int(float(found[1]) * 1024 ** (" KMGT".index(found[2].upper() or " ")))
        if size < _LEAST_MEMORY:
            raise UserError(f"{self.memory} is too little", where="--memory", remedy="give it 16M or more")
        return size


_LEAST_MEMORY = 16 << 20  # bytes
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmMgGtT]?)(?:i?[bB])?")


def check_format(style: str) -> None:
    """Refuse a format that there is not."""
    from gdtrain.report.render import FORMATS

    if style not in FORMATS:
        remedy = did_you_mean(style, FORMATS) or f"there are {', '.join(FORMATS)}"
        raise UserError(f"there is no format {style}", where="--format", remedy=remedy)


def takes_options(kind: type[Common] | type[ResumeOptions]) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a verb that takes `options` of this kind one command-line option for each of its fields."""
    hints = get_type_hints(kind, include_extras=True)
    shared = [
        inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=f.default if f.default is not MISSING else [],
            annotation=hints[f.name],
        )
        for f in fields(kind)
        if f.name != "words"
    ]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

    def spread(verb: Callable[..., int]) -> Callable[..., int]:
        own = [p for p in inspect.signature(verb, eval_str=True).parameters.values() if p.name != "options"]

        @wraps(verb)
        def command(*, context: typer.Context, **given: Any) -> int:
            options = kind(**{p.name: given.pop(p.name) for p in shared}, words=tuple(context.obj or ()))
            return verb(**given, options=options)

        del command.__wrapped__  # typer must read the signature below, not the verb's own
        command.__signature__ = inspect.Signature([*own, *shared, context])  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in [*own, *shared, context]}
        return command

    return spread
