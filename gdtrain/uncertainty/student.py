"""Student's t and the normal distribution. scipy is imported when it is needed: that takes a moment."""

from __future__ import annotations

import math


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
