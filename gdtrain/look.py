"""What can be told of an experiment before it trains: its rows, its columns, its curvature at the start."""

from __future__ import annotations

from typing import BinaryIO

import torch

from gdtrain.experiment.schema import Experiment
from gdtrain.plan import safe_lr
from gdtrain.problem.build import build_problem
from gdtrain.problem.data import open_data


def describe(experiment: Experiment, *, stdin: BinaryIO | None = None) -> list[str]:
    """Sentences about the data and the loss at the start. Reads the data; trains nothing.

    Raises UserError where data and experiment do not fit.
    """
    data = open_data(experiment, stdin=stdin)
    problem = build_problem(experiment.with_starts(data.names.parameters), data)
    parameters = problem.parameters
    lines = [f"rows: {data.rows:,}"] if data.rows else []
    for name, column in data.columns.items():
        lines.append(f"{name}: {column.min():.6g} to {column.max():.6g}, mean {column.mean():.6g}")
    lines += [f"warning: {warning}" for warning in data.warnings]
    theta_1P = parameters.theta(parameters.start_SQ)
    with torch.inference_mode():
        loss, gradient = problem.objective.loss_and_gradient(theta_1P)
    lines.append(f"at the start: loss {float(loss[0]):.6g}, gradient norm {float(gradient[0].norm()):.6g}")
    lr = safe_lr(problem, theta_1P)
    if lr is not None:
        lines.append(f"largest curvature there: {1 / lr:.6g}; lr: auto would be {lr:.6g}")
    return lines
