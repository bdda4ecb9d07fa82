"""Frames as they come, to a file, and what it holds when it is read again."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gdtrain.errors import UserError
from gdtrain.prediction import Rows, form_of, writer, writers

FRAMES = [
    pl.DataFrame({"id": ["007", None], "n": ["1", "-2"], "x": ["1.5", "2"], "p": [0.1, 1e-300]}),
    pl.DataFrame({"id": ["8", "a,b"], "n": [None, "30"], "x": ["-1e3", None], "p": [-1.0, 2 / 3]}),
]
WHOLE = pl.DataFrame(
    {
        "id": ["007", None, "8", "a,b"],
        "n": [1, -2, None, 30],
        "x": [1.5, 2.0, -1e3, None],
        "p": [0.1, 1e-300, -1, 2 / 3],
    }
)


def written(form: str, frames: list[pl.DataFrame]) -> bytes:
    file = io.BytesIO()
    with writer(form, file) as rows:
        for frame in frames:
            rows.write(Rows(None, frame))
    return file.getvalue()


def test_csv_is_text_as_it_was_read() -> None:
    text = 'id,n,x,p\n007,1,1.5,0.1\n,-2,2,1e-300\n8,,-1e3,-1.0\n"a,b",30,,0.6666666666666666\n'
    assert written("csv", FRAMES).decode() == text


@pytest.mark.parametrize("part", [1, 1 << 26], ids=["in parts", "at once"])
def test_parquet_has_types(part: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Parts lie in a temporary folder, of which nothing is left."""
    monkeypatch.setattr(writers, "_PART", part)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = pl.read_parquet(written("parquet", FRAMES))
    assert found.equals(WHOLE) and found.schema == WHOLE.schema
    assert list(tmp_path.iterdir()) == []


def test_ndjson_has_types() -> None:
    assert pl.read_ndjson(written("ndjson", FRAMES)).equals(WHOLE)


def test_a_cell_of_another_kind_than_the_first_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(writers, "_PART", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    frames = [pl.DataFrame({"id": ["1"]}), pl.DataFrame({"id": ["x7"]})]
    with pytest.raises(UserError, match="'x7' is of another kind than the first rows; write CSV"):
        written("parquet", frames)
    assert list(tmp_path.iterdir()) == []
    assert written("csv", frames) == b"id\n1\nx7\n"


OTHERS: dict[str, tuple[list[Any], list[Any], str]] = {
    "a fraction, where numbers were whole": ([1, 2], [3.0, 4.5], "4.5"),
    "a number, where there was true": ([True], [7], "7"),
    "true, where numbers were": ([1], [True], "True"),
    "text, where there was true": ([True], ["true"], "'true'"),
    "text, where numbers were": ([1], ["2", "x"], "'x'"),
    "digits of another script": (["1"], ["\u0661\u0662"], "'\u0661\u0662'"),
    "a list, where numbers were": ([1], [[1]], r"\[1\]"),
}


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
@pytest.mark.parametrize("name", OTHERS)
def test_no_cell_becomes_another_value(name: str, form: str) -> None:
    first, then, shown = OTHERS[name]
    with pytest.raises(UserError, match=f"^--keep, column id: {shown} is of another kind than the first rows; "):
        written(form, [pl.DataFrame({"id": first}), pl.DataFrame({"id": then})])


def test_cells_that_lose_nothing_take_the_type_of_the_first_rows() -> None:
    for first, then, all_ in (
        ([1, None], [2.0], [1, None, 2]),
        ([0.5], [2, None], [0.5, 2, None]),
        (["a"], [2], ["a", "2"]),
        ([None], [True], [None, "true"]),
        (["\u0661"], ["2"], ["\u0661", "2"]),
        ([1.0], [float("nan")], [1.0, None]),
    ):
        found = written("ndjson", [pl.DataFrame({"id": first}), pl.DataFrame({"id": then})])
        assert pl.read_ndjson(found)["id"].to_list() == all_, (first, then)


UNFIT: dict[str, tuple[list[Any], pl.DataType, str]] = {
    "lists": ([[1, 2], [3]], pl.List(pl.Int64), "csv"),
    "structs": ([{"a": 1}, {"a": 2}], pl.Struct({"a": pl.Int64}), "csv"),
    "durations": ([1, 2], pl.Duration("us"), "csv"),
    "bytes": ([b"a", b"\xff"], pl.Binary(), "csv"),
    "bytes as objects": ([b"a", b"\xff"], pl.Binary(), "ndjson"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_a_format_cannot_hold_is_refused(name: str) -> None:
    """Parquet holds it as it is."""
    values, dtype, form = UNFIT[name]
    frame = pl.DataFrame([pl.Series("odd", values, dtype), pl.Series("p", [1.0, 2.0])])
    with pytest.raises(UserError, match=f"column odd: {form.upper()} cannot hold .*; write Parquet"):
        written(form, [frame])
    assert pl.read_parquet(io.BytesIO(written("parquet", [frame]))).equals(frame)


@pytest.mark.parametrize(
    ("path", "form", "found"),
    [
        (None, None, "csv"), ("a.csv", None, "csv"), ("a.CSV", None, "csv"), ("a.jsonl", None, "ndjson"),
        ("a.pq", None, "parquet"), ("a", None, "csv"), ("a.txt", "csv", "csv"), ("/dev/null", None, "csv"),
    ],
)  # fmt: skip
def test_formats(path: str | None, form: str | None, found: str) -> None:
    assert form_of(path, form) == found
