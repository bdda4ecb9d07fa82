"""A model as a Python function that needs the standard library alone."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence

from gdtrain.errors import printable
from gdtrain.export.model import Case, Groups, Model, Own, Ref
from gdtrain.export.writing import (
    ADDED,
    ATOM,
    COMPARED,
    INFIX,
    MANY,
    RAISED,
    Rule,
    Text,
    call,
    infix,
    lines,
    signed,
    sums,
)
from gdtrain.formula.nodes import Name, Node, Number

FUNCTION = "predict"
_TABLE = "_GROUPS"  # the numbers of each group


def _overflowing(name: str, instead: str) -> str:
    """A function of `math` where torch goes on with an infinity."""
    return f"""
def _{name}(x):
    try:
        return math.{name}(x)
    except OverflowError:
        return {instead}
"""


# What `math` lacks, or refuses.
_HELPERS: Mapping[str, str] = {
    "_exp": _overflowing("exp", "math.inf"),
    "_expm1": _overflowing("expm1", "math.inf"),
    "_sinh": _overflowing("sinh", "math.copysign(math.inf, x)"),
    "_cosh": _overflowing("cosh", "math.inf"),
    "_pow": """
def _pow(x, y):
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
""",
    "_sign": """
def _sign(x):
    return float((x > 0) - (x < 0))
""",
    "_sigmoid": """
def _sigmoid(x):
    return 1/(1 + math.exp(-x)) if x >= 0 else math.exp(x)/(1 + math.exp(x))
""",
    "_softplus": """
def _softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
""",
    "_leaky_relu": """
def _leaky_relu(x):
    return x if x > 0 else 0.01*x
""",
    "_elu": """
def _elu(x):
    return x if x > 0 else math.expm1(x)
""",
    "_gelu": """
def _gelu(x):
    return x*(1 + math.erf(x/math.sqrt(2)))/2
""",
    "_silu": """
def _silu(x):
    return x*_sigmoid(x)
""",
    "_softplus20": """
def _softplus20(x):
    return x if x > 20 else math.log1p(math.exp(x))
