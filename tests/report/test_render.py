"""Results as plain text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdtrain.errors import cells, printable
from gdtrain.report.render import FORMATS, TEXTS, render
from gdtrain.results import Equation, Prediction, Result
from tests.outcomes import HOSTILE_NAMES, outcome

WHOLE = outcome(
    {"w": [0.0, 1.0, 1.5]},
    equations=[Equation("x + 1 = 3", 2.0, 3.0)],
    predictions=[Prediction({"x": 5.0}, 0.0, 7.5)],
)


def test_plain() -> None:
    assert render(WHOLE, "plain") == (
        "line: fit y = w*x\n"
        "epoch      loss        w\n"
        "    0   4.00000        0\n"
        "    1   1.00000  1.00000\n"
        "    2  0.250000  1.50000\n"
        "\n"
        "put back into the equation\n"
        " equation     left    right  residual\n"
        "x + 1 = 3  2.00000  3.00000  -1.00000\n"
        "\n"
        "predictions\n"
        "x  before    after\n"
        "5       0  7.50000\n"
        "\n"
        "max_epochs after 2 epochs: loss still falling 75 % per epoch\n"
        "loss (mse) 4 -> 0.25; w = 1.5\n"
        "sgd, lr 0.1, engine loop (every epoch is walked)\n"
    )


def test_markdown() -> None:
    assert render(WHOLE, "md") == (
        "### line: fit y = w\\*x\n"
        "\n"
        "| epoch | loss | w |\n"
        "| ---: | ---: | ---: |\n"
        "| 0 | 4.00000 | 0 |\n"
        "| 1 | 1.00000 | 1.00000 |\n"
        "| 2 | 0.250000 | 1.50000 |\n"
        "\n"
        "### put back into the equation\n"
        "\n"
        "| equation | left | right | residual |\n"
        "| ---: | ---: | ---: | ---: |\n"
        "| x + 1 = 3 | 2.00000 | 3.00000 | -1.00000 |\n"
        "\n"
        "### predictions\n"
        "\n"
        "| x | before | after |\n"
        "| ---: | ---: | ---: |\n"
        "| 5 | 0 | 7.50000 |\n"
        "\n"
        "max\\_epochs after 2 epochs: loss still falling 75 % per epoch  \n"
        "loss (mse) 4 -\\> 0.25; w = 1.5  \n"
        "sgd, lr 0.1, engine loop (every epoch is walked)\n"
    )


def test_csv_is_the_history() -> None:
    assert render(WHOLE, "csv") == "epoch,loss,w\n0,4.0,0.0\n1,1.0,1.0\n2,0.25,1.5\n"


def test_csv_with_gradients_and_names_of_its_own() -> None:
    result = outcome({"loss": [1.0, 2.0], "a,b": [3.0, 4.0]}, gradients={"loss": [5.0, 6.0], "a,b": [7.0, 8.0]})
    assert render(result, "csv").splitlines() == [
        'epoch,loss,params.loss,"a,b",gradient.params.loss,"gradient.a,b"',
        "0,4.0,1.0,3.0,5.0,7.0",
        "1,1.0,2.0,4.0,6.0,8.0",
    ]


def test_csv_holds_every_recorded_epoch_unless_told() -> None:
    long = {"w": [float(k) for k in range(501)]}
    assert len(render(outcome(long, [1.0] * 501), "csv").splitlines()) == 502
    epochs = [line.partition(",")[0] for line in render(outcome(long, [1.0] * 501, every=200), "csv").splitlines()]
    assert epochs == ["epoch", "0", "200", "400", "500"]


def test_json_is_the_document() -> None:
    assert json.loads(render(WHOLE, "json")) == WHOLE.to_dict()


def test_a_compact_document_is_one_line() -> None:
    text = render(WHOLE, "json", compact=True)
    assert text.count("\n") == 1 and text.endswith("\n")
    assert json.loads(text) == WHOLE.to_dict()


def test_every_format_but_the_table_is_rendered_here() -> None:
    assert {"table", "json", *TEXTS} == set(FORMATS)


@given(st.lists(st.floats(), min_size=2, max_size=5))
def test_csv_and_json_keep_every_bit(values: list[float]) -> None:
    result = outcome({"w": values}, [1.0] * len(values))
    rows = list(csv.DictReader(io.StringIO(render(result, "csv"))))
    history = json.loads(render(result, "json"))["history"]
    for value, row, entry in zip(values, rows, history, strict=True):
        for text in (row["w"], entry["params"]["w"]):
            assert repr(float(text)) == repr(value)


def test_numbers_that_are_none() -> None:
    result = outcome({"w": [0.0, math.inf]}, [1.0, math.nan])
    assert render(result, "csv").splitlines()[-1] == "1,nan,inf"
    assert render(result, "plain").splitlines()[3].split() == ["1", "nan", "inf"]


# Names


def named(name: str) -> Result:
    return outcome(
        {name: [0.0, 1.0], "b": [0.0, 2.0]},
        name="n",
        equations=[Equation(f"{name} = 1", 1.0, 1.0)],
        predictions=[Prediction({name: 1.0}, 1.0, 1.0)],
    )


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("style", ["plain", "md"])
def test_names_tear_no_line(name: str, style: str) -> None:
    text = render(named(name), style)
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text.splitlines()) == len(render(named("w"), style).splitlines())


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_stand_in_plain_text_as_they_are(name: str) -> None:
    header = render(named(name), "plain").splitlines()[1]
    assert header.split()[2 : 2 + len(name.split(" "))] == printable(name).split(" ")


def test_plain_columns_line_up_by_cells() -> None:
    """Wide characters take two cells, combining ones none."""
    for name in ("温度", "e\u0301", "x"):
        lines = render(named(name), "plain").splitlines()[1:4]
        assert len({cells(line) for line in lines}) == 1


def unescape(text: str) -> str:
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def fields(line: str) -> list[str]:
    """The cells of a Markdown table's line, as a reader shows them."""
    found, current, escaped = [], "", False
    for character in line:
        if character == "|" and not escaped:
            found.append(unescape(current.strip()))
            current = ""
        else:
            current += character
        escaped = character == "\\" and not escaped
    return found[1:]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_stand_in_markdown_as_they_are(name: str) -> None:
    lines = render(named(name), "md").splitlines()
    assert fields(lines[2]) == ["epoch", "loss", printable(name), "b"]
    assert {len(fields(line)) for line in lines[2:6]} == {4}


# What Markdown or HTML would make of a text that is not escaped: emphasis, code, a link, a tag, an entity.
MARKUP = ["*a*", "_a_", "`a`", "[a](b)", "<b>", "&lt;", "~~a~~", "![a](b)"]


@pytest.mark.parametrize("name", MARKUP)
def test_markdown_of_names_is_escaped(name: str) -> None:
    header = render(named(name), "md").splitlines()[2]
    for sign in set(name) & set("*_`[<&~"):
        assert not re.search(rf"(?<!\\){re.escape(sign)}", header), header


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_stand_in_csv_and_json_as_they_are(name: str) -> None:
    (header, *rows) = csv.reader(io.StringIO(render(named(name), "csv"), newline=""))
    assert header == ["epoch", "loss", name, "b"]
    assert len(rows) == 2
    assert [*json.loads(render(named(name), "json"))["params"]] == [name, "b"]
