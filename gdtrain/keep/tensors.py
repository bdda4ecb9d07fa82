"""Arrays in the safetensors format: eight bytes that tell the length of a JSON header, that header, and the numbers.

What is read is bytes, names and shapes, never code. See https://huggingface.co/docs/safetensors.

A checkpoint is such a file, with a check sum of all of it in its header's metadata.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_KINDS = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "BOOL": "|b1"}
_LENGTH = 8  # bytes that tell how long the header is
_METADATA = "__metadata__"


def tensor_pieces(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> Iterator[bytes]:
    """The bytes of a file, piece by piece. Raises KeyError for a kind of number that is none of those above."""
    names = {dtype: kind for kind, dtype in _KINDS.items()}
    header: dict[str, Any] = {} if metadata is None else {_METADATA: dict(metadata)}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        kind = names[array.dtype.newbyteorder("<").str]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that numbers are aligned
    yield len(text).to_bytes(_LENGTH, "little") + text
    for array in arrays.values():
        yield array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def checked_pieces(arrays: Mapping[str, np.ndarray], state: str) -> Iterator[bytes]:
    """The bytes of a file that tells whether it is whole. `state` goes with the arrays."""
    yield from tensor_pieces(arrays, {"state": state, "sha256": _sum(arrays, state)})


def read_checked(content: bytes) -> tuple[dict[str, np.ndarray], str]:
    """Arrays and state of a file of `checked_pieces`. Raises ValueError where it is not as it was written."""
    arrays, metadata = read_tensors(content)
    state = metadata.get("state")
    if not isinstance(state, str) or metadata.get("sha256") != _sum(arrays, state):
        raise ValueError("its check sum does not fit")
    return arrays, state


def read_tensors(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and metadata of a file. Raises ValueError where it is none."""
    import numpy as np

    start = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    try:
        header = json.loads(content[_LENGTH:start])
        metadata = header.pop(_METADATA, {})
        arrays, end = {}, 0
        for name, told in header.items():
            dtype, shape = np.dtype(_KINDS[told["dtype"]]), tuple(map(int, told["shape"]))
            first, last = told["data_offsets"]
            part = content[start + first : start + last]
            if first != end or len(part) != last - first or len(part) != math.prod(shape) * dtype.itemsize:
                raise ValueError("its header does not fit")
            end = last
            arrays[name] = np.frombuffer(part, dtype).reshape(shape)
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise ValueError("its header cannot be read") from None
    if not isinstance(metadata, dict) or start + end != len(content):
        raise ValueError("its header does not fit")
    return arrays, metadata


def _sum(arrays: Mapping[str, np.ndarray], state: str) -> str:
    forms = {name: [array.dtype.str, array.shape] for name, array in arrays.items()}
    digest = sha256(json.dumps([state, forms]).encode())
    for array in arrays.values():
        digest.update(array.tobytes())
    return digest.hexdigest()
