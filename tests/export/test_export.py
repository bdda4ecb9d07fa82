"""Exported models run elsewhere: Python in a clean process, SQLite and DuckDB, each to 1e-12 of `predict`."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import gdtrain
from gdtrain.errors import UserError
from gdtrain.export import export
from gdtrain.prediction import Asked, Predictor

Json = Mapping[str, Any]
InDuckDB = Callable[[str, pl.DataFrame], list[tuple[Any, ...]]]

# Whole numbers and fractions, text with quotes in it, a name that is no identifier.
ROWS = pl.DataFrame(
    {
        "x": [0.5, 1.25, 2.0, 3.5, -1.0, 0.75, 1.5, 2.25],
        "n": [1, 2, 3, 7, 5, 2, 4, 6],
        "city": ["Paris", "O'Hare", "Paris", "Rome", "Rome", "O'Hare", "Paris", "Rome"],
        "sex": ["f", "m", "m", "f", "m", "f", "f", "m"],
        'a "b"': [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0],
        "y": [1.0, 2.5, 2.0, 4.0, 3.0, 1.5, 2.0, 5.0],
        "z": [2.0, 1.0, 1.5, 2.5, 3.0, 2.5, 1.0, 0.5],
        "won": [0, 1, 0, 1, 1, 0, 0, 1],
        "count": [0, 2, 1, 5, 3, 1, 2, 4],
        "kind": ["a", "b", "c", "a", "b", "c", "a", "b"],
    }
)
START = {"w": 0.7, "v": -0.3}


def fitted(formula: str, **changes: Any) -> dict[str, Any]:
    return {"fit": formula, "params": {"w": 0.7, "v": -0.3}, "train": {"epochs": 2, "lr": 1e-3}, **changes}


def regressed(features: Sequence[str], target: str | list[str] = "y", **changes: Any) -> dict[str, Any]:
    more = changes.pop("regress", {})
    return {"regress": {"target": target, "features": list(features), **more}, "train": {"epochs": 20}, **changes}


# Each function of the grammar, where it is steep, flat and beyond a switch.
FUNCTIONS = [
    *("exp(w*x)", "log(w*n)", "log2(n)", "log10(n)", "log1p(w*n)", "log1p(1e-9*x)", "expm1(w*x)", "expm1(1e-9*x)"),
    *("sqrt(n)", "abs(x - 1)", "sign(x - 0.75)", "sin(x)", "cos(w*x)", "tan(x)", "asin(x/4)", "acos(x/4)", "atan(n)"),
    *("sinh(x)", "cosh(w*x)", "tanh(x)", "sigmoid(x)", "sigmoid(1000*x)", "softplus(x)", "softplus(1000*x)"),
    *("relu(x - 1)", "pow(n, w)", "x^2", "n^-2", "(-x)^3", "2^x", "-x^2", "(x^2)^3", "x^2^2", "1/(1 + exp(500*x))"),
    *("atan2(x, n)", "hypot(x, n)", "min(x, n)", "max(x, w, n)", "where(x < 1, x, n)", "where(n >= 2, w, x)"),
    *("where(n == 2, 1, 0)", "where(n != 2, x, -x)", "n/2", "1/n", "n/(n + 1)", "x - (n - 2)", "x - (-n)", "-(-x)"),
    *(
        "x/n/2",
        "x/(n*2)",
        "-(x + n)",
        "w - -x",
        "2*(x + 1)*(n - 3)",
        "|x| + pi",
        "where(x > 1, where(n > 2, 1, 2), 3)*2",
    ),
    *("log(w) + x", "3", '`a "b"`*x', "x + " * 60 + "n"),
]
MODELS: dict[str, dict[str, Any]] = {
    **{f"fit {text[:40]}": fitted(f"y = w*({text}) + v") for text in FUNCTIONS},
    "a negative number": fitted("y = -w*x + (-v)", params={"w": -2.5, "v": -0.0}, train={"epochs": 0, "lr": 1}),
    "an expression on the left": fitted("log(y) = w*x + v"),
    "an offset": fitted("y = w*x + v", data={"offset": "z"}),
    "tied": fitted("y = w*x + v*n", params={"w": 0.5, "v": {"expr": "2*w"}}),
    "fit of labels": fitted("won = w*x + v", loss="logistic"),
    "fit of counts": fitted("count = w*x + v", loss="poisson"),
    "regress": regressed(["x", "n"]),
    "no intercept": regressed(["x", "city"], regress={"intercept": False}),
    "no feature": regressed(["city"], regress={"intercept": True}),
    "a strange name": regressed(['a "b"', "x"]),
    "levels": regressed(["city", "sex", "x"]),
    "a reference of one's own": regressed(["city", "x"], regress={"levels": {"city": ["Rome", "Paris", "O'Hare"]}}),
    "unseen": regressed(["city", "x"], regress={"unseen": "reference"}),
    "interactions": regressed(["city*sex", "x:sex", "x:n", "city:x"]),
    "expressions": regressed(["log(n)", "sq = x^2", "city:abs(x)"]),
    "minmax": regressed(["x", "n"], data={"scale": "minmax"}),
    "an offset of regress": regressed(["x"], data={"offset": "z"}),
    "targets": regressed(["x", "city"], ["y", "z"]),
    "logistic": regressed(["x", "n"], "won", loss="logistic"),
    "labels": regressed(["x", "n"], "sex", loss="logistic"),
    "poisson": regressed(["x", "sex"], "count", loss="poisson"),
    "gamma": regressed(["x", "n"], "z", loss="gamma"),
    "softmax": regressed(["x", "n", "city"], "kind", loss="softmax"),
    **{
        f"hidden {name}": regressed(["x", "n", "city"], model={"hidden": [3, 2], "activation": name})
        for name in ("tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "softplus")
    },
    "hidden of classes": regressed(["x", "n"], "kind", loss="softmax", model={"hidden": [4]}),
    "hidden without intercept": regressed(["x"], ["y", "z"], regress={"intercept": False}, model={"hidden": [2]}),
    "the lasso": regressed(["x", "n", "sex"], penalty={"l1": 0.5}, train={"epochs": 200}),
}
NO_SQL = ("hidden gelu",)


def trained(experiment: Json) -> dict[str, Any]:
    """The document of an experiment on ROWS, as a file would hold it."""
    document: dict[str, Any] = json.loads(json.dumps(gdtrain.run(experiment, data=ROWS).to_dict()))
    return document


def predicted(document: Json, folder: Path, rows: pl.DataFrame = ROWS) -> dict[str, list[float]]:
    """What `predict` writes of them: name -> numbers."""
    path = folder / "rows.csv"
    rows.write_csv(path)
    predictor = Predictor(document, "result.json", Asked())
    frame = pl.concat(list(predictor.frames(predictor.open(str(path)))))
    return {name: frame[name].to_list() for name in frame.columns if not name.startswith("label")}


SCRIPT = """
import json, sys
text, rows = json.load(sys.stdin)
space = {}
exec(compile(text, "exported", "exec"), space)
assert not {"torch", "numpy", "gdtrain"} & set(sys.modules)
json.dump([space["predict"](*row) for row in rows], sys.stdout)
"""


def in_python(text: str, rows: Sequence[Sequence[Any]]) -> list[Any]:
    """What the exported function makes of rows, in an interpreter without site-packages."""
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", SCRIPT],
        input=json.dumps([text, rows]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stderr}\n{text}"
    found: list[Any] = json.loads(ran.stdout)
    return found


def columns_of(text: str) -> list[str]:
    """The columns that an exported function takes, in their order."""
    head = next(line for line in text.splitlines() if line.startswith("def predict("))
    renamed = dict(line[2:].split(": the column ") for line in text.splitlines() if ": the column " in line)
    taken = [name for name in head[len("def predict(") : -2].split(", ") if name]
    return [renamed.get(name, name) for name in taken]


def of_rows(text: str, rows: pl.DataFrame) -> list[Any]:
    """What the exported function makes of the rows of a table."""
    columns = [rows[name].to_list() for name in columns_of(text)]
    return in_python(text, [[column[i] for column in columns] for i in range(len(rows))])


def in_sqlite(text: str, rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    with sqlite3.connect(":memory:") as base:
        types = {pl.Int64: "INTEGER", pl.Float64: "REAL", pl.String: "TEXT"}
        names = ['"' + name.replace('"', '""') + '"' for name in rows.columns]
        told = ", ".join(f"{name} {types[type(kind)]}" for name, kind in zip(names, rows.dtypes, strict=True))
        base.execute(f"CREATE TABLE t ({told})")
        base.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(names))})", rows.rows())
        found: list[tuple[Any, ...]] = base.execute(f"SELECT {text} FROM t ORDER BY rowid").fetchall()
    return found


DUCKDB = """
import json, sys
import duckdb
base = duckdb.connect()
for line in sys.stdin:
    print(json.dumps(base.execute(json.loads(line)).fetchall()), flush=True)
