"""Metrics in words: a line of them, and the confusion of classes as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdtrain.errors import printable

CLASSES = 10  # of which a table of confusion is shown
# What each is called in a line, in this order; the rest is in the document.
LABELS = {
    "r2": "R2",
    "adjusted_r2": "adjusted R2",
    "rmse": "RMSE",
    "mae": "MAE",
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "auc": "AUC",
    "deviance": "deviance",
    "null_deviance": "null deviance",
    "pseudo_r2": "pseudo R2",
}


def metrics_line(metrics: Mapping[str, Any]) -> str:
    """`R2 0.98, RMSE 1.5`; "" where there are none."""
    told = [f"{label} {metrics[name]:.6g}" for name, label in LABELS.items() if isinstance(metrics.get(name), float)]
    mean = f" (means over {len(metrics['targets'])} targets)" if "targets" in metrics else ""
    return ", ".join(told) + mean if told else ""


def confusion(metrics: Mapping[str, Any]) -> tuple[list[str], list[list[str]]] | None:
    """Header and rows of a table: true classes down, what they were taken for across. None for none, or too many."""
    cells = metrics.get("confusion")
    if not cells or len(cells) > CLASSES:
        return None
    header = ["true", *(f"taken for {printable(name)}" for name in cells)]
    return header, [[printable(own), *(f"{count:.6g}" for count in row.values())] for own, row in cells.items()]
