from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gdtrain.errors import DATA, USAGE, UserError
from gdtrain.sources import open_source

pytestmark = pytest.mark.usefixtures("way")

XY = {"x": [1.0, 3.0], "y": [2.0, 4.0]}


def read(path: Path, content: bytes | str, names: list[str], **options: object) -> dict[str, list[float]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    source = open_source(path=str(path), where=path.name, **options)  # type: ignore[arg-type]
    return {name: values.tolist() for name, values in source.read(names).items()}


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1,2\n3,4\n",
        "x,y\r\n1,2\r\n3,4\r\n",
        "\ufeffx,y\n1,2\n3,4",
        " x , y \n 1 ,2\n3, 4 \n",
        '"x", "y"\n"1", "2"\n3,4\n',
        '"x","y"\n" 1 ","2"\n3,4\n',
        "\n\nx,y\n\n1,2\n\n\n3,4\n\n\n",
        "x,y\r\n1,2\r\n\r\n3,4\r\n\r\n",
        "x,y\n1,2\n   \n3,4\n  ",
        "x;y\n1;2\n3;4\n",
        "x\ty\n1\t2\n3\t4\n",
        "x|y\n1|2\n3|4\n",
        "x,u,y\n1,a,2\n3,b,4\n",
        'x,u,y\n1,"a, ""b""\nc",2\n3,b,4\n',
        'x,u,y\n1,a"b,2\n3,b,4\n',
        "x,y,u\n1,2,\n3,4,c\n",
        "x,y,u\n1,2,\n\n3,4,\n\n",
        'x,y,u\n1,2,"a,b"\n3,4,\n',
        "x,,y,\n1,a,2,b\n3,c,4,d\n",
        "x,y,y2,\u00e9\n1,2,NA,\n3,4,-,\u00fc\n",
        "x,y," + ",".join(f"c{i}" for i in range(5000)) + "\n1,2" + ",0" * 5000 + "\n3,4" + ",0" * 5000 + "\n",
    ],
)
def test_read_well(tmp_path: Path, text: str) -> None:
    assert read(tmp_path / "a.csv", text, ["x", "y"]) == XY


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("1,2\n3,4\n", {"header": ["x", "y"]}),
        ("# a\n1,2\n# b\n3,4\n", {"header": ["x", "y"], "comment": "#"}),
        ("// a\nx,y\n1,2\n//\n3,4\n//", {"comment": "//"}),
        ('# a\nx,u,y\n1,"\n#b",2\n#c\n3,d,4\n', {"comment": "#"}),
        ("x:y\n1:2\n3:4\n", {"delimiter": ":"}),
        ("x y\n1 2\n3 4\n", {"delimiter": " "}),
        ("  x   y\n  1   2\n  3   4\n", {"delimiter": "space"}),
        ("x\ty\n1\t2\n3\t4\n", {"delimiter": "tab"}),
    ],
)
def test_read_well_as_told(tmp_path: Path, text: str, options: dict[str, object]) -> None:
    assert read(tmp_path / "a.csv", text, ["x", "y"], **options) == XY