"""


@pytest.fixture(scope="module")
def duckdb() -> Iterator[subprocess.Popen[str]]:
    """DuckDB in a process of its own, which answers queries: at its end it complains of what pytest still holds."""
    if find_spec("duckdb") is None:
        pytest.skip("duckdb is not installed")
    with subprocess.Popen(
        [sys.executable, "-c", DUCKDB],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as base:
        yield base
        assert base.stdin is not None
        base.stdin.close()


@pytest.fixture
def in_duckdb(duckdb: subprocess.Popen[str], tmp_path: Path) -> InDuckDB:
    """What an exported expression makes of rows there."""

    def run(text: str, rows: pl.DataFrame) -> list[tuple[Any, ...]]:
        path = tmp_path / "rows.parquet"
        rows.with_row_index("row").write_parquet(path)
        assert duckdb.stdin is not None and duckdb.stdout is not None
        print(json.dumps(f"SELECT {text} FROM '{path}' ORDER BY row"), file=duckdb.stdin, flush=True)
        return [tuple(row) for row in json.loads(duckdb.stdout.readline())]

    return run


def same(found: Sequence[Sequence[Any]], expected: Mapping[str, Sequence[float]]) -> None:
    """To 1e-12 of themselves, and of 1 where they are less."""
    columns = [*zip(*found, strict=True)]
    assert len(columns) == len(expected)
    for column, numbers in zip(columns, expected.values(), strict=True):
        assert list(column) == pytest.approx(list(numbers), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_those_of_predict(name: str, tmp_path: Path, in_duckdb: InDuckDB) -> None:
    document = trained(MODELS[name])
    expected = predicted(document, tmp_path)
    text = export(document, "result.json", "python")
    found = of_rows(text, ROWS)
    same([list(row.values()) if isinstance(row, dict) else [row] for row in found], expected)
    if len(expected) > 1:
        assert list(found[0]) == list(expected)
    if name in NO_SQL:
        with pytest.raises(UserError, match="SQL has no erf, which gelu is made of"):
            export(document, "result.json", "sql")
        return
    query = export(document, "result.json", "sql")
    same(in_sqlite(query, ROWS), expected)
    same(in_duckdb(query, ROWS), expected)


# Of each: what tells the groups, and what is fitted.
GROUPED: dict[str, tuple[str, dict[str, Any]]] = {
    "a formula": ("city", {"fit": "y = a*exp(b*x) - c", "params": {"c": {"start": -0.5, "fixed": True}}}),
    "one parameter": ("city", {"fit": "y = -a*x^2"}),
    "by a number": ("half", {"fit": "y = a*x + b"}),
    "by truth": ("odd", {"fit": "y = a*x + b"}),
    "by a column that predicts": ("odd", regressed(["x", "half"])),
    "tied": ("sex", {"fit": "y = a*x + b", "params": {"b": {"expr": "a^2"}}, "data": {"offset": "z"}}),
    "parameters called as columns": ("sex", regressed(["x", "n"])),
    "levels": ("odd", regressed(["sex", "x:sex", "log(n)"])),
    "the same column of text": ("city", regressed(["city", "x"])),
    "targets": ("city", regressed(["x"], ["y", "z"])),
    "classes": ("sex", regressed(["x"], "kind", loss="softmax")),
    "counts": ("sex", regressed(["x"], "count", loss="poisson")),
    "hidden": ("sex", regressed(["x", "city"], model={"hidden": [3, 2]})),
}
IN_GROUPS = ROWS.with_columns(half=pl.col("n") % 2 + 0.5, odd=pl.col("n") % 2 == 1)


def trained_in_groups(name: str, rows: pl.DataFrame = IN_GROUPS) -> dict[str, Any]:
    by, experiment = GROUPED[name]
    document: dict[str, Any] = json.loads(json.dumps(gdtrain.groups(experiment, by, data=rows).to_dict()))
    return document


@pytest.mark.parametrize("name", GROUPED)
def test_each_row_has_the_numbers_of_its_group(name: str, tmp_path: Path, in_duckdb: InDuckDB) -> None:
    document = trained_in_groups(name)
    expected = predicted(document, tmp_path, IN_GROUPS)
    query, text = (export(document, "result.json", language) for language in ("sql", "python"))
    found = of_rows(text, IN_GROUPS)
    same([list(row.values()) if isinstance(row, dict) else [row] for row in found], expected)
    same(in_sqlite(query, IN_GROUPS.with_columns(pl.col("odd").cast(pl.Int64))), expected)
    same(in_duckdb(query, IN_GROUPS), expected)


def test_dates_tell_groups_too(tmp_path: Path, in_duckdb: InDuckDB) -> None:
    """Those of the database's own type, against the texts of the table that was trained on."""
    days = IN_GROUPS.with_columns(city=pl.Series(["2024-01-02", "2024-01-03"] * 4))
    document = trained_in_groups("a formula", days)
    expected = predicted(document, tmp_path, days)
    same(in_duckdb(export(document, "r", "sql"), days.with_columns(pl.col("city").str.to_date())), expected)


