"""The classes that a target holds, and the targets that a loss takes.

Shapes: N rows, T targets, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gdtrain.design.gaps import whole_rows
from gdtrain.errors import DATA, UserError
from gdtrain.losses import Loss
from gdtrain.losses.labels import class_names
from gdtrain.sources import PLAIN, Reading, Source
from gdtrain.sources.cells import is_gap

MOST = 1000  # classes; more are hardly classes
_LISTED = 5  # that a message lists


@dataclass(frozen=True)
class Classes:
    """The classes of a target: what the rows hold, in order, and what they are called.

    The first is the reference, whose weights are 0.
    """

    values_K: np.ndarray
    names: list[str]

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> Classes:
        """Of a target that is read as the places of its texts among these."""
        return cls(np.arange(len(texts), dtype=np.float64), list(texts))

    def numbers(self, target_N: Tensor) -> Tensor:
        """The number of each row's class, 0 to K - 1."""
        ordered_K = torch.as_tensor(self.values_K).to(target_N)
        return torch.searchsorted(ordered_K, target_N.contiguous()).to(target_N)


def classes_of(source: Source, target: str, columns: Sequence[str], reading: Reading = PLAIN) -> Classes:
    """The classes in a column of numbers, of which there must be at least two: in rows that have none of the gaps of
    other columns. Reads the columns, once for a table.

    Raises UserError (exit 3) where there are too few or too many.
    """
    key = "classes", target, tuple(columns), tuple(reading.gaps)
    if key not in source.learned:
        source.learned[key] = _met(source, target, columns, reading)
    classes: Classes = source.learned[key]
    _require_several(classes.names, f"{source.where}, column {target}")
    return classes


def _met(source: Source, target: str, columns: Sequence[str], reading: Reading) -> Classes:
    found = np.zeros(0)
    for block in whole_rows(source.blocks(columns, reading=reading)):
        found = np.union1d(found, block[target])
        if len(found) > MOST:
            what = f"more than {MOST:,} different values are no classes"
            raise UserError(what, where=f"{source.where}, column {target}", remedy="use mse for numbers", code=DATA)
    return Classes(found, class_names(found))


def require_labels(loss: str, texts: Sequence[str], target: str, where: str) -> None:
    """Refuse texts that are no classes for the loss: one alone, or more than two under `logistic`.

    Raises UserError (exit 3).
    """
    place = f"{where}, column {target}"
    _require_several(texts, place)
    if loss == "logistic" and len(texts) > 2:
        shown = ", ".join(texts[:_LISTED]) + (", ..." if len(texts) > _LISTED else "")
        what = f"logistic tells two classes apart, not {len(texts)}: {shown}"
        gap = next(filter(is_gap, texts), "")
        remedy = f'if {gap} stands for a missing value: set data.null_values: ["{gap}"]' if gap else ""
        raise UserError(what, where=place, remedy=remedy or "use regress with loss: softmax", code=DATA)


def warn_of_empty(classes: Classes, number_N: Tensor, weight_N: Tensor | None, target: str, data: Noted) -> None:
    """Warn of classes that no row that trains holds: those of rows whose weight is 0, and of rows held out."""
    share_K = torch.bincount(number_N.long(), weight_N, len(classes.names))
    rows, remedy = "row that counts", "leave its rows out of the data"
    if data.partial:
        rows, remedy = "row that trains", "hold out other rows, or add a penalty"
    for k, share in enumerate(share_K.tolist()):
        if not share > 0:
            what = f"no {rows} holds {classes.names[k]}: its weights grow without bound"
            data.warn(f"{data.where}, column {target}: {what}; {remedy}")


def _require_several(names: Sequence[str], where: str) -> None:
    if not names:
        raise UserError("every cell is missing", where=where, remedy="name another target", code=DATA)
    if len(names) < 2:
        what = f"every row holds {names[0]}: there is nothing to tell apart"
        raise UserError(what, where=where, remedy="add rows of another class", code=DATA)


class Noted(Protocol):
    """Data that can be named in a message, and told of in a warning."""

    @property
    def where(self) -> str: ...

    @property
    def partial(self) -> bool: ...

    def row_number(self, row: int) -> int: ...

    def warn(self, sentence: str) -> None: ...


def require_targets(loss: Loss, target: Tensor, names: Sequence[str], data: Noted) -> None:
    """Refuse targets (N,) or (N, T) that the loss does not take; a count that is not whole is a warning.

    Raises UserError (exit 3) that names the first such row.
    """
    if loss.fits is None:
        return
    if found := _first(~loss.fits(target), target):
        row, column, value = found
        raise UserError(
            f"{loss.name} takes {loss.takes}, not {value}",
            where=f"{data.where}, row {data.row_number(row)}, column {names[column]}",
            remedy=loss.remedy,
            code=DATA,
        )
    if loss.name == "poisson" and (found := _first(target != target.floor(), target)):
        row, column, value = found
        what = f"{names[column]} is {value} in row {data.row_number(row)}, which is no count"
        data.warn(f"{what}: poisson is then a quasi-likelihood, whose weights hold as long as the mean is right")


def _first(wrong: Tensor, target: Tensor) -> tuple[int, int, str] | None:
    """Row, column and value of the first target that is wrong."""
    wrong_NT = wrong.reshape(len(wrong), -1)
    if not bool(wrong_NT.any()):
        return None
    row = int(wrong_NT.any(1).int().argmax())
    column = int(wrong_NT[row].int().argmax())
    return row, column, f"{float(target.reshape(len(wrong), -1)[row, column]):.10g}"
