"""Which names are columns and which are parameters: settled once the columns are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gdtrain.errors import did_you_mean, nearest
from gdtrain.experiment.features import (
    ALL,
    INTERCEPT,
    Columns,
    Levels,
    listed,
    no_column,
    offset_column,
    point_value,
    read_terms,
    regressed,
    row_columns,
    split_column,
    weight_column,
)
from gdtrain.experiment.formulas import sides, written
from gdtrain.experiment.network import MOST
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.terms import Made, design
from gdtrain.experiment.tree import Mistake, Node, Place, report, short
from gdtrain.formula import REDUCTIONS, Name, Op, names, walk
from gdtrain.formula import Node as Formula

_SLIP = 0.8  # likeness from which it is: `incom` and `income`, not `rate` and `date`
_LONG = 4  # letters from which a name that is close to a column's is taken for a slip

NO_LEVELS: Levels = {}


@dataclass(frozen=True)
class Names:
    """How the names of an experiment fall out.

    parameters  in the order of the formula; for `regress` those of hidden layers, then columns of the design (or of the
                last hidden layer) and the intercept, target by target, or class by class but for the first
    columns     those that are read; for `regress` those of features, then targets, an offset, weights of rows,
                a split
    inputs      those of them that a prediction needs
    terms       what `regress` predicts from, as its features say
    design      the columns that these make; none where levels are not known
    levels      texts of the columns of text, the reference first
    """

    parameters: list[str]
    columns: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    design: list[Made] = field(default_factory=list)
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Found:
    """Names as one kind of problem finds them, and what is wrong with them.

    possible  what may turn out a parameter: the parameters, and where columns are not known every free name
    """

    names: Names
    possible: Sequence[str]
    mistakes: list[Mistake]


def settle(
    experiment: Experiment, columns: Columns, levels: Levels = NO_LEVELS, classes: Sequence[str] | None = None
) -> Names:
    """Tell the parameters from the columns.

    columns  names of the data's columns, empty without data; None where the data has not been read: then parameters
             and columns are told as far as they can be, and what needs the columns is left unchecked
    levels   texts of the columns of text that `regress` predicts from, and of targets that are labels, `fit`'s too
    classes  of the target of `softmax`; None where it has not been read: its parameters are then not known

    Raises UserErrors (exit 2) that point into the experiment.
    """
    found, mistakes = find(experiment, columns, levels, classes)
    if mistakes:
        raise report(mistakes)
    return found


def find(
    experiment: Experiment, columns: Columns, levels: Levels = NO_LEVELS, classes: Sequence[str] | None = None
) -> tuple[Names, list[Mistake]]:
    """What `settle` returns, and what it raises."""
    if experiment.kind == "regress":
        found = _regress(experiment, columns, levels)
    else:
        found = _FINDERS[experiment.kind](experiment, columns)
        found = replace(found, names=replace(found.names, levels=levels))
    if has_classes(experiment):
        hidden = experiment.model.count(len(found.names.design)) if experiment.model else 0
        found = _of_classes(found, classes, hidden)
    mistakes = [
        *found.mistakes,
        *row_columns(experiment, columns),
        *_declared(experiment, columns, found, classes),
        *_points(experiment, columns, found.names),
    ]
    return found.names, mistakes or [*_learnable(experiment, columns, found)]


def _solve(experiment: Experiment, _: Columns) -> _Found:
    places = _places(experiment.tree)
    return _Found(Names([*places]), [*places], [*_stray(experiment, (), places)])


def _minimize(experiment: Experiment, columns: Columns) -> _Found:
    places = _places(experiment.tree)
    data = [name for name in places if name in (columns or ())]
    mistakes = [*_stray(experiment, columns, places), *_unreduced(experiment.tree, data)]
    return _Found(Names(_parameters(experiment, columns, places), data), _rest(columns, places), mistakes)


def _fit(experiment: Experiment, columns: Columns) -> _Found:
    targets, features = _places(experiment.tree, side=0), _places(experiment.tree, side=1)
    free = {name: place for name, place in features.items() if name not in targets}
    inputs = [name for name in features if name in (columns or ())]
    mistakes = [*_left_side(experiment, columns, targets, features), *_stray(experiment, columns, free)]
    inputs = list(dict.fromkeys([*inputs, *offset_column(experiment)]))
    columns_read = list(dict.fromkeys([*inputs, *targets, *weight_column(experiment), *split_column(experiment)]))
    possible = [*free, *(name for name in targets if name in experiment.params)]  # these are told of the left side
    return _Found(
        Names(_parameters(experiment, columns, free), columns_read, inputs), _rest(columns, possible), mistakes
    )


def _regress(experiment: Experiment, columns: Columns, levels: Levels) -> _Found:
    regress = experiment.regress
    assert regress is not None
    terms, mistakes = read_terms(experiment, columns)
    made = design(terms, levels, intercept=regress.intercept)
    predictors, hidden = [column.name for column in made], list[str]()
    if experiment.model is not None:
        mistakes += _too_many(experiment, len(predictors))
        hidden = [] if mistakes else experiment.model.names(predictors, INTERCEPT)
        predictors = experiment.model.layers[-1]
    names = [*predictors, INTERCEPT] if regress.intercept else predictors
    last = names if len(regress.target) == 1 else [f"{t}.{name}" for t in regress.target for name in names]
    parameters = [*hidden, *last]
    inputs = list(dict.fromkeys([*(column for term in terms for column in term.columns), *offset_column(experiment)]))
    read = list(dict.fromkeys([*inputs, *regress.target, *weight_column(experiment), *split_column(experiment)]))
    if columns is not None and not mistakes:
        mistakes += regressed(experiment, columns, terms, made, levels)
    kept = {name: texts for name, texts in levels.items() if name in read}
    labels = [term.label for term in terms]
    return _Found(Names(parameters, read, inputs, labels, made, kept), parameters, mistakes)


def has_classes(experiment: Experiment) -> bool:
    """Whether its parameters are named after classes that its target holds."""
    return experiment.loss is not None and experiment.loss.name == "softmax"


def _too_many(experiment: Experiment, features: int) -> Iterator[Mistake]:
    """Hidden layers that have more parameters than can be told one by one."""
    assert experiment.model is not None
    place = experiment.tree.find("model", "hidden")
    if (count := experiment.model.count(features)) > MOST:
        yield Mistake(place, f"{count:,} parameters are more than {MOST:,}", "write fewer units")


def _of_classes(found: _Found, classes: Sequence[str] | None, hidden: int) -> _Found:
    """The terms of a linear predictor for each class but the first, after the parameters of hidden layers, which all
    classes share; no parameters where classes are not known.
    """
    shared, last = found.names.parameters[:hidden], found.names.parameters[hidden:]
    named = [*shared, *(f"{name}.{term}" for name in (classes or ())[1:] for term in last)] if classes else []
    possible = found.possible if classes is None else named
    return replace(found, names=replace(found.names, parameters=named), possible=possible)


_FINDERS: Mapping[str, Callable[[Experiment, Columns], _Found]] = {
    "solve": _solve,
    "fit": _fit,
    "minimize": _minimize,
}


def _trees(tree: Node) -> Iterator[tuple[Node, tuple[Formula, ...]]]:
    """The formulas of an experiment's tree, parsed."""
    for kind, node in written(tree):
        yield node, sides(kind, str(node.value))


