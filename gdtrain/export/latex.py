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


def _operator(name: str) -> Rule:
    return call(rf"\{name}\left({{}}\right)")


def _named(name: str) -> Rule:
    return call(rf"\operatorname{{{{{name}}}}}\left({{}}\right)")


def _power(args: Sequence[Text]) -> Text:
    return f"{bare(args[0])}^{{{args[1][0]}}}", RAISED


def _total(terms: Sequence[Text]) -> Text:
    return " ".join(sums(terms)), ADDED


_RULES: Mapping[str, Rule] = {
    **INFIX,
    **{
        op: infix(f"{{}} {sign} {{}}", COMPARED, ADDED, ADDED)
        for op, sign in {"le": r"\le", "ge": r"\ge", "eq": "=", "ne": r"\ne"}.items()
    },
    "mul": infix(r"{} \, {}", MULTIPLIED, MULTIPLIED, RAISED),
    "div": call(r"\frac{{{}}}{{{}}}"),
    "pow": _power,
    "exp": lambda args: (rf"e^{{{args[0][0]}}}", RAISED),
    "expm1": lambda args: (rf"e^{{{args[0][0]}}} - 1", ADDED),
    "log": _operator("ln"),
    "log2": call(r"\log_{{2}}\left({}\right)"),
    "log10": call(r"\log_{{10}}\left({}\right)"),
    "log1p": call(r"\ln\left(1 + {}\right)"),
    "sqrt": call(r"\sqrt{{{}}}"),
    "abs": call(r"\left|{}\right|"),
    **{name: _operator(name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"a{name}": _operator(f"arc{name}") for name in ("sin", "cos", "tan")},
    **{name: _named(name.replace("_", "-")) for name in ("sign", "erf", "leaky_relu", "elu", "gelu", "silu")},
    "sigmoid": call(r"\frac{{1}}{{1 + e^{{-\left({}\right)}}}}"),
    "softplus": call(r"\ln\left(1 + e^{{{}}}\right)"),
    "softplus20": call(r"\ln\left(1 + e^{{{}}}\right)"),
    "relu": call(r"\max\left({}, 0\right)"),
    "min": call(r"\min\left({}, {}\right)"),
    "max": call(r"\max\left({}, {}\right)"),
    "hypot": call(r"\sqrt{{\left({}\right)^2 + \left({}\right)^2}}"),
    "atan2": call(r"\operatorname{{atan2}}\left({}, {}\right)"),
    "where": lambda args: (
        rf"\begin{{cases}} {args[1][0]} & {args[0][0]} \\ {args[2][0]} & \text{{otherwise}} \end{{cases}}",
        ATOM,
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


def _leaf(node: Node) -> str:
    if isinstance(node, Number):
        return number(node.value)
    assert isinstance(node, Name)
    if not isinstance(node, Case):
        return _name(node.name)
    rows = [rf"{number(value)} & {_name(node.name)} = \text{{{_escaped(text)}}}" for text, value in node.numbers]
    rest = [] if node.otherwise is None else [rf"{number(node.otherwise)} & \text{{otherwise}}"]
    told = r" \\ ".join([*rows, *rest])
    return rf"\begin{{cases}} {told} \end{{cases}}"


def number(value: float) -> str:
    r"""Six significant digits: `0.598487`, `1.5 \cdot 10^{-7}`."""
    mantissa, _, exponent = f"{value:.6g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def _name(name: str) -> str:
    """A letter as it is, `x1` as x with an index, anything else upright."""
    if found := re.fullmatch(rf"([A-Za-z]|{'|'.join(_GREEK)})_?(\d*)", name):
        letter, index = found.groups()
        letter = letter if len(letter) == 1 else f"\\{letter}"
        return f"{letter}_{{{index}}}" if index else letter
    return rf"\mathrm{{{_escaped(name)}}}"


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(sign, sign) for sign in printable(text))
