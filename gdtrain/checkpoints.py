"""The file from which a run is taken up: where its walks stand, whose they are, and a check sum of it all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256

import numpy as np
import torch

from gdtrain.engines.packing import pack, unpack
from gdtrain.engines.progress import State
from gdtrain.errors import DATA, UserError
from gdtrain.experiment.schema import Experiment
from gdtrain.keep.fingerprint import Fingerprint, plain
from gdtrain.keep.keys import canonical
from gdtrain.keep.tensors import checked_pieces, read_checked


def key_of(experiment: Experiment, data: Mapping[str, Fingerprint]) -> str:
    """The same for runs whose states are: how many epochs are to come does not move those that were."""
    whole = canonical(experiment)
    whole["train"] = {name: value for name, value in whole["train"].items() if name != "epochs"}
    columns = experiment.data.columns if experiment.data else None
    told = {"experiment": whole, "columns": list(columns or ()), "data": plain(data)}
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def checkpoint(walks: Mapping[int, State], key: str) -> Iterator[bytes]:
    """The file, piece by piece."""
    arrays: dict[str, np.ndarray] = {}
    state = json.dumps({"key": key, "walks": pack(walks, arrays)})
    return checked_pieces(arrays, state)


def read_checkpoint(content: bytes, key: str, device: str, where: str) -> Mapping[int, State]:
    """Where the walks stand. Raises UserError (exit 3): a file that is damaged, or none of ours, or of another run."""
    remedy = "remove it, and resume trains from the start"
    try:
        arrays, text = read_checked(content)
        state = json.loads(text)
        whose, walks = state["key"], unpack(state["walks"], arrays, torch.device(device))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise UserError("is damaged, or no checkpoint", where=where, remedy=remedy, code=DATA) from None
    if whose != key:
        raise UserError("is the checkpoint of another experiment", where=where, remedy=remedy, code=DATA)
    found: Mapping[int, State] = walks
    return found