def test_a_group_without_a_fit_is_null_and_named(in_duckdb: InDuckDB) -> None:
    """One that training had not, one whose fit diverged, and a cell that is missing."""
    document = trained_in_groups("a formula")
    document["trials"][0]["verdict"]["status"] = "diverged"
    lost = IN_GROUPS[:3].with_columns(city=pl.Series(["Oslo", "O'Hare", None]))
    query, text = (export(document, "r", language) for language in ("sql", "python"))
    assert in_sqlite(query, lost.drop("odd")) == in_duckdb(query, lost) == [(None,)] * 3
    assert math.isnan(of_rows(text, lost[2:])[0])
    for row, name in ((0, "Oslo"), (1, "O'Hare")):
        with pytest.raises(AssertionError, match=f"KeyError: .{name}"):
            of_rows(text, lost[row : row + 1])


def test_latex_shows_one_fit() -> None:
    with pytest.raises(UserError, match="a formula shows the fit of one group; save one of its `trials` alone, or"):
        export(trained_in_groups("a formula"), "r", "latex")


@pytest.mark.parametrize("name", MODELS)
def test_latex_is_balanced(name: str) -> None:
    text = export(trained(MODELS[name]), "result.json", "latex")
    for opening, closing in (("{", "}"), (r"\left", r"\right"), (r"\begin{", r"\end{")):
        assert text.replace(r"\{", "").count(opening) == text.replace(r"\}", "").count(closing), text


