"""A sweep over seeds, or over what is held out: mean and standard deviation of each setting of its other axes.

Shapes: S trials.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gdtrain.results.result import plain_numbers
from gdtrain.results.trial import Trial

HELD = ("data.split.seed", "data.split.fold")  # the trials along these are judged by other rows each
SEEDS = ("train.seed", *HELD)


def over_seeds(trials: Sequence[Trial], axes: Sequence[str], parameters: Sequence[str]) -> list[dict[str, Any]]:
    """Each setting of the axes but SEEDS: `set`, `n`, `diverged`, `loss`, that of held-out rows as `held_out` where
    there are some, and `params`, the least mean first, of held-out rows where there are some.

    Mean and standard deviation (divisor n - 1; None of one) are over the n trials that did not diverge.
    """
    found = [_setting([trials[s] for s in same], axes, parameters) for same in _settings(trials, axes, SEEDS)]
    return sorted(found, key=lambda s: s.get("held_out", s["loss"])["mean"] if s["n"] else math.inf)


def means(trials: Sequence[Trial], axes: Sequence[str], values_S: np.ndarray) -> np.ndarray:
    """Values (S,) of trials that are judged by the same rows: where axes of HELD are swept, the mean over them for
    each trial that ended at a finite one; the values themselves elsewhere.
    """
    found = values_S.copy()
    for same in _settings(trials, axes, HELD) if {*HELD} & {*axes} else ():
        sound = [s for s in same if trials[s].sound and math.isfinite(values_S[s])]
        found[sound] = spread(values_S[sound].tolist())["mean"]
    return found


def _settings(trials: Sequence[Trial], axes: Sequence[str], over: Sequence[str]) -> list[list[int]]:
    """Indices of the trials of each setting of the axes but those of `over`."""
    members: dict[str, list[int]] = {}
    for s, trial in enumerate(trials):
        members.setdefault(json.dumps(_others(trial, axes, over), sort_keys=True, default=str), []).append(s)
    return list(members.values())


def _others(trial: Trial, axes: Sequence[str], over: Sequence[str]) -> dict[str, Any]:
    others: dict[str, Any] = plain_numbers({axis: trial.set.get(axis) for axis in axes if axis not in over})
    return others


def _setting(trials: Sequence[Trial], axes: Sequence[str], parameters: Sequence[str]) -> dict[str, Any]:
    sound = [trial for trial in trials if trial.sound]
    shared = [name for name in parameters if sound and all(name in trial.params for trial in sound)]
    held = [trial.held_out for trial in sound if trial.held_out is not None]
    return {
        "set": _others(trials[0], axes, SEEDS),
        "n": len(sound),
        "diverged": len(trials) - len(sound),
        "loss": spread([trial.loss for trial in sound]),
        **({"held_out": spread(held)} if held and len(held) == len(sound) else {}),
        "params": {name: spread([trial.params[name] for trial in sound]) for name in shared},
    }


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and standard deviation; in units of the largest, so that no square overflows."""
    if not values:
        return {"mean": None, "sd": None}
    largest = max(map(abs, values)) or 1.0
    scaled = np.array(values) / largest
    mean = math.fsum(scaled) / len(values)
    sd = math.sqrt(math.fsum((scaled - mean) ** 2) / (len(values) - 1)) * largest if len(values) > 1 else None
    return {"mean": mean * largest, "sd": sd}
