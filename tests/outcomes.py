"""Results made by hand: what a trial came to is known before anything is printed or judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gdtrain.results import History, Parameter, Result, Verdict

LINE = {"w": [0.0, 1.0, 1.5]}


def outcome(
    values: Mapping[str, Sequence[float]] = LINE,
    losses: Sequence[float] | None = None,
    *,
    gradients: Mapping[str, Sequence[float]] | None = None,
    epochs: Sequence[int] | None = None,
    status: str = "max_epochs",
    **changes: Any,
) -> Result:
    """A result whose parameters took `values` (K numbers each); losses 4, 1, 1/4 ... unless told."""
    count = len(next(iter(values.values())))
    losses = [4.0 / 4**k for k in range(count)] if losses is None else losses
    epochs = range(count) if epochs is None else epochs
    gradient_KQ = None if gradients is None else np.array([*gradients.values()], dtype=np.float64).T
    fields: dict[str, Any] = {
        "name": "line",
        "kind": "fit",
        "statement": "y = w*x",
        "verdict": Verdict(status, epochs[-1], "loss still falling 75 % per epoch"),
        "epochs": epochs[-1],
        "loss": {"name": "mse", "initial": losses[0], "final": losses[-1]},
        "parameters": [Parameter(name, start=v[0], value=v[-1], gradient=-0.5) for name, v in values.items()],
        "engine": {"name": "loop", "data": "rows", "reason": "every epoch is walked"},
        "recorded": History(
            np.array(epochs), np.array(losses), np.array([*values.values()], dtype=np.float64).T, gradient_KQ
        ),
        "train": {"optimizer": {"name": "sgd"}, "lr": 0.1, "epochs": epochs[-1], "scale": "none", "chosen": []},
        "data": {"rows": 4, "columns": ["x", "y"]},
        "seed": 0,
        "dtype": "float64",
        "device": "cpu",
        "versions": {"gdtrain": "0", "torch": "0"},
        "timing": {"load_s": 0.0, "train_s": 0.0},
    }
    return Result(**{**fields, **changes})


# Names that want to restyle a table, tear it, or move the cursor.
HOSTILE_NAMES = [
    "[red]x",
    "[/b]",
    "[link=file:///etc/passwd]x[/link]",
    ":smile:",
    "a|b",
    "a*b_c`d",
    "<b>x</b>",
    "# x",
    "back\\slash",
    "ångström",
    "温度",
    "e\u0301",
    "two\nlines",
    "\x1b[2J",
    "bell\x07",
    "\u202eright to left",
    "tab\there",
    "x,y",
    'quo"te',
    "=cmd|' /C calc'!A0",
]