def test_erf_stands_in_python_alone(tmp_path: Path) -> None:
    document = trained(fitted("y = w*erf(x) + v"))
    text = export(document, "result.json", "python")
    same([[row] for row in of_rows(text, ROWS)], predicted(document, tmp_path))
    with pytest.raises(UserError, match="SQL has no erf") as caught:
        export(document, "result.json", "sql")
    assert caught.value.remedy == "export it --to python"


def test_what_is_missing_is_null_and_nan(in_duckdb: InDuckDB) -> None:
    """In any column that is needed; a text that is no level too, which Python names."""
    document = trained(MODELS["interactions"])
    query, text = (export(document, "r", language) for language in ("sql", "python"))
    gaps = pl.DataFrame(
        [{**ROWS.row(0, named=True), name: None} for name in ("x", "n", "city", "sex")], schema=ROWS.schema
    )
    assert in_sqlite(query, gaps) == in_duckdb(query, gaps) == [(None,)] * 4
    assert all(math.isnan(each) for each in of_rows(text, gaps))
    lost = ROWS[:1].with_columns(city=pl.lit("Oslo"))
    assert in_sqlite(query, lost) == in_duckdb(query, lost) == [(None,)]
    with pytest.raises(AssertionError, match="KeyError: 'Oslo'"):
        of_rows(text, lost)


