"""A fit for each group, from the command line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.cli.conftest import Command

TABLE = """\
city,year,open,day,gappy,x,y
Paris,2001,true,2024-01-02,a,1,2.1
Paris,2001,false,2024-01-02,a,2,3.9
Rome,2002,true,2024-01-01,b,1,1
Paris,2001,true,2024-01-02,b,3,6.2
Rome,2002,true,2024-01-01,,2,1.4
Rome,2002,false,2024-01-01,b,3,2.3
Rome,2002,false,2024-01-01,b,4,2.2
Oslo,2002.5,true,2024-01-03,a,1,5
"""
LINE = ("fit", "y = a*x + b", "t.csv", "--group-by", "city")
FILE = "fit: y = a*x + b\ndata: {path: t.csv, group_by: city}\n"


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "e.yaml").write_text(FILE)
    (tmp_path / "e.csv").write_text("".join(f"{c},{x},{y}\n" for c, *_, x, y in csv.reader(TABLE.split())))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_for_each_group(gdtrain: Command) -> None:
    found = gdtrain(*LINE, "--format", "csv")
    assert found.code == 0 and found.err == ""
    assert found.out.partition("\n")[0] == (
        "city,rows,verdict,epochs,loss,a,b,std_error.a,low.a,high.a,std_error.b,low.b,high.b"
    )
    oslo, paris, rome = rows(found.out)
    assert [row["city"] for row in (oslo, paris, rome)] == ["Oslo", "Paris", "Rome"]
    assert float(rome["a"]) == pytest.approx(0.45) and float(rome["std_error.a"]) == pytest.approx(0.132287566)
    assert oslo["std_error.a"] == "" and oslo["rows"] == "1"
    assert float(paris["low.a"]) < float(paris["a"]) < float(paris["high.a"])


@pytest.mark.parametrize("style", ["table", "plain", "md"])
def test_styles(gdtrain: Command, style: str) -> None:
    found = gdtrain(*LINE, "--format", style).out
    assert "3 groups by city" in found
    assert "a std error" in found
    assert "3 groups: 3 converged" in found
    assert "no standard errors where city = Oslo: 1 row cannot determine 2 parameters" in found


def test_many_groups_do_not_flood(gdtrain: Command, tmp_path: Path) -> None:
    lines = ["g,x,y", *(f"{g},{x},{g * x + x % 2}" for g in range(150) for x in range(4))]
    (tmp_path / "many.csv").write_text("\n".join(lines) + "\n")
    line = ("fit", "y = a*x + b", "many.csv", "--group-by", "g")
    shown = gdtrain(*line, "--format", "plain").out
    assert "the first 20 of 150 groups; --top N shows more, --format csv all of them" in shown
    assert len(shown.splitlines()) < 30
    assert len(rows(gdtrain(*line, "--format", "csv").out)) == 150
    assert len(rows(gdtrain(*line, "--format", "csv", "--top", "3").out)) == 3
    assert len(gdtrain(*line, "--format", "json", "--top", "2").document["trials"]) == 2


def test_a_file_and_a_line_say_the_same(gdtrain: Command) -> None:
    line, file = gdtrain(*LINE, "--format", "csv").out, gdtrain("run", "e.yaml", "--format", "csv").out
    assert line == file == gdtrain("run", "e.yaml", "--format", "csv").out
    assert "group_by: city" in gdtrain(*LINE, "--print-config").out


def test_the_document(gdtrain: Command) -> None:
    document = gdtrain(*LINE, "--format", "json").document
    assert document["schema"] == "gdtrain.groups/1" and document["group_by"] == "city" and document["count"] == 3
    assert [trial["group"] for trial in document["trials"]] == [{"city": "Oslo"}, {"city": "Paris"}, {"city": "Rome"}]
    rome = document["trials"][2]
    assert rome["params"]["a"]["std_error"] == pytest.approx(0.132287566)
    assert rome["data"]["rows"] == 4 and rome["schema"] == "gdtrain.result/1"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("year", ["2001", "2002", "2002.5"]),
        ("open", ["false", "true"]),
        ("day", ["2024-01-01", "2024-01-02", "2024-01-03"]),
    ],
)
def test_columns_of_any_kind(gdtrain: Command, column: str, expected: list[str]) -> None:
    found = gdtrain("fit", "y = a*x", "t.csv", "--group-by", column, "--format", "csv")
    assert [row[column] for row in rows(found.out)] == expected


def test_missing_groups(gdtrain: Command) -> None:
    line = ("fit", "y = a*x", "t.csv", "--group-by", "gappy", "--format", "csv")
    refused = gdtrain(*line)
    assert refused.code == 3
    assert refused.err.startswith(
        "t.csv, line 6, column gappy: the cell is empty; fill it in, or set data.missing: drop"
    )
    dropped = gdtrain(*line, "--set", "data.missing=drop")
    assert [row["rows"] for row in rows(dropped.out)] == ["3", "4"]
    assert "1 of 8 rows have a missing value, dropped: 1 without gappy (row 5)" in dropped.err


def test_values_alone(gdtrain: Command) -> None:
    values = [float(line) for line in gdtrain(*LINE, "--get", "a").out.splitlines()]
    assert values[1:] == pytest.approx([2.05, 0.45])
    assert gdtrain(*LINE, "--get", "aa").code == 2
    some = gdtrain(*LINE, "--get", "params.a.std_error")
    assert some.out.splitlines()[0] == "nan" and float(some.out.splitlines()[2]) == pytest.approx(0.132287566)
    assert some.err.startswith("note: 1 of 3 groups have no params.a.std_error, nan here: ")
    none = gdtrain("fit", "y = a*x + b", "t.csv", "--group-by", "y", "--get", "params.a.std_error")
    assert (none.code, none.out) == (2, "")
    assert none.err.startswith("there is no params.a.std_error: 1 row cannot determine")


def test_expectations_are_of_every_group(gdtrain: Command) -> None:
    met = gdtrain(*LINE, "--expect", "a > 0.4", "--expect", "verdict = converged", "--quiet", "--format", "csv")
    assert met.code == 0
    assert met.err == "pass: a > 0.4 (in 3 groups)\npass: verdict = converged (in 3 groups)\n"
    failed = gdtrain(*LINE, "--expect", "a > 2", "--format", "csv")
    assert failed.code == 1
    assert failed.err == "fail: a > 2 (not in 1 of 3 groups: city = Rome: a = 0.45)\n"


def test_exit_codes(gdtrain: Command) -> None:
    assert gdtrain(*LINE, "--lr", "0.17", "--epochs", "500", "--format", "csv").code == 0  # Rome diverges
    lost = gdtrain(*LINE, "--lr", "100", "--format", "plain")
    assert lost.code == 4
    assert "city = Oslo diverged: " in lost.out


def test_every_row_is_predicted_by_its_group(gdtrain: Command) -> None:
    document = gdtrain(*LINE, "--predict", "data", "--format", "json").document
    assert [len(trial["predictions"]) for trial in document["trials"]] == [1, 3, 4]
    assert document["trials"][2]["predictions"][0]["after"] == pytest.approx(1.05)


def test_groups_among_features(gdtrain: Command) -> None:
    found = gdtrain("regress", "t.csv", "--target", "y", "--features", "x", "--group-by", "city", "--format", "csv")
    assert float(rows(found.out)[2]["x"]) == pytest.approx(0.45)
    every = gdtrain("regress", "t.csv", "--target", "y", "--group-by", "year", "--set", "regress.features=[x, open]")
    assert every.code == 0
    others = gdtrain("regress", "e.csv", "--target", "y", "--group-by", "city", "--format", "json").document
    assert [*others["trials"][0]["params"]] == ["x", "intercept"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--holdout", "0.2"], "--holdout: split holds rows out, and group_by fits each group to all rows of it"),
        (["--predict", "x=3"], "--predict: each group has parameters of its own, and a point is of none"),
        (["--predict", "t.csv"], "--predict: each group has parameters of its own, and only the rows of the data"),
        (["--set", "data.missing=mean"], "--set: mean would fill gaps of one group from others"),
        (["--starts", "3"], "--group-by: each group is a problem of its own"),
        (["--group-by", "citi"], "--group-by: there is no column citi; did you mean city?"),
        (["--out", "kept"], "out: a folder keeps one run, and each group is one"),
        (["--checkpoint", "3"], "checkpoint: groups have no folder to be saved in; leave it out"),
    ],
)
def test_what_does_not_go_with_groups(gdtrain: Command, words: list[str], message: str) -> None:
    found = gdtrain(*LINE, *words)
    assert found.code == 2
    assert found.err.startswith(message), found.err


def test_what_there_is_to_fit(gdtrain: Command) -> None:
    told = gdtrain("check", "e.yaml", "--data").out
    assert "# rows: 8\n# groups by city: 3, of 1 to 4 rows each\n# x: 1 to 4, mean 2.125\n" in told


def test_other_verbs(gdtrain: Command) -> None:
    swept = gdtrain("sweep", "e.yaml", "--lr", "0.1,0.2")
    assert swept.code == 2 and "e.yaml:2:31: each group is a problem of its own" in swept.err
    least = gdtrain("minimize", "mean((y - a)^2)", "t.csv", "--group-by", "city")
    assert least.code == 2 and "minimize has no group_by" in least.err
    assert "there is one trial" in gdtrain("fit", "y = a*x", "t.csv", "--top", "3").err
    regress = gdtrain("regress", "t.csv", "--target", "city", "--group-by", "city")
    assert regress.code == 2 and "city is the target" in regress.err
