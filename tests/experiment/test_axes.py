"""The values of one axis: what texts, files and Python say, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gdtrain.errors import UserError
from gdtrain.experiment.axes import SPREADS, Axis
from gdtrain.experiment.overrides import AxisFlag, Override

from .texts import FIT, refusal

# A key, the text of a flag, and the axis that it says.
TEXTS: list[tuple[str, str, dict[str, Any]]] = [
    ("train.lr", "1e-3,1e-2", {"values": [0.001, 0.01]}),
    ("train.lr", " 1e-3 , auto", {"values": [0.001, "auto"]}),
    ("train.lr", "0.1", {"values": [0.1]}),
    ("train.lr", "[1, 2]", {"values": [1, 2]}),
    ("train.lr", "[1, 2],3", {"values": [[1, 2], 3]}),
    ("train.lr", "geomspace:1e-4:1:13", {"geomspace": [1e-4, 1, 13]}),
    ("train.lr", "linspace:0:1:5", {"linspace": [0, 1, 5]}),
    ("train.lr", "uniform:0:1", {"uniform": [0, 1]}),
    ("train.lr", "loguniform:1e-4:1", {"loguniform": [1e-4, 1]}),
    ("train.lr", "{choice: [1, 2]}", {"choice": [1, 2]}),
    ("train.seed", "0..9", {"range": [0, 9]}),
    ("train.seed", "3..-3", {"range": [3, -3]}),
    ("train.seed", "0..2,7,linspace:8:9:2", {"values": [0, 1, 2, 7, 8.0, 9.0]}),
    ("train.optimizer", "sgd,{name: sgd, momentum: 0.9}", {"values": ["sgd", {"name": "sgd", "momentum": 0.9}]}),
    ("train.optimizer", "{name: sgd, momentum: 0.9}", {"values": [{"name": "sgd", "momentum": 0.9}]}),
    ("train.optimizer.betas", "[0.9, 0.99]", {"values": [[0.9, 0.99]]}),
    ("train.optimizer.betas", "[0.9, 0.99],[0, 0]", {"values": [[0.9, 0.99], [0, 0]]}),
    ("train.optimizer.nesterov", "true,false", {"values": [True, False]}),
    ("params.w.start", "0,{uniform: [0, 1]}", {"values": [0, {"uniform": [0, 1]}]}),
    ("params.w.start", "{uniform: [0, 1]}", {"uniform": [0, 1]}),
    ("fit", "y = w*x,y = min(w, 1)*x", {"values": ["y = w*x", "y = min(w, 1)*x"]}),
    ("fit", "'y = w*x',\"y = w*x + b\"", {"values": ["y = w*x", "y = w*x + b"]}),
    ("fit", "y = w*`a,b`", {"values": ["y = w*`a,b`"]}),
    ("solve", "[x = 1, y = 2]", {"values": [["x = 1", "y = 2"]]}),
    ("solve", "x = 1,x = 2", {"values": ["x = 1", "x = 2"]}),
    ("data.path", "0..9", {"values": ["0..9"]}),
    ("data.delimiter", ",", {"values": [","]}),
    ("regress.features", "income,price", {"values": [["income", "price"]]}),
    ("regress.features", "[income],[income,price]", {"values": [["income"], ["income", "price"]]}),
]


@pytest.mark.parametrize(("key", "text", "axis"), TEXTS, ids=[f"{key}={text}" for key, text, _ in TEXTS])
def test_texts(key: str, text: str, axis: dict[str, Any]) -> None:
    flag = AxisFlag.of(key, text, "--set")
    assert flag.node.plain() == axis
    one = len(axis.get("values", ())) == 1
    assert (flag.plain.node.plain() if flag.plain else None) == (axis["values"][0] if one else None)


def test_a_flag_again_is_a_comma() -> None:
    assert AxisFlag.of("train.lr", ["1", "2,3"], "--lr").node.plain() == {"values": [1, 2, 3]}
    texts = ["train.lr=1", "regress.features=a,b", "train.lr=2", "regress.features=a"]
    flags = AxisFlag.settings(texts)
    assert [(flag.key, flag.node.plain()) for flag in flags] == [
        ("train.lr", {"values": [1, 2]}),
        ("regress.features", {"values": [["a", "b"], ["a"]]}),
    ]


# A key, a value of Python, the axis that it says, and whether it is a plain value.
PLAIN: list[tuple[str, object, dict[str, Any], bool]] = [
    ("train.lr", [0.1, 0.2], {"values": [0.1, 0.2]}, False),
    ("train.lr", [0.1], {"values": [0.1]}, False),
    ("train.lr", np.array([0.1, 0.2]), {"values": [0.1, 0.2]}, False),
    ("train.lr", 0.1, {"values": [0.1]}, True),
    ("train.lr", np.float64(0.1), {"values": [0.1]}, True),
    ("train.lr", "0.1,0.2", {"values": [0.1, 0.2]}, False),
    ("train.lr", {"geomspace": (1, 10, 2)}, {"geomspace": [1, 10, 2]}, False),
    ("train.seed", range(3), {"values": [0, 1, 2]}, False),
    ("train.optimizer", {"name": "sgd"}, {"values": [{"name": "sgd"}]}, True),
    ("regress.features", ["a", "b"], {"values": [["a", "b"]]}, True),
    ("regress.features", [["a"], ["a", "b"]], {"values": [["a"], ["a", "b"]]}, False),
    ("regress.features", [["a"]], {"values": [["a"]]}, False),
]


@pytest.mark.parametrize(("key", "values", "axis", "plain"), PLAIN, ids=[f"{key} {v}" for key, v, *_ in PLAIN])
def test_values_of_python(key: str, values: object, axis: dict[str, Any], plain: bool) -> None:
    flag = AxisFlag.of_values(key, values, key)
    assert flag.node.plain() == axis
    assert (flag.plain is not None) == plain


# A flag's text, and what is said about it.
REFUSED = [
    ("", "--lr: there are no values here; write one, or several with commas between them"),
    ("[]", "--lr: there are no values here; write one, or several with commas between them\n  []\n  ^^"),
    ("1,,2", "--lr: a value is missing here; write one, or take the comma out\n  1,,2\n    ^"),
    ("1,2,", "--lr: a value is missing here; write one, or take the comma out\n  1,2,\n      ^"),
    ("1,012", "--lr: 012 has a leading zero; write 12, or put it in quotes if it is text\n  1,012\n    ^^^"),
    ("1, [2", "--lr: a bracket is not closed; close it, or put text with brackets in quotes\n  1, [2\n       ^"),
    ("uniform:1:2,5", "--lr: uniform stands alone; draw from it, or list values\n  uniform:1:2,5\n  ^^^^^^^^^^^"),
    ("5,a..b", "--lr: range takes numbers; as in 0..9\n  5,a..b\n    ^^^^"),
    (
        "geomspace:1:2",
        "--lr: geomspace takes two ends and a count; as in geomspace:1e-4:1:13\n  geomspace:1:2\n  ^^^^^^^^^^^^^",
    ),
    (
        "5,geomspace:1:2",
        "--lr: geomspace takes two ends and a count; as in geomspace:1e-4:1:13\n  5,geomspace:1:2\n    ^^^^^^^^^^^^^",
    ),
    ("uniform:1", "--lr: uniform takes two ends; as in uniform:0:1\n  uniform:1\n  ^^^^^^^^^"),
    ("0..", "--lr: a number of range is missing; as in 0..9\n  0..\n  ^^^"),
    (
        "5,0..0.5",
        "--lr: the ends of a range must be whole numbers; linspace takes any: as in linspace:0.5:3:6\n"
        "  5,0..0.5\n    ^^^^^^",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[text for text, _ in REFUSED])
def test_texts_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        AxisFlag.of("train.lr", text, "--lr")
    assert str(caught.value) == message


# A section of a file, and what is said about it.
SECTIONS = [
    ("{a: {geomspace: [0, 1, 3]}}", "the ends of geomspace must be of one sign, and not zero; linspace takes any"),
    ("{a: {geomspace: [-1, 1, 3]}}", "the ends of geomspace must be of one sign, and not zero; linspace takes any"),
    ("{a: {geomspace: [1, 2]}}", "geomspace takes two ends and a count; as in geomspace: [1e-4, 1, 13]"),
    ("{a: {linspace: [1, 2, 0]}}", "the count must be a whole number of 1 or more, not 0"),
    ("{a: {linspace: [1, 2, 2.5]}}", "the count must be a whole number of 1 or more, not 2.5"),
    ("{a: {linspace: [1, 2, 1e7]}}", "these are 10,000,000 values, and a sweep has at most 1,000,000 points"),
    ("{a: {range: [0, 1e6]}}", "these are 1,000,001 values, and a sweep has at most 1,000,000 points"),
    ("{a: {range: [0, 1.5]}}", "the ends of a range must be whole numbers; linspace takes any: as in linspace:0.5:3:6"),
    ("{a: {range: [0, b]}}", "range must be a number, not the text 'b'"),
    ("{a: {range: 3}}", "range must be a list, not 3"),
    ("{a: {uniform: [2, 1]}}", "uniform must be the lower, then the upper end"),
    ("{a: {loguniform: [0, 1]}}", "loguniform must be the lower, then the upper end, both above 0"),
    ("{a: []}", "there are no values here; write some: [1e-3, 1e-2]"),
    ("{a: {choice: []}}", "there are no values here; write some: [1e-3, 1e-2]"),
    ("{a: {values: [1], range: [1, 2]}}", "values and range exclude each other; write one of them"),
    (
        "{a: {}}",
        "a says nothing; write one of values, geomspace, linspace, range, uniform, loguniform, choice",
    ),
    ("{a: {linspac: [1]}}", "linspac is not a key of sweep.a; did you mean linspace?"),
    ("{train: {lr: [1]}}", "lr is not a key of sweep.train; write a list of values, or train.lr: [...]"),
    ("{axes: {a: [1]}, zap: true}", "zap is not a key of sweep; did you mean zip?"),
    ("{zip: true, random: 3}", "random draws points, zip pairs values; leave one of them out"),
    ("{a: [1], random: 0}", "random must be 1 or more, not 0"),
    ("{a: [1], random: 1.5}", "random must be a whole number, not 1.5"),
    ("{a: [1], zip: 1}", "zip must be true or false, not 1"),
    ("{}", "sweep says nothing; write a key and its values: train.lr: [1e-3, 1e-2]"),
    ("3", "sweep must hold key: value, not 3"),
]


@pytest.mark.parametrize(("section", "message"), SECTIONS, ids=[section for section, _ in SECTIONS])
def test_sections_that_are_refused(section: str, message: str) -> None:
    head, line, _ = refusal(FIT + f"sweep: {section}\n").splitlines()
    assert head.startswith("stdin:3:")
    assert head.split(": ", 1)[1] == message
    assert line == f"  sweep: {section}"


# Its numbers, and the values of a spread.
SPREAD: list[tuple[str, list[float], list[float]]] = [
    ("range", [0, 3], [0, 1, 2, 3]),
    ("range", [3, 0], [3, 2, 1, 0]),
    ("range", [2**60, 2**60 + 1], [2**60, 2**60 + 1]),  # seeds beyond the whole numbers of float64
    ("linspace", [0, 1, 5], [0, 0.25, 0.5, 0.75, 1]),
    ("linspace", [7, 9, 1], [7]),
    ("geomspace", [1, 1000, 4], [1, 10, 100, 1000]),
    ("geomspace", [-1, -4, 3], [-1, -2, -4]),
]


@pytest.mark.parametrize(("name", "numbers", "values"), SPREAD)
def test_spreads(name: str, numbers: list[float], values: list[float]) -> None:
    found = Axis.model_validate({name: numbers}).listed()
    assert found is not None
    assert found == pytest.approx(values, rel=1e-15)
    assert (found[0], found[-1]) == (values[0], values[-1])  # ends are exact
    assert name != "range" or all(type(value) is int for value in found)


def test_drawn_numbers_lie_between_the_ends() -> None:
    generator = np.random.default_rng(0)
    for name, low, high in (("uniform", -2.0, 3.0), ("loguniform", 1e-6, 1.0), ("uniform", -1.5e308, 1.5e308)):
        draw = SPREADS[name].draw
        assert draw is not None
        drawn = np.array([draw([low, high], generator) for _ in range(4000)])
        assert ((low <= drawn) & (drawn <= high)).all()
        # Half of 4,000 lie in each half of the (log) range, within five standard deviations of 32.
        middle = np.sqrt(low * high) if name == "loguniform" else (low + high) / 2
        assert abs((drawn < middle).sum() - 2000) < 160


@pytest.mark.parametrize("text", ["1,2", "0..9", "geomspace:1e-4:1:13", "uniform:0:1"])
def test_several_values_under_run_name_sweep(text: str) -> None:
    with pytest.raises(UserError) as caught:
        Override.of("train.lr", text, "--lr")
    head, *_ = str(caught.value).splitlines()
    assert head == f"--lr: several values are a sweep; run gdtrain sweep --lr {text}"
