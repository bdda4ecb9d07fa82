"""Where a walk stands, as plain values and arrays: what a checkpoint holds, and back. No class is named by a file but
those listed here, and nothing of a file is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gdtrain.engines.states import Chunk, End, First

_KNOWN: Mapping[str, type[Any]] = {"chunk": Chunk, "end": End, "first": First}
_NAMES = {kind: name for name, kind in _KNOWN.items()}
_ARRAY, _PAIRS = "array", "pairs"


def pack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """`value` as JSON: tensors and arrays join `arrays`, in order, and are called by their names there.

    It may hold None, numbers, texts, lists, mappings of these, tensors, and the states above.
    """
    if isinstance(value, Tensor | np.ndarray):
        name = str(len(arrays))
        arrays[name] = value.detach().cpu().contiguous().numpy() if isinstance(value, Tensor) else value
        return {_ARRAY: name}
    if isinstance(value, Mapping):
        return {_PAIRS: [[key, pack(item, arrays)] for key, item in value.items()]}
    if isinstance(value, list | tuple | range):
        return [pack(item, arrays) for item in value]
    if type(value) in _NAMES:
        return {_NAMES[type(value)]: [pack(getattr(value, field.name), arrays) for field in fields(value)]}
    return value


def unpack(plain: Any, arrays: Mapping[str, np.ndarray], device: torch.device) -> Any:
    """What `pack` was given, arrays as tensors. Raises KeyError, TypeError or ValueError for anything else."""
    if isinstance(plain, list):
        return [unpack(item, arrays, device) for item in plain]
    if not isinstance(plain, dict):
        return plain
    ((name, inner),) = plain.items()
    if name == _ARRAY:
        return torch.from_numpy(arrays[inner].copy()).to(device)
    if name == _PAIRS:
        return {key: unpack(item, arrays, device) for key, item in inner}
    return _KNOWN[name](*(unpack(item, arrays, device) for item in inner))
