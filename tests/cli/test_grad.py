"""`gdtrain grad` as its user sees it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from rich.console import Console

from gdtrain.cli.gradients import show
from gdtrain.cli.points import name_list, point, vector
from gdtrain.errors import UserError
from gdtrain.gradient import grad
from tests.cli.conftest import Command

X = "x=[-0.94837,0.27158,0.36056]"
VECTOR = "0.1,1.0,0.001"


def test_a_line(gdtrain: Command) -> None:
    done = gdtrain("grad", "w*x + b", "--at", "x=2,w=3,b=4", "--wrt", "w,b", "--format", "plain")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "y = w*x + b\n"
        "       at the point  finite difference\n"
        "value            10\n"
        "dy/dw             2                  2\n"
        "dy/db             1                  1\n"
    )


def test_the_table_shows_the_same(gdtrain: Command) -> None:
    done = gdtrain("grad", "w*x + b", "--at", "x=2,w=3", "--at", "b=4", "--wrt", "w")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.out.splitlines() if "│" in line]
    assert rows == [["", "at the point", "finite difference"], ["value", "10", ""], ["dy/dw", "2", "2"]]


def test_a_mean(gdtrain: Command) -> None:
    done = gdtrain("grad", "mean(2*(x+2)^2)", "--at", X, "--format", "plain")
    assert done.out.splitlines()[2].split() == ["value", "7.89216"]
    # 4(x+2)/3 to six digits
    assert done.out.count("[1.40217, 3.02877, 3.14741]") == 2


def test_several_values(gdtrain: Command) -> None:
    done = gdtrain("grad", "2*(x+2)^2", "--at", X, "--format", "plain")
    assert done.code == 0
    assert done.out == "y = 2*(x+2)^2\n                      at the point\nvalue  [2.21185, 10.3202, 11.1445]\n"
    assert done.err == (
        "note: 2*(x+2)^2 has 3 values: choose --vector 1,1,1 (vector-Jacobian product) or --jacobian to"
        " differentiate it\n"
    )
    assert gdtrain("grad", "2*(x+2)^2", "--at", X, "--quiet").err == ""


def test_accumulated(gdtrain: Command) -> None:
    expressions = ("mean(2*(x+2)^2)", "2*(x+2)^2")
    done = gdtrain("grad", *expressions, "--at", X, "--vector", VECTOR, "--accumulate", "--format", "plain")
    assert "pass 1 of 2: y = mean(2*(x+2)^2)\n" in done.out
    assert "pass 2 of 2, gradients added up: y = 2*(x+2)^2\n" in done.out
    assert "[1.82283, 12.1151, 3.15686]" in done.out


@pytest.mark.parametrize(("flags", "expected"), [(["--accumulate"], [3, 6, 9]), ([], [3, 3, 3])])
def test_repeated(gdtrain: Command, flags: list[str], expected: list[int]) -> None:
    done = gdtrain("grad", "sum(3*w)", "--at", "w=[1,1,1,1]", "--repeat", 3, *flags, "--format", "json")
    assert [each["gradient"]["w"] for each in done.document["passes"]] == [[k] * 4 for k in expected]


@pytest.mark.parametrize(("expression", "value"), [("-2^2", "-4"), ("2^3", "8"), ("-(1)", "-1")])
def test_constants(gdtrain: Command, expression: str, value: str) -> None:
    done = gdtrain("grad", expression, "--format", "plain")
    assert done.out.split() == ["y", "=", expression, "at", "the", "point", "value", value]
    assert (done.code, done.err) == (0, f"note: {expression} is a constant: nothing depends on anything\n")


def test_the_graph(gdtrain: Command) -> None:
    done = gdtrain("grad", "(x+2)^2*x*w", "--at", "x=1,w=3", "--detach", "w", "--graph", "--format", "plain")
    assert done.out.partition("\n\n")[2] == (
        "graph of (x+2)^2*x*w, from its value back\n"
        "MulBackward0\n"
        "  MulBackward0\n"
        "    PowBackward0\n"
        "      AddBackward0\n"
        "        AccumulateGrad of x\n"
        "    AccumulateGrad of x (shared: see above)\n"
    )
    assert "csv leaves the graph out" in gdtrain("grad", "x^2", "--at", "x=1", "--graph", "--format", "csv").err
    assert "\n  MulBackward0\n" in gdtrain("grad", "x*2*x", "--at", "x=1", "--graph").out
    marked_down = gdtrain("grad", "x^2", "--at", "x=1", "--graph", "--format", "md").out
    assert marked_down.endswith("\n    PowBackward0\n      AccumulateGrad of x\n")


def test_the_graph_of_repeated_passes_is_shown_once(gdtrain: Command) -> None:
    assert gdtrain("grad", "x^2", "--at", "x=1", "--graph", "--repeat", "3").out.count("PowBackward0") == 1


def test_the_jacobian(gdtrain: Command) -> None:
    flags = ("--at", "x=[1,2],w=3", "--jacobian", "--format")
    assert gdtrain("grad", "w*x^2", *flags, "md").out == (
        "### y = w\\*x^2\n"
        "\n"
        "|  | at the point | finite difference |\n"
        "| ---: | ---: | ---: |\n"
        "| value | \\[3, 12\\] |  |\n"
        "| dy\\[0\\]/dx | \\[6, 0\\] | \\[6, 0\\] |\n"
        "| dy\\[1\\]/dx | \\[0, 12\\] | \\[0, 12\\] |\n"
        "| dy/dw | \\[1, 4\\] | \\[1, 4\\] |\n"
    )
    rows = list(csv.DictReader(io.StringIO(gdtrain("grad", "w*x^2", *flags, "csv").out)))
    quantities = ["y[0]", "y[1]", "dy[0]/dx[0]", "dy[0]/dx[1]", "dy[1]/dx[0]", "dy[1]/dx[1]", "dy[0]/dw", "dy[1]/dw"]
    assert [row["quantity"] for row in rows] == quantities
    assert [float(row["value"]) for row in rows] == [3, 12, 6, 0, 0, 12, 1, 4]
    assert [float(row["finite_difference"]) for row in rows[2:]] == pytest.approx([6, 0, 0, 12, 1, 4], rel=1e-8)


def test_csv_of_a_gradient(gdtrain: Command) -> None:
    done = gdtrain("grad", "sqrt(x) + 0*w", "--at", "x=0,w=[5]", "--vector", "1", "--format", "csv")
    rows = list(csv.reader(io.StringIO(done.out)))
    assert rows[0] == ["pass", "expression", "quantity", "value", "finite_difference"]
    assert rows[1:3] == [["1", "sqrt(x) + 0*w", "y[0]", "0.0", ""], ["1", "sqrt(x) + 0*w", "dy/dx", "inf", ""]]
    assert rows[3][:4] == ["1", "sqrt(x) + 0*w", "dy/dw[0]", "0.0"]
    assert done.code == 4


def test_draws_come_from_the_seed(gdtrain: Command) -> None:
    command = ("grad", "sum(x^2)", "--at", "x=randn(3)", "--format", "json")
    assert gdtrain(*command).out == gdtrain(*command, "--seed", "0").out
    assert gdtrain(*command).document["at"] != gdtrain(*command, "--seed", "1").document["at"]


def test_not_finite(gdtrain: Command) -> None:
    done = gdtrain("grad", "log(x)", "--at", "x=0", "--format", "plain")
    assert done.code == 4
    assert done.out.splitlines()[2:] == ["value          -inf", "dy/dx           inf                  -"]
    assert done.err.splitlines()[0] == "note: the value of log(x) is not finite: log(x)"
    assert gdtrain("grad", "log(x)", "--at", "x=0", "--format", "json").document["passes"][0]["value"] == "-inf"


def test_a_kink_is_told_on_stderr(gdtrain: Command) -> None:
    done = gdtrain("grad", "sum(relu(x))", "--at", "x=[-1,0,1]", "--format", "plain")
    assert done.code == 0
    assert done.out.splitlines()[-1].split("  ")[-1] == "[0, 0.5, 1]"
    assert "disagree: dy/dx[1] is 0 (by finite differences 0.5); sum(relu(x)) has a kink or a jump" in done.err


def test_names_are_shown_as_they_are(gdtrain: Command) -> None:
    done = gdtrain("grad", "`[red]a,b=`^2 + μ", "--at", "`[red]a,b=`=3,μ=1")
    assert "dy/d[red]a,b=" in done.out and "dy/dμ" in done.out
    # é in one code point and in two
    assert gdtrain("grad", "caf\u00e9^2", "--at", "cafe\u0301=3").code == 0
    hidden = gdtrain("grad", "`a\tb`", "--at", "`a\tb`=3")
    assert "\t" not in hidden.out


def test_a_long_list_is_cut(gdtrain: Command) -> None:
    done = gdtrain("grad", "mean(x)", "--at", "x=ones(100000)", "--format", "plain")
    assert "... 99,992 more]" in done.out and len(done.out) < 1000
    assert "note: finite differences were taken for the first" in done.err
    rows = gdtrain("grad", "x^2", "--at", "x=ones(20)", "--jacobian", "--format", "plain").out
    assert "dy[7]/dx" in rows and "12 more rows of dy/dx are in --format json" in rows


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [60, 80, 300])
def test_a_table_fits_its_terminal(width: int) -> None:
    out = Terminal()
    console = Console(file=out, force_terminal=True, width=width, color_system=None, legacy_windows=False)
    show(grad("sum(x*1234.5678)", {"x": "randn(8)"}), console)
    lines = [line for line in out.getvalue().splitlines() if line.startswith(("╭", "│"))]
    assert lines and max(map(len, lines)) <= width


MISTAKES = [
    (["w*x", "--at", "w=1"], "x has no value; give it a value: --at x=..."),
    (["w*x + e", "--at", "w=1,x=1"], "e has no value; write exp(1), or give it a value: --at e=2.718281828459045"),
    (["x", "--at", "x=1", "--wrt", "y"], "--wrt: y has no value to differentiate by; the names with a value are x"),
    (["2*x", "--at", "x=[1,2,3]", "--vector", "1,2"], "--vector: the vector has 2 values, 2*x has 3 values"),
    (["x*y", "--at", "x=[1,2],y=[1,2,3]"], "x has 2 values, y has 3 values; values are paired one to one"),
    (["x +", "--at", "x=1"], "the formula breaks off after +"),
    (["x", "--at", "x=1", "--format", "jsn"], "--format: there is no format jsn; did you mean json?"),
    (["x", "--at", "x=1", "--repeat", "x"], "--repeat"),
    (["x", "--at", "x=1", "--accumulat"], "there is no option --accumulat; did you mean --accumulate?"),
    ([], "EXPRESSION... is missing"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_mistakes(gdtrain: Command, arguments: list[str], message: str) -> None:
    done = gdtrain("grad", *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_help_names_every_option(gdtrain: Command) -> None:
    options = ["at", "wrt", "detach", "vector", "jacobian", "accumulate", "repeat", "graph", "seed", "format"]
    text = gdtrain("grad", "--help").out
    assert [option for option in options if f"--{option}" not in text] == []


POINTS = [
    (["x=2,w=3"], {"x": 2.0, "w": 3.0}),
    (["x=2", "w = -1e-3 "], {"x": 2.0, "w": -1e-3}),
    (["x=[1, 2,3],w=[4]"], {"x": [1.0, 2.0, 3.0], "w": [4.0]}),
    (["x=randn(3),w=ones( 2 )"], {"x": "randn(3)", "w": "ones( 2 )"}),
    (["`a,b`=1,`c=d`=2,`e``f`=3"], {"a,b": 1.0, "c=d": 2.0, "e`f": 3.0}),
]


@pytest.mark.parametrize(("texts", "expected"), POINTS)
def test_points(texts: list[str], expected: dict[str, object]) -> None:
    assert point(texts) == expected


BAD_POINTS = [
    ("", "nothing is not NAME=VALUE; write x=2, or for a list x=[1,2,3]", ""),
    ("x", "x is not NAME=VALUE", "^"),
    ("x=1,2", "2 is not NAME=VALUE; write x=2, or for a list x=[1,2,3]", "    ^"),
    ("=1", "a name is missing", "^"),
    ("x=", "a number is missing; write x=2, x=[1,2,3] or x=randn(3)", "  ^"),
    ("x=1,x=2", "x has a value already", "    ^^^"),
    ("x=two", "two is not a number", "  ^^^"),
    ("x=true", "true is not a number", "  ^^^^"),
    ("x=no", "no is not a number", "  ^^"),
    ("x=.nan", ".nan is not a number", "  ^^^^"),
    ("x=012", "012 has a leading zero", "  ^^^"),
    ("x=1e400", "1e400 is too large a number", "  ^^^^^"),
    ("x=1_000", "1_000 has underscores in it; write 1000", "  ^^^^^"),
    ("x=[]", "the list is empty", "   ^"),
    ("x=[1,2", "the list is not closed", "  ^^^^"),
    ("x=[1,,2]", "a number is missing", "     ^"),
    ("x=[1,b]", "b is not a number; a list has numbers", "     ^"),
    ("x=[[1],[2]]", "a list in a list; a name has one number or one list", "   ^^^^^^^"),
]


@pytest.mark.parametrize(("text", "message", "caret"), BAD_POINTS)
def test_points_that_are_refused(text: str, message: str, caret: str) -> None:
    with pytest.raises(UserError) as caught:
        point([text])
    first, *excerpt = str(caught.value).splitlines()
    assert first.startswith(f"--at: {message}")
    assert [line[2:] for line in excerpt] == ([text, caret] if text else [])
    assert caught.value.code == 2


def test_vectors_and_name_lists() -> None:
    assert vector("0.1,1.0,0.001") == vector(" [0.1, 1.0, 0.001] ") == [0.1, 1.0, 0.001]
    assert vector("-1") == [-1.0]
    assert vector("ones(3)") == "ones(3)"
    assert name_list(["w, b", "`a,b`"], "--wrt") == ["w", "b", "a,b"]
    with pytest.raises(UserError, match="a name is missing"):
        name_list(["w,"], "--wrt")


def test_a_vector_may_start_with_a_minus(gdtrain: Command) -> None:
    done = gdtrain("grad", "2*x", "--at", "x=[1,2]", "--vector", "-1,2", "--format", "json")
    assert done.document["passes"][0]["gradient"] == {"x": [-2.0, 4.0]}


def test_nothing_is_written(gdtrain: Command, tmp_path: Path) -> None:
    gdtrain("grad", "x^2", "--at", "x=1", "--graph")
    assert list(tmp_path.iterdir()) == []
