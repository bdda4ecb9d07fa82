"""Affine problems made at random, and the rows [A c] of the reference ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gdtrain.engines.modes import Sgd
from gdtrain.formula import parse
from gdtrain.formula.evaluate import evaluate
from gdtrain.problem.quadratic import Quadratic

F64 = torch.float64
EPS = torch.finfo(F64).eps


def tensor(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=F64)


@dataclass(frozen=True, eq=False)
class Rows:
    """Residuals A theta + c of N rows, and the scale of their squares' sum."""

    A_NP: Tensor
    c_N: Tensor
    scale: float = 0.5

    @property
    def rows_NW(self) -> Tensor:
        return torch.cat([self.A_NP, self.c_N[:, None]], dim=1)

    @property
    def quadratic(self) -> Quadratic:
        return Quadratic.of(self.rows_NW, self.scale, len(self.c_N))

    def loss(self, theta: Tensor) -> Tensor:
        """By every row, for theta (..., P)."""
        residual = theta @ self.A_NP.mT + self.c_N
        loss: Tensor = self.scale * residual.square().sum(-1)
        return loss

    def rounding(self, theta: Tensor) -> Tensor:
        """How far rounding alone may move the length of the residuals at theta (..., P), in roundings of its terms."""
        terms = theta.abs() @ self.A_NP.abs().mT + self.c_N.abs()
        rounding: Tensor = 64 * EPS * terms.norm(dim=-1)
        return rounding

    def loss_tolerance(self, theta: Tensor) -> Tensor:
        """1e-9 of the loss, plus what moved residuals change it by: 2 |r| delta + delta^2, scaled."""
        loss, delta = self.loss(theta), self.rounding(theta)
        return 1e-9 * loss + 2 * (self.scale * loss).sqrt() * delta + self.scale * delta.square()


@dataclass(frozen=True, eq=False)
class Setting:
    """A random problem, a random sgd on it, a start and a number of epochs. `share`: lr as a share of its limit."""

    rows: Rows
    sgd: Sgd
    start_P: Tensor
    share: float
    epochs: int


def setting(seed: int) -> Setting:
    """Rows from fewer than parameters to many, with and without noise and dependent columns; every option of sgd."""
    draw = torch.Generator().manual_seed(seed)

    def one_of(*choices: float) -> float:
        return choices[int(torch.randint(len(choices), (), generator=draw))]

    count, size = int(one_of(1, 2, 5, 30, 200)), int(one_of(1, 2, 3, 6, 10))
    A_NP = torch.randn(count, size, generator=draw, dtype=F64)
    A_NP *= torch.exp2(torch.randint(-3, 4, (size,), generator=draw).double())
    if size > 1 and one_of(0, 0, 0, 1):
        A_NP[:, -1] = A_NP[:, 0]
    noise = one_of(0, 1e-3, 1) * torch.randn(count, generator=draw, dtype=F64)
    c_N = noise - A_NP @ torch.randn(size, generator=draw, dtype=F64)
    momentum = one_of(0, 0, 1e-9, 0.3, 0.9, 0.99)
    nesterov = momentum > 0 and bool(one_of(0, 0, 1))
    dampening = 0.0 if nesterov else one_of(0, 0, 0.5, 0.9, 1, -0.5)
    sgd = Sgd(momentum, dampening, nesterov, one_of(0, 0, 1e-3, 0.1, 1))
    start_P = one_of(0, 1, 1) * torch.randn(size, generator=draw, dtype=F64)
    share = one_of(1e-9, 1e-4, 0.01, 0.5, 0.9, 0.999)
    return Setting(Rows(A_NP, c_N, one_of(1 / count, 0.5, 1)), sgd, start_P, share, int(one_of(1, 2, 3, 10, 100, 500)))


@dataclass(frozen=True, eq=False)
class Certified:
    """A linear reference set: its rows, its certified parameters and residual sum of squares."""

    rows: Rows
    values_P: Tensor
    rss: float


def certified(cases: Path, name: str) -> Certified:
    """The set `name`: each of A's columns is the formula where one parameter is 1 and the others are 0."""
    found = json.loads((cases / "nist" / f"{name}.json").read_text())
    columns = {key: tensor(*(row[i] for row in found["data"])) for i, key in enumerate(found["columns"])}
    names, tree, y = list(found["certified"]), parse(found["formula"]), columns[found["response"]]
    units = [{name: float(name == one) for name in names} for one in names]
    A_NP = torch.stack([evaluate(tree, {**columns, **unit}).expand_as(y) for unit in units], dim=1)
    return Certified(Rows(A_NP, -y), tensor(*found["certified"].values()), found["certified_rss"])
