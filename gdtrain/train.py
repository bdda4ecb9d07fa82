"""A whole run, top to bottom: read the data, build the problem, choose, descend, judge, tell.

Shapes: S trials, P trained parameters, Q reported ones, K recorded epochs, N rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from gdtrain import __version__
from gdtrain.engines.ends import End, gradient_norm
from gdtrain.engines.loop import Descent, Watch
from gdtrain.experiment.schema import Experiment
from gdtrain.insight import Curvature, curvature_of, hints, sentences
from gdtrain.plan import Plan, make_plan
from gdtrain.problem.build import build_problem
from gdtrain.problem.data import Data, PredictedRows, open_data, rows_to_predict
from gdtrain.problem.problem import Problem, tensors
from gdtrain.results import Equation, History, Parameter, Prediction, Result
from gdtrain.verdict import Trial, judge

SHOWN_WEIGHTS = 8  # that a sentence lists
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
) -> Result:
    """Train one experiment.

    frame      a data frame or a dict of arrays in place of the experiment's data
    stdin      where data at path `-` comes from
    every      show each so many epochs, in place of all or about twenty
    gradients  keep gradients in the history too
    watch      asked now and then with (epoch, loss) whether to go on
    ready      told the parameters' names before the first epoch; may raise

    Raises UserError where experiment and data do not fit; a trial that goes wrong is a verdict.
    """
    began = time.perf_counter()
    data = open_data(experiment, frame=frame, stdin=stdin)
    experiment = experiment.with_starts(data.names.parameters)
    with threads(1):  # the reader has threads of its own, and waiting for one another costs more than a second brings
        problem = build_problem(experiment, data)
    rows = rows_to_predict(experiment, data, stdin)
    if ready is not None:
        ready(problem.parameters.names)
    loaded = time.perf_counter()
    tiny = problem.gathered or problem.rows * len(problem.parameters.names) <= _TINY
    with threads(1 if tiny else torch.get_num_threads()):
        plan = make_plan(experiment, problem, every)
        descent = plan.run(watch)
        result = _result(experiment, data, plan, descent, gradients)
        result.predictions = _predictions(problem, result.recorded, rows)
    result.timing = {"load_s": loaded - began, "train_s": time.perf_counter() - loaded}
    return result


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many torch threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _result(experiment: Experiment, data: Data, plan: Plan, descent: Descent, gradients: bool) -> Result:
    problem, end = plan.problem, descent.ends[0]
    history = _history(problem, descent, gradients)
    first_norm = float(gradient_norm(plan.theta_1P[0], descent.first_gradient_SP[0], plan.bounds, plan.decay))
    verdict = judge(Trial(plan, history, end, first_norm))
    curvature = curvature_of(plan, end.theta_P)
    names = problem.parameters.names
    return Result(
        name=experiment.name,
        kind=experiment.kind,
        statement=statement(experiment, problem),
        verdict=verdict,
        epochs=end.epoch,
        loss={"name": problem.loss_name, "initial": history.loss_K[0], "final": history.loss_K[-1]},
        parameters=_parameters(problem, history, end, curvature),
        engine=vars(plan.engine),
        recorded=history,
        train=_training(experiment, plan, end),
        data={"rows": data.rows, "columns": data.names.columns},
        seed=experiment.train.seed,
        dtype=experiment.train.dtype,
        device=experiment.train.device,
        versions={"gdtrain": __version__, "torch": str(torch.__version__)},
        timing={},
        equations=_equations(experiment, problem, history),
        warnings=[*data.warnings, *hints(experiment, plan, curvature, end.theta_P, float(end.loss), verdict.status)],
        curvature=None if curvature is None else curvature.document(names),
        insights=[] if curvature is None else sentences(curvature, names, SHOWN_WEIGHTS),
        every=plan.every,
        thinned=plan.stride > 1 and plan.every is None,
    )


def statement(experiment: Experiment, problem: Problem) -> str:
    """The problem in a line."""
    if experiment.regress:
        return f"{', '.join(problem.targets)} on {', '.join(problem.inputs) or 'a constant'}"
    return experiment.fit or experiment.minimize or "; ".join(experiment.solve or ())


def _history(problem: Problem, descent: Descent, gradients: bool) -> History:
    """The recorded epochs of the one trial up to its end, in the units of the data."""
    end, recorded, parameters = descent.ends[0], descent.recorded, problem.parameters
    epochs_K = np.array(recorded.epochs)
    count = int(np.searchsorted(epochs_K, end.epoch, side="right"))
    gradient_KP = recorded.gradient_CSP[:count, 0] if gradients else None
    return History(
        epochs_K=epochs_K[:count],
        loss_K=_array(recorded.loss_CS[:count, 0]),
        values_KQ=_array(parameters.values(recorded.theta_CSP[:count, 0])),
        gradient_KQ=None if gradient_KP is None else _array(parameters.gradient(gradient_KP)),
    )


def _parameters(problem: Problem, history: History, end: End, curvature: Curvature | None) -> list[Parameter]:
    parameters = problem.parameters
    gradient_Q = parameters.gradient(end.gradient_P)
    optimum_Q = None if curvature is None else curvature.optimum_Q
    scaled_Q = parameters.scaled(parameters.values(end.theta_P)) if parameters.scalings else None
    return [
        Parameter(
            name=name,
            start=float(history.values_KQ[0, i]),
            value=float(history.values_KQ[-1, i]),
            gradient=float(gradient_Q[i]) if i in parameters.free else None,
            fixed=i not in parameters.free,
            scaled=None if scaled_Q is None else float(scaled_Q[i]),
            optimum=None if optimum_Q is None else float(optimum_Q[i]),
        )
        for i, name in enumerate(parameters.names)
    ]


def _training(experiment: Experiment, plan: Plan, end: End) -> dict[str, Any]:
    """How it was trained, with what was chosen for the user under `chosen`."""
    optimizer = experiment.train.optimizer
    training = {
        "optimizer": {"name": optimizer.name, **optimizer.options},
        "lr": plan.lr,
        "epochs": plan.epochs,
        "scale": experiment.data.scale if experiment.data else "none",
        "chosen": list(experiment.chosen),
    }
    return training | ({"lr_final": end.lr} if end.lr != plan.lr else {})


def _equations(experiment: Experiment, problem: Problem, history: History) -> list[Equation]:
    if experiment.solve is None:
        return []
    sides = problem.side_values(torch.as_tensor(history.values_KQ[-1]))
    return [Equation(text, *pair) for text, pair in zip(experiment.solve, sides, strict=True)]


def _predictions(problem: Problem, history: History, rows: PredictedRows) -> list[Prediction]:
    """Every row before and after training; beside its target where the rows are the data's own."""
    if not rows.count or problem.predict is None:
        return []
    like = problem.parameters.start_SQ
    columns = tensors(rows.columns, like)
    before, after = (problem.predict(like.new_tensor(history.values_KQ[k]), columns, rows.count) for k in (0, -1))
    target = problem.target(columns) if rows.own and problem.target else None
    return [
        Prediction(
            inputs={name: float(columns[name][i]) for name in problem.inputs},
            before=_row(before, i, problem.targets),
            after=_row(after, i, problem.targets),
            target=None if target is None else _row(target, i, problem.targets),
        )
        for i in range(rows.count)
    ]


def _row(predictions: Tensor, i: int, targets: Sequence[str]) -> float | dict[str, float]:
    if predictions.dim() == 1:
        return float(predictions[i])
    return dict(zip(targets, predictions[i].tolist(), strict=True))


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.double().cpu().numpy()
