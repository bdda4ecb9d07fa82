"""Flags over a file."""

from __future__ import annotations

from typing import Any

import pytest

from gdtrain.errors import UserError
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import Override

from .texts import DATA, FIT, heads, marked, read, refusal

MOMENTUM = FIT + "train: {optimizer: {name: sgd, momentum: 0.9}, lr: 0.1}\n"

# A file, key=value settings, and the values that result.
SET: list[tuple[str, list[str], dict[str, Any]]] = [
    (FIT, ["train.lr=1e-3"], {"train.lr": 0.001}),
    (FIT, ["train.epochs=1e4", "train.epochs=5"], {"train.epochs": 5}),
    (FIT, ["train.optimizer=adam"], {"train.optimizer.name": "adam", "train.lr": 0.001}),
    (MOMENTUM, ["train.optimizer=adam"], {"train.optimizer.name": "adam", "train.optimizer.momentum": None}),
    (MOMENTUM, ["train.optimizer=sgd"], {"train.optimizer.momentum": 0.0}),
    (MOMENTUM, ["train.optimizer.nesterov=true"], {"train.optimizer.momentum": 0.9, "train.optimizer.nesterov": True}),
    (FIT + "train: {optimizer: sgd}\n", ["train.optimizer.momentum=0.9"], {"train.optimizer.momentum": 0.9}),
    (FIT, ["train.optimizer={name: rprop, etas: [0.1, 2]}"], {"train.optimizer.etas": [0.1, 2.0]}),
    (FIT, ["params.w.start={uniform: [2, 3]}"], {"params.w.start.uniform": [2.0, 3.0]}),
    (FIT, ["params.w.start.normal=[2, 3]"], {"params.w.start.normal": [2.0, 3.0]}),
    (
        FIT + "params: {w: {start: 1, max: 9}}\n",
        ["params.w.start=2"],
        {"params.w.start.value": 2.0, "params.w.max": 9.0},
    ),
    (FIT + "params: {w: 1}\n", ["params.w.start.uniform=[0, 1]"], {"params.w.start.value": None}),
    (FIT + "params: {w: 1}\n", ["params.w=7"], {"params.w.start.value": 7.0}),
    (FIT, ["fit=y = |w|*x + b"], {"fit": "y = |w|*x + b"}),
    (FIT, ["name=12:30"], {"name": "12:30"}),
    (FIT, ["loss=huber", "loss.delta=2"], {"loss.name": "huber", "loss.delta": 2.0}),
    (FIT, ["stop.patience=3"], {"stop.patience": 3}),
    (FIT, ["data.path=rows.csv"], {"data.path": "rows.csv", "data.columns": None}),
    (FIT, ["data.columns.x=[3, 2, 1]"], {"data.columns.x": [3.0, 2.0, 1.0]}),
    (FIT, ["predict=[{x: 1}]"], {"predict.points": [{"x": 1.0}]}),
    (FIT + "predict: [{x: 1}]\n", ["predict=data"], {"predict.points": None, "predict.data": True}),
    ("regress: {target: y}\n" + DATA, ["regress.features=x", "regress.intercept=false"], {"regress.features": ["x"]}),
    ("solve: x = 1\n", ["solve=[x = 1, y = 2]"], {"solve": ["x = 1", "y = 2"]}),
    ("solve: x = 1\n", ["solve=|x| = 2"], {"solve": ["|x| = 2"]}),
]


@pytest.mark.parametrize(("text", "settings", "values"), SET, ids=[" ".join(settings) for _, settings, _ in SET])
def test_set(text: str, settings: list[str], values: dict[str, Any]) -> None:
    plain = read(text, *map(Override.setting, settings)).model_dump()
    for dotted, value in values.items():
        found: Any = plain
        for key in dotted.split("."):
            found = found[key]
        assert found == value
        assert type(found) is type(value)


def test_a_comma_list_is_a_list_where_one_is_due() -> None:
    text = "regress: {target: y}\ndata: {columns: {a b: [1], x: [1], y: [2], z: [1]}}\n"
    override = Override.of("regress.features", "a b, x", "--features")
    experiment = read(text, override)
    assert experiment.regress is not None
    assert experiment.regress.features == ["a b", "x"]
    misspelt = refusal(text, Override.of("regress.features", "x,qq", "--features"))
    assert heads(misspelt) == ["--features: there is no column qq; the columns are a b, x, y, z"]
    assert marked(misspelt) == "qq"


