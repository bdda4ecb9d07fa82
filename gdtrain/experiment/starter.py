"""Starter files for `gdtrain init`: each trains as it is, and says in comments what may be changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gdtrain.errors import UserError, did_you_mean, printable
from gdtrain.experiment.dump import quoted

Column = tuple[str, str, int | None]  # name; number, text, bool, date, ...; empty cells, None where not counted

_TRAIN = """\
train:
  optimizer: sgd        # or adam, adamw, nadam, radam, rmsprop, adagrad, rprop
  # lr: 0.01            # learning rate; without one it is derived from the problem
  epochs: 1000
  seed: 0               # of the starts that are drawn
# stop: {patience: 50}  # end early: grad_tol, loss_tol, patience
"""

_SOLVE = """\
# Which x solves x^2 = 2?  Several equations: solve: [x + y = 3, x - y = 1]
solve: x^2 = 2
params:
  x: 1.0                # where to start; without it, drawn between 0 and 1
loss: half_sse          # 1/2 * sum of (left - right)^2; or mse, sse, mae, huber, ...
"""

_FIT = """\
# Which w and b make y = w*x + b pass closest to the points?
fit: y = w*x + b        # names that are columns are data, the others are found
data:
  columns: {x: [1, 2, 3, 4], y: [2.1, 3.9, 6.2, 7.8]}
  # path: points.csv    # or a file: CSV, TSV, Parquet, NDJSON
params:
  w: 0.0                # or {start: {uniform: [0, 1]}, min: 0, max: 10}
  b: 0.0                # or {start: 1.0, fixed: true}
loss: mse               # mean of squares; or mae, huber, logistic, poisson, ...
predict: [{x: 5}]       # or data, or a file
"""

_REGRESS = """\
# Which mix of income and price predicts sales best?
regress:
  target: sales
  features: [income, price]
  intercept: true
data:
  columns:
    sales: [5, 8, 12, 2, 1]
    income: [70, 90, 80, 100, 60]
    price: [0.1, 0.8, 0.13, 0.4, 0.9]
  # path: sales.csv     # or a file: CSV, TSV, Parquet, NDJSON
  scale: standard       # train on columns of mean 0 and standard deviation 1
loss: mse               # mean of squares; or mae, huber, logistic, poisson, ...
predict: data           # every row beside its target; or [{income: 75, price: 0.5}], or a file
"""

_MINIMIZE = """\
# Where is (1 - x)^2 + 2*(y - x)^2 smallest?
minimize: (1 - x)^2 + 2*(y - x)^2
params:
  x: 0.0                # or {start: {uniform: [0, 1]}, min: 0, max: 10}
  y: 0.0
"""

# What is trained where nothing is named: configs/linear.yaml without its name.
EXAMPLE: Mapping[str, Any] = {
    "fit": "y = w*x",
    "data": {"columns": {"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]}},
    "params": {"w": 0.0},
    "loss": "mse",
    "train": {"optimizer": "sgd", "lr": 0.01, "epochs": 20},
    "predict": [{"x": 5}],
}

# The same as a line, after `gdtrain fit`.
EXAMPLE_WORDS = (
    *("y = w*x", "--data", "x=1,2,3,4", "--data", "y=2,4,6,8", "--start", "w=0", "--loss", "mse"),
    *("--optimizer", "sgd", "--lr", "0.01", "--epochs", "20", "--predict", "x=5"),
)

STARTERS = {
    kind: text + _TRAIN
    for kind, text in (("solve", _SOLVE), ("fit", _FIT), ("regress", _REGRESS), ("minimize", _MINIMIZE))
}


def starter(kind: str) -> str:
    """The starter file of a kind. Raises UserError for what is none."""
    if kind not in STARTERS:
        remedy = did_you_mean(kind, STARTERS) or f"write one of {', '.join(STARTERS)}"
        raise UserError(f"there is no kind {kind}", where="gdtrain init", remedy=remedy)
    return STARTERS[kind]


def regress_starter(path: str, columns: Sequence[Column], target: str) -> str:
    """A starter for a linear predictor over the columns of a file.

    path     of the data, as the experiment file will name it
    columns  what the file holds; one that cannot be a feature is listed as a comment that says why
    target   the column to predict

    Raises UserError for a target that nothing predicts.
    """
    _check_target(columns, target)
    others = [column for column in columns if column[0] != target]
    usable = any(_obstacle(kind, gaps) == "" for _, kind, gaps in others)
    lines = [
        f"# Which mix of columns predicts {printable(target)} best?",
        "regress:",
        f"  target: {quoted(target)}",
        "  features:" if usable else "  features: []",
        *_feature_lines(others),
        "  intercept: true",
        "data:",
        f"  path: {quoted(path)}",
        "  scale: standard       # train on columns of mean 0 and standard deviation 1",
        _LOSS[next(kind for name, kind, _ in columns if name == target)],
        "# predict: data         # every row beside its target; or a file",
    ]
    return "\n".join(lines) + "\n" + _TRAIN


# By the kind of the target.
_LOSS = {
    "number": "loss: mse               # mean of squares; or mae, huber, logistic, poisson, ...",
    "text": "loss: softmax           # the probability of each text; logistic is for two of them",
    "bool": "loss: logistic          # the probability of true",
}


def _check_target(columns: Sequence[Column], target: str) -> None:
    kinds = {name: (kind, gaps) for name, kind, gaps in columns}
    if target not in kinds:
        remedy = did_you_mean(target, kinds) or f"the columns are {', '.join(kinds)}"
        raise UserError(f"there is no column {target}", where="--target", remedy=remedy)
    if kinds[target][0] not in _LOSS:
        raise UserError(f"{target} holds {_UNUSABLE[kinds[target][0]]}", where="--target", remedy="name another column")
    if gaps := kinds[target][1]:
        what = f"{target} has {gaps} empty {'cell' if gaps == 1 else 'cells'}"
        raise UserError(what, where="--target", remedy="a target is never filled: fill it in, or delete those rows")


def _feature_lines(columns: Iterable[Column]) -> Iterable[str]:
    for name, kind, gaps in columns:
        obstacle = _obstacle(kind, gaps)
        item = f"- {quoted(name)}"
        yield f"    # {printable(item)}  # {obstacle}" if obstacle else f"    {item}  # {kind}"


_UNUSABLE = {"date": "dates, no numbers", "mixed": "numbers and what is none", "empty": "no value at all"}


def _obstacle(kind: str, gaps: int | None) -> str:
    """Why a column cannot be a feature, "" where it can."""
    if kind not in ("number", "text", "bool"):
        return _UNUSABLE[kind]
    return f"{kind}, but {gaps} empty {'cell' if gaps == 1 else 'cells'}" if gaps else ""
