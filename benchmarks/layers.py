"""Hidden layers, and a module of the user's own, beside the loop that a user would write in torch; one thread.

All start from the same weights and must come to the same. Ours also records loss, weights and gradient of every epoch.

Shapes: S trials, N rows, F features.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from benchmarks.measure import Row, Run, Side, interleaved
from gdtrain.data.opening import open_data
from gdtrain.experiment.load import load
from gdtrain.experiment.trials import Trials
from gdtrain.planning.plan import Plan, make_plan
from gdtrain.problem.build import build_problem
from gdtrain.problem.own import adopt

FEATURES, UNITS, LR = 10, 32, 0.02
ROWS, FEW = 10_000, 200  # rows of a table, and of a small one
ROUNDS = 9  # at most
FEW_ROUNDS = 5  # of what takes ten seconds
HAND = "nn.Sequential, torch.optim.SGD by hand"
NETWORK: dict[str, Any] = {"hidden": [UNITS, UNITS], "activation": "tanh"}


def layers(repeats: int) -> Iterator[Row]:
    """32 x 32 tanh units on 10 columns: one trial, 16 seeds side by side; and as a module."""
    torch.set_num_threads(1)
    many, few = _table(ROWS), _table(FEW)
    rounds = min(repeats, ROUNDS)
    yield _row(f"{UNITS} x {UNITS} tanh, {ROWS:,} x {FEATURES}, an epoch", many, 50, 1, rounds)
    yield _row(f"{UNITS} x {UNITS} tanh, {FEW} x {FEATURES}, an epoch", few, 200, 1, rounds)
    yield _row(f"16 seeds of {ROWS:,} x {FEATURES}, an epoch", many, 5, 16, min(repeats, FEW_ROUNDS))
    yield _row(f"16 seeds of {FEW} x {FEATURES}, an epoch", few, 50, 16, min(repeats, FEW_ROUNDS))
    for frame, epochs in ((many, 50), (few, 500)):
        yield _module(frame, epochs, rounds)


def _table(rows: int) -> dict[str, np.ndarray[Any, Any]]:
    draw = np.random.default_rng(0)
    x_NF = draw.normal(size=(rows, FEATURES))
    y_N = np.sin(2 * x_NF[:, 0]) + x_NF[:, 1] * x_NF[:, 2]
    return {**{f"x{i}": np.ascontiguousarray(column) for i, column in enumerate(x_NF.T)}, "y": y_N}


def _row(case: str, frame: dict[str, np.ndarray[Any, Any]], epochs: int, trials: int, rounds: int) -> Row:
    plan = _plan(frame, epochs, range(trials))
    found = interleaved({"gdtrain": _ours(plan), HAND: _by_hand(plan, frame)}, rounds)
    return Row.compare(case, "loop", HAND, found["gdtrain"], found[HAND], 1.0)


def _plan(frame: dict[str, np.ndarray[Any, Any]], epochs: int, seeds: Sequence[int]) -> Plan:
    experiment = load({**_experiment(epochs), "model": NETWORK}, framed=True)
    data = open_data(experiment, frame=frame)
    experiment = experiment.with_starts(data.names.parameters)
    trials = Trials(experiment, {"train.seed": list(seeds)}, len(seeds))
    return make_plan(trials, build_problem(experiment, data))


def _experiment(epochs: int) -> dict[str, Any]:
    train = {"optimizer": "sgd", "lr": LR, "epochs": epochs}
    return {"regress": {"target": "y"}, "data": {"scale": "none"}, "train": train}


def _ours(plan: Plan) -> Side:
    def side() -> Run:
        began = time.perf_counter()
        ends = plan.run().ends
        seconds = time.perf_counter() - began
        return Run(seconds / plan.epochs, tuple(value for end in ends for value in end.theta_P.tolist()))

    return side


def _by_hand(plan: Plan, frame: dict[str, np.ndarray[Any, Any]]) -> Side:
    """One network after another."""

    def side() -> Run:
        nets = [_sequential(theta_P) for theta_P in plan.theta_SP]
        seconds = sum(_train(net, frame, plan.epochs) for net in nets)
        return Run(seconds / plan.epochs, tuple(value for net in nets for value in _theta(net)))

    return side


def _train(net: nn.Module, frame: dict[str, np.ndarray[Any, Any]], epochs: int) -> float:
    """Seconds of a loop by hand."""
    x_NF = torch.from_numpy(np.stack([frame[f"x{i}"] for i in range(FEATURES)], 1))
    y_N = torch.from_numpy(frame["y"])
    sgd = torch.optim.SGD(net.parameters(), lr=LR)
    began = time.perf_counter()
    for _ in range(epochs):
        sgd.zero_grad()
        mse_loss(net(x_NF).squeeze(1), y_N).backward()  # type: ignore[no-untyped-call]
        sgd.step()
    return time.perf_counter() - began


def _sequential(theta_P: Tensor | None = None) -> nn.Sequential:
    """The network in torch; with the weights of theta, a unit's constant after its weights."""
    linear = [nn.Linear(FEATURES, UNITS), nn.Linear(UNITS, UNITS), nn.Linear(UNITS, 1)]
    net = nn.Sequential(linear[0], nn.Tanh(), linear[1], nn.Tanh(), linear[2]).double()
    start = 0
    for layer in linear if theta_P is not None else ():
        units, width = layer.out_features, layer.in_features + 1
        both = theta_P[start : start + units * width].view(units, width)  # type: ignore[index]
        start += units * width
        with torch.no_grad():
            layer.weight.copy_(both[:, :-1])
            layer.bias.copy_(both[:, -1])
    return net


def _theta(net: nn.Sequential) -> list[float]:
    """Its weights as theta holds them."""
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    return [v for layer in linear for v in torch.cat([layer.weight, layer.bias[:, None]], 1).flatten().tolist()]


def _module(frame: dict[str, np.ndarray[Any, Any]], epochs: int, rounds: int) -> Row:
    torch.manual_seed(0)
    module = _sequential()
    begin = [parameter.detach().clone() for parameter in module.parameters()]
    experiment = load(_experiment(epochs), framed=True)
    data = open_data(experiment, frame=frame)
    experiment = adopt(experiment, data, module).with_starts(data.names.parameters)
    plan = make_plan(Trials(experiment), build_problem(experiment, data))

    def theirs() -> Run:
        net = _sequential()
        with torch.no_grad():
            for parameter, value in zip(net.parameters(), begin, strict=True):
                parameter.copy_(value)
        seconds = _train(net, frame, epochs)
        return Run(seconds / epochs, tuple(v for p in net.parameters() for v in p.flatten().tolist()))

    found = interleaved({"gdtrain": _ours(plan), HAND: theirs}, rounds)
    case = f"the same as a module, {len(frame['y']):,} x {FEATURES}, an epoch"
    bound = 1.1 if len(frame["y"]) == ROWS else None  # of few rows what is recorded of an epoch counts
    return Row.compare(case, "loop", HAND, found["gdtrain"], found[HAND], bound)
