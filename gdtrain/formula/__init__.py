"""Formulas: text to a tree of a closed set of nodes, and what can be told from the tree. No torch here."""

from __future__ import annotations

from gdtrain.formula.analysis import degree, names
from gdtrain.formula.nodes import ALIASES, ARITY, FUNCTIONS, REDUCTIONS, Name, Node, Number, Op, Span, walk
from gdtrain.formula.parser import parse, parse_equation
from gdtrain.formula.substitution import substituted
from gdtrain.formula.text import to_text

__all__ = [
    "ALIASES",
    "ARITY",
    "FUNCTIONS",
    "REDUCTIONS",
    "Name",
    "Node",
    "Number",
    "Op",
    "Span",
    "degree",
    "names",
    "parse",
    "parse_equation",
    "substituted",
    "to_text",
    "walk",
]