BAD = [
    ("", "a.csv: the file is empty"),
    ("\n\n", "a.csv: there is no header and no row"),
    ("x,y\n", "a.csv: there are no rows"),
    ("x,y\n\n  \n", "a.csv: there are no rows"),
    ("x,y\n1,\n3,4\n", "a.csv, line 2, column y: the cell is empty"),
    ("x,y\n1,2\n,\n", "a.csv, line 3, column x: the cell is empty"),
    ("x,y,z\n1,2,3\n,,3\n", "a.csv, line 3, column x: the cell is empty"),
    ("x,y,z\n1,2,3\n,,\n", "a.csv, line 3, column x: the cell is empty"),
    ("x,y,z\n1,2,3\n\n\n,,\n", "a.csv, line 5, column x: the cell is empty"),
    ("x,y\n\n1,2\n\n3,b\n", "a.csv, line 5, column y: 'b' is not a number"),
    ('x,y,u\n1,2,"\n\n"\n3,b,c\n', "a.csv, line 5, column y: 'b' is not a number"),
    ("x,y\n1,2\n3\n", "a.csv, line 3: the row has 1 cell, the header 2"),
    ("x,y,z\n1,2,3\n4,5\n", "a.csv, line 3: the row has 2 cells, the header 3"),
    ('x,y,z\n1,2,3\n4,5\n6,7,"8,9"\n', "a.csv, line 3: the row has 2 cells, the header 3"),
    ("x,y,z\n1,2,3\n4,5,6,7\n", "a.csv, line 3: the row has 4 cells, the header 3"),
    ("x,y\n1,2,3\n4,5,6\n", "a.csv, line 2: the row has 3 cells, the header 2"),
    ('x,y\n1,"2\n3,4\n', "a.csv, line 2: a quote opens here and never closes"),
    ('x,y\n1,"a"b\n3,4\n', "a.csv, line 2: text follows a closing quote"),
    ("x,y\r1,2\r3,4\r", "a.csv, line 1: a bare carriage return"),
    ("x,y\n1,2\nTotal,6\n", "a.csv, line 3, column x: 'Total' is not a number"),
    ("x,y\n1,1e400\n", "a.csv, line 2, column y: '1e400' is too large"),
    ("x,z\n1,2\n", "a.csv: there is no column y; the columns are x, z"),
    ("X,Yield\n1,2\n", "a.csv: there is no column x; did you mean X? (the columns are X, Yield)"),
    ("x;y\n1;2\n3\n", "a.csv, line 3: the row has 1 cell, the header 2"),
    ("x y\n1 2\n", "only one column was found: set data.delimiter"),
    ("x,y\n1,\x002\n", "a.csv, line 2: a NUL byte at byte offset 6"),
    (b"x,y,u\n1,2,a\n3,4,\xff\n", "a.csv, line 3: not UTF-8: byte 0xff at byte offset 16"),
    (b"PK\x03\x04abc", "an Excel workbook or a zip archive"),
    ("<html><body>404", "a web page"),
]


@pytest.mark.parametrize(("content", "message"), BAD)
def test_bad_data_names_its_place(tmp_path: Path, content: bytes | str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path / "a.csv", content, ["x", "y"])
    assert message in str(caught.value)
    assert caught.value.code == DATA


@pytest.mark.parametrize("asked", ["u", "x", "y", "ux", "uy", "xy", "uxy", "uxyz"])
@pytest.mark.parametrize(("row", "cells"), [("1,2,3,4,5", 5), ("1,2,3,4,", 5), ("1,2,3", 3), ("1,5,2,3,4", 5)])
@pytest.mark.parametrize("after", ["", "\n", "\n1,2,3,4\n"])
def test_a_row_of_another_width_is_seen_whatever_is_asked_for(
    tmp_path: Path, row: str, cells: int, after: str, asked: str
) -> None:
    """Else a decimal comma would move every number behind it by a column."""
    with pytest.raises(UserError, match=f"line 3: the row has {cells} cells, the header 4"):
        read(tmp_path / "a.csv", f"u,x,y,z\n1,2,3,4\n{row}{after}", [*asked])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": "||"}, "one character"),
        ({"delimiter": '"'}, "one character"),
        ({"comment": ""}, "data.comment"),
        ({"header": ["x", "x"]}, "column x appears twice"),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path / "a.csv", "1,2\n", ["x"], **options)
    assert caught.value.code == USAGE


def test_header_that_the_file_has_too(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"leave data\.header out"):
        read(tmp_path / "a.csv", "x,y\n1,2\n", ["x"], header=["x", "y"])


def test_caret_stands_under_the_cell(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path / "a.csv", 'u,x\n"a,b",oops\n', ["x"])
    assert str(caught.value).splitlines()[1:] == ['  "a,b",oops', "        ^^^^"]


def test_a_bad_cell_in_a_column_that_nobody_asked_for_is_no_matter(tmp_path: Path) -> None:
    assert read(tmp_path / "a.csv", "x,u,y\n1,,2\n3,b,4\n", ["y"]) == {"y": [2.0, 4.0]}


