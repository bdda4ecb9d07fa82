"""Many trials as one batch beside the same trials one after another, folds beside one training; the memory that they
hold, one thread each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.bigdata import FEATURES, NAMES, in_memory
from benchmarks.byhand import LOOPS, Loop
from benchmarks.cases import CONFIGS, LINE, Case
from benchmarks.decay import EXPERIMENT, START, decay
from benchmarks.labelled import frame_of, labelled
from benchmarks.measure import Row, Run, Side, interleaved, typical
from benchmarks.memory import held
from benchmarks.peers import absent, peer
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import AxisFlag, Override
from gdtrain.experiment.sweep import Sweep, load_sweep
from gdtrain.experiment.trials import Trials
from gdtrain.planning.plan import make_plan
from gdtrain.problem.build import build_problem
from gdtrain.problem.problem import Problem
from gdtrain.report.render import render
from gdtrain.results import SweepResult
from gdtrain.sweeps.sweeping import sweep
from gdtrain.tables import Tables
from gdtrain.train import train
from gdtrain.trials.batches import FEW_EPOCHS

ROUNDS = 7  # at most
FEW_ROUNDS = 3  # of what takes ten seconds, or a process
HUBER_ROWS = 200_000
LIMIT, LIMIT_FLAG = 512 << 20, "512M"
MANY = 10_000
LOGISTIC: dict[str, Any] = {"regress": {"target": "y"}, "loss": "logistic"}
HUBER: dict[str, Any] = {"regress": {"target": "y"}, "loss": "huber", "train": {"optimizer": "sgd"}}
# What 10,000 trials are swept over in a process of their own: a file of configs/, and the engine that serves it.
SMALL = {
    "linear.yaml": ("exact", ["--lr", f"geomspace:1e-4:0.1:{MANY}", "--epochs", "1000"]),
    "exponential.yaml": ("loop", ["--lr", f"geomspace:1e-4:0.1:{MANY}", "--epochs", "500"]),
}

Frame = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Rates:
    """An experiment, and the learning rates that it is swept over.

    few     how many of them are trained where all would take too long: the middle ones of so many equal parts
    frame   its rows; None where it has rows of its own
    """

    experiment: Path | Mapping[str, Any]
    epochs: int
    lr_S: Sequence[float]
    few: int
    frame: Frame | None = field(default=None, repr=False)

    @classmethod
    def between(
        cls,
        ends: tuple[float, float],
        count: int,
        experiment: Path | Mapping[str, Any],
        epochs: int,
        *,
        few: int,
        frame: Frame | None = None,
    ) -> Rates:
        """`count` of them, each as many times the one before it."""
        return cls(experiment, epochs, np.geomspace(*ends, count).tolist(), few, frame)

    @property
    def picked(self) -> list[int]:
        """Which of them stand for all."""
        count = len(self.lr_S)
        return [(2 * i + 1) * count // (2 * self.few) for i in range(self.few)]

    @property
    def share(self) -> float:
        """How many rates each of those stands for."""
        return len(self.lr_S) / self.few

    def load(self) -> Sweep:
        """The sweep, from the experiment as text on."""
        axis = AxisFlag.of_values("train.lr", self.lr_S, "--lr")
        epochs = Override("train.epochs", self.epochs, "--epochs")
        return load_sweep(self.experiment, [epochs], [axis], framed=self.frame is not None)

    def swept(self) -> SweepResult:
        return sweep(self.load(), tables=Tables(self.frame))

    def posed(self) -> tuple[Trials, Problem]:
        """All trials, and the problem that they share."""
        (group,) = self.load().groups
        experiment = group.trials.experiment
        data = Tables(self.frame).of(experiment)
        return group.trials, build_problem(experiment.with_starts(data.names.parameters), data)


def sweeps(repeats: int) -> Iterator[Row]:
    """Batches against loops, folds against one run; JAX's batch; the JSON of a sweep; the memory of a large one."""
    torch.set_num_threads(1)
    rounds, few = min(repeats, ROUNDS), min(repeats, FEW_ROUNDS)
    yield from _line(rounds)
    yield _beside_singles("a*exp(-b*x) + c, 50 rows", _decay(50), 1 / 20, rounds)
    yield _beside_singles("a*exp(-b*x) + c, 1,000 rows", _decay(1000), 1 / 2, few)
    yield _beside_singles(f"huber, {HUBER_ROWS:,} x {FEATURES}", _huber(), 1 / 2, few)
    yield _folds("a*exp(-b*x) + c, 50 rows", EXPERIMENT, decay(50), 5, 2.0, rounds)
    yield _folds("logistic, 200 x 5", LOGISTIC, _labelled(), 10, 2.5, rounds)
    yield from _beside_jax(few)
    yield _written(rounds)
    for name, (engine, flags) in SMALL.items():
        yield _peak(name, engine, flags, few)


