from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from gdtrain.errors import DATA, USAGE, UserError
from gdtrain.sources import Column, open_source

FRAMES: dict[str, Any] = {
    "lists": {"x": [1, 2.5], "y": [3, 4]},
    "arrays": {"x": np.array([1, 2.5], dtype=np.float32), "y": np.array([3, 4], dtype=np.uint8)},
    "decimals": {"x": [Decimal(1), Decimal("2.5")], "y": (3, 4)},
    "polars": pl.DataFrame({"x": [1.0, 2.5], "y": [3, 4]}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames(name: str) -> None:
    source = open_source(frame=FRAMES[name])
    assert source.columns == [Column("x", "number", 0), Column("y", "number", 0)]
    values = source.read(["y", "x"])
    assert {name: column.tolist() for name, column in values.items()} == {"y": [3.0, 4.0], "x": [1.0, 2.5]}
    assert all(column.dtype == np.float64 and column.flags.writeable for column in values.values())
    assert [block["x"].tolist() for block in source.blocks(["x"], size=1)] == [[1.0], [2.5]]


def test_pandas() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"x": [1, 2.5], "n": pd.array([1, None], dtype="Int64"), "t": ["a", "b"]})
    source = open_source(frame=frame)
    assert source.columns == [Column("x", "number", 0), Column("n", "number", 1), Column("t", "text", 0)]
    assert source.read(["x"])["x"].tolist() == [1.0, 2.5]
    with pytest.raises(UserError, match="the data, row 2, column n"):
        source.read(["n"])


def test_the_data_given_is_not_shared() -> None:
    given = np.array([1.0, 2.0])
    open_source(frame={"x": given}).read(["x"])["x"][0] = 7
    assert given[0] == 1.0


def test_a_reader_that_will_not_write_gets_the_data_given_without_a_copy() -> None:
    given = np.array([1.0, 2.0, 3.0])
    read = open_source(frame={"x": given, "reversed": given[::-1], "whole": [1, 2, 3]}).read
    shared = read(["x", "reversed", "whole"], copy=False)
    assert shared["x"] is given
    assert shared["reversed"].tolist() == [3.0, 2.0, 1.0] and shared["reversed"].strides == (8,)
    assert shared["whole"].dtype == np.float64
    with pytest.raises(UserError, match="no column z"):
        read(["z"], copy=False)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "data.columns: there are no columns"),
        ({"x": [1, 2], "y": [1]}, "data.columns: column y has 1 rows, column x has 2"),
        ({"x": [1, "2"]}, "data.columns, row 2, column x: '2' is text, not a number"),
        ({"x": [1, "a"]}, "data.columns, row 2, column x: 'a' is text, not a number"),
        ({"x": ["a", "b"]}, "data.columns, row 1, column x: 'a' is text, not a number"),
        ({"x": [1, None]}, "data.columns, row 2, column x: the cell is empty"),
        ({"x": [1.0, float("nan")]}, "data.columns, row 2, column x: 'nan' is not a number (NaN)"),
        ({"x": [1.0, float("inf")]}, "data.columns, row 2, column x: 'inf' is not finite"),
        ({"x": [1, 10**5000]}, "data.columns, row 2, column x: 'inf' is not finite"),
        ({"x": [True, None, 1]}, "data.columns, row 1, column x: 'True' is not a number; write 1 or 0"),
        ({"x": [dt.date(2024, 1, 31)]}, "data.columns, row 1, column x: '2024-01-31' is a date"),
        ({"x": [[1, 2], [3, 4]]}, "data.columns, column x: is not one number a row, but of shape (2, 2)"),
        ({"x": [[1, 2], [3]]}, "data.columns, column x: is not a list of numbers"),
        ({"x": 5}, "data.columns, column x: is not one number a row"),
        ({"x": []}, "data.columns: there are no rows"),
        ({1: [1]}, "data.columns: column 1 is not named by text"),
        ({"xs": [1]}, "data.columns: there is no column x"),
    ],
)
def test_bad_columns(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        open_source(columns=columns).read(["x"])
    assert message in str(caught.value)
    assert caught.value.code == DATA


def test_kinds() -> None:
    columns = {
        "n": [1, None],
        "b": [True, False],
        "d": [dt.date(2024, 1, 31), None],
        "s": np.array(["2024-01-31", "2024-02-01"], dtype="datetime64[D]"),
        "t": ["a", None],
        "m": [1, "a"],
        "o": [None, None],
    }
    found = [(column.name, column.kind, column.gaps) for column in open_source(columns=columns).survey()]
    assert found == [
        ("n", "number", 1),
        ("b", "bool", 0),
        ("d", "date", 1),
        ("s", "date", 0),
        ("t", "text", 1),
        ("m", "mixed", 0),
        ("o", "empty", 2),
    ]


@pytest.mark.parametrize("places", [{}, {"path": "a.csv", "columns": {"x": [1]}}])
def test_data_comes_from_one_place(places: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="exactly one place") as caught:
        open_source(**places)
    assert caught.value.code == USAGE


def test_what_is_loaded_when() -> None:
    """Neither numpy nor polars for a name; no polars for columns in memory."""
    code = """
import sys
from gdtrain.sources import open_source
assert not {"numpy", "polars", "torch"} & set(sys.modules)
open_source(columns={"x": [1, 2]}).read(["x"])
assert not {"polars", "torch"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
