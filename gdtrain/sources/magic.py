"""What a file holds, told by its first bytes and by its name; the two must agree."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal, NamedTuple, TypeAlias

from gdtrain.errors import DATA, UserError

Form: TypeAlias = Literal["delimited", "ndjson", "parquet"]

_FORMS: dict[str, Form] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".txt": "delimited",
    ".dat": "delimited",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_COMPRESSIONS = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
_ENDINGS = {"gzip": ".gz", "zstd": ".zst", "parquet": ".parquet", "": ".csv"}

_READ = {b"PAR1": "parquet", b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}

_AS_TEXT = "save the file as UTF-8 text"
_AS_CSV = "save the table as CSV"
_UNPACK = "unpack it first"
# (offset, bytes there, what the file is, remedy)
_REFUSED: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\xff\xfe", "UTF-16 text, not UTF-8", _AS_TEXT),
    (0, b"\xfe\xff", "UTF-16 text, not UTF-8", _AS_TEXT),
    (0, b"PK\x03\x04", "an Excel workbook or a zip archive", f"{_AS_CSV}, or {_UNPACK}"),
    (0, b"\xd0\xcf\x11\xe0", "an old Excel workbook", _AS_CSV),
    (4, b"1AY&SY", "bzip2 data", _UNPACK),
    (0, b"\xfd7zXZ\x00", "xz data", _UNPACK),
    (0, b"ARROW1", "an Arrow file", "save it as Parquet"),
    (0, b"\x89HDF", "an HDF5 file", _AS_CSV),
    (0, b"SQLite format 3\x00", "a SQLite database", _AS_CSV),
    (0, b"%PDF", "a PDF document", _AS_CSV),
    (0, b"<!DOCTYPE", "a web page", "download the table itself"),
    (0, b"<!doctype", "a web page", "download the table itself"),
    (0, b"<html", "a web page", "download the table itself"),
)


class Named(NamedTuple):
    """What a file's name promises: a form (None: none), a compression, and the ending that tells the form."""

    form: Form | None
    compression: str
    suffix: str


def form_of_name(name: str) -> Named:
    """What `name` promises, letter case aside."""
    path = PurePath(name.lower())
    compression = _COMPRESSIONS.get(path.suffix, "")
    suffix = PurePath(path.stem).suffix if compression else path.suffix
    return Named(_FORMS.get(suffix), compression, suffix)


def signature(head: bytes, where: str) -> str:
    """`parquet`, `gzip` or `zstd` as the first bytes say; "" for text.

    Raises UserError (DATA) for what is known and not read, such as UTF-16 or a workbook.
    """
    for offset, mark, what, remedy in _REFUSED:
        if head.startswith(mark, offset):
            raise UserError(f"the file is {what}", where=where, remedy=remedy, code=DATA)
    return next((name for mark, name in _READ.items() if head.startswith(mark)), "")


def check_name(named: Named, found: str, where: str, name: str) -> None:
    """Raises UserError (DATA) where a name promises one thing and the content is another."""
    if named.form is None and not named.compression:
        return
    promised = named.compression or ("parquet" if named.form == "parquet" else "")
    if promised == found:
        return
    what = f"holds {found or 'no ' + promised} data, though its name says otherwise"
    stem = PurePath(name).stem if named.compression or found in ("", "parquet") else name
    ending = "" if named.compression and not found and PurePath(stem).suffix else _ENDINGS[found]
    raise UserError(what, where=where, remedy=f"name it {stem}{ending}, or mend it", code=DATA)