""",
}
_HELPER = re.compile(r"\b(" + "|".join(_HELPERS) + r")\(")
_NEEDS = {"_silu": "_sigmoid"}
_RESERVED = {"math", "max", "min", "sum", "abs", "float", "dict", "__debug__", FUNCTION, _TABLE, *_HELPERS}
_MATH = ("log", "log2", "log10", "log1p", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "tanh", "erf")


def _power(args: Sequence[Text]) -> Text:
    (base, exponent) = args
    if re.fullmatch(r"[1-9]\.0", exponent[0]):
        return f"{base[0] if base[1] == ATOM else f'({base[0]})'}**{exponent[0][:-2]}", RAISED
    return f"_pow({base[0]}, {exponent[0]})", ATOM


def _total(terms: Sequence[Text]) -> Text:
    if len(terms) > MANY:
        return f"sum(({', '.join(text for text, _ in terms)}))", ATOM
    return " ".join(sums(terms)), ADDED


_RULES: Mapping[str, Rule] = {
    **INFIX,
    "eq": infix("{} == {}", COMPARED, ADDED, ADDED),
    "ne": infix("{} != {}", COMPARED, ADDED, ADDED),
    "pow": _power,
    **{name: call(f"math.{name}({{}})") for name in _MATH},
    **{name: call(f"_{name}({{}})") for name in ("exp", "expm1", "sinh", "cosh", "sign", "sigmoid", "softplus")},
    **{name: call(f"_{name}({{}})") for name in ("leaky_relu", "elu", "gelu", "silu", "softplus20")},
    "abs": call("abs({})"),
    "relu": call("max({}, 0.0)"),
    "min": call("min({}, {})"),
    "max": call("max({}, {})"),
    "hypot": call("math.hypot({}, {})"),
    "atan2": call("math.atan2({}, {})"),
    "where": lambda args: (f"{_bool(args[1])} if {args[0][0]} else {_bool(args[2])}", 0),
}


def _bool(text: Text) -> str:
    return text[0] if text[1] > 0 else f"({text[0]})"


def written(model: Model) -> str:
    """A module with one function, `predict`, of the columns: a number, or a dict of them where there are several."""
    own = [*model.groups.numbers] if model.groups else []
    found = iter(identifiers([*model.columns, *model.steps, *own]))
    names, steps, numbers = (dict(zip(each, found, strict=False)) for each in (model.columns, model.steps, own))
    leaf = _leaf(names, steps, numbers)
    body = _missing(model, names)
    if model.groups:
        told = "".join(f"{name}, " for name in numbers.values())
        body.append(f"    {told.strip() if len(numbers) == 1 else told[:-2]} = {_TABLE}[{names[model.groups.column]}]")
    body += [f"    {steps[step]} = {_expression(tree, leaf)}" for step, tree in model.steps.items()]
    outputs = {name: _expression(tree, leaf) for name, tree in model.outputs.items()}
    if len(outputs) == 1:
        body += [f"    return {text}" for text in outputs.values()]
    else:
        body += ["    return {", *(f"        {name!r}: {text}," for name, text in outputs.items()), "    }"]
    text = "\n".join(body)
    arguments = ", ".join(names[column] for column in model.columns)
    renamed = [(names[c], c) for c in model.columns if names[c] != c]
    comments = [printable(f"# {model.title}"), *(printable(f"# {new}: the column {old}") for new, old in renamed)]
    tables = [_table(model.groups)] if model.groups else []
    parts = ["import math", *_helpers(text), *tables, f"def {FUNCTION}({arguments}):\n{text}"]
    return "\n".join(comments) + "\n" + "\n\n\n".join(parts) + "\n"


def _expression(tree: Node, leaf: Callable[[Node], Text]) -> str:
    first, *others = lines(tree, leaf, _RULES, _total)
    if not others:
        return first
    broken = "".join(f"\n        {line}" for line in (first, *others))
    return f"({broken}\n    )"


def _table(groups: Groups) -> str:
    """The numbers of each group."""
    rows = zip(groups.values, zip(*groups.numbers.values(), strict=True), strict=True)
    return "\n".join([f"{_TABLE} = {{", *(f"    {value!r}: {row!r}," for value, row in rows), "}"])


def _leaf(names: Mapping[str, str], steps: Mapping[str, str], own: Mapping[str, str]) -> Callable[[Node], Text]:
    def leaf(node: Node) -> Text:
        if isinstance(node, Number):
            return signed(node.value, repr(node.value))
        assert isinstance(node, Name)
        if not isinstance(node, Case):
            return (steps if isinstance(node, Ref) else own if isinstance(node, Own) else names)[node.name], ATOM
        numbers = "{" + ", ".join(f"{text!r}: {number!r}" for text, number in node.numbers) + "}"
        column = names[node.name]
        rest = f"[{column}]" if node.otherwise is None else f".get({column}, {node.otherwise!r})"
        return numbers + rest, ATOM

    return leaf


def _missing(model: Model, names: Mapping[str, str]) -> list[str]:
    """A missing number is filled where training filled it; else what is missing makes the prediction nan."""
    filled = [column for column in model.columns if column in model.fills]
    found = []
    for column in filled:
        name, mean = names[column], model.fills[column]
        found.append(f"    {name} = {mean!r} if {name} is None or {name} != {name} else {name}")
    rest = [names[column] for column in model.columns if column not in filled]
    if rest:
        nan = "math.nan" if len(model.outputs) == 1 else f"dict.fromkeys({tuple(model.outputs)!r}, math.nan)"
        found += [f"    if None in ({', '.join(rest)}{',' * (len(rest) == 1)}):", f"        return {nan}"]
    return found


def _helpers(body: str) -> list[str]:
    used = set(_HELPER.findall(body))
    used |= {_NEEDS[name] for name in used if name in _NEEDS}
    return [source.strip() for name, source in _HELPERS.items() if name in used]


def identifiers(names: Iterable[str]) -> list[str]:
    """What Python may call each name: itself where that can be, else with _ for other signs, and a number if taken."""
    found: list[str] = []
    for name in names:
        plain = name
        if not name.isidentifier() or unicodedata.normalize("NFKC", name) != name:
            plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "column"
            plain = f"_{plain}" if plain[0].isdigit() else plain
        free, count = plain, 1
        while free in _RESERVED or free in found or keyword.iskeyword(free):
            count += 1
            free = f"{plain}_{count}"
        found.append(free)
    return found
