"""Rows to predict.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class PredictedRows:
    """Rows to predict.

    columns  what the predictor takes, (N,) each; with the target among them where the rows are the data's `own`
    count    how many rows
    inputs   what they are predicted from, as the table has it: numbers and texts
    """

    columns: Mapping[str, np.ndarray]
    count: int
    inputs: Mapping[str, Sequence[Any] | np.ndarray]
    own: bool = False
