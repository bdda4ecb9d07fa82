"""Where the bytes of a table come from: a file or standard input, plain or compressed, and in which form."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import sys
import tempfile
import weakref
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeAlias

from gdtrain.errors import DATA, UserError, nearest
from gdtrain.sources.magic import Form, check_name, form_of_name, signature

Place: TypeAlias = str | bytes | BinaryIO  # a path, the content itself, or an unnamed temporary file

_HEAD = 4096  # bytes that tell what a file holds
_IN_MEMORY = 1 << 26  # bytes of standard input that are held in memory; a longer one goes to a temporary file
_LINE = 1 << 26  # bytes of the longest line
_SMALL = 1 << 18  # bytes up to which Python's own reader is done before polars is loaded
_SMALL_GZIP = 1 << 15


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Origin:
    """Bytes that may be read many times.

    where        what messages call it
    place        what polars scans: an absolute path, the bytes themselves, or an open temporary file
    size         bytes, as stored
    compression  "", "gzip" or "zstd"
    form         what the (uncompressed) bytes are
    suffix       the ending of the file's name that tells the form; "" for standard input
    """

    where: str
    place: Place
    size: int
    compression: str
    form: Form
    suffix: str

    @property
    def small(self) -> bool:
        """Whether reading line by line takes less time than loading polars."""
        limits = {"": _SMALL, "gzip": _SMALL_GZIP}
        return self.size <= limits.get(self.compression, -1)

    def scannable(self) -> Place:
        """What a polars scan takes, at its beginning."""
        if not isinstance(self.place, str | bytes):
            self.place.seek(0)
        return self.place

    def lines(self) -> Generator[str, None, None]:
        """The lines of the text, with their ends and without a byte order mark; closing it closes the file.

        Raises UserError (DATA), with the line, for what is not UTF-8 or not text, and for broken compression.
        """
        if self.compression == "zstd":
            from gdtrain.sources.zstd import zstd_lines

            return zstd_lines(self)
        return self._lines()

    def _lines(self) -> Generator[str, None, None]:
        offset = 0
        number = 1
        with self._open() as stream:
            while line := self._next_line(stream, offset):
                yield self._decoded(line, offset, number)
                offset += len(line)
                number += 1

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        with self._open_raw() as raw:
            if self.compression == "gzip":
                with gzip.GzipFile(fileobj=raw) as unpacked, io.BufferedReader(unpacked) as stream:
                    yield stream
            else:
                yield raw

    @property
    def shared(self) -> bool:
        """Whether the bytes may be read in two places at once."""
        return isinstance(self.place, str | bytes)

    def parts(self, size: int, after: int) -> Iterator[bytes]:
        """The text after some lines, in parts of at most `size` bytes."""
        with self._open() as stream:
            for _ in range(after):
                stream.readline()
            while part := stream.read(size):
                yield part

    def end(self, size: int) -> bytes:
        """The last `size` bytes, or all where there are fewer; none of compressed text."""
        if self.compression:
            return b""
        with self._open_raw() as raw:
            raw.seek(max(self.size - size, 0))
            return raw.read(size)

    def _open_raw(self) -> BinaryIO:
        if isinstance(self.place, str):
            return open(self.place, "rb")
        if isinstance(self.place, bytes):
            return io.BytesIO(self.place)
        copy = os.fdopen(os.dup(self.place.fileno()), "rb")
        copy.seek(0)
        return copy

    def _next_line(self, stream: BinaryIO, offset: int) -> bytes:
        try:
            line = stream.readline(_LINE)
        except (EOFError, OSError, zlib.error):
            raise self.broken(f"after {offset} bytes of text") from None
        if len(line) == _LINE:
            raise UserError(f"a line is longer than {_LINE} bytes", where=self.where, code=DATA)
        return line

    def broken(self, place: str) -> UserError:
        """The error for compressed data, or a disk, that can't be read to its end."""
        what = f"the {self.compression} data is broken or cut off" if self.compression else "reading failed"
        return UserError(f"{what} {place}".strip(), where=self.where, remedy="fetch the file again", code=DATA)

    def _decoded(self, line: bytes, offset: int, number: int) -> str:
        nul = line.find(0)
        if nul >= 0:
            raise self._not_text(line, nul, f"a NUL byte at byte offset {offset + nul}", number)
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            at = error.start
            what = f"not UTF-8: byte 0x{line[at]:02x} at byte offset {offset + at}"
            raise self._not_text(line, at, what, number) from None
        return text.removeprefix("\ufeff") if number == 1 else text

    def _not_text(self, line: bytes, at: int, what: str, number: int) -> UserError:
        start = len(line[:at].decode("utf-8", "backslashreplace"))
        return UserError(
            what,
            where=f"{self.where}, line {number}",
            remedy="save the file as UTF-8 text",
            text=line.decode("utf-8", "backslashreplace").rstrip("\r\n"),
            span=(start, start + 1),
            code=DATA,
        )


