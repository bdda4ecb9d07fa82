"""Plans over rows of their own, walked as one where that is cheaper: each epoch of a small problem costs its calls.

Shapes: S trials of a plan, L plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gdtrain.engines.ends import Watched
from gdtrain.engines.loop import Descent
from gdtrain.engines.states import Chunk
from gdtrain.planning.plan import Plan
from gdtrain.problem.stacked import Stacked

_AT_ONCE = 1 << 15  # numbers of a column, for all trials, up to which calls cost more than what they do
_COLUMNS = 1 << 20  # numbers of all columns, which each trial has of its own: more fall out of the cache
_HISTORIES = 1 << 21  # numbers of what is recorded of all trials


def joins(plan: Plan, plans: int) -> bool:
    """Whether so many plans, of which this one has the most rows, are better walked as one."""
    rows, numbers = plan.problem.rows, plans * plan.theta_SP.numel()
    small = plans * len(plan.theta_SP) * rows <= _AT_ONCE and numbers * rows <= _COLUMNS
    fits = numbers * len(plan.recorded) <= _HISTORIES
    return small and fits and plan.engine.name == "loop" and plan.batches is None and plan.second is None


def join(plans: Sequence[Plan]) -> Plan | None:
    """One plan for the trials of all, plan after plan; None where these cannot be walked side by side.

    The plans are of one experiment, and of the same trials of it.
    """
    first, trials = plans[0], len(plans[0].theta_SP)
    if not all(plan.engine.name == "loop" and _same_bounds(plan, first) for plan in plans):
        return None
    stacked = Stacked.of([plan.problem.objective for plan in plans])
    if stacked is None:
        return None
    whose = torch.arange(len(plans), device=first.theta_SP.device).repeat_interleave(trials)
    return replace(
        first.take(list(range(trials)) * len(plans)),
        problem=replace(first.problem, objective=stacked.take(whose)),
        theta_SP=torch.cat([plan.theta_SP for plan in plans]),
        lr_S=torch.cat([plan.lr_S for plan in plans]),
        halving_S=torch.cat([plan.halving_S for plan in plans]),
        watched=_watched(plans, trials),
    )


def cut(descent: Descent, plans: int) -> Iterator[Descent]:
    """The descent of each of the plans that were joined."""
    trials = len(descent.ends) // plans
    for part in (range(start, start + trials) for start in range(0, plans * trials, trials)):
        reads = {epoch: ends[part.start : part.stop] for epoch, ends in descent.reads.items()}
        yield Descent(descent.recorded.take(part), reads)


def _same_bounds(plan: Plan, other: Plan) -> bool:
    """Scaled bounds follow from the rows."""
    if plan.bounds is None or other.bounds is None:
        return plan.bounds is other.bounds
    return all(torch.equal(mine, its) for mine, its in zip(plan.bounds, other.bounds, strict=True))


def _watched(plans: Sequence[Plan], trials: int) -> Watched | None:
    """What each plan watches, of its own trials."""
    if all(plan.watched is None for plan in plans):
        return None

    def watched(chunk: Chunk, rows: Sequence[int]) -> Tensor:
        found = []
        for i, plan in enumerate(plans):
            if mine := [j for j, row in enumerate(rows) if row // trials == i]:
                part = chunk.take(mine)
                found.append(part.loss_CS if plan.watched is None else plan.watched(part, range(len(mine))))
        return torch.cat(found, 1)

    return watched
