"""Trials of a sweep as plain numbers: from what was trained, or from a document that was kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gdtrain.results import Trial, over_folds
from gdtrain.trials.outcome import Outcome


def trial_of(settings: Mapping[str, Any], outcome: Outcome) -> Trial:
    end, names = outcome.end, outcome.batch.plan.problem.parameters.names
    params = dict(zip(names, outcome.values_Q.tolist(), strict=True))
    document = partial(_document, outcome)
    held = outcome.held_out
    sd = None if held is None or not outcome.folds else over_folds(outcome.folds)["sd"]["loss"]["held_out"]
    return Trial(
        settings,
        outcome.status,
        end.epoch,
        outcome.kept.loss,
        end.first_loss,
        params,
        document,
        outcome.descended,
        held_out=held,
        held_out_sd=sd,
    )


def _document(outcome: Outcome) -> dict[str, Any]:
    """A trial's result document; how long it took says nothing where many went side by side."""
    document = outcome.result().to_dict()
    del document["timing"]
    return document


def kept_trial(settings: Mapping[str, Any], document: Mapping[str, Any], read: Callable[[], dict[str, Any]]) -> Trial:
    """A trial from its document."""
    loss = document["loss"]
    return Trial(
        settings,
        document["verdict"]["status"],
        document["epochs"],
        float(loss["final"]),
        float(loss["initial"]),
        {name: float(fields["value"]) for name, fields in document["params"].items()},
        read,
        held_out=None if "held_out" not in loss else float(loss["held_out"]),
        held_out_sd=None if "folds" not in document else float(document["folds"]["sd"]["loss"]["held_out"]),
    )
