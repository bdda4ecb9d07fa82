"""A sweep that a folder keeps, as it was asked for."""

from __future__ import annotations

import os
from pathlib import Path

from gdtrain.errors import DATA, UserError
from gdtrain.experiment.sweep import Sweep, load_sweep
from gdtrain.keep.fingerprint import FRAME
from gdtrain.keep.manifest import NAME, Asked, SweepManifest
from gdtrain.keep.runs import EXPERIMENT


def kept_sweep(folder: str) -> tuple[Sweep, Asked]:
    """The sweep of a folder, with what was chosen for its user as it was then, and what was asked besides.

    Raises UserError: a folder of rows from Python, or whose experiment is wrong (exit 2); one that is damaged (exit 3).
    """
    path = Path(folder) / NAME
    try:
        manifest = SweepManifest.read(path)
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path), code=DATA) from None
    if manifest is None:
        remedy = f"type the sweep again, with --out {folder}: what is there is not trained again"
        raise UserError("is damaged, or of another version", where=str(path), remedy=remedy, code=DATA)
    if any(found.form == FRAME for found in manifest.data.values()):
        raise UserError("its rows came from Python", where=folder, remedy="sweep it there again, with the same out")
    spec = load_sweep(Path(os.path.realpath(folder)) / EXPERIMENT)
    told = [spec.declared, *(group.trials.experiment for group in spec.groups)]
    for experiment, chosen in zip(told, manifest.asked.chosen, strict=False):  # starts are one group, made later
        experiment.told(chosen=chosen, called=manifest.asked.called)
    return spec, manifest.asked
