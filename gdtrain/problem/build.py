"""Builds the problem that an experiment and its data pose.

Shapes: S trials, P trained parameters, Q reported ones, N rows, F features, T targets, E equations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from gdtrain.experiment.formulas import sides
from gdtrain.experiment.names import Names
from gdtrain.experiment.schema import Experiment
from gdtrain.formula import Node, Op, to_text
from gdtrain.formula import names as formula_names
from gdtrain.formula.evaluate import blame, evaluate
from gdtrain.losses import Loss
from gdtrain.losses import build as build_loss
from gdtrain.problem.objective import Block, DataLoss, Expression, Objective
from gdtrain.problem.parameters import Parameters, Scaling, build_parameters
from gdtrain.problem.predictors import Equations, Formula, Linear

BLOCK_ROWS = 1 << 16  # rows that are worked on at once: temporaries stay small

DTYPES = {"float64": torch.float64, "float32": torch.float32}

Columns = dict[str, Tensor]  # (N,) each


@dataclass(frozen=True)
class Problem:
    """What is descended, and how to read what was found.

    sides       the trees to look at: (left, right) of every equation; left and right side of a formula; the
                expression to minimise
    columns     the data that the trees name
    target      (N,), or (N, T) with several; `targets` are their names, `inputs` the columns that predict them
    predict     values (Q,), columns and their number of rows to predictions shaped like `target`
    loss_scale  the squared loss of predicting 0 everywhere: what a rounding error is held against; 0 without data
    """

    kind: str
    loss_name: str
    parameters: Parameters
    objective: Objective
    sides: list[tuple[Node, ...]] = field(default_factory=list)
    columns: Columns = field(default_factory=dict)
    rows: int = 0
    target: Tensor | None = None
    targets: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    predict: Callable[[Tensor, Columns, int], Tensor] | None = None
    loss_scale: float = 0.0

    def named(self, values_Q: Tensor) -> Columns:
        """What every name in the trees stands for: columns (N,), parameters (1,)."""
        return {**self.columns, **by_name(self.parameters.names, values_Q)}

    def side_values(self, values_Q: Tensor) -> list[tuple[float, ...]]:
        """The values of the sides of every equation."""
        named = self.named(values_Q)
        return [tuple(float(evaluate(side, named)) for side in sides) for sides in self.sides]

    def not_finite(self, values_Q: Tensor) -> str:
        """The innermost expression that is not finite, and where; "" where all are."""
        named = self.named(values_Q)
        for tree in (tree for trees in self.sides for tree in trees):
            if found := blame(tree, named):
                node, row = found
                inputs = {name: named[name] for name in formula_names(node)}
                shown = ", ".join(f"{n} = {float(v[row if len(v) > 1 else 0]):.6g}" for n, v in inputs.items())
                place = f" in row {row + 1}" if self.rows else ""
                return f"{to_text(node)} is not finite{place}" + (f" ({shown})" if shown else "")
        return ""


def build_problem(experiment: Experiment, columns: Mapping[str, np.ndarray], names: Names) -> Problem:
    """The problem that `experiment` poses over `columns` (float64 (N,) each; empty where there is no data)."""
    like = _zero(experiment)
    tensors = {name: torch.as_tensor(column).to(like) for name, column in columns.items()}
    return BUILDERS[experiment.kind](experiment, tensors, names, like)


def _zero(experiment: Experiment) -> Tensor:
    """A number of the experiment's dtype on its device, which all tensors are made like."""
    train = experiment.train
    try:
        return torch.zeros((), dtype=DTYPES[train.dtype], device=train.device)
    except (RuntimeError, AssertionError, TypeError, ValueError):  # torch raises any of these
        what = f"this torch cannot compute {train.dtype} on {train.device}"
        raise experiment.tree.find("train", "device").error(what, "use --device cpu") from None


def _solve(experiment: Experiment, columns: Columns, names: Names, like: Tensor) -> Problem:
    pairs = [sides("solve", text) for text in experiment.solve or ()]
    parameters = build_parameters(experiment, names.parameters, like=like)
    residuals = [Op("sub", pair) for pair in pairs]
    equations = Equations(residuals, parameters.trained, _fixed(parameters), like)
    block = Block(equations, like.new_zeros(1, len(residuals)))
    loss = _loss(experiment)
    return Problem("solve", loss.name, parameters, DataLoss([block], loss), pairs)


def _minimize(experiment: Experiment, columns: Columns, names: Names, like: Tensor) -> Problem:
    (tree,) = sides("minimize", experiment.minimize or "")
    parameters = build_parameters(experiment, names.parameters, like=like)
    objective = Expression(tree, parameters.trained, {**columns, **_fixed(parameters)}, like)
    rows = _rows(columns) if columns else 0
    return Problem("minimize", "expression", parameters, objective, [(tree,)], columns, rows)


