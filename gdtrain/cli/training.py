"""The verbs that train: run, solve, fit, regress, minimize."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gdtrain.cli.messages import say
from gdtrain.cli.options import Options, takes_options
from gdtrain.errors import DATA, INTERRUPTED, TERMINATED, USAGE, UserError, UserErrors, printable
from gdtrain.experiment.tree import Node, Place
from gdtrain.formula.text import unquoted

if TYPE_CHECKING:
    from gdtrain.cli.output import Output
    from gdtrain.experiment.schema import Experiment

Formula = Annotated[str, typer.Argument(metavar="FORMULA", help="What to fit: 'y = w*x + b'.", show_default=False)]
Table = Annotated[
    str | None,
    typer.Argument(metavar="[DATA]", help="CSV, TSV, Parquet or NDJSON; - is stdin.", show_default=False),
]
InlineData = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="NAME=N,N,...", help="A column written here: x=1,2,3,4.", show_default=False),
]
Points = Annotated[
    list[str] | None,
    typer.Option("--predict", metavar="x=5|data|FILE", help="What to predict at the end.", show_default=False),
]


@takes_options(Options)
def run(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Experiment files; - is stdin.", show_default=False)
    ],
    options: Options,
) -> int:
    """Train the experiments in FILEs.

    Example: gdtrain run configs/linear.yaml --lr 0.02 --get w
    """
    for file in files:
        if "=" in file and not Path(file).exists():
            key, _, value = file.partition("=")
            flag = f"--{key} {value}" if key in vars(options) else f"--set {key}={value}"
            raise UserError(f"{file} is not a file", remedy=f"to change a key, write {flag}")
    return _train(list(files), options)


@takes_options(Options)
def solve(
    equations: Annotated[
        list[str], typer.Argument(metavar="EQUATION...", help="'x + 1 = 3'; several make a system.", show_default=False)
    ],
    options: Options,
) -> int:
    """Find numbers that make equations true.

    Example: gdtrain solve 'x^2 + y = 3' 'x - y = 0'
    """
    return _train([{"solve": [_written("EQUATION", text) for text in equations]}], options)


@takes_options(Options)
def fit(
    formula: Formula,
    options: Options,
    table: Table = None,
    data: InlineData = None,
    predict: Points = None,
) -> int:
    """Fit a formula to the rows of a table.

    Example: gdtrain fit 'y = a*exp(-b*x) + c' points.csv --predict x=5
    """
    experiment = {"fit": _written("FORMULA", formula), **_data(table, data), **_predict(predict)}
    return _train([experiment], options)


@takes_options(Options)
def regress(
    table: Annotated[
        str, typer.Argument(metavar="DATA", help="CSV, TSV, Parquet or NDJSON; - is stdin.", show_default=False)
    ],
    target: Annotated[
        str, typer.Option("--target", metavar="NAMES", help="Column to predict, or several.", show_default=False)
    ],
    options: Options,
    features: Annotated[
        str | None,
        typer.Option(
            "--features", metavar="NAMES", help="What to predict from: price,log(age),city:age; else all other columns."
        ),
    ] = None,
    no_intercept: Annotated[bool, typer.Option("--no-intercept", help="Leave the constant out.")] = False,
    predict: Points = None,
) -> int:
    """Regress a column on others.

    Example: gdtrain regress data.csv --target sales --features income,price
    """
    targets = [replace(name, value=unquoted(str(name.value))) for name in _names("--target", target)]
    predictor: dict[str, Any] = {"target": targets, "intercept": not no_intercept}
    if features is not None:
        predictor["features"] = _names("--features", features)
    experiment = {"regress": predictor, **_data(table, None), **_predict(predict)}
    return _train([experiment], options)


@takes_options(Options)
def minimize(
    expression: Annotated[str, typer.Argument(metavar="EXPRESSION", help="What to make small.", show_default=False)],
    options: Options,
    table: Table = None,
    data: InlineData = None,
) -> int:
    """Find numbers that make an expression small.

    Example: gdtrain minimize '(1 - x)^2 + (y - 2)^2'
    """
    return _train([{"minimize": _written("EXPRESSION", expression), **_data(table, data)}], options)


def _written(what: str, text: str) -> Node:
    """A formula of the command line, so that an error in it shows it. A space before a minus kept it apart."""
    return Node(text.strip(), Place.of(what, text.strip()))


def _names(flag: str, text: str) -> list[Node]:
    from gdtrain.experiment.terms import split

    return [Node(name.strip(), Place.of(flag, name.strip())) for name in split(text, ",") if name.strip()]


def _data(table: str | None, columns: Sequence[str] | None) -> dict[str, Any]:
    """The `data` section of a one-liner."""
    if table is not None and columns:
        raise UserError("data is either a file or --data", remedy=f"leave out {table} or --data")
    if table is not None:
        return {"data": {"path": _written("DATA", table)}}
    if not columns:
        return {}
    written = [_column(text) for text in columns]
    for i, (name, _) in enumerate(written):
        if name in dict(written[:i]):
            raise UserError(f"column {name} is given twice", where="--data", remedy="write its numbers in one --data")
    return {"data": {"columns": dict(written)}}


def _column(text: str) -> tuple[str, list[float]]:
    name, equals, numbers = text.partition("=")
    if not equals or not name.strip():
        raise UserError("write NAME=NUMBER,NUMBER,...", where="--data", remedy="as in --data x=1,2,3,4", text=text)
    return unquoted(name), [_number(cell, "--data", text) for cell in numbers.strip().strip("[]").split(",")]


def _number(cell: str, flag: str, text: str, code: int = DATA) -> float:
    from gdtrain.experiment.scalars import Refusal, resolve

    try:
        number = resolve(cell.strip())
    except Refusal as refusal:
        raise UserError(str(refusal), where=flag, text=text, code=code) from None
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise UserError(f"{cell.strip() or 'an empty cell'} is not a number", where=flag, text=text, code=code)
    return float(number)


def _predict(texts: Sequence[str] | None) -> dict[str, Any]:
    """The `predict` section of a one-liner: points `x=5` or `x=5,z=1`, `data`, or a file."""
    if not texts:
        return {}
    if len(texts) == 1 and "=" not in texts[0]:
        return {"predict": _written("--predict", texts[0])}
    place = Place.of("--predict")
    return {"predict": Node([Node(_point(text), Place.of("--predict", text)) for text in texts], place)}


def _point(text: str) -> dict[str, Node]:
    point = {}
    for pair in text.split(","):
        name, equals, value = pair.partition("=")
        if not equals:
            raise UserError("write NAME=NUMBER", where="--predict", remedy="as in --predict x=5", text=text)
        point[unquoted(name)] = Node(_number_or_text(value.strip(), text), Place.of("--predict", text))
    return point


def _number_or_text(value: str, text: str) -> float | str:
    """A value of a point: what starts like a word is one of a column of text."""
    if value[:1].isalpha():
        return value
    return _number(value, "--predict", text, code=USAGE)


def _train(sources: Sequence[str | Mapping[str, Any]], options: Options) -> int:
    """Check every experiment, then train one after another; the highest exit code wins."""
    from gdtrain.cli.output import Output
    from gdtrain.experiment.grouped import is_grouped
    from gdtrain.experiment.load import load

    output = Output.checked(options, many=len(sources) > 1, out=options.out, force=options.force)
    if options.out is not None and len(sources) > 1:
        raise UserError("a folder keeps one run", where="--out", remedy="write out: in each of the files")
    if options.force and options.starts is not None:
        raise UserError("the folder of many starts is gone on with", where="--force", remedy="leave it out")
    overrides = options.overrides()
    experiments, errors = [], []
    for source in sources:
        try:
            experiments.append(load(source, overrides, stdin=sys.stdin))
        except UserError as error:
            errors.append(error)
    if errors:
        raise UserErrors(errors) if len(errors) > 1 else errors[0]
    _refuse_shared_stdin(sources, experiments)
    if options.top is not None and options.starts is None and not any(map(is_grouped, experiments)):
        remedy = "give --starts N or --group-by COLUMN, or run gdtrain sweep"
        raise UserError("there is one trial", where="--top", remedy=remedy)
    if options.print_config:
        return output.print_configs(experiments)
    for source, experiment in zip(sources, experiments, strict=True):
        if experiment.sweep is not None and not options.quiet:
            say(printable(f"note: {source} has a sweep section; gdtrain sweep {source} trains it"))
    return output.gate.around(lambda: _each(sources, experiments, output, options))


def _each(
    sources: Sequence[str | Mapping[str, Any]], experiments: Sequence[Experiment], output: Output, options: Options
) -> int:
    """Train one after another; the highest exit code wins."""
    codes = []
    for source, experiment in zip(sources, experiments, strict=True):
        try:
            codes.append(_trained(output, experiment, options.starts, source))
        except UserError as error:
            if len(experiments) == 1:
                raise
            say(str(error))
            codes.append(error.code)
        if codes[-1] in (INTERRUPTED, TERMINATED):
            break
    return max(codes)


def _trained(output: Output, experiment: Experiment, starts: int | None, source: object) -> int:
    """Train one experiment: once, from many starts, or for each group of its rows."""
    from gdtrain.cli.stored import changed_data
    from gdtrain.experiment.grouped import is_grouped

    for sentence in () if output.options.quiet else changed_data(source, experiment):
        say(printable(f"warning: {sentence}"))
    if starts:
        return output.starts(experiment, starts, source)
    if is_grouped(experiment):
        if output.place(experiment) is not None:
            what = "a folder keeps one run, and each group is one"
            raise UserError(what, where="out", remedy="leave it out; --format json > FILE keeps them all")
        if experiment.checkpoint is not None:
            raise UserError("groups have no folder to be saved in", where="checkpoint", remedy="leave it out")
        return output.groups(experiment, source)
    return output.train(experiment)


def _refuse_shared_stdin(sources: Sequence[object], experiments: Sequence[Experiment]) -> None:
    """Standard input can be read once."""
    data = [e.data.path for e in experiments if e.data] + [e.predict.path for e in experiments if e.predict]
    if [*sources, *data].count("-") > 1:
        raise UserError("stdin can be read once", where="-", remedy="name a file for the others")
