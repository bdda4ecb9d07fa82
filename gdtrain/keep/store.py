"""The folder that keeps a sweep's finished trials, so that running it again computes only what is missing.

DIR/sweep.json         whose folder it is: see `manifest`
DIR/experiment.yaml    the experiment, complete
DIR/trials/*.ndjson    finished trials, a file for each batch: see `batches`
DIR/result.json        the whole sweep's document, once it has ended
DIR/.lock              held by the process that writes here

Every file is there whole or not at all. Names inside are ours: no user's text becomes a path.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from gdtrain.errors import DATA, UserError
from gdtrain.experiment.schema import Experiment
from gdtrain.keep import batches, manifest
from gdtrain.keep.batches import Spot
from gdtrain.keep.files import (
    LOCK,
    Lock,
    is_temporary,
    make_folder,
    remove_folders,
    remove_temporaries,
    write_atomically,
    writing,
)
from gdtrain.keep.fingerprint import Fingerprint
from gdtrain.keep.manifest import Asked, SweepManifest

_EXPERIMENT, _RESULT, _TRIALS = "experiment.yaml", "result.json", "trials"


class Store:
    """A sweep's folder, locked until it is closed. Holds where its trials stand, not the trials.

    folder  where it is
    kept    how many trials of this sweep were there when it was opened
    notes   sentences for the user: what has changed since, what is left out
    """

    def __init__(self, folder: Path, lock: Lock) -> None:
        self.folder, self.kept = folder, 0
        self.notes: list[str] = []
        self._lock = lock
        self._spots: dict[str, Spot] = {}

    @classmethod
    def open(
        cls,
        folder: str | Path,
        experiment: Experiment,
        data: Mapping[str, Fingerprint] | None = None,
        *,
        keys: Sequence[str],
        text: str,
        asked: Asked | None = None,
    ) -> Store:
        """Open or make the folder of a sweep. Nothing is made before the folder is known to be ours.

        experiment  of the sweep, before axes
        data        the fingerprints of what it reads
        keys        of all its trials
        text        the experiment as YAML, for experiment.yaml
        asked       what was asked besides, for sweep.json

        Raises UserError: a folder that holds other things (exit 2); one that another process writes, or that cannot
        be written (exit 74).
        """
        place = _path(folder)
        now = SweepManifest.of(experiment, data or {}, keys, asked)
        with writing(place):
            _claim(place)
            made = make_folder(place)
            try:
                lock = Lock(place)
            except BaseException:
                remove_folders(made)
                raise
        return cls(place, lock)._begin(made, now, keys, text)

    def _begin(self, made: list[Path], now: SweepManifest, keys: Sequence[str], text: str) -> Store:
        fresh = False
        try:
            with writing(self.folder):
                before = _claim(self.folder)  # as it is now that nobody else writes
                fresh = before is None
                self._read_trials()
                self.kept = sum(key in self._spots for key in keys)
                self.notes += self._changes(before, now)
                self._write_heads(before, now, text)
        except BaseException:
            if fresh:
                _clear(self.folder, made)
            self.close()
            raise
        return self

    def _read_trials(self) -> None:
        remove_temporaries(self.folder)
        folder = self.folder / _TRIALS
        if not folder.exists():
            return
        remove_temporaries(folder)
        for name in sorted(os.listdir(folder)):
            self.notes += self._read_batch(folder / name)

    def _read_batch(self, path: Path) -> list[str]:
        """Take in the trials of a file. Returns what to say of it."""
        shown = f"{self.folder / _TRIALS / path.name}"
        if not batches.is_name(path.name):
            return [f"{shown} is none of ours and is left out"]
        try:
            found, damaged = batches.scan(path)
        except OSError as error:
            return [f"{shown} cannot be read and is left out: {error.strerror}"]
        self._spots |= found
        lines = f"{damaged} damaged lines are" if damaged > 1 else "a damaged line is"
        return [f"{shown}: {lines} left out"] if damaged else []

    def _changes(self, before: SweepManifest | None, now: SweepManifest) -> list[str]:
        """What has changed since the folder was last written, and how many of its trials serve."""
        if before is None:
            return []
        changes = now.changes(before)
        if not (changes or self._spots):
            return []
        return ["; ".join([*changes, self._serving(now.trials, changed=bool(changes))])]

    def _serving(self, trials: int, *, changed: bool) -> str:
        if self.kept:
            return f"{self.kept:,} of {trials:,} trials are kept from before"
        return "its trials are computed anew" if changed else f"none of the {len(self):,} trials kept here is asked for"

    def _write_heads(self, before: SweepManifest | None, now: SweepManifest, text: str) -> None:
        """Bring the files that tell of the sweep up to date; another sweep's result goes first."""
        if before is not None and before.sha256 != now.sha256:
            with suppress(FileNotFoundError):
                os.unlink(self.folder / _RESULT)
        _bring_up_to_date(self.folder / manifest.NAME, now.text())
        _bring_up_to_date(self.folder / _EXPERIMENT, text)
        make_folder(self.folder / _TRIALS)

    def __len__(self) -> int:
        """How many trials are here, of whichever sweep."""
        return len(self._spots)

    def __contains__(self, key: object) -> bool:
        return key in self._spots

    def get(self, key: str) -> dict[str, Any] | None:
        """The document of a finished trial, read from its file; None where it is not here.

        Raises UserError (exit 3) where the file has been changed since it was opened.
        """
        if (spot := self._spots.get(key)) is None:
            return None
        with suppress(OSError):
            if (document := batches.document_at(key, spot)) is not None:
                return document
        remedy = "run it again: what is missing is computed anew"
        raise UserError("has been changed or removed meanwhile", where=str(spot.path), remedy=remedy, code=DATA)

    def add(self, keys: Sequence[str], documents: Iterable[Mapping[str, Any]]) -> None:
        """Keep finished trials by their keys: all of them or, where writing fails, none. Holds one document at a time.

        Documents are plain JSON; a number that is not finite is a string. Raises UserError (exit 74).
        """
        if not keys:
            return
        path = self.folder / _TRIALS / batches.name_of(keys)
        lengths: list[int] = []
        with writing(self.folder):
            write_atomically(path, batches.lines_of(keys, documents, lengths))
        self._spots |= dict(batches.spots(path, keys, lengths))

    def finish(self, pieces: Iterable[str]) -> None:
        """Write result.json: the sweep's document, in pieces. Raises UserError (exit 74)."""
        with writing(self.folder):
            write_atomically(self.folder / _RESULT, pieces)

    def close(self) -> None:
        """Let another process write here."""
        self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _path(folder: str | Path) -> Path:
    if not str(folder) or "\0" in str(folder):
        raise UserError("no folder can have this name", where="--out", remedy="name a new folder")
    return Path(folder)


def _claim(folder: Path) -> SweepManifest | None:
    """The manifest of a sweep's folder; None where there is nothing yet, nor anybody else's things.

    Raises UserError where somebody else's things are, OSError where nobody can tell.
    """
    try:
        names = set(os.listdir(folder))
    except FileNotFoundError:
        return None
    found = SweepManifest.read(folder / manifest.NAME) if manifest.NAME in names else None
    if found is None and not all(name == LOCK or is_temporary(name) for name in names):
        raise UserError(f"{folder} holds other things than a sweep", where="--out", remedy="name a new folder")
    return found


def _clear(folder: Path, made: list[Path]) -> None:
    """Take back what was written into a folder that was new: only what is ours and holds no trial."""
    with suppress(OSError):
        remove_temporaries(folder)
    for name in (manifest.NAME, _EXPERIMENT, LOCK):
        with suppress(OSError):
            os.unlink(folder / name)
    remove_folders([folder / _TRIALS])
    remove_folders(made)


def _bring_up_to_date(path: Path, text: str) -> None:
    with suppress(FileNotFoundError):
        if path.read_bytes() == text.encode():
            return
    write_atomically(path, [text])
