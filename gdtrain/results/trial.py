"""One trial of a sweep, as plain numbers; its result document is made when it is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Trial:
    """One trial of a sweep.

    set       axis -> value, as it was set: {"train.lr": 0.001}
    status    the verdict's
    epochs    how many were done
    loss      at the end, and `first` at the start; not finite where the trial diverged
    params    name -> value at the end, in the units of the data (fixed ones included)
    document  () -> the trial's result document, without `timing`: made when it is asked for
    descended () -> (epoch, loss and penalty) of the epochs that were recorded; none of a trial that was kept
    held_out  the loss of rows that were held out, or of all of them, each held out once; None where none were
    held_out_sd  over folds; None without them
    reach     epochs until the loss came near the best that was seen; None where it never did
    """

    set: Mapping[str, Any]
    status: str
    epochs: int
    loss: float
    first: float
    params: Mapping[str, float]
    document: Callable[[], dict[str, Any]]
    descended: Callable[[], list[tuple[int, float]]] = list
    reach: int | None = None
    held_out: float | None = None
    held_out_sd: float | None = None

    @property
    def short(self) -> dict[str, float | str]:
        """What has a name of one word: verdict, final loss, epochs."""
        return {"verdict": self.status, "loss": self.loss, "epochs": self.epochs}

    @property
    def sound(self) -> bool:
        """Whether it ended at numbers: it did not diverge, and its loss is finite."""
        return self.status != "diverged" and math.isfinite(self.loss)

    @property
    def detail(self) -> str:
        """The verdict in a sentence."""
        return str(self.document()["verdict"]["detail"])

    def to_dict(self) -> dict[str, Any]:
        """The result document with what was set."""
        return {"set": dict(self.set), **self.document()}
