"""The optimizer that `auto` stands for: decided once the problem is known.

sgd, whose every epoch can be looked at, where its closed form comes to the minimum within 1,000 epochs; the trust
region of `lm` for other sums of squares; `lbfgs` for the rest. Whatever belongs to gradient steps keeps sgd.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from gdtrain.engines.modes import Sgd
from gdtrain.engines.stability import best_lr, epochs_to_near
from gdtrain.experiment.objective import SQUARED
from gdtrain.experiment.optimizers import AUTO, SECOND, Optimizer
from gdtrain.experiment.schema import Experiment
from gdtrain.planning.choice import engine_obstacle
from gdtrain.problem.problem import Problem

_PATIENCE = 1000  # epochs of sgd that may be waited for
_SMALL = 1e-9  # share of its start that the gradient is to fall to
_MOST = 1000  # parameters up to which lm is quick


def decided(
    experiment: Experiment, problem: Problem, swept: Collection[str] = (), *, alike: bool = False
) -> Experiment:
    """The experiment with an optimizer in the place of `auto`, which was chosen for the user.

    swept  dotted keys that differ between the trials that it is the first of
    alike  it is to do for other rows too, so that what these are like decides nothing
    """
    if experiment.train.optimizer.name != AUTO:
        return experiment
    name = "sgd" if "penalty.l1" in swept else _suited(experiment, problem, alike=alike)
    train = experiment.train.model_copy(update={"optimizer": Optimizer(name=name)})
    copy = experiment.model_copy(update={"train": train})
    chosen = tuple(key for key in experiment.chosen if name not in SECOND or key != "train.lr")
    return copy.located(tree=experiment.tree, folder=experiment.folder, chosen=chosen)


def _suited(experiment: Experiment, problem: Problem, *, alike: bool) -> Literal["sgd", "lm", "lbfgs"]:
    train, penalty = experiment.train, experiment.penalty
    if train.lr != AUTO or train.batch_size or train.schedule or train.clip or (penalty and penalty.l1):
        return "sgd"
    if not alike and _comes_to_rest(experiment, problem):
        return "sgd"
    squared = problem.loss_name in SQUARED and len(problem.parameters.free) <= _MOST
    return "lm" if squared else "lbfgs"


def _comes_to_rest(experiment: Experiment, problem: Problem) -> bool:
    """Whether sgd has a closed form here that ends at the minimum."""
    as_sgd = experiment.model_copy(
        update={"train": experiment.train.model_copy(update={"optimizer": Optimizer(name="sgd")})}
    )
    if problem.quadratic is None or engine_obstacle(as_sgd, problem.obstacle):
        return False
    h_P = problem.quadratic.eigenvalues_P
    lr = best_lr(h_P, Sgd())
    return lr is not None and epochs_to_near(h_P, Sgd(), lr, _SMALL) <= _PATIENCE
