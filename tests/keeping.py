"""A sweep to keep: an experiment, keys of four trials, and their documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gdtrain.experiment.load import load
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.trials import Trials
from gdtrain.keep import Fingerprint, Fingerprints, Store, TrialKeys

COLUMNS = {"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.5]}
RATES = [0.1, 0.05, 0.025, 0.0125]


def experiment(**train: Any) -> Experiment:
    return load({"fit": "y = w*x", "data": {"columns": COLUMNS}, "params": {"w": 0.0}, "train": {"lr": 0.1, **train}})


def fingerprint(base: Experiment, *, frame: object | None = None) -> dict[str, Fingerprint]:
    """The fingerprints of what one experiment reads."""
    return Fingerprints(frame).of(base)


def trial_key(base: Experiment, data: dict[str, Fingerprint] | None = None) -> str:
    """The key of an experiment that is trained alone."""
    return TrialKeys(base, data).key()


def keys_of(base: Experiment) -> list[str]:
    return TrialKeys(base).of(Trials(base, {"train.lr": RATES}, len(RATES)))


def document(i: int) -> dict[str, Any]:
    """Numbers that only a full round trip keeps, a text that needs escapes, and enough of it to be cut in two."""
    return {"trial": i, "loss": 1 / (i + 3), "end": "nan", "note": 'a "line"\nand é', "history": [i / 7] * 50}


def opened(folder: Path, base: Experiment | None = None, text: str = "fit: y = w*x\n") -> Store:
    base = base or experiment()
    return Store.open(folder, base, keys=keys_of(base), text=text)
