"""What features say: columns, expressions of columns, and interactions; and the columns of the design they make.

A term is a product of factors. A factor is a column, or an expression of columns; a column of text stands for the
indicators of its levels. Which of these a term leaves out is R's rule (Chambers and Hastie, Statistical Models in S,
1992, section 2.4): the first level, the reference, where the term without the factor is in the model too, since all
levels together would repeat it; none otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from gdtrain.errors import UserError
from gdtrain.formula import Name, Node, names, parse

_NAMED = re.compile(r"\s*(?P<name>[^=<>!]+?)\s*=(?!=)\s*(?P<expr>.+)", re.DOTALL)
_WORD = re.compile(r"\s*(?:`(?P<quoted>(?:[^`]|``)+)`|(?P<word>[^\W\d]\w*))\s*")
_CALCULATES = re.compile(r"[-+/^*()|<>=]")
_OPENING, _CLOSING = "([{", ")]}"

Columns = Sequence[str] | None  # None where the data has not been read


@dataclass(frozen=True)
class Factor:
    """A column, or an expression of columns; `text` is what it is called."""

    text: str
    column: str | None
    tree: Node | None = None

    @property
    def columns(self) -> list[str]:
        """The columns that it needs."""
        return [*names(self.tree)] if self.tree is not None else [self.column or ""]


@dataclass(frozen=True)
class Term:
    """A product of factors, and what its weight is called where all of them are numbers.

    feature  its place among the features
    """

    label: str
    factors: tuple[Factor, ...]
    feature: int = 0

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(column for factor in self.factors for column in factor.columns))

    @property
    def key(self) -> frozenset[str]:
        """The same for terms of the same factors."""
        return frozenset(factor.text for factor in self.factors)


@dataclass(frozen=True)
class Part:
    """One factor of a column of the design: a factor's numbers, or the indicator of one level of a column of text."""

    factor: Factor
    level: int | None = None


@dataclass(frozen=True)
class Made:
    """A column of the design: a product of parts, called as its weight is."""

    name: str
    parts: tuple[Part, ...]

    @property
    def plain(self) -> bool:
        """Whether it is a column of the data, as it stands there."""
        (first, *others) = self.parts
        return not others and first.level is None and first.factor.column == self.name


def read_feature(text: str, columns: Columns, feature: int = 0) -> list[Term]:
    """The terms that a feature says: one, or for `a*b` of columns three: a, b and a:b.

    A column whose name is `text` comes first. Raises UserError that points into `text`.
    """
    if columns is not None and text in columns:
        return [Term(text, (Factor(text, text),), feature)]
    if named := _NAMED.fullmatch(text):
        factor = _factor(named["expr"], columns)
        return [Term(named["name"], (Factor(named["name"], factor.column, factor.tree),), feature)]
    pieces = split(text, ":")
    if len(pieces) == 1:
        crossed = _crossed(text, columns)
        if crossed:
            sizes = range(1, len(crossed) + 1)
            return [_term(chosen, feature) for size in sizes for chosen in combinations(crossed, size)]
        return [_term((_factor(text, columns),), feature)]
    if not all(piece.strip() for piece in pieces):
        raise UserError(f"{text.strip()} lacks a factor", remedy="write a:b", text=text)
    return [_term(tuple(_factor(piece, columns) for piece in pieces), feature)]


def _term(factors: tuple[Factor, ...], feature: int) -> Term:
    for i, factor in enumerate(factors):
        if factor.text in [other.text for other in factors[:i]]:
            what = f"{factor.text} stands twice in an interaction"
            raise UserError(what, remedy=f"for its square write sq = ({factor.text})^2")
    return Term(":".join(factor.text for factor in factors), factors, feature)


def _factor(text: str, columns: Columns) -> Factor:
    """A column, or an expression. What cannot be either is taken for the name of a column, which there is not."""
    text = text.strip()
    if columns is not None and text in columns:
        return Factor(text, text)
    try:
        tree = parse(text)
    except UserError:
        if columns is not None and _CALCULATES.search(text):
            raise
        return Factor(text, text)
    if isinstance(tree, Name):
        return Factor(tree.name, tree.name)
    return Factor(text, None, tree) if names(tree) else Factor(text, text)


def _crossed(text: str, columns: Columns) -> list[Factor]:
    """The columns of `a*b`; none where that is no product of columns alone."""
    pieces = split(text, "*")
    found = []
    for piece in pieces if len(pieces) > 1 else ():
        word = _WORD.fullmatch(piece)
        name = piece.strip()
        if word and not (columns is not None and name in columns):
            name = word["word"] or word["quoted"].replace("``", "`")
        elif columns is None or name not in columns:
            return []
        found.append(Factor(name, name))
    return found


def split(text: str, mark: str) -> list[str]:
    """What stands between the marks that are outside of brackets and backquotes."""
    pieces, depth, quoted = [""], 0, False
    for character in text:
        quoted ^= character == "`"
        if not quoted:
            depth += (character in _OPENING) - (character in _CLOSING)
        if character == mark and depth <= 0 and not quoted:
            pieces.append("")
        else:
            pieces[-1] += character
    return pieces


def design(terms: Sequence[Term], levels: Mapping[str, Sequence[str]], *, intercept: bool) -> list[Made]:
    """The columns of the design, in the order of the terms; levels in theirs.

    levels  of the columns of text; the first of each is its reference
    """
    spanned: set[frozenset[str]] = {term.key for term in terms} | ({frozenset()} if intercept else set())
    found = []
    for term in terms:
        choices = []
        for factor in term.factors:
            texts = levels.get(factor.column or "")
            if texts is None:
                choices.append([(factor.text, Part(factor))])
                continue
            held = term.key - {factor.text} in spanned
            coded = list(enumerate(texts))[1 if held else 0 :]
            choices.append([(f"{factor.text}[{text}]", Part(factor, code)) for code, text in coded])
        if len(term.factors) == 1 and term.factors[0].column in levels:
            spanned.add(frozenset())  # the indicators of all levels add up to the constant
        for chosen in product(*choices):
            label = ":".join(text for text, _ in chosen)
            found.append(
                Made(
                    term.label if label == ":".join(f.text for f in term.factors) else label,
                    tuple(part for _, part in chosen),
                )
            )
    return found
