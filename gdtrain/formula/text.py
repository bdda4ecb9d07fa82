"""A tree back to text that parses to the same tree."""

from __future__ import annotations

from gdtrain.formula.characters import is_plain_name
from gdtrain.formula.nodes import (
    ALIASES,
    CONSTANTS,
    FUNCTIONS,
    REDUCTIONS,
    VARIADIC,
    Node,
    Number,
    Op,
    walk,
)

_ATOM = 6
# Operation: how it is written, how tightly it binds, and how tightly each operand must bind to go bare.
_LAYOUT = {
    **{
        op: (f"{{}} {sign} {{}}", 1, (2, 2))
        for op, sign in {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}.items()
    },
    "add": ("{} + {}", 2, (2, 3)),
    "sub": ("{} - {}", 2, (2, 3)),
    "mul": ("{}*{}", 3, (3, 4)),
    "div": ("{}/{}", 3, (3, 4)),
    "neg": ("-{}", 4, (4,)),
    "pow": ("{}^{}", 5, (_ATOM, 4)),
}
_RESERVED = {*FUNCTIONS, *REDUCTIONS, *ALIASES, *CONSTANTS, "π"}


def to_text(node: Node) -> str:
    """The formula with no more parentheses than it needs; parsing it gives `node` again."""
    stack: list[tuple[str, int]] = []  # text and how tightly it binds
    for current in walk(node):
        if isinstance(current, Op):
            first = len(stack) - len(current.args)
            stack[first:] = [_operation(current, stack[first:])]
        else:
            stack.append((_number(current.value) if isinstance(current, Number) else _name(current.name), _ATOM))
    return stack[0][0]


def _operation(node: Op, args: list[tuple[str, int]]) -> tuple[str, int]:
    if node.op not in _LAYOUT:
        return f"{node.op}({_arguments(node, [text for text, _ in args])})", _ATOM
    layout, power, floors = _LAYOUT[node.op]
    shown = (text if binds >= floor else f"({text})" for (text, binds), floor in zip(args, floors, strict=True))
    return layout.format(*shown), power


def _arguments(node: Op, texts: list[str]) -> str:
    first = node.args[0]
    if node.op in VARIADIC and isinstance(first, Op) and first.op == node.op:
        texts[0] = texts[0][len(f"{node.op}(") : -1]  # min(min(a, b), c) is written min(a, b, c)
    return ", ".join(texts)


def _number(value: float) -> str:
    for name, constant in CONSTANTS.items():
        if value == constant:
            return name
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def unquoted(name: str) -> str:
    """A name without the backquotes, and blanks, that it may stand in."""
    bare = name.strip()
    return bare[1:-1].replace("``", "`") if len(bare) > 2 and bare[0] == bare[-1] == "`" else bare


def _name(name: str) -> str:
    """`name` as a formula writes it: in backquotes where it is no plain name, or a function's."""
    if is_plain_name(name) and name not in _RESERVED:
        return name
    return "`" + name.replace("`", "``") + "`"
