"""Predictions of rows, as results have them.

Shapes: Q reported parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from gdtrain.data.predictions import PredictedRows
from gdtrain.problem.problem import Problem, tensors
from gdtrain.results import Prediction


def predictions_of(
    problem: Problem, before_Q: np.ndarray, after_Q: np.ndarray, rows: PredictedRows
) -> list[Prediction]:
    """Every row under the values at the start and at the end; beside its target where the rows are the data's own."""
    if not rows.count or problem.predict is None:
        return []
    like = problem.parameters.start_Q
    columns = tensors(rows.columns, like)
    before, after = (
        problem.predict(like.new_tensor(values_Q), columns, rows.count) for values_Q in (before_Q, after_Q)
    )
    target = problem.target(columns) if rows.own and problem.target else None
    told = problem.classes or problem.targets
    return [
        Prediction(
            inputs={name: _value(rows.inputs[name][i]) for name in problem.inputs},
            before=_row(before, i, told),
            after=_row(after, i, told),
            target=None if target is None else _target(target, i, problem),
        )
        for i in range(rows.count)
    ]


def _value(value: Any) -> float | str:
    return value if isinstance(value, str) else float(value)


def _row(predictions: Tensor, i: int, targets: Sequence[str]) -> float | dict[str, float]:
    if predictions.dim() == 1:
        return float(predictions[i])
    return dict(zip(targets, predictions[i].tolist(), strict=True))


def _target(target: Tensor, i: int, problem: Problem) -> float | str | dict[str, float | str]:
    """The target of a row as the table has it: of labels that were read from text the text."""
    each = [
        problem.labels[name][int(value)] if name in problem.labels else value
        for name, value in zip(problem.targets, target[i].reshape(-1).tolist(), strict=True)
    ]
    return each[0] if target.dim() == 1 else dict(zip(problem.targets, each, strict=True))
