"""Short forms, and experiments printed in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdtrain.errors import UserError
from gdtrain.experiment.dump import dump, quoted
from gdtrain.experiment.forms import FORMS, expand, json_schema, shorten
from gdtrain.experiment.load import load
from gdtrain.experiment.loader import parse
from gdtrain.experiment.tree import from_plain

from .texts import DATA, FIT, read

PAIRS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"solve": "x = 1"}, {"solve": ["x = 1"]}),
    ({"solve": ["x = 1", "y = 2"]}, {"solve": ["x = 1", "y = 2"]}),
    ({"regress": {"target": "y", "features": "*"}}, {"regress": {"target": ["y"], "features": ["*"]}}),
    ({"data": {"null_values": "NA"}}, {"data": {"null_values": ["NA"]}}),
    ({"model": {"hidden": 8}}, {"model": {"hidden": [8]}}),
    ({"loss": "huber"}, {"loss": {"name": "huber"}}),
    ({"loss": {"name": "huber", "delta": 2}}, {"loss": {"name": "huber", "delta": 2}}),
    ({"train": {"optimizer": "sgd"}}, {"train": {"optimizer": {"name": "sgd"}}}),
    ({"train": {"schedule": "cosine"}}, {"train": {"schedule": {"name": "cosine"}}}),
    ({"train": {"clip": 0.5}}, {"train": {"clip": {"norm": 0.5}}}),
    ({"train": {"clip": {"value": 0.5}}}, {"train": {"clip": {"value": 0.5}}}),
    ({"params": {"w": 0.5}}, {"params": {"w": {"start": {"value": 0.5}}}}),
    ({"params": {"w": {"start": 1, "min": 0}}}, {"params": {"w": {"start": {"value": 1}, "min": 0}}}),
    (
        {"params": {"w": {"start": {"uniform": [0, 1]}}}},
        {"params": {"w": {"start": {"uniform": [0, 1]}}}},
    ),
    ({"predict": [{"x": 5}]}, {"predict": {"points": [{"x": 5}]}}),
    ({"expect": "w = 2"}, {"expect": ["w = 2"]}),
    ({"predict": "data"}, {"predict": {"data": True}}),
    ({"predict": "new.csv"}, {"predict": {"path": "new.csv"}}),
    ({"predict": {"path": "data"}}, {"predict": {"path": "data"}}),
    ({"sweep": {"train.lr": [1, 2]}}, {"sweep": {"axes": {"train.lr": {"values": [1, 2]}}}}),
    ({"sweep": {"train.lr": {"range": [1, 2]}}}, {"sweep": {"axes": {"train.lr": {"range": [1, 2]}}}}),
    ({"sweep": {"a.b": [1], "zip": True}}, {"sweep": {"axes": {"a.b": {"values": [1]}}, "zip": True}}),
    ({"sweep": {"a.b": [1], "random": 9}}, {"sweep": {"axes": {"a.b": {"values": [1]}}, "random": 9}}),
]


@pytest.mark.parametrize(("short", "full"), PAIRS)
def test_expand_and_shorten(short: dict[str, Any], full: dict[str, Any]) -> None:
    assert expand(from_plain(short)).plain() == full
    assert expand(from_plain(full)).plain() == full
    assert shorten(full) == short


def test_an_expanded_value_keeps_its_place() -> None:
    tree, _ = parse("train:\n  optimizer: adam\n", "file", lined=True)
    assert expand(tree).find("train", "optimizer", "name").where == "file:2:14"
    assert expand(tree).key("train").where == "file:1:1"


EXPERIMENTS = [
    FIT,
    FIT + "params: {w: 0}\ntrain: {lr: 1e-5}\npredict: [{x: 5}, {x: -1e300}]\n",
    FIT + "loss: {name: huber, delta: 1.35}\ntrain: {optimizer: {name: rprop, etas: [0.4, 1.1]}}\n",
    FIT + 'name: "it\'s 12:30"\nstop: {patience: 3, min_delta: 0.1, grad_tol: 1e-3}\npredict: data\n',
    "fit: '`a: b` = w*`#c` + |w|'\ndata: {columns: {'a: b': [1], '#c': [2], 'no': [3]}}\n",
    "fit: y = w*x\ndata: {path: -x.csv, delimiter: ';', comment: '#', header: [x, y, 'on']}\npredict: data\n",
    "regress: {target: [y, z]}\n" + "data: {columns: {x: [1, 2], y: [2, 4], z: [0, 1]}}\n",
    "regress: {target: y, features: [x], intercept: false}\n" + DATA + "train: {lr: 0.1}\n",
    "solve: [x + y = 3, 'atan2(x, y) = 1']\nparams: {x: {start: 1, min: -1, max: 9}, y: {start: 2, fixed: true}}\n",
    "minimize: mean((x - a)^2)\n" + DATA + "params: {a: {start: {normal: [0, 2]}}}\n",
    FIT + "sweep: {params.w: [1, 2.5], train.optimizer: [sgd, {name: adam, eps: 1}], zip: true}\n",
    FIT + "sweep: {train.lr: {loguniform: [1e-3, 1]}, loss: {choice: [mse, mae]}, train.seed: 0..9, random: 20}\n",
    FIT + "sweep: {axes: {train.lr: 'geomspace:1:2:3', fit: 'y = w*x,y = w*x + b', train.epochs: 3}}\n",
    "minimize: -x^2\nname: yes-and-no\ntrain: {optimizer: adam, seed: 7, dtype: float32, device: cuda:1}\n",
]


@pytest.mark.parametrize("text", EXPERIMENTS)
def test_what_is_printed_loads_to_the_same(text: str) -> None:
    experiment = read(text)
    printed = dump(experiment)
    again = read(printed)
    assert again == experiment
    assert dump(again) == printed
    assert set(again.chosen) <= {"train.lr", "train.optimizer"}  # auto is chosen though it is written


def test_dump_says_every_default_in_short_forms() -> None:
    assert dump(read(FIT + "params: {w: 0.0}\nname: linear\n")) == (
        "name: linear\n"
        "fit: y = w*x\n"
        "data:\n"
        "  columns: {x: [1, 2, 3], y: [2, 4, 6]}\n"
        "  scale: none\n"
        "params:\n"
        "  w: 0\n"
        "loss: mse\n"
        "train:\n"
        "  optimizer: auto\n"
        "  lr: auto\n"
        "  epochs: 1000\n"
        "  seed: 0\n"
        "  engine: auto\n"
        "  dtype: float64\n"
        "  device: cpu\n"
    )


@given(st.text(max_size=20))
def test_any_text_reads_back(text: str) -> None:
    try:
        node, mistakes = parse(f"[{quoted(text)}]", "text")
    except UserError:
        # what no YAML file may hold as it is
        assert not text.isprintable()
        return
    assert (node.plain(), mistakes) == ([text], [])


numbers = st.floats(allow_nan=False, allow_infinity=False)
names = st.text("abcxyz é:#'\"[]{},-1", min_size=1, max_size=8)


@given(st.dictionaries(names, st.lists(numbers, min_size=2, max_size=2), min_size=2, max_size=4), st.data())
def test_any_regression_reads_back(columns: dict[str, list[float]], data: st.DataObject) -> None:
    target = data.draw(st.sampled_from(sorted(columns)))
    features = [name for name in columns if name != target]
    params = {name: data.draw(numbers) for name in features}
    experiment = load(
        {"regress": {"target": target, "features": features}, "data": {"columns": columns}, "params": params}
    )
    assert read(dump(experiment)) == experiment


AXES = "^(?!(axes|zip|random)$)"


def test_json_schema_admits_the_short_forms() -> None:
    schema = json_schema()
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["properties"]["loss"]["anyOf"] == [{"type": "string"}, {"$ref": "#/$defs/Loss"}]
    assert schema["$defs"]["Train"]["properties"]["optimizer"]["anyOf"][0] == {"type": "string"}
    assert schema["properties"]["params"]["additionalProperties"]["anyOf"][0] == {"type": "number"}
    assert schema["$defs"]["Param"]["properties"]["start"]["anyOf"][0] == {"type": "number"}
    assert schema["properties"]["solve"]["anyOf"][1]["type"] == "array"
    assert {"required": ["fit"]} in schema["oneOf"]
    assert {"$ref": "#/$defs/Axis"} in schema["properties"]["sweep"]["anyOf"][0]["patternProperties"][AXES]["anyOf"]
    assert schema["$defs"]["Axes"]["properties"]["axes"]["additionalProperties"]["anyOf"][0]["anyOf"][0] == {
        "type": "array",
        "minItems": 1,
    }
    assert len(FORMS) == 15  # each of them has its line above or in PAIRS


def test_json_schema_describes_every_key_and_knows_no_null() -> None:
    schema = json_schema()
    sections = [schema, *schema["$defs"].values()]
    keys = [key for section in sections for key in section["properties"].items()]
    assert all("description" in about or name == "name" for name, about in keys)
    assert "'null'" not in str(schema)
    assert schema["additionalProperties"] is False
