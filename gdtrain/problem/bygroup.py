"""How rows are predicted each by the parameters of its group: all rows of a block at once, whatever groups they are of.

The model is that of one group; what differs between rows are its numbers. Derivatives are those of trials of one row
each.

Shapes: G groups, P trained parameters, Q reported ones, N rows, T targets, K classes, D columns of a design.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gdtrain.formula.evaluate import evaluate
from gdtrain.problem.predicting import OfColumns, OfFormula
from gdtrain.problem.predictors import Formula, over_reference
from gdtrain.problem.problem import Columns, Predicting
from gdtrain.problem.tied import Spreading

GROUP = "\0group"  # the column that tells each row's group, from 0: no column of a table is called so
_NUMBERS = 1 << 21  # parameters of rows that are held at once: 16 MB


@dataclass(frozen=True)
class OfGroups:
    """Predictions of rows whose parameters are those of their groups, (G, Q), by the model that all share."""

    model: OfFormula | OfColumns

    @classmethod
    def of(cls, predicting: Predicting) -> OfGroups:
        """By the model of one group."""
        assert isinstance(predicting, OfFormula | OfColumns)
        return cls(predicting)

    def __call__(self, values_GQ: Tensor, columns: Columns, rows: int) -> Tensor:
        return self.model.loss.inverse(self.eta(values_GQ, columns, rows))

    def eta(self, values_GQ: Tensor, columns: Columns, rows: int) -> Tensor:
        own = _Own(values_GQ, columns)
        return _formula(self.model, own, rows) if isinstance(self.model, OfFormula) else _columns(self.model, own, rows)

    def target(self, columns: Columns) -> Tensor:
        return self.model.target(columns)

    def jacobian(self, values_GQ: Tensor, columns: Columns, rows: int) -> Tensor:
        own = _Own(values_GQ, columns)
        if isinstance(self.model, OfFormula):
            return _formula_slopes(self.model, own)[None]
        return torch.stack(list(_column_slopes(self.model, own, rows)))


@dataclass(frozen=True)
class _Own:
    """The columns of some rows, and the parameters of each."""

    values_GQ: Tensor
    columns: Columns

    @property
    def group_N(self) -> Tensor:
        return self.columns[GROUP].long()

    def value(self, q: int) -> Tensor:
        """One parameter (N,)."""
        return self.values_GQ[:, q].index_select(0, self.group_N)

    def values(self, indices: list[int]) -> Tensor:
        """Several (N, ...)."""
        return self.values_GQ[:, indices].index_select(0, self.group_N)


def _formula(model: OfFormula, own: _Own, rows: int) -> Tensor:
    parameters = {name: own.value(q) for q, name in enumerate(model.parameters.names)}
    eta = evaluate(model.right, {**own.columns, **parameters}).expand(rows)
    return eta if model.offset is None else eta + own.columns[model.offset]


def _formula_slopes(model: OfFormula, own: _Own) -> Tensor:
    """(N, P)"""
    parameters = model.parameters
    free = set(parameters.free)
    fixed = {name: own.value(q) for q, name in enumerate(parameters.names) if q not in free}
    inputs = {name: column[:, None] for name, column in {**fixed, **own.columns}.items()}
    predictor = Formula(model.right, parameters.trained, inputs, 1, own.values_GQ)
    eta, saved = predictor.forward(own.values(parameters.free))
    return predictor.backward(saved, torch.ones_like(eta))


def _columns(model: OfColumns, own: _Own, rows: int) -> Tensor:
    layout = model.layout
    eta = torch.stack(list(_sums(model, own, rows)), 1) if layout.network is None else _through_layers(model, own, rows)
    eta = (eta if model.offset is None else eta + own.columns[model.offset][:, None]).squeeze(1)
    return over_reference(eta) if layout.reference else eta


def _sums(model: OfColumns, own: _Own, rows: int) -> Iterator[Tensor]:
    """Each set of weights over the columns (N,)."""
    layout = model.layout
    for first in range(0, layout.predictors * layout.width, layout.width):
        last = first + len(layout.features)
        total = own.value(last).clone() if layout.constant else own.values_GQ.new_zeros(rows)
        for q, name in enumerate(layout.features, first):
            total += own.columns[name] * own.value(q)
        yield total


def _through_layers(model: OfColumns, own: _Own, rows: int) -> Tensor:
    """Through hidden layers, a part of the rows at a time: each has all the weights of its group. (N, T)"""
    layout, size = model.layout, own.values_GQ.shape[1]
    assert layout.network is not None
    few, parts = max(1, _NUMBERS // size), list[Tensor]()
    for start in range(0, rows, few):
        part = {name: column[start : start + few] for name, column in own.columns.items()}
        values_nQ = own.values_GQ.index_select(0, part[GROUP].long())
        x_nD = model.design(part, len(values_nQ), values_nQ)
        layers = layout.network.predictor(x_nD[:, None], range(size), values_nQ[0])
        parts.append(layers.forward(values_nQ)[0].reshape(len(values_nQ), -1))
    return torch.cat(parts)


def _column_slopes(model: OfColumns, own: _Own, rows: int) -> Iterator[Tensor]:
    """Of each set of weights: (N, P)."""
    parameters, width = model.parameters, model.layout.width
    free, varying = parameters.free, parameters.varying
    x_ND = model.design(own.columns, rows, own.values_GQ)
    slopes_NQ = x_ND.new_zeros(rows, len(parameters.names))
    spread = saved = None
    if parameters.ties:
        held = {name: own.value(q)[:, None] for q, name in enumerate(parameters.names) if q not in set(varying)}
        spread = Spreading(replace(parameters, start_Q=own.values_GQ[0]), held)
        _, saved = spread.forward(own.values(free))
    for first in range(0, model.layout.predictors * width, width):
        slopes_NQ.zero_()[:, first : first + width] = x_ND
        yield slopes_NQ[:, free] if spread is None else spread.backward(saved, slopes_NQ[:, varying])
