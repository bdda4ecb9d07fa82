"""Files of finished trials: a trial a line, each with a check sum, so that no damaged one is taken for a result.

{"key": "64 hex digits", "crc": 123, "document": {...}}
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

_LINE = re.compile(rb'\{"key": "([0-9a-f]{64})", "crc": ([0-9]{1,10}), "document": (\{.*\})\}\n')
_NAME = re.compile(r"[0-9a-f]{32}\.ndjson")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a trial's line stands: file, and bytes from where on and how many."""

    path: Path
    offset: int
    length: int


def name_of(keys: Iterable[str]) -> str:
    """The name of the file that holds the trials with these keys."""
    return sha256("\n".join(keys).encode()).hexdigest()[:32] + ".ndjson"


def is_name(name: str) -> bool:
    """Whether a file may be one of ours."""
    return _NAME.fullmatch(name) is not None


def line_of(key: str, document: Mapping[str, Any]) -> bytes:
    """A trial's line. The document is plain JSON; ValueError for a number that is not finite."""
    text = json.dumps(document, allow_nan=False).encode()
    return b'{"key": "%b", "crc": %d, "document": %b}\n' % (key.encode(), _crc(key.encode(), text), text)


def lines_of(keys: Sequence[str], documents: Iterable[Mapping[str, Any]], lengths: list[int]) -> Iterator[bytes]:
    """The lines of trials, one by one; how long each is joins `lengths`."""
    for key, document in zip(keys, documents, strict=True):
        line = line_of(key, document)
        lengths.append(len(line))
        yield line


def spots(path: Path, keys: Sequence[str], lengths: Sequence[int]) -> Iterator[tuple[str, Spot]]:
    """Where lines of these lengths stand in the file that holds them."""
    offset = 0
    for key, length in zip(keys, lengths, strict=True):
        yield key, Spot(path, offset, length)
        offset += length


def scan(path: Path) -> tuple[dict[str, Spot], int]:
    """Where each trial of a file stands, and how many lines are none. Raises OSError."""
    found: dict[str, Spot] = {}
    damaged = offset = 0
    with path.open("rb") as file:
        for line in file:
            if (pair := _read(line)) is None:
                damaged += 1
            else:
                found[pair[0]] = Spot(path, offset, len(line))
            offset += len(line)
    return found, damaged


def document_at(key: str, spot: Spot) -> dict[str, Any] | None:
    """The document of a trial; None where it no longer stands there. Raises OSError."""
    with spot.path.open("rb") as file:
        file.seek(spot.offset)
        pair = _read(file.read(spot.length))
    if pair is None or pair[0] != key:
        return None
    document: dict[str, Any] = json.loads(pair[1])
    return document


def _read(line: bytes) -> tuple[str, bytes] | None:
    """Key and document of a line; None where it is not as it was written."""
    match = _LINE.fullmatch(line)
    if match is None or int(match[2]) != _crc(match[1], match[3]):
        return None
    return match[1].decode(), match[3]


def _crc(key: bytes, document: bytes) -> int:
    return zlib.crc32(document, zlib.crc32(key))
