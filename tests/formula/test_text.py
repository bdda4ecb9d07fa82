from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gdtrain.errors import UserError
from gdtrain.formula import Name, Node, Number, Op, parse, to_text

from .trees import EVERYTHING, names, numbers, trees


@pytest.mark.parametrize(
    "text",
    [
        "a + b - c*d/e2",
        "a - (b - c)",
        "a/(b*c)",
        "(a + b)*c",
        "-a*b",
        "-(a*b)",
        "a*-b",
        "a + -b",
        "--a",
        "(-2)^2",
        "-2^2",
        "2^3^2",
        "(2^3)^2",
        "2^-x",
        "(a/b)^2",
        "exp(-(a + b)*x)",
        "where(x >= 0, a*x, -b)",
        "min(a, b, c)",
        "min(a, min(b, c))",
        "max(min(a, b), c)",
        "`unit price`*x",
        "`a``b`",
        "`log` + `pi` + `π` + `sum`",
        "2*pi*x",
        "0.1 + 1e-05 + 100000 + 1e+300",
    ],
)
def test_no_needless_parentheses(text: str) -> None:
    assert to_text(parse(text)) == text


def test_composed_letters_go_bare_and_decomposed_ones_in_backquotes() -> None:
    assert to_text(Name("\u00e9")) == "\u00e9"
    assert to_text(Name("e\u0301")) == "`e\u0301`"


QUOTED = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=8)
LEAVES = st.one_of(numbers(), names(), QUOTED.filter(str.strip).map(Name), st.just(Number(math.pi)))


@given(trees(EVERYTHING, LEAVES))
@settings(max_examples=300)
def test_parsing_what_was_printed_gives_the_same_tree(tree: Node) -> None:
    text = to_text(tree)
    try:
        again = parse(text, reductions=True)
    except UserError as error:  # a constant past a float's range or an exponent's bound, or a hidden character
        assume(not any(word in error.what for word in ("finite", "exponent", "hidden")))
        raise
    assert again == tree


@given(trees(EVERYTHING, LEAVES, max_leaves=5), trees(EVERYTHING, LEAVES, max_leaves=5))
@settings(max_examples=200)
def test_trees_are_equal_exactly_when_their_texts_are(a: Node, b: Node) -> None:
    assert (a == b) == (to_text(a) == to_text(b))
    if a == b:
        assert hash(a) == hash(b)


def test_arity_tells_trees_apart() -> None:
    x = Name("x")
    assert Op("sub", (x, Op("neg", (x,)))) != Op("neg", (Op("sub", (x, x)),))
