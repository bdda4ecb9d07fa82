"""Schedules: the learning rate of each epoch, from the one that the run was given.

Names, keyword names, defaults and rules are those of `torch.optim.lr_scheduler`, stepped once an epoch, and so is every
learning rate, to rounding:

    name             torch                          lr of step t + 1, t = 0, 1, ..., with the run's lr as base
    step             StepLR                         base * gamma^(t // step_size)
    multistep        MultiStepLR                    base * gamma^(milestones that are at most t)
    exponential      ExponentialLR                  base * gamma^t
    cosine           CosineAnnealingLR              eta_min + (base - eta_min) * (1 + cos(pi t / T_max)) / 2
    cosine_restarts  CosineAnnealingWarmRestarts    the same with t and T_max counted from the last restart
    onecycle         OneCycleLR                     up from base / div_factor to base, then down
    linear           LinearLR                       base * factor, which goes from start_factor to end_factor
    plateau          ReduceLROnPlateau              times factor where the loss has not fallen for some epochs

A schedule is three pure functions for any number of trials at once. Its state is a flat dict of tensors (S, 1), with
the same keys all along: that is the checkpoint. All but `plateau` are closed forms of the epoch. What values an option
may have has been checked with the experiment.

Shapes: S trials. Learning rates are (S, 1).
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

State = dict[str, Tensor]


class Schedule(NamedTuple):
    """A rule for learning rates: three pure functions.

    init    base learning rates (S, 1) -> state
    lr      (state, t) -> learning rates (S, 1) of step t + 1, after t epochs
    update  (state, loss (S,) after the step) -> next state
    """

    init: Callable[[Tensor], State]
    lr: Callable[[State, int], Tensor]
    update: Callable[[State, Tensor], State]


def build(name: str, options: Mapping[str, Any]) -> Schedule:
    """The schedule `name` with the keyword `options` of torch's scheduler; those left out have torch's defaults.

    Raises KeyError for an unknown name, TypeError for an unknown or a missing option; the experiment has refused both.
    """
    return SCHEDULES[name](**options)


def step(*, step_size: int, gamma: float = 0.1) -> Schedule:
    """Times gamma every step_size epochs."""
    return _scaled(lambda t: gamma ** (t // step_size))


def multistep(*, milestones: Sequence[int], gamma: float = 0.1) -> Schedule:
    """Times gamma after so many epochs; a milestone that stands twice counts twice."""
    ordered = sorted(milestones)
    return _scaled(lambda t: gamma ** bisect.bisect_right(ordered, t))


def exponential(*, gamma: float) -> Schedule:
    """Times gamma every epoch."""
    return _scaled(lambda t: gamma**t)


def linear(*, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5) -> Schedule:
    """A factor that moves from start_factor to end_factor over total_iters epochs, and stays there: a warm-up."""
    return _scaled(lambda t: start_factor + (end_factor - start_factor) * min(total_iters, t) / total_iters)


def cosine(*, T_max: int, eta_min: float = 0.0) -> Schedule:
    """Down to eta_min after T_max epochs along half a cosine; up again over the next T_max.

    Loshchilov and Hutter 2017, without restarts.
    """
    return _between(eta_min, lambda t: (1 + math.cos(math.pi * t / T_max)) / 2)


def cosine_restarts(*, T_0: int, T_mult: int = 1, eta_min: float = 0.0) -> Schedule:
    """Down to eta_min along half a cosine over T_0 epochs, then anew from the base over T_0 * T_mult, and so on.

    Loshchilov and Hutter 2017.
    """

    def share(t: int) -> float:
        length = T_0
        if T_mult == 1:
            t %= length
        while t >= length:
            t, length = t - length, length * T_mult
        return (1 + math.cos(math.pi * t / length)) / 2

    return _between(eta_min, share)


def onecycle(
    *,
    total_steps: int,
    max_lr: float | None = None,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
) -> Schedule:
    """Up from max_lr / div_factor to max_lr over the share pct_start of total_steps epochs, then down to
    max_lr / div_factor / final_div_factor; with three phases first back to max_lr / div_factor, as long as it went up.

    max_lr  the base learning rate unless given, which it replaces

    After total_steps it stays at its last value. Momentum is not cycled: torch's cycle_momentum is False here.
    Smith and Topin 2019.
    """
    low, last = 1 / div_factor, 1 / (div_factor * final_div_factor)
    up = pct_start * total_steps - 1
    middle = [(2 * pct_start * total_steps - 2, 1.0, low)] if three_phase else []
    phases = [(up, low, 1.0), *middle, (total_steps - 1, low if three_phase else 1.0, last)]

    def factor(t: int) -> float:
        t, begin = min(t, total_steps - 1), 0.0
        for end, first, then in phases[:-1]:
            if t <= end:
                return _annealed(first, then, begin, end, t, anneal_strategy)
            begin = end
        end, first, then = phases[-1]
        return _annealed(first, then, begin, end, t, anneal_strategy)

    cycle = _scaled(factor)
    return cycle if max_lr is None else cycle._replace(init=lambda lr: {"base_lr": torch.full_like(lr, max_lr)})


def plateau(
    *,
    mode: str = "min",
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    threshold_mode: str = "rel",
    cooldown: int = 0,
    min_lr: float = 0.0,
    eps: float = 1e-8,
) -> Schedule:
    """Times factor, down to min_lr, after more than `patience` epochs in a row without a better loss.

    Better is below best * (1 - threshold), or with threshold_mode abs best - threshold; mode max turns that round.
    No epoch counts within `cooldown` epochs of a change, and a change of eps or less is not made. The loss at the start
    does not count: torch's scheduler is first told of one after a step.
    """
    sign = 1.0 if mode == "min" else -1.0
    share, margin = (threshold, 0.0) if threshold_mode == "rel" else (0.0, threshold)

    def init(lr: Tensor) -> State:
        none = torch.zeros_like(lr)
        best = torch.full_like(lr, sign * math.inf)
        return {"lr": lr, "best": best, "num_bad_epochs": none, "cooldown_counter": none}

    def update(state: State, loss_S: Tensor) -> State:
        loss, lr, best = loss_S[:, None], state["lr"], state["best"]
        is_better = sign * loss < sign * (best * (1 - sign * share) - sign * margin)
        resting = state["cooldown_counter"] > 0
        bad = torch.where(is_better | resting, 0.0, state["num_bad_epochs"] + 1)
        is_due = bad > patience
        lower = (lr * factor).clamp(min=min_lr)
        return {
            "lr": torch.where(is_due & (lr - lower > eps), lower, lr),
            "best": torch.where(is_better, loss, best),
            "num_bad_epochs": torch.where(is_due, 0.0, bad),
            "cooldown_counter": torch.where(is_due, float(cooldown), (state["cooldown_counter"] - 1).clamp(min=0)),
        }

    return Schedule(init, lambda state, t: state["lr"], update)


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "step": step,
    "multistep": multistep,
    "exponential": exponential,
    "cosine": cosine,
    "cosine_restarts": cosine_restarts,
    "onecycle": onecycle,
    "linear": linear,
    "plateau": plateau,
}


def _scaled(factor: Callable[[int], float]) -> Schedule:
    """base * factor(t)."""
    return Schedule(_base, lambda state, t: state["base_lr"] * factor(t), _unmoved)


def _between(low: float, share: Callable[[int], float]) -> Schedule:
    """low + (base - low) * share(t)."""
    return Schedule(_base, lambda state, t: (state["base_lr"] - low) * share(t) + low, _unmoved)


def _base(lr: Tensor) -> State:
    return {"base_lr": lr}


def _unmoved(state: State, loss_S: Tensor) -> State:
    return state


def _annealed(first: float, then: float, begin: float, end: float, t: int, strategy: str) -> float:
    """From `first` at `begin` to `then` at `end`, along a line or half a cosine; a phase without length is over."""
    done = (t - begin) / (end - begin) if end != begin else 1.0
    if strategy == "linear":
        return (then - first) * done + first
    return then + (first - then) / 2 * (math.cos(math.pi * done) + 1)
