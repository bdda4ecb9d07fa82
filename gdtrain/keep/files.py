"""Files that are there whole or not at all, and folders that one process writes at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gdtrain.errors import NOT_WRITTEN, UserError

LOCK = ".lock"
_TEMPORARY = ".gdtrain-{}.tmp"
_CHUNK = 1 << 20  # bytes that are gathered before they are written
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP)  # file systems that sync no folders say so
_MAKE_ROOM = "make room, then run it again"
_REMEDIES = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.ENOLCK: "name a folder on a local disk",
    errno.EISDIR: "name a file in it",
}


@contextmanager
def writing(path: Path, where: str = "--out") -> Iterator[None]:
    """What the system refuses inside becomes a UserError (NOT_WRITTEN) that names `path`."""
    try:
        yield
    except OSError as error:
        raise refusal(path, error, where) from None


def refusal(path: str | Path, error: OSError, where: str = "--out") -> UserError:
    """That the system does not let us write to `path`."""
    remedy = _REMEDIES.get(error.errno or 0, "name another folder")
    return UserError(f"cannot write {path}: {error.strerror or error}", where=where, remedy=remedy, code=NOT_WRITTEN)


def write_atomically(path: Path, pieces: Iterable[str | bytes]) -> None:
    """Write a file by way of a temporary sibling: readers see what was there before or all of `pieces`, never less.

    Text is written as UTF-8. Once this returns, the file is on the disk. Raises OSError; then the old file stands.
    """
    temporary = temporary_beside(path)
    try:
        write_file(temporary, pieces)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    sync_folder(path.parent)


def temporary_beside(path: Path) -> Path:
    """A name for what is to take the place of a file once it is whole."""
    return path.parent / _TEMPORARY.format(secrets.token_hex(8))


def write_file(path: Path, pieces: Iterable[str | bytes]) -> None:
    """Write a new file, text as UTF-8; once this returns, its content is on the disk. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        gathered = bytearray()
        for piece in pieces:
            gathered += piece.encode() if isinstance(piece, str) else piece
            if len(gathered) >= _CHUNK:
                _write_all(file, gathered)
                gathered = bytearray()
        _write_all(file, gathered)
        os.fsync(file)
    finally:
        os.close(file)


def _write_all(file: int, content: bytearray) -> None:
    """A nearly full disk takes a part and says so; the next part is then refused."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)


def is_temporary(name: str) -> bool:
    """Whether a file is what a killed process left: see `temporary_beside`."""
    start, end = _TEMPORARY.split("{}")
    return name.startswith(start) and name.endswith(end)


def remove_temporaries(folder: Path) -> None:
    """Remove what killed processes left in a folder that is locked. Raises OSError."""
    for name in filter(is_temporary, os.listdir(folder)):
        os.unlink(folder / name)


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it that are missing. Returns the ones made, the innermost first. Raises OSError."""
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    made: list[Path] = []
    try:
        for path in reversed(missing):
            with suppress(FileExistsError):  # another process was quicker
                os.mkdir(path)
                made.insert(0, path)
                sync_folder(path.parent)
    except BaseException:
        remove_folders(made)
        raise
    return made


def remove_folders(folders: Iterable[Path]) -> None:
    """Remove those that are empty, as far as the system lets us."""
    with suppress(OSError):
        for folder in folders:
            os.rmdir(folder)


class Lock:
    """A folder that is ours until `release`, or until this process ends, however it ends."""

    def __init__(self, folder: str | Path, where: str = "--out", beside: Path | None = None) -> None:
        """Lock a folder, by its user's name: with a file in it, which stays, or one `beside` it, which goes on release.

        Raises UserError (NOT_WRITTEN) where another process has it, else OSError.
        """
        self.path, self._passing = beside or Path(folder) / LOCK, beside is not None
        self._file = _locked(self.path)
        if self._file is None:
            remedy = "wait until it ends, or name another folder"
            raise UserError(f"another run is writing {folder}", where=where, remedy=remedy, code=NOT_WRITTEN)

    def release(self) -> None:
        if self._file is None:
            return
        if self._passing:
            with suppress(OSError):
                os.unlink(self.path)
        os.close(self._file)
        self._file = None


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Whether the lock is ours inside: not where another process has it. Raises OSError."""
    file = _locked(path)
    try:
        yield file is not None
    finally:
        if file is not None:
            os.close(file)


def _locked(path: Path) -> int | None:
    """A file that holds the lock; None where another process does."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, path):
                return file
        except BlockingIOError:
            os.close(file)
            return None
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _is_at(file: int, path: Path) -> bool:
    """Whether an open file is still the one at `path`: who gave up a new folder has removed its lock."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False
