"""Rows of a table to rows of predictions, a block at a time.

Shapes: N rows, T targets, K classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import polars as pl
import torch
from torch import Tensor

from gdtrain.data.classes import require_targets
from gdtrain.data.fresh import Block
from gdtrain.data.weights import Weights
from gdtrain.errors import DATA, UserError
from gdtrain.experiment.data import Data as DataSpec
from gdtrain.metrics import Metrics, measure, over_targets
from gdtrain.prediction.columns import RESIDUAL, Naming, residuals
from gdtrain.prediction.models import restored_model
from gdtrain.problem.held import unadjusted
from gdtrain.problem.problem import tensors
from gdtrain.sources import BLOCK_ROWS, Keep, Source, open_source
from gdtrain.sources.table import Lines
from gdtrain.uncertainty.predictions import ROWS_OF_THEIR_OWN

if TYPE_CHECKING:
    from gdtrain.sources.table import Kept

_NUMBERS = 1 << 21  # derivatives of a block: 16 MB
_CELLS = 1 << 18  # texts of a block that are kept
_LEAST_ROWS = 1 << 10


@dataclass(frozen=True)
class Asked:
    """What is asked of the rows.

    keep       columns that come along as they stand; `*` is all of them
    interval   share of intervals that hold the truth; None for none
    residuals  whether predictions are held against the target
    metrics    whether metrics of the rows are wanted
    lines      whether rows that are kept whole may come as lines of comma-separated text
    """

    keep: Sequence[str] = ()
    interval: float | None = None
    residuals: bool = False
    metrics: bool = False
    lines: bool = False

    @property
    def target(self) -> bool:
        """Whether the target is needed."""
        return self.residuals or self.metrics


@dataclass(frozen=True)
class Rows:
    """Predictions of some rows.

    kept  cells of the table that come before them, as they stand
    made  a column for whatever was asked for (n,)
    """

    kept: Kept
    made: pl.DataFrame

    @property
    def names(self) -> list[str]:
        """Of all columns."""
        kept = [] if self.kept is None else self.kept.names if isinstance(self.kept, Lines) else self.kept.columns
        return [*kept, *self.made.columns]

    def frame(self) -> pl.DataFrame:
        """All columns, where none were kept as lines."""
        assert not isinstance(self.kept, Lines)
        return self.made if self.kept is None else self.kept.hstack(self.made)


@dataclass
class _Seen:
    """What metrics are made of: predictions before the inverse of the link, targets, and weights."""

    eta: list[Tensor] = field(default_factory=list)
    target: list[Tensor] = field(default_factory=list)
    weight: list[Tensor] = field(default_factory=list)


class Predictor:
    """Predicts the rows of a table by a result document.

    rows  how many were predicted so far
    """

    def __init__(self, document: Mapping[str, Any], where: str, asked: Asked) -> None:
        """By the document of a run, or of groups, whose column the table then has to have.

        Raises UserError (exit 2) where it does not say how to predict, or refuses intervals.
        """
        self._model, self._spread = restored_model(document, where, asked.interval)
        self._asked, self._naming, self._seen = asked, Naming(self._model), _Seen()
        self._weights = Weights.of(self._model.experiment)
        self.rows = 0
        self._notes: list[str] = []  # on columns, or the lack of them
        self._met: list[str] = []  # on targets, of each block its first

    @property
    def warnings(self) -> list[str]:
        """What its user should know of the rows so far."""
        return [*self._notes, *self._met[:1]]

    @property
    def nulls(self) -> Sequence[str]:
        """Words that stand for a missing value, beside the empty cell."""
        spec = self._model.experiment.data or DataSpec()
        return spec.null_values or ()

    def open(self, path: str, stdin: BinaryIO | None = None) -> Source:
        """The table at a path, read as the one that was trained on. Raises UserError (exit 3)."""
        spec = self._model.experiment.data or DataSpec()
        return open_source(
            path=path,
            delimiter=spec.delimiter,
            header=spec.header,
            comment=spec.comment,
            nulls=self.nulls,
            stdin=stdin,
            typed=True,
        )

    def predicted(self, source: Source) -> Iterator[Rows]:
        """The predictions, a block of rows at a time.

        Raises UserError (exit 3) where rows are wrong, (exit 2) where columns that are kept share a name with others.
        """
        keep = source.names if list(self._asked.keep) == ["*"] else list(dict.fromkeys(self._asked.keep))
        beside = self._beside(source)
        self._refuse_names_twice(keep, beside)
        kept = Keep(keep, self._asked.lines)
        for block in self._model.fresh.blocks(source, beside, kept, self._size(len(keep))):
            with torch.inference_mode():
                rows = Rows(block.kept, self._made(block, source.where))
            self.rows += block.count
            yield rows

    def frames(self, source: Source) -> Iterator[pl.DataFrame]:
        """`predicted`, as frames: kept columns, then what was asked for."""
        return (rows.frame() for rows in self.predicted(source))

    def metrics(self) -> Metrics:
        """The metrics of the rows that were predicted, R2 about their own mean; none adjusted, for they trained
        nothing.
        """
        model, seen = self._model, self._seen
        eta, target = torch.cat(seen.eta), torch.cat(seen.target)
        weight_N = torch.cat(seen.weight) if seen.weight else None

        def of_target(t: int, eta: Tensor, target: Tensor) -> Metrics:
            names = model.classes.names if model.classes else model.labels.get(model.targets[t], ())
            loss = model.loss.name
            return measure(loss, eta, target, weight_N, parameters=0, centred=model.centred, classes=names)

        if model.classes or eta.dim() == 1:
            return unadjusted(of_target(0, eta, target))
        each = {name: of_target(t, eta[:, t], target[:, t]) for t, name in enumerate(model.targets)}
        return unadjusted(over_targets(each))

    def _size(self, kept: int) -> int:
        """Rows of a block: the more of each there is to hold, the fewer."""
        derivatives = len(self._model.free) * len(self._naming.told) if self._spread is not None else 0
        texts = _CELLS // max(1, kept)
        return min(BLOCK_ROWS, max(_LEAST_ROWS, min(texts, _NUMBERS // max(1, derivatives))))

    def _beside(self, source: Source) -> list[str]:
        """The columns to read besides the inputs. What rows weigh is taken where it is there."""
        weight = self._weights.column
        weighs = self._asked.metrics or (self._spread is not None and self._spread.weighted)
        if self._spread is not None and self._spread.alone:
            self._notes.append(self._spread.alone)
        beside = list(self._model.columns) if self._asked.target else []
        if weight is None or not weighs or weight in source.names:
            return [*beside, *([weight] if weight is not None and weighs else [])]
        if self._spread is not None and self._spread.known:
            self._notes.append(f"{source.where}: there is no column {weight}: {ROWS_OF_THEIR_OWN}")
        else:
            self._notes.append(f"{source.where}: there is no column {weight}: every row weighs 1")
        return beside

    def _refuse_names_twice(self, keep: Sequence[str], beside: Sequence[str]) -> None:
        spread = self._spread
        rows = spread is not None and not spread.alone and (not spread.known or self._weights.column in beside)
        own = self._naming.names(interval=spread is not None, rows=rows, residual=self._asked.residuals)
        for name in keep:
            if name in own:
                what = f"{name} is what the predictions call a column of their own"
                raise UserError(what, where="--keep", remedy="name the other columns, or rename it in the table")

    def _made(self, block: Block, where: str) -> pl.DataFrame:
        model, naming = self._model, self._naming
        numbers = range(block.first, block.first + block.count)
        weighs = self._weights.column in block.made
        made = self._weights.weighed(block.made, numbers, where) if weighs else block.made
        columns = tensors(made, model.values_Q)
        weight_N = columns.get(self._weights.name or "")
        eta = model.predicting.eta(model.values_Q, columns, block.count)
        self._require_finite("prediction", eta, model.names.inputs, block, where)
        found = [*naming.predictions(eta)]
        if self._spread is not None:
            made_of = self._spread.intervals(model.predicting, model.values_Q, columns, block.count, weight_N)
            found += naming.intervals(made_of)
        if self._asked.target:
            target = self._target(columns, block, where)
            if self._asked.residuals:
                found += naming.numbers(RESIDUAL, residuals(model, eta, target))
            if self._asked.metrics:
                self._seen.eta.append(eta)
                self._seen.target.append(target)
                self._seen.weight += [] if weight_N is None else [weight_N]
        return pl.DataFrame(found)

    def _target(self, columns: dict[str, Tensor], block: Block, where: str) -> Tensor:
        """The targets of some rows; of classes their numbers. Raises UserError (exit 3) for one that cannot be."""
        model, target = self._model, self._model.predicting.target(columns)
        if model.classes is None:
            self._require_finite("target", target, model.columns, block, where)
            require_targets(model.loss, target, model.targets, _Place(where, block.first, self._met))
            return target
        places = model.classes.numbers(target).clamp(max=len(model.classes.names) - 1)
        known = torch.as_tensor(model.classes.values_K).to(target)[places.long()] == target
        if not bool(known.all()):
            row = int(known.int().argmin())
            names = ", ".join(model.classes.names[:5]) + ", ..." * (len(model.classes.names) > 5)
            place = f"{where}, row {block.first + row:,}, column {model.targets[0]}"
            what = f"{float(target[row]):.10g} is no class that training had"
            raise UserError(what, where=place, remedy=f"the classes are {names}", code=DATA)
        return places

    def _require_finite(self, called: str, made: Tensor, of: Iterable[str], block: Block, where: str) -> None:
        """Raises UserError (exit 3) for a row whose columns `of` a formula has no number for."""
        if bool(torch.isfinite(made.sum())):
            return
        wrong = ~torch.isfinite(made.reshape(block.count, -1)).all(1)
        if not bool(wrong.any()):
            return  # the sum alone overflows
        row = int(wrong.int().argmax())
        inputs = {name: block.read[name][row] for name in of}
        levels = self._model.names.levels
        told = [f"{n} = {levels[n][int(v)] if n in levels else f'{v:.6g}'}" for n, v in inputs.items()]
        what = f"the {called} is not finite" + (f" ({', '.join(told)})" if told else "")
        remedy = "mend the row, or delete it"
        raise UserError(what, where=f"{where}, row {block.first + row:,}", remedy=remedy, code=DATA)


@dataclass(frozen=True)
class _Place:
    """Where a block stands, for messages on its targets."""

    where: str
    first: int
    notes: list[str]
    partial = False

    def row_number(self, row: int) -> int:
        return self.first + row

    def warn(self, sentence: str) -> None:
        self.notes.append(sentence)


def level_of(share: str | float, where: str) -> float:
    """The share of intervals that hold the truth, asked for at `where`. Raises UserError."""
    try:
        level = float(share)
    except ValueError:
        level = np.nan
    if not 0 < level < 1:
        raise UserError(f"{share} is no share between 0 and 1", where=where, remedy="write 0.95")
    return level
