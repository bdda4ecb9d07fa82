"""The same table through every format, compression and way in; and what is wrong with files as files."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gdtrain.errors import DATA, USAGE, UserError
from gdtrain.sources import open_source

TABLE = pl.DataFrame({"x": [1.0, -2.5e-7, 3.0], "n": [1, 2, 3], "t": ["a", "b", None]})


def content(form: str) -> bytes:
    if form == "parquet":
        buffer = io.BytesIO()
        TABLE.write_parquet(buffer)
        return buffer.getvalue()
    if form == "ndjson":
        return TABLE.write_ndjson().encode()
    return TABLE.write_csv(separator="\t" if form == "tsv" else ",").encode()


def zstd(data: bytes, tmp_path: Path) -> bytes:
    """Python's library has no zstd before 3.14: polars packs for us."""
    path = tmp_path / "packed.zst"
    lines = pl.DataFrame({"line": data.decode().splitlines()})
    lines.write_csv(path, include_header=False, quote_style="never", compression="zstd")
    return path.read_bytes()


def check(source_path: str, stdin: io.BytesIO | None = None) -> None:
    source = open_source(path=source_path, stdin=stdin)
    assert source.names == ["x", "n", "t"]
    assert [column.kind for column in source.columns] == ["number", "number", "text"]
    for _ in range(2):
        values = source.read(["n", "x"])
        assert {name: column.tolist() for name, column in values.items()} == {
            "n": [1.0, 2.0, 3.0],
            "x": [1.0, -2.5e-7, 3.0],
        }
    assert source.read(["x"])["x"].flags.writeable
    assert [(c.kind, c.gaps) for c in source.survey()] == [("number", 0), ("number", 0), ("text", 1)]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("form", "packed"),
    [(form, packed) for form in ("csv", "tsv", "ndjson", "jsonl") for packed in ("", ".gz", ".zst")]
    + [("parquet", "")],
)
def test_every_format(tmp_path: Path, form: str, packed: str) -> None:
    data = content("ndjson" if form == "jsonl" else form)
    if packed:
        data = gzip.compress(data) if packed == ".gz" else zstd(data, tmp_path)
    named = tmp_path / f"A[1].{form.upper()}{packed}"
    named.write_bytes(data)
    check(str(named))
    unnamed = tmp_path / "table"
    unnamed.write_bytes(data)
    check(str(unnamed))
    check("-", stdin=io.BytesIO(data))


def test_long_standard_input_goes_to_a_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gdtrain.sources.origin._IN_MEMORY", 10)
    for limit in (-1, 1 << 20):
        monkeypatch.setattr("gdtrain.sources.origin._SMALL", limit)
        monkeypatch.setattr("gdtrain.sources.origin._SMALL_GZIP", limit)
        for form in ("csv", "ndjson", "parquet"):
            check("-", stdin=io.BytesIO(content(form)))
        check("-", stdin=io.BytesIO(gzip.compress(content("csv"))))
    monkeypatch.setattr("gdtrain.sources.origin._IN_MEMORY", 1000)
    with pytest.raises(UserError, match="NUL byte"), open("/dev/zero", "rb") as endless:
        open_source(path="-", stdin=endless)


def fails(message: str, path: Path | str, names: list[str], **options: object) -> None:
    with pytest.raises(UserError) as caught:
        open_source(path=str(path), **options).read(names)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert caught.value.code == DATA


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"x": "1.5", "y": 2}', "line 3, column x: '1.5' is text; write the number without quotes"),
        ('{"x": "abc", "y": 2}', "line 3, column x: 'abc' is not a number"),
        ('{"x": null, "y": 2}', "line 3, column x: is null"),
        ('{"y": 2}', "line 3, column x: the object has no such key"),
        ('{"x": true, "y": 2}', "line 3, column x: 'true' is not a number; write 1 or 0"),
        ('{"x": NaN, "y": 2}', "line 3, column x: 'nan' is not a number (NaN)"),
        ('{"x": -Infinity, "y": 2}', "line 3, column x: '-inf' is not finite"),
        ('{"x": 1e400, "y": 2}', "line 3, column x: 'inf' is not finite"),
        ('{"x": ' + "9" * 5000 + "}", "line 3, column x: 'inf' is not finite"),
        ('{"x": [1], "y": 2}', "line 3, column x: '[1.0]' is not a number"),
        ('{"x": 1, "y": 2', "line 3: not JSON"),
        ('{"x": 1, "x": 2}', "line 3: the key x appears twice"),
        ("[1, 2]", "line 3: not an object"),
        ('{"x": ' + "[" * 100_000, "line 3: nested too deeply"),
    ],
)
def test_bad_ndjson(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"x": 1, "y": 2}\n\n' + line + "\n")
    fails(message, path, ["x"])


