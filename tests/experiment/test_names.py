"""Which names are columns, which are parameters, and what is said where neither fits."""

from __future__ import annotations

import pytest

from gdtrain.errors import UserError
from gdtrain.experiment.names import Names, settle

from .texts import heads, marked, read

SALES = ["income", "price", "sales", "x", "y"]


def experiment_text(problem: str, rest: str = "") -> str:
    data = "" if problem.startswith("solve") else "data: {path: rows.csv}\n"
    return problem + "\n" + data + rest


# A problem, its columns, and the names as they fall out: parameters, columns that are read, inputs of a prediction.
SETTLED: list[tuple[str, list[str] | None, Names]] = [
    ("solve: [x + y = 3, z = pi*x]", [], Names(["x", "y", "z"])),
    ("fit: y = a*x + b", SALES, Names(["a", "b"], ["x", "y"], ["x"])),
    ("fit: y = c", SALES, Names(["c"], ["y"], [])),
    ("fit: log(sales) - price = a*income", SALES, Names(["a"], ["income", "sales", "price"], ["income"])),
    ("fit: y = a*exp(-`b c`*x)", [*SALES, "b c"], Names(["a"], ["b c", "x", "y"], ["b c", "x"])),
    ("fit: sales = w_income*income", SALES, Names(["w_income"], ["income", "sales"], ["income"])),
    ("fit: y = inc*x", SALES, Names(["inc"], ["x", "y"], ["x"])),
    ("fit: y = a*x + b\nparams: {a: 1}", None, Names(["a"], ["y"], [])),
    ("fit: sales = incom*x\nparams: {incom: 1}", SALES, Names(["incom"], ["x", "sales"], ["x"])),
    ("fit: y = e*x\nparams: {e: 2.718}", SALES, Names(["e"], ["x", "y"], ["x"])),
    ("fit: y = a*e", ["e", "y"], Names(["a"], ["e", "y"], ["e"])),
    ("minimize: mean((y - a*x)^2) + a^2", SALES, Names(["a"], ["y", "x"], [])),
    (
        "regress: {target: sales, features: [x, y]}",
        SALES,
        Names(["x", "y", "intercept"], ["x", "y", "sales"], ["x", "y"]),
    ),
    ("regress: {target: y, features: x, intercept: false}", SALES, Names(["x"], ["x", "y"], ["x"])),
    ("regress: {target: y, features: []}", SALES, Names(["intercept"], ["y"], [])),
    (
        "regress: {target: [y, sales], features: [x]}",
        SALES,
        Names(["y.x", "y.intercept", "sales.x", "sales.intercept"], ["x", "y", "sales"], ["x"]),
    ),
    ("regress: {target: y}", ["x", "y", "z"], Names(["x", "z", "intercept"], ["x", "z", "y"], ["x", "z"])),
    ("regress: {target: y, features: [x]}", None, Names(["x", "intercept"], ["x", "y"], ["x"])),
    (
        "regress: {target: y, intercept: false, features: [intercept]}",
        ["intercept", "y"],
        Names(["intercept"], ["intercept", "y"], ["intercept"]),
    ),
]


@pytest.mark.parametrize(("problem", "columns", "names"), SETTLED, ids=[problem for problem, *_ in SETTLED])
def test_settled(problem: str, columns: list[str] | None, names: Names) -> None:
    found = settle(read(experiment_text(problem)), columns)
    assert (found.parameters, found.columns, found.inputs) == (names.parameters, names.columns, names.inputs)


