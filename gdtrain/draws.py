"""Random numbers that depend on nothing but what they are for."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, trial: int, purpose: str) -> np.random.Generator:
    """A generator keyed by (seed, trial, purpose): the same key always draws the same numbers.

    A parameter's start has a purpose of its own, so that adding a parameter moves no other's start.
    """
    digest = hashlib.sha256(purpose.encode()).digest()
    return np.random.Generator(np.random.PCG64([seed, trial, int.from_bytes(digest[:8], "little")]))
