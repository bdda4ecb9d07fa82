"""An experiment that is run again from the folder of a run: whether its data are still those of that run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gdtrain.errors import UserError
from gdtrain.experiment.schema import STDIN, Experiment
from gdtrain.keep.fingerprint import Fingerprints
from gdtrain.keep.manifest import table_changes
from gdtrain.keep.runs import EXPERIMENT, MANIFEST, RunManifest


def changed_data(source: object, experiment: Experiment) -> Iterator[str]:
    """A sentence for each file that an experiment from the folder of a run reads, and that is another than it was."""
    if not isinstance(source, str) or source == STDIN or Path(source).name != EXPERIMENT:
        return
    folder = Path(source).parent
    try:
        before = RunManifest.read(folder / MANIFEST)
        now = Fingerprints().of(experiment)
    except (OSError, UserError):
        return  # no run's folder, or data that cannot be read, which training says better
    for clause in table_changes(before.data, now) if before else ():
        yield f"the run in {folder} read other data: {clause}"
