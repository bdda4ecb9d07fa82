"""Sums of squares of many groups, each over parameters of its own: ||R theta + z||^2 + rho^2.

Shapes: G groups, P parameters, W = P + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

_FAR = 1e-7  # singular values, of columns of length 1, from which these are far from dependent
_NONE = 0.25 * torch.finfo(torch.float64).eps  # up to which they are dependent for sure


@dataclass(frozen=True, eq=False)
class Squares:
    """R_GPP upper triangular, z_GP and rho_G."""

    R_GPP: Tensor
    z_GP: Tensor
    rho_G: Tensor

    @classmethod
    def of(cls, upper_GWW: Tensor) -> Squares:
        """From the triangles of rows [A c]."""
        return cls(upper_GWW[:, :-1, :-1], upper_GWW[:, :-1, -1], upper_GWW[:, -1, -1].abs())

    def take(self, some: slice) -> Squares:
        """Those of some groups."""
        return Squares(self.R_GPP[some], self.z_GP[some], self.rho_G[some])

    def residual(self, theta_GP: Tensor) -> Tensor:
        """R theta + z (G, P)."""
        return (self.R_GPP @ theta_GP[..., None])[..., 0] + self.z_GP

    def sum(self, theta_GP: Tensor) -> Tensor:
        """(G,)"""
        return self.residual(theta_GP).square().sum(1) + self.rho_G.square()

    @cached_property
    def length_GP(self) -> Tensor:
        """Of the columns."""
        length_GP: Tensor = torch.linalg.vector_norm(self.R_GPP, dim=1)
        return length_GP

    def terms(self, theta_GP: Tensor) -> Tensor:
        """What rounding of the residuals' length at theta is measured by (G,)."""
        return (self.length_GP * theta_GP.abs()).sum(1) + self.sum(torch.zeros_like(theta_GP)).sqrt()

    @cached_property
    def finite_G(self) -> Tensor:
        return self.R_GPP.isfinite().all(2).all(1) & self.z_GP.isfinite().all(1) & self.length_GP.isfinite().all(1)

    @cached_property
    def _parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Singular values and vectors of the columns at length 1; of the identity where there are none."""
        unit_GPP = self.R_GPP / torch.where(self.length_GP > 0, self.length_GP, 1.0)[:, None, :]
        identity = torch.eye(self.R_GPP.shape[1], dtype=torch.float64)
        U_GPP, sigma_GP, Vh_GPP = torch.linalg.svd(torch.where(self.finite_G[:, None, None], unit_GPP, identity))
        return U_GPP, sigma_GP, Vh_GPP

    @property
    def least_G(self) -> Tensor:
        """The least singular value of the columns at length 1, over the largest; 0 where a column has none."""
        sigma_GP = self._parts[1]
        return torch.where(sigma_GP[:, 0] > 0, sigma_GP[:, -1] / sigma_GP[:, 0], 0.0)

    @cached_property
    def _felt_GP(self) -> Tensor:
        """Which singular values are far from 0."""
        sigma_GP = self._parts[1]
        return sigma_GP > _FAR * sigma_GP[:, :1]

    @property
    def full_G(self) -> Tensor:
        """Whether every direction is determined."""
        return self._felt_GP.all(1)

    @property
    def clear_G(self) -> Tensor:
        """Whether each direction is either determined or not, beyond doubt."""
        sigma_GP = self._parts[1]
        return self.finite_G & (self._felt_GP | (sigma_GP <= _NONE * sigma_GP[:, :1])).all(1)

    @cached_property
    def inverse_GPP(self) -> Tensor:
        """R^-1; where a direction is not determined, of the shortest steps in units of the columns' lengths."""
        U_GPP, sigma_GP, Vh_GPP = self._parts
        felt_GP = self._felt_GP
        inverse_GP = torch.where(felt_GP, 1 / torch.where(felt_GP, sigma_GP, 1.0), 0.0)
        inverse_GPP: Tensor = (Vh_GPP.mT * inverse_GP[:, None, :]) @ U_GPP.mT
        return inverse_GPP / torch.where(self.length_GP > 0, self.length_GP, 1.0)[..., None]

    def nearest(self, theta_GP: Tensor) -> Tensor:
        """The minima; of several the nearest to theta."""
        for _ in range(2):  # the second takes what rounding left of the first
            theta_GP = theta_GP - (self.inverse_GPP @ self.residual(theta_GP)[..., None])[..., 0]
        return theta_GP
