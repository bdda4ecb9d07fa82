"""Results as tables on terminals of any width, and in pipes."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gdtrain.errors import cells, printable
from gdtrain.report.parts import Outcome
from gdtrain.report.sections import PREDICTIONS
from gdtrain.report.tables import show
from gdtrain.results import Equation, Prediction, Result
from tests.outcomes import HOSTILE_NAMES, outcome

ESCAPE = re.compile(r"\x1b\[[\d;]*m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(result: Outcome, width: int, *, terminal: bool = False, colour: bool = False) -> str:
    """What is printed. Without `colour`, as on a terminal that has none."""
    file = Terminal() if terminal else io.StringIO()
    system = "truecolor" if colour else None
    show(result, Console(file=file, width=width, color_system=system, highlight=False, markup=False, emoji=False))  # type: ignore[arg-type]
    return file.getvalue()


def wide(names: int) -> Result:
    values = {f"a_long_name_{i}": [1 / 3, float(i)] for i in range(names)}
    inputs = dict.fromkeys(values, 1 / 3)
    return outcome(values, predictions=[Prediction(inputs, 1 / 3, 2 / 3)] * (PREDICTIONS + 1), gradients=values)


def test_a_table() -> None:
    assert shown(outcome({"w": [0.0, 1.5]}, equations=[Equation("w = 2", 1.5, 2.0)]), 80) == (
        "line: fit y = w*x\n"
        "╭───────┬─────────┬─────────╮\n"
        "│ epoch │    loss │       w │\n"
        "├───────┼─────────┼─────────┤\n"
        "│     0 │ 4.00000 │       0 │\n"
        "│     1 │ 1.00000 │ 1.50000 │\n"
        "╰───────┴─────────┴─────────╯\n"
        "put back into the equation\n"
        "╭──────────┬─────────┬─────────┬───────────╮\n"
        "│ equation │    left │   right │  residual │\n"
        "├──────────┼─────────┼─────────┼───────────┤\n"
        "│    w = 2 │ 1.50000 │ 2.00000 │ -0.500000 │\n"
        "╰──────────┴─────────┴─────────┴───────────╯\n"
        "max_epochs after 1 epoch: loss still falling 75 % per epoch\n"
        "loss (mse) 4 -> 1; w = 1.5\n"
        "sgd, lr 0.1, engine loop (every epoch is walked)\n"
    )


@pytest.mark.parametrize("names", [1, 3, 8, 30])
def test_a_piped_table_does_not_depend_on_a_width(names: int) -> None:
    """Nothing is cut, and no line is wrapped."""
    expected = shown(wide(names), 10_000)
    for width in (1, 20, 80):
        assert shown(wide(names), width) == expected
    assert "…" not in expected
    for line in expected.splitlines():
        assert not line.startswith("│") or line.endswith("│")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("names", [1, 3, 8, 30])
def test_a_history_fits_its_terminal(names: int, width: int) -> None:
    values = {f"w{i}": [1 / 3, float(i)] for i in range(names)}
    lines = shown(outcome(values, gradients=values), width, terminal=True).splitlines()
    assert max(map(cells, lines)) <= width
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize("width", [20, 40, 80])
@pytest.mark.parametrize("names", [1, 8])
def test_no_number_is_cut_on_a_terminal(names: int, width: int) -> None:
    """A table that no terminal of that width can hold is wrapped by it: `0.33…` would be no number."""
    assert "…" not in shown(wide(names), width, terminal=True)


@pytest.mark.parametrize("width", [20, 40, 80])
def test_words_wrap_on_a_terminal_between_words(width: int) -> None:
    text = shown(outcome(), width, terminal=True)
    words = text.split("╯\n")[-1]
    assert max(map(len, words.splitlines())) <= width
    assert " ".join(words.split()) == " ".join(shown(outcome(), 80).split("╯\n")[-1].split())


COLOURED = {
    "converged": "32",
    "max_epochs": "33",
    "stopped": "33",
    "interrupted": "33",
    "diverged": "31",
    "no_root": "31",
}


@pytest.mark.parametrize(("status", "colour"), COLOURED.items())
def test_the_verdict_has_its_colour(status: str, colour: str) -> None:
    """Green, yellow, red."""
    result = outcome(status=status)
    text = shown(result, 200, terminal=True, colour=True)
    assert f"\x1b[{colour}m{status} after 2 epochs" in text
    assert ESCAPE.sub("", text) == shown(result, 200, terminal=True)


# Names


def named(name: str) -> Result:
    return outcome(
        {name: [0.0, 1.0], "b": [0.0, 2.0]},
        name="n",
        statement=name,
        equations=[Equation(f"{name} = 1", 1.0, 1.0)],
        predictions=[Prediction({name: 1.0}, 1.0, 1.0)],
    )


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_are_literal(name: str) -> None:
    text = shown(named(name), 80)
    assert text.count(printable(name)) >= 5  # title, two headers, equation, summary
    assert all(line.isprintable() for line in text.splitlines())


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_draw_no_colours(name: str) -> None:
    """Apart from what every table has."""
    found, expected = (set(ESCAPE.findall(shown(named(n), 300, terminal=True, colour=True))) for n in (name, "w"))
    assert found == expected


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12))
def test_borders_line_up_whatever_the_names(name: str) -> None:
    """As many lines as ever, each row with as many bars as its table has columns."""
    name = name.replace("│", "|")
    lines = shown(named(name), 80).splitlines()
    assert len(lines) == len(shown(named("w"), 80).splitlines())
    for header, row in ((2, 4), (2, 5), (9, 11), (15, 17)):
        assert lines[header].count("│") == lines[row].count("│") > 2
