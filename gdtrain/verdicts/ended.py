"""A trial that has ended, as verdicts look at it.

Shapes: P trained parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from gdtrain.engines.states import End, Stops
from gdtrain.planning.plan import Plan
from gdtrain.problem.problem import Problem
from gdtrain.second.rest import at_rest
from gdtrain.second.walk import task_of

GRAD_TOL = 1e-8  # converged: gradient norm at most this, times the norm at the start where that is above 1
_FEW = 4

Detail = Callable[[], str]  # a sentence, made when it is asked for: what would help may take some trying


@dataclass(frozen=True)
class Trial:
    """What is judged: a trial of a plan, and its end.

    epochs  what was to be its last
    remedy  gives a learning rate that would not diverge, None where none was found
    """

    batch: Plan
    s: int
    end: End
    epochs: int
    remedy: Callable[[], float | None]

    @cached_property
    def plan(self) -> Plan:
        """Of this trial alone."""
        return self.batch.trial(self.s, self.epochs)

    @property
    def problem(self) -> Problem:
        return self.batch.problem

    @property
    def stops(self) -> Stops:
        return self.batch.stops

    @property
    def loss(self) -> float:
        return self.end.loss

    @property
    def objective(self) -> float:
        """What is descended: the loss, and the penalty where there is one."""
        return self.end.objective

    @property
    def what(self) -> str:
        """What that is called."""
        return "loss" if self.batch.penalty is None else "objective"

    @property
    def norm(self) -> float:
        return self.end.norm

    @property
    def lr(self) -> float:
        """The learning rate that is to blame: the last, which halving may have found; a schedule's base."""
        return self.end.lr if self.batch.schedule is None else self.plan.lr

    @property
    def tolerance(self) -> float:
        return (self.stops.grad_tol or GRAD_TOL) * max(1.0, self.end.first_norm)

    @property
    def loss_reached(self) -> bool:
        return self.stops.loss_tol is not None and self.loss <= self.stops.loss_tol

    @property
    def second(self) -> bool:
        """Whether the rule of second-order optimizers judges it: no `stop.grad_tol` was chosen in its place."""
        return self.batch.second is not None and self.stops.grad_tol is None

    @cached_property
    def rests(self) -> bool:
        """Whether a second-order optimizer ended where no step leads lower."""
        plan, end = self.plan, self.end
        assert plan.second is not None
        task = task_of(plan.problem.objective, plan.penalty, end.theta_P, plan.bounds, plan.second.of(0))
        return at_rest(plan.second.name, task, end.theta_P, first=end.first_objective, scale=plan.problem.loss_scale)

    @property
    def sides(self) -> list[tuple[float, ...]]:
        """Left and right side of every equation at the end."""
        return self.problem.side_values(self.problem.parameters.values(self.end.theta_P))

    @property
    def where(self) -> str:
        """The first few parameters at the end."""
        return self.at(self.end.theta_P)

    def at(self, theta_P: Tensor) -> str:
        """The first few parameters at theta."""
        values_Q = self.problem.parameters.values(theta_P)
        shown = [f"{n} = {v:.6g}" for n, v in zip(self.problem.parameters.names[:_FEW], values_Q, strict=False)]
        return ", ".join(shown)
