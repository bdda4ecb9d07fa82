"""An experiment as a folder of results holds it: what it says, with paths that hold there."""

from __future__ import annotations

import os
from pathlib import Path

from gdtrain.errors import UserError
from gdtrain.experiment.schema import STDIN, Experiment


def moved(experiment: Experiment, folder: Path) -> Experiment:
    """The experiment as it is written in `folder`: where it is saved, and how often, is not part of it."""
    changed: dict[str, object] = {"out": None, "checkpoint": None}
    called: dict[str, str] = {}
    for section in ("data", "predict"):
        spec = getattr(experiment, section)
        if spec is not None and spec.path not in (None, STDIN):
            path = _seen_from(folder, experiment.locate(spec.path))
            called[path] = experiment.named(spec.path)
            changed[section] = spec.model_copy(update={"path": path})
    copy = experiment.model_copy(update=changed)
    copy.located(tree=experiment.tree, folder=folder, chosen=experiment.chosen)
    return copy.told(chosen=experiment.chosen, called=called)


def _seen_from(folder: Path, path: str) -> str:
    """Folders are followed where they lead, the file is called as it was. Raises UserError for one that is no text."""
    head, name = os.path.split(path)
    seen = os.path.relpath(os.path.join(os.path.realpath(head), name), os.path.realpath(folder))
    if seen != seen.encode(errors="ignore").decode():
        remedy = "rename it, or keep the run nearer to it"
        raise UserError(f"no experiment there can name {seen}, which is no text", where="--out", remedy=remedy)
    return seen
