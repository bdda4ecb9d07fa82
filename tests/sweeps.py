"""Sweeps made by hand: which trial is best, and what tied, is known before anything is ranked or printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gdtrain.results import SweepResult, Trial
from tests.outcomes import outcome


def trial(
    loss: float = 0.25,
    *,
    set: Mapping[str, Any] | None = None,
    status: str = "max_epochs",
    epochs: int = 2,
    params: Mapping[str, float] | None = None,
    reach: int | None = None,
    **changes: Any,
) -> Trial:
    """A trial of `y = w*x` that began at loss 4; `changes` are those of its result."""
    params = {"w": 1.5} if params is None else params

    def document() -> dict[str, Any]:
        values = {name: [0.0, value] for name, value in params.items()}
        whole = outcome(values, [4.0, loss], status=status, epochs=[0, epochs], **changes).to_dict()
        return {key: value for key, value in whole.items() if key != "timing"}

    return Trial(set or {}, status, epochs, loss, 4.0, params, document, reach=reach)


def sweep(trials: Sequence[Trial], axes: Sequence[str] = ("train.lr",), **changes: Any) -> SweepResult:
    """A sweep of those trials."""
    fields: dict[str, Any] = {
        "name": "line",
        "kind": "fit",
        "statement": "y = w*x",
        "source": "line.yaml",
        "axes": list(axes),
        "trials": list(trials),
        "seed": 0,
        "versions": {"gdtrain": "0", "torch": "0"},
    }
    return SweepResult(**{**fields, **changes})


def along(axis: str, losses: Mapping[Any, float], **changes: Any) -> SweepResult:
    """A sweep along one axis: value -> final loss."""
    return sweep([trial(loss, set={axis: value}) for value, loss in losses.items()], [axis], **changes)