def test_an_unseen_level_is_the_reference_where_training_said_so(tmp_path: Path, in_duckdb: InDuckDB) -> None:
    document = trained(MODELS["unseen"])
    lost = ROWS[:2].with_columns(city=pl.Series(["Oslo", None]))
    expected = predicted(document, tmp_path, lost[:1])
    query, text = (export(document, "r", language) for language in ("sql", "python"))
    for found in (in_sqlite(query, lost), in_duckdb(query, lost)):
        same(found[:1], expected)
        assert found[1] == (None,)
    same([of_rows(text, lost[:1])], expected)


def test_a_missing_number_is_filled_as_in_training(tmp_path: Path, in_duckdb: InDuckDB) -> None:
    gaps = ROWS.with_columns(n=pl.Series([1, None, 3, 7, None, 2, 4, 6]))
    experiment = regressed(["n", "x"], data={"missing": "mean"})
    document = json.loads(json.dumps(gdtrain.run(experiment, data=gaps).to_dict()))
    expected = predicted(document, tmp_path, gaps)
    query, text = (export(document, "r", language) for language in ("sql", "python"))
    same(in_sqlite(query, gaps), expected)
    same(in_duckdb(query, gaps), expected)
    same([[row] for row in of_rows(text, gaps)], expected)


def test_many_columns(tmp_path: Path, in_duckdb: InDuckDB) -> None:
    """More terms than parsers nest: 1,500 weights of as many columns."""
    wide = pl.DataFrame(
        {f"c{i}": [math.sin(i * k + 1) for k in range(4)] for i in range(1500)} | {"y": [1.0, 2.0, 3.0, 5.0]}
    )
    document = json.loads(json.dumps(gdtrain.regress(wide, "y", epochs=2).to_dict()))
    expected = predicted(document, tmp_path, wide)
    query, text = (export(document, "r", language) for language in ("sql", "python"))
    same(in_sqlite(query, wide), expected)
    same(in_duckdb(query, wide), expected)
    same([[row] for row in of_rows(text, wide)], expected)


def test_layers_that_would_be_too_long_in_sql() -> None:
    document = trained(regressed(["x", "n"], model={"hidden": [40, 40, 40], "activation": "relu"}, train={"epochs": 0}))
    with pytest.raises(UserError, match="more than 1,000,000 characters"):
        export(document, "r", "sql")


