"""Intervals from samples of the rows, drawn with replacement: how a fit varies where the data might have been others.

A sample says how often each row counts. Where residuals are affine in the parameters its least squares are solved; a
loss with a curvature is brought to its minimum by Newton's steps from the fit; one with kinks, and the lasso, are
descended again as the run was, samples side by side. Efron 1979; intervals are percentiles.

Weights that are counts are drawn from as the rows that they stand for; others stay with their rows.

Shapes: S samples, P trained parameters, V with the tied ones, in the units of the data, N rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gdtrain.draws import generator
from gdtrain.engines.states import End
from gdtrain.local.linearised import linearised, targets_of
from gdtrain.local.nearby import has_curvature
from gdtrain.planning.plan import Plan
from gdtrain.problem.objective import DataLoss
from gdtrain.problem.problem import Problem
from gdtrain.problem.quadratic import Quadratic
from gdtrain.results.uncertainty import Estimate
from gdtrain.uncertainty.fitted import Fitted
from gdtrain.verdicts.polish import polished

_NUMBERS = 1 << 22  # weights of samples that are descended side by side
_LEAST = 0.5  # share of samples that must have a fit


def samples_of(fitted: Fitted, count: int) -> Tensor:
    """The fits (S, V) of so many samples, trained parameters and then tied ones; those left out that have none."""
    plan = fitted.plan
    if plan.problem.quadratic is not None and plan.penalty is None and plan.bounds is None:
        theta_SP = _solved(fitted, count)
    elif has_curvature(plan.problem) and not plan.sparse:
        theta_SP = _stepped(fitted, count)
    else:
        theta_SP = _descended(fitted, count)
    shown = [*plan.problem.parameters.free, *fitted.tied]
    values_SV = plan.problem.parameters.values(theta_SP.to(fitted.theta_P))[:, shown].double()
    return values_SV[values_SV.isfinite().all(1)]


def estimates_of(values_SV: Tensor, names: Sequence[str], level: float) -> dict[str, Estimate]:
    """Standard deviations and percentiles of fits."""
    ends = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=torch.float64)
    low_V, high_V = torch.quantile(values_SV, ends, dim=0).tolist()
    error_V = values_SV.std(0).tolist()
    return {
        name: Estimate(error, None, None, (low, high))
        for name, error, low, high in zip(names, error_V, low_V, high_V, strict=True)
    }


def enough(values_SV: Tensor, count: int) -> bool:
    """Whether so many samples had a fit that these tell how it varies."""
    return len(values_SV) >= max(2, _LEAST * count)


def _weights(fitted: Fitted, weight_N: Tensor | None, rows: int, count: int) -> Iterator[Tensor]:
    """Each sample's weights (N,), drawn from the experiment's seed and the sample's number."""
    own = np.ones(rows) if weight_N is None else weight_N.double().cpu().numpy()
    size, share = (int(own.sum()), own / own.sum()) if fitted.counts else (rows, np.full(rows, 1 / rows))
    for s in range(count):
        often = generator(fitted.experiment.train.seed, s, "bootstrap").multinomial(size, share)
        yield torch.from_numpy(often if fitted.counts else often * own).to(torch.float64)


def _solved(fitted: Fitted, count: int) -> Tensor:
    """Least squares of each sample."""
    problem, theta_P = fitted.problem, fitted.theta_P.double().cpu()
    blocks = list(linearised(problem, fitted.theta_P, fitted.options, weighted=False))
    weights = [part[0].weight_N for part in blocks]
    weight_N = None if weights[0] is None else torch.cat([w for w in weights if w is not None])
    each = [
        torch.cat([torch.cat([block[t].A_NP, block[t].c_N[:, None]], 1) for block in blocks])
        for t in range(len(blocks[0]))
    ]
    found = []
    for sample_N in _weights(fitted, weight_N, len(each[0]), count):
        step_P = torch.zeros_like(theta_P)
        for rows_NW, index in zip(each, targets_of(problem), strict=True):
            there = sample_N > 0
            squares = Quadratic.of(rows_NW[there] * sample_N[there].sqrt()[:, None], 0.5, len(rows_NW))
            step_P[index] = squares.solution() if squares.spectrum.full else torch.nan
        found.append(theta_P + step_P)
    return torch.stack(found)


def _stepped(fitted: Fitted, count: int) -> Tensor:
    """Newton's steps from the fit to the minimum of each sample."""
    rows = _Rows(fitted.problem)
    found = []
    for sample_N in _weights(fitted, rows.weight_N, rows.count, count):
        plan = rows.weighed(fitted.plan, sample_N[None])
        loss_1, gradient_1P = plan.smooth.loss_and_gradient(fitted.theta_P[None])
        end = End(0, "epochs", float(loss_1[0]), fitted.theta_P, gradient_1P[0], 0.0, 0.0, 0.0, 0.0)
        found.append((polished(plan, end, fitted.options) or [end])[-1].theta_P)
    return torch.stack(found)


def _descended(fitted: Fitted, count: int) -> Tensor:
    """Each sample descended as the run was, a batch of them side by side."""
    rows = _Rows(fitted.problem)
    weights = list(_weights(fitted, rows.weight_N, rows.count, count))
    most, found = max(1, _NUMBERS // rows.count), []
    for first in range(0, count, most):
        some = torch.stack(weights[first : first + most])
        plan = rows.weighed(fitted.plan.take([0] * len(some)), some)
        found += [end.theta_P for end in plan.descend(range(0, plan.epochs + 1, max(1, plan.epochs))).ends]
    return torch.stack(found)


class _Rows:
    """The rows of a problem, to be weighed anew; `weight_N` are their own weights, `count` is N."""

    def __init__(self, problem: Problem) -> None:
        self._blocks = [block for loss in problem.losses() for block in loss.blocks()]
        self._sizes = [block.target.shape[1] for block in self._blocks]
        own = [block.weight[0].reshape(-1) for block in self._blocks if block.weight is not None]
        self.weight_N = torch.cat(own) if own else None
        self.count = sum(self._sizes)

    def weighed(self, plan: Plan, weight_SN: Tensor) -> Plan:
        """A plan whose trials weigh the rows as samples do."""
        loss = plan.problem.loss
        assert loss is not None
        parts = torch.split(weight_SN.to(self._blocks[0].target), self._sizes, 1)
        blocks = [
            replace(block, weight=part[..., None] if block.target.dim() == 3 else part)
            for block, part in zip(self._blocks, parts, strict=True)
        ]
        objective = DataLoss(lambda trials: blocks, loss)
        problem = replace(plan.problem, objective=objective, quadratic=None, squares=None, reread=None)
        return replace(plan, problem=problem, ridges=None)