@pytest.mark.usefixtures("way")
def test_bad_line_of_ndjson_beyond_the_sample(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text("\ufeff" + '{"x": 1, "y": 2}\n' * 2000 + '{"x": "1", "y": 3}\n')
    assert open_source(path=str(path)).read(["y"])["y"].tolist() == [2.0] * 2000 + [3.0]
    fails("line 2001, column x: '1' is text", path, ["x"])


def test_bad_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame(
        {
            "nan": [1.0, float("nan"), float("inf")],
            "gap": [1, 2, None],
            "text": ["a", "b", "c"],
            "flag": [True, False, True],
            "day": pl.Series([0, 1, 2]).cast(pl.Date),
            "money": pl.Series(["1.10", "2.20", "3.30"]).cast(pl.Decimal(10, 2)),
        }
    )
    frame.write_parquet(path)
    source = open_source(path=str(path))
    assert [c.kind for c in source.columns] == ["number", "number", "text", "bool", "date", "number"]
    assert [c.gaps for c in source.survey()] == [0, 1, 0, 0, 0, 0]
    assert source.read(["money"])["money"].tolist() == [1.1, 2.2, 3.3]
    fails("row 2, column nan: 'nan' is not a number (NaN)", path, ["gap", "nan"])
    fails("row 3, column gap: the cell is empty", path, ["gap"])
    fails("column text: the column holds text, not numbers", path, ["text"])
    assert source.read(["flag"])["flag"].tolist() == [1, 0, 1]
    fails("column day: the column holds dates or times", path, ["day"])
    fails("there is no column gaps; did you mean gap?", path, ["gaps"])
    frame.head(0).write_parquet(path)
    fails("there are no rows", path, ["gap"])
    path.write_bytes(path.read_bytes()[:100])
    fails("is not a readable Parquet file", path, ["gap"])


@pytest.mark.parametrize("size", [1, 2])
def test_rows_of_parquet_are_counted_over_blocks(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"x": [1.0, 2.0, 3.0, None]}).write_parquet(path)
    with pytest.raises(UserError, match="row 4, column x"):
        list(open_source(path=str(path)).blocks(["x"], size=size))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.parquet", b"x,y\n1,2\n", "holds no parquet data"),
        ("a.csv.gz", b"x,y\n1,2\n", "holds no gzip data, though its name says otherwise; name it a.csv"),
        ("a.csv", content("parquet"), "holds parquet data"),
        ("a.csv.zst", gzip.compress(b"x,y\n"), "holds gzip data"),
        ("a.parquet.gz", gzip.compress(content("parquet")), "a Parquet file inside gzip"),
        ("a.json", b'[{"x": 1}]', "is a JSON array; write one object a line"),
        (
            "a.csv.gz",
            gzip.compress(b"x,y\n" + os.urandom(5000).hex().encode())[:-100],
            "is broken or cut off",
        ),
        ("a.csv.gz", gzip.compress(b"x,y\n1,2\n")[:-4], "is broken or cut off"),
        ("a.csv.gz", gzip.compress(b"x\n1\n") + b"junk", "is broken or cut off"),
        ("a.csv.gz", gzip.compress(b"x\n1\n\xff\n"), "line 3: not UTF-8: byte 0xff at byte offset 4"),
    ],
)
def test_content_that_is_not_what_its_name_says(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    fails(message, tmp_path / name, ["x"])


def test_bad_zstd(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.zst"
    rows = "".join(f"{i},{i * i}\n" for i in range(3000))
    good = zstd(f"x,y\n{rows}1,oops\n".encode(), tmp_path)
    path.write_bytes(good)
    assert open_source(path=str(path)).read(["x"])["x"].size == 3001
    fails("line 3002, column y: 'oops' is not a number", path, ["y"])
    path.write_bytes(good[: len(good) // 2])
    fails("the zstd data is broken or cut off", path, ["y"])


def test_bad_paths(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("x\n1\n")
    fails("there is no such file; did you mean points.csv?", tmp_path / "point.csv", ["x"])
    fails("there is no such file; there is no folder", tmp_path / "no" / "points.csv", ["x"])
    fails("download it first", "https://example.org/points.csv", ["x"])
    fails("is a folder, not a file", tmp_path, ["x"])
    fails("is a device or a pipe, not a file; write path: - for standard input", "/dev/null", ["x"])
    fails("can't be opened", "a\0b", ["x"])
    fails("can't be opened", "a" * 5000, ["x"])
    (tmp_path / "empty.parquet").touch()
    fails("the file is empty", tmp_path / "empty.parquet", ["x"])
    fails("stdin: the file is empty", "-", ["x"], stdin=io.BytesIO(b""))
    fails("what it is called: there is no such file", tmp_path / "none", ["x"], where="what it is called")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x\n1\n")
    path.chmod(0)
    fails("the file may not be read; check its permissions", path, ["x"])


def test_text_options_for_other_formats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text('{"x": 1}\n')
    with pytest.raises(UserError, match=r"data\.comment is for delimited text") as caught:
        open_source(path=str(tmp_path / "a.ndjson"), comment="#")
    assert caught.value.code == USAGE


HEADS = [b"", b"PAR1", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"{", b'{"x":']


@given(st.sampled_from(HEADS), st.binary(max_size=100), st.sampled_from(["", ".ndjson", ".parquet", ".csv.zst"]))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_of_any_format(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, tail: bytes, ending: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"random{ending}"
    path.write_bytes(head + tail)
    for way in (str(path), "-"):
        try:
            source = open_source(path=way, stdin=io.BytesIO(head + tail))
            source.read(source.names[:3])
        except UserError as error:
            assert error.code == DATA
