"""Folders that are there whole or not at all: built beside their place, and put there in one step."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from gdtrain.keep.files import locked, sync_folder, write_file

Files = Mapping[str, Iterable[str | bytes]]

_LOCKS = re.compile(r"\.gdtrain-[0-9a-f]{16}\.lock")
_OLD_S = 3600.0
_AT_CWD = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2
_NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)  # kernels and file systems without it


class Beside:
    """What lies beside a folder while it is written, under names that follow from its own, whatever that is.

    lock  of the process that writes the folder
    new   what is to take its place
    old   what was there, where the two cannot be exchanged in one step
    """

    def __init__(self, lock: Path) -> None:
        self.lock, self.new, self.old = lock, lock.with_suffix(".new"), lock.with_suffix(".old")

    @classmethod
    def of(cls, place: Path) -> Beside:
        return cls(place.parent / f".gdtrain-{sha256(os.fsencode(place.name)).hexdigest()[:16]}.lock")


def replace_folder(place: Path, files: Files) -> None:
    """Make `place` a folder of just these files. Readers see what was there before or all of them, never less.

    Once this returns, all is on the disk. Raises OSError; then what was there before stands. Of two processes that do
    this at a time one must wait: see `Beside.lock`.
    """
    new = Beside.of(place).new
    remove_flat(new)
    try:
        os.mkdir(new)
        for name, pieces in files.items():
            write_file(new / name, pieces)
        sync_folder(new)
        _put(new, place)
    except BaseException:
        remove_flat(new)
        raise
    sync_folder(place.parent)
    remove_flat(new)  # what was there before


def mend(place: Path) -> None:
    """Take away what a killed process left beside a folder, or put back what it had taken from its place."""
    beside = Beside.of(place)
    if os.path.lexists(beside.old) and not os.path.lexists(place):
        os.rename(beside.old, place)
    remove_flat(beside.old)
    remove_flat(beside.new)


def tidy(folder: Path) -> None:
    """Take away what processes that were killed long ago left in a folder of runs, as far as the system lets us.

    What was taken from its place stays: only `mend` knows where to put it.
    """
    names: list[str] = []
    with suppress(OSError):
        names = os.listdir(folder)
    for name in filter(_LOCKS.fullmatch, names):
        with suppress(OSError):
            _take_away(Beside(folder / name))


def _take_away(beside: Beside) -> None:
    """Unless another process has the lock, or may be about to take it. Raises OSError."""
    if time.time() - os.stat(beside.lock).st_mtime < _OLD_S:
        return
    with locked(beside.lock) as ours:
        if ours and not os.path.lexists(beside.old):
            remove_flat(beside.new)
            os.unlink(beside.lock)


def remove_flat(folder: Path) -> None:
    """Remove a folder that holds files alone, as far as the system lets us."""
    with suppress(OSError):
        for name in os.listdir(folder):
            os.unlink(folder / name)
        os.rmdir(folder)


def _put(new: Path, place: Path) -> None:
    """Afterwards `new` is at `place`, and what was there, if anything, at `new`."""
    try:
        os.rename(new, place)  # to a new place, or over an empty folder
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    try:
        _exchange(new, place)
    except OSError as error:
        if error.errno not in _NO_EXCHANGE:
            raise
        _one_after_another(new, place)


def _exchange(one: Path, other: Path) -> None:
    """Let two folders change names, in one step. Raises OSError."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if renameat2(_AT_CWD, os.fsencode(one), _AT_CWD, os.fsencode(other), _EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _one_after_another(new: Path, place: Path) -> None:
    """The same in two steps, between which nothing is at `place`; `mend` knows what to do then."""
    old = Beside.of(place).old
    os.rename(place, old)
    try:
        os.rename(new, place)
    except BaseException:
        os.rename(old, place)
        raise
    remove_flat(old)
