"""Many starts: which of them ended at the same root or minimum.

Shapes: S starts that converged, Q parameters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gdtrain.results.ranking import tied
from gdtrain.results.trial import Trial

# A root is one to 1e-6 of its size, by the Newton step that is left: two ends on either side of a root, or of a double
# one, differ by a few of those.
SAME = 1e-5


@dataclass(frozen=True)
class Found:
    """A distinct root or minimum: the trial that ended there with the least loss, and how many starts ended there."""

    trial: int
    starts: int


def distinct(trials: Sequence[Trial], kind: str) -> list[Found]:
    """The distinct ends of the trials that converged: roots by their parameters, minima from the least loss up.

    Two are one where every parameter agrees within 1e-5 * max(1, |value|), and for minima the loss does too.
    """
    converged = [s for s, trial in enumerate(trials) if trial.status == "converged" and _finite(trial, kind)]
    if not converged:
        return []
    ends_SQ = np.array([_end(trials[s], kind) for s in converged], dtype=np.float64)
    least_first = sorted(range(len(converged)), key=lambda i: (trials[converged[i]].loss, i))
    with np.errstate(over="ignore"):  # ends as far apart as numbers go are not the same
        found = [Found(converged[first], members) for first, members in _gathered(ends_SQ, least_first)]
    return _ordered(found, trials, kind)


def _finite(trial: Trial, kind: str) -> bool:
    return all(map(math.isfinite, _end(trial, kind)))


def _end(trial: Trial, kind: str) -> list[float]:
    """What must agree where two trials ended at the same point."""
    return [*trial.params.values()] + ([] if kind == "solve" else [trial.loss])


def _gathered(ends_SQ: np.ndarray, order: Sequence[int]) -> list[tuple[int, int]]:
    """Each end that no earlier one in `order` has taken, and how many it takes, itself among them.

    Only ends near it in the column that tells most of them apart are looked at: S log S where all are distinct.
    """
    if not ends_SQ.shape[1]:
        return [(order[0], len(order))]
    widths_SQ = SAME * np.maximum(1.0, np.abs(ends_SQ))
    telling = int(np.argmax([len(np.unique(np.round(column / SAME))) for column in ends_SQ.T]))
    along_S = np.argsort(ends_SQ[:, telling], kind="stable")
    sorted_S = ends_SQ[along_S, telling]
    free_S = np.ones(len(ends_SQ), dtype=bool)
    found = []
    for i in order:
        if not free_S[i]:
            continue
        value, width = ends_SQ[i, telling], widths_SQ[i, telling]
        near = along_S[np.searchsorted(sorted_S, value - width) : np.searchsorted(sorted_S, value + width, "right")]
        near = near[free_S[near]]
        same = near[(np.abs(ends_SQ[near] - ends_SQ[i]) <= widths_SQ[i]).all(axis=1)]
        free_S[same] = False
        found.append((i, len(same)))
    return found


def _ordered(found: Sequence[Found], trials: Sequence[Trial], kind: str) -> list[Found]:
    """By parameters; minima by loss first, where losses that agree count as one."""
    by_params = sorted(found, key=lambda f: [_about(value) for value in trials[f.trial].params.values()])
    if kind == "solve":
        return by_params
    by_loss = sorted(by_params, key=lambda f: trials[f.trial].loss)
    places = {f.trial: i for i, f in enumerate(by_params)}
    ties = tied([trials[f.trial].loss for f in by_loss], SAME, SAME)
    return [f for begin, end in ties for f in sorted(by_loss[begin:end], key=lambda f: places[f.trial])]


def _about(value: float) -> float:
    """`value` without the digits that two equal ends may differ in."""
    return round(value, 4) if abs(value) < 1 else float(f"{value:.4e}")