def _decay(rows: int) -> Rates:
    """Up to just below the rates that diverge."""
    return Rates.between((1e-3, 0.8), 1000, EXPERIMENT, 500, few=10, frame=decay(rows))


def _huber() -> Rates:
    x_NF, y_N = in_memory(HUBER_ROWS)
    columns = [np.ascontiguousarray(column) for column in x_NF.T]
    return Rates.between((1e-3, 1.0), 64, HUBER, 50, few=3, frame=dict(zip(NAMES, [*columns, y_N], strict=True)))


def _line(repeats: int) -> Iterator[Row]:
    """y = w*x against the loops by hand; the bound is held against the quicker."""
    rates = Rates.between((1e-4, 0.1), 1000, CONFIGS / "linear.yaml", 1000, few=5)
    hand = {against: _by_hand(rates, LINE, loop) for against, loop in LOOPS.items()}
    rounds = interleaved({"gdtrain": _batch(rates), **hand}, repeats)
    against = min(LOOPS, key=lambda against: typical(rounds[against]))
    label = f"{against}, reckoned from {rates.few}"
    yield Row.compare(_label("y = w*x", rates), "exact", label, rounds["gdtrain"], rounds[against], 1 / 1000)


def _beside_singles(name: str, rates: Rates, bound: float, repeats: int) -> Row:
    rounds = interleaved({"batch": _batch(rates), "singles": _one_by_one(rates)}, repeats)
    against = f"gdtrain one by one, reckoned from {rates.few}"
    return Row.compare(_label(name, rates), "loop", against, rounds["batch"], rounds["singles"], bound)


def _folds(name: str, experiment: Mapping[str, Any], frame: Frame, folds: int, bound: float, repeats: int) -> Row:
    """A whole run that holds each fold out in turn, beside the same run without folds."""

    def side(split: Mapping[str, Any]) -> Side:
        source = {**experiment, "data": split, "train": {**experiment.get("train", {}), "epochs": 1000}}

        def run() -> Run:
            began = time.perf_counter()
            result = train(load(source, framed=True), frame=frame)
            return Run(time.perf_counter() - began, tuple(parameter.value for parameter in result.parameters))

        return run

    rounds = interleaved({"folds": side({"split": {"folds": folds}}), "one": side({})}, repeats)
    case = f"{folds} folds beside all rows of {name}, 1,000 epochs"
    return Row.compare(case, "loop", "gdtrain without folds", rounds["folds"], rounds["one"], bound)


def _labelled() -> Frame:
    x_FN, y_N = labelled("logistic", 200)
    return frame_of(x_FN[:5], y_N)


def _label(name: str, rates: Rates) -> str:
    return f"{len(rates.lr_S):,} lr of {name}, {rates.epochs:,} epochs"


def _batch(rates: Rates) -> Side:
    """All of a sweep but its printing, from the experiment as text on."""

    def side() -> Run:
        began = time.perf_counter()
        result = rates.swept()
        seconds = time.perf_counter() - began
        trials = [result.trials[i] for i in rates.picked]
        return Run(seconds, tuple(value for trial in trials for value in trial.params.values()))

    return side


