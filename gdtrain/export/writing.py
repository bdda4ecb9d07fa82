"""Trees to text: how tightly each operation binds, and what stands between its operands."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from gdtrain.export.model import TOTAL
from gdtrain.formula.nodes import Node, Op, walk

ATOM = 6
COMPARED, ADDED, MULTIPLIED, NEGATED, RAISED = 1, 2, 3, 4, 5
WIDE = 88  # characters of a line that is not broken
MANY = 100  # terms of a sum that are added one after the other: parsers nest those of +, and not without end
Text = tuple[str, int]  # what is written, and how tightly it binds
Rule = Callable[[Sequence[Text]], Text]


def written(tree: Node, leaf: Callable[[Node], Text], rules: Mapping[str, Rule], total: Rule) -> Text:
    """The text of a tree: what `leaf` says of columns, numbers and steps, put together by the rules of operations."""
    stack: list[Text] = []
    for node in walk(tree):
        if isinstance(node, Op):
            first = len(stack) - len(node.args)
            stack[first:] = [(total if node.op == TOTAL else rules[node.op])(stack[first:])]
        else:
            stack.append(leaf(node))
    return stack[0]


def lines(tree: Node, leaf: Callable[[Node], Text], rules: Mapping[str, Rule], total: Rule) -> list[str]:
    """The text of a tree; of a long sum, its terms with their signs, to be written one a line."""
    text, _ = written(tree, leaf, rules, total)
    if len(text) <= WIDE or not (isinstance(tree, Op) and tree.op == TOTAL and len(tree.args) <= MANY):
        return [text]
    return sums([written(term, leaf, rules, total) for term in tree.args])


def bare(text: Text, floor: int = ATOM) -> str:
    """A text, in parentheses where it binds less than `floor`."""
    return text[0] if text[1] >= floor else f"({text[0]})"


def signed(value: float, text: str) -> Text:
    """The text of a number, which may have a minus: that of -0.0 too."""
    return text, NEGATED if math.copysign(1.0, value) < 0 else ATOM


def infix(layout: str, power: int, *floors: int) -> Rule:
    """Operands between signs, each in parentheses where it binds less than its floor."""

    def rule(args: Sequence[Text]) -> Text:
        return layout.format(*(bare(arg, floor) for arg, floor in zip(args, floors, strict=True))), power

    return rule


def call(layout: str, power: int = ATOM) -> Rule:
    """Operands that stand alone, between commas and brackets."""
    return lambda args: (layout.format(*(text for text, _ in args)), power)


def inside(layout: str) -> Rule:
    """Operands inside of a longer text, each in parentheses unless it is whole."""
    return lambda args: (layout.format(*map(bare, args)), ATOM)


def sums(terms: Sequence[Text]) -> list[str]:
    """Terms with their signs, the first with none but a minus: `-3*x`, `+ y`, `- 2*z`."""
    found = []
    for i, term in enumerate(terms):
        text = bare(term, MULTIPLIED)
        minus = text.startswith("-")
        found.append(text if i == 0 else f"- {text[1:]}" if minus else f"+ {text}")
    return found


def _joined(sign: str, other: str) -> Rule:
    """Two terms; of one that has a minus, the other sign without it."""

    def rule(args: Sequence[Text]) -> Text:
        left, right = bare(args[0], ADDED), bare(args[1], MULTIPLIED)
        return f"{left} {other} {right[1:]}" if right.startswith("-") else f"{left} {sign} {right}", ADDED

    return rule


INFIX: Mapping[str, Rule] = {
    **{
        op: infix(f"{{}} {sign} {{}}", COMPARED, ADDED, ADDED)
        for op, sign in {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}.items()
    },
    "add": _joined("+", "-"),
    "sub": _joined("-", "+"),
    "mul": infix("{}*{}", MULTIPLIED, MULTIPLIED, NEGATED),
    "div": infix("{}/{}", MULTIPLIED, MULTIPLIED, NEGATED),
    "neg": infix("-{}", NEGATED, RAISED),
}
