"""The problem that an experiment and its data pose: what is descended, and how to read what was found.

Shapes: P trained parameters, Q reported ones, N rows, T targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gdtrain.experiment.schema import Experiment
from gdtrain.formula import Node, to_text
from gdtrain.formula import names as formula_names
from gdtrain.formula.evaluate import blame, evaluate
from gdtrain.losses import Loss, total
from gdtrain.losses import build as build_loss
from gdtrain.problem.between import Between
from gdtrain.problem.objective import DataLoss, Objective
from gdtrain.problem.parameters import Parameters
from gdtrain.problem.quadratic import Quadratic
from gdtrain.problem.squares import Squares

Columns = dict[str, Tensor]  # (N,) each

_PART = 1 << 15  # rows of which numbers are made at once

DTYPES = {"float64": torch.float64, "float32": torch.float32}


class Predicting(Protocol):
    """Predictions of rows by the values (Q,) of all parameters: columns and their number of rows to predictions on the
    scale of the targets and shaped like them, or (N, K) of classes.
    """

    def __call__(self, values_Q: Tensor, columns: Columns, rows: int, /) -> Tensor: ...

    def eta(self, values_Q: Tensor, columns: Columns, rows: int, /) -> Tensor:
        """The same before the inverse of the link."""
        ...

    def target(self, columns: Columns, /) -> Tensor:
        """The targets (N,), or (N, T) with several, as the columns have them."""
        ...

    def jacobian(self, values_Q: Tensor, columns: Columns, rows: int, /) -> Tensor:
        """Derivatives of eta by the trained parameters, (T, N, P); of classes of all but the first, (K - 1, N, P)."""
        ...


@dataclass(frozen=True)
class Problem:
    """What is descended, and how to read what was found.

    objective   what is walked on
    quadratic   the same loss in closed form, where it is a squared one of affine residuals
    obstacle    why there is no `quadratic`, as a clause
    gathered    whether the objective stands on gathered rows, not on the data's own
    sides       the trees to look at: (left, right) of every equation; left and right side of a formula; the
                expression to minimise
    columns     the data that the trees name, where it was read whole
    loss        of predictions; None where an expression is the loss
    target      columns to targets (N,), or (N, T) with several; `targets` are their names
    inputs      names of the columns that predict them; `terms` what a linear predictor is over, as its features say
    predict     how rows are predicted
    classes     names of the K classes of the target, where a loss tells classes apart
    labels      texts that the numbers of a target stand for, of targets that are text
    squares     of residuals and targets, where the rows were gathered
    reread      the loss on the data's own rows, a block of the table at a time, where the objective gathered them
    network     what stands between the columns and the prediction, where that is not linear
    centred     whether R2 is held against the targets' mean; else, where no constant is trained, against 0
    loss_scale  the loss of predicting 0 everywhere, of a residual its square: what a rounding error is held against;
                0 without data
    held        the same problem over the rows that are held out, in the same theta; None where none are
    folds       of each fold () -> the problem of training without it: a problem of its own, with a theta of its own
    """

    kind: str
    loss_name: str
    parameters: Parameters
    objective: Objective
    quadratic: Quadratic | None = None
    obstacle: str = ""
    gathered: bool = False
    sides: list[tuple[Node, ...]] = field(default_factory=list)
    columns: Columns = field(default_factory=dict)
    rows: int = 0
    target: Callable[[Columns], Tensor] | None = None
    targets: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    predict: Predicting | None = None
    loss: Loss | None = None
    classes: list[str] = field(default_factory=list)
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    squares: Squares | None = None
    reread: Callable[[], Iterator[DataLoss]] | None = None
    centred: bool = True
    network: Between | None = None
    loss_scale: float = 0.0
    held: Problem | None = None
    folds: Sequence[Callable[[], Problem]] = ()

    def losses(self) -> Iterator[DataLoss]:
        """The loss on the rows of the data, in one piece or in several; nothing where it has none."""
        if self.reread is not None:
            yield from self.reread()
        elif isinstance(self.objective, DataLoss):
            yield self.objective

    def named(self, values_Q: Tensor) -> Columns:
        """What every name in the trees stands for: columns (N,), parameters (1,)."""
        return {**self.columns, **by_name(self.parameters.names, values_Q)}

    def side_values(self, values_Q: Tensor) -> list[tuple[float, ...]]:
        """The values of the sides of every equation."""
        named = self.named(values_Q)
        return [tuple(float(evaluate(side, named)) for side in sides) for sides in self.sides]

    def not_finite(self, values_Q: Tensor) -> str:
        """The innermost expression that is not finite, and where; "" where all are."""
        if self.gathered:
            return ""  # what was gathered was finite
        named = self.named(values_Q)
        for tree in (tree for trees in self.sides for tree in trees):
            if found := blame(tree, named):
                node, row = found
                inputs = {name: named[name] for name in formula_names(node)}
                shown = ", ".join(f"{n} = {float(v[row if len(v) > 1 else 0]):.6g}" for n, v in inputs.items())
                place = f" in row {row + 1}" if self.rows else ""
                return f"{to_text(node)} is not finite{place}" + (f" ({shown})" if shown else "")
        return ""


def zero_like(experiment: Experiment) -> Tensor:
    """A number of the experiment's dtype on its device, which all tensors are made like. Raises UserError."""
    train = experiment.train
    try:
        return torch.zeros((), dtype=DTYPES[train.dtype], device=train.device)
    except (RuntimeError, AssertionError, TypeError, ValueError):  # torch raises any of these
        what = f"this torch cannot compute {train.dtype} on {train.device}"
        raise experiment.tree.find("train", "device").error(what, "use --device cpu") from None


