"""Many starts of one problem: where each trial begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gdtrain.draws import generator
from gdtrain.experiment.parameters import Param, Start
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.sweep import Group, Sweep
from gdtrain.experiment.trials import Trials

_NEAR, _FAR = 1e-2, 10.0  # how far from its own start a parameter is drawn that says nothing of where it may lie


def many_starts(experiment: Experiment, names: Sequence[str], count: int) -> Sweep:
    """`count` starts of the parameters `names`, as one batch: the experiment's own, then random ones.

    Hidden layers start where each of so many seeds, from the experiment's own on, draws them.

    A start that is declared as a draw is drawn from that; between two bounds, evenly; else on either side of the
    experiment's own, as far as 0.01 to 10 (and so many times its size) with every order of magnitude as likely. Draws
    are keyed by (seed, number of the start, name).
    """
    if experiment.model is not None:
        return _seeded(experiment, count)
    free = [name for name in names if not experiment.param(name).fixed]
    drawn = [name for name in free if f"params.{name}.start" not in experiment.chosen]
    seed = experiment.train.seed
    columns = {
        name: [
            _start(experiment.param(name), generator(seed, i, f"start {name}"), own=i == 0, declared=name in drawn)
            for i in range(count)
        ]
        for name in free
    }
    base = _beginning(experiment, {name: values[0] for name, values in columns.items()})
    numbers = {f"params.{name}.start.value": values for name, values in columns.items()}
    points = list(zip(*columns.values(), strict=True)) if columns else [()] * count
    group = Group(Trials(base, numbers, count), list(range(count)))
    return Sweep(base, experiment, [f"params.{name}.start" for name in free], points, [group])


def _seeded(experiment: Experiment, count: int) -> Sweep:
    seeds = [experiment.train.seed + i for i in range(count)]
    trials = Trials(experiment, {"train.seed": seeds}, count)
    points = [(seed,) for seed in seeds]
    return Sweep(experiment, experiment, ["train.seed"], points, [Group(trials, list(range(count)))])


def _beginning(experiment: Experiment, values: dict[str, float]) -> Experiment:
    """The experiment with starts at these values, which it no longer chooses."""
    params = {
        name: param.model_copy(update={"start": Start(value=values[name])}) if name in values else param
        for name, param in experiment.params.items()
    }
    chosen = tuple(key for key in experiment.chosen if not (key.startswith("params.") and key.endswith(".start")))
    copy = experiment.model_copy(update={"params": params})
    return copy.located(tree=experiment.tree, folder=experiment.folder, chosen=chosen)


def _start(param: Param, draw: np.random.Generator, *, own: bool, declared: bool) -> float:
    start = param.start
    assert start is not None
    if start.value is None and (own or declared):
        low, high = start.uniform or start.normal or (0.0, 1.0)
        value = draw.uniform(low, high) if start.uniform else draw.normal(low, high)
    elif own:
        value = start.value or 0.0
    elif param.min is not None and param.max is not None:
        value = draw.uniform(param.min, param.max)
    else:
        value = _around(start.value or 0.0, param, draw)
    least = -np.inf if param.min is None else param.min
    most = np.inf if param.max is None else param.max
    return float(min(max(value, least), most))


def _around(centre: float, param: Param, draw: np.random.Generator) -> float:
    """A point on either side of `centre`, on one side alone where the other is out of bounds."""
    far = float(np.exp(draw.uniform(np.log(_NEAR), np.log(_FAR)))) * max(1.0, abs(centre))
    side = 1.0 if draw.random() < 0.5 else -1.0
    if param.min is not None:
        side, centre = 1.0, param.min
    elif param.max is not None:
        side, centre = -1.0, param.max
    return centre + side * far
