"""Folders that outlive a run: what was trained, from what data, and what came of it, whole whatever is killed when.

Knows neither torch nor printing.
"""

from gdtrain.keep.fingerprint import Fingerprint, Fingerprints
from gdtrain.keep.keys import TrialKeys, renewed
from gdtrain.keep.store import Store

__all__ = ["Fingerprint", "Fingerprints", "Store", "TrialKeys", "renewed"]
