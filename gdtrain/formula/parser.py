"""Tokens to a tree, by operator precedence.

From loosest to tightest: comparisons (only as the first operand of `where`), `+ -`, `* /` and implicit
multiplication, unary `+ -`, `^` and `**` (right-associative; `-2^2` is -4, and `2^-x` needs no parentheses).
"""

from __future__ import annotations

from dataclasses import replace

from gdtrain.formula import complaints
from gdtrain.formula.constants import check_constants
from gdtrain.formula.nodes import (
    ALIASES,
    COMPARISONS,
    CONSTANTS,
    FUNCTIONS,
    REDUCTIONS,
    VARIADIC,
    Name,
    Node,
    Number,
    Op,
    Span,
)
from gdtrain.formula.tokens import Token, mistake, tokenize

MAX_NESTING = 100  # parentheses, bars, calls, signs and stacked powers inside one another

IMPLICIT = ""  # the symbol of the product that `2x` implies
_SIGN = 4  # how tightly a sign binds what follows it
# Symbol: operation, how tightly it binds to its left, and to its right.
_INFIX = {
    "<": ("lt", 1, 2),
    "<=": ("le", 1, 2),
    ">": ("gt", 1, 2),
    ">=": ("ge", 1, 2),
    "==": ("eq", 1, 2),
    "!=": ("ne", 1, 2),
    "+": ("add", 2, 3),
    "-": ("sub", 2, 3),
    "*": ("mul", 3, 4),
    "/": ("div", 3, 4),
    IMPLICIT: ("mul", 3, 4),
    "^": ("pow", 5, 4),
    "**": ("pow", 5, 4),
}


def parse(text: str, *, reductions: bool = False) -> Node:
    """The tree of an expression such as `a*exp(-b*x) + c`.

    reductions  whether `sum` and `mean` are known

    Raises UserError that points at the characters at fault.
    """
    parser = _Parser(text, reductions)
    node = parser.side()
    if parser.at("="):
        raise mistake(text, parser.token.span, "an expression has no =", "write one side only")
    parser.finish()
    return node


def parse_equation(
    text: str, *, reductions: bool = False, no_equals: str = "write it as left = right"
) -> tuple[Node, Node]:
    """The two sides of an equation such as `y = w*x`.

    no_equals  the remedy that is told when the text holds no `=`

    Raises UserError that points at the characters at fault.
    """
    parser = _Parser(text, reductions)
    left = parser.side()
    if not parser.at("="):
        parser.finish()
        raise mistake(text, (0, len(text)), "there is no = in the formula", no_equals)
    parser.advance()
    right = parser.side()
    if parser.at("="):
        raise mistake(text, parser.token.span, "a second =", "an equation has one; write one equation per formula")
    parser.finish()
    return left, right


