"""What a result document predicts by: the fit of a run, or of each group: one model with the numbers of each.

Shapes: G groups, Q reported parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gdtrain.errors import UserError
from gdtrain.prediction.grouped import FreshGroups, Refusal
from gdtrain.problem.bygroup import OfGroups
from gdtrain.problem.portable import Portable, restored
from gdtrain.results.groups import GROUPS_SCHEMA
from gdtrain.results.saved import undamaged
from gdtrain.results.uncertainty import Uncertainty
from gdtrain.uncertainty.bygroup import SpreadOfGroups
from gdtrain.uncertainty.predictions import Spread

_ALIKE = ("kind", "dtype", "predictor")  # sections in which groups do not differ
_MEND = "leave its rows out, or fit it again"

Document = Mapping[str, Any]
Spreads = Spread | SpreadOfGroups


def restored_model(document: Document, where: str, level: float | None) -> tuple[Portable, Spreads | None]:
    """The trained problem of a document, which messages call `where`, and what intervals with a share are made of.

    Raises UserError where the document does not say how to predict, is damaged, or refuses intervals.
    """
    with undamaged(where):
        return (_of_groups if document.get("schema") == GROUPS_SCHEMA else _of_run)(document, where, level)


def _of_run(document: Document, where: str, level: float | None) -> tuple[Portable, Spreads | None]:
    model = restored(document, where)
    if level is None:
        return model, None
    spread = _spread(document, model, level)
    if isinstance(spread, str):
        raise UserError(f"it has no intervals: {spread}", where=where)
    return model, spread


def _of_groups(document: Document, where: str, level: float | None) -> tuple[Portable, Spreads | None]:
    trials, column = document["trials"], document["group_by"]
    refusals = [_refusal(trial) for trial in trials]
    sound = next((trial for trial, refusal in zip(trials, refusals, strict=True) if refusal is None), None)
    if sound is None:
        raise UserError("no group has a fit to predict by", where=where, remedy="fit them again")
    model, spread = restored(sound, where), None
    if not all(trial[key] == sound[key] for trial in trials for key in _ALIKE):
        raise ValueError
    if level is not None:
        spreads = [_spread(trial, model, level) for trial in trials]
        if all(isinstance(each, str) for each in spreads):
            raise UserError(f"no group has intervals: {spreads[trials.index(sound)]}", where=where)
        spread = SpreadOfGroups.of([None if isinstance(each, str) else each for each in spreads])
        refusals = [was or _without(now) for was, now in zip(refusals, spreads, strict=True)]
    values = [trial["group"][column] for trial in trials]
    fresh = FreshGroups.of(model.fresh, column, values, refusals, document.get("planned", document["count"]))
    grouped = replace(model, names=fresh.names, predicting=OfGroups.of(model.predicting), fresh=fresh)
    return replace(grouped, values_Q=_values(trials, model)), spread


def _refusal(trial: Document) -> Refusal | None:
    """Why the fit of a group predicts nothing; None where it does."""
    if trial["verdict"]["status"] == "diverged":
        return "has a fit that diverged", _MEND
    finite = all(math.isfinite(float(param["value"])) for param in trial["params"].values())
    return None if finite else ("has a fit whose numbers are not finite", _MEND)


def _without(spread: Spread | str) -> Refusal | None:
    """The same of intervals."""
    return (f"has no intervals: {spread}", "leave --interval out, or its rows") if isinstance(spread, str) else None


def _values(trials: Sequence[Document], model: Portable) -> Tensor:
    """The parameters of each group (G, Q), as a run holds its own (Q,)."""
    rows = [[float(trial["params"][name]["value"]) for name in model.names.parameters] for trial in trials]
    return torch.tensor(rows, dtype=torch.float64).to(model.values_Q)


def _spread(document: Document, model: Portable, level: float) -> Spread | str:
    """What intervals of a fit are made of; where it has none, why."""
    if "uncertainty" not in document:
        return "the document tells no uncertainty"
    found = Spread.of(Uncertainty.of_document(document["uncertainty"]), model.loss, model.targets, level)
    if not isinstance(found, str) and found.factor_DF.shape[1] != len(model.free):
        raise ValueError
    return found
