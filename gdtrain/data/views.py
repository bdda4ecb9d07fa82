"""Rows of a table as data of their own: those that train, and those that are held out.

A view reads as a table of its rows alone would: whatever is learned from rows, the means that fill gaps among them, is
learned from those that train. Levels of text are the whole table's.

Shapes: N rows, K folds, L = K + 1 labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from gdtrain.data.rows import Columns, Data, joined
from gdtrain.design.columns import RowNumbers
from gdtrain.design.labels import Assignment
from gdtrain.linalg.compress import G

FEW = 10  # rows: a loss of fewer says little


@dataclass
class _Pass:
    """What a reading of the whole table told of the rows of each label.

    rows_L    how many there are, and weight_L how often they count
    gathered  of each label what was asked for by name
    labels_N  each row's, where the table was read whole
    """

    rows_L: np.ndarray
    weight_L: np.ndarray
    gathered: dict[str, list[Any]] = field(default_factory=dict)
    labels_N: np.ndarray | None = None


class View(Data):
    """The rows of some labels.

    A view starts from what the whole table holds, but for what was read of it (`uncached`): source, names and the list
    of warnings are shared with the table; rows, their numbers and columns are the view's own. Where a view reads the
    table, the table learns from it how many rows and gaps it has itself, which its document tells.

    whole   the table, and keep_L which labels of it
    what    its rows do, for messages
    seen    what a reading of the table told, shared by the views for which one will do
    """

    def __init__(self, whole: Data, keep_L: np.ndarray, what: str, seen: _Pass) -> None:
        assert whole.split is not None
        vars(self).update(whole.uncached)
        self._whole, self._keep_L, self._what, self._seen = whole, keep_L, what, seen
        self._assignment: Assignment = whole.split
        self.rows = 0

    @property
    def partial(self) -> bool:
        return not self._keep_L.all()

    def gathered(self, name: str, make: Callable[[], G]) -> G:
        """Everything in one, of the labels that are kept; the whole table is read once for all views of it."""
        if name not in self._seen.gathered:
            each = [make() for _ in self._keep_L]
            for _, made, _, labels in self._labelled():
                for label in np.unique(labels).tolist():
                    mine = labels == label
                    some = made if mine.all() else {column: values[mine] for column, values in made.items()}
                    each[label].add(some)
            self._seen.gathered[name] = each
        self._count()
        first, *others = [g for g, kept in zip(self._seen.gathered[name], self._keep_L, strict=True) if kept]
        merged: G = first.merged(others)
        return merged

    @cached_property
    def columns(self) -> Columns:
        if self._missing == "mean":
            blocks = list(self._blocks())
            return joined([made for _, made, _ in blocks])
        whole = self._whole.columns
        if self._seen.labels_N is None:
            labels_N = self._assignment.start()(whole)
            weight = None if self.weight is None else whole[self.weight]
            self._seen.rows_L, self._seen.weight_L = self._counts(labels_N, weight)
            self._seen.labels_N = labels_N.astype(np.uint8)  # there are at most 100 folds
        self._count()
        kept = np.flatnonzero(self._keep_L[self._seen.labels_N])
        numbers = self._whole.numbers
        if len(kept) == len(self._seen.labels_N):
            self.numbers = numbers
            return whole
        self.numbers = kept + 1 if numbers is None else numbers[kept]
        return {name: column[kept] for name, column in whole.items()}

    def _labelled(self) -> Iterator[tuple[Columns, Columns, RowNumbers, np.ndarray]]:
        """The whole table as `_blocks` has it, with labels."""
        label = self._assignment.start()
        rows_L, weight_L = np.zeros(len(self._keep_L), dtype=np.int64), np.zeros(len(self._keep_L))
        for read, made, numbers in super()._blocks():
            labels = label(read)
            more_rows_L, more_weight_L = self._counts(labels, None if self.weight is None else read[self.weight])
            rows_L, weight_L = rows_L + more_rows_L, weight_L + more_weight_L
            yield read, made, numbers, labels
        self._whole.rows, self._whole.gaps = self.rows, self.gaps
        self._seen.rows_L, self._seen.weight_L = rows_L, weight_L

    def _blocks(self) -> Iterator[tuple[Columns, Columns, RowNumbers]]:
        numbers_kept = []
        for read, made, numbers, labels in self._labelled():
            kept = self._keep_L[labels]
            if kept.any():
                numbers_kept.append(np.asarray(numbers)[kept])
                yield (
                    {name: values[kept] for name, values in read.items()},
                    {name: values[kept] for name, values in made.items()},
                    numbers_kept[-1],
                )
        self._count()
        self.numbers = np.concatenate(numbers_kept)

    def _counts(self, labels: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        rows_L = np.bincount(labels, minlength=len(self._keep_L))
        return rows_L, rows_L if weight is None else np.bincount(labels, weight, len(self._keep_L))

    def _count(self) -> None:
        """How many rows there are. Raises UserError (exit 3) for none, or none that counts."""
        self.rows = int(self._seen.rows_L[self._keep_L].sum())
        every = int(self._seen.rows_L.sum())
        remedy = self._assignment.fewer if self._keep_L[0] else self._assignment.remedy
        if not self.rows:
            few = "a split takes two rows or more" if every < 2 else remedy
            raise self._error(f"of {every:,} row{'s' * (every != 1)} none {self._what}", few)
        if not self._seen.weight_L[self._keep_L].sum() > 0:
            raise self._error(f"every row that {self._what} has a weight of 0", remedy)

    @cached_property
    def _means(self) -> dict[str, float]:
        return self._whole._means


class Views:
    """All views of a table that is split. Where gaps are not filled with means, which each fold has of its own, they
    share one reading of it.
    """

    def __init__(self, whole: Data) -> None:
        assert whole.split is not None
        self._whole, self.folds = whole, whole.split.folds
        self._seen = self._unread()

    def _unread(self) -> _Pass:
        zeros_L = np.zeros(self.folds + 1, dtype=np.int64)
        return _Pass(zeros_L, zeros_L)

    def every(self) -> Data:
        """All rows."""
        if self._whole.fills:
            return self._whole
        return View(self._whole, np.ones(self.folds + 1, dtype=bool), "trains", self._seen)

    def apart(self, fold: int) -> tuple[View, View]:
        """The rows that train where a fold is held out, and the fold."""
        whole, seen = self._whole, self._seen
        if whole.fills and whole.held != fold:
            whole, seen = whole.without(fold), self._unread()
        trains_L = np.arange(self.folds + 1) != fold
        return View(whole, trains_L, "trains", seen), View(whole, ~trains_L, "is held out", seen)
