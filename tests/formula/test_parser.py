from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdtrain.errors import UserError
from gdtrain.formula import Name, Node, Number, Op, parse, parse_equation, to_text
from gdtrain.formula.parser import MAX_NESTING
from gdtrain.formula.tokens import MAX_LENGTH, MAX_NAME

READS = [  # what is written, and the same fully spelled out
    ("1 ", "1"),
    ("a + b - c", "(a + b) - c"),
    ("a/b/c", "(a/b)/c"),
    ("a/b*c", "(a/b)*c"),
    ("a*b/c", "(a*b)/c"),
    ("-2^2", "-(2^2)"),
    ("-a*b", "(-a)*b"),
    ("a*-b", "a*(-b)"),
    ("2^3^2", "2^(3^2)"),
    ("2**3**2", "2^(3^2)"),
    ("2^-x", "2^(-x)"),
    ("2^-x^2", "2^(-(x^2))"),
    ("100^---+-.5 + 1", "100^(-(-(-(-0.5)))) + 1"),
    ("+x", "x"),
    ("a - +b", "a - b"),
    ("2x", "2*x"),
    ("2 x", "2*x"),
    ("2x^2", "2*(x^2)"),
    ("2^3x", "(2^3)*x"),
    ("3(x+1)", "3*(x + 1)"),
    ("(a)(b)", "a*b"),
    ("(a)b", "a*b"),
    ("2sin(x)cos(x)", "2*sin(x)*cos(x)"),
    ("a/2*3x", "((a/2)*3)*x"),
    ("2pi*x/3", "2*pi*x/3"),
    ("2e+x", "2*e + x"),
    ("2e3x", "2000*x"),
    ("2.x + .5", "2*x + 0.5"),
    ("1e-3", "0.001"),
    ("|x|", "abs(x)"),
    ("||x| - 1|", "abs(abs(x) - 1)"),
    ("2|x|", "2*abs(x)"),
    ("(a)|b|", "a*abs(b)"),
    ("|2(|x|)|", "abs(2*abs(x))"),
    ("|a|*|b|", "abs(a)*abs(b)"),
    ("1/|x|", "1/abs(x)"),
    ("ln(x) + arcsin(x) + arccos(x) + arctan(x)", "log(x) + asin(x) + acos(x) + atan(x)"),
    ("pow(a, 2)", "a^2"),
    ("asin (sin (-0.5))", "asin(sin(-0.5))"),
    ("min(a, b, c)", "min(min(a, b), c)"),
    ("where((x >= 0), a, -b)", "where(x >= 0, a, -b)"),
    ("where(x == 0, 1, 2)", "where((x) == (0), 1, 2)"),
    ("`unit price`*x", "`unit price`*(x)"),
    ("`a``b`", "`a``b`"),
    ("`x`", "x"),
    ("größe*Δt + 重さ", "(größe*Δt) + 重さ"),
    ("e\u0301*x", "\u00e9*x"),  # two spellings of one letter are one name
    ("a\u00a0+\n\tb", "a + b"),
]

