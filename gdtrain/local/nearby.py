"""A loss near a point as least squares: what a Newton step, standard errors and a rank are made of.

Near theta, and up to a constant, the sum over rows of a loss is 1/2 ||R d + z||^2 for a step d, where R'R is its
curvature (Gauss and Newton's for squares, Fisher's information for likelihoods: what comes of the prediction's own
curvature is left out) and R'z its gradient. Rows are made a block at a time, and gathered by QR.

Shapes: P trained parameters, N rows, T targets, M <= P gathered rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gdtrain.linalg.compress import Compressor
from gdtrain.local.linearised import linearised, targets_of
from gdtrain.losses.curved import curved
from gdtrain.problem.problem import Problem
from gdtrain.problem.quadratic import Quadratic
from gdtrain.problem.tally import Tally


@dataclass(frozen=True, eq=False)
class Nearby:
    """The loss of one target near a point, over the parameters that it depends on.

    index    where these stand in theta
    squares  R, and of a squared loss the length of what no step can reach, rho
    z_M      residuals at the point in the directions that a step can reach
    tally    of the rows
    """

    index: list[int]
    squares: Quadratic
    z_M: Tensor
    tally: Tally

    @property
    def full(self) -> bool:
        """Whether every direction is determined."""
        return self.squares.spectrum.full

    @property
    def step(self) -> Tensor:
        """To the minimum (P,); of several to the nearest."""
        return self.squares.spectrum.solve(self.z_M)

    @property
    def length(self) -> float:
        """Of the residuals at the point, of a squared loss; at the minimum it is `squares.rho`."""
        return float(torch.cat([self.z_M, self.z_M.new_tensor([self.squares.rho])]).norm())

    def with_curvature(self, hessian_PP: Tensor) -> Nearby:
        """With the same gradient and another curvature; R is not finite where that is not positive definite."""
        upper_PP, wrong = torch.linalg.cholesky_ex(hessian_PP, upper=True)
        if int(wrong):
            return replace(self, squares=replace(self.squares, R_MP=torch.full_like(hessian_PP, torch.nan)))
        gradient_P1 = (self.z_M @ self.squares.R_MP)[:, None]
        z_M = torch.linalg.solve_triangular(upper_PP.mT, gradient_P1, upper=False)[:, 0]
        return replace(self, squares=replace(self.squares, R_MP=upper_PP, z_M=z_M), z_M=z_M)


def has_curvature(problem: Problem) -> bool:
    """Whether the loss can be brought to least squares: an expression cannot, nor one with kinks for a curvature."""
    return problem.loss is not None and (problem.loss.name == "softmax" or curved(problem.loss.name, {}) is not None)


def nearby(problem: Problem, theta_P: Tensor, options: Mapping[str, float]) -> list[Nearby]:
    """The loss of each target near theta (P,); of all together where they share parameters.

    options  of the loss, which has a curvature
    """
    if problem.squares is not None:
        return _of_gathered(problem, theta_P)
    index = targets_of(problem)
    tally = Tally()
    compressors = [Compressor(len(own) + 1) for own in index]
    rests = [torch.zeros(len(own), dtype=torch.float64) for own in index]
    for parts in linearised(problem, theta_P, options):
        tally.add(len(parts[0].score_NP), parts[0].weight_N)
        for t, part in enumerate(parts):
            compressors[t].add(torch.cat([part.A_NP.mT, part.c_N[None]]).mT.cpu())
            rests[t] += part.rest_P.cpu()
    return [
        _with_rest(Quadratic.of(c.result(), 0.5, tally.rows), own, rest, tally)
        for c, own, rest in zip(compressors, index, rests, strict=True)
    ]


def _of_gathered(problem: Problem, theta_P: Tensor) -> list[Nearby]:
    squares = problem.squares
    assert squares is not None and problem.quadratic is not None
    quadratics = squares.quadratics if squares.spreading is None else [problem.quadratic]
    index = targets_of(problem)
    theta_P = theta_P.double().cpu()
    return [Nearby(own, q, q.residual(theta_P[own]), squares.tally) for own, q in zip(index, quadratics, strict=True)]


def _with_rest(squares: Quadratic, index: list[int], rest_P: Tensor, tally: Tally) -> Nearby:
    """With the gradient of rows that have no curvature, as far as R reaches it."""
    z_M = squares.z_M
    if bool(rest_P.any()) and squares.finite:
        z_M = z_M + torch.linalg.lstsq(squares.R_MP.mT, rest_P[:, None]).solution[:, 0]
    return Nearby(index, squares, z_M, tally)
