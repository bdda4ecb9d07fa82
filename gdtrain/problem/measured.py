"""What the metrics of a problem are made of: predictions of its rows, or sums of squares where rows were gathered.

Shapes: P trained parameters, N rows, T targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import torch
from torch import Tensor

from gdtrain.metrics import Metrics, explained, measure, over_targets
from gdtrain.problem.objective import DataLoss
from gdtrain.problem.problem import Problem


def metrics_at(problem: Problem, theta_P: Tensor) -> Metrics:
    """The metrics of the rows that a problem was trained on; {} where it predicts nothing, or theta is not finite.

    Rows that were gathered are not read again: their sums of squares tell r2 and rmse, and no mae.
    """
    if problem.loss is None or not problem.targets or not bool(theta_P.isfinite().all()):
        return {}
    if problem.squares is not None:
        return _of_squares(problem, theta_P)
    if not isinstance(problem.objective, DataLoss):
        return {}
    eta, target, weight_N = predicted(problem.objective, theta_P)
    counts = _counts(problem)

    def of_target(t: int, eta: Tensor, target: Tensor) -> Metrics:
        return measure(
            problem.loss.name if problem.loss else "",
            eta,
            target,
            weight_N,
            parameters=counts[t],
            centred=problem.centred,
            classes=problem.classes or problem.labels.get(problem.targets[t], ()),
        )

    if problem.classes or eta.dim() == 1:
        return of_target(0, eta, target)
    return over_targets({name: of_target(t, eta[:, t], target[:, t]) for t, name in enumerate(problem.targets)})


def predicted(objective: DataLoss, theta_P: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Prediction, offset and all, and target of every row, (N,), (N, T) or (N, K) of classes; its weight (N,), if any.

    Of weights that differ between trials those of the first.
    """
    blocks = objective.blocks()
    with torch.inference_mode():
        each = (block.predict(theta_P[None])[0][0] for block in blocks)
        eta = _end_to_end(each, sum(block.target.shape[1] for block in blocks))
    target = torch.cat([block.target[0] for block in blocks]) if objective.target is None else objective.target
    weights = [block.weight[0].reshape(-1) for block in blocks if block.weight is not None]
    return eta, target, torch.cat(weights) if weights else None


def _end_to_end(parts: Iterator[Tensor], rows: int) -> Tensor:
    """The parts of (N, ...) as one, of which none is held besides."""
    first = next(parts)
    whole, start = first.new_empty(rows, *first.shape[1:]), 0
    for part in chain((first,), parts):
        whole[start : start + len(part)] = part
        start += len(part)
    return whole


def separated(problem: Problem, theta_P: Tensor) -> bool:
    """Whether every row's own class is the likeliest, and the loss falls as the weights grow: then it has no minimum.

    A linear predictor that tells all rows apart does so better at twice its weights, and so on without end, whatever
    their offsets. Rows of weight 0 are not looked at.
    """
    loss, objective = problem.loss, problem.objective
    if loss is None or loss.name not in ("logistic", "softmax") or not isinstance(objective, DataLoss):
        return False
    for block in objective.blocks():
        eta, _ = block.predictor.forward(theta_P[None])
        if loss.name == "logistic":
            right = torch.where(block.target > 0, eta, -eta) > 0
        else:
            own = block.target.long()[..., None]
            others = eta.scatter(-1, own.expand(*eta.shape[:2], 1), -torch.inf)
            right = eta.gather(-1, own)[..., 0] > others.amax(-1)
        if not bool((right if block.weight is None else right | (block.weight == 0)).all()):
            return False
    _, gradient = objective.loss_and_gradient(theta_P[None])
    return float((gradient * theta_P).sum()) <= 0


def _of_squares(problem: Problem, theta_P: Tensor) -> Metrics:
    squares = problem.squares
    assert squares is not None
    residual_T = squares.residual(theta_P).tolist()
    each = {
        name: explained(
            residual_T[t],
            float(squares.about_T[t]),
            squares.size,
            rows=squares.rows,
            parameters=squares.quadratics[t].R_MP.shape[1],
            centred=problem.centred,
        )
        for t, name in enumerate(problem.targets)
    }
    return over_targets(each) if len(each) > 1 else each[problem.targets[0]]


def _counts(problem: Problem) -> Sequence[int]:
    """Trained parameters of each target: those that all share, then its own, one target after another."""
    parameters, shared = problem.parameters, problem.network.shared if problem.network else 0
    width = max(1, (len(parameters.names) - shared) // len(problem.targets))
    own = [(i - shared) // width for i in parameters.free if i >= shared]
    return [len(parameters.free) - len(own) + own.count(t) for t in range(len(problem.targets))]
