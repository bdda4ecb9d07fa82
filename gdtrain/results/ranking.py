"""Which trial is best: what they are ranked by, in which order, and who ties.

Shapes: S trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gdtrain.errors import UserError
from gdtrain.results.lookup import HELD_OUT, SCALARS, check_name, look_up, names_of, no_number
from gdtrain.results.trial import Trial

ROUNDING = 1e-12  # numbers that differ by less than this share of themselves tie
LOSSES = ("loss", "loss.final", HELD_OUT)
REACH = "reach"  # of a search for a learning rate: how soon a trial came near the best
# More is better.
_GOOD = ("r2", "adjusted_r2", "pseudo_r2", "accuracy", "auc")
HIGHER = frozenset(f"{of}{name}" for of in ("", "metrics.", "metrics.holdout.") for name in _GOOD)
_WHERE = "--rank-by"
_MEASURED = ("loss", "epochs")
_NO_NUMBERS = {"verdict", "verdict.status", "verdict.detail", *SCALARS} - {"seed"}


def check_metric(metric: str, parameters: Sequence[str], *, split: bool = False) -> None:
    """Refuse what trials with these parameters, and rows held out in a `split`, cannot be ranked by, before they are
    trained.
    """
    name, _ = direction(metric, parameters)
    if name in _NO_NUMBERS and name not in parameters:
        raise _no_order(name)
    if name in parameters or name in _MEASURED:
        return
    check_name(name, parameters, _WHERE, known=names_of(_MEASURED, split=split))


def direction(metric: str, parameters: Sequence[str]) -> tuple[str, bool]:
    """The name in `metric`, and whether the largest comes first: after a minus, or where more is better."""
    if metric.startswith("-") and metric not in parameters:
        return metric[1:], True
    return metric, metric in HIGHER and metric not in parameters


def rank_values(trials: Sequence[Trial], name: str, parameters: Sequence[str]) -> np.ndarray:
    """The number of that name of each trial, (S,): nan where one has it not. Raises UserError where none has."""
    if name == HELD_OUT and any(trial.held_out is not None for trial in trials):
        return np.array([math.nan if trial.held_out is None else trial.held_out for trial in trials], dtype=np.float64)
    if name in LOSSES and name != HELD_OUT:
        return np.array([trial.loss for trial in trials], dtype=np.float64)
    if name == REACH and any(trial.reach is not None for trial in trials):
        return np.array([math.nan if trial.reach is None else trial.reach for trial in trials], dtype=np.float64)
    if name == "epochs":
        return np.array([trial.epochs for trial in trials], dtype=np.float64)
    found = [_look_up(trial, name) for trial in trials]
    if trials and all(value is None for value in found):
        raise no_number(name, parameters, _WHERE, _MEASURED)
    return np.array([math.nan if value is None else value for value in found], dtype=np.float64)


def _look_up(trial: Trial, name: str) -> float | None:
    try:
        found = look_up(trial, name)
    except UserError as error:
        if error.what.startswith("there is no number"):
            return None
        raise UserError(error.what, where=_WHERE, remedy=error.remedy) from None
    if isinstance(found, str):
        raise _no_order(name)
    return float(found)


def _no_order(name: str) -> UserError:
    return UserError(f"{name} is not a number", where=_WHERE, remedy="rank by loss, epochs or a parameter")


def ranked(trials: Sequence[Trial], values_S: np.ndarray, floor: float) -> tuple[list[int], list[int]]:
    """The order, least value first, and the rank of each trial; those that tie share one: 1, 1, 3.

    Trials whose value or loss is not finite come after all others, and diverged ones after those, whatever their
    loss: each of the two shares a rank and keeps the order of the points. Of trials that tie, fewer epochs come first,
    then the lesser value.

    floor  values that differ by less are rounding (absolute)
    """
    sound: list[int] = []
    lost: list[int] = []
    diverged: list[int] = []
    for s, trial in enumerate(trials):
        finite = trial.sound and math.isfinite(values_S[s])
        (diverged if trial.status == "diverged" else sound if finite else lost).append(s)
    sound.sort(key=lambda s: float(values_S[s]))
    ties = tied([float(values_S[s]) for s in sound], floor)
    together = [sorted(sound[begin:end], key=lambda s: (trials[s].epochs, values_S[s], s)) for begin, end in ties]
    order: list[int] = []
    ranks = [0] * len(trials)
    for members in [*together, lost, diverged]:
        for s in members:
            ranks[s] = len(order) + 1
        order += members
    return order, ranks


def tied(values: Sequence[float], floor: float, share: float = ROUNDING) -> list[tuple[int, int]]:
    """Ranges (begin, end) of ascending finite `values` that equal the first of their range within rounding: to
    `share` of themselves, give or take `floor`. Held against the first, so that many small steps do not add up.
    """
    found, begin = [], 0
    for i in range(1, len(values) + 1):
        if i < len(values):
            first, value = values[begin], values[i]
            if value - first <= share * max(abs(first), abs(value)) + floor:
                continue
        found.append((begin, i))
        begin = i
    return found