def _places(tree: Node, side: int | None = None) -> dict[str, Place]:
    """The names in the formulas, or on one side of them, in order, each with its first place."""
    found: dict[str, Place] = {}
    for node, formulas in _trees(tree):
        for formula in formulas if side is None else formulas[side : side + 1]:
            for name, span in names(formula).items():
                found.setdefault(name, node.within(*span))
    return found


def _rest(columns: Columns, free: Iterable[str]) -> list[str]:
    """The free names that are no columns, as far as these are known."""
    return [name for name in free if name not in (columns or ())]


def _parameters(experiment: Experiment, columns: Columns, free: Iterable[str]) -> list[str]:
    """The free names that are no columns; where these are not known, the free names that are declared."""
    return [name for name in _rest(columns, free) if columns is not None or name in experiment.params]


def _stray(experiment: Experiment, columns: Columns, free: Mapping[str, Place]) -> Iterator[Mistake]:
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


def _left_side(
    experiment: Experiment, columns: Columns, targets: Mapping[str, Place], features: Mapping[str, Place]
) -> Iterator[Mistake]:
    """What is wrong with a left side: it holds a parameter, no column, or one predicted from itself."""
    ((node, (left, _)),) = _trees(experiment.tree)
    if not targets:
        yield Mistake(node.place, "no column stands on the left", "write the column to predict there: y = ...")
    for name, place in targets.items():
        if name in experiment.params:
            yield Mistake(place, f"the parameter {name} stands on the left", "move it to the right of =")
        elif columns is not None and name not in columns:
            yield no_column(place, name, columns)
    if isinstance(left, Name) and left.name in features:
        yield Mistake(features[left.name], f"{left.name} is predicted from itself", "take it out of the right side")


