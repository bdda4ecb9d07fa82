"""Columns of text: the levels that they hold, and the refusal of text where numbers are due."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gdtrain.data.classes import MOST
from gdtrain.design.gaps import whole_rows
from gdtrain.design.labels import is_read_as_text
from gdtrain.errors import DATA, UserError
from gdtrain.experiment.features import ALL, offset_column, read_terms, split_column, targets_of, weight_column
from gdtrain.experiment.formulas import sides
from gdtrain.experiment.names import Names
from gdtrain.experiment.schema import Experiment
from gdtrain.formula import names as formula_names
from gdtrain.sources import Reading, Source
from gdtrain.sources.cells import is_gap

LABELLED = frozenset(("logistic", "softmax"))  # losses whose target may be text: read as codes against its levels
# Kinds of columns that are no features.
_UNUSABLE = {"date": "dates are no numbers", "empty": "no cell that was looked at holds anything"}
_SHOWN = 2  # texts that a message shows

Levels = dict[str, Sequence[str]]


def declared_levels(experiment: Experiment) -> Mapping[str, Sequence[str]]:
    """The levels that the experiment names itself."""
    return experiment.regress.levels if experiment.regress else {}


def levels_of(experiment: Experiment, source: Source) -> Levels:
    """The levels of the columns of text that `regress` predicts from: as declared, else as the data have them; and of
    targets of text, where the loss is of LABELLED ones.

    Raises UserError (exit 3) for a column with too many.
    """
    regress = experiment.regress
    terms = read_terms(experiment, source.names)[0] if regress else []
    targets = targets_of(experiment) if _loss(experiment) in LABELLED else []
    features = [column for term in terms for column in term.columns]
    declared = declared_levels(experiment)
    used = [name for name in dict.fromkeys([*features, *targets]) if name in source.names]
    texts = [name for name in used if source.kind(name) == "text" and name not in declared]
    most = (regress.max_levels,) if regress else (MOST, "name another target")
    met = source.levels(texts, *most) if texts else {}
    return {name: declared.get(name) or met[name] for name in used if name in declared or name in met}


def of_whole_rows(experiment: Experiment, source: Source, levels: Levels, columns: Sequence[str]) -> Levels:
    """Levels without those that stand only in rows that `missing: drop` leaves out for a gap in one of the columns;
    declared ones stay. Reads the columns until every level was met, once for a table.
    """
    dropping = experiment.data is not None and experiment.data.missing == "drop"
    met = {name: tuple(texts) for name, texts in levels.items() if name not in declared_levels(experiment)}
    if not dropping or not met:
        return levels
    key = "levels", tuple(columns), tuple((name, tuple(texts)) for name, texts in levels.items()), tuple(met)
    if key not in source.learned:
        reading = with_split(experiment, source, Reading(levels, gaps=columns))
        source.learned[key] = _in_whole_rows(source, met, columns, reading)
    found: Levels = source.learned[key]
    return levels | found


def dropping(experiment: Experiment, names: Names) -> Reading:
    """How rows are read that `missing: drop` may leave out: a text that is no level then stands in one of these."""
    levels = {name: texts for name, texts in names.levels.items() if name in names.columns}
    met = [name for name in levels if name not in declared_levels(experiment)]
    return Reading(levels, gaps=names.columns, unseen=met)


def with_split(experiment: Experiment, source: Source, reading: Reading) -> Reading:
    """The same, where the column that tells which rows are held out may be text, or dates: whichever they are."""
    texts = [name for name in split_column(experiment) if is_read_as_text(source, name)]
    levels = {**reading.levels, **dict.fromkeys(texts, ())}
    return replace(reading, levels=levels, unseen=[*reading.unseen, *texts])


def _in_whole_rows(
    source: Source, levels: Mapping[str, Sequence[str]], columns: Sequence[str], reading: Reading
) -> Levels:
    unmet = {name: set(range(len(texts))) for name, texts in levels.items()}
    some = False
    for block in whole_rows(source.blocks(columns, reading=reading)):
        some = some or any(map(len, block.values()))
        for name, places in unmet.items():
            places.difference_update(np.unique(block[name]).astype(int).tolist())
        if not any(unmet.values()):
            break
    if not some:  # which is told where the rows are read
        return dict(levels)
    return {
        name: [text for place, text in enumerate(texts) if place not in unmet[name]] for name, texts in levels.items()
    }


def refuse_unusable(experiment: Experiment, source: Source) -> None:
    """Refuse columns of dates, and empty ones, that `"*"` would take for features. Raises UserError (exit 3) that names
    the others.
    """
    if experiment.regress is None or experiment.regress.features != [ALL]:
        return
    kinds = {term.label: source.kind(term.label) for term in read_terms(experiment, source.names)[0]}
    unusable = [name for name, kind in kinds.items() if kind in _UNUSABLE]
    if unusable:
        others = ",".join(f"`{name}`" if "," in name else name for name in kinds if name not in unusable)
        remedy = "name the features: --features " + (shlex.quote(others) if others else "NAME,NAME")
        where = f"{source.where}, column {unusable[0]}"
        raise UserError(_UNUSABLE[kinds[unusable[0]]], where=where, remedy=remedy, code=DATA)


def refuse_texts(experiment: Experiment, source: Source, names: Names) -> None:
    """Refuse a column of text that would be read as numbers. Raises UserError (exit 3) that says what takes text."""
    for name in names.columns:
        if name in names.levels or (name in split_column(experiment) and not _calculates(experiment, names, name)):
            continue
        if source.kind(name) == "text":
            what, remedy = _wrong(experiment, name, _texts(source, name))
        elif name in split_column(experiment) and source.kind(name) == "date":  # elsewhere its first cell is refused
            what, remedy = _UNUSABLE["date"], "let it tell the rows apart alone, or write a number of days"
        else:
            continue
        raise UserError(what, where=f"{source.where}, column {name}", remedy=remedy, code=DATA)


def _calculates(experiment: Experiment, names: Names, column: str) -> bool:
    """Whether numbers of a column are wanted: it is more than what tells rows apart."""
    left = formula_names(sides("fit", experiment.fit)[0]) if experiment.fit else targets_of(experiment)
    return column in (*names.inputs, *weight_column(experiment), *left)


def _wrong(experiment: Experiment, name: str, texts: Sequence[str]) -> tuple[str, str]:
    shown = ", ".join(texts[:_SHOWN]) + (", ..." if len(texts) > _SHOWN else "")
    is_text = f"{name} is text ({shown})" if shown else f"{name} is text"
    if name in (*weight_column(experiment), *offset_column(experiment)):
        return is_text, "name a column of numbers"
    if name not in targets_of(experiment):
        remedy = "take it out, or use regress, which makes indicators of its texts"
        return f"{is_text}, and a formula calculates", remedy
    what = f"{is_text}, and {_loss(experiment)} takes numbers"
    if len(texts) == 2:
        return what, f"for the probability of {texts[1]} use --loss logistic"
    if experiment.regress and len(experiment.regress.target) == 1 and texts:
        return what, "for the probability of each text use --loss softmax"
    return what, "name a column of numbers"


def _texts(source: Source, name: str) -> Sequence[str]:
    """The texts of a column that stand for something; none where they are too many."""
    try:
        return [text for text in source.levels([name], MOST)[name] if not is_gap(text)]
    except UserError:
        return ()


def _loss(experiment: Experiment) -> str:
    return experiment.loss.name if experiment.loss else ""
