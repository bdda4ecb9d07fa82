"""The rows that an experiment needs: its data, block by block or whole, and what it predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from torch import nn

from gdtrain.data.classes import Classes
from gdtrain.data.fresh import FILLED, Fresh
from gdtrain.data.predictions import PredictedRows, coded, shown
from gdtrain.data.texts import dropping
from gdtrain.data.weights import Weights
from gdtrain.design.columns import Design, RowNumbers
from gdtrain.design.gaps import Gaps, means
from gdtrain.design.grouping import Grouping
from gdtrain.design.labels import Assignment
from gdtrain.errors import DATA, UserError
from gdtrain.experiment.features import offset_column, targets_of
from gdtrain.experiment.names import Names
from gdtrain.experiment.schema import Experiment
from gdtrain.linalg.compress import G
from gdtrain.sources import BLOCK_ROWS, PLAIN, Reading, Source

Columns = dict[str, np.ndarray]  # float64 (N,) each

_BLOCK_NUMBERS = 1 << 21  # of a block of the design: 16 MB
_LEAST_ROWS = 1 << 10


class Data:
    """The columns that an experiment is about, and which names are parameters. Rows are read when they are asked for.

    Columns are those of the design under `regress`, those of the formula otherwise; then targets, an offset, weights.

    classes  of the target of `softmax`, in order; else none
    rows     how many there are, dropped ones aside; known once `blocks` has come to its end or `columns` was read
    module   what predicts in place of a linear predictor, where its user brought one
    weight   the column of the rows' weights, `offset` the one of offsets, where there are
    split    how rows are told apart, where some are held out: `views` has them apart
    grouping the same where each group of them is fitted alone: `groups` has them apart
    held     the fold that is held out, from 1; None where all rows train
    numbers  of the rows of `columns` in the table, from 1, where some were left out
    gaps     what was missing, known as the rows are; None where it is refused
    """

    def __init__(
        self,
        names: Names,
        source: Source | None,
        experiment: Experiment | None = None,
        classes: Classes | None = None,
        split: Assignment | None = None,
        grouping: Grouping | None = None,
    ) -> None:
        self.names, self._source, self.classes = names, source, classes
        self.split, self.grouping = split, grouping
        spec = experiment.data.split if experiment and experiment.data else None
        self.held = spec.held if spec and split else None
        self.rows = 0
        self.module: nn.Module | None = None
        self.gaps: Gaps | None = None
        self._weights = Weights.of(experiment)
        self.weight = self._weights.name
        self.offset = next(iter(offset_column(experiment)), None) if experiment else None
        self._missing = experiment.data.missing if experiment and experiment.data else "error"
        self._targets = targets_of(experiment) if experiment else []
        self._unseen = experiment is not None and experiment.regress is not None and experiment.regress.unseen
        self._dropping = dropping(experiment, names) if experiment else PLAIN
        self._design = Design(names.design, self.where) if experiment and experiment.regress else None
        self.numbers: np.ndarray | None = None
        self._notes: list[str] = []

    @property
    def where(self) -> str:
        """What messages call it."""
        return self._source.where if self._source else "data"

    @property
    def partial(self) -> bool:
        """Whether other rows of the table are held out of these."""
        return False

    @property
    def uncached(self) -> dict[str, Any]:
        """What it holds, but for what has been read."""
        return {name: value for name, value in vars(self).items() if name not in ("columns", "_means")}

    def without(self, fold: int) -> Data:
        """The same where another fold is held out."""
        data = Data.__new__(Data)
        vars(data).update(self.uncached, held=fold)
        return data

    def gathered(self, name: str, make: Callable[[], G]) -> G:
        """Everything that `make` gathers of the rows, in one."""
        gatherer = make()
        for block in self.blocks():
            gatherer.add(block)
        return gatherer

    @property
    def fills(self) -> bool:
        """Whether gaps are filled, with what is learned from rows."""
        return self._missing == "mean"

    @property
    def targets(self) -> int:
        """How many targets there are: T."""
        return max(1, len(self._targets))

    @property
    def labels(self) -> dict[str, Sequence[str]]:
        """Target -> the texts that its numbers stand for, of targets that are text."""
        return {name: self.names.levels[name] for name in self._targets if name in self.names.levels}

    def row_number(self, row: int) -> int:
        """Where a row of `columns` stands in the table, from 1."""
        return row + 1 if self.numbers is None else int(self.numbers[row])

    @property
    def warnings(self) -> list[str]:
        """What reading has met so far that its user should know."""
        found = list(self._source.warnings) if self._source else []
        sentence = self.gaps.sentence(self.where) if self.gaps else ""
        return [*found, *([sentence] if sentence else []), *self._notes]

    @property
    def document(self) -> dict[str, Any]:
        """The `data` section of a result document."""
        missing = {"missing": self.gaps.document()} if self.gaps else {}
        told = {name: self.classes.names for name in self._targets if self.classes} or self.labels
        labels = {"labels": {name: list(texts) for name, texts in told.items()}} if told else {}
        return {"rows": self.rows, "columns": self.names.columns} | labels | missing

    def warn(self, sentence: str) -> None:
        """Add to the warnings, once."""
        if sentence not in self._notes:
            self._notes.append(sentence)

    def blocks(self) -> Iterator[Columns]:
        """The columns in blocks of rows. Raises UserError (exit 3) where the data is wrong."""
        return (made for _, made, _ in self._blocks())

    def _blocks(self) -> Iterator[tuple[Columns, Columns, RowNumbers]]:
        """The columns as they were read, and as they are asked for, in blocks of rows; and where these stand."""
        if self._source is None:
            return
        rows, counted = 0, 0.0
        reading, gaps = self._reading, None if self._missing == "error" else Gaps(self._missing, self._means)
        width = max(len(self.names.columns), len(self.names.design))
        size = min(BLOCK_ROWS, max(_LEAST_ROWS, _BLOCK_NUMBERS // max(1, width)))
        for read in self._source.blocks(self.names.columns, size, reading):
            block = gaps.mend(read) if gaps else read
            if count := len(next(iter(block.values()))):
                numbers = gaps.numbers if gaps else range(rows + 1, rows + count + 1)
                block = self._weights.weighed(block, numbers, self.where)
                if self.weight is not None:
                    counted += float(block[self.weight].sum())
                yield block, self._made(block, numbers), numbers
            rows += count
        if not rows:
            raise self._error("every row has a missing value", "fill some in, or leave columns out")
        if self.weight is not None and not counted > 0:
            raise self._error("every weight is 0", f"give some rows a weight in {self.weight}")
        self.rows, self.gaps = rows, gaps

    @cached_property
    def columns(self) -> Columns:
        """The columns, whole, to be left as they are. Raises UserError (exit 3) where the data is wrong."""
        if self._source is None or not self.names.columns:
            return {}
        if self._plain:
            columns = self._source.read(self.names.columns, copy=False, reading=self._reading)
            self.rows = len(next(iter(columns.values())))
            return columns
        blocks = list(self._blocks())
        if self._missing == "drop":
            self.numbers = np.concatenate([numbers for _, _, numbers in blocks])
        return joined([made for _, made, _ in blocks])

    @property
    def _plain(self) -> bool:
        """Whether columns are asked for as they stand in the table."""
        made = all(column.plain for column in self.names.design)
        return made and self._missing == "error" and self.weight is None

    def own_rows(self) -> PredictedRows:
        """All rows as such to predict."""
        if self._plain:
            return PredictedRows(self.columns, self.rows, {n: self.columns[n] for n in self.names.inputs}, own=True)
        blocks = list(self._blocks())
        read, made = joined([read for read, _, _ in blocks]), joined([made for _, made, _ in blocks])
        return PredictedRows(made, self.rows, shown(self.names, read), own=True)

    @property
    def fresh(self) -> Fresh:
        """How rows of another table are read, to be predicted."""
        unseen = self._unseen == "reference"
        return Fresh(self.names, self._missing, self._means, unseen, designed=self._design is not None)

    def points(self, points: Sequence[Mapping[str, float | str]]) -> PredictedRows:
        """Points as rows to predict; their names and levels have been checked."""
        read = coded(self.names, points)
        rows = self.fresh.made(read, "predict", range(1, len(points) + 1))
        return PredictedRows(rows, len(points), {name: [point[name] for point in points] for name in read})

    def _made(self, block: Columns, numbers: RowNumbers) -> Columns:
        """The columns that are asked for, of a block without gaps."""
        if self._design is None:
            return block
        beside = (self.offset, self.weight, self._told_by)
        extra = [*self._targets, *(name for name in beside if name is not None)]
        return {**self._design(block, numbers), **{name: block[name] for name in extra}}

    @property
    def _told_by(self) -> str | None:
        """The column that tells rows apart."""
        told = self.split or self.grouping
        return told.column if told else None

    def _error(self, what: str, remedy: str, column: str | None = None) -> UserError:
        where = f"{self.where}, column {column}" if column else self.where
        return UserError(what, where=where, remedy=remedy, code=DATA)

    def _levels(self, names: Sequence[str]) -> dict[str, Sequence[str]]:
        return {name: texts for name, texts in self.names.levels.items() if name in names}

    @property
    def _filled(self) -> list[str]:
        """Columns whose gaps `mean` fills: numbers that predict."""
        kept = {self.offset, self._weights.column, self._told_by, *self._targets}
        return [name for name in self.names.inputs if name not in self.names.levels and name not in kept]

    @property
    def _reading(self) -> Reading:
        levels, unseen = self._levels(self.names.columns), self.split.unseen if self.split else ()
        if self.split is not None:
            levels = {**levels, **self.split.levels}
        if self.grouping is not None:
            levels = {**levels, **self.grouping.levels}
        if self._missing == "error":
            return Reading(levels, unseen=unseen)
        if self._missing == "drop":
            return Reading(levels, gaps=self.names.columns, unseen=[*self._dropping.unseen, *unseen])
        return Reading(levels, gaps=self._filled, unseen=unseen, advice=dict.fromkeys(self.names.columns, FILLED))

    @cached_property
    def _means(self) -> dict[str, float]:
        """What fills the gaps: one more reading of the columns that may have some."""
        filled = self._filled
        if self._source is None or self._missing != "mean" or not filled:
            return {}
        beside = [name for name in (self._weights.column, self._told_by) if name is not None]
        blocks = self._source.blocks(list(dict.fromkeys([*filled, *beside])), reading=self._reading)
        return means(self._trained(self._weights.over(blocks, self.where)), filled, self.weight, self._source.where)

    def _trained(self, blocks: Iterator[Columns]) -> Iterator[Columns]:
        """Those of the rows in some blocks that train."""
        label = self.split.start() if self.split and self.held is not None else None
        for block in blocks:
            trains = slice(None) if label is None else label(block) != self.held
            yield {name: values[trains] for name, values in block.items()}


def joined(blocks: Sequence[Columns]) -> Columns:
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
