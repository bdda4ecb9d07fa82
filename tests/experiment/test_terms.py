"""Features as text, and the columns of the design that they make."""

from __future__ import annotations

import pytest

from gdtrain.errors import UserError
from gdtrain.experiment.terms import design, read_feature

COLUMNS = ["x", "z", "city", "sex", "log(x)", "unit price", "a:b"]
LEVELS = {"city": ["London", "Paris"], "sex": ["f", "m"]}

# Features, whether there is an intercept, what the weights are called.
MADE: list[tuple[list[str], bool, list[str]]] = [
    (["x", "z"], True, ["x", "z"]),
    (["log(x)"], True, ["log(x)"]),
    (["log( x )"], True, ["log( x )"]),
    (["a:b", "unit price", "`unit price`"], True, ["a:b", "unit price"]),
    (["ratio = x/z"], True, ["ratio"]),
    (["x/z"], True, ["x/z"]),
    (["x*z"], True, ["x", "z", "x:z"]),
    (["2*x"], True, ["2*x"]),
    (["x*log(z)"], True, ["x*log(z)"]),
    (["xz = x*z"], True, ["xz"]),
    (["city"], True, ["city[Paris]"]),
    (["city"], False, ["city[London]", "city[Paris]"]),
    (["city", "sex"], False, ["city[London]", "city[Paris]", "sex[m]"]),
    (["place = city"], True, ["place[Paris]"]),
    (["city", "x", "city:x"], True, ["city[Paris]", "x", "city[Paris]:x"]),
    (["city*x"], True, ["city[Paris]", "x", "city[Paris]:x"]),
    # without x alone, each city has its own slope
    (["city", "city:x"], True, ["city[Paris]", "city[London]:x", "city[Paris]:x"]),
    (["city*sex"], True, ["city[Paris]", "sex[m]", "city[Paris]:sex[m]"]),
    (["city", "city:sex"], True, ["city[Paris]", "city[London]:sex[m]", "city[Paris]:sex[m]"]),
    (["log(z):city"], True, ["log(z):city[London]", "log(z):city[Paris]"]),
    (["x*city*sex"], True, ["x", "city[Paris]", "sex[m]", "x:city[Paris]", "x:sex[m]", "city[Paris]:sex[m]",
                            "x:city[Paris]:sex[m]"]),
]  # fmt: skip


@pytest.mark.parametrize(("features", "intercept", "names"), MADE, ids=["; ".join(m[0]) for m in MADE])
def test_design(features: list[str], intercept: bool, names: list[str]) -> None:
    terms = {term.label: term for i, text in enumerate(features) for term in read_feature(text, COLUMNS, i)}
    made = design(list(terms.values()), LEVELS, intercept=intercept)
    assert [column.name for column in made] == names


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("log(x", "this ( is not closed"),
        ("x:", "lacks a factor"),
        ("x:x", "x stands twice"),
        ("x*x", "x stands twice"),
        ("foo(x)", "foo"),
    ],
)
def test_refused(text: str, what: str) -> None:
    with pytest.raises(UserError) as caught:
        read_feature(text, COLUMNS)
    assert what in str(caught.value)


def test_without_columns_nothing_is_refused_that_may_be_a_name() -> None:
    for text in ("unit price", "price ($)", "y-1", "x"):
        (term,) = read_feature(text, None)
        assert term.label == text
