from __future__ import annotations

from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdtrain.sources.cells import Tally, complaint, number


@pytest.mark.parametrize("cell", ["1", "-1.5", "+.5", "5.", "1e3", "1E+05", "007", "1e-320", "9" * 300])
def test_numbers(cell: str) -> None:
    assert number(cell) == float(cell)


@pytest.mark.parametrize(
    ("cell", "what", "remedy"),
    [
        ("", "the cell is empty", "fill it in"),
        ("  ", "the cell is empty", "fill it in"),
        ("NaN", "(NaN)", "fill it in"),
        ("N/A", "missing value", "fill it in"),
        ("-inf", "is not finite", "finite number"),
        ("1e400", "too large for float64", "larger unit"),
        ("9" * 140_000, "(140000 characters) is too large", "larger unit"),
        ("1,5", "decimal comma", "write a decimal point: 1.5"),
        ("0,125", "decimal comma", "write a decimal point: 0.125"),
        ("1.234,5", "decimal comma", "write a decimal point: 1234.5"),
        ("1,234", "comma", "1.234 if that is a decimal comma, 1234 if"),
        ("1,234,567.5", "parts its thousands", "write 1234567.5"),
        ("1 234 567", "parts its thousands", "write 1234567"),
        ("1_000", "underscore", "write 1000"),
        ("0x10", "hexadecimal", "write 16"),
        ("12.5%", "percentage", "write 0.125"),
        ("$1,200", "money", "the number alone"),
        ("\u22121.5", "minus sign", "write a plain minus sign: -1.5"),
        ("true", "is not a number", "write 1 or 0"),
        ("2024-01-31", "is a date", "number of days"),
        ("Total:", "is not a number", "row of totals"),
        ("# made by R", "is not a number", "data.comment"),
        ("\uff11", "is not a number", "list it under data.null_values"),
        ("a\x1b[31m", "'a\\x1b[31m' is not a number", "list it under data.null_values"),
        ("1.2.3", "is not a number", "list it under data.null_values"),
    ],
)
def test_complaints(cell: str, what: str, remedy: str) -> None:
    assert not isfinite(number(cell))
    said = complaint(cell)
    assert what in said[0]
    assert remedy in said[1]


@given(st.one_of(st.text(max_size=30), st.text(alphabet="0123456789.,-+eE_x% ", max_size=12)))
def test_every_cell_is_a_number_or_has_a_complaint(cell: str) -> None:
    if isfinite(number(cell.strip())):
        assert number(cell.strip()) == float(cell)
    else:
        what, remedy = complaint(cell)
        assert what
        assert remedy


@pytest.mark.parametrize(
    ("cells", "kind", "gaps"),
    [
        (["1", " 2.5 ", "NA", ""], "number", 2),
        (["true", "False"], "bool", 0),
        (["2024-01-31", "2024-02-01T10:00"], "date", 0),
        (["1", "a"], "mixed", 0),
        (["", "-"], "empty", 2),
        (["a", "none", "two words"], "text", 1),
        (["1,5", "0x10"], "mixed", 0),
        (["a", "12%"], "mixed", 0),
        (["inf"], "mixed", 0),
    ],
)
def test_tally(cells: list[str], kind: str, gaps: int) -> None:
    tally = Tally()
    for cell in cells:
        tally.add(cell)
    assert (tally.kind, tally.gaps, tally.met) == (kind, gaps, len(cells))
