"""Groups whose fits are kept on the way: the document of each, from which it is told, also when the fit is taken up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from gdtrain.engines.progress import State
from gdtrain.results.groups import GroupTrial
from gdtrain.results.uncertainty import Estimate
from gdtrain.trials.swept import kept_trial


def state_of(document: Mapping[str, Any]) -> State:
    """What is kept of a group: its document on one line."""
    return {"document": json.dumps(document, allow_nan=False).encode()}


def kept_group(settings: Mapping[str, Any], state: State) -> GroupTrial:
    """A group's fit from what was kept of it."""
    text: bytes = state["document"]
    document = json.loads(text)
    numbers = vars(kept_trial(settings, document, partial(json.loads, text)))
    return GroupTrial(**numbers, rows=document["data"]["rows"], estimates=partial(_estimates, text))


def _estimates(text: bytes) -> Mapping[str, Estimate]:
    params: Mapping[str, Any] = json.loads(text)["params"]
    return {name: _estimate(told) for name, told in params.items() if "std_error" in told}


def _estimate(told: Mapping[str, Any]) -> Estimate:
    low, high = told["interval"]
    return Estimate(float(told["std_error"]), told.get("t"), told.get("p"), (float(low), float(high)))
