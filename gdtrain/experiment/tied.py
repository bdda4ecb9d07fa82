"""Tied parameters: those that follow from others by a formula, `expr: 2*a`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from gdtrain.errors import UserError, did_you_mean
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.tree import Mistake, Node, Place, short
from gdtrain.formula import Name, names, parse, substituted, walk
from gdtrain.formula import Node as Formula

_LONGEST = 10_000  # nodes of a formula when all it is tied to stands in it


@lru_cache(maxsize=256)
def _parsed(text: str) -> Formula:
    return parse(text)


def ties(experiment: Experiment) -> dict[str, Formula]:
    """Each tied parameter's formula, in parameters that are not tied themselves."""
    return _resolved(_trees(experiment))


def untied(experiment: Experiment, trees: Sequence[Formula]) -> tuple[Formula, ...]:
    """Formulas with what tied parameters follow from in their place."""
    found = ties(experiment)
    return tuple(substituted(tree, found) for tree in trees) if found else tuple(trees)


def _resolved(trees: Mapping[str, Formula]) -> dict[str, Formula]:
    """The trees without names of one another. A cycle, which `check` refuses, is left out."""
    found: dict[str, Formula] = {}
    waiting = dict(trees)
    while ready := [name for name, tree in waiting.items() if not set(names(tree)) & set(waiting)]:
        for name in ready:
            found[name] = substituted(waiting.pop(name), found)
    return found


def check(tree: Node) -> Iterator[Mistake]:
    """What is wrong with the formulas of tied parameters in an expanded tree, but for names."""
    trees: dict[str, Formula] = {}
    places: dict[str, Place] = {}
    for keys, node in tree.select("params.*.expr"):
        if not isinstance(node.value, str) or not node.value:
            continue
        name = str(keys[1])
        try:
            trees[name], places[name] = _parsed(node.value), node.place
        except UserError as error:
            yield Mistake(node.within(*(error.span or (0, 0))), error.what, error.remedy)
    for name in [*trees]:
        if path := _cycle(name, trees):
            yield Mistake(places[name], f"{name} is tied to itself: {' -> '.join(path)}", "free one of them")
            del trees[name]
    yield from _too_long(trees, places)


def _cycle(name: str, trees: Mapping[str, Formula]) -> list[str]:
    """The way from a name by way of what it is tied to back to it; [] where there is none."""
    ways, seen = [[name]], {name}
    while ways:
        way = ways.pop()
        for other in names(trees[way[-1]]):
            if other == name:
                return [*way, name]
            if other in trees and other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def _too_long(trees: Mapping[str, Formula], places: Mapping[str, Place]) -> Iterator[Mistake]:
    """Formulas that grow out of bounds where they are put into each other: sizes are counted, not made."""
    sizes: dict[str, int] = {}
    waiting = dict(trees)
    while ready := [name for name, tree in waiting.items() if not set(names(tree)) & set(waiting)]:
        for name in ready:
            nodes = walk(waiting.pop(name))
            sizes[name] = sum(sizes.get(node.name, 1) if isinstance(node, Name) else 1 for node in nodes)
    for name, size in sizes.items():
        if size > _LONGEST:
            yield Mistake(places[name], f"{name} is tied to more than {_LONGEST:,} terms", "shorten it")
            return


def tied(experiment: Experiment) -> bool:
    """Whether any parameter is."""
    return any(param.expr is not None for param in experiment.params.values())


def beyond(
    experiment: Experiment, columns: Sequence[str] | None, possible: Sequence[str], *, known: bool
) -> tuple[list[str], list[Mistake]]:
    """Parameters that only formulas of tied ones name, which are declared and may stand nowhere else; and what is wrong
    with the names in those formulas. A linear predictor has no parameters but its weights, which may not be `known`.
    """
    if experiment.regress:
        return [], [*_strangers(experiment, columns, possible)] if known and columns is not None else []
    others = {*possible, *(columns or ())}
    found = [name for tree in _trees(experiment).values() for name in names(tree)]
    more = [name for name in dict.fromkeys(found) if name in experiment.params and name not in others]
    return more, [*_strangers(experiment, columns, [*possible, *more])]


def _strangers(experiment: Experiment, columns: Sequence[str] | None, possible: Sequence[str]) -> Iterator[Mistake]:
    """Names in formulas of tied parameters that are no parameters."""
    for dependent, tree in _trees(experiment).items():
        node = experiment.tree.get("params", dependent, "expr")
        for name, span in names(tree).items():
            if name in possible:
                continue
            place = experiment.tree.find("params", dependent, "expr") if node is None else node.within(*span)
            if columns is not None and name in columns:
                yield Mistake(place, f"{name} is a column, and a parameter is one number", "tie it to parameters")
            else:
                remedy = did_you_mean(name, possible) or "declare it under params"
                yield Mistake(place, f"there is no parameter {short(name)}", remedy)


def _trees(experiment: Experiment) -> dict[str, Formula]:
    return {name: _parsed(param.expr) for name, param in experiment.params.items() if param.expr is not None}