# A problem, its columns, the part of the file that is marked, what is said.
REFUSED: list[tuple[str, list[str] | None, str, str]] = [
    ("solve: e*x = 3", [], "e", "e is no constant here; write exp(1), or declare e under params"),
    ("solve: 1 + 1 = 2", [], "1 + 1 = 2", "there is nothing to learn; name the number to find: x"),
    ("fit: y = w*x1", ["w", "x1", "y"], "y = w*x1", "there is nothing to learn; name the number to find: y = w1*w"),
    ("fit: w = 2", ["w", "x"], "w = 2", "there is nothing to learn; name the number to find: w = w1*x"),
    ("fit: y = 2x", SALES, "y = 2x", "there is nothing to learn; name the number to find: y = w*x"),
    (
        "fit: sales = 2*income",
        SALES,
        "sales = 2*income",
        "there is nothing to learn; name the number to find: sales = w*income",
    ),
    ("fit: y = 2", None, "y = 2", "there is nothing to learn; name the number to find: y = w*x"),
    (
        "fit: y = a*x\nparams: {a: {start: 1, fixed: true}}",
        SALES,
        "y = a*x",
        "there is nothing to learn: every parameter is fixed; free one",
    ),
    ("fit: y = a*e + b", SALES, "e", "e is no constant here; write exp(1), or declare e under params"),
    (
        "fit: sales = a*incom",
        SALES,
        "incom",
        "there is no column incom; did you mean income? A parameter with such a name is declared under params",
    ),
    ("fit: sales = a*Income", SALES, "Income", "there is no column Income; did you mean income?"),
    ("fit: z = a*x", SALES, "z", "there is no column z; the columns are income, price, sales, x, y"),
    ("fit: sale = a*x", SALES, "sale", "there is no column sale; did you mean sales?"),
    ("fit: y = a*y + b", SALES, "y", "y is predicted from itself; take it out of the right side"),
    ("fit: y = a*y + b", None, "y", "y is predicted from itself; take it out of the right side"),
    (
        "fit: y/a = x\nparams: {a: 1}",
        SALES,
        "a",
        "the parameter a stands on the left; move it to the right of =",
    ),
    (
        "fit: 0 = a*x - y",
        SALES,
        "0 = a*x - y",
        "no column stands on the left; write the column to predict there: y = ...",
    ),
    ("fit: y = a*x\nparams: {b: 1}", SALES, "b", "fit has no parameter b; the parameters are a"),
    ("fit: y = slope*x\nparams: {slop: 1}", SALES, "slop", "fit has no parameter slop; did you mean slope?"),
    (
        "fit: y = a*x\nparams: {x: 1, a: 1}",
        SALES,
        "x",
        "x is a column, not a parameter; give the parameter a name of its own",
    ),
    (
        "minimize: (y - a)^2",
        SALES,
        "y",
        "y is a column, so that this is one number a row; wrap it in mean(...) or sum(...)",
    ),
    (
        "minimize: mean(y - a) + x",
        SALES,
        "x",
        "x is a column, so that this is one number a row; wrap it in mean(...) or sum(...)",
    ),
    ("minimize: mean(y)", SALES, "mean(y)", "there is nothing to learn; name the number to find: x1"),
    ("regress: {target: sale, features: [x]}", SALES, "sale", "there is no column sale; did you mean sales?"),
    (
        "regress: {target: y, features: [x, incom]}",
        SALES,
        "incom",
        "there is no column incom; did you mean income?",
    ),
    (
        "regress: {target: y, features: 'x, income'}",
        SALES,
        "'x, income'",
        "there is no column x, income; write a list: [a, b]",
    ),
    ("regress: {target: y}", ["y"], "regress", "no column is left to predict from; name features"),
    (
        "regress: {target: y, features: [], intercept: false}",
        SALES,
        "{target: y, features: [], intercept: false}",
        "there is nothing to learn; name features, or set intercept: true",
    ),
    (
        "regress: {target: y, features: [intercept]}",
        ["intercept", "y"],
        "[intercept]",
        "a feature is called intercept, as the constant is; rename the column, or set intercept: false",
    ),
    (
        "regress: {target: y, features: [x]}\nparams: {z: 1}",
        SALES,
        "z",
        "regress has no parameter z; the parameters are x, intercept",
    ),
    (
        "regress: {target: y}\nparams: {z: 1}",
        SALES,
        "z",
        "regress has no parameter z; the parameters are income, price, sales, x, intercept",
    ),
    ("fit: y = a*x\npredict: [{x: 1}, {y: 1}]", SALES, "{y: 1}", "x is missing here; write x: NUMBER"),
    (
        "fit: y = a*x\npredict: [{x: 1, pric: 2}]",
        SALES,
        "pric",
        "there is no column pric; did you mean price?",
    ),
]


@pytest.mark.parametrize(
    ("problem", "columns", "part", "what"),
    REFUSED,
    ids=[f"{problem}-{columns is None}" for problem, columns, *_ in REFUSED],
)
def test_refused(problem: str, columns: list[str] | None, part: str, what: str) -> None:
    with pytest.raises(UserError) as caught:
        settle(read(experiment_text(problem)), columns)
    message = str(caught.value)
    assert marked(message) == part
    (head,) = heads(message)
    assert head.partition(": ")[2].startswith(what)


def test_a_place_is_a_line_and_a_column_of_the_file() -> None:
    experiment = read("name: a\nfit: 'sales = a*incom'\ndata: {path: rows.csv}\n")
    with pytest.raises(UserError) as caught:
        settle(experiment, SALES)
    assert str(caught.value).startswith("stdin:2:17: ")


def test_every_name_is_told_at_once() -> None:
    with pytest.raises(UserError) as caught:
        settle(read(experiment_text("fit: sale = a*incom + e*y")), SALES)
    assert len(heads(str(caught.value))) == 3