REFUSED = [  # text, the characters that the caret marks, and a part of the message
    ("", "", "the formula is empty"),
    (" \n", "", "the formula is empty"),
    ("1/2x", "2x", "write 1/(2*x) or 1/2*x"),
    ("a*1/2(x+1)", "2(x+1)", "write a*1/(2*(x+1)) or a*1/2*(x+1)"),
    ("1/(a)b", "a)b", "write 1/(a*b) or 1/a*b"),
    ("x(1+x)", "x", "x is not a function; for a product write x*(1+x)"),
    ("`exp`(x)", "`exp`", "`exp` is not a function; for a product write `exp`*(x)"),
    ("sine(x)", "sine", "sine is not a function; did you mean sin?"),
    ("EXP(x)", "EXP", "did you mean exp?"),
    ("logistic(x)", "logistic", "did you mean sigmoid?"),
    ("exit()", "exit", "known are abs, acos"),
    ("exp + 1", "exp", "exp is a function; write exp(...), or `exp` in backquotes for a name"),
    ("ln", "ln", "ln is a function"),
    ("exp()", "exp()", "exp takes 1 argument, not 0; write exp(a)"),
    ("atan2(x)", "atan2(x)", "atan2 takes 2 arguments, not 1"),
    ("exp(1,5)", "exp(1,5)", "exp takes 1 argument, not 2; a decimal number is written with a point"),
    ("where(x > 0, 1)", "where(x > 0, 1)", "where takes 3 arguments, not 2"),
    ("where(x, 1, 2)", "x", "the first argument of where is a comparison"),
    ("where(0 < x < 1, a, b)", "<", "a comparison stands only as the first argument of where"),
    ("where(x > 0, y < 1, 2)", "<", "a comparison stands only as"),
    ("where(x = 0, 1, 2)", "=", "= inside parentheses; a comparison is written =="),
    ("(x) > (y)", ">", "a comparison stands only as"),
    ("1 + (x != 2)", "!=", "a comparison stands only as"),
    ("x == 3", "==", "write one = for an equation"),
    ("x = 3", "=", "an expression has no ="),
    ("y ~ x + z", "~", "write y = b0 + b1*x + b2*z, or regress: {target: y, features: [x, z]}"),
    ("sum(x)", "sum", "sum is known only in minimize and grad"),
    ("x y", "x y", "for a product write * between x and y"),
    ("2 3", "2 3", "for a product write * between 2 and 3"),
    ("(a)2", ")2", "for a product write * between ) and 2"),
    ("x if x > 0 else y", "if", "write where(x > 0, a, b)"),
    ("x*", "*", "the formula breaks off after *"),
    ("*x", "*", "the formula starts with *"),
    ("a +* b", "+*", "an operand is missing between + and *; a power is ^ or **"),
    ("a//b", "//", "a quotient is one /"),
    ("()", "()", "an operand is missing between ( and )"),
    ("(x", "(", "this ( is not closed"),
    ("|x", "|", "this | is not closed"),
    ("x)", ")", "no ( is open"),
    ("x|", "|", "no | is open"),
    ("|(x|", "|", "no | is open"),
    ("(|x)", ")", "this ) stands inside bars"),
    ("a, b", ",", "a decimal number is written with a point"),
    ("1.2.3", "1.2.3", "1.2.3 is not a number"),
    ("0x1F", "0x1F", "numbers are decimal"),
    ("1_000*x", "1_000", "write 1000"),
    ("1j*x", "1j", "there are no complex numbers; for a name write 1*j"),
    ("1e400*x", "1e400", "too large"),
    ("1e-400", "1e-400", "too small"),
    ("x^1001", "1001", "exponents run from -1000 to 1000"),
    ("9**9**9", "9**9", "exponents run from"),
    ("x + 0/0", "0/0", "0/0 is not a finite number"),
    ("a*(1 + log(0))", "log(0)", "log(0) is not a finite number"),
    ("sqrt(-1)", "sqrt(-1)", "sqrt(-1) is not a finite number"),
    ("exp(1000)", "exp(1000)", "not a finite number"),
    ("10^200*10^200", "10^200*10^200", "not a finite number"),
    ("x²", "²", "² (U+00B2 SUPERSCRIPT TWO) has no meaning in a formula; write ^2"),
    ("a \u2212 b", "\u2212", "write -"),
    ("x.T", ".", "a formula has no attributes"),
    ("'x'", "'", "a formula holds no text"),
    ("a % b", "%", "there is no remainder"),
    ("π*x", "π", "write pi"),
    ("`a", "`", "the backquote is not closed"),
    ("` `*x", "` `", "no name between the backquotes"),
    ("x\u200b + 1", "\u200b", "hidden character U+200B ZERO WIDTH SPACE; delete it"),
    ("`x\u202e`", "\u202e", "hidden character U+202E RIGHT-TO-LEFT OVERRIDE"),
    ("\ufeffx", "\ufeff", "hidden character U+FEFF"),
    ("x\u3164", "\u3164", "hidden character U+3164"),
    ("x\x00", "\x00", "hidden character U+0000"),
    ("x\ud800", "\ud800", "hidden character U+D800"),
    ("\x1b[31mx", "\x1b", "hidden character U+001B"),
]

LARGE = [  # name for the test, text, a part of the message
    ("minus signs", "-" * 100_000 + "1", "the limit is 10,000"),
    ("fewer minus signs", "-" * 5_000 + "1", "nested more than"),
    ("parentheses", "(" * 300 + "x" + ")" * 300, "nested more than"),
    ("open parentheses", "(" * 9_999, "nested more than"),
    ("bars", "|" * 9_999, "nested more than"),
    ("calls", "exp(" * 300 + "x" + ")" * 300, "nested more than"),
    ("powers", "x" + "^x" * 300, "nested more than"),
    ("a long name", "x" * 100_000, "the limit is 10,000"),
    ("a name", "x" * (MAX_NAME + 1), "the limit is 200"),
    ("a quoted name", f"`{'x' * (MAX_NAME + 1)}`", "the limit is 200"),
    ("digits", "9" * 9_999, "too large"),
    ("blanks", " " * 1_000_000, "empty"),
]


