"""Sweeps: a trial in a batch is the same trial alone, whatever stands beside it and however the trials are cut."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from gdtrain.experiment.sweep import load_sweep
from gdtrain.optimizers import OPTIMIZERS
from gdtrain.planning.plan import make_plan
from gdtrain.results import SweepResult
from gdtrain.sweeps.sweeping import sweep
from gdtrain.tables import Tables
from gdtrain.trials import batches
from tests.batched import CURVE, LINE, TABLE, X, alone, apart, planned, swept, without_middle

Axes = Mapping[str, Any]
WALKED = {**LINE, "train": {"epochs": 400, "engine": "loop"}}
FLOAT32 = {**CURVE, "train": {"epochs": 120, "dtype": "float32"}}
DRAWN = {**CURVE, "params": {"a": {"start": {"uniform": [0.5, 3.0]}}, "b": {"start": {"normal": [0.5, 0.2]}}}}
BOUNDED = {**CURVE, "params": {"a": {"start": 1.0, "max": 1.5}, "b": {"start": 1.0, "min": 0.8}}}
SYSTEM = {"solve": ["x^2 + y^2 = 5", "x*y = 2"], "params": {"x": 1.5, "y": 0.0}, "train": {"epochs": 120}}
VALLEY = {"minimize": "(1 - x)^2 + 100*(y - x^2)^2", "train": {"epochs": 120}}
RATES = [1e-3, 0.1, 10.0]


def check_bitwise(source: Mapping[str, Any], axes: Axes, **options: Any) -> SweepResult:
    """Every document of a sweep is that of the same trial alone."""
    spec = planned(source, axes)
    result = swept(spec, **options)
    assert len(result.trials) == len(spec.points)
    for i, trial in enumerate(result.trials):
        assert trial.document() == alone(spec, i, **options), trial.set
    return result


def noting(calls: list[Any], function: Any) -> Any:
    """A function whose calls are noted."""

    def call(*arguments: Any, **options: Any) -> Any:
        calls.append((arguments, options))
        return function(*arguments, **options)

    return call


# In a batch as alone: formulas to the last bit

BITWISE: dict[str, tuple[Mapping[str, Any], Axes]] = {
    "learning rates": (CURVE, {"train.lr": [1e-3, 1e-2, 0.1, 1.0, 3.0, 10.0, 1e3]}),
    "starts": (CURVE, {"params.a.start": [0.1, 1, 30], "params.b.start": [-3, 2]}),
    "starts drawn from seeds": (DRAWN, {"train.seed": [0, 1, 2, 7]}),
    "bounds": (BOUNDED, {"params.a.start": [-1, 1.2], "train.lr": RATES}),
    "bounds as an axis": (BOUNDED, {"params.a.max": [1.2, 1.5], "train.lr": RATES}),
    "closed form": (LINE, {"train.lr": [1e-3, 0.05, 0.2]}),
    "walk of a closed form": (WALKED, {"train.optimizer.momentum": [0, 0.9], "train.lr": RATES}),
    "several equations": (SYSTEM, {"params.x.start": [-3, 1, 4], "params.y.start": [-3, 0.5]}),
    "no data": (VALLEY, {"train.lr": [1e-4, 1e-3, 0.1], "params.x.start": [-1, 2]}),
    "float32": (FLOAT32, {"train.lr": [1e-3, 0.1, 1.0, 10.0, 1e3]}),
}


@pytest.mark.parametrize(("source", "axes"), BITWISE.values(), ids=[*BITWISE])
def test_as_alone(source: Mapping[str, Any], axes: Axes) -> None:
    check_bitwise(source, axes)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("source", [CURVE, LINE], ids=["curve", "line"])
def test_as_alone_with_every_optimizer(name: str, source: Mapping[str, Any]) -> None:
    train = {"epochs": 60, "optimizer": name, "engine": "loop"}
    check_bitwise({**source, "train": train}, {"train.lr": RATES, "params": [source["params"]]})


# Options of optimizers, 0 among them: alone, what it would do is left out altogether.
OPTIONS: list[tuple[str, dict[str, Any], Axes]] = [
    ("sgd", {}, {"momentum": [0, 0.9], "dampening": [0, 0.3], "weight_decay": [0, 0.1]}),
    ("sgd", {"momentum": 0.9}, {"nesterov": [False, True], "weight_decay": [0, 0.1]}),
    ("adam", {}, {"eps": [1e-8, 1e-2], "weight_decay": [0, 0.1]}),
    ("adam", {"decoupled_weight_decay": True}, {"amsgrad": [False, True], "weight_decay": [0, 0.1]}),
    ("adam", {}, {"betas": [[0.9, 0.99], [0.5, 0.9], [0, 0.9]]}),
    ("adamw", {}, {"eps": [1e-8, 1e-2], "weight_decay": [0, 0.5]}),
    ("nadam", {}, {"momentum_decay": [0, 0.1], "eps": [1e-8, 1e-2], "weight_decay": [0, 0.1]}),
    ("radam", {}, {"eps": [1e-8, 1e-2], "weight_decay": [0, 0.1]}),
    ("rmsprop", {}, {"alpha": [0.5, 0.99], "momentum": [0, 0.5], "weight_decay": [0, 0.1]}),
    ("rmsprop", {"centered": True}, {"eps": [1e-8, 1e-2], "momentum": [0, 0.5]}),
    ("adagrad", {}, {"lr_decay": [0, 0.1], "initial_accumulator_value": [0, 0.5], "weight_decay": [0, 0.1]}),
    ("rprop", {}, {"etas": [[0.5, 1.2], [0.3, 1.5]]}),
]


@pytest.mark.parametrize(("name", "options", "axes"), OPTIONS)
def test_as_alone_with_options_of_its_own(name: str, options: dict[str, Any], axes: Axes) -> None:
    source = {**CURVE, "train": {"epochs": 60, "lr": 0.05, "optimizer": {"name": name, **options}}}
    check_bitwise(source, {f"train.optimizer.{key}": values for key, values in axes.items()})


def test_as_alone_where_neighbours_diverge_one_after_another() -> None:
    """|1 - lr*h| to the power k passes 1e154, whose square no float holds, the sooner the larger lr is."""
    result = check_bitwise(WALKED, {"train.lr": [0.01, 1e5, 0.11, 0.5, 1.0, 50.0, 0.05, 1e200]})
    assert len({trial.epochs for trial in result.trials if trial.status == "diverged"}) >= 5
    assert [trial.epochs for trial in result.trials if trial.status == "max_epochs"] == [400, 400]
    assert [trial.epochs for trial in result.trials if trial.set["train.lr"] == 1e200] == [1]


def test_as_alone_where_those_with_other_options_diverge_first() -> None:
    """The first and the third are dropped at once; those that go on keep momentum and decay of their own."""
    train = {"epochs": 100, "engine": "loop"}
    axes = {"train.lr": [1e200, 0.01], "train.optimizer.momentum": [0.9, 0.5], "train.optimizer.weight_decay": [0, 0.1]}
    result = check_bitwise({**LINE, "train": train}, axes)
    assert [trial.epochs for trial in result.trials] == [1, 1, 1, 1, 100, 100, 100, 100]
    assert len({trial.loss for trial in result.trials[4:]}) == 4


def test_as_alone_where_some_have_ended_before_others_are_halved() -> None:
    """What starts at (1, 1) is there, and is dropped; with weight decay, nothing is halved and two diverge."""
    axes = {"train.optimizer.weight_decay": [0.01, 0], "params.x.start": [1, -1], "params.y.start": [1, 4]}
    result = check_bitwise({**VALLEY, "stop": {"loss_tol": 1e-12}}, axes)
    assert [s for s, trial in enumerate(result.trials) if trial.epochs < 10] == [0, 1, 3, 4]
    halved = [s for s, trial in enumerate(result.trials) if "lr_final" in trial.document()["train"]]
    assert halved == [5, 7]  # (1, 4) and (-1, 4) without decay


def test_as_alone_where_the_lr_is_chosen_and_halved() -> None:
    """Each trial halves its own: the curvature at these starts says too little of what comes."""
    steps: dict[str, Any] = {**VALLEY, "train": {"epochs": 120, "optimizer": "sgd"}}
    result = check_bitwise(steps, {"params.x.start": [-1, 0.5, 2], "params.y.start": [0, 1, 4]})
    halved = {trial.document()["train"].get("lr_final") for trial in result.trials}
    assert None in halved and len(halved) >= 3


def test_as_alone_where_some_are_halved_and_some_decay() -> None:
    axes = {"train.optimizer.weight_decay": [0, 0.01], "params.b.start": [-2, 0, 1]}
    result = check_bitwise(CURVE, axes)
    halved = [trial for trial in result.trials if "lr_final" in trial.document()["train"]]
    assert halved and all(trial.set["train.optimizer.weight_decay"] == 0 for trial in halved)


@pytest.mark.parametrize("options", [{"every": 7}, {"gradients": True}, {"every": 50, "gradients": True}])
@pytest.mark.parametrize("source", [CURVE, LINE], ids=["walked", "closed form"])
def test_histories_show_what_those_of_a_run_do(options: dict[str, Any], source: Mapping[str, Any]) -> None:
    check_bitwise(source, {"train.lr": [1e-3, 0.05]}, **options)


# Stops: a trial ends on its own

STOPS = [{"grad_tol": 1e-3}, {"loss_tol": 0.07}, {"patience": 5, "min_delta": 1e-5}]


@pytest.mark.parametrize("stop", STOPS, ids=["grad_tol", "loss_tol", "patience"])
@pytest.mark.parametrize("source", [CURVE, LINE], ids=["walked", "closed form"])
def test_each_stops_where_it_would_alone(stop: dict[str, Any], source: Mapping[str, Any]) -> None:
    spec = planned({**source, "stop": stop}, {"train.lr": [1e-4, 0.02, 0.05, 0.1, 1e3], "train.epochs": [600]})
    result = swept(spec)
    for i, trial in enumerate(result.trials):
        here, there = trial.document(), alone(spec, i)
        assert without_middle(here, there) == without_middle(there, here), trial.set
    assert len({trial.epochs for trial in result.trials}) >= 3
    assert {trial.status for trial in result.trials} >= {"max_epochs", "diverged", _ended(stop)}


def _ended(stop: Mapping[str, Any]) -> str:
    return "stopped" if "patience" in stop else "converged"


# What a matrix product or a scalar path of torch reckons otherwise: to rounding

SMOOTH = {"fit": "y = softplus(a*x + b) + sinh(0.1*a) + sigmoid(b*x)", "data": {"columns": {"x": X, "y": X}}}
ROUNDING: dict[str, tuple[Mapping[str, Any], Axes]] = {
    "huber, matrix products": (TABLE, {"train.lr": [1e-3, 1e-2, 0.1]}),
    "huber, momentum and starts": (TABLE, {"train.optimizer.momentum": [0, 0.5], "params.a.start": [-3, 5]}),
    "features": (TABLE, {"regress.features": [["a"], ["b", "a"]], "regress.intercept": [True, False]}),
    "closed form, many modes": (LINE, {"train.lr": [1e-3, 0.05, 0.1, 0.11], "train.optimizer.momentum": [0, 0.9]}),
    "lr of a quadratic chosen": (LINE, {"train.optimizer.momentum": [0, 0.5, 0.9], "params.w.start": [-3, 5]}),
    "softplus, sinh, sigmoid": ({**SMOOTH, "train": {"epochs": 60}}, {"train.lr": [1e-3, 1e-2, 0.1]}),
}


@pytest.mark.parametrize(("source", "axes"), ROUNDING.values(), ids=[*ROUNDING])
def test_as_alone_to_rounding(source: Mapping[str, Any], axes: Axes) -> None:
    spec = planned(source, axes)
    for i, trial in enumerate(swept(spec).trials):
        assert apart(trial.document(), alone(spec, i)) <= 1e-12, trial.set


# Epochs as an axis: one walk, read at each

EPOCHS = [0, 1, 10, 60, 300]


@pytest.mark.parametrize("source", [CURVE, LINE, WALKED], ids=["curve", "closed form", "walked line"])
def test_epochs_are_read_off_one_walk(source: Mapping[str, Any]) -> None:
    spec = planned(source, {"train.epochs": EPOCHS, "train.lr": [0.02, 0.3, 3.0]})
    for i, trial in enumerate(swept(spec).trials):
        here, there = trial.document(), alone(spec, i)
        assert without_middle(here, there) == without_middle(there, here), trial.set
        assert here["train"]["epochs"] == trial.set["train.epochs"]


@pytest.mark.parametrize("stop", STOPS, ids=["grad_tol", "loss_tol", "patience"])
@pytest.mark.parametrize("source", [CURVE, LINE], ids=["walked", "closed form"])
def test_epochs_are_read_off_one_walk_with_stops(stop: dict[str, Any], source: Mapping[str, Any]) -> None:
    """A trial that stops before an epoch that is read has stopped there too; one that stops after has not yet."""
    spec = planned({**source, "stop": stop}, {"train.epochs": EPOCHS, "train.lr": [0.1, 1e3]})
    result = swept(spec)
    for i, trial in enumerate(result.trials):
        here, there = trial.document(), alone(spec, i)
        assert without_middle(here, there) == without_middle(there, here), trial.set
    assert {trial.epochs for trial in result.trials} - {*EPOCHS}


def test_epochs_cost_one_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[Any] = []
    monkeypatch.setattr("gdtrain.sweeps.sweeping.make_plan", noting(walked, make_plan))
    swept(planned(CURVE, {"train.epochs": EPOCHS, "train.lr": [0.02, 0.3]}))
    assert [(trials.count, list(options["reads"])) for (trials, *_), options in walked] == [(2, EPOCHS)]


# However the trials are cut


# For each a problem, what limits its batches, and how many trials then go side by side.
CUTS: dict[str, tuple[Mapping[str, Any], str, int, int]] = {
    "at most 1": (CURVE, "_MOST", 1, 1),
    "at most 4": (CURVE, "_MOST", 4, 4),
    "what fits the cache": (CURVE, "_AT_ONCE", 3 * len(X), 3),
    "what is lost": (CURVE, "_WORK", 2 * len(X) * 2 * 120, 2),
    "what the closed form works out": (LINE, "_STATES", 5 * 2 * 300, 5),
}


@pytest.mark.parametrize(("source", "limit", "value", "size"), CUTS.values(), ids=[*CUTS])
def test_cutting_moves_no_number(
    source: Mapping[str, Any], limit: str, value: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = planned(source, {"train.lr": [0.001 * 1.5**i for i in range(11)]})
    whole = swept(spec)
    planned_batches: list[Any] = []
    monkeypatch.setattr(batches, limit, value)
    monkeypatch.setattr("gdtrain.sweeps.sweeping.make_plan", noting(planned_batches, make_plan))
    cut = swept(spec)
    counts = [trials.count for (trials, *_), _ in planned_batches]
    assert sum(counts) == 11 and max(counts) == size and set(counts[:-1]) == {size}
    for s, trial in enumerate(cut.trials):
        if source is CURVE:
            assert trial.document() == whole.trials[s].document()
        else:  # modes are put together by a matrix product
            assert apart(trial.document(), whole.trials[s].document()) <= 1e-12


@pytest.mark.parametrize("memory", [1, 20_000, 200_000])
@pytest.mark.parametrize("source", [CURVE, TABLE, LINE], ids=["curve", "table", "line"])
def test_memory_moves_no_number(source: Mapping[str, Any], memory: int) -> None:
    """Where memory is short, fewer epochs are recorded."""
    spec = planned(source, {"train.lr": [0.001 * 1.5**i for i in range(11)]})
    for tight, roomy in zip(swept(spec, memory=memory).trials, swept(spec).trials, strict=True):
        here, there = tight.document(), roomy.document()
        assert apart(without_middle(here, there), without_middle(there, here)) <= 1e-12


# Groups


def test_groups_are_trained_as_what_they_are(tmp_path: Path) -> None:
    """Optimizers, losses, formulas, files and dtypes, each with several learning rates."""
    (tmp_path / "one.csv").write_text("x,y\n1,2\n2,4\n3,6.5\n4,8\n")
    (tmp_path / "two.csv").write_text("x,y\n0,3\n1,1\n2,0.5\n5,0\n6,0\n")
    source = {"fit": "y = a*x + b", "params": {"a": 1.0, "b": 0.5}, "train": {"epochs": 30, "engine": "loop"}}
    axes = {
        "train.optimizer": ["sgd", {"name": "adam", "eps": 1e-3}],
        "loss": ["mse", {"name": "huber", "delta": 2.0}],
        "fit": ["y = a*x + b", "y = a*exp(-b*x)"],
        "data.path": [str(tmp_path / "one.csv"), str(tmp_path / "two.csv")],
        "train.dtype": ["float64", "float32"],
        "train.lr": [0.01, 0.1],
    }
    spec = planned(source, axes)
    result = swept(spec)
    assert (len(spec.groups), len(result.trials)) == (32, 64)
    for i in range(0, 64, 3):  # of all axes both values
        assert result.trials[i].document() == alone(spec, i), result.trials[i].set


@pytest.mark.parametrize(
    ("target", "looked"), [([1.0, 2.0, 3.0, 1.0], "classes._met"), (list("abca"), "texts._in_whole_rows")]
)
def test_classes_are_looked_for_once_a_table(target: list[Any], looked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of each kind makes a group of its own, and each opens the table."""
    module = import_module(f"gdtrain.data.{looked.partition('.')[0]}")
    looking = Mock(side_effect=getattr(module, looked.partition(".")[2]))
    monkeypatch.setattr(f"gdtrain.data.{looked}", looking)
    frame = {"x": [1.0, 2.0, 3.0, 4.0, math.nan], "y": [*target, target[0]]}
    source = {"regress": {"target": "y"}, "data": {"missing": "drop"}, "loss": "softmax", "train": {"epochs": 2}}
    spec = load_sweep({**source, "sweep": {"train.optimizer": ["sgd", "adam", "rprop"]}}, framed=True)
    assert len(spec.groups) == 3
    sweep(spec, tables=Tables(frame))
    assert looking.call_count == 1


