"""A search for a learning rate: a sweep over a log grid around the limit of stability."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import IO, Any

import numpy as np

from gdtrain.engines.loop import Watch
from gdtrain.engines.stability import lr_limit
from gdtrain.errors import UserError
from gdtrain.experiment.optimizers import LR
from gdtrain.experiment.overrides import AxisFlag, Override
from gdtrain.experiment.schema import STDIN, Experiment
from gdtrain.experiment.sweep import Sweep, load_sweep
from gdtrain.experiment.trials import Trials
from gdtrain.planning.plan import Plan, make_plan
from gdtrain.planning.recorded import FULL_HISTORY
from gdtrain.results import SweepResult, Trial
from gdtrain.results.ranking import REACH
from gdtrain.sweeps.sweeping import Request, sweep
from gdtrain.tables import Tables
from gdtrain.threads import threads
from gdtrain.verdicts.insight import steepest

_FLAG = "--lr-find"
_BELOW, _ABOVE, _STEPS = 1e-3, 10.0, 41  # the grid around a limit; a step is a quarter
_AROUND, _WIDE_STEPS = 1e3, 37  # and around an optimizer's own default, where there is no limit
NEAR = 1e-3  # of the way from the start to the best loss: near enough


def search(
    source: str | Mapping[str, Any],
    overrides: Sequence[Override],
    flags: Sequence[AxisFlag],
    tables: Tables,
    *,
    stdin: IO[str] | None = None,
) -> tuple[Sweep, float | None]:
    """The sweep over the grid, and the limit of stability where it is known; arguments as for `load_sweep`.

    Raises UserError where another key is swept, and where experiment and data do not fit.
    """
    text = stdin.read() if source == STDIN and stdin is not None else None

    def again() -> IO[str] | None:
        return stdin if text is None else io.StringIO(text)

    plain = [*overrides, *(flag.plain for flag in flags if flag.plain is not None)]
    some_lr = load_sweep(source, [*plain, Override("train.lr", 1.0, _FLAG)], stdin=again())
    swept = [flag.key for flag in flags if flag.plain is None or flag.key == "train.lr"] + some_lr.axes
    if swept:
        remedy = "leave it out" if swept[0] == "train.lr" else "give it one value"
        raise UserError(f"{swept[0]} is swept too", where=_FLAG, remedy=remedy)
    rates, limit = learning_rates(some_lr.experiment, tables)
    return load_sweep(source, plain, [AxisFlag.of_values("train.lr", rates, _FLAG)], stdin=again()), limit


def learning_rates(experiment: Experiment, tables: Tables) -> tuple[list[float], float | None]:
    """The grid, and the limit of stability where it is known: at the start, for a loss that is not quadratic.

    experiment  with some lr chosen: whether its columns are scaled depends on it

    Raises UserError where experiment and data do not fit.
    """
    data = tables.of(experiment)
    experiment = experiment.with_starts(data.names.parameters)
    problem = tables.problem(experiment, data)
    with threads(1):
        plan = make_plan(Trials(experiment), problem)
    limit = _limit(plan)
    if limit is not None:
        return np.geomspace(_BELOW * limit, _ABOVE * limit, _STEPS).tolist(), limit
    usual = LR.get(experiment.train.optimizer.name, 1e-2)
    return np.geomspace(usual / _AROUND, usual * _AROUND, _WIDE_STEPS).tolist(), None


def _limit(plan: Plan) -> float | None:
    if not plan.descends:
        return None
    limit = plan.lr_limit
    if limit is None and (largest := steepest(plan)) is not None:
        limit = lr_limit(plan.theta_SP.new_tensor(largest) + plan.sgd.weight_decay, plan.sgd)
    return limit if limit is not None and 0 < limit < math.inf else None


def find_lr(
    spec: Sweep,
    limit: float | None,
    request: Request,
    tables: Tables,
    *,
    watch: Watch | None = None,
    tell: Callable[[str], None] = lambda note: None,
    ready: Callable[[Sequence[str]], None] | None = None,
) -> SweepResult:
    """Train a sweep over learning rates, and tell where descent is fastest and where it breaks. The rest as `sweep`."""
    result = sweep(spec, replace(request, record=FULL_HISTORY), tables, watch=watch, tell=tell, ready=ready)
    trials = _reaches(result.trials)
    fastest = _fastest(trials)
    lost = [_lr(trial) for trial in trials if not trial.sound]
    breaks = min((lr for lr in lost if fastest is None or lr > _lr(fastest)), default=None)
    finder = {"fastest": None if fastest is None else _lr(fastest), "breaks": breaks, "limit": limit}
    rerun = "" if fastest is None else request.rerun(fastest.set)
    return replace(result, trials=trials, finder=finder, rank_by=REACH, rerun=rerun)


def _reaches(trials: Sequence[Trial]) -> list[Trial]:
    """The trials, each with how many epochs it took to come near the least of what all descended."""
    walks = {s: trial.descended() for s, trial in enumerate(trials) if trial.sound}
    best = min((walk[-1][1] for walk in walks.values()), default=math.nan)
    return [replace(trial, reach=_reach(walks[s], best)) if s in walks else trial for s, trial in enumerate(trials)]


def _reach(walk: Sequence[tuple[int, float]], best: float) -> int | None:
    """The first epoch from which it stays near the best."""
    near = best + NEAR * (walk[0][1] - best)
    reached = None
    for epoch, objective in reversed(walk):
        if not objective <= near:
            break
        reached = epoch
    return reached


def _fastest(trials: Sequence[Trial]) -> Trial | None:
    """The trial that came near first; of several the one that ended lowest."""
    near = [trial for trial in trials if trial.reach is not None]
    return min(near, key=lambda trial: (trial.reach, trial.descended()[-1][1]), default=None)


def _lr(trial: Trial) -> float:
    return float(trial.set["train.lr"])