HOSTILE = [
    'x"; DROP TABLE t; --',
    "*/ x",
    "import os\nos.abort()",
    "'''",
    '"""',
    "class",
    "math",
    "__debug__",
    "1x",
    "Ünïcode ½",
    "\\",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_names(name: str, in_duckdb: InDuckDB) -> None:
    """As columns and as levels: nothing of them is run, and columns of like names stay apart."""
    rows = pl.DataFrame({name: [1.0, 2.0, 3.0, 4.0], "c": [name, "b", "b", name], "y": [1.0, 3.0, 2.0, 5.0]})
    experiment = {"regress": {"target": "y", "features": [name, "c"]}, "train": {"epochs": 5}, "predict": "data"}
    document = json.loads(json.dumps(gdtrain.run(experiment, data=rows).to_dict()))
    expected = {"prediction": [each["after"] for each in document["predictions"]]}
    query, text = (export(document, "r", language) for language in ("sql", "python"))
    same([[each] for each in in_python(text, rows.select(name, "c").rows())], expected)
    same(in_sqlite(query, rows), expected)
    same(in_duckdb(query, rows), expected)


def test_columns_that_are_called_as_what_is_worked_out(tmp_path: Path) -> None:
    taken = {"x": "eta1", "n": "hidden1[1]", "sex": "hidden1_1"}
    rows = ROWS.rename(taken)
    experiment = regressed([*taken.values()], "kind", loss="softmax", model={"hidden": [2]})
    document = json.loads(json.dumps(gdtrain.run(experiment, data=rows).to_dict()))
    query, text = (export(document, "r", language) for language in ("sql", "python"))
    expected = predicted(document, tmp_path, rows)
    same(in_sqlite(query, rows), expected)
    same([[*row.values()] for row in of_rows(text, rows)], expected)


SHOWN = [
    (fitted("y = w*x + v", train={"epochs": 0, "lr": 1}), "python", "    return 0.7*x - 0.3\n"),
    (fitted("y = w*x^2 - 1", params={"w": 2.5}, train={"epochs": 0, "lr": 1}), "python", "    return 2.5*x**2 - 1.0\n"),
    (
        fitted("y = w*x", params={"w": 2.5}, train={"epochs": 0, "lr": 1}),
        "sql",
        '2.5e0*CAST("x" AS DOUBLE PRECISION)\n',
    ),
    (
        fitted("y = w*exp(-v*x)", train={"epochs": 0, "lr": 1}),
        "latex",
        "\\widehat{y} = 0.7 \\, e^{0.3 \\, x}\n",
    ),
    (
        fitted("y = w*x/n", train={"epochs": 0, "lr": 1}, params={"w": 1.5e-7}),
        "latex",
        "\\widehat{y} = \\frac{1.5 \\cdot 10^{-7} \\, x}{n}\n",
    ),
]


# What can be read in one way alone: numbers side by side, powers of what is no single sign, names that are alike.
UNAMBIGUOUS = [
    ("2*w*x", r"2 \cdot 0.7 \, x"),
    ("w*2^x", r"0.7 \cdot 2^{x}"),
    ("w*2e-7*x", r"0.7 \, (2 \cdot 10^{-7}) \, x"),
    ("2e-7^x*w", r"\left(2 \cdot 10^{-7}\right)^{x} \cdot 0.7"),
    ("w*(x/n)^2", r"0.7 \, \left(\frac{x}{n}\right)^{2}"),
    ("w*log(n)^2", r"0.7 \, \left(\ln\left(n\right)\right)^{2}"),
    ("w*x1 + x_1", r"0.7 \, x_{1} + \mathrm{x\_1}"),
    ("w*`a b` + ab", r"0.7 \, \text{a b} + \mathrm{ab}"),
    ("w*`a-b^2`", r"0.7 \, \text{a-b\textasciicircum{}2}"),
]


@pytest.mark.parametrize(("formula", "expected"), UNAMBIGUOUS)
def test_latex_is_read_in_one_way(formula: str, expected: str) -> None:
    names = ("x", "n", "x1", "x_1", "a b", "ab", "a-b^2", "y")
    rows = {name: [1.0, 2.0, 3.0] for name in names}
    experiment = fitted(f"y = {formula}", params={"w": 0.7}, train={"epochs": 0, "lr": 1})
    document = json.loads(json.dumps(gdtrain.run(experiment, data=rows).to_dict()))
    assert export(document, "r", "latex") == f"\\widehat{{y}} = {expected}\n"


@pytest.mark.parametrize(("experiment", "language", "ending"), SHOWN)
def test_texts(experiment: Json, language: str, ending: str) -> None:
    assert export(trained(experiment), "r", language).endswith(ending)
