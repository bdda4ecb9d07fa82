"""Cross-validation: what each fold came to, and mean and standard deviation over them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gdtrain.results.seeds import spread


@dataclass(frozen=True)
class FoldEnd:
    """What a fold came to: trained without its rows, and judged on them.

    fold      its number, from 1, and `value` what a column calls it, if one does
    rows      that trained, and `held_out` rows
    size      what the held-out rows count for in a mean; None where the loss is a sum
    status    the verdict's
    loss      of the rows that trained, initial and final, and of those held out
    metrics   of the held-out rows
    params    name -> value, in the units of the data
    restored  the epoch whose weights these are, where the best was asked for
    """

    fold: int
    rows: int
    held_out: int
    size: float | None
    status: str
    epochs: int
    loss: Mapping[str, float]
    metrics: Mapping[str, Any]
    params: Mapping[str, float]
    value: str | None = None
    restored: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Its entry in the document."""
        told = {"fold": self.fold} | ({} if self.value is None else {"value": self.value}) | {"verdict": self.status}
        told |= {name: getattr(self, name) for name in ("rows", "held_out", "epochs", "loss", "metrics", "params")}
        return told | ({} if self.restored is None else {"restored": {"epoch": self.restored}})


def pooled(folds: Sequence[FoldEnd], which: str = "held_out") -> float:
    """The loss over all held-out rows, each under the weights that were trained without it."""
    if any(fold.size is None for fold in folds):
        return sum(fold.loss[which] for fold in folds)
    sizes = [fold.size or 0.0 for fold in folds]
    return sum(size * fold.loss[which] for size, fold in zip(sizes, folds, strict=True)) / sum(sizes)


def over_folds(folds: Sequence[FoldEnd]) -> dict[str, Any]:
    """The `folds` section of a document: `each`, and `mean` and `sd` (divisor K - 1) of what all of them have."""
    tables = {
        "loss": [fold.loss for fold in folds],
        "metrics": [fold.metrics for fold in folds],
        "params": [fold.params for fold in folds],
    }
    found = {section: _spreads(each) for section, each in tables.items()}
    return {
        "count": len(folds),
        **{
            which: {section: {name: both[which] for name, both in each.items()} for section, each in found.items()}
            for which in ("mean", "sd")
        },
        "each": [fold.to_dict() for fold in folds],
    }


def lost(folds: Sequence[FoldEnd]) -> list[str]:
    """A sentence where folds diverged."""
    gone = [str(fold.fold) for fold in folds if fold.status == "diverged"]
    return [f"fold{'s'[: len(gone) != 1]} {', '.join(gone)} diverged: try a smaller lr"] if gone else []


def _spreads(each: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    shared = [name for name in each[0] if all(isinstance(one.get(name), float) for one in each)]
    columns = {name: [one[name] for one in each] for name in shared}
    return {
        name: spread(column) if all(map(math.isfinite, column)) else {"mean": math.nan, "sd": math.nan}
        for name, column in columns.items()
    }
