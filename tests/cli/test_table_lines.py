"""Regression on tables, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command

TABLE = """\
city,price,day,mixed,fee,sales
Rome,1,2024-01-01,1,2,3
Oslo,2,2024-01-02,a,1,5
Rome,3,2024-01-03,3,4,8
Oslo,4,2024-01-04,4,1,
Rome,5,2024-01-05,5,1,9
"""


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "whole.csv").write_text("".join(line + "\n" for line in TABLE.split("\n") if line[-1:] != ","))


def test_features_of_any_kind_in_a_line(gdtrain: Command) -> None:
    features = "city,log(price),max(price, fee),ratio = price/fee"
    found = gdtrain("regress", "whole.csv", "--target", "sales", "--features", features, "--format", "json")
    named = ["city[Rome]", "log(price)", "max(price, fee)", "ratio", "intercept"]
    assert list(found.document["params"]) == named
    assert found.document["data"]["columns"] == ["city", "price", "fee", "sales"]


def test_what_is_predicted_from_text(gdtrain: Command) -> None:
    line = ("regress", "whole.csv", "--target", "sales", "--features", "city", "--predict", "city=Oslo")
    found = gdtrain(*line, "--epochs", "100", "--format", "json").document
    assert found["predictions"][0]["inputs"] == {"city": "Oslo"}
    assert found["predictions"][0]["after"] == pytest.approx(5.0)
    assert "Oslo" in gdtrain(*line, "--format", "plain").out


def test_missing_rows_are_told_on_stderr(gdtrain: Command) -> None:
    line = ("regress", "t.csv", "--target", "sales", "--features", "price", "--set", "data.missing=drop")
    told = "warning: t.csv: 1 of 5 rows have a missing value, dropped: 1 without sales (row 4)\n"
    assert gdtrain(*line, "--get", "price").err == told
    document = gdtrain(*line, "--format", "json").document
    assert document["data"]["rows"] == 4
    assert document["data"]["missing"] == {"rule": "drop", "rows": 1, "columns": {"sales": 1}, "first_rows": [4]}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--features", "citi"], 2, "--features: there is no column citi; did you mean city?"),
        (["--features", "log(prise)"], 2, "--features: there is no column prise; did you mean price?"),
        (["--features", "log(price"], 2, "--features: this ( is not closed; close it"),
        (["--features", "log(city)"], 2, "--features: city is text, and log(city) calculates"),
        (["--features", "day"], 3, "whole.csv, line 2, column day: '2024-01-01' is a date, not a number"),
        (["--features", "mixed"], 3, "whole.csv, line 3, column mixed: 'a' is not a number"),
        ([], 3, "whole.csv, column day: dates are no numbers; name the features: --features city,price,mixed,fee"),
        (["--features", "price", "--set", "data.missing=fill"], 2, "--set: missing must be error, drop or mean"),
        (["--features", "price", "--set", "data.na_values=NA"], 2, "na_values is not a key of data; did you mean"),
        (["--features", "price", "--set", "data.sample_weight=fe"], 2, "--set: there is no column fe; did you mean"),
        (["--features", "city", "--predict", "city=Rom"], 2, "--predict: Rom is no level of city; did you mean Rome?"),
        (["--features", "city", "--predict", "city=5"], 2, "5 is no level of city; the levels are Oslo, Rome"),
    ],
)  # fmt: skip
def test_refused(gdtrain: Command, words: list[str], code: int, message: str) -> None:
    found = gdtrain("regress", "whole.csv", "--target", "sales", *words)
    assert message in found.err
    assert (found.code, found.out) == (code, "")


def test_check_tells_the_columns_of_the_design(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(
        "regress: {target: sales, features: [city, {name: half, expr: price/2}]}\n"
        "data: {path: t.csv, missing: drop}\nparams: {'city[Rome]': 1.0}\n"
    )
    written = gdtrain("check", "e.yaml").out
    assert "features: [city, half = price/2]" in written
    told = gdtrain("check", "--data", "e.yaml").out
    assert "city[Rome]: 0 to 1, mean 0.75" in told
    assert "half: 0.5 to 2.5" in told


def test_a_sweep_over_features(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "regress: {target: sales, features: [price]}\ndata: {path: t.csv, missing: drop}\n"
        "sweep: {regress.features: [[city], ['r = price/fee'], ['r = price*fee']], data.missing: [drop]}\n"
    )
    document = gdtrain("sweep", "s.yaml", "--format", "json").document
    alone = [
        gdtrain("run", "s.yaml", "--set", f"regress.features={feature}", "--format", "json").document
        for feature in ("city", "r = price/fee", "r = price*fee")
    ]
    found = [trial["loss"]["final"] for trial in document["trials"]]
    assert found == pytest.approx([one["loss"]["final"] for one in alone])
    assert len(set(found)) == 3
