"""A whole run, top to bottom: read the data, build the problem, choose, descend, judge, tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import BinaryIO

import torch

from gdtrain.data.opening import open_data, rows_to_predict
from gdtrain.engines.loop import Watch
from gdtrain.engines.progress import Progress
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.trials import Trials
from gdtrain.planning.automatic import decided
from gdtrain.planning.plan import make_plan
from gdtrain.problem.build import build_problem
from gdtrain.problem.own import adopt, store
from gdtrain.problem.problem import Problem
from gdtrain.results import Result
from gdtrain.threads import threads
from gdtrain.trials.crossed import trained
from gdtrain.trials.outcome import Outcome

_TINY = 100_000  # numbers in the data up to which waking a second thread costs more than it saves


def train(
    experiment: Experiment,
    *,
    frame: object | None = None,
    stdin: BinaryIO | None = None,
    every: int | None = None,
    gradients: bool = False,
    watch: Watch | None = None,
    ready: Callable[[Sequence[str]], None] | None = None,
    module: object | None = None,
    progress: Progress | None = None,
) -> Result:
    """Train one experiment.

    frame      a data frame or a dict of arrays in place of the experiment's data
    stdin      where data at path `-` comes from
    every      show each so many epochs, in place of all or about twenty
    gradients  keep gradients in the history too
    watch      asked now and then with (epoch, loss) whether to go on
    ready      told the parameters' names before the first epoch; may raise
    module     a torch.nn.Module that predicts in place of `regress`; it is trained in place
    progress   where its walks are taken up, and told where they stand

    Raises UserError where experiment and data do not fit; a trial that goes wrong is a verdict.
    """
    began = time.perf_counter()
    data = open_data(experiment, frame=frame, stdin=stdin)
    experiment = (experiment if module is None else adopt(experiment, data, module)).with_starts(data.names.parameters)
    with threads(1):  # the reader has threads of its own, and waiting for one another costs more than a second brings
        problem = build_problem(experiment, data)
    rows = rows_to_predict(experiment, data, stdin)
    if ready is not None:
        ready(problem.parameters.names)
    loaded = time.perf_counter()
    trials = Trials(decided(experiment, problem))
    with threads(useful_threads(problem)):
        planned = partial(make_plan, trials, every=every)
        batch = trained(trials, data, problem, rows, planned, watch=watch, gradients=gradients, progress=progress)
        outcome = Outcome(batch, 0, batch.plan.epochs)
        result = outcome.result()
    if data.module is not None:
        store(data.module, outcome.values_Q)
    result.timing = {"load_s": loaded - began, "train_s": time.perf_counter() - loaded}
    return result


def useful_threads(problem: Problem) -> int:
    """How many threads a walk over a problem is worth."""
    tiny = problem.gathered or problem.rows * len(problem.parameters.names) <= _TINY
    return 1 if tiny else torch.get_num_threads()
