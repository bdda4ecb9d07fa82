"""A model as an SQL expression of the columns of a table, for SQLite, DuckDB and others that have SQL's functions.

Numbers are written with an exponent, which makes them double precision also where plain decimals are exact ones. What
is missing is NULL, and makes NULL, and so does a text that is no level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gdtrain.errors import UserError, printable
from gdtrain.export.model import Case, Groups, Model, Own, Ref
from gdtrain.export.writing import (
    ADDED,
    ATOM,
    COMPARED,
    INFIX,
    MANY,
    NEGATED,
    Rule,
    Text,
    call,
    infix,
    inside,
    lines,
    signed,
    sums,
)
from gdtrain.formula.nodes import Name, Node, Number

LONGEST = 1_000_000  # characters: what SQLite takes


def _total(terms: Sequence[Text]) -> Text:
    """A sum; of very many terms, sums of sums."""
    if len(terms) <= MANY:
        return " ".join(sums(terms)), ADDED
    half = len(terms) // 2
    return f"({_total(terms[:half])[0]}) + ({_total(terms[half:])[0]})", ADDED


_LOG1P = "CASE WHEN 1e0 + {0} = 1e0 THEN {0} ELSE ln(1e0 + {0})*{0}/((1e0 + {0}) - 1e0) END"  # Kahan's
_EXPM1 = (
    "CASE WHEN abs({0}) > 1e0 THEN exp({0}) - 1e0 WHEN exp({0}) = 1e0 THEN {0} "
    "ELSE (exp({0}) - 1e0)*{0}/ln(exp({0})) END"
)
_SOFTPLUS = f"({{0}} + abs({{0}}))/2e0 + {_LOG1P.replace('{0}', 'exp(-abs({0}))')}"
_NONE = {"erf": "erf", "gelu": "erf, which gelu is made of"}


def _refused(name: str) -> Rule:
    def rule(_: Sequence[Text]) -> Text:
        raise UserError(f"SQL has no {_NONE[name]}", where="--to", remedy="export it --to python")

    return rule


def _where(args: Sequence[Text]) -> Text:
    condition, met, else_ = (text for text, _ in args)
    return f"(CASE WHEN {condition} THEN {met} WHEN NOT ({condition}) THEN {else_} END)", ATOM


_RULES: Mapping[str, Rule] = {
    **INFIX,
    "eq": infix("{} = {}", COMPARED, ADDED, ADDED),
    "ne": infix("{} <> {}", COMPARED, ADDED, ADDED),
    "neg": infix("-{}", NEGATED, ATOM),  # two minuses would start a comment
    **{name: call(f"{name}({{}})") for name in ("exp", "log2", "log10", "sqrt", "abs", "sin", "cos", "tan")},
    **{name: call(f"{name}({{}})") for name in ("asin", "acos", "atan", "sinh", "cosh", "tanh")},
    "log": call("ln({})"),
    "pow": call("pow({}, {})"),
    "atan2": call("atan2({}, {})"),
    "hypot": inside("sqrt({0}*{0} + {1}*{1})"),
    "log1p": inside(f"({_LOG1P})"),
    "expm1": inside(f"({_EXPM1})"),
    "sign": inside("(CASE WHEN {0} > 0e0 THEN 1e0 WHEN {0} < 0e0 THEN -1e0 WHEN {0} = 0e0 THEN 0e0 END)"),
    "sigmoid": inside("(1e0/(1e0 + exp(-{0})))"),
    "softplus": inside(f"({_SOFTPLUS})"),
    "softplus20": inside(f"(CASE WHEN {{0}} > 2e1 THEN {{0}} ELSE {_SOFTPLUS} END)"),
    "relu": inside("(({0} + abs({0}))/2e0)"),
    "leaky_relu": inside("(CASE WHEN {0} > 0e0 THEN {0} ELSE 1e-2*{0} END)"),
    "elu": inside(f"(CASE WHEN {{0}} > 0e0 THEN {{0}} ELSE {_EXPM1} END)"),
    "silu": inside("({0}/(1e0 + exp(-{0})))"),
    "min": inside("(CASE WHEN {0} <= {1} THEN {0} WHEN {0} > {1} THEN {1} END)"),
    "max": inside("(CASE WHEN {0} >= {1} THEN {0} WHEN {0} < {1} THEN {1} END)"),
    "where": _where,
    **{name: _refused(name) for name in _NONE},
}


def written(model: Model) -> str:
    """One expression; of several predictions one each, named, as in a list after SELECT."""
    steps: dict[str, str] = {}
    leaf = _leaf(model, steps)
    for name, tree in model.steps.items():
        steps[name] = f"({_expression(tree, leaf)})"
    outputs = {name: _expression(tree, leaf) for name, tree in model.outputs.items()}
    if len(outputs) == 1:
        return next(iter(outputs.values())) + "\n"
    return ",\n".join(f"{text} AS {identifier(name)}" for name, text in outputs.items()) + "\n"


def _expression(tree: Node, leaf: Callable[[Node], Text]) -> str:
    return _bounded("\n".join(lines(tree, leaf, _BOUNDED, _total)))


def _bounded(text: str) -> str:
    if len(text) > LONGEST:
        what = f"the expression would have more than {LONGEST:,} characters"
        raise UserError(what, where="--to", remedy="export it --to python")
    return text


def _checked(rule: Rule) -> Rule:
    """Operands that stand several times over make texts grow without bounds."""

    def checked(args: Sequence[Text]) -> Text:
        text, power = rule(args)
        return _bounded(text), power

    return checked


_BOUNDED = {name: _checked(rule) for name, rule in _RULES.items()}


def _leaf(model: Model, steps: Mapping[str, str]) -> Callable[[Node], Text]:
    def leaf(node: Node) -> Text:
        if isinstance(node, Number):
            return signed(node.value, number(node.value))
        assert isinstance(node, Name)
        if isinstance(node, Ref):
            return steps[node.name], ATOM
        if isinstance(node, Case):
            return _case(node), ATOM
        if isinstance(node, Own):
            assert model.groups is not None
            return _of_group(model.groups, node.name), ATOM
        column = f"CAST({identifier(node.name)} AS DOUBLE PRECISION)"
        fill = model.fills.get(node.name)
        return column if fill is None else f"COALESCE({column}, {number(fill)})", ATOM

    return leaf


def _case(case: Case) -> str:
    column = identifier(case.name)
    whens = " ".join(f"WHEN {_literal(text)} THEN {number(value)}" for text, value in case.numbers)
    if case.otherwise is None:
        return f"(CASE {column} {whens} END)"
    return f"(CASE WHEN {column} IS NULL THEN NULL ELSE CASE {column} {whens} ELSE {number(case.otherwise)} END END)"


def _of_group(groups: Groups, name: str) -> str:
    """The number of a parameter in the group of the row; NULL where there is no such group."""
    column = identifier(groups.column)
    key = column if groups.text else f"CAST({column} AS DOUBLE PRECISION)"
    told = (_literal(value) if isinstance(value, str) else number(float(value)) for value in groups.values)
    whens = " ".join(f"WHEN {each} THEN {number(one)}" for each, one in zip(told, groups.numbers[name], strict=True))
    return f"(CASE {key} {whens} END)"


def number(value: float) -> str:
    """A number in double precision, all its digits: `2.5e0`."""
    text = repr(value)
    return text if "e" in text else f"{text.removesuffix('.0')}e0"


def identifier(name: str) -> str:
    """A name in double quotes. Raises UserError for one that no SQL text can hold."""
    return '"' + _held(name).replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + _held(text).replace("'", "''") + "'"


def _held(text: str) -> str:
    if "\0" in text:
        raise UserError(f"{printable(text)} cannot stand in SQL", where="--to", remedy="export it --to python")
    return text
