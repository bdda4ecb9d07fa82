"""Predictors: theta_SP to predictions for a block of rows, and back to a gradient.

Every predictor has `forward(theta_SP) -> (prediction, saved)` and `backward(saved, slope) -> gradient_SP`, where
`slope` is the loss's derivative in the prediction, and `jacobian(theta_1P) -> (rows, P)`. Trials never mix. Those over
columns have `of(rows)`, the same over some of them: Rows are a range, indices (B,), or (S, B), each trial's own. Those
that are Stackable can be walked side by side, each of a trial of its own, over as many rows of another table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from gdtrain.formula import Node
from gdtrain.formula.tape import Tape

Rows = slice | Tensor


class Predictor(Protocol):
    def forward(self, theta_SP: Tensor) -> tuple[Tensor, Any]: ...

    def backward(self, saved: Any, slope: Tensor) -> Tensor: ...

    def jacobian(self, theta_1P: Tensor) -> Tensor: ...


@runtime_checkable
class Stackable(Predictor, Protocol):
    def stack(self, others: Sequence[Any]) -> Stackable:
        """This one for the first trial, and each of the others, of the same kind, for one more."""
        ...

    def take(self, index: Tensor) -> Stackable:
        """Of a stack those of some trials, by their numbers; one may stand several times."""
        ...


class Formula:
    """A formula over columns; prediction (S, N). A formula without columns predicts the same for every row."""

    def __init__(
        self, tree: Node, parameters: Sequence[str], columns: Mapping[str, Tensor], rows: int, like: Tensor
    ) -> None:
        self._tape = Tape([tree], parameters).bind(columns, like=like)
        self._rows = rows

    def forward(self, theta_SP: Tensor) -> tuple[Tensor, Any]:
        (prediction,), saved = self._tape.forward(theta_SP)
        constant = prediction.shape[-1] != self._rows
        if constant or prediction.dim() == 1:
            prediction = prediction.expand(theta_SP.shape[0], self._rows)
        return prediction, (saved, constant)

    def backward(self, saved: Any, slope: Tensor) -> Tensor:
        tape_saved, constant = saved
        return self._tape.backward(tape_saved, [slope.sum(-1, keepdim=True) if constant else slope])

    def jacobian(self, theta_1P: Tensor) -> Tensor:
        (jacobian,) = self._tape.jacobian(theta_1P)
        return jacobian[0].expand(self._rows, -1)

    def of(self, rows: Rows) -> Formula:
        some = copy(self)
        some._tape = self._tape.of(rows)
        some._rows = rows.shape[-1] if isinstance(rows, Tensor) else len(range(self._rows)[rows])
        return some

    def stack(self, others: Sequence[Formula]) -> Formula:
        whole = copy(self)
        whole._tape = self._tape.stack([other._tape for other in others])
        return whole

    def take(self, index: Tensor) -> Formula:
        some = copy(self)
        some._tape = self._tape.take(index)
        return some


class Equations:
    """Residuals left - right of E equations, as a prediction (S, E) whose target is zero."""

    def __init__(
        self, trees: Sequence[Node], parameters: Sequence[str], fixed: Mapping[str, Tensor], like: Tensor
    ) -> None:
        self._tape = Tape(trees, parameters).bind(fixed, like=like)

    def forward(self, theta_SP: Tensor) -> tuple[Tensor, Any]:
        residuals, saved = self._tape.forward(theta_SP)
        if len(residuals) == 1 and residuals[0].dim() == 2:
            return residuals[0], saved
        return torch.cat([r.expand(theta_SP.shape[0], 1) for r in residuals], dim=1), saved

    def backward(self, saved: Any, slope: Tensor) -> Tensor:
        return self._tape.backward(saved, list(torch.split_with_sizes(slope, [1] * slope.shape[1], 1)))

    def jacobian(self, theta_1P: Tensor) -> Tensor:
        return torch.cat([jacobian[0] for jacobian in self._tape.jacobian(theta_1P)])


def over_reference(eta: Tensor, *, single: bool | None = None) -> Tensor:
    """The predictors (..., N, K) of K classes from those of all but the first, (..., N, K - 1), which is 0.

    single  whether there is one other, so that its axis was left out; unless given: of predictors (N,)
    """
    alone = eta.dim() == 1 if single is None else single
    return torch.nn.functional.pad(eta[..., None] if alone else eta, (1, 0))


class OverReference:
    """Predictors of K classes, of which the first is the reference: its eta is 0. Prediction (S, N, K).

    others  predicts the others, (S, N, K - 1), or (S, N) where there is one

    The Jacobian is that of the others: the reference has no parameters.
    """

    def __init__(self, others: Predictor) -> None:
        self._others = others

    def forward(self, theta_SP: Tensor) -> tuple[Tensor, Any]:
        eta, saved = self._others.forward(theta_SP)
        single = eta.dim() == 2
        return over_reference(eta, single=single), (saved, single)

    def backward(self, saved: Any, slope: Tensor) -> Tensor:
        inner, single = saved
        return self._others.backward(inner, slope[..., 1] if single else slope[..., 1:])

    def jacobian(self, theta_1P: Tensor) -> Tensor:
        return self._others.jacobian(theta_1P)

    def stack(self, others: Sequence[OverReference]) -> OverReference:
        return OverReference(cast(Stackable, self._others).stack([other._others for other in others]))

    def take(self, index: Tensor) -> OverReference:
        return OverReference(cast(Stackable, self._others).take(index))


class Columns(Protocol):
    """A matrix (N, F) that is made when it is asked for, whole or some of its rows."""

    def matrix(self) -> Tensor: ...

    def of(self, rows: Rows) -> Tensor | Columns: ...


class Linear:
    """x_NF @ w for T targets; theta holds the free ones of the T * F weights, target by target.

    Prediction (S, N) for one target, else (S, N, T). Of rows that differ between trials, x is (S, N, F); of a stack the
    fixed weights are (S, Q) too.
    """

    def __init__(self, x_NF: Tensor | Columns, targets: int, free: Sequence[int], weights_Q: Tensor) -> None:
        self._x_NF, self._targets = x_NF, targets
        everything = len(free) == len(weights_Q)
        self._free = None if everything else torch.tensor(list(free), device=weights_Q.device)
        self._weights_1Q = weights_Q[None]

    def forward(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        """The prediction, and x. What x is made of may hold one at a time."""
        trials, x_NF = theta_SP.shape[0], self._matrix()
        if self._free is not None:
            theta_SP = self._weights_1Q.expand(trials, -1).index_copy(1, self._free, theta_SP)
        if self._targets == 1:
            return _products(theta_SP, x_NF.mT), x_NF
        weights_STF = theta_SP.view(trials, self._targets, -1)
        return (weights_STF @ x_NF.mT).transpose(1, 2), x_NF

    def backward(self, saved: Tensor, slope: Tensor) -> Tensor:
        gradient = _products(slope, saved) if self._targets == 1 else (slope.transpose(1, 2) @ saved).flatten(1)
        return gradient if self._free is None else gradient[:, self._free]

    def hessian(self, saved: Tensor, slope_derivative_SN: Tensor) -> Tensor:
        """x' diag(h) x of each trial, (S, P, P): the Hessian of a loss, h being its second derivatives in predictions
        of one target.
        """
        hessian_SFF = torch.stack([(saved.T * h_N) @ saved for h_N in slope_derivative_SN])
        return hessian_SFF if self._free is None else hessian_SFF[:, self._free][:, :, self._free]

    def of(self, rows: Rows) -> Linear:
        some = copy(self)
        some._x_NF = taken(self._x_NF, rows) if isinstance(self._x_NF, Tensor) else self._x_NF.of(rows)
        return some

    def stack(self, others: Sequence[Linear]) -> Linear:
        whole, each = copy(self), (self, *others)
        whole._x_NF = torch.stack([one._matrix() for one in each])
        whole._weights_1Q = torch.cat([one._weights_1Q for one in each])
        return whole

    def take(self, index: Tensor) -> Linear:
        some = copy(self)
        some._x_NF, some._weights_1Q = self._matrix()[index], self._weights_1Q[index]
        return some

    def jacobian(self, theta_1P: Tensor) -> Tensor:
        x_NF = self._matrix()
        jacobian = torch.kron(torch.eye(self._targets).to(x_NF), x_NF.contiguous()) if self._targets > 1 else x_NF
        return jacobian if self._free is None else jacobian[:, self._free]

    def _matrix(self) -> Tensor:
        return self._x_NF if isinstance(self._x_NF, Tensor) else self._x_NF.matrix()


def _products(row_S: Tensor, matrix: Tensor) -> Tensor:
    """Each trial's row times a matrix, or a matrix of its own."""
    return row_S @ matrix if matrix.dim() == 2 else torch.bmm(row_S[:, None], matrix)[:, 0]


def taken(x_N: Tensor, rows: Rows) -> Tensor:
    """Some rows of (N, ...): (B, ...), or (S, B, ...) where trials differ."""
    if isinstance(rows, slice):
        return x_N[rows]
    if x_N.dim() == 1 and rows.dim() == 1:
        return x_N.index_select(0, rows)
    if x_N.device.type != "cpu":
        return x_N[rows]
    return torch.from_numpy(np.take(x_N.numpy(), rows.numpy(), axis=0, mode="clip"))  # a third of torch's time
