"""What to say where a formula breaks off: each function returns the error for one kind of mistake."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gdtrain.errors import UserError, nearest
from gdtrain.formula.nodes import REDUCTIONS, VARIADIC, Node, Op, Span
from gdtrain.formula.tokens import Token, mistake

# Words of other tools for functions that are known here under another name.
_OTHER_WORDS = {
    "sgn": "sign",
    "signum": "sign",
    "arctan2": "atan2",
    "logistic": "sigmoid",
    "expit": "sigmoid",
    "minimum": "min",
    "maximum": "max",
    "average": "mean",
    "avg": "mean",
    "power": "pow",
    "tg": "tan",
    "arctg": "atan",
    "if": "where",
    "iif": "where",
    "ifelse": "where",
}
_COMPARISON = re.compile(r"[<>=!]+")
_DOUBLED = {"*": "a power is ^ or **, a product one *", "/": "a quotient is one /"}
_POINT = "a decimal number is written with a point: 1.5"
_CALLS = {1: "{}(a)", 2: "{}(a, b)", 3: "{}(a > 0, b, c)"}
_QUOTE = 40  # characters of the formula that a remedy repeats; past that it shows ...


def refuse_tilde(text: str, tokens: Sequence[Token]) -> None:
    """Raise the error for `y ~ x`, which some tools write for a model: it names both spellings."""
    for position, token in enumerate(tokens):
        if token.text == "~" and token.kind == "symbol":
            left, right = (_names(side) for side in (tokens[:position], tokens[position + 1 :]))
            raise mistake(text, token.span, "a formula has no ~", _two_spellings(left, right))


def _names(tokens: Sequence[Token]) -> list[str]:
    return list(dict.fromkeys(token.text for token in tokens if token.kind == "name"))


def _two_spellings(left: list[str], right: list[str]) -> str:
    target, features = left[0] if left else "y", right or ["x"]
    terms = " + ".join(f"b{i}*{name}" for i, name in enumerate(features, 1))
    listed = ", ".join(features)
    return _cut(f"write {target} = b0 + {terms}, or regress: {{target: {target}, features: [{listed}]}}", 160)


def missing_operand(text: str, tokens: Sequence[Token], position: int) -> UserError:
    """Something else stands where a number, a name or ( is due."""
    token = tokens[position]
    if position == 0:
        what = f"the formula starts with {token.text}"
        return mistake(text, token.span, what, "write an operand before it")
    before = tokens[position - 1]
    if token.kind == "end":
        what = f"the formula breaks off after {before.text}"
        return mistake(text, before.span, what, "write what follows it")
    what = f"an operand is missing between {before.text} and {token.text}"
    remedy = _DOUBLED.get(token.text, "write it, or drop one of the two")
    return mistake(text, (before.span[0], token.span[1]), what, remedy)


def after_operand(text: str, tokens: Sequence[Token], position: int, opened: Sequence[Token]) -> UserError:
    """An operand ends, and what follows neither continues nor closes anything."""
    token, before = tokens[position], tokens[position - 1]
    if token.kind == "end":
        return mistake(text, opened[-1].span, f"this {opened[-1].text} is not closed", "close it")
    if token.kind == "symbol" and (answer := _stray(token.text, opened)):
        return mistake(text, token.span, *answer)
    if token.text == "if" and not token.quoted:
        return mistake(text, token.span, "there is no if", "write where(x > 0, a, b)")
    left, right = (_cut(text[slice(*each.span)]) for each in (before, token))
    remedy = f"for a product write * between {left} and {right}"
    return mistake(text, (before.span[0], token.span[1]), "an operator is missing", remedy)


def _stray(symbol: str, opened: Sequence[Token]) -> tuple[str, str] | None:
    """What is wrong with a symbol after an operand and the remedy; None for one that starts an operand."""
    inside = opened[-1].text if opened else ""
    return {
        ("=", "("): ("= inside parentheses", "a comparison is written =="),
        ("=", "|"): ("= inside bars", "close the | before it"),
        (",", ""): ("a comma outside a function's parentheses", _POINT),
        (",", "("): ("a comma outside a function's parentheses", _POINT),
        (",", "|"): ("a comma inside bars", _POINT),
        (")", ""): ("no ( is open that this ) closes", "drop it, or open one"),
        (")", "|"): ("this ) stands inside bars", "close the | before it"),
        ("|", ""): ("no | is open that this one closes", "for a product write * before it"),
        ("|", "("): ("no | is open that this one closes", "for a product write * before it"),
    }.get((symbol, inside))


def product_after_division(text: str, quotient: Node, factor: Node) -> UserError:
    """`1/2x`: some readers see 1/(2x), others (1/2)x."""
    assert isinstance(quotient, Op)
    above, below = (_source(text, arg.span) for arg in quotient.args)
    times = _source(text, factor.span)
    remedy = f"write {above}/({below}*{times}) or {above}/{below}*{times}"
    start, end = quotient.args[1].span[0], factor.span[1]
    return mistake(text, (start, end), "a product without its * right after /", remedy)


def comparison(text: str, node: Op) -> UserError:
    """A comparison where a number is due."""
    between = _COMPARISON.search(text, node.args[0].span[1], node.args[1].span[0])
    span = between.span() if between else node.span
    if node.op == "eq":
        return mistake(text, span, "== compares", "write one = for an equation; a choice is where(x == 0, a, b)")
    what = "a comparison stands only as the first argument of where"
    return mistake(text, span, what, "write where(x > 0, a, b)")


def not_a_function(text: str, token: Token, bracket: Token, functions: Iterable[str]) -> UserError:
    """A name before ( that is no function."""
    word = text[slice(*token.span)]
    if token.text in REDUCTIONS and not token.quoted:
        what = f"{word} is known only in minimize and grad"
        return mistake(text, token.span, what, "a loss sums or averages over the rows by itself")
    group = _group(text, bracket.span[0])
    product = f"for a product write {_cut(word)}*{group}" if group != "()" else _known(functions)
    close = "" if token.quoted else _OTHER_WORDS.get(token.text) or nearest(token.text, functions)
    remedy = f"did you mean {close}? {product}" if close else product
    return mistake(text, token.span, f"{_cut(word)} is not a function", remedy)


def _known(functions: Iterable[str]) -> str:
    return "known are " + ", ".join(sorted(functions))


def bare_function(text: str, token: Token) -> UserError:
    """A function's name without its parentheses."""
    remedy = f"write {token.text}(...), or `{token.text}` in backquotes for a name"
    return mistake(text, token.span, f"{token.text} is a function", remedy)


def wrong_arity(text: str, span: Span, function: str, arity: int, given: int) -> UserError:
    """A call with too few or too many arguments."""
    if function in VARIADIC:
        return mistake(text, span, f"{function} takes two arguments or more, not {given}", f"write {function}(a, b)")
    plural = "argument" if arity == 1 else "arguments"
    remedy = _POINT if given == arity + 1 else f"write {_CALLS[arity].format(function)}"
    return mistake(text, span, f"{function} takes {arity} {plural}, not {given}", remedy)


def _group(text: str, start: int) -> str:
    """The parentheses that open at `start`, or (...) where they are long or never close."""
    depth = 0
    for position in range(start, min(len(text), start + _QUOTE)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return text[start : position + 1]
    return "(...)"


def _source(text: str, span: Span) -> str:
    shown = text[slice(*span)]
    return shown if len(shown) <= _QUOTE else "(...)"


def _cut(text: str, length: int = _QUOTE) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
