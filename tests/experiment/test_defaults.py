"""What is chosen for the user, and that it is told."""

from __future__ import annotations

from typing import Any

import pytest

from .texts import DATA, FIT, read

TRAIN = ("train.optimizer", "train.lr", "train.epochs", "train.seed")
REGRESS = "regress: {target: y}\n" + DATA

# A file, values that it gets, and the dotted keys that were chosen.
CHOSEN: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    (
        "solve: x = 3\n",
        {"loss.name": "half_sse", "train.lr": "auto", "train.epochs": 1000, "train.seed": 0},
        ("loss", *TRAIN, "params.x.start"),
    ),
    (FIT, {"loss.name": "mse", "data.scale": "none"}, ("loss", *TRAIN, "params.w.start")),
    (
        REGRESS,
        {"loss.name": "mse", "data.scale": "standard", "train.lr": "auto"},
        ("loss", "data.scale", *TRAIN, "params.x.start", "params.intercept.start"),
    ),
    (
        REGRESS + "train: {lr: 0.1}\n",
        {"data.scale": "none", "train.lr": 0.1},
        ("loss", "train.optimizer", "train.epochs", "train.seed", "params.x.start", "params.intercept.start"),
    ),
    (
        REGRESS + "train: {lr: auto}\n",
        {"data.scale": "standard", "train.lr": "auto"},
        ("loss", "data.scale", *TRAIN, "params.x.start", "params.intercept.start"),
    ),
    (
        REGRESS.replace("}}", "}, scale: none}") + "loss: mse\nparams: {x: 1, intercept: 2}\n",
        {"data.scale": "none", "train.lr": "auto"},
        TRAIN,
    ),
    ("minimize: x^2\n", {"loss": None}, (*TRAIN, "params.x.start")),
    ("minimize: x^2\nparams: {x: {min: -1}}\n", {"params": {"x": "uniform"}}, (*TRAIN, "params.x.start")),
    (FIT + "loss: quantile\n", {"loss.q": 0.5}, ("loss.q", *TRAIN, "params.w.start")),
    (FIT + "loss: logistic\n", {"loss.name": "logistic"}, (*TRAIN, "params.w.start")),
    (FIT + "loss: huber\n", {"loss.delta": 1.0}, ("loss.delta", *TRAIN, "params.w.start")),
    (
        FIT + "loss: mae\nparams: {w: 0}\ntrain: {optimizer: sgd, lr: 1, epochs: 2, seed: 3}\n",
        {"loss.name": "mae"},
        (),
    ),
]


@pytest.mark.parametrize(("text", "values", "chosen"), CHOSEN, ids=[text[:20] for text, *_ in CHOSEN])
def test_chosen(text: str, values: dict[str, Any], chosen: tuple[str, ...]) -> None:
    experiment = read(text)
    plain = experiment.model_dump()
    for dotted, value in values.items():
        found = plain
        for key in dotted.split("."):
            found = found[key]
        if dotted == "params":
            assert all(found[name]["start"][kind] is not None for name, kind in value.items())
        else:
            assert found == value
    assert experiment.chosen == chosen


@pytest.mark.parametrize(
    ("optimizer", "lr"),
    [
        ("sgd", "auto"),
        ("{name: sgd, momentum: 0.9}", "auto"),
        ("adam", 1e-3),
        ("adamw", 1e-3),
        ("nadam", 2e-3),
        ("radam", 1e-3),
        ("rmsprop", 1e-2),
        ("adagrad", 1e-2),
        ("rprop", 1e-2),
    ],
)
@pytest.mark.parametrize("auto", ["", ", lr: auto"])
def test_lr(optimizer: str, lr: float | str, auto: str) -> None:
    experiment = read(FIT + f"train: {{optimizer: {optimizer}{auto}}}\n")
    assert experiment.train.lr == lr
    assert "train.lr" in experiment.chosen


def test_starts_of_unread_columns_are_left_open() -> None:
    experiment = read("fit: y = a*x + b\ndata: {path: x.csv}\nparams: {a: {min: 0}}\n")
    assert list(experiment.params) == ["a"]
    assert experiment.params["a"].start == experiment.param("b").start
    settled = experiment.with_starts(["a", "b"])
    assert list(settled.params) == ["a", "b"]
    assert settled.chosen == (*experiment.chosen, "params.b.start")
