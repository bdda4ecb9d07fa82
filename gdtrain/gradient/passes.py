"""Backward passes through expressions at a point, one after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from gdtrain.errors import UserError
from gdtrain.formula import Node, names, parse
from gdtrain.gradient.expression import Expression
from gdtrain.gradient.notes import quoted
from gdtrain.gradient.notes import values as counted
from gdtrain.gradient.point import check_known, check_values, plain, tensor
from gdtrain.gradient.result import Gradient, Pass, Value, symbol

MAX_PASSES = 10_000


def grad(
    expressions: str | Sequence[str],
    at: Mapping[str, object],
    *,
    wrt: str | Sequence[str] | None = None,
    detach: str | Sequence[str] = (),
    vector: object | None = None,
    jacobian: bool = False,
    accumulate: bool = False,
    repeat: int = 1,
    graph: bool = False,
    seed: int = 0,
) -> Gradient:
    """The value and the gradient of expressions at a point, each entry beside its finite difference.

    expressions  one or several, such as `w*x + b` or `mean(2*(x+2)^2)`; one backward pass each, in this order
    at           each name's value: a number, a list or an array (N,) of them, or `randn(3)`, `rand(3)`, `ones(3)`,
                 `zeros(3)`
    wrt          names to differentiate by; None is every name that has a value and is not detached
    detach       names that are left out of the graph
    vector       (M,) for the vector-Jacobian product of the expressions with M values; a list, an array or `ones(3)`
    jacobian     the whole Jacobian in place of the gradient
    accumulate   add to each pass's gradient those of the passes before it, as torch does when nobody zeroes it
    repeat       how often the passes are made, one round after the other
    graph        list the nodes of the backward graphs too
    seed         of the values that are drawn

    float64 on the CPU throughout. Raises UserError for a mistake in any of these.
    """
    texts = _list(expressions)
    _check_choices(texts, vector=vector, jacobian=jacobian, accumulate=accumulate, repeat=repeat, seed=seed)
    trees = [parse(text, reductions=True) for text in texts]
    check_values(texts, trees, at)
    detached = _list(detach)
    by = _differentiated(at, None if wrt is None else _list(wrt), detached)
    values = {name: tensor(name, given, seed).requires_grad_(name in by) for name, given in at.items()}
    point = [Expression.at(text, tree, values, by) for text, tree in zip(texts, trees, strict=True)]
    start = None if vector is None else _vector(vector, point, seed)
    done = [each.passed(start, jacobian=jacobian, graph=graph, symbol=symbol(at)) for each in point]
    passes = [found for found, _ in done] * repeat
    return Gradient(
        passes=list(_added_up(passes)) if accumulate else passes,
        at={name: plain(value, value.shape) for name, value in values.items()},
        wrt=by,
        detached=detached,
        accumulate=accumulate,
        seed=seed,
        notes=_unused(trees, at) + [note for _, said in done for note in said],
    )


def _list(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _check_choices(
    texts: Sequence[str], *, vector: object | None, jacobian: bool, accumulate: bool, repeat: int, seed: int
) -> None:
    if not texts:
        raise UserError("there is no expression", remedy="write one, such as 'w*x + b'")
    if jacobian and vector is not None:
        raise UserError("--vector and --jacobian exclude each other", remedy="leave one of them out")
    if jacobian and accumulate:
        raise UserError("--accumulate adds up gradients, not Jacobians", remedy="leave out --jacobian")
    if not 1 <= repeat <= MAX_PASSES:
        remedy = f"write a number from 1 to {MAX_PASSES:,}"
        raise UserError(f"{repeat} is out of bounds", where="--repeat", remedy=remedy)
    if seed < 0:
        raise UserError(f"{seed} is less than 0", where="--seed", remedy="write 0 or more")


def _differentiated(at: Iterable[str], wrt: Sequence[str] | None, detach: Sequence[str]) -> list[str]:
    """The names to differentiate by. Raises UserError for one that has no value, or is detached too."""
    check_known("--detach", detach, at)
    check_known("--wrt", wrt or (), at)
    for name in wrt or ():
        if name in detach:
            remedy = "what is detached has no gradient: leave out one of the two"
            raise UserError(f"{name} stands in --wrt and in --detach", remedy=remedy)
    return [name for name in (at if wrt is None else dict.fromkeys(wrt)) if name not in detach]


def _vector(given: object, point: Sequence[Expression], seed: int) -> Tensor:
    """What the passes start from. Raises UserError where it does not fit every expression with several values."""
    start = tensor("--vector", given, seed).reshape(-1)
    if all(each.length is None for each in point):
        what = f"{quoted(point[0].text)} has one value, no list of them"
        raise UserError(what, where="--vector", remedy="leave it out")
    for each in point:
        if each.length not in (None, len(start)):
            what = f"the vector has {counted(len(start))}, {quoted(each.text)} has {counted(each.size)}"
            raise UserError(what, where="--vector", remedy="give it one for each value of the expression")
    return start


def _added_up(passes: Iterable[Pass]) -> Iterable[Pass]:
    """Each pass with the gradients of those before it added to its own, and their finite differences too."""
    total: dict[str, Value] = {}
    check: dict[str, Value] = {}
    for each in passes:
        if each.gradient is None or each.finite_difference is None:
            yield each
            continue
        total = {name: value + total.get(name, 0.0) for name, value in each.gradient.items()}
        check = {name: value + check.get(name, 0.0) for name, value in each.finite_difference.items()}
        yield replace(each, gradient=total, finite_difference=check)


def _unused(trees: Sequence[Node], at: Iterable[str]) -> list[str]:
    used = {name for tree in trees for name in names(tree)}
    return [f"{name} has a value and stands in no expression" for name in at if name not in used]