class _Parser:
    """One pass over the tokens of `text`."""

    def __init__(self, text: str, reductions: bool) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.position = 0
        self.opened: list[Token] = []  # the ( and | that are not closed yet
        self.nesting = 0
        self.functions = {**FUNCTIONS, **(REDUCTIONS if reductions else {})}
        complaints.refuse_tilde(text, self.tokens)

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def at(self, *symbols: str) -> bool:
        return self.token.kind == "symbol" and self.token.text in symbols

    def advance(self) -> Token:
        token = self.token
        self.position += 1
        return token

    def side(self) -> Node:
        """One side of an equation, or a whole expression."""
        if len(self.tokens) == 1:
            raise mistake(self.text, (0, 0), "the formula is empty", "write an expression such as w*x + b")
        node = self.expression(0)
        self.refuse_comparison(node)
        check_constants(self.text, node)
        return node

    def finish(self) -> None:
        if self.token.kind != "end":
            raise complaints.after_operand(self.text, self.tokens, self.position, self.opened)

    def expression(self, floor: int) -> Node:
        """An operand and the operators after it that bind at least as tightly as `floor`."""
        self.descend()
        left = self.operand()
        before = None
        while (symbol := self.infix()) is not None and _INFIX[symbol][1] >= floor:
            op, _, right_floor = _INFIX[symbol]
            self.position += symbol != IMPLICIT
            right = self.expression(right_floor)
            if before == "/" and symbol == IMPLICIT:
                raise complaints.product_after_division(self.text, left, right)
            left = self.operation(op, (left, right), (left.span[0], right.span[1]))
            before = symbol
        self.nesting -= 1
        return left

    def descend(self) -> None:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            what = f"the formula is nested more than {MAX_NESTING} deep"
            raise mistake(self.text, self.token.span, what, "split it, or drop needless parentheses and signs")

    def infix(self) -> str | None:
        """The operator after an operand, IMPLICIT where a product is implied, or None."""
        if self.at(*_INFIX):
            return self.token.text
        before = self.tokens[self.position - 1]
        joins = before.kind == "number" or (before.kind, before.text) == ("symbol", ")")
        opens = self.token.kind == "name" or self.at("(") or (self.at("|") and not self.closes_bar())
        return IMPLICIT if joins and opens else None

    def closes_bar(self) -> bool:
        return bool(self.opened) and self.opened[-1].text == "|"

    def operation(self, op: str, args: tuple[Node, ...], span: Span) -> Op:
        for arg in args:
            self.refuse_comparison(arg)
        return Op(op, args, span)

    def refuse_comparison(self, node: Node) -> None:
        if isinstance(node, Op) and node.op in COMPARISONS:
            raise complaints.comparison(self.text, node)

    def operand(self) -> Node:
        """A number, a name, a call, a signed operand, or something in parentheses or bars."""
        token = self.token
        if token.kind == "number":
            return Number(self.advance().value, token.span)
        if token.kind == "name":
            return self.name()
        if self.at("+", "-"):
            return self.signed()
        if self.at("("):
            node, span = self.enclosed(")")
            return replace(node, span=span) if isinstance(node, Op) else node
        if self.at("|"):
            node, span = self.enclosed("|")
            return self.operation("abs", (node,), span)
        raise complaints.missing_operand(self.text, self.tokens, self.position)

    def signed(self) -> Node:
        sign = self.advance()
        node = self.expression(_SIGN)
        return node if sign.text == "+" else self.operation("neg", (node,), (sign.span[0], node.span[1]))

    def enclosed(self, closing: str) -> tuple[Node, Span]:
        """The expression between the token here and `closing`, and the span with both."""
        start = self.open()
        node = self.expression(0)
        return node, (start, self.close(closing))

    def open(self) -> int:
        self.opened.append(self.advance())
        return self.opened[-1].span[0]

    def close(self, closing: str) -> int:
        if not self.at(closing):
            raise complaints.after_operand(self.text, self.tokens, self.position, self.opened)
        self.opened.pop()
        return self.advance().span[1]

    def name(self) -> Node:
        token = self.advance()
        word = ALIASES.get(token.text, token.text)
        if token.quoted:
            self.refuse_call(token)
            return Name(token.text, token.span)
        if self.at("(") and word in self.functions:
            return self.call(token, word)
        self.refuse_call(token)
        if word in FUNCTIONS or word in REDUCTIONS:
            raise complaints.bare_function(self.text, token)
        if word in CONSTANTS:
            return Number(CONSTANTS[word], token.span)
        if word == "π":
            raise mistake(self.text, token.span, "π is not a name", "write pi")
        return Name(word, token.span)

    def refuse_call(self, token: Token) -> None:
        if self.at("("):
            raise complaints.not_a_function(self.text, token, self.token, self.functions)

    def call(self, token: Token, function: str) -> Node:
        self.open()
        args = [] if self.at(")") else self.arguments()
        span = (token.span[0], self.close(")"))
        arity = self.functions[function]
        if len(args) != arity and not (function in VARIADIC and len(args) > arity):
            raise complaints.wrong_arity(self.text, span, token.text, arity, len(args))
        if function == "where":
            return self.choice(args, span)
        node = self.operation(function, tuple(args[:arity]), span)
        for arg in args[arity:]:
            node = self.operation(function, (node, arg), span)
        return node

    def arguments(self) -> list[Node]:
        args = [self.expression(0)]
        while self.at(","):
            self.advance()
            args.append(self.expression(0))
        return args

    def choice(self, args: list[Node], span: Span) -> Op:
        condition, *branches = args
        if not (isinstance(condition, Op) and condition.op in COMPARISONS):
            what = "the first argument of where is a comparison"
            raise mistake(self.text, condition.span, what, "such as where(x > 0, a, b)")
        for branch in branches:
            self.refuse_comparison(branch)
        return Op("where", (condition, *branches), span)
