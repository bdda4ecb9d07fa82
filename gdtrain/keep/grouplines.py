"""The file from which a fit of groups is taken up: the documents of those that were fitted, each with a check sum.

{"key": "64 hex digits"}
{"group": 12, "crc": 123, "document": {...}}
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping

_HEAD = b'{"key": "%b"}\n'
_LINE = re.compile(rb'\{"group": ([0-9]{1,9}), "crc": ([0-9]{1,10}), "document": (\{.*\})\}\n?')


def group_lines(key: str, texts: Mapping[int, bytes]) -> Iterator[bytes]:
    """The file, piece by piece. `texts` are documents by the number of their group, each JSON on one line; `key` is the
    same for what gives the same documents.
    """
    yield _HEAD % key.encode()
    for number, text in texts.items():
        yield b'{"group": %d, "crc": %d, "document": %b}\n' % (number, _crc(number, text), text)


def read_group_lines(content: bytes, key: str) -> tuple[dict[int, bytes], int] | None:
    """Documents by the number of their group, and how many lines are damaged. None for a file with another key."""
    head, *lines = content.splitlines(keepends=True) or [b""]
    if head != _HEAD % key.encode():
        return None
    found = {}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is not None and int(match[2]) == _crc(int(match[1]), match[3]):
            found[int(match[1])] = match[3]
    return found, len(lines) - len(found)


def _crc(number: int, text: bytes) -> int:
    return zlib.crc32(text, number)