def test_unfit_delimiter_is_a_warning_where_it_surprises(tmp_path: Path) -> None:
    for name, text, warned in (
        ("a.csv", "x\ty\n1\t2\n", True),
        ("a.tsv", "x,y\n1,2\n", True),
        ("a.csv", "x;y\n1;2\n", False),
        ("a.tsv", "x\ty\n1\t2\n", False),
        ("a.txt", "x\ty\n1\t2\n", False),
    ):
        (tmp_path / name).write_text(text)
        assert bool(open_source(path=str(tmp_path / name)).warnings) == warned, (name, text)


def test_columns_and_survey(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("n,t,b,d,,m\n1,a,true,2024-01-31,0,\n,b,false,2024-02-01,0,5\n")
    source = open_source(path=str(path))
    found = [(c.name, c.kind, c.gaps) for c in source.columns]
    expected = [("n", "number", 1), ("t", "text", 0), ("b", "bool", 0), ("d", "date", 0), ("m", "number", 1)]
    assert found == expected
    path.write_text("x,y\n" + "1,2\n" * 3000 + "a,\n")
    source = open_source(path=str(path))
    assert [(c.kind, c.gaps) for c in source.columns] == [("number", None), ("number", None)]
    assert [(c.kind, c.gaps) for c in source.survey()] == [("mixed", 0), ("number", 1)]


def test_blocks_come_in_order_and_no_larger_than_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "".join(f"{i},{-i}\n\n" for i in range(10_000)))
    source = open_source(path=str(path))
    blocks = list(source.blocks(["y", "x", "y"], size=300))
    assert [list(block) for block in blocks] == [["y", "x"]] * len(blocks)
    assert max(block["x"].size for block in blocks) <= 300
    assert [v for block in blocks for v in block["x"].tolist()] == list(range(10_000))
    assert source.read(["y"])["y"].tolist() == [-i for i in range(10_000)]


def test_good_rows_before_a_bad_one_are_given_once(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x\n" + "".join(f"{i}\n" for i in range(5000)) + "oops\n")
    given: list[float] = []
    with pytest.raises(UserError, match="line 5002, column x: 'oops'"):
        for block in open_source(path=str(path)).blocks(["x"], size=100):
            given += block["x"].tolist()
    assert given == list(range(len(given)))
    assert len(given) <= 5000


def test_many_rows_after_oddities(tmp_path: Path) -> None:
    """Spaces that the first lines do not show: polars refuses them."""
    body = "".join(f"{i},{i}\n" for i in range(5000))
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + body + " 5000 , 5000\n")
    assert open_source(path=str(path)).read(["x"])["x"].tolist() == list(range(5001))


CELLS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(["", " 1", "2 ", '"3"', '" 4 "', "nan", "inf", "1e400", "5,6", "a", '"a""b"', "+.5", "1e-320"]),
    st.text(alphabet='0123456789.,-+eE_ "\t;#\n\r', max_size=6),
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), max_size=8).map("\n".join)


@given(st.sampled_from(["x,y\n", "x,u,y,z\n", "x\n", "y,u\n", ""]), ROWS)
@example("", ",\n,0.0")  # no column has a name
@example("x\n", "\n0,")  # polars passes over a delimiter at the very end
@example("y,u\n", "1,2\n3,")
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_ways_agree(tmp_path_factory: pytest.TempPathFactory, header: str, rows: str) -> None:
    """The careful reader says what text means; polars only makes it fast. (In columns that nobody asks for,
    polars is easier on quotes.)"""
    path = tmp_path_factory.getbasetemp() / "agree.csv"
    path.write_bytes((header + rows).encode())
    answers: list[object] = []
    for limit in (1 << 60, -1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gdtrain.sources.origin._SMALL", limit)
            try:
                source = open_source(path=str(path))
                answers.append({name: values.tolist() for name, values in source.read(source.names).items()})
            except UserError as error:
                assert error.code == DATA
                answers.append(str(error))
    assert answers[0] == answers[1]


@given(st.binary(max_size=200))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_raise_nothing_but_user_errors(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    for name, data in (("r.csv", content), ("r.csv.gz", gzip.compress(content)), ("r", content)):
        path = tmp_path_factory.getbasetemp() / name
        path.write_bytes(data)
        try:
            source = open_source(path=str(path))
            source.read(source.names[:3])
        except UserError as error:
            assert error.code == DATA