def test_parameters_of_several_formulas() -> None:
    spec = planned({**LINE, "params": {}}, {"fit": ["y = w*x", "y = w*x + c", "y = v*x"], "train.lr": [0.01, 0.02]})
    result = swept(spec)
    assert [[*trial.params] for trial in result.trials] == [["w"]] * 2 + [["w", "c"]] * 2 + [["v"]] * 2
    assert result.parameters == ["w", "c", "v"]
    for i in range(6):
        assert result.trials[i].document() == alone(spec, i)


def test_a_trial_knows_what_its_document_says() -> None:
    result = swept(planned(CURVE, {"train.lr": [1e-3, 0.1, 1e3], "train.epochs": [10, 50]}))
    for trial in result.trials:
        document = trial.document()
        assert (trial.status, trial.epochs) == (document["verdict"]["status"], document["epochs"])
        assert trial.params == {name: fields["value"] for name, fields in document["params"].items()}
        assert str(trial.loss) == str(document["loss"]["final"])
        assert trial.first == document["loss"]["initial"]


def test_the_remedy_of_a_trial_that_diverged_is_what_it_is_told_alone() -> None:
    """Whichever trials are beside it: what is kept of it serves other sweeps too."""
    spec = planned(CURVE, {"train.lr": [1e-3, 1e2, 0.1, 1e3]})
    result = swept(spec)
    for s in (1, 3):
        assert " would not" in result.trials[s].detail
        assert result.trials[s].detail == alone(spec, s)["verdict"]["detail"]


def test_the_watch_is_told_how_many_trials_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_MOST", 3)
    told: list[int] = []

    def watch(done: int, loss: float) -> bool:
        told.append(done)
        return True

    sweep(planned(CURVE, {"train.lr": [0.01 * i for i in range(1, 9)]}), watch=watch)
    assert told == sorted(told) and told[0] >= 0 and told[-1] == 8
