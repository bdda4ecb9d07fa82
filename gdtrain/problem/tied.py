"""A linear predictor some of whose weights follow from others.

Shapes: S trials, P trained parameters, V weights that vary, tied ones among them, N rows, M compressed rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gdtrain.formula.tape import Tape
from gdtrain.problem.parameters import Parameters
from gdtrain.problem.predictors import Predictor
from gdtrain.problem.quadratic import Quadratic


class Spreading:
    """theta (S, P) to the weights that vary (S, V), and back. `fixed` holds the values of those that do not."""

    def __init__(self, parameters: Parameters, fixed: Mapping[str, Tensor]) -> None:
        trees, like = [tree for _, tree in parameters.ties], parameters.start_Q
        self._tape = Tape(trees, parameters.trained).bind(fixed, like=like)
        stacked = [*parameters.free, *(i for i, _ in parameters.ties)]
        order = [stacked.index(i) for i in parameters.varying]
        self._order_V = torch.tensor(order, device=like.device)
        self._free = len(parameters.free)
        self._zero_1P = like.new_zeros(1, self._free)

    def forward(self, theta_SP: Tensor) -> tuple[Tensor, Any]:
        tied, saved = self._tape.forward(theta_SP)
        columns = [value.expand(len(theta_SP), 1) for value in tied]
        return torch.cat([theta_SP, *columns], 1)[:, self._order_V], saved

    def backward(self, saved: Any, gradient_SV: Tensor) -> Tensor:
        stacked = torch.zeros_like(gradient_SV)
        stacked[:, self._order_V] = gradient_SV
        tied = [stacked[:, i : i + 1] for i in range(self._free, stacked.shape[1])]
        return stacked[:, : self._free] + self._tape.backward(saved, tied)

    def jacobian(self, theta_1P: Tensor) -> Tensor:
        """(V, P)"""
        tied = [derivative[0] for derivative in self._tape.jacobian(theta_1P)]
        return torch.cat([torch.eye(self._free).to(theta_1P), *tied])[self._order_V]

    def of(self, quadratic: Quadratic) -> Quadratic:
        """A loss of the weights as one of theta, where the ties are affine."""
        offset_1V, _ = self.forward(self._zero_1P)
        R_MP = quadratic.R_MP @ self.jacobian(self._zero_1P).to(quadratic.R_MP)
        z_M = quadratic.residual(offset_1V[0].to(quadratic.R_MP))
        rest = R_MP.new_zeros(1, R_MP.shape[1] + 1)
        rest[0, -1] = quadratic.rho
        rows = torch.cat([torch.cat([R_MP, z_M[:, None]], 1), rest])
        return Quadratic.of(rows, quadratic.scale, quadratic.rows)


class Tied:
    """A predictor over the weights that vary, as one over theta."""

    def __init__(self, weights: Predictor, spreading: Spreading) -> None:
        self._weights, self._spreading = weights, spreading

    def forward(self, theta_SP: Tensor) -> tuple[Tensor, Any]:
        weights_SV, tied = self._spreading.forward(theta_SP)
        prediction, saved = self._weights.forward(weights_SV)
        return prediction, (tied, saved)

    def backward(self, saved: Any, slope: Tensor) -> Tensor:
        tied, inner = saved
        return self._spreading.backward(tied, self._weights.backward(inner, slope))

    def jacobian(self, theta_1P: Tensor) -> Tensor:
        weights_1V, _ = self._spreading.forward(theta_1P)
        return self._weights.jacobian(weights_1V) @ self._spreading.jacobian(theta_1P)
