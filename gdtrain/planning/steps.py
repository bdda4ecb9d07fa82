"""What a step is made of, as an experiment asks for it: the optimizer with its clipping, the schedule, the rows.

Shapes: S trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gdtrain.engines.minibatches import Minibatches
from gdtrain.experiment.schema import Train
from gdtrain.experiment.trials import Trials
from gdtrain.optimizers import Optimizer
from gdtrain.optimizers import build as build_optimizer
from gdtrain.optimizers.clipping import CLIPS, clipped
from gdtrain.optimizers.penalised import build_penalised
from gdtrain.problem.penalty import Penalty
from gdtrain.schedules import Schedule
from gdtrain.schedules import build as build_schedule


def optimizer_of(settings: Train, options: Mapping[str, Any], penalty: Penalty | None, *, like: Tensor) -> Optimizer:
    """The optimizer with its options, numbers that differ between trials as (S, 1), on loss + penalty; what is clipped
    is the gradient of both, but for l1.
    """
    name, clip = settings.optimizer.name, None
    if settings.clip is not None:
        rule, most = settings.clip.rule
        clip = CLIPS[rule](most)
    if penalty is not None:
        return build_penalised(name, options, like, penalty.l1(like), penalty.l2(like), clip)
    optimizer = build_optimizer(name, options, like=like)
    return optimizer if clip is None else clipped(optimizer, clip)


def schedule_of(settings: Train) -> Schedule | None:
    """From the plan's lr on: where `max_lr` was given, that is it."""
    if settings.schedule is None:
        return None
    options = {key: value for key, value in settings.schedule.options.items() if key != "max_lr"}
    return build_schedule(settings.schedule.name, options)


def minibatches(trials: Trials, rows: int, device: torch.device) -> Minibatches | None:
    """In orders keyed by each trial's seed. A batch of all rows is none."""
    settings = trials.experiment.train
    if settings.batch_size is None or settings.batch_size >= rows:
        return None
    seeds = trials.of("train.seed") or [settings.seed] * trials.count
    seeds_S = [int(seed) for seed in seeds] if settings.shuffle else None
    return Minibatches(rows, settings.batch_size, seeds_S, device)