def refusal(text: str) -> UserError:
    with pytest.raises(UserError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(("text", "spelled"), READS)
def test_reads(text: str, spelled: str) -> None:
    assert parse(text) == parse(spelled)


def test_nodes_and_spans() -> None:
    tree = parse("2x + (a - pi)")
    assert tree == Op(
        "add",
        (
            Op("mul", (Number(2.0), Name("x"))),
            Op("sub", (Name("a"), Number(3.141592653589793))),
        ),
    )
    assert isinstance(tree, Op)
    assert [arg.span for arg in tree.args] == [(0, 2), (5, 13)]
    assert hash(tree) == hash(parse("2*x+(a-pi)"))
    assert tree != parse("2x + a - pi")


@pytest.mark.parametrize(("text", "marked", "message"), REFUSED)
def test_refuses_and_points_at_it(text: str, marked: str, message: str) -> None:
    error = refusal(text)
    assert error.span is not None
    assert text[slice(*error.span)] == marked
    assert message in str(error)
    assert error.code == 2


@pytest.mark.parametrize(("text", "message"), [row[1:] for row in LARGE], ids=[row[0] for row in LARGE])
def test_refuses_large_ones_at_once(text: str, message: str) -> None:
    start = time.perf_counter()
    assert message in str(refusal(text))
    assert time.perf_counter() - start < 1.0  # milliseconds; the margin is for a busy machine


@pytest.mark.parametrize(
    "text",
    [
        "exp(" * (MAX_NESTING - 1) + "x" + ")" * (MAX_NESTING - 1),
        "(" * (MAX_NESTING - 1) + "x" + ")" * (MAX_NESTING - 1),
        "+".join(f"w{i}*x{i}" for i in range(1_000)),
        "-".join(["x"] * (MAX_LENGTH // 2)),
        "min(" + ", ".join(["x"] * 1_000) + ")",
    ],
    ids=["calls", "parentheses", "products", "differences", "arguments"],
)
def test_takes_what_is_within_the_limits(text: str) -> None:
    tree = parse(text)
    assert parse(to_text(tree)) == tree


def test_reductions_are_known_on_request() -> None:
    assert parse("mean((a - x)^2) + sum(a)", reductions=True) == Op(
        "add",
        (
            Op("mean", (Op("pow", (Op("sub", (Name("a"), Name("x"))), Number(2.0))),)),
            Op("sum", (Name("a"),)),
        ),
    )


def test_an_equation_has_two_sides() -> None:
    left, right = parse_equation("y = w*x")
    assert (left, right) == (Name("y"), Op("mul", (Name("w"), Name("x"))))
    assert right.span == (4, 7)


@pytest.mark.parametrize(
    ("text", "marked", "message"),
    [
        ("w*x + b", "w*x + b", "there is no = in the formula; write y = w*x + b"),
        ("x == 3", "==", "write one = for an equation"),
        ("x = y = 3", "=", "a second ="),
        ("= 3", "=", "the formula starts with ="),
        ("x =", "=", "the formula breaks off after ="),
        ("y ~ x", "~", "write y = b0 + b1*x, or regress: {target: y, features: [x]}"),
        ("y = 1/0", "1/0", "not a finite number"),
        ("y = x > 0", ">", "a comparison stands only as"),
        ("", "", "the formula is empty"),
        ("y = mean(x)", "mean", "known only in minimize and grad"),
    ],
)
def test_refuses_what_is_no_equation(text: str, marked: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_equation(text, no_equals=f"write y = {text}")
    assert caught.value.span is not None
    assert text[slice(*caught.value.span)] == marked
    assert message in str(caught.value)


FORMULA_LIKE = st.lists(
    st.sampled_from([*"+-*/^()|,<>=~`._ 0123456789eEjxπ²", "exp", "where", "min", "sum", "**", "==", "a b"]),
    max_size=30,
).map("".join)


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda b: b.decode("latin-1")), FORMULA_LIKE))
@settings(max_examples=500)
def test_any_text_parses_or_is_refused_with_a_place(text: str) -> None:
    try:
        tree: Node = parse(text, reductions=True)
    except UserError as error:
        assert error.span is not None
        assert 0 <= error.span[0] <= error.span[1] <= len(text)
        assert str(error).isprintable() or "\n" in str(error)
    else:
        assert parse(to_text(tree), reductions=True) == tree
