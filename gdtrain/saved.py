"""A run, or a fit of groups, kept in a folder: checkpoints on its way, all of it at the end, and how it is taken up."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from gdtrain.checkpoints import checkpoint, key_of, read_checkpoint
from gdtrain.engines.progress import Progress, State
from gdtrain.errors import DATA, UserError
from gdtrain.experiment.dump import dump
from gdtrain.experiment.grouped import is_grouped
from gdtrain.experiment.load import load
from gdtrain.experiment.moved import moved
from gdtrain.experiment.overrides import Override
from gdtrain.experiment.schema import Experiment
from gdtrain.keep import Fingerprints, TrialKeys, runs
from gdtrain.keep.fingerprint import FRAME
from gdtrain.keep.grouplines import group_lines, read_group_lines
from gdtrain.keep.keys import versions
from gdtrain.keep.manifest import other_versions, table_changes
from gdtrain.keep.runs import RunFolder, RunManifest
from gdtrain.keep.swap import Files
from gdtrain.keep.tensors import tensor_pieces
from gdtrain.report.render import pieces
from gdtrain.results import GroupsResult, Result, plain_numbers
from gdtrain.train import train

R = TypeVar("R", Result, GroupsResult)

_MANY = 10_000  # parameters that are written as numbers too, not in JSON alone


class Saved:
    """A run whose folder is open.

    experiment  as it is trained
    manifest    what the folder says of it
    grouped     whether each group of rows is fitted alone
    progress    where its walks are taken up, and who is told where they stand; of groups, their documents
    notes       sentences for the user
    """

    def __init__(
        self,
        folder: RunFolder,
        experiment: Experiment,
        *,
        command: str = "",
        every: int | None = None,
        gradients: bool = False,
        frame: object | None = None,
    ) -> None:
        """Take hold of an open folder; one that was there, of which there is a checkpoint, is taken up.

        command           what was typed; "" from Python
        every, gradients  of the history, as for `train`
        frame             the rows, where they are the caller's

        Raises UserError: data on stdin (exit 2); in a folder that is taken up, data that has changed, or a checkpoint
        that is none of its (exit 3).
        """
        self._folder, self._command = folder, command
        self.experiment = experiment
        there = experiment if folder.refused else moved(experiment, folder.place)
        data = Fingerprints(frame).of(there)
        every_s = experiment.checkpoint.every_s if experiment.checkpoint else None
        self.grouped = is_grouped(experiment)
        self.manifest = RunManifest(
            kind="groups" if self.grouped else "run",
            data=data,
            versions=versions(),
            chosen=list(experiment.chosen),
            called=dict(there.called),
            every=every,
            gradients=gradients,
            checkpoint_s=every_s,
        )
        also = {"every": every, "gradients": gradients}
        self._text = dump(there)
        self._key = TrialKeys(there, data, also).key() if self.grouped else key_of(there, data)
        self.notes: list[str] = []
        begun = self._begun() if folder.resumed else {}
        self.notes += _notes(folder.manifest, self.manifest) if begun else []
        self.progress = Progress(begun, self._save, every_s)

    @classmethod
    def new(cls, experiment: Experiment, place: str | Path, *, force: bool = False, **more: Any) -> Saved:
        """Open a folder for an experiment; `more` as above. `force`: replace a run that is there.

        Raises UserError before anything is trained: see `RunFolder`. A place that cannot be written is told at the end:
        see `refused`.
        """
        folder = RunFolder(place, force=force)
        return _holding(folder, lambda: cls(folder, experiment, **more))

    @classmethod
    def resumed(cls, place: str | Path, overrides: Sequence[Override] = (), command: str = "") -> Saved:
        """Open the folder of a run to go on with it.

        overrides  of its number of epochs, and of how often it is saved
        command    what was typed; it is kept where it changes what is run

        Raises UserError: no folder of a run (exit 2), and as above.
        """
        folder = RunFolder(place, resumed=True)
        return _holding(folder, lambda: cls._resumed(folder, overrides, command))

    @classmethod
    def _resumed(cls, folder: RunFolder, overrides: Sequence[Override], command: str) -> Saved:
        before = folder.manifest
        assert before is not None
        if any(found.form == FRAME for found in before.data.values()):
            raise UserError("its rows came from Python", where=folder.named, remedy="run it there again")
        given = {override.key: override.flag for override in overrides}
        if before.checkpoint_s is not None and "checkpoint.every_s" not in given:
            overrides = [*overrides, Override("checkpoint.every_s", before.checkpoint_s, "checkpoint")]
        experiment = load(folder.place / runs.EXPERIMENT, overrides)
        chosen = tuple(key for key in before.chosen if key not in given)
        experiment = experiment.told(chosen=chosen, called=before.called)
        if "train.epochs" in given and experiment.train.epochs < (walked := _walked(folder)):
            what = f"{folder.named} has {walked:,} epochs already"
            remedy = f"name more, counting these: {walked + 100} for 100 more"
            raise UserError(what, where=given["train.epochs"], remedy=remedy)
        typed = (folder.read(runs.COMMAND) or b"").decode(errors="surrogateescape")
        if "train.epochs" in given:
            typed += command
        return cls(folder, experiment, command=typed, every=before.every, gradients=before.gradients)

    def _begun(self) -> Mapping[int, State]:
        """Where the walks of the folder's checkpoint stand; {} where it has none, and all is trained from the start."""
        folder, before = self._folder, self._folder.manifest
        assert before is not None
        if changes := list(dict.fromkeys(table_changes(before.data, self.manifest.data))):
            remedy = f"to train anew, gdtrain run {Path(folder.named) / runs.EXPERIMENT}"
            raise UserError("; ".join(changes), where=folder.named, remedy=remedy, code=DATA)
        name = runs.GROUPS if self.grouped else runs.CHECKPOINT
        where, content = str(Path(folder.named) / name), folder.read(name)
        if content is None:
            return {}
        if not self.grouped:
            return read_checkpoint(content, self._key, self.experiment.train.device, where)
        if (lines := read_group_lines(content, self._key)) is None:
            self.notes.append(f"{where} is damaged, or of other epochs or versions: all groups are fitted again")
            return {}
        texts, damaged = lines
        if damaged:
            self.notes.append(f"{where}: {damaged:,} damaged line{'s'[: damaged > 1]}; their groups are fitted again")
        return {g: {"document": text} for g, text in texts.items()}

    def train(self, **more: Any) -> Result:
        """Train, or go on, and put all of it into the folder. `more` as for `train.train`.

        Raises UserError as that, and where the folder cannot be written.
        """
        told = self.manifest
        how = {"every": told.every, "gradients": told.gradients, "progress": self.progress, **more}
        return self.kept(lambda: train(self.experiment, **how))

    def kept(self, carried_out: Callable[[], R]) -> R:
        """What comes of it, which is put into the folder. Raises UserError where that cannot be written."""
        if self.refused is not None:
            raise self.refused
        result = carried_out()
        if (error := self.finish(result)) is not None:
            raise error
        return result

    @property
    def named(self) -> str:
        """What messages call the folder."""
        return self._folder.named

    @property
    def refused(self) -> UserError | None:
        """Why nothing can be written, where that is known."""
        return self._folder.refused

    def finish(self, result: Result | GroupsResult) -> UserError | None:
        """Put all of a run into the folder. Returns why that could not be done; then what was there stands."""
        data = dict(self.manifest.data)
        if "data" in data:
            rows = result.data_rows if isinstance(result, GroupsResult) else result.data.get("rows")
            data["data"] = data["data"].model_copy(update={"rows": rows})
        manifest = self.manifest.model_copy(update={"data": data})
        results = _of_groups(result) if isinstance(result, GroupsResult) else _results(result)
        try:
            self._folder.replace({**self._heads(manifest), **results, **self._checkpoint(self.progress.walks)})
        except UserError as error:
            return error
        return None

    def _save(self, walks: Mapping[int, State]) -> None:
        """Write a checkpoint, the first in place of all that the folder held. One that fails is left out: the next may
        not, and at the end it is told.
        """
        files = self._checkpoint(walks)
        try:
            if self._folder.placed:
                for name, content in files.items():
                    self._folder.replace_file(name, content)
            else:
                self._folder.replace({**self._heads(self.manifest), **files})
        except UserError:
            return

    def _heads(self, manifest: RunManifest) -> Files:
        typed = {runs.COMMAND: [self._command.encode(errors="surrogateescape")]} if self._command else {}
        return {runs.MANIFEST: [manifest.text()], runs.EXPERIMENT: [self._text], **typed}

    def _checkpoint(self, walks: Mapping[int, State]) -> Files:
        """The file of a checkpoint; none where nothing walks."""
        if not walks:
            return {}
        if not self.grouped:
            return {runs.CHECKPOINT: checkpoint(walks, self._key)}
        return {runs.GROUPS: group_lines(self._key, {g: walks[g]["document"] for g in sorted(walks)})}

    def close(self) -> None:
        """Let another process write there."""
        self._folder.close()

    def __enter__(self) -> Saved:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _holding(folder: RunFolder, made: Callable[[], Saved]) -> Saved:
    """What is made with a folder, which is let go where that fails."""
    try:
        return made()
    except BaseException:
        folder.close()
        raise


