"""What a plain scalar means."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdtrain.experiment.scalars import Refusal, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E+3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-0.5e1", -5.0),
        ("+7", 7),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("True", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("tRuE", "tRuE"),
        ("y", "y"),
        ("n", "n"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("cuda:0", "cuda:0"),
        ("-", "-"),
        ("2x", "2x"),
        ("1 - 2", "1 - 2"),
    ],
)
def test_a_scalar_is_what_it_looks_like(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("no", "no means true or false to some readers of YAML", "write true or false, or put it in quotes"),
        ("On", "On means true or false to some readers of YAML", "write true or false, or put it in quotes"),
        ("012", "012 has a leading zero", "write 12, or put it in quotes if it is text"),
        ("-00", "-00 has a leading zero", "write 0, or put it in quotes if it is text"),
        ("1:30", "1:30 is a time, or a number to base 60", "write a plain number"),
        ("12:30:45.5", "12:30:45.5 is a time", "write a plain number"),
        ("1,000", "1,000 has commas in it", "write 1000"),
        ("-1,234,567.8", "-1,234,567.8 has commas in it", "write -1234567.8"),
        ("1_000", "1_000 has underscores in it", "write 1000"),
        ("2020-01-01", "2020-01-01 is a date", "put it in quotes if it is text"),
        ("2020-1-1 10:00:00", "2020-1-1 10:00:00 is a date", "put it in quotes"),
        (".inf", ".inf is not a finite number", "write a finite number"),
        ("-.Inf", "-.Inf is not a finite number", "write a finite number"),
        (".NaN", ".NaN is not a finite number", "write a finite number"),
        ("1e400", "1e400 is too large a number", "float64 ends at 1.8e308"),
        ("9" * 5000, "9" * 57 + "... is too large a number", "write fewer digits"),
    ],
)
def test_what_readers_disagree_about_is_refused(text: str, what: str, remedy: str) -> None:
    with pytest.raises(Refusal) as caught:
        resolve(text)
    assert caught.value.what.startswith(what)
    assert caught.value.remedy.startswith(remedy)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_reads_back(number: float) -> None:
    assert resolve(repr(number)) == number


@given(st.text(max_size=30))
def test_any_text_has_a_value_or_is_refused(text: str) -> None:
    try:
        value = resolve(text)
    except Refusal:
        return
    assert not isinstance(value, float) or math.isfinite(value)
