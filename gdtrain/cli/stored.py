"""An experiment that is run again from the folder of a run: whether its data are still those of that run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from gdtrain.errors import UserError
from gdtrain.experiment.schema import STDIN, Experiment
from gdtrain.keep.fingerprint import Fingerprint, Fingerprints

_MANIFEST, _EXPERIMENT = "run.json", "experiment.yaml"


def changed_data(source: object, experiment: Experiment) -> Iterator[str]:
    """A sentence for each file that an experiment from the folder of a run reads, and that is another than it was."""
    if not isinstance(source, str) or source == STDIN or Path(source).name != _EXPERIMENT:
        return
    folder = Path(source).parent
    try:
        told = json.loads((folder / _MANIFEST).read_bytes())["data"]
        before = {role: Fingerprint.model_validate(found) for role, found in told.items()}
        now = Fingerprints().of(experiment)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError):
        return  # no run's folder, or data that cannot be read, which training says better
    for role, found in now.items():
        if role in before and before[role].identity != found.identity:
            size = f"{found.size:,} bytes, {before[role].size:,} then"
            yield f"{found.path} is not what the run in {folder} read: it has changed ({size})"
