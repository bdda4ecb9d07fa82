"""Student's t and the normal distribution. scipy is imported when it is needed: that takes a moment."""

from __future__ import annotations

import math

import numpy as np


def two_sided(t: float, dof: float) -> float:
    """The chance of a value of at least |t| in size; of a normal distribution where `dof` is infinite."""
    if math.isinf(dof):
        return math.erfc(abs(t) / math.sqrt(2))
    from scipy.special import stdtr

    return 2 * float(stdtr(dof, -abs(t)))


def reach(level: float, dof: float) -> float:
    """How many standard errors an interval reaches to either side so that `level` of all of them hold the truth."""
    from scipy.special import ndtri, stdtrit

    share = (1 + level) / 2
    return float(ndtri(share) if math.isinf(dof) else stdtrit(dof, share))


def two_sided_of_each(t: np.ndarray, dof: np.ndarray) -> np.ndarray:
    """`two_sided` of many."""
    from scipy.special import erfc, stdtr

    size = np.abs(t)
    found: np.ndarray = np.where(np.isinf(dof), erfc(size / math.sqrt(2)), 2 * stdtr(dof, -size))
    return found


def reach_of_each(level: float, dof: np.ndarray) -> np.ndarray:
    """`reach` of many: of each number of degrees of freedom once."""
    several, places = np.unique(dof, return_inverse=True)
    return np.array([reach(level, each) for each in several.tolist()])[places]