def _walked(folder: RunFolder) -> int:
    """How many of the epochs that were asked for the folder's result has, of groups the most; 0 where it has none."""
    try:
        document = json.loads(folder.read(runs.RESULT) or b"{}")
        return max(min(int(one["epochs"]), int(one["train"]["epochs"])) for one in document.get("trials", [document]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0


def _notes(before: RunManifest | None, now: RunManifest) -> list[str]:
    other = [] if before is None else other_versions(before.versions, now.versions)
    changed = [f"{name} was {old}, now {now.versions[name]}" for name, old in other]
    return [f"{'; '.join(changed)}: the last digits may differ"] if changed else []


def _of_groups(result: GroupsResult) -> Files:
    """What came of all groups, without timings."""
    return {runs.RESULT: pieces(replace(result, timing={}, source="", top=None), "json")}


def _results(result: Result) -> Files:
    """What came of a run, without what the clock told: the same run leaves the same bytes."""
    document = result.to_dict() | {"timing": {}}
    history = io.BytesIO()
    result.history.write_parquet(history)
    files: dict[str, Any] = {
        runs.RESULT: [json.dumps(document, indent=2, ensure_ascii=False) + "\n"],
        runs.HISTORY: [history.getvalue()],
        runs.WEIGHTS: [json.dumps(plain_numbers(result.params), indent=2, ensure_ascii=False) + "\n"],
    }
    if len(result.params) > _MANY:
        values_Q, names = np.array([*result.params.values()]), json.dumps([*result.params])
        files[runs.TENSORS] = tensor_pieces({"params": values_Q}, {"names": names})
    return files
