"""Singular values of a triangle R: how fast each direction is descended, which are not determined, and the optimum.

Two factorisations, since no single one answers both questions well:

- that of R itself gives the modes of gradient descent, which works in the units of the parameters;
- that of R with its columns brought to like lengths by powers of two, which rounds nothing, gives the rank and the
  optimum: there, a small singular value means that columns depend on one another, not that their units differ
  (van der Sluis 1969; Higham, Accuracy and Stability, 2nd ed., section 20.8).

Shapes: P parameters, M <= P rows of R, D directions that are not determined.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_ROUNDING = 64  # a singular value below so many times P roundings of the largest counts as zero


@dataclass(frozen=True, eq=False)
class Spectrum:
    """R = U diag(sigma) V', and what R determines.

    U_MM, V_PP  orthogonal; columns of V are the modes
    sigma_P     singular values from the largest down: exactly 0 from the rank on
    rank        of R with its columns at like lengths
    null_DP     orthonormal directions in which theta may move without moving any residual
    """

    R_MP: Tensor
    U_MM: Tensor
    sigma_P: Tensor
    V_PP: Tensor
    rank: int
    null_DP: Tensor

    @classmethod
    def of(cls, R_MP: Tensor) -> Spectrum:
        """Of finite R. Raises torch.linalg.LinAlgError where it is not."""
        like_MP, length_P = _like_lengths(R_MP)
        _, singular, directions_PP = torch.linalg.svd(like_MP)
        rank = _rank(singular, R_MP.shape[1])
        null_DP = torch.linalg.qr((directions_PP[rank:] / length_P).mT).Q.mT
        U_MM, sigma, Vt_PP = torch.linalg.svd(R_MP)
        sigma_P = torch.zeros_like(length_P)
        sigma_P[:rank] = sigma[:rank]
        return cls(R_MP, U_MM, sigma_P, Vt_PP.mT, rank, null_DP)

    @property
    def full(self) -> bool:
        """Whether every direction is determined."""
        return self.rank == len(self.sigma_P)

    @property
    def condition(self) -> float:
        """Largest over smallest eigenvalue of R'R among the directions that are determined; nan where none is."""
        if not self.rank:
            return float("nan")
        return float((self.sigma_P[0] / self.sigma_P[self.rank - 1]).square())

    def solve(self, z_M: Tensor, near_P: Tensor | None = None) -> Tensor:
        """The theta (P,) with the least ||R theta + z||; of several the one nearest to `near_P`, to 0 unless given."""
        like_MP, length_P = _like_lengths(self.R_MP)
        if self.full:
            solved: Tensor = -torch.linalg.solve_triangular(like_MP, z_M[:, None], upper=True)[:, 0] / length_P
            return solved
        U, singular, directions = torch.linalg.svd(like_MP)
        along = (U.mT @ z_M)[: self.rank] / singular[: self.rank]
        some = -(along @ directions[: self.rank]) / length_P
        from_near = some if near_P is None else some - near_P
        nearest: Tensor = some - (from_near @ self.null_DP.mT) @ self.null_DP
        return nearest


def _like_lengths(R_MP: Tensor) -> tuple[Tensor, Tensor]:
    """R with each column divided by the power of two of its largest entry, and those powers (P,)."""
    _, exponent = torch.frexp(R_MP.abs().amax(0))
    length_P = torch.ldexp(torch.ones_like(R_MP[0]), exponent - 1)
    length_P[R_MP.abs().amax(0) == 0] = 1.0
    return R_MP / length_P, length_P


def _rank(singular: Tensor, size: int) -> int:
    tolerance = _ROUNDING * size * torch.finfo(singular.dtype).eps
    return int((singular > tolerance * singular[0]).sum())
