"""Which rows are held out: each row's label, decided while rows stream by, in bounded memory.

A label is the number of the fold that holds the row out, from 1; 0 is a row of no fold, which always trains. Rows are
counted as they are met, those with missing values that are dropped aside.

Shapes: n rows of a block, K folds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gdtrain.draws import generator
from gdtrain.errors import DATA, UserError
from gdtrain.experiment.split import MOST_FOLDS, Split
from gdtrain.sources import UNSEEN, Reading, Source

Columns = dict[str, np.ndarray]
Labels = Callable[[Columns], np.ndarray]  # columns of the next rows -> their labels (n,)

_STRATA = 1 << 12  # that are drawn at once
_PIECE = 1 << 20  # labels that are made at once
_END = 2.0**62  # no table has so many rows
_TRUTH = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Assignment:
    """How a table's rows are labelled.

    start   () -> labels of the rows from the first on
    folds   K, how many there are
    remedy  where one of them holds no row; `fewer` where it holds every one
    names   of the folds, where a column tells them
    column  that tells them, if any; `levels` are its texts where it is read as the places of these, and it is among
            `unseen` where any other text belongs to no fold
    """

    start: Callable[[], Labels]
    folds: int
    remedy: str
    fewer: str
    names: Sequence[str] = ()
    column: str | None = None
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unseen: Sequence[str] = ()


def is_read_as_text(source: Source, column: str) -> bool:
    """Whether a column that tells rows apart is read by its texts: words, dates, and what is of no one kind."""
    return source.kind(column) in ("text", "date", "mixed")


def assign(split: Split, source: Source, levels: Mapping[str, Sequence[str]], reading: Reading) -> Assignment:
    """The assignment that a split says; of folds that are the values of a column, that column is read.

    levels   texts of the columns that are read as codes anyway
    reading  of a column of folds: whether a missing cell is refused

    Raises UserError (exit 3) where the column holds no such value, or too many.
    """
    if split.column is not None:
        return _by_column(split, split.column, source, levels, reading)
    if split.folds is not None:
        count = split.folds
        remedy = "ask for fewer folds"
        return Assignment(lambda: _Drawn(_permutations(count, split.seed or 0)), count, remedy, remedy)
    share = split.holdout or 0.0
    return Assignment(lambda: _Drawn(_strata(share, split.seed or 0)), 1, "hold out more", "hold out less")


def _by_column(
    split: Split, column: str, source: Source, levels: Mapping[str, Sequence[str]], reading: Reading
) -> Assignment:
    source.require([column])
    where = f"{source.where}, column {column}"
    remedy = f"write a value that {column} has in some rows, and not in all"
    if is_read_as_text(source, column) or column in levels:
        own: dict[str, Sequence[str]]
        if split.test is None:
            own = {} if column in levels else {column: _texts(source, column, where)}
            names = levels.get(column) or own[column]
            return _told(column, np.arange(len(names), dtype=np.float64), names, where, own)
        own = {} if column in levels else {column: [_text(split.test)]}
        texts = list(levels.get(column) or own[column])
        wanted = float(texts.index(_text(split.test))) if _text(split.test) in texts else UNSEEN - 1
        return Assignment(
            lambda: _equal(column, wanted), 1, remedy, remedy, column=column, levels=own, unseen=list(own)
        )
    test = split.test
    if test is None:
        values = _values(source, column, reading, where)
        named = _name_truth if source.kind(column) == "bool" else "{:.17g}".format
        return _told(column, values, [named(value) for value in values], where, {})
    return Assignment(lambda: _equal(column, _number(test)), 1, remedy, remedy, column=column)


def _told(
    column: str, values_K: np.ndarray, names: Sequence[str], where: str, levels: Mapping[str, Sequence[str]]
) -> Assignment:
    """Each value of a column is a fold."""
    if len(names) < 2:
        what = f"every row holds {names[0]}: one fold is none" if names else "every cell is missing"
        raise UserError(what, where=where, remedy="name another column, or write folds: 5", code=DATA)
    if len(names) > MOST_FOLDS:
        raise _too_many(where)

    def label(block: Columns) -> np.ndarray:
        found: np.ndarray = np.searchsorted(values_K, block[column]) + 1
        return found

    remedy = f"name another column than {column}, or write folds: 5"
    return Assignment(lambda: label, len(names), remedy, remedy, names, column, levels)


def _equal(column: str, value: float) -> Labels:
    return lambda block: (block[column] == value).astype(np.int64)


def _name_truth(value: float) -> str:
    return next(name for name, number in _TRUTH.items() if number == value)


def _number(value: float | str) -> float:
    """A number, also where it was written as text, or a truth value; nan, which no row holds, for any other text."""
    try:
        return _TRUTH[value.lower()] if isinstance(value, str) and value.lower() in _TRUTH else float(value)
    except ValueError:
        return math.nan


def _text(value: float | str) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _texts(source: Source, column: str, where: str) -> Sequence[str]:
    try:
        return source.levels([column], MOST_FOLDS)[column]
    except UserError as error:
        if error.where != where:
            raise
        raise _too_many(where) from None


def _values(source: Source, column: str, reading: Reading, where: str) -> np.ndarray:
    found = np.zeros(0)
    for block in source.blocks([column], reading=reading):
        found = np.union1d(found, block[column][~np.isnan(block[column])])
        if len(found) > MOST_FOLDS:
            raise _too_many(where)
    return found


def _too_many(where: str) -> UserError:
    what = f"more than {MOST_FOLDS} different values are no folds"
    return UserError(what, where=where, remedy="say which value is held out: test: VALUE", code=DATA)


class _Drawn:
    """Labels of a stream that is drawn; a row's label depends on its number alone, however rows are cut to blocks."""

    def __init__(self, pieces: Iterator[np.ndarray]) -> None:
        self._pieces, self._left = pieces, np.zeros(0, dtype=np.int64)

    def __call__(self, block: Columns) -> np.ndarray:
        count = len(next(iter(block.values())))
        parts, there = [self._left], len(self._left)
        while there < count:
            parts.append(next(self._pieces))
            there += len(parts[-1])
        whole = np.concatenate(parts)
        self._left = whole[count:]
        return whole[:count]


def _permutations(folds: int, seed: int) -> Iterator[np.ndarray]:
    """Every K rows in a row hold a permutation of 1..K."""
    draw = generator(seed, 0, "folds")
    while True:
        yield draw.random((_STRATA, folds)).argsort(1).ravel() + 1


def _strata(share: float, seed: int) -> Iterator[np.ndarray]:
    """One row is drawn in each stratum of 1/share rows in a row; of more than half, one that is kept."""
    draw = generator(seed, 0, "holdout")
    rare, label = min(share, 1 - share), int(share <= 0.5)
    first = 0
    while True:
        edges = np.floor(np.arange(first, first + _STRATA + 1) / rare + 1e-6).clip(max=_END).astype(np.int64)
        drawn = edges[:-1] + (draw.random(_STRATA) * np.diff(edges)).astype(np.int64)
        for start in range(int(edges[0]), int(edges[-1]), _PIECE):
            stop = min(start + _PIECE, int(edges[-1]))
            labels = np.full(stop - start, 1 - label, dtype=np.int64)
            labels[drawn[(drawn >= start) & (drawn < stop)] - start] = label
            yield labels
        first += _STRATA