def _fit(experiment: Experiment, columns: Columns, names: Names, like: Tensor) -> Problem:
    left, right = sides("fit", experiment.fit or "")
    parameters = build_parameters(experiment, names.parameters, like=like)
    rows = _rows(columns)
    target_N = evaluate(left, columns).expand(rows)
    fixed = _fixed(parameters)
    blocks = [
        Block(
            Formula(right, parameters.trained, {**fixed, **_cut(columns, part)}, part.stop - part.start, like),
            target_N[None, part],
        )
        for part in _parts(rows)
    ]

    def predict(values_Q: Tensor, columns: Columns, rows: int) -> Tensor:
        return evaluate(right, {**columns, **by_name(parameters.names, values_Q)}).expand(rows)

    objective = DataLoss(blocks, _loss(experiment))
    return Problem(
        kind="fit",
        loss_name=objective.loss.name,
        parameters=parameters,
        objective=objective,
        sides=[(left, right)],
        columns=columns,
        rows=rows,
        target=target_N,
        targets=[to_text(left)],
        inputs=names.inputs,
        predict=predict,
        loss_scale=_scale(objective, target_N),
    )


def _regress(experiment: Experiment, columns: Columns, names: Names, like: Tensor) -> Problem:
    assert experiment.regress is not None and experiment.data is not None
    targets, intercept = experiment.regress.target, experiment.regress.intercept
    features = names.inputs
    width = len(features) + intercept  # weights of one target
    declared = [experiment.params.get(name) for name in names.parameters]
    centre = intercept and all(
        p is None or (not p.fixed and p.min is None and p.max is None) for p in declared[width - 1 :: width]
    )
    scalings: list[Scaling] = []
    raw = [columns[name] for name in features]
    if experiment.data.scale == "standard":
        mean_F, sd_F = _moments(raw, centre=centre, like=like)
        raw = [(x - mean) / sd for x, mean, sd in zip(raw, mean_F, sd_F, strict=True)]
        for start in range(0, len(targets) * width, width):
            weights = list(range(start, start + len(features)))
            scalings.append(Scaling(weights, start + width - 1 if centre else None, mean_F, sd_F))
    parameters = build_parameters(experiment, names.parameters, scalings=scalings, like=like)
    rows = _rows(columns)
    x_NF = _design(raw, intercept, rows, like)
    y = columns[targets[0]] if len(targets) == 1 else torch.stack([columns[name] for name in targets], 1)
    weights_Q = parameters.scaled(parameters.start_SQ[0])
    blocks = [
        Block(Linear(x_NF[part], len(targets), parameters.free, weights_Q), y[None, part]) for part in _parts(rows)
    ]

    def predict(values_Q: Tensor, columns: Columns, rows: int) -> Tensor:
        x_NF = _design([columns[name] for name in features], intercept, rows, like)
        return (x_NF @ values_Q.view(len(targets), width).T).squeeze(1)

    objective = DataLoss(blocks, _loss(experiment))
    return Problem(
        kind="regress",
        loss_name=objective.loss.name,
        parameters=parameters,
        objective=objective,
        columns=columns,
        rows=rows,
        target=y,
        targets=targets,
        inputs=names.inputs,
        predict=predict,
        loss_scale=_scale(objective, y),
    )


BUILDERS = {"solve": _solve, "minimize": _minimize, "fit": _fit, "regress": _regress}


def by_name(names: Sequence[str], values_Q: Tensor) -> Columns:
    """Each parameter's value as a tensor (1,)."""
    return {name: values_Q[i : i + 1] for i, name in enumerate(names)}


def _fixed(parameters: Parameters) -> Columns:
    """Parameters that are not trained, as columns of one value."""
    held = [i for i in range(len(parameters.names)) if i not in set(parameters.free)]
    return by_name([parameters.names[i] for i in held], parameters.start_SQ[0, held])


def _loss(experiment: Experiment) -> Loss:
    assert experiment.loss is not None
    return build_loss(experiment.loss.name, experiment.loss.options)


def _rows(columns: Columns) -> int:
    return max((len(column) for column in columns.values()), default=1)


def _parts(rows: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK_ROWS, rows)) for start in range(0, rows, BLOCK_ROWS))


def _cut(columns: Columns, part: slice) -> Columns:
    return {name: column[part] for name, column in columns.items()}


def _scale(objective: DataLoss, target: Tensor) -> float:
    return float(target.square().sum()) / objective.divisor


def _design(columns: Sequence[Tensor], intercept: bool, rows: int, like: Tensor) -> Tensor:
    """The columns side by side, then a column of ones for the intercept: x_NF."""
    ones = [like.new_ones(rows)] if intercept else []
    return torch.stack([*columns, *ones], 1)


def _moments(columns: Sequence[Tensor], *, centre: bool, like: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (divisor N) of each column; uncentred: 0 and the root mean square.

    A constant column keeps its scale. Values are divided by their largest first: squares of 1e300 overflow.
    """
    means, deviations = [], []
    for x in columns:
        largest = x.abs().max().clamp(min=torch.finfo(x.dtype).tiny)
        unit = x / largest
        mean = unit.mean() if centre else like
        sd = (unit - mean).square().mean().sqrt()
        means.append(mean * largest)
        deviations.append(sd * largest if sd > 8 * torch.finfo(x.dtype).eps else torch.ones_like(sd))
    return torch.stack(means), torch.stack(deviations)
