"""Sweeps in every format, on terminals of any width, and in pipes."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdtrain.errors import cells, printable
from gdtrain.report.parts import sections, summary
from gdtrain.report.render import pieces, render
from gdtrain.results import Equation, SweepResult
from tests.outcomes import HOSTILE_NAMES
from tests.report.test_tables import ESCAPE, shown
from tests.sweeps import along, sweep, trial

INF, NAN = math.inf, math.nan

FOUR = sweep(
    [
        trial(0.5, set={"train.lr": 0.01}),
        trial(1e-30, set={"train.lr": 1 / 15}, status="converged", epochs=12, params={"w": 2.0}),
        trial(2e-30, set={"train.lr": 0.05}, status="converged", epochs=20),
        trial(INF, set={"train.lr": 10}, status="diverged", params={"w": NAN}),
    ],
    floor=1e-20,
    rerun="gdtrain run line.yaml --lr 0.06666666666666667",
)


def test_a_table() -> None:
    assert shown(FOUR, 80) == (
        "line: fit y = w*x, 4 trials over train.lr (line.yaml)\n"
        "╭─────────┬───────────┬────────────┬────────┬─────────────┬─────────╮\n"
        "│    rank │        lr │    verdict │ epochs │        loss │       w │\n"
        "├─────────┼───────────┼────────────┼────────┼─────────────┼─────────┤\n"
        "│ best 1= │ 0.0666667 │  converged │     12 │ 1.00000e-30 │ 2.00000 │\n"
        "│      1= │      0.05 │  converged │     20 │ 2.00000e-30 │ 1.50000 │\n"
        "│       3 │      0.01 │ max_epochs │      2 │    0.500000 │ 1.50000 │\n"
        "│         │        10 │   diverged │      2 │         inf │     nan │\n"
        "╰─────────┴───────────┴────────────┴────────┴─────────────┴─────────╯\n"
        "best of 4 trials: train.lr = 0.0666667, loss 1e-30, converged after 12 epochs; w = 2\n"
        "2 trials tie for best within rounding\n"
        "1 of 4 trials diverged\n"
        "to run the best alone: gdtrain run line.yaml --lr 0.06666666666666667\n"
    )


def test_plain() -> None:
    assert render(FOUR, "plain") == (
        "line: fit y = w*x, 4 trials over train.lr (line.yaml)\n"
        "   rank         lr     verdict  epochs         loss        w\n"
        "best 1=  0.0666667   converged      12  1.00000e-30  2.00000\n"
        "     1=       0.05   converged      20  2.00000e-30  1.50000\n"
        "      3       0.01  max_epochs       2     0.500000  1.50000\n"
        "                10    diverged       2          inf      nan\n"
        "\n"
        "best of 4 trials: train.lr = 0.0666667, loss 1e-30, converged after 12 epochs; w = 2\n"
        "2 trials tie for best within rounding\n"
        "1 of 4 trials diverged\n"
        "to run the best alone: gdtrain run line.yaml --lr 0.06666666666666667\n"
    )


def test_markdown() -> None:
    assert render(FOUR, "md").splitlines()[:5] == [
        "### line: fit y = w\\*x, 4 trials over train.lr (line.yaml)",
        "",
        "| rank | lr | verdict | epochs | loss | w |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
        "| best 1= | 0.0666667 | converged | 12 | 1.00000e-30 | 2.00000 |",
    ]


def test_csv() -> None:
    assert render(FOUR, "csv") == (
        "train.lr,verdict,epochs,loss,w\n"
        "0.06666666666666667,converged,12,1e-30,2.0\n"
        "0.05,converged,20,2e-30,1.5\n"
        "0.01,max_epochs,2,0.5,1.5\n"
        "10,diverged,2,inf,nan\n"
    )


@given(st.lists(st.floats(), min_size=1, max_size=5))
def test_csv_and_json_keep_every_bit(values: list[float]) -> None:
    result = sweep([trial(set={"train.lr": value}, params={"w": value}) for value in values])
    rows = list(csv.DictReader(io.StringIO(render(result, "csv"))))
    trials = json.loads(render(result, "json"))["trials"]
    for value, row, s in zip(values, rows, result.order, strict=True):
        given, found = trials[s]["set"]["train.lr"], trials[s]["params"]["w"]["value"]
        for text in (row["train.lr"], row["w"], given, found):
            assert repr(float(text)) == repr(value)


def test_a_parameter_that_a_trial_has_not_is_left_empty() -> None:
    result = sweep([trial(1.0, params={"a": 1.0}), trial(2.0, params={"b": 2.0})], ["fit"])
    assert render(result, "csv").splitlines()[1:] == [",max_epochs,2,1.0,1.0,", ",max_epochs,2,2.0,,2.0"]
    assert [row[-2:] for row in sections(result)[0].rows] == [["1.00000", ""], ["", "2.00000"]]


# JSON, a trial at a time


def starts(count: int = 3, kind: str = "solve", **changes: Any) -> SweepResult:
    """Roots x = 2 and x = -2 in turn, and a last start that found none."""
    ends = [2.0 if i % 2 else -2.0 for i in range(count - 1)]
    equations = [Equation("x^2 = 4", 4.0 + 1e-7, 4.0)]
    trials = [trial(1e-14, status="converged", params={"x": x}, equations=equations) for x in ends]
    trials.append(trial(4.0, status="no_root", params={"x": 0.0}, equations=[Equation("x^2 = 4", 0.0, 4.0)]))
    fields = {"kind": kind, "name": kind, "statement": "x^2 = 4", "source": "", "starts": count}
    return sweep(trials, [], **{**fields, **changes})


FINDER = sweep(
    [
        trial(0.5, set={"train.lr": 0.4}, status="converged", reach=5, params={"w": 2.0}),
        trial(0.5, set={"train.lr": 0.1}, reach=20),
        trial(1.0, set={"train.lr": 0.01}),
        trial(NAN, set={"train.lr": 0.8}, status="diverged"),
        trial(NAN, set={"train.lr": 1.6}, status="diverged"),
    ],
    finder={"fastest": 0.4, "breaks": 0.8, "limit": 2 / 3},
    rerun="gdtrain run line.yaml --lr 0.4",
)
KINDS = {
    "ranked": FOUR,
    "top": along("train.lr", {i / 10: 1.0 / i for i in range(1, 5)}, top=2),
    "seeds": along("train.seed", {0: 1.0, 1: 2.0}),
    "starts": starts(),
    "finder": FINDER,
    "empty": sweep([]),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("compact", [False, True])
def test_json_bit_by_bit_is_the_document_at_once(name: str, compact: bool) -> None:
    result, indent = KINDS[name], None if compact else 2
    whole = json.dumps(result.to_dict(), indent=indent, ensure_ascii=False) + "\n"
    assert render(result, "json", compact=compact) == whole
    assert "".join(pieces(result, "json", compact=compact)) == whole


def test_json_makes_one_document_at_a_time() -> None:
    made = []

    def document(i: int) -> dict[str, Any]:
        made.append(i)
        return {"verdict": {"detail": ""}}

    trials = [trial(float(i)) for i in range(5)]
    for i, each in enumerate(trials):
        object.__setattr__(each, "document", lambda i=i: document(i))
    text = pieces(sweep(trials), "json")
    next(text)
    assert made == []
    next(text)
    next(text)
    assert made == [0, 1]


# How many are shown

MANY = along("train.lr", {i / 1000: 1.0 / (i + 1) for i in range(1000)})


def test_all_up_to_a_hundred_else_the_best_twenty() -> None:
    hundred = along("train.lr", {i / 1000: 1.0 / (i + 1) for i in range(100)})
    (table,) = sections(hundred)
    assert (len(table.rows), table.notes) == (100, ())
    (table,) = sections(MANY)
    assert [row[0] for row in table.rows] == ["best 1", *map(str, range(2, 21))]
    assert table.notes == ("the best 20 of 1,000 trials; --top N shows more, --format csv all of them",)
    assert len(render(MANY, "csv").splitlines()) == 1001


def test_top_is_for_every_format() -> None:
    few = along("train.lr", {0.1: 3.0, 0.2: 1.0, 0.3: 2.0}, top=2)
    (table,) = sections(few)
    assert [row[1] for row in table.rows] == ["0.2", "0.3"]
    assert table.notes == ("the best 2 of 3 trials",)
    assert [line.split(",")[0] for line in render(few, "csv").splitlines()[1:]] == ["0.2", "0.3"]
    document = json.loads(render(few, "json"))
    assert ([each["set"]["train.lr"] for each in document["trials"]], document["count"]) == ([0.2, 0.3], 3)
    assert len(sections(along("train.lr", {0.1: 1.0}, top=9))[0].rows) == 1


# What was set

# Axes, names of the parameters, headers of the axes.
HEADERS: list[tuple[list[str], list[str], list[str]]] = [
    (["train.lr", "train.optimizer.momentum"], ["w"], ["lr", "momentum"]),
    (["train.optimizer", "loss.name"], ["w"], ["optimizer", "loss.name"]),
    (["train.optimizer.name", "loss.delta"], ["w"], ["optimizer", "delta"]),
    (["loss"], ["w"], ["set loss"]),
    (["train.epochs"], ["w"], ["train.epochs"]),
    (["params.w.start", "params.b.start.value"], ["w", "b"], ["w start", "b start"]),
    (["params.a.b.start"], ["a.b"], ["a.b start"]),
    (["params.w.max"], ["w"], ["w max"]),
    (["params.a.b"], ["a.b"], ["params.a.b"]),
    (["train.lr"], ["lr"], ["train.lr"]),
    (["penalty.l1", "other.l1"], ["w"], ["penalty.l1", "other.l1"]),
]


@pytest.mark.parametrize(("axes", "parameters", "headers"), HEADERS)
def test_headers_of_axes(axes: list[str], parameters: list[str], headers: list[str]) -> None:
    result = sweep([trial(set=dict.fromkeys(axes, 1.0), params=dict.fromkeys(parameters, 2.0))], axes)
    assert sections(result)[0].header == ["rank", *headers, "verdict", "epochs", "loss", *parameters]


SETTINGS: list[tuple[list[Any], list[str]]] = [
    ([0.1, 1 / 3], ["0.1", "0.333333"]),
    ([1 / 3, 1 / 3 + 1e-9], [repr(1 / 3), repr(1 / 3 + 1e-9)]),  # six digits would make them one
    ([10, 1e-30], ["10", "1e-30"]),
    (["auto", True, None], ["auto", "true", "null"]),
    ([{"name": "sgd", "momentum": 0.9}, "adam"], ["{name: sgd, momentum: 0.9}", "adam"]),
    ([["x", "y"], ["x"]], ["[x, y]", "[x]"]),
]


@pytest.mark.parametrize(("values", "texts"), SETTINGS)
def test_values_that_were_set(values: list[Any], texts: list[str]) -> None:
    result = sweep([trial(float(i), set={"key": value}) for i, value in enumerate(values)], ["key"])
    assert [row[1] for row in sections(result)[0].rows] == texts


@pytest.mark.parametrize(("rank_by", "column"), [("params.w.gradient", "-0.500000"), ("-verdict.epoch", "2")])
def test_what_ranks_is_a_column_where_no_other_is(rank_by: str, column: str) -> None:
    (table,) = sections(along("train.lr", {0.1: 1.0}, rank_by=rank_by))
    assert table.header == ["rank", "lr", "verdict", "epochs", "loss", rank_by.removeprefix("-"), "w"]
    assert table.rows[0][5] == column
    for shown_already in ("loss", "epochs", "-w"):
        assert len(sections(along("train.lr", {0.1: 1.0}, rank_by=shown_already))[0].header) == 6


# The lines below

LINES: list[tuple[SweepResult, list[str]]] = [
    (along("train.lr", {0.1: 0.5}), ["best of 1 trial: train.lr = 0.1, loss 0.5, max_epochs after 2 epochs; w = 1.5"]),
    (
        along("train.lr", {0.1: 0.5, 0.2: 0.5}, rank_by="-epochs"),
        [
            "best of 2 trials by epochs, largest first (2): "
            "train.lr = 0.1, loss 0.5, max_epochs after 2 epochs; w = 1.5",
            "2 trials tie for best",
        ],
    ),
    (
        sweep([trial(INF, set={"train.lr": lr}, status="diverged") for lr in (5, 6)], rerun="gdtrain run"),
        ["both trials diverged; with train.lr = 5: loss still falling 75 % per epoch"],
    ),
    (
        sweep([trial(INF, set={"train.lr": 5})]),
        ["the trial ended at no finite loss; with train.lr = 5: loss still falling 75 % per epoch"],
    ),
    (
        along("train.lr", {0.1: 0.5}, interrupted=True, trained=0),
        [
            "interrupted: best of 1 trial: train.lr = 0.1, loss 0.5, max_epochs after 2 epochs; w = 1.5",
        ],
    ),
    (
        sweep([trial(0.5, params={f"w{i}": float(i) for i in range(10)})]),
        [
            "best of 1 trial: loss 0.5, max_epochs after 2 epochs; "
            "w0 = 0, w1 = 1, w2 = 2, w3 = 3, w4 = 4, w5 = 5, w6 = 6, w7 = 7, 2 more"
        ],
    ),
    (starts(6), ["2 distinct roots from 6 starts; 1 start found none (1 no_root)"]),
    (starts(2), ["1 distinct root from 2 starts; 1 start found none (1 no_root)"]),
    (
        starts(1),
        ["no root found from 1 start (1 no_root); at the closest, x = 0, |left - right| is 4"],
    ),
    (
        sweep([trial(0.5), trial(2.0)], [], starts=2),
        [
            "no minimum found from 2 starts (2 max_epochs); the best has loss 0.5 at w = 1.5: "
            "loss still falling 75 % per epoch"
        ],
    ),
    (sweep([trial(0.5, status="converged")] * 3, [], starts=3), ["1 distinct minimum from 3 starts"]),
    (
        FINDER,
        [
            "descent is fastest at train.lr = 0.4: near the best loss after 5 epochs; it breaks at 0.8; "
            "the limit of stability is 0.666667",
            "2 of 5 trials diverged",
            "to run the fastest alone: gdtrain run line.yaml --lr 0.4",
        ],
    ),
    (
        along("train.lr", {0.1: 0.5}, finder={"fastest": None, "breaks": None, "limit": None}),
        ["no learning rate gets there; it breaks at none of these"],
    ),
    (sweep([]), ["no trial was trained"]),
]


@pytest.mark.parametrize(("result", "lines"), LINES)
def test_the_lines_below(result: SweepResult, lines: list[str]) -> None:
    assert summary(result) == lines


COLOURS = [
    (along("train.lr", {0.1: 0.5}), "33"),
    (FOUR, "32"),
    (sweep([trial(INF, status="diverged")]), "31"),
    (starts(6), "32"),
    (starts(1), "31"),
]


@pytest.mark.parametrize(("result", "colour"), COLOURS)
def test_the_first_line_has_the_colour_of_the_best(result: SweepResult, colour: str) -> None:
    text = shown(result, 300, terminal=True, colour=True)
    assert f"\x1b[{colour}m{summary(result)[0]}" in text
    assert ESCAPE.sub("", text) == shown(result, 300, terminal=True)


# Starts, seeds, learning rates


def test_distinct_roots_stand_in_for_the_starts() -> None:
    assert shown(starts(6), 80) == (
        "solve x^2 = 4, 6 starts\n"
        "╭──────┬──────────┬─────────────┬────────╮\n"
        "│ root │        x │    residual │ starts │\n"
        "├──────┼──────────┼─────────────┼────────┤\n"
        "│    1 │ -2.00000 │ 1.00000e-07 │      3 │\n"
        "│    2 │  2.00000 │ 1.00000e-07 │      2 │\n"
        "╰──────┴──────────┴─────────────┴────────╯\n"
        "--top N shows the N best starts\n"
        "2 distinct roots from 6 starts; 1 start found none (1 no_root)\n"
    )


def test_with_top_the_best_starts_follow() -> None:
    ends, best = sections(starts(6, top=2))
    assert (len(ends.rows), ends.notes) == (2, ())
    assert [row[0] for row in best.rows] == ["best 1=", "1="]
    assert best.notes == ("the best 2 of 6 starts",)


def test_where_no_start_found_any_the_starts_are_shown() -> None:
    (table,) = sections(starts(1))
    assert table.header == ["rank", "verdict", "epochs", "loss", "x"]


def test_of_several_equations_the_largest_residual() -> None:
    equations = [Equation("x = 1", 1.0, 1.0 + 2e-7), Equation("y = 2", 2.0, 2.0 - 1e-7)]
    each = trial(1e-14, status="converged", params={"x": 1.0, "y": 2.0}, equations=equations)
    (table,) = sections(sweep([each], [], kind="solve", starts=1))
    assert table.header == ["root", "x", "y", "largest residual", "starts"]
    assert float(table.rows[0][3]) == pytest.approx(-2e-7, rel=1e-6)


def test_distinct_minima() -> None:
    (table,) = sections(starts(6, "minimize"))
    assert table.header == ["minimum", "loss", "x", "starts"]
    assert table.rows == [["1", "1.00000e-14", "-2.00000", "3"], ["2", "1.00000e-14", "2.00000", "2"]]


def test_of_more_than_a_hundred_minima_the_first() -> None:
    trials = [trial(float(i), status="converged", params={"x": float(i)}) for i in range(101)]
    (table,) = sections(sweep(trials, [], starts=101))
    assert len(table.rows) == 20
    assert table.notes[0] == "20 of 101 distinct minima; --format json has all"


def test_over_seeds() -> None:
    points = [(lr, seed) for lr in (0.1, 0.2) for seed in (0, 1)]
    trials = [
        trial(lr + seed, set={"train.lr": lr, "train.seed": seed}, status="diverged" if lr + seed > 1.1 else "stopped")
        for lr, seed in points
    ]
    _, table = sections(sweep(trials, ["train.lr", "train.seed"]))
    assert table.title == "over seeds: mean and standard deviation (sd)"
    assert table.header == ["lr", "n", "diverged", "loss mean", "loss sd", "w mean", "w sd"]
    assert table.rows == [
        ["0.2", "1", "1", "0.200000", "", "1.50000", ""],
        ["0.1", "2", "0", "0.600000", "0.707107", "1.50000", "0"],
    ]


def test_along_the_learning_rate() -> None:
    assert render(FINDER, "plain").splitlines()[:7] == [
        "line: fit y = w*x, 5 trials over train.lr (line.yaml)",
        "           lr     verdict  epochs      loss  reaches  speed                       w",
        "         0.01  max_epochs       2   1.00000    never                        1.50000",
        "          0.1  max_epochs       2  0.500000       20  =====                 1.50000",
        "fastest   0.4   converged       2  0.500000        5  ====================  2.00000",
        " breaks   0.8    diverged       2       nan    never                        1.50000",
        "          1.6    diverged       2       nan    never                        1.50000",
    ]
    assert "│ =====                │" in shown(FINDER, 80)
    assert "| :--- | ---: |" in render(FINDER, "md")


# Widths


def wide(names: int) -> SweepResult:
    params = {f"a_long_name_{i}": 1 / 3 for i in range(names)}
    trials = [trial(1 / 3, set={"train.lr": lr, "train.seed": 0}, params=params) for lr in (0.1, 0.2)]
    return sweep(trials, ["train.lr", "train.seed"])


@pytest.mark.parametrize("names", [1, 3, 8, 30])
def test_a_piped_table_does_not_depend_on_a_width(names: int) -> None:
    expected = shown(wide(names), 10_000)
    for width in (1, 20, 80):
        assert shown(wide(names), width) == expected
    assert "…" not in expected


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("names", [1, 3, 8, 30])
def test_tables_fit_their_terminal(names: int, width: int) -> None:
    params = {f"w{i}": 1 / 3 for i in range(names)}
    seeds = sweep([trial(1 / 3, set={"train.seed": s}, params=params) for s in range(3)], ["train.seed"])
    roots = sweep([trial(1 / 3, status="converged", params=params)] * 2, [], starts=2)
    for result in (seeds, roots):
        lines = shown(result, width, terminal=True).splitlines()
        assert max(map(cells, lines)) <= width
        assert not any("…" in line for line in lines)


def test_weights_that_are_not_shown_have_a_norm() -> None:
    (table,) = sections(sweep([trial(params={f"w{i}": 3.0 for i in range(9)})]))
    assert table.header[-2:] == ["w4", "norm"]
    assert table.rows[0][-1] == "9.00000"
    assert table.notes == ("4 more weights are not shown; norm is over all 9",)


# Names


def named(name: str) -> SweepResult:
    trials = [trial(loss, set={f"params.{name}.start": 1.0, "fit": name}, params={name: 1.0}) for loss in (1.0, 2.0)]
    return sweep(trials, [f"params.{name}.start", "fit"], statement=name, source=name, rerun=name)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("style", ["plain", "md"])
def test_names_tear_no_line(name: str, style: str) -> None:
    text = render(named(name), style)
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text.splitlines()) == len(render(named("w"), style).splitlines())


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_are_literal(name: str) -> None:
    text = shown(named(name), 80)
    assert text.count(printable(name)) >= 10  # title, headers, settings, summary, command
    assert all(line.isprintable() for line in text.splitlines())


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_stand_in_csv_and_json_as_they_are(name: str) -> None:
    (header, *rows) = csv.reader(io.StringIO(render(named(name), "csv"), newline=""))
    assert header == [f"params.{name}.start", "fit", "verdict", "epochs", "loss", name]
    assert [row[1] for row in rows] == [name, name]
    assert [*json.loads(render(named(name), "json"))["trials"][0]["params"]] == [name]
