"""What can be told of an experiment before it trains: its rows, its columns, its curvature at the start."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import BinaryIO

from gdtrain.data.groups import Groups
from gdtrain.data.opening import open_data, rows_to_predict
from gdtrain.data.rows import Data
from gdtrain.engines.states import gradient_norm
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.trials import Trials
from gdtrain.planning.automatic import decided
from gdtrain.planning.plan import make_plan
from gdtrain.problem.build import build_problem
from gdtrain.problem.problem import Problem
from gdtrain.trials.outcome import SHOWN_WEIGHTS
from gdtrain.verdicts.insight import cautions, curvature_of, loose, sentences, steepest

_FEW = 5  # labels that are told


def describe(experiment: Experiment, *, stdin: BinaryIO | None = None) -> list[str]:
    """Sentences about the data and the loss at the start. Reads the data; trains nothing.

    Raises UserError where data and experiment do not fit.
    """
    data = open_data(experiment, stdin=stdin)
    experiment = experiment.with_starts(data.names.parameters)
    if data.grouping is not None:
        return _of_groups(experiment, Groups(data))
    problem = build_problem(experiment, data)
    lines = [f"rows: {data.rows:,}"] if data.rows else []
    lines += _counts(problem)
    lines += [f"{name}: {column}" for name, column in _ranges(data).items()]
    warnings = data.warnings
    rows_to_predict(experiment, data, stdin)  # says what is wrong with it
    experiment = decided(experiment, problem)
    plan = make_plan(Trials(experiment), problem)
    loss, gradient = problem.objective.loss_and_gradient(plan.theta_SP)
    pull = "" if plan.penalty is None else f", penalty {float(plan.penalty.value(plan.theta_SP)[0]):.6g}"
    norm = float(gradient_norm(plan.theta_SP, gradient, penalty=plan.penalty)[0])
    lines.append(f"at the start: loss {float(loss[0]):.6g}{pull}, gradient norm {norm:.6g}")
    if not bool(loss.isfinite().all()):
        cause = problem.not_finite(problem.parameters.values(plan.theta_SP[0]))
        return [*lines, *(f"warning: {warning}" for warning in [*warnings, *([cause] if cause else [])])]
    largest = steepest(plan)
    curvature = curvature_of(plan, plan.theta_SP[0], largest[0] if largest else None)
    if curvature is not None:
        lines += sentences(curvature, problem.parameters.names, SHOWN_WEIGHTS, "start")
        warnings += cautions(experiment, plan, curvature)
    lines.append(f"engine {plan.engine.name} ({plan.engine.reason})" + ("" if plan.second else f", lr {plan.lr:.6g}"))
    if problem.quadratic is not None:
        warnings += loose(plan, plan.theta_SP[0])
    return [*lines, *(f"warning: {warning}" for warning in warnings)]


def _of_groups(experiment: Experiment, groups: Groups) -> list[str]:
    """How many groups of how many rows, and what the columns hold; each is posed, which says what is wrong with it."""
    data, sizes = groups.whole, groups.sizes
    for g in range(len(groups)):
        build_problem(experiment, groups.of(g))
    size = f"{min(sizes):,}" if min(sizes) == max(sizes) else f"{min(sizes):,} to {max(sizes):,}"
    lines = [f"rows: {data.rows:,}", f"groups by {groups.column}: {len(groups):,}, of {size} rows each"]
    lines += [f"{name}: {column}" for name, column in _ranges(data).items() if name != groups.column]
    return [*lines, *(f"warning: {warning}" for warning in data.warnings)]


def _counts(problem: Problem) -> list[str]:
    """How many rows train and how many are held out, of each fold where each is in turn."""
    posed = [pose() for pose in problem.folds] or [problem]
    return [
        (f"fold {k}: " if problem.folds else "") + f"{each.rows:,} rows train, {each.held.rows:,} held out"
        for k, each in enumerate(posed, start=1)
        if each.held is not None
    ]


def _ranges(data: Data) -> dict[str, str]:
    """Least, largest and mean value of each column, block by block."""
    least: dict[str, float] = {}
    largest: dict[str, float] = {}
    mean: dict[str, float] = {}
    rows = 0
    for block in data.blocks():
        rows += len(next(iter(block.values())))
        for name, column in block.items():
            least[name] = min(float(column.min()), least.get(name, math.inf))
            largest[name] = max(float(column.max()), largest.get(name, -math.inf))
            so_far = mean.get(name, 0.0)
            mean[name] = so_far + float((column / rows - so_far / rows).sum())  # a sum of 1e308 would overflow
    ranges = {n: f"{least[n]:.6g} to {largest[n]:.6g}, mean {mean[n]:.6g}" for n in least}
    return {n: f"{told}{_labels(data.labels.get(n, ()))}" for n, told in ranges.items()}


def _labels(texts: Sequence[str]) -> str:
    """What the first few numbers of a target stand for."""
    few = [f"; {i} is {text}" for i, text in enumerate(texts[:_FEW])]
    return "".join([*few, "; ..."] if len(texts) > _FEW else few)