def tensors(columns: Mapping[str, np.ndarray], like: Tensor) -> Columns:
    """Columns as tensors in the dtype and on the device of `like`."""
    writable = {name: column if column.flags.writeable else column.copy() for name, column in columns.items()}
    return {name: torch.as_tensor(column).to(like) for name, column in writable.items()}


def by_name(names: Sequence[str], values_Q: Tensor) -> Columns:
    """Each parameter's value as a tensor (1,)."""
    return {name: values_Q[i : i + 1] for i, name in enumerate(names)}


def fixed_columns(parameters: Parameters) -> Columns:
    """Parameters that are not trained, as columns of one value."""
    held = [i for i in range(len(parameters.names)) if i not in set(parameters.varying)]
    return by_name([parameters.names[i] for i in held], parameters.start_Q[held])


def loss_of(experiment: Experiment) -> Loss:
    assert experiment.loss is not None  # filled in for every kind but `minimize`
    return build_loss(experiment.loss.name, experiment.loss.options)


def loss_scale(target: Tensor, loss: Loss, weight_N: Tensor | None = None, classes: int = 0) -> float:
    """The loss where every prediction is 0; of a loss of residuals the squares of the targets, reduced as it is.

    weight_N  how often each row counts; once unless given
    classes   how many a prediction tells apart, 0 where it is a number
    """
    if not loss.linked:
        loss = build_loss("mse" if loss.reduction == "mean" else "sse", {})
    whole, count = target.new_zeros(1), target.new_zeros(1)
    for start in range(0, len(target), _PART):
        part = target[start : start + _PART]
        zero = part.new_zeros(1, *part.shape, *([classes] if classes else []))
        sums = total(loss, zero, part[None], None if weight_N is None else weight_N[start : start + _PART])
        whole, count = whole + sums[0], count + sums[1]
    return float(loss.reduce(whole, count))


def loss_factor(loss: Loss, elements: float) -> float:
    """What a squared loss multiplies the sum of squares by: 1/N for mse, 1/2 for half_sse, 1 for sse.

    elements  N, or what the rows count for
    """
    return loss.value_factor / (elements if loss.reduction == "mean" else 1)