def find_origin(path: str, *, stdin: BinaryIO | None = None, where: str = "") -> Origin:
    """The origin at `path`; `-` is standard input. Raises UserError (DATA) where nothing can be read."""
    if path == "-":
        if stdin is None and sys.stdin is None:
            raise UserError("stdin is closed", where="stdin", remedy="name a file", code=DATA)
        return _from_stdin(stdin or sys.stdin.buffer, where or "stdin")
    where = where or path
    try:
        status = os.stat(path)
        _check_regular(status.st_mode, path, where)
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        raise _not_found(path, where) from None
    except PermissionError:
        raise UserError("the file may not be read", where=where, remedy="check its permissions", code=DATA) from None
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or "no file can have this name"
        raise UserError(f"the file can't be opened: {what}", where=where, code=DATA) from None
    return _origin(os.path.abspath(path), status.st_size, head, where, Path(path).name)


def _check_regular(mode: int, path: str, where: str) -> None:
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise UserError("is a folder, not a file", where=where, remedy="name a file in it", code=DATA)
    raise UserError(
        "is a device or a pipe, not a file", where=where, remedy="write path: - for standard input", code=DATA
    )


def _not_found(path: str, where: str) -> UserError:
    folder = Path(path).parent
    if "://" in path:
        remedy = "download it first: only local files are read"
    elif not folder.is_dir():
        remedy = f"there is no folder {folder} either"
    else:
        stems = {Path(name).stem: name for name in _names_in(folder)}  # an ending in common is no likeness
        close = nearest(Path(path).stem, stems)
        remedy = f"did you mean {stems[close]}?" if close else ""
    return UserError("there is no such file", where=where, remedy=remedy or "check the path", code=DATA)


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # a folder may be entered and not listed
        return []


def _from_stdin(stream: BinaryIO, where: str) -> Origin:
    """Standard input can be read once, and a table is read several times: it is kept."""
    content = stream.read(_IN_MEMORY)
    if len(content) < _IN_MEMORY:
        return _origin(content, len(content), content[:_HEAD], where, "")
    if not signature(content[:_HEAD], where) and b"\0" in content:  # an endless stream of no text is not kept
        raise UserError("a NUL byte in the text", where=where, remedy="save the file as UTF-8 text", code=DATA)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as its origin
    file.write(content)
    shutil.copyfileobj(stream, file)
    file.flush()
    origin = _origin(file, file.tell(), content[:_HEAD], where, "")
    weakref.finalize(origin, file.close)
    return origin


def _origin(place: Place, size: int, head: bytes, where: str, name: str) -> Origin:
    if not head:
        raise UserError("the file is empty", where=where, remedy="add a header line and rows", code=DATA)
    found = signature(head, where)
    named = form_of_name(name)
    check_name(named, found, where, name)
    if found == "parquet":
        return Origin(where, place, size, "", "parquet", named.suffix)
    if named.form == "parquet":
        remedy = "unpack it first: Parquet packs its own columns"
        raise UserError(f"is a Parquet file inside {found}", where=where, remedy=remedy, code=DATA)
    origin = Origin(where, place, size, found, named.form or "delimited", named.suffix)
    return origin if named.form else replace(origin, form=_form_of_text(origin))


def _form_of_text(origin: Origin) -> Form:
    """The form of text whose name tells nothing."""
    with closing(origin.lines()) as lines:
        first = next(lines, "").lstrip()
    if first.startswith("["):
        remedy = "write one object a line (NDJSON), or CSV"
        raise UserError("is a JSON array", where=origin.where, remedy=remedy, code=DATA)
    return "ndjson" if first.startswith("{") else "delimited"
