"""The point at which expressions are evaluated: a value for each name, as torch wants it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from gdtrain.draws import generator
from gdtrain.errors import UserError, did_you_mean, nearest
from gdtrain.formula import REDUCTIONS, Name, Node, Op, names, walk
from gdtrain.gradient.result import Value

MAX_DRAWN = 10_000_000  # values of one drawn list
_LISTED = 20  # names that a message lists
_PAIRS = "values are paired one to one: give both the same length, or reduce one with sum(...) or mean(...)"
_ONE = "values are paired one to one: for a number that goes with each of them leave out the brackets"
_EXACT_E = "2.718281828459045"

_DRAWS: Mapping[str, Callable[[np.random.Generator, int], ArrayLike]] = {
    "randn": lambda draw, size: draw.standard_normal(size),
    "rand": lambda draw, size: draw.random(size),
    "ones": lambda _, size: np.ones(size),
    "zeros": lambda _, size: np.zeros(size),
}
_DRAWN = re.compile(r"(\w+)\s*\(\s*(.*?)\s*\)", re.DOTALL)
_SIZE = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?([eE]\+?[0-9]{1,4})?")


def tensor(name: str, given: object, seed: int) -> Tensor:
    """A number as a tensor of no axis, a list or an array as (N,); float64.

    given  a number, a list or an array of them, or `randn(3)`, `rand(3)`, `ones(3)`, `zeros(3)`, which are drawn
           from a generator of their own for each seed and name

    Raises UserError for what is no number, is not finite, is empty or has more than one axis.
    """
    values = _drawn(name, given, seed) if isinstance(given, str) else _array(name, given)
    if values.ndim > 1:
        raise UserError(f"{name} is a list in a list", remedy=f"a name has one number or one list: {name}=[1,2,3]")
    if values.size == 0:
        raise UserError(f"{name} is an empty list", remedy=f"give it values: {name}=[1,2,3]")
    if not np.isfinite(values).all():
        raise UserError(f"{name} has a value that is not a finite number", remedy="write a finite one")
    return torch.from_numpy(values.copy())


def plain(values: Tensor, shape: Sequence[int]) -> Value:
    """A tensor as a number where it has no axis, else as an array."""
    shaped = values.detach().reshape(tuple(shape))
    return shaped.numpy().copy() if shaped.ndim else float(shaped)


def _array(name: str, given: object) -> np.ndarray:
    if isinstance(given, Tensor):
        given = given.detach().cpu()
    try:
        values = np.asarray(given)
    except (ValueError, TypeError, OverflowError):
        values = np.asarray(None)
    if values.dtype.kind not in "iuf" and values.size:
        raise UserError(f"{name} is not a number or a list of numbers", remedy=f"such as {name}=2 or {name}=[1,2,3]")
    return values.astype(np.float64)


def _drawn(name: str, text: str, seed: int) -> np.ndarray:
    called = _DRAWN.fullmatch(text.strip())
    known = ", ".join(f"{draw}(3)" for draw in _DRAWS)
    if called is None:
        remedy = f"write a number, a list such as [1,2,3], or one of {known}"
        raise UserError(f"{text} is not a value for {name}", remedy=remedy)
    word, size = called.groups()
    if word not in _DRAWS:
        close = nearest(word, _DRAWS)
        remedy = f"did you mean {close}({size})?" if close else f"there are {known}"
        raise UserError(f"there is no {word} to draw {name} from", remedy=remedy)
    count = float(size) if _SIZE.fullmatch(size) else 0.5
    if not count.is_integer() and count != np.inf:
        raise UserError(f"{text} names no size for {name}", remedy=f"write how many values: {word}(3)")
    if count > MAX_DRAWN:
        raise UserError(f"{text} is too many values for {name}", remedy=f"at most {MAX_DRAWN:,}")
    return np.asarray(_DRAWS[word](generator(seed, 0, name), int(count)), dtype=np.float64)


def check_values(texts: Sequence[str], trees: Sequence[Node], given: Iterable[str]) -> None:
    """Raise UserError for every name in the expressions that has no value, at the first of them."""
    known = list(given)
    missing: dict[str, tuple[str, tuple[int, int]]] = {}
    for text, tree in zip(texts, trees, strict=True):
        for name, span in names(tree).items():
            if name not in known:
                missing.setdefault(name, (text, span))
    if missing:
        used = {name for tree in trees for name in names(tree)}
        text, span = next(iter(missing.values()))
        plural = "have no value" if len(missing) > 1 else "has no value"
        remedy = _remedy(list(missing), [name for name in known if name not in used])
        raise UserError(f"{_all(missing)} {plural}", remedy=remedy, text=text, span=span)


def _remedy(missing: list[str], unused: Sequence[str]) -> str:
    if missing == ["e"]:
        return f"write exp(1), or give it a value: --at e={_EXACT_E}"
    slips = [f"did you mean {close} by {name}?" for name in missing if (close := nearest(name, unused))]
    values = ",".join(f"{name}={_EXACT_E if name == 'e' else '...'}" for name in missing[:_LISTED])
    give = f"give {'it a value' if len(missing) == 1 else 'them values'}: --at {values}"
    return " ".join([*slips, give] + (["(e is no constant: write exp(1))"] if "e" in missing else []))


def check_known(flag: str, chosen: Iterable[str], known: Iterable[str]) -> None:
    """Raise UserError for a name of `--wrt` or `--detach` that has no value."""
    names_known = list(known)
    for name in chosen:
        if name not in names_known:
            listed = f"the names with a value are {_all(names_known)}" if names_known else "no name has a value"
            remedy = did_you_mean(name, names_known) or listed
            raise UserError(f"{name} has no value to differentiate by", where=flag, remedy=remedy)


def check_lengths(text: str, tree: Node, values: Mapping[str, Tensor]) -> int | None:
    """How many values `tree` has: None for a number, else the length of its list.

    Raises UserError, pointing at the operation, where it would pair lists of different lengths. (A list of one
    value pairs with nothing but its like, too: no silent broadcasting.)
    """
    lengths: dict[int, int | None] = {}
    for node in walk(tree):
        lengths[id(node)] = _length(text, node, values, lengths)
    return lengths[id(tree)]


def _length(text: str, node: Node, values: Mapping[str, Tensor], lengths: Mapping[int, int | None]) -> int | None:
    if isinstance(node, Name):
        value = values[node.name]
        return len(value) if value.ndim else None
    if not isinstance(node, Op) or node.op in REDUCTIONS:
        return None
    lists = [(arg, size) for arg in node.args if (size := lengths[id(arg)]) is not None]
    for arg, size in lists[1:]:
        first, expected = lists[0]
        if size != expected:
            has = f"{_source(text, first)} has {_values(expected)}, {_source(text, arg)} has {_values(size)}"
            raise UserError(has, remedy=_PAIRS if 1 not in (size, expected) else _ONE, text=text, span=node.span)
    return lists[0][1] if lists else None


def _source(text: str, node: Node) -> str:
    shown = text[slice(*node.span)]
    return shown if len(shown) <= 40 else "one side"


def _values(size: int) -> str:
    return f"{size:,} value{'s' * (size != 1)}"


def _all(listed: Iterable[str]) -> str:
    shown = list(listed)
    return ", ".join(shown[:_LISTED]) + (", ..." if len(shown) > _LISTED else "")
