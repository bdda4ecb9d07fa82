"""What the metrics of a problem are made of: predictions of its rows, or sums of squares where rows were gathered.

Shapes: P trained parameters, N rows, T targets.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gdtrain.metrics import Metrics, explained, measure, over_targets
from gdtrain.problem.objective import DataLoss
from gdtrain.problem.parameters import Parameters
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
    eta, target = predicted(problem.objective, theta_P)
    counts = _counts(problem.parameters, len(problem.targets))
    if problem.classes or eta.dim() == 1:
        return measure(
            problem.loss.name,
            eta,
            target,
            parameters=counts[0],
            centred=problem.centred,
            classes=problem.classes,
        )
    return over_targets(
        {
            name: measure(problem.loss.name, eta[:, t], target[:, t], parameters=counts[t], centred=problem.centred)
            for t, name in enumerate(problem.targets)
        }
    )


def predicted(objective: DataLoss, theta_P: Tensor) -> tuple[Tensor, Tensor]:
    """Prediction and target of every row, (N,), (N, T) or (N, K) of classes."""
    parts = [(eta[0], block.target[0]) for eta, block in objective.predictions(theta_P[None])]
    eta, target = zip(*parts, strict=True)
    return torch.cat(eta), torch.cat(target)


def separated(problem: Problem, theta_P: Tensor) -> bool:
    """Whether every row's own class is the likeliest, and the loss falls as the weights grow: then it has no minimum.

    A linear predictor that tells all rows apart does so better at twice its weights, and so on without end.
    """
    loss, objective = problem.loss, problem.objective
    if loss is None or loss.name not in ("logistic", "softmax") or not isinstance(objective, DataLoss):
        return False
    for eta, block in objective.predictions(theta_P[None]):
        if loss.name == "logistic":
            right = torch.where(block.target > 0, eta, -eta) > 0
        else:
            own = block.target.long()[..., None]
            others = eta.scatter(-1, own.expand(*eta.shape[:2], 1), -torch.inf)
            right = eta.gather(-1, own)[..., 0] > others.amax(-1)
        if not bool(right.all()):
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
            problem.rows,
            rows=problem.rows,
            parameters=squares.quadratics[t].R_MP.shape[1],
            centred=problem.centred,
        )
        for t, name in enumerate(problem.targets)
    }
    return over_targets(each) if len(each) > 1 else each[problem.targets[0]]


def _counts(parameters: Parameters, targets: int) -> Sequence[int]:
    """Trained parameters of each target, whose parameters stand one target after another."""
    width = len(parameters.names) // targets
    return [sum(i // width == t for i in parameters.free) for t in range(targets)]
