"""Learning rates that would not diverge, for trials that did.

Shapes: S trials, P trained parameters.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import torch

from gdtrain.engines.loop import Descent
from gdtrain.planning.plan import Plan
from gdtrain.planning.rates import best_rates, safe_lr, two_digits

_TRIES = 12  # learning rates that are tried for each
_EPOCHS = 2000
_WORK = 1e9  # rows times parameters times epochs that trying may cost


def surviving_lr(plan: Plan, diverged_S: Sequence[float]) -> list[float | None]:
    """For each trial of a plan a learning rate below the one that diverged; None where none was found.

    In closed form the best. Else tried within the epochs: 1/h first, h being the curvature at the start; then for
    those that diverged again a quarter of it, and so on to the twelfth. A trial is told what it is told alone.
    """
    if plan.engine.name == "exact" and plan.problem.quadratic is not None:
        best = best_rates(plan.problem.quadratic, len(plan.theta_SP), plan.sgd, plan.penalty, plan.ridges)
        found = zip(best, diverged_S, strict=True)
        return [None if lr is None or lr >= above else two_digits(lr) for lr, above in found]
    safe = safe_lr(plan.problem, plan.theta_SP, plan.sgd, plan.penalty, plan.ridges)
    firsts = [min(above / 2, lr or above / 2) for above, lr in zip(diverged_S, safe, strict=True)]
    found_S: list[float | None] = [None] * len(firsts)
    for i in range(_TRIES):
        tried = [(s, two_digits(lr / 4**i)) for s, lr in enumerate(firsts) if found_S[s] is None and _counts(lr / 4**i)]
        for (s, lr), end in zip(tried, _attempt(plan, tried).ends if tried else (), strict=True):
            if end.reason != "nonfinite" and end.objective <= end.first_objective:
                found_S[s] = lr
    return found_S


def _counts(lr: float) -> bool:
    return lr > sys.float_info.min


def _attempt(plan: Plan, tried: Sequence[tuple[int, float]]) -> Descent:
    """The trials (number, lr) side by side."""
    work = max(1, plan.problem.rows) * _TRIES * max(1, plan.theta_SP.shape[1])
    epochs = max(1, min(plan.epochs, _EPOCHS, int(_WORK / work)))
    rows = [s for s, _ in tried]
    plan = plan.take(rows)
    return replace(
        plan,
        lr_S=plan.theta_SP.new_tensor([lr for _, lr in tried]),
        halving_S=torch.zeros_like(plan.halving_S),
        reads=(epochs,),
    ).descend(())
