"""What features, weights and offsets name, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from gdtrain.errors import UserError, did_you_mean, nearest
from gdtrain.experiment.formulas import sides
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.terms import Factor, Made, Term, read_feature
from gdtrain.experiment.tree import Mistake, Node, Place, short
from gdtrain.formula import Name

INTERCEPT = "intercept"
ALL = "*"
_LISTED = 20  # names that a message lists

Columns = Sequence[str] | None  # None where the data has not been read
Levels = Mapping[str, Sequence[str]]


def read_terms(experiment: Experiment, columns: Columns) -> tuple[list[Term], list[Mistake]]:
    """The terms that the features of `regress` say, and what is wrong with their text."""
    regress = experiment.regress
    assert regress is not None
    if regress.features == [ALL]:
        taken = {*regress.target, *row_names(experiment)}
        return [Term(name, (Factor(name, name),)) for name in columns or () if name not in taken], []
    terms: dict[tuple[object, ...], Term] = {}  # a*b and a: twice the same a
    mistakes = []
    for i, text in enumerate(regress.features):
        try:
            for term in read_feature(text, columns, i):
                terms.setdefault((term.label, term.factors), term)
        except UserError as error:
            node = experiment.tree.get("regress", "features", i) or Node(text, experiment.tree.find("regress"))
            mistakes.append(Mistake(node.within(*(error.span or (0, len(text)))), error.what, error.remedy))
    return list(terms.values()), mistakes


def targets_of(experiment: Experiment) -> list[str]:
    """The columns that are predicted: those of `regress`, or one that stands alone on the left of `fit`."""
    if experiment.regress:
        return experiment.regress.target
    left = sides("fit", experiment.fit)[0] if experiment.fit else None
    return [left.name] if isinstance(left, Name) else []


def offset_column(experiment: Experiment) -> list[str]:
    """The column of offsets, where there is one."""
    return [experiment.data.offset] if experiment.data and experiment.data.offset else []


def weight_column(experiment: Experiment) -> list[str]:
    """The column of the rows' weights, or of the standard errors that they follow from, where there is one."""
    data = experiment.data
    return [name for name in (data.sample_weight, data.sigma) if name] if data else []


def split_column(experiment: Experiment) -> list[str]:
    """The column that tells rows apart, where there is one: which are held out, or which group each is of."""
    data = experiment.data
    split = data.split if data else None
    return [name for name in (split and split.column, data and data.group_by) if name]


def row_names(experiment: Experiment) -> list[str]:
    """The columns that say something of rows, and predict nothing."""
    return [*offset_column(experiment), *weight_column(experiment), *split_column(experiment)]


def row_columns(experiment: Experiment, columns: Columns) -> Iterator[Mistake]:
    """A weight, an offset, a split or a group that is no column, or is the target."""
    weight = "sigma" if experiment.data and experiment.data.sigma else "sample_weight"
    told = ("group_by",) if experiment.data and experiment.data.group_by else ("split", "column")
    found = {
        (weight,): weight_column(experiment),
        ("offset",): offset_column(experiment),
        told: split_column(experiment),
    }
    for keys, named in found.items():
        place = experiment.tree.find("data", *keys)
        for name in named:
            if columns and name not in columns:
                yield no_column(place, name, columns)
            elif experiment.regress and name in experiment.regress.target:
                yield Mistake(place, f"{name} is the target", "name another column")


def regressed(
    experiment: Experiment, columns: Sequence[str], terms: Sequence[Term], made: Sequence[Made], levels: Levels
) -> Iterator[Mistake]:
    """What is wrong with the columns that `regress` names."""
    regress, tree = experiment.regress, experiment.tree
    assert regress is not None
    for i, name in enumerate(regress.target):
        if name not in columns:
            yield no_column(tree.find("regress", "target", i), name, columns)
    for term in terms:
        yield from _term(experiment, term, columns, levels)
    for name in regress.levels:
        if name not in columns:
            yield no_column(tree.key("regress", "levels", name), name, columns)
    told = {part.factor.text for column in made for part in column.parts}
    for term in terms:
        if term.label in levels and term.label not in told:
            what = f"{term.label} has one level only, {', '.join(levels[term.label])}"
            yield Mistake(tree.find("regress", "features", term.feature), what, "leave it out")
    if regress.features == [ALL] and not terms:
        yield Mistake(tree.key("regress"), "no column is left to predict from", "name features")
    if (regress.intercept or experiment.model) and any(column.name == INTERCEPT for column in made):
        what = "a feature is called intercept, as the constant is"
        rename = "rename the column" if experiment.model else "rename the column, or set intercept: false"
        yield Mistake(tree.find("regress", "features"), what, rename)
    called = Counter(column.name for column in made)
    if (twice := next((name for name, count in called.items() if count > 1), None)) is not None:
        yield Mistake(tree.find("regress", "features"), f"two features are called {twice}", "rename one")


def _term(experiment: Experiment, term: Term, columns: Sequence[str], levels: Levels) -> Iterator[Mistake]:
    """What is wrong with one term: no such column, the target in it, text in an expression."""
    regress = experiment.regress
    assert regress is not None
    place = experiment.tree.find("regress", "features", term.feature)
    for factor in term.factors:
        for name in factor.columns:
            if name not in columns:
                yield no_column(place, name, columns)
            elif name in regress.target:
                yield Mistake(place, f"{name} is the target", "take it out of features")
            elif factor.tree is not None and name in levels:
                yield Mistake(
                    place, f"{name} is text, and {factor.text} calculates", f"write {name} alone, or a:{name}"
                )


def point_value(experiment: Experiment, i: int, name: str, known: Levels) -> Iterator[Mistake]:
    """A value of a point that is no level of its column of text, or text where a number is due."""
    assert experiment.predict is not None and experiment.predict.points is not None
    value, place = experiment.predict.points[i][name], experiment.tree.find("predict", "points", i, name)
    if name not in known:
        if isinstance(value, str):
            yield Mistake(place, f"{name} must be a number, not the text {short(value)!r}", "write it without quotes")
        return
    levels = known[name]
    text = value if isinstance(value, str) else f"{value:.17g}"
    if text not in levels and not (experiment.regress and experiment.regress.unseen == "reference"):
        close = did_you_mean(text, levels) or f"the levels are {listed(levels)}"
        yield Mistake(place, f"{short(text)} is no level of {name}", close)


def no_column(place: Place, name: str, columns: Sequence[str]) -> Mistake:
    """A name that stands where only a column can."""
    if "," in name:
        return Mistake(place, f"there is no column {short(name)}", "write a list: [a, b]")
    close = did_you_mean(name, columns)
    if "," in close:
        close += f" A flag takes a name with a comma between backquotes: '`{nearest(name, columns)}`'"
    return Mistake(place, f"there is no column {short(name)}", close or f"the columns are {listed(columns)}")


def listed(listed: Sequence[str]) -> str:
    return ", ".join(listed[:_LISTED]) + (", ..." if len(listed) > _LISTED else "")
