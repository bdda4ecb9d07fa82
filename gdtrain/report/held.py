"""What is told of rows that are held out: a line or two, and a table of folds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdtrain.errors import printable
from gdtrain.report.metrics import LABELS, metrics_line
from gdtrain.report.numbers import number, short
from gdtrain.results import Result


def held_out(result: Result) -> list[str]:
    """How many rows train and how many are held out, the loss over these, and their metrics."""
    split = result.data.get("split")
    if split is None:
        return []
    if "held_out" not in result.loss:
        return [f"{split['train']:,} rows train, none is held out"]
    loss = f"{short(result.loss['held_out_initial'])} -> {short(result.loss['held_out'])}"
    if result.folds is None:
        count = f"{split['train']:,} rows train, {split['held_out']:,} {_are(split['held_out'])} held out"
    else:
        count = f"{split['train']:,} rows train, each of {result.folds['count']} folds is held out once"
        loss += f" (sd over folds {short(result.folds['sd']['loss']['held_out'])})"
    measured = metrics_line(result.metrics.get("holdout", {}))
    return ["; ".join([f"{count}: loss {loss}", *([measured] if measured else [])])]


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def folds(section: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table: each fold, then mean and standard deviation (sd)."""
    each, shown = section["each"], [name for name in LABELS if name in section["mean"]["metrics"]]
    named = any("value" in fold for fold in each)
    told = ["rows", "held out", "verdict", "epochs", "loss", "held-out loss", *(LABELS[name] for name in shown)]
    header = ["fold", *["value"] * named, *told]
    rows = [
        [
            str(fold["fold"]),
            *[printable(fold.get("value", ""))] * named,
            *(f"{fold[name]:,}" for name in ("rows", "held_out")),
            *(fold["verdict"], f"{fold['epochs']:,}"),
            *(number(fold["loss"][name]) for name in ("final", "held_out")),
            *(number(fold["metrics"][name]) for name in shown),
        ]
        for fold in each
    ]
    for which in ("mean", "sd"):
        losses = [number(section[which]["loss"][name]) for name in ("final", "held_out")]
        rows.append([which, *[""] * (4 + named), *losses, *(number(section[which]["metrics"][name]) for name in shown)])
    return header, rows