def _unreduced(tree: Node, columns: Sequence[str]) -> Iterator[Mistake]:
    """A column whose rows are neither summed nor averaged: the expression is then one number a row."""
    for node, (formula, *_) in _trees(tree):
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


def _declared(
    experiment: Experiment, columns: Columns, found: _Found, classes: Sequence[str] | None
) -> Iterator[Mistake]:
    """Entries of `params` that are no parameters."""
    regress = experiment.regress
    if regress and ((regress.features == [ALL] and columns is None) or (has_classes(experiment) and classes is None)):
        return
    for name in experiment.params:
        place = experiment.tree.key("params", name)
        if columns and name in columns and not regress:
            yield Mistake(place, f"{name} is a column, not a parameter", "give the parameter a name of its own")
        elif regress and columns is None and "[" in name:
            continue  # the levels of columns of text are not known yet
        elif name not in found.possible:
            remedy = did_you_mean(name, found.possible) or f"the parameters are {listed(found.possible)}"
            yield Mistake(place, f"{experiment.kind} has no parameter {name}", remedy if found.possible else "")


def _points(experiment: Experiment, columns: Columns, found: Names) -> Iterator[Mistake]:
    """Points to predict that lack an input, or name no column."""
    points = experiment.predict.points if experiment.predict else None
    for i, point in enumerate(points or () if columns is not None else ()):
        for name in found.inputs:
            if name not in point:
                place = experiment.tree.find("predict", "points", i)
                what = "TEXT" if name in found.levels else "NUMBER"
                yield Mistake(place, f"{name} is missing here", f"write {name}: {what}")
            else:
                yield from point_value(experiment, i, name, found.levels)
        for name in point:
            if name not in (columns or ()):
                yield no_column(experiment.tree.key("predict", "points", i, name), name, columns or ())


def _learnable(experiment: Experiment, columns: Columns, found: _Found) -> Iterator[Mistake]:
    """That something is left to learn."""
    place = experiment.tree.find(experiment.kind)
    if not found.possible and (columns is not None or experiment.kind == "fit"):
        yield Mistake(place, "there is nothing to learn", _name_the_number(experiment))
    elif found.names.parameters and columns is not None and _all_fixed(experiment, found.names):
        yield Mistake(place, "there is nothing to learn: every parameter is fixed", "free one")


def _all_fixed(experiment: Experiment, names: Names) -> bool:
    return all(experiment.param(name).fixed for name in names.parameters)


def _name_the_number(experiment: Experiment) -> str:
    if experiment.kind == "regress":
        return "name features, or set intercept: true"
    if experiment.kind != "fit":
        return "name the number to find: x"
    target, *_ = [*_places(experiment.tree, side=0), "y"]
    feature, *_ = [*_places(experiment.tree, side=1), "x"]
    return f"name the number to find: {target} = w*{feature}"
