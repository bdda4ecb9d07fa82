"""Which names are columns and which are parameters: settled once the columns are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count

from gdtrain.errors import did_you_mean
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
from gdtrain.experiment.formulas import parsed
from gdtrain.experiment.network import MOST
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.symbols import left_side, stray, unreduced
from gdtrain.experiment.terms import Made, design
from gdtrain.experiment.tied import beyond, tied
from gdtrain.experiment.tree import Mistake, Node, Place, report
from gdtrain.formula import names

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
    if tied(experiment):
        more, strange = beyond(experiment, columns, found.possible, known=bool(found.names.parameters))
        named = replace(found.names, parameters=[*found.names.parameters, *more])
        found = _Found(named, [*found.possible, *more], [*found.mistakes, *strange])
    mistakes = [
        *found.mistakes,
        *row_columns(experiment, columns),
        *_declared(experiment, columns, found, classes),
        *_points(experiment, columns, found.names),
    ]
    return found.names, mistakes or [*_learnable(experiment, columns, found)]


def _solve(experiment: Experiment, _: Columns) -> _Found:
    places = _places(experiment.tree)
    return _Found(Names([*places]), [*places], [*stray(experiment, (), places)])


def _minimize(experiment: Experiment, columns: Columns) -> _Found:
    places = _places(experiment.tree)
    data = [name for name in places if name in (columns or ())]
    mistakes = [*stray(experiment, columns, places), *unreduced(experiment.tree, data)]
    return _Found(Names(_parameters(experiment, columns, places), data), _rest(columns, places), mistakes)


def _fit(experiment: Experiment, columns: Columns) -> _Found:
    targets, features = _places(experiment.tree, side=0), _places(experiment.tree, side=1)
    free = {name: place for name, place in features.items() if name not in targets}
    inputs = [name for name in features if name in (columns or ())]
    mistakes = [*left_side(experiment, columns, targets, features), *stray(experiment, columns, free)]
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


def _places(tree: Node, side: int | None = None) -> dict[str, Place]:
    """The names in the formulas, or on one side of them, in order, each with its first place."""
    found: dict[str, Place] = {}
    for node, formulas in parsed(tree):
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
        yield Mistake(place, "there is nothing to learn", _name_the_number(experiment, columns or ()))
    elif found.names.parameters and columns is not None and _all_fixed(experiment, found.names):
        held = "fixed or tied" if tied(experiment) else "fixed"
        yield Mistake(place, f"there is nothing to learn: every parameter is {held}", "free one")


def _all_fixed(experiment: Experiment, names: Names) -> bool:
    return not any(experiment.param(name).trained for name in names.parameters)


def _name_the_number(experiment: Experiment, columns: Sequence[str]) -> str:
    if experiment.kind == "regress":
        return "name features, or set intercept: true"
    if experiment.kind != "fit":
        return f"name the number to find: {_free_name('x', columns)}"
    target, *_ = [*_places(experiment.tree, side=0), "y"]
    feature, *_ = [*_places(experiment.tree, side=1), "x"]
    return f"name the number to find: {target} = {_free_name('w', [*columns, target, feature])}*{feature}"


def _free_name(name: str, taken: Sequence[str]) -> str:
    """A name that is not taken: this one, else with the first number that makes it so."""
    return next(n for n in chain([name], (f"{name}{i}" for i in count(1))) if n not in taken)
