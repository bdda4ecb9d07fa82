"""Random numbers that depend on nothing but what they are for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def generator(seed: int, trial: int, purpose: str) -> np.random.Generator:
    """A generator keyed by (seed, trial, purpose): the same key always draws the same numbers.

    A parameter's start has a purpose of its own, so that adding a parameter moves no other's start; those of a hidden
    layer share one.
    """
    import numpy as np  # late: what draws nothing need not wait for it

    digest = hashlib.sha256(purpose.encode()).digest()
    return np.random.Generator(np.random.PCG64([seed, trial, int.from_bytes(digest[:8], "little")]))