def _by_hand(rates: Rates, case: Case, loop: Loop) -> Side:
    """As many loops by hand as there are rates, reckoned from a few."""
    plan = case.plan(rates.epochs, "loop")
    loss = case.loss(plan.problem.columns)

    def side() -> Run:
        starts = [case.parameters(plan.theta_SP[0]) for _ in rates.picked]
        began = time.perf_counter()
        for i, parameters in zip(rates.picked, starts, strict=True):
            loop(loss, parameters, rates.lr_S[i], rates.epochs)
        seconds = time.perf_counter() - began
        return Run(seconds * rates.share, tuple(leaf.item() for parameters in starts for leaf in parameters))

    return side


def _one_by_one(rates: Rates) -> Side:
    """Each trial planned and walked alone, reckoned from a few. The problem is there already, nothing is judged after,
    and no more epochs are recorded than of a trial of the batch.
    """
    trials, problem = rates.posed()

    def side() -> Run:
        began = time.perf_counter()
        ends = [make_plan(trials.take([i]), problem, brief=FEW_EPOCHS).run().ends[0] for i in rates.picked]
        seconds = time.perf_counter() - began
        return Run(seconds * rates.share, tuple(value for end in ends for value in end.theta_P.tolist()))

    return side


def _beside_jax(repeats: int) -> Iterator[Row]:
    # Far below the rates at which descent leaps about, and rounding decides where it lands.
    rates = Rates.between((1e-3, 0.3), 256, EXPERIMENT, 500, few=256, frame=decay(1000))
    case = _label("a*exp(-b*x) + c, 1,000 rows", rates)
    labels = {"first": "JAX, vmap of jit and scan, compile included", "seconds": "the same, once compiled"}
    if lack := absent("jax"):
        yield from (Row(case, "loop", against, absent=lack) for against in labels.values())
        return
    sides = {cost: _jax(rates, cost) for cost in labels}
    rounds = interleaved({"gdtrain": _batch(rates), **sides}, repeats)
    for cost, against in labels.items():
        yield Row.compare(case, "loop", against, rounds["gdtrain"], rounds[cost])


def _jax(rates: Rates, cost: str) -> Side:
    arguments = [str(rates.epochs), json.dumps(rates.lr_S), json.dumps(list(START.values()))]

    def side() -> Run:
        child = peer("jax_sweep", *arguments)
        said = child.says()
        return Run(said.get(cost, 1.0), tuple(said.get("weights", ())), child.trouble)

    return side


def _written(repeats: int) -> Row:
    """A sweep's JSON document, every trial's own in it, beside the same document from dicts in memory."""
    rates = Rates.between((1e-4, 0.1), 1000, CONFIGS / "linear.yaml", 1000, few=1)
    document = json.loads(render(rates.swept(), "json"))

    def ours() -> Run:
        result = rates.swept()
        return _timed(lambda: render(result, "json"))

    def theirs() -> Run:
        return _timed(lambda: json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    rounds = interleaved({"gdtrain": ours, "json": theirs}, repeats)
    row = Row.compare("JSON of 1,000 trials, a trial", "exact", "json.dumps", rounds["gdtrain"], rounds["json"])
    return replace(row, ours=row.ours / len(rates.lr_S), theirs=row.theirs / len(rates.lr_S))


def _timed(write: Callable[[], str]) -> Run:
    """What writing a document takes, and the weight of each trial in it."""
    began = time.perf_counter()
    text = write()
    seconds = time.perf_counter() - began
    return Run(seconds, tuple(trial["params"]["w"]["value"] for trial in json.loads(text)["trials"]))


def _peak(name: str, engine: str, flags: Sequence[str], repeats: int) -> Row:
    """The peak of `gdtrain sweep` beside that of `gdtrain run`, one trial, and what trials side by side may take."""
    file = str(CONFIGS / name)
    many = ["-m", "gdtrain", "sweep", file, *flags, "--memory", LIMIT_FLAG, "--format", "csv", "--quiet"]
    one = ["-m", "gdtrain", "run", file, "--quiet"]
    sides = {"many": held(many, lines=MANY + 1), "one": held(one, more=LIMIT)}
    rounds = interleaved(sides, repeats, warm_up=False)
    case = f"peak memory, {MANY:,} trials of {name}"
    return Row.compare(case, engine, f"one trial and {LIMIT_FLAG}", rounds["many"], rounds["one"], 1.0, unit="B")
