"""Rows to predict, and texts in them as codes.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdtrain.experiment.names import Names


@dataclass(frozen=True)
class PredictedRows:
    """Rows to predict, and texts in them as codes.

    columns  what the predictor takes, (N,) each; with the target among them where the rows are the data's `own`
    count    how many rows
    inputs   what they are predicted from, as the table has it: numbers and texts
    """

    columns: Mapping[str, np.ndarray]
    count: int
    inputs: Mapping[str, Sequence[Any] | np.ndarray]
    own: bool = False


def coded(names: Names, points: Sequence[Mapping[str, float | str]]) -> dict[str, np.ndarray]:
    """The inputs of points as columns (N,) of numbers: texts as their places among the levels, -1 for one that is
    none.
    """
    read = {}
    for name in names.inputs:
        codes = {text: code for code, text in enumerate(names.levels.get(name, ()))}
        values = [point[name] for point in points]
        texts = [value if isinstance(value, str) else f"{value:.17g}" for value in values]
        read[name] = np.array([codes.get(text, -1) for text in texts] if codes else values, dtype=np.float64)
    return read


def shown(names: Names, read: Mapping[str, np.ndarray]) -> dict[str, Sequence[Any] | np.ndarray]:
    """The inputs of such columns as the table has them: codes as their texts."""
    found: dict[str, Sequence[Any] | np.ndarray] = {name: read[name] for name in names.inputs}
    for name in names.inputs:
        if (texts := names.levels.get(name)) is not None:
            found[name] = [texts[int(code)] if code >= 0 else "(unseen)" for code in read[name]]
    return found
