"""Files that are there whole or not at all: what happens when the system refuses."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gdtrain.errors import NOT_WRITTEN, UserError
from gdtrain.keep.files import Lock, is_temporary, make_folder, sync_folder, write_atomically, writing

CALLS = ("open", "write", "fsync", "replace", "mkdir")


class Failing:
    """The calls of `os` that change a disk, of which the k-th raises; with `on`, all after it too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, k: int, on: bool, number: int = errno.ENOSPC) -> None:
        self.count = 0
        for name in CALLS:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name), k, on, number))

    def _counted(self, call: Callable[..., Any], k: int, on: bool, number: int) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            if self.count == k or (on and self.count > k):
                raise OSError(number, os.strerror(number))
            return call(*arguments, **named)

        return counted


@pytest.mark.parametrize("old", [None, b"old"], ids=["new file", "old file"])
@pytest.mark.parametrize("on", [False, True], ids=["once", "from then on"])
def test_whichever_call_fails_the_file_is_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bytes | None, on: bool
) -> None:
    path = tmp_path / "file"
    new: list[str | bytes] = [b"x" * 3_000_000, "end"]
    states = set()
    for k in range(1, 100):
        path.unlink(missing_ok=True)
        if old is not None:
            path.write_bytes(old)
        with monkeypatch.context() as patched:
            failing = Failing(patched, k, on)
            try:
                write_atomically(path, new)
            except OSError as error:
                assert error.errno == errno.ENOSPC
        found = path.read_bytes() if path.exists() else None
        assert found in (old, b"x" * 3_000_000 + b"end")
        assert os.listdir(tmp_path) == ([] if found is None else ["file"])
        states.add(found)
        if failing.count < k:
            break
    else:
        pytest.fail("it never succeeds")
    assert k > 7 and len(states) == 2  # open, write twice, fsync, replace, open, fsync


def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:7]))
    write_atomically(tmp_path / "file", ["é" * 100, b"\0" * 100, ""])
    assert (tmp_path / "file").read_bytes() == "é".encode() * 100 + b"\0" * 100


def test_what_fails_while_pieces_are_made_leaves_the_old_file(tmp_path: Path) -> None:
    def pieces() -> Iterator[str]:
        yield "x" * 3_000_000
        raise KeyboardInterrupt

    (tmp_path / "file").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", pieces())
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "old"


def test_files_have_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_atomically(tmp_path / "file", ["text"])
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "file")}
    assert len(modes) == 1


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def noted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*arguments: Any) -> Any:
            order.append(name)
            return call(*arguments)

        return noting

    for name in ("write", "fsync", "replace"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    write_atomically(tmp_path / "file", ["text"])
    assert order == ["write", "fsync", "replace", "fsync"]  # the last is the folder's


@pytest.mark.parametrize(("number", "passes"), [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False)])
def test_a_file_system_that_syncs_no_folders_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, passes: bool
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    if passes:
        sync_folder(tmp_path)
    else:
        with pytest.raises(OSError):
            sync_folder(tmp_path)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "No space left on device; make room, then run it again"),
        (errno.EROFS, "Read-only file system; name another folder"),
        (errno.EFBIG, "File too large; raise the limit on the size of files (ulimit -f)"),
        (errno.ENOLCK, "No locks available; name a folder on a local disk"),
    ],
)
def test_refusals_in_words(number: int, remedy: str) -> None:
    with pytest.raises(UserError) as caught, writing(Path("runs/a")):
        raise OSError(number, os.strerror(number))
    assert (str(caught.value), caught.value.code) == (f"--out: cannot write runs/a: {remedy}", NOT_WRITTEN)


@pytest.mark.parametrize("on", [False, True], ids=["once", "from then on"])
def test_a_folder_is_made_with_those_above_it_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on: bool
) -> None:
    folder = tmp_path / "a" / "b" / "c"
    for k in range(1, 10):  # mkdir, open and fsync for each of three
        with monkeypatch.context() as patched, pytest.raises(OSError):
            Failing(patched, k, on)
            make_folder(folder)
        assert os.listdir(tmp_path) == []
    assert make_folder(folder) == [folder, folder.parent, folder.parent.parent]
    assert make_folder(folder) == []


def test_a_folder_is_locked_once(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    with pytest.raises(UserError) as caught:
        Lock(tmp_path)
    what = f"--out: another run is writing {tmp_path}; wait until it ends, or name another folder"
    assert (str(caught.value), caught.value.code) == (what, NOT_WRITTEN)
    lock.release()
    lock.release()
    Lock(tmp_path).release()


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gives up a new folder removes its lock: whoever opened it just before must not believe that it holds it."""
    opens = os.open
    found: list[int] = []

    def removed_at_once(path: Path, flags: int, mode: int = 0o777) -> int:
        file = opens(path, flags, mode)
        if not found:
            os.unlink(path)
        found.append(file)
        return file

    monkeypatch.setattr(os, "open", removed_at_once)
    lock = Lock(tmp_path)
    assert len(found) == 2
    with pytest.raises(UserError):
        Lock(tmp_path)
    lock.release()


@pytest.mark.parametrize(("name", "ours"), [(".gdtrain-0af3.tmp", True), ("notes.tmp", False), (".gdtrain-x", False)])
def test_temporaries_are_known_by_name(name: str, ours: bool) -> None:
    assert is_temporary(name) is ours
