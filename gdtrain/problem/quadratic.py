"""A squared loss of residuals that are affine in theta, on compressed rows: an objective that costs the same at any N.

    loss(theta) = scale * (||R theta + z||^2 + rho^2),   gradient = 2 scale R'(R theta + z)

R and z stand for all rows (see `compress`), rho is the length of what no theta can reach. The loss is a sum of squares:
exact data bring it to rounding and never below zero, as the expanded theta'R'R theta + 2 theta'R'z + z'z would.

Shapes: S trials, P parameters, M <= P compressed rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from gdtrain.linalg.compress import triangle
from gdtrain.linalg.spectrum import Spectrum


@dataclass(frozen=True, eq=False)
class Quadratic:
    """scale * (||R theta + z||^2 + rho^2).

    R_MP   upper triangular
    z_M    residuals at theta = 0 in the directions that theta can reach
    rho    length of the rest of them, at least 0
    scale  1/N for mse, 1/2 for half_sse, 1 for sse
    rows   N, the rows that these stand for
    """

    R_MP: Tensor
    z_M: Tensor
    rho: float
    scale: float
    rows: int

    @classmethod
    def of(cls, rows_NW: Tensor, scale: float, rows: int) -> Quadratic:
        """From any rows [A c] that stand for the data's `rows`, such as a compressor's result; W = P + 1, float64."""
        upper = triangle(rows_NW)
        size = upper.shape[1] - 1
        rho = abs(float(upper[size, size])) if len(upper) > size else 0.0
        return cls(upper[:size, :size], upper[:size, size], rho, scale, rows)

    @property
    def finite(self) -> bool:
        return bool(self.R_MP.isfinite().all() & self.z_M.isfinite().all())

    @property
    def size(self) -> float:
        """The loss at theta = 0."""
        return self.scale * (float(self.z_M.square().sum()) + self.rho * self.rho)

    @cached_property
    def spectrum(self) -> Spectrum:
        """Singular values and directions of R, which must be finite."""
        return Spectrum.of(self.R_MP)

    @property
    def eigenvalues_P(self) -> Tensor:
        """Of the Hessian, 2 scale sigma^2, from the largest down; 0 for directions that the data do not determine.

        No numbers where R is not finite.
        """
        if not self.finite:
            return torch.full_like(self.R_MP[0], torch.nan)
        return 2 * self.scale * self.spectrum.sigma_P.square()

    def loss_and_gradient(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        """Loss (S,) and gradient (S, P). `theta_SP` may have more axes before its last."""
        residual = self.residual(theta_SP)
        return self._loss(residual), (2 * self.scale * residual) @ self.R_MP

    def terms(self, theta_SP: Tensor) -> Iterator[Tensor]:
        yield self._loss(self.residual(theta_SP))

    def jacobians(self, theta_1P: Tensor) -> Iterator[Tensor]:
        """R, which stands for the Jacobian of all rows: its products and null directions are theirs."""
        yield self.R_MP

    def residual(self, theta: Tensor) -> Tensor:
        """R theta + z, (..., M)."""
        return theta @ self.R_MP.mT + self.z_M

    def solution(self, near_P: Tensor | None = None) -> Tensor:
        """The minimum (P,); of several the one nearest to `near_P`, to 0 unless given."""
        return self.spectrum.solve(self.z_M, near_P)

    def excess(self, theta: Tensor) -> Tensor:
        """How far the loss at theta (..., P) lies above the minimum, without subtracting two losses."""
        return self.scale * ((theta - self.solution()) @ self.R_MP.mT).square().sum(-1)

    def decayed(self, weight_decay: float, weights_P: Tensor | None = None) -> Quadratic:
        """This loss + weight_decay/2 * ||theta||^2, which is what sgd with weight decay descends: P more rows.

        weights_P  what each parameter's share is multiplied by, at least 0; 1 unless given: 0 leaves one free
        """
        size = self.R_MP.shape[1]
        reached = torch.cat([self.R_MP, self.z_M[:, None]], dim=1)
        pull = torch.eye(size, size + 1).to(reached) * (weight_decay / (2 * self.scale)) ** 0.5
        if weights_P is not None:
            pull = pull * weights_P.sqrt()[:, None]
        rest = reached.new_zeros(1, size + 1)
        rest[0, size] = self.rho
        return Quadratic.of(torch.cat([reached, pull, rest]), self.scale, self.rows)

    def to(self, like: Tensor) -> Quadratic:
        """This in the dtype and on the device of `like`."""
        return replace(self, R_MP=self.R_MP.to(like), z_M=self.z_M.to(like))

    def _loss(self, residual: Tensor) -> Tensor:
        return self.scale * (residual.square().sum(-1) + self.rho * self.rho)


def side_by_side(quadratics: list[Quadratic]) -> Quadratic:
    """The sum of losses that share no parameter, over their parameters one after another; they share one scale."""
    first = quadratics[0]
    return Quadratic(
        torch.block_diag(*[q.R_MP for q in quadratics]),  # type: ignore[no-untyped-call]
        torch.cat([q.z_M for q in quadratics]),
        float(torch.tensor([q.rho for q in quadratics], dtype=torch.float64).norm()),
        first.scale,
        first.rows,
    )
