"""The folder that keeps a run, or a fit of groups.

DIR/run.json                whose folder it is: see `RunManifest`
DIR/experiment.yaml         the experiment, complete; its paths hold there
DIR/command.txt             what was typed
DIR/result.json             the result document
DIR/history.parquet         every recorded epoch
DIR/weights.json            parameters by name; many of them in weights.safetensors too
DIR/checkpoint.safetensors  where `gdtrain resume` takes up
DIR/groups.ndjson           the same of groups, which have neither history nor weights: see `grouplines`

A run on its way has no result yet. The folder is put in place as a whole; after that only its checkpoint is replaced,
which is one file. Names inside are ours: no user's text becomes a path.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Literal

from pydantic import Field

from gdtrain.errors import DATA, UserError
from gdtrain.keep.files import Lock, is_temporary, make_folder, refusal, remove_folders, write_atomically, writing
from gdtrain.keep.manifest import NAME as SWEEP
from gdtrain.keep.manifest import Manifest
from gdtrain.keep.swap import Beside, Files, mend, replace_folder, tidy

MANIFEST, RESULT, CHECKPOINT, GROUPS = "run.json", "result.json", "checkpoint.safetensors", "groups.ndjson"
EXPERIMENT, COMMAND, HISTORY = "experiment.yaml", "command.txt", "history.parquet"
WEIGHTS, TENSORS = "weights.json", "weights.safetensors"
_OURS = {MANIFEST, RESULT, CHECKPOINT, GROUPS, EXPERIMENT, COMMAND, HISTORY, WEIGHTS, TENSORS}


class RunManifest(Manifest):
    """What a run's folder says of itself.

    chosen      keys of experiment.yaml that were chosen for the user
    called      its paths, and what messages call them: they are part of the result
    every, gradients  of the history that the result shows
    checkpoint_s  seconds between checkpoints; None where there are none on the way
    """

    kind: Literal["run", "groups"] = "run"
    chosen: list[str] = Field([])
    called: dict[str, str] = Field({})
    every: int | None = Field(None, ge=1)
    gradients: bool = False
    checkpoint_s: float | None = Field(None, gt=0)


class RunFolder:
    """A run's folder, locked until it is closed.

    named     as the user calls it; `place` is where it really is
    manifest  what it said of itself; None where it is new
    resumed   whether it is gone on with
    placed    whether it has been written since it was opened
    refused   why nothing can be written, where the system says so: a run that is trained all the same can be told
    """

    def __init__(self, folder: str | Path, *, force: bool = False, resumed: bool = False) -> None:
        """Lock a folder that is new, or that may be replaced by `force`, or that is `resumed`.

        Raises UserError: a folder that is there already or holds other things (exit 2); one that another process
        writes, or that cannot be resumed where it is (exit 74).
        """
        self.manifest: RunManifest | None = None
        self.refused: UserError | None = None
        self.resumed = resumed
        self.named, self._where = str(folder), "DIR" if resumed else "--out"
        self._lock: Lock | None = None
        self._made: list[Path] = []
        self.placed = False
        try:
            self.place = _real(self.named, self._where)
            if resumed:
                self._require()
            else:
                self._made = make_folder(self.place.parent)
            self._lock = Lock(self.named, self._where, Beside.of(self.place).lock)
            mend(self.place)
            tidy(self.place.parent)
            self._claim(force, resumed)
        except OSError as error:
            self.close()
            self.refused = refusal(self.named, error, self._where)
            if resumed:
                raise self.refused from None
        except BaseException:
            self.close()
            raise

    def _require(self) -> None:
        """Refuse to go on with what is not there. Raises UserError."""
        if os.path.isdir(self.place) or os.path.isdir(Beside.of(self.place).old):
            return
        if not os.path.lexists(self.place):
            raise UserError(f"there is no folder {self.named}", where=self._where)
        above = Path(self.named).parent
        ours = (above / MANIFEST).is_file() or (above / SWEEP).is_file()
        remedy = f"gdtrain resume {above}" if ours else "name the folder that --out named"
        raise UserError(f"{self.named} is no folder", where=self._where, remedy=remedy)

    def _claim(self, force: bool, resumed: bool) -> None:
        """Read the manifest; refuse what is not ours, or not to be replaced. Raises UserError and OSError."""
        named, where = self.named, self._where
        try:
            names = sorted(os.listdir(self.place), key=lambda name: (name.startswith("."), name))
        except FileNotFoundError:
            if resumed:
                raise
            return
        if SWEEP in names:
            raise UserError(f"{named} keeps a sweep, not a run", where=where, remedy="name another folder")
        if theirs := next((name for name in names if not _is_ours(self.place / name)), None):
            what = f"{named} holds other things than a run: {theirs}"
            raise UserError(what, where=where, remedy="name another folder")
        if not resumed and all(map(is_temporary, names)):
            return
        self.manifest = RunManifest.read(self.place / MANIFEST) if MANIFEST in names else None
        if self.manifest is None:
            what = "is damaged, or of another version" if MANIFEST in names else "is missing"
            raise UserError(what, where=str(Path(named) / MANIFEST), remedy="name another folder")
        if not force and not resumed:
            remedy = f"name a new folder; --force replaces it, gdtrain resume {shlex.quote(named)} goes on with it"
            raise UserError(f"{named} is there already", where=where, remedy=remedy)

    def replace(self, files: Files) -> None:
        """Put a folder of just these files in its place. Raises UserError (exit 74); then the old one stands."""
        self._write(lambda: replace_folder(self.place, files))
        self.placed = True

    def replace_file(self, name: str, pieces: Iterable[str | bytes]) -> None:
        """The same with one file of the folder that `replace` has put there."""
        assert self.placed
        self._write(lambda: write_atomically(self.place / name, pieces))

    def _write(self, write: Callable[[], None]) -> None:
        if self.refused is not None:
            raise self.refused
        with writing(Path(self.named), self._where):
            write()

    def read(self, name: str) -> bytes | None:
        """A file of the folder, None where there is none. Raises UserError (exit 3)."""
        try:
            return (self.place / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            where = str(Path(self.named) / name)
            raise UserError(f"cannot be read: {error.strerror}", where=where, code=DATA) from None

    def close(self) -> None:
        """Let another process write here; nothing is left of a folder that was never written."""
        if self._lock is not None:
            self._lock.release()
        if not self.placed:
            remove_folders(self._made)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _is_ours(path: Path) -> bool:
    """Whether an entry of a folder is a file that runs write."""
    return (path.name in _OURS or is_temporary(path.name)) and (path.is_symlink() or not path.is_dir())


def _holds_us(place: Path) -> bool:
    """Whether the working folder is `place`, or below it: once replaced, it is gone for whoever works there."""
    try:
        here = Path.cwd()
    except OSError:
        return False
    return place == here or place in here.parents


def _real(folder: str, where: str) -> Path:
    """Where a folder really is. Raises UserError for what can be none, OSError where the working folder is gone."""
    if not folder or "\0" in folder:
        raise UserError("no folder can have this name", where=where, remedy="name a new folder")
    place = Path(os.path.realpath(folder))
    if _holds_us(place):
        what = f"{folder} is the folder that you are in, or one above it, which is not replaced"
        raise UserError(what, where=where, remedy="cd out of it, and name it from there")
    return place
