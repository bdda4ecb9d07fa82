"""YAML to values with places: what is misread, refused, bounded."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdtrain.errors import UserError
from gdtrain.experiment.loader import MAX_BYTES, parse, parse_file
from gdtrain.experiment.tree import Node

from .texts import FIT, heads, marked, read, refusal

QUOTE = "put the formula in quotes"


def values(text: str) -> object:
    node, mistakes = parse(text, "file", lined=True)
    assert not mistakes
    return node.plain()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1e-3\nb: [1, 2.5, true]\n", {"a": 0.001, "b": [1, 2.5, True]}),
        ("a: 'no'\nb: \"012\"\n", {"a": "no", "b": "012"}),
        ("no: 1\n012: 2\nnull: 3\n", {"no": 1, "012": 2, "null": 3}),
        ("a: &x [1, 2]\nb: *x\n", {"a": [1, 2], "b": [1, 2]}),
        ("a: |\n  y = w*x\n", {"a": "y = w*x\n"}),
        ("a: >-\n  y =\n  w*x\n", {"a": "y = w*x"}),
        ("a: y =\n  w*x\n", {"a": "y = w*x"}),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("a:\t1\n", {"a": 1}),
        ("--- # one\na: 1\n...\n", {"a": 1}),
    ],
)
def test_values(text: str, value: object) -> None:
    assert values(text) == value


def test_places_are_where_values_stand() -> None:
    node, _ = parse("a:\n  bé: [1, 'two']\n", "file", lined=True)
    assert node.find("a", "bé", 1).where == "file:2:11"
    assert node.find("a", "bé", 1).text == "'two'"
    assert node.key("a", "bé").where == "file:2:3"
    assert node.find("a", "missing").where == "file:2:3"


def test_crlf_and_a_byte_order_mark_move_no_place() -> None:
    node, _ = parse_file(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "file")
    assert node.find("b").where == "file:2:4"


# A file, and the message about it: the place is the first thing, the caret is tested below.
REFUSED = [
    ("minimize: *x\n", f"stdin:1:11: *x refers to nothing; {QUOTE}"),
    ("minimize: *x + 1\n", f"stdin:1:11: *x refers to nothing; {QUOTE}"),
    ("minimize: *x*y\n", f"stdin:1:13: * and & do not start text; {QUOTE}"),
    ("minimize: |x|\n", f"stdin:1:12: | and > start lines of text below; {QUOTE}"),
    ("minimize: `a b`^2\n", f"stdin:1:11: a value does not start with `; {QUOTE}"),
    ("minimize: %x\n", f"stdin:1:11: a value does not start with %; {QUOTE}"),
    ("minimize: @x\n", f"stdin:1:11: a value does not start with @; {QUOTE}"),
    ("minimize: - x\n", f"stdin:1:11: - does not belong here; {QUOTE}"),
    ("minimize: !x\n", f"stdin:1:11: the tag !x is not allowed; {QUOTE}"),
    ('minimize: "x" + y\n', f"stdin:1:15: this does not line up with the keys above; {QUOTE}"),
    ("fit: a: b\n", f"stdin:1:7: a colon does not belong here; {QUOTE}"),
    ("solve:\n- x = 1\n- *y = 2\n", f"stdin:3:3: *y refers to nothing; {QUOTE}"),
    ("solve:\n- x: 3\n", f"stdin:2:3: solve must be text, not a section of keys; {QUOTE}"),
    ("minimize: [x^2]\n", f"stdin:1:11: minimize must be text, not a list; {QUOTE}"),
    ("solve: [atan2(x, y) = 3, x = 1]\n", f"stdin:1:9: YAML ends this item at the comma inside the formula; {QUOTE}"),
    (
        "minimize: x + # 1\n",
        f"stdin:1:13: the formula breaks off after +; what follows # is a comment to YAML: {QUOTE}",
    ),
    ("train: *x\n", "stdin:1:8: *x refers to nothing; put text that starts with * in quotes"),
    ("train: &a [*a]\n", "stdin:1:12: *a refers to nothing; put text that starts with * in quotes"),
    ("train:\n\tlr: 1\n", "stdin:2:1: a tab does not indent; indent with spaces"),
    ("train: [1, 2\n", "stdin:1:13: a bracket is not closed; close it, or put text with brackets in quotes"),
    ('name: "a\n', "stdin:1:9: a quote is not closed; close it"),
    ("train:\n   lr: 1\n  epochs: 2\n", "stdin:3:3: this does not line up with the keys above"),
    ("minimize: x^2\nminimize: x\n", "stdin:2:1: minimize stands twice; the first is on line 1"),
    ("minimize: x^2\n---\nname: b\n", "stdin:2:1: a second document starts here; one experiment a file"),
    ("minimize: x^2\n<<: {name: b}\n", "stdin:2:1: << is not allowed; write the keys out"),
    ("minimize: x^2\n? [a]\n: 1\n", "stdin:2:3: a key must be a name; put text with brackets or a * in quotes"),
    ("minimize: x^2\ntrain:\n", "stdin:2:7: there is no value here; write one, or leave the key out"),
    ("minimize: x^2\nname: !!str 1\n", "stdin:2:7: the tag tag:yaml.org,2002:str is not allowed; leave it out"),
    ("", "stdin:1:1: nothing is written here; write key: value"),
    ("# only a comment\n", "stdin:1:1: nothing is written here; write key: value"),
    ("- a\n", "stdin:1:1: an experiment is written as key: value; as in fit: y = w*x"),
    ("fit y = x\n", "stdin:1:1: an experiment is written as key: value; as in fit: y = w*x"),
    ("name: a\x00b\n", "stdin:1:8: the character U+0000 is not allowed; take it out"),
    ("name: a\u202eb\n", "stdin:1:8: the character U+202E is not allowed; take it out"),
    ("name: a\u2028b\n", "stdin:1:8: the character U+2028 is not allowed; take it out"),
    ("a: " + "[" * 60 + "\n", "stdin:1:54: nested deeper than 50 levels; an experiment needs five"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[repr(text[:30]) for text, _ in REFUSED])
def test_refused(text: str, message: str) -> None:
    assert heads(refusal(text))[0].startswith(message)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("minimize: *x\n", "*x"),
        ("minimize: x^2\nname: no\n", "no"),
        ("minimize: x^2\ntrain: {lr: 0.1, lr: 0.2}\n", "lr"),
        ("minimize: x^2\ntrain: {epochs: 1:30}\n", "1:30"),
        ("solve: 'x + + = 3'\n", "+ ="),
        ('solve: "x = log(0)"\n', "log(0)"),
    ],
)
def test_the_caret_marks(text: str, part: str) -> None:
    assert marked(refusal(text)) == part


def test_a_formula_that_is_not_written_as_it_is_read_is_shown_alone() -> None:
    message = refusal("minimize: 'it''s'\n")
    assert "\n  it's\n" in message
    assert marked(message) == "'"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("minimize: x".encode("utf-16"), "file: this is UTF-16; save it as UTF-8"),
        (b"name: a\nname: \xff", "file:2: byte 14 (0xff) is not UTF-8; save it as UTF-8"),
        (b" " * (MAX_BYTES + 1), "file: more than 1 MiB; keep rows in a file of their own: data: {path: rows.csv}"),
    ],
)
def test_bytes_that_are_no_text(data: bytes, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_file(data, "file")
    assert str(caught.value) == message


def _laughs(levels: int) -> str:
    repeated = [f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]" for i in range(levels)]
    return "\n".join(["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]", *repeated])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (_laughs(9), "more than 1000000 values"),
        ("[" * MAX_BYTES, "nested deeper than 50 levels"),
        ("- " * (MAX_BYTES // 2), "nested deeper than 50 levels"),
        ("{a: " * (MAX_BYTES // 4), "nested deeper than 50 levels"),
        ("? " * (MAX_BYTES // 2), "a key must be a name"),
        ("name: " + "9" * 100_000, "is too large a number"),
        ("minimize: " + "-" * 100_000 + "x", "the limit is"),
        ("name: " + "a" * 100_000, "name must be at most 200 long"),
    ],
    ids=["laughs", "flow", "block", "mappings", "keys", "digits", "formula", "name"],
)
def test_bombs_are_refused_soon(text: str, what: str) -> None:
    start = time.perf_counter()
    message = refusal(text)
    assert time.perf_counter() - start < 5
    assert what in message
    assert len(message) < 2000


def test_aliases_share_one_node_until_they_are_read() -> None:
    node, _ = parse("a: &a {b: 1}\nc: *a\n", "file")
    assert isinstance(node, Node)
    assert node.get("a") is node.get("c")


@settings(max_examples=300)
@given(st.binary(max_size=60) | st.text("ab:-[]{}*&!|>'\"#% \n\t0.x", max_size=60).map(str.encode))
def test_any_bytes_load_or_are_refused(data: bytes) -> None:
    try:
        read(data)
    except UserError as error:
        assert str(error)


@settings(max_examples=150)
@given(st.text("abx1:-[]{}*&!|>'\"#%, \n\te.", max_size=30), st.integers(0, len(FIT)))
def test_any_insertion_loads_or_is_refused(inserted: str, at: int) -> None:
    try:
        read(FIT[:at] + inserted + FIT[at:])
    except UserError as error:
        assert str(error)
