"""Many starts of one problem in one batch: which roots, which minima there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gdtrain.engines.loop import Watch
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.starts import many_starts
from gdtrain.results import SweepResult
from gdtrain.sweeping import Request, sweep
from gdtrain.tables import Tables


def train_starts(
    experiment: Experiment,
    count: int,
    request: Request | None = None,
    tables: Tables | None = None,
    *,
    watch: Watch | None = None,
    ready: Callable[[Sequence[str]], None] | None = None,
) -> SweepResult:
    """Train an experiment from `count` starts, its own and random ones: see `many_starts`. The rest as `sweep`."""
    tables = tables or Tables()
    names = tables.of(experiment).names.parameters
    spec = many_starts(experiment.with_starts(names), names, count)
    return replace(sweep(spec, request or Request(), tables, watch=watch, ready=ready), starts=count)
