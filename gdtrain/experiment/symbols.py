"""What is wrong with the names in formulas: slips of a column's name, a left side that is none, rows left apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gdtrain.errors import nearest
from gdtrain.experiment.features import Columns, no_column
from gdtrain.experiment.formulas import parsed
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.tree import Mistake, Node, Place, short
from gdtrain.formula import REDUCTIONS, Name, Op, walk

_SLIP = 0.8  # likeness from which it is: `incom` and `income`, not `rate` and `date`
_LONG = 4  # letters from which a name that is close to a column's is taken for a slip


def stray(experiment: Experiment, columns: Columns, free: Mapping[str, Place]) -> Iterator[Mistake]:
    """Free names that are hardly meant as parameters: `e`, and slips of a column's name."""
    for name, place in free.items():
        if columns is None or name in columns or name in experiment.params:
            continue
        if name == "e":
            yield Mistake(place, "e is no constant here", "write exp(1), or declare e under params")
        elif close := _slip(name, columns):
            remedy = f"did you mean {close}? A parameter with such a name is declared under params"
            yield Mistake(place, f"there is no column {short(name)}", remedy)


def _slip(name: str, columns: Sequence[str]) -> str:
    """The column that a name of four letters or more is a slip of; `w_income` names its column: no slip."""
    pieces = name.split("_")
    return nearest(name, (c for c in columns if c not in pieces), _SLIP) if len(name) >= _LONG else ""


def left_side(
    experiment: Experiment, columns: Columns, targets: Mapping[str, Place], features: Mapping[str, Place]
) -> Iterator[Mistake]:
    """What is wrong with a left side: it holds a parameter, no column, or one predicted from itself."""
    ((node, (left, _)),) = parsed(experiment.tree)
    if not targets:
        yield Mistake(node.place, "no column stands on the left", "write the column to predict there: y = ...")
    for name, place in targets.items():
        if name in experiment.params:
            yield Mistake(place, f"the parameter {name} stands on the left", "move it to the right of =")
        elif columns is not None and name not in columns:
            yield no_column(place, name, columns)
    if isinstance(left, Name) and left.name in features:
        yield Mistake(features[left.name], f"{left.name} is predicted from itself", "take it out of the right side")


def unreduced(tree: Node, columns: Sequence[str]) -> Iterator[Mistake]:
    """A column whose rows are neither summed nor averaged: the expression is then one number a row."""
    for node, (formula, *_) in parsed(tree):
        reduced = {
            id(inner)
            for outer in walk(formula)
            if isinstance(outer, Op) and outer.op in REDUCTIONS
            for inner in walk(outer)
        }
        for name in walk(formula):
            if isinstance(name, Name) and name.name in columns and id(name) not in reduced:
                what = f"{name.name} is a column, so that this is one number a row"
                yield Mistake(node.within(*name.span), what, "wrap it in mean(...) or sum(...)")
                return
