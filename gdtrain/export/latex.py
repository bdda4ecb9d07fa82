"""A model as a formula in LaTeX (amsmath), its numbers rounded to six significant digits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gdtrain.errors import printable
from gdtrain.export.model import Case, Model
from gdtrain.export.writing import (
    ADDED,
    ATOM,
    COMPARED,
    INFIX,
    MULTIPLIED,
    RAISED,
    Rule,
    Text,
    bare,
    call,
    infix,
    signed,
    sums,
)
from gdtrain.export.writing import written as text_of
from gdtrain.formula.nodes import Name, Node, Number

_ESCAPES = {
    **{sign: f"\\{sign}" for sign in "#$%&_{}"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}

_GREEK = ("alpha", "beta", "gamma", "delta", "eta", "theta", "kappa", "lambda", "mu", "rho", "sigma", "tau", "omega")


def _called(layout: str) -> Rule:
    """What needs parentheses before it is raised to a power: log(x)^2 says not what is squared."""
    return call(layout, RAISED)


def _operator(name: str) -> Rule:
    return _called(rf"\{name}\left({{}}\right)")


def _named(name: str) -> Rule:
    return _called(rf"\operatorname{{{{{name}}}}}\left({{}}\right)")


def _power(args: Sequence[Text]) -> Text:
    (base, binding), (exponent, _) = args
    whole = base if binding == ATOM else rf"\left({base}\right)"
    return f"{whole}^{{{exponent}}}", RAISED


def _product(args: Sequence[Text]) -> Text:
    """Factors side by side, with a dot before a number: 2 3 is not 23."""
    left, right = bare(args[0], MULTIPLIED), bare(args[1], RAISED)
    sign = r"\cdot" if right[0].isdigit() else r"\,"
    return f"{left} {sign} {right}", MULTIPLIED


def _total(terms: Sequence[Text]) -> Text:
    return " ".join(sums(terms)), ADDED


_RULES: Mapping[str, Rule] = {
    **INFIX,
    **{
        op: infix(f"{{}} {sign} {{}}", COMPARED, ADDED, ADDED)
        for op, sign in {"le": r"\le", "ge": r"\ge", "eq": "=", "ne": r"\ne"}.items()
    },
    "mul": _product,
    "div": _called(r"\frac{{{}}}{{{}}}"),
    "pow": _power,
    "exp": lambda args: (rf"e^{{{args[0][0]}}}", RAISED),
    "expm1": lambda args: (rf"e^{{{args[0][0]}}} - 1", ADDED),
    "log": _operator("ln"),
    "log2": _called(r"\log_{{2}}\left({}\right)"),
    "log10": _called(r"\log_{{10}}\left({}\right)"),
    "log1p": _called(r"\ln\left(1 + {}\right)"),
    "sqrt": call(r"\sqrt{{{}}}"),
    "abs": call(r"\left|{}\right|"),
    **{name: _operator(name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"a{name}": _operator(f"arc{name}") for name in ("sin", "cos", "tan")},
    **{name: _named(name.replace("_", "-")) for name in ("sign", "erf", "leaky_relu", "elu", "gelu", "silu")},
    "sigmoid": _called(r"\frac{{1}}{{1 + e^{{-\left({}\right)}}}}"),
    "softplus": _called(r"\ln\left(1 + e^{{{}}}\right)"),
    "softplus20": _called(r"\ln\left(1 + e^{{{}}}\right)"),
    "relu": _called(r"\max\left({}, 0\right)"),
    "min": _called(r"\min\left({}, {}\right)"),
    "max": _called(r"\max\left({}, {}\right)"),
    "hypot": call(r"\sqrt{{\left({}\right)^2 + \left({}\right)^2}}"),
    "atan2": _called(r"\operatorname{{atan2}}\left({}, {}\right)"),
    "where": lambda args: (
        rf"\begin{{cases}} {args[1][0]} & {args[0][0]} \\ {args[2][0]} & \text{{otherwise}} \end{{cases}}",
        RAISED,
    ),
}


def written(model: Model) -> str:
    """An equation; several in an `aligned`."""
    equations = [(_name(name), tree) for name, tree in model.steps.items()]
    heads = [_head(model, name) for name in model.told]
    equations += zip(heads, model.outputs.values(), strict=True)
    lines = [(name, text_of(tree, _leaf, _RULES, _total)[0]) for name, tree in equations]
    if len(lines) == 1:
        return "{} = {}\n".format(*lines[0])
    return "\\begin{aligned}\n" + " \\\\\n".join(f"{name} &= {text}" for name, text in lines) + "\n\\end{aligned}\n"


def _head(model: Model, told: str) -> str:
    return rf"P({_name(told)})" if model.probable else rf"\widehat{{{_name(told)}}}"


def _leaf(node: Node) -> Text:
    if isinstance(node, Number):
        text = number(node.value)
        return (text, MULTIPLIED) if "cdot" in text else signed(node.value, text)
    assert isinstance(node, Name)
    if not isinstance(node, Case):
        return _name(node.name), ATOM
    rows = [rf"{number(value)} & {_name(node.name)} = \text{{{_escaped(text)}}}" for text, value in node.numbers]
    rest = [] if node.otherwise is None else [rf"{number(node.otherwise)} & \text{{otherwise}}"]
    told = r" \\ ".join([*rows, *rest])
    return rf"\begin{{cases}} {told} \end{{cases}}", ATOM


def number(value: float) -> str:
    r"""Six significant digits: `0.598487`, `1.5 \cdot 10^{-7}`."""
    mantissa, _, exponent = f"{value:.6g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def _name(name: str) -> str:
    r"""A letter as it is, `x1` as x with an index, other words upright; what is none, such as `a-b`, as text."""
    if found := re.fullmatch(rf"([A-Za-z]|{'|'.join(_GREEK)})(\d*)", name, re.ASCII):
        letter, index = found.groups()
        letter = letter if len(letter) == 1 else f"\\{letter}"
        return f"{letter}_{{{index}}}" if index else letter
    upright = "mathrm" if re.fullmatch(r"\w+", name, re.ASCII) else "text"
    return rf"\{upright}{{{_escaped(name)}}}"


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(sign, sign) for sign in printable(text))
