"""What `optimizer: auto` stands for, by problem, and that whatever belongs to gradient steps keeps sgd."""

from __future__ import annotations

from typing import Any

import pytest

from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import AxisFlag
from gdtrain.experiment.sweep import load_sweep
from gdtrain.sweeps.sweeping import sweep
from gdtrain.train import train

POINTS = {"columns": {"x": [1.0, 2.0, 3.0, 4.0], "y": [2.1, 1.2, 0.8, 0.4]}}
COUNTS = {"columns": {"x": [1.0, 2.0, 3.0, 4.0], "y": [0, 1, 0, 1]}}
LINE = {"fit": "y = w*x + b", "data": POINTS}
CURVE = {"fit": "y = a*exp(-b*x)", "data": POINTS}
REGRESS = {"regress": {"target": "y"}, "data": COUNTS}
# x from 1000.1 to 1000.4 beside a constant: the condition number is about 1e14.
NEARLY = {"fit": "y = w*x + b", "data": {"columns": {**POINTS["columns"], "x": [1000.1, 1000.2, 1000.3, 1000.4]}}}

TAKEN: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("a line", LINE, {}, "sgd"),
    ("a line in a loop", LINE, {"engine": "loop"}, "sgd"),
    ("few epochs", LINE, {"epochs": 20}, "sgd"),
    ("regress", REGRESS, {}, "sgd"),
    ("an equation", {"solve": "x + 1 = 3"}, {}, "sgd"),
    ("columns that nearly depend", NEARLY, {}, "lm"),
    ("bounds", {**LINE, "params": {"b": {"min": 5}}}, {}, "lm"),
    ("a curve", CURVE, {}, "lm"),
    ("a root", {"solve": "x^2 = 2"}, {}, "lm"),
    ("logistic", {**REGRESS, "loss": "logistic", "penalty": {"l2": 0.1}}, {}, "lbfgs"),
    ("huber", {**CURVE, "loss": "huber"}, {}, "lbfgs"),
    ("an expression", {"minimize": "(x - 1)^2"}, {}, "lbfgs"),
    ("a kink", {**LINE, "loss": "mae"}, {}, "lbfgs"),
    ("an lr", CURVE, {"lr": 0.01}, "sgd"),
    ("a schedule", CURVE, {"schedule": "cosine"}, "sgd"),
    ("mini-batches", CURVE, {"batch_size": 2}, "sgd"),
    ("a clip", CURVE, {"clip": 1.0}, "sgd"),
    ("momentum", CURVE, {"optimizer": {"momentum": 0.9}}, "sgd"),
    ("l1", {**LINE, "penalty": {"l1": 0.1}}, {}, "sgd"),
    ("auto by name", CURVE, {"optimizer": "auto"}, "lm"),
    ("auto by name with an lr", CURVE, {"optimizer": "auto", "lr": 0.01}, "sgd"),
    ("another by name", CURVE, {"optimizer": "adam"}, "adam"),
]


@pytest.mark.parametrize(("source", "keys", "taken"), [case[1:] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_taken(source: dict[str, Any], keys: dict[str, Any], taken: str) -> None:
    document = train(load({**source, "train": keys})).to_dict()["train"]
    assert document["optimizer"]["name"] == taken
    named = isinstance(keys.get("optimizer"), dict | str) and keys["optimizer"] != "auto"
    assert ("train.optimizer" in document["chosen"]) == (not named or "momentum" in str(keys))
    assert ("lr" in document) == (taken not in ("lm", "lbfgs"))
    assert ("train.lr" in document["chosen"]) == ("lr" in document and "lr" not in keys)


@pytest.mark.parametrize("source", [LINE, NEARLY, CURVE, REGRESS, {"minimize": "(x - 1)^2 + x^4"}])
def test_what_is_chosen_converges(source: dict[str, Any]) -> None:
    assert train(load(source)).verdict.status == "converged"


def test_trials_of_which_some_have_an_l1_go_by_sgd() -> None:
    axes = [AxisFlag.of_values("penalty.l1", [0.0, 0.1], "--set")]
    found = sweep(load_sweep({**LINE, "train": {"optimizer": "auto"}}, axes=axes)).trials
    assert {trial.document()["train"]["optimizer"]["name"] for trial in found} == {"sgd"}


def test_a_trial_is_decided_as_it_is_alone() -> None:
    axes = [AxisFlag.of_values("params.b.start", [0.1, 1.0], "--set")]
    for b, trial in zip((0.1, 1.0), sweep(load_sweep({**CURVE, "params": {"a": 1.0}}, axes=axes)).trials, strict=True):
        alone = train(load({**CURVE, "params": {"a": 1.0, "b": b}}))
        assert trial.document()["train"]["optimizer"] == alone.train["optimizer"]
        assert trial.params == alone.params