def test_names_may_have_dots() -> None:
    text = "regress: {target: [y, v]}\ndata: {columns: {a.b: [1], y: [2], v: [3]}}\n"
    experiment = read(text, Override.setting("params.y.a.b.start=1"), Override.setting("params.v.a.b=2"))
    assert experiment.param("y.a.b").start == experiment.params["y.a.b"].start
    assert [experiment.params[name].start.value for name in ("y.a.b", "v.a.b")] == [1.0, 2.0]  # type: ignore[union-attr]


def test_plain_values_need_no_text() -> None:
    experiment = read(FIT, Override("train.lr", 0.5, "lr"), Override("params.w.start", 2, "start"))
    assert (experiment.train.lr, experiment.param("w").start.value) == (0.5, 2.0)  # type: ignore[union-attr]


# A flag, its key, its text, what is said.
REFUSED = [
    ("--lr", "train.lr", "abc", "--lr: lr must be a positive number or auto, not the text 'abc'"),
    ("--lr", "train.lr", "-1", "--lr: lr must be a positive number or auto, not -1"),
    ("--lr", "train.lr", "1e-3,1e-2", "--lr: several values are a sweep; run gdtrain sweep --lr 1e-3,1e-2"),
    ("--set", "train.lr", "1,2", "--set: several values are a sweep; run gdtrain sweep --set train.lr=1,2"),
    ("--lr", "train.lr", "", "--lr: nothing is written here; write key: value"),
    ("--epochs", "train.epochs", "1.5", "--epochs: epochs must be a whole number, not 1.5"),
    ("--seed", "train.seed", "1:30", "--seed: 1:30 is a time, or a number to base 60; write a plain number"),
    ("--optimizer", "train.optimizer", "adaam", "--optimizer: optimizer must be sgd, adam"),
    ("--start", "params.v.start", "1", "--start: fit has no parameter v; the parameters are w"),
    ("--loss", "loss", "[", "--loss: a value is missing here; write one, or put text with brackets in quotes"),
    ("--set", "train.lrr", "1", "--set: lrr is not a key of train; did you mean lr?"),
    ("--set", "a..b", "1", "--set: 'a..b' is no key; write it like train.lr"),
    ("--set", "", "1", "--set: '' is no key; write it like train.lr"),
    ("--set", "lr", "1", "--set: lr is not a key of an experiment; lr belongs under train"),
    ("--set", "solve", "x = 1", "--set: fit and solve are two problems; write one experiment a file"),
    ("--set", "fit", "y = w*", "--set: the formula breaks off after *"),
]


@pytest.mark.parametrize(
    ("flag", "key", "text", "message"), REFUSED, ids=[f"{key}={text}" for _, key, text, _ in REFUSED]
)
def test_an_error_names_the_flag(flag: str, key: str, text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(FIT, Override.of(key, text, flag))
    assert heads(str(caught.value))[0].startswith(message)


@pytest.mark.parametrize("text", ["x", "=1", ""])
def test_a_setting_needs_a_key_and_a_value(text: str) -> None:
    with pytest.raises(UserError, match=r"a key and a value are due; write --set train\.lr=0\.1"):
        Override.setting(text)


def test_mistakes_of_the_file_are_told_beside_those_of_flags() -> None:
    said = heads(refusal(FIT + "train: {epochs: 1.5}\n", Override.of("train.lr", "0", "--lr")))
    assert [line.split(" ")[0] for line in said] == ["stdin:3:17:", "--lr:"]


def test_a_flag_mends_what_the_file_has_wrong() -> None:
    assert read(FIT + "train: {epochs: 1.5}\n", Override.of("train.epochs", "2", "--epochs")).train.epochs == 2


def test_a_mapping_of_values() -> None:
    experiment = load({"solve": "x = 1"}, [Override.of("train.lr", "1", "--lr")])
    assert experiment.train.lr == 1.0
