"""Sweeps: points, groups, and that each trial is the experiment that it says."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdtrain.errors import UserError
from gdtrain.experiment.axes import MOST
from gdtrain.experiment.dump import dump
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import AxisFlag, Override
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.starter import EXAMPLE
from gdtrain.experiment.sweep import Sweep, load_sweep, usual_source
from gdtrain.experiment.trials import Trials

from .texts import DATA, FIT, heads, marked

LINE = "fit: y = w*x + b\n" + DATA
REGRESS = "regress: {target: y, features: [x]}\n" + DATA
FLAGS = {"--lr": "train.lr", "--epochs": "train.epochs", "--seed": "train.seed"}


def flags(*texts: str) -> list[AxisFlag]:
    """`--lr 1,2` by its own flag, `train.lr=1,2` by --set."""
    named = [text.split(" ", 1) for text in texts if text.startswith("--")]
    found = [AxisFlag.of(FLAGS[flag], text, flag) for flag, text in named]
    return found + AxisFlag.settings([text for text in texts if not text.startswith("--")])


def swept(text: str, *texts: str, overrides: Sequence[Override] = (), **options: Any) -> Sweep:
    """The sweep of a text on standard input, with flags."""
    return load_sweep("-", overrides, flags(*texts), stdin=io.StringIO(text), **options)


def refused(text: str, *texts: str, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        swept(text, *texts, **options)
    return str(caught.value)


def alone(text: str, axes: Sequence[str], point: Sequence[Any]) -> Experiment:
    """A point's experiment, loaded by itself."""
    overrides = [Override(axis, value, "--set") for axis, value in zip(axes, point, strict=True)]
    return load("-", overrides, stdin=io.StringIO(text))


# A file, flags, the axes, and the points.
POINTS: list[tuple[str, list[str], list[str], list[tuple[Any, ...]]]] = [
    (FIT, ["--lr 1,2"], ["train.lr"], [(1,), (2,)]),
    (FIT, [], [], [()]),
    (FIT, ["--lr 1", "--seed 3"], [], [()]),
    (FIT, ["--lr 1,2", "--seed 0..1"], ["train.lr", "train.seed"], [(1, 0), (1, 1), (2, 0), (2, 1)]),
    (FIT, ["--lr 1,2,1,1.0"], ["train.lr"], [(1,), (2,)]),
    (FIT, ["params.w=1,2"], ["params.w.start"], [(1,), (2,)]),
    (FIT, ["params.w.start.value=1,2"], ["params.w.start"], [(1,), (2,)]),
    (FIT, ["params.w=1,{start: 2, min: 0}"], ["params.w"], [(1,), ({"start": 2, "min": 0},)]),
    (FIT, ["params.w.start={uniform: [0, 1]}"], [], [()]),
    (FIT, ["train.optimizer=sgd,adam"], ["train.optimizer"], [("sgd",), ("adam",)]),
    (FIT, ["train.optimizer.name=sgd,adam"], ["train.optimizer"], [("sgd",), ("adam",)]),
    (FIT, ["loss=mse,{name: huber, delta: 2}"], ["loss"], [("mse",), ({"name": "huber", "delta": 2},)]),
    (FIT, ["fit=y = w*x,y = w*x + b"], ["fit"], [("y = w*x",), ("y = w*x + b",)]),
    (FIT, ["--epochs geomspace:10:1000:5"], ["train.epochs"], [(10,), (32,), (100,), (316,), (1000,)]),
    (FIT, ["--epochs 1e1,2e1"], ["train.epochs"], [(10,), (20,)]),
    (FIT + "sweep: {train.seed: 0..1}\n", ["--lr 1,2"], ["train.seed", "train.lr"], [(0, 1), (0, 2), (1, 1), (1, 2)]),
    (FIT + "sweep: {train.lr: [5, 6, 7]}\n", ["--lr 1,2"], ["train.lr"], [(1,), (2,)]),
    (FIT + "sweep: {params.w: [5, 6]}\n", ["params.w.start=1,2"], ["params.w.start"], [(1,), (2,)]),
    (FIT + "sweep: {params.w: [5, 6]}\n", ["params.w.start=1"], [], [()]),
    (FIT + "sweep: {train.lr: [5]}\n", [], ["train.lr"], [(5,)]),
    (FIT + "sweep: {params.w.start: {uniform: [0, 1]}}\n", [], ["params.w.start"], [({"uniform": [0, 1]},)]),
    (
        FIT + "sweep: {train.lr: [1, 2], train.seed: [3, 4], zip: true}\n",
        [],
        ["train.lr", "train.seed"],
        [(1, 3), (2, 4)],
    ),
    (
        FIT + "sweep: {train.lr: [1, 1], train.seed: [3, 4], zip: true}\n",
        [],
        ["train.lr", "train.seed"],
        [(1, 3), (1, 4)],
    ),
]


@pytest.mark.parametrize(("text", "given_flags", "axes", "points"), POINTS, ids=[f"{f} {a}" for _, f, a, _ in POINTS])
def test_points(text: str, given_flags: list[str], axes: list[str], points: list[tuple[Any, ...]]) -> None:
    sweep = swept(text, *given_flags)
    assert (sweep.axes, sweep.points) == (axes, points)
    assert [type(value) for point in sweep.points for value in point] == [type(v) for point in points for v in point]
    assert sorted(index for group in sweep.groups for index in group.indices) == list(range(len(points)))
    assert sweep.settings(len(points) - 1) == dict(zip(axes, points[-1], strict=True))


# Flags over LINE, and the groups: where the points of each stand, and its numbers.
GROUPS: list[tuple[list[str], list[tuple[list[int], dict[str, list[float]]]]]] = [
    ([], [([0], {})]),
    (["--lr 1,2"], [([0, 1], {"train.lr": [1, 2]})]),
    (["--lr auto,1,2"], [([0], {}), ([1, 2], {"train.lr": [1, 2]})]),
    (
        ["--lr 1,2", "--seed 0,1", "--epochs 3,4"],
        [
            (
                [0, 1, 2, 3, 4, 5, 6, 7],
                {
                    "train.lr": [1, 1, 1, 1, 2, 2, 2, 2],
                    "train.seed": [0, 0, 1, 1, 0, 0, 1, 1],
                    "train.epochs": [3, 4, 3, 4, 3, 4, 3, 4],
                },
            )
        ],
    ),
    (["train.optimizer=sgd,adam", "train.lr=1,2"], [([0, 1], {"train.lr": [1, 2]}), ([2, 3], {"train.lr": [1, 2]})]),
    (["--lr 1,2", "train.optimizer=sgd,adam"], [([0, 2], {"train.lr": [1, 2]}), ([1, 3], {"train.lr": [1, 2]})]),
    (["train.optimizer.momentum=0,0.9"], [([0, 1], {"train.optimizer.momentum": [0, 0.9]})]),
    (
        ["train.optimizer.momentum=0,0.9", "train.optimizer=sgd,rmsprop"],
        [([0, 2], {"train.optimizer.momentum": [0, 0.9]}), ([1, 3], {"train.optimizer.momentum": [0, 0.9]})],
    ),
    (
        ["params.w=1,2", "params.b=3,{start: 4, min: 0}"],
        [([0, 2], {"params.w.start.value": [1, 2]}), ([1, 3], {"params.w.start.value": [1, 2]})],
    ),
    (["params.w=1,2", "params.w.fixed=true,false"], [([0], {}), ([1, 3], {"params.w.start.value": [1, 2]}), ([2], {})]),
    (["params.w.max=1,2"], [([0], {}), ([1], {})]),
    (["stop.patience=1,2"], [([0], {}), ([1], {})]),
    (["train.dtype=float64,float32"], [([0], {}), ([1], {})]),
    (
        ["train.optimizer.nesterov=false,true", "train.optimizer.momentum=0.8,0.9"],
        [([0, 1], {"train.optimizer.momentum": [0.8, 0.9]}), ([2, 3], {"train.optimizer.momentum": [0.8, 0.9]})],
    ),
]


@pytest.mark.parametrize(("given_flags", "groups"), GROUPS, ids=[" ".join(f) for f, _ in GROUPS])
def test_groups(given_flags: list[str], groups: list[tuple[list[int], dict[str, list[float]]]]) -> None:
    sweep = swept(LINE, *given_flags)
    assert [(group.indices, dict(group.trials.numbers)) for group in sweep.groups] == groups
    assert [group.trials.count for group in sweep.groups] == [len(indices) for indices, _ in groups]


def test_an_axis_of_lr_is_a_chosen_lr() -> None:
    """`regress` without a chosen lr scales its columns."""
    sweep = swept(REGRESS, "--lr auto,0.1,0.2")
    scales = [group.trials.experiment.model_dump()["data"]["scale"] for group in sweep.groups]
    assert scales == ["standard", "none"]
    assert [("train.lr" in group.trials.experiment.chosen) for group in sweep.groups] == [True, False]


def test_a_section_is_set_before_what_stands_in_it() -> None:
    overrides = [Override.of("train.optimizer.weight_decay", "0.5", "--set")]
    sweep = swept(FIT, "train.optimizer=sgd,adam", overrides=overrides)
    assert [group.trials.experiment.train.optimizer.weight_decay for group in sweep.groups] == [0.5, 0.5]
    sweep = swept(FIT, "train.optimizer.betas=[0.1, 0.2],[0.3, 0.4]", "train.optimizer=adam,adamw")
    optimizers = [group.trials.experiment.train.optimizer for group in sweep.groups]
    assert [(each.betas, each.name) for each in optimizers] == [
        ([0.1, 0.2], "adam"),
        ([0.1, 0.2], "adamw"),
        ([0.3, 0.4], "adam"),
        ([0.3, 0.4], "adamw"),
    ]


AXES = {
    "train.lr": st.lists(st.sampled_from(["auto", 1, 0.5, 1e-3]), min_size=2, unique=True),
    "train.seed": st.lists(st.integers(0, 2**62), min_size=2, max_size=3, unique=True),
    "train.epochs": st.lists(st.integers(0, 100), min_size=2, max_size=3, unique=True),
    "params.w.start": st.lists(st.sampled_from([1, 2.5, {"uniform": [0, 1]}]), min_size=2, unique_by=str),
    "params.b": st.lists(st.sampled_from([1, 2, {"start": 3, "fixed": True}, {"max": 9}]), min_size=2, unique_by=str),
    "train.optimizer": st.lists(
        st.sampled_from(["sgd", "rmsprop", {"name": "sgd", "nesterov": True}]), min_size=2, unique_by=str
    ),
    "train.optimizer.momentum": st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=2, unique=True),
    "loss": st.lists(st.sampled_from(["mse", "mae", {"name": "huber", "delta": 2}]), min_size=2, unique_by=str),
}


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_every_trial_is_what_loading_it_alone_gives(data: st.DataObject) -> None:
    axes = data.draw(st.lists(st.sampled_from(sorted(AXES)), min_size=1, max_size=3, unique=True))
    if "train.optimizer" in axes and "train.optimizer.momentum" not in axes:
        axes.append("train.optimizer.momentum")  # without it nesterov is refused
    sweep = load_sweep(
        "-", [], [AxisFlag.of_values(a, data.draw(AXES[a]), "--set") for a in axes], stdin=io.StringIO(LINE)
    )
    in_depth = sorted(range(len(axes)), key=lambda i: len(axes[i]))  # the optimizer before its momentum
    for group in sweep.groups:
        for s, index in enumerate(group.indices):
            point = sweep.points[index]
            lone = alone(LINE, [axes[i] for i in in_depth], [point[i] for i in in_depth])
            trial = group.trials.experiment_of(s)
            assert trial == lone
            assert (trial.chosen, trial.folder) == (lone.chosen, lone.folder)
            assert trial.tree.plain() == lone.tree.plain()
            assert dump(trial) == dump(lone)


def test_trials_taken_stand_for_themselves() -> None:
    trials = swept(LINE, "--lr 1,2,3", "params.b.start=4,5").groups[0].trials
    taken = trials.take([5, 0])
    assert (taken.count, taken.numbers) == (2, {"train.lr": [3, 1], "params.b.start.value": [5, 4]})
    assert [taken.experiment_of(s) for s in (0, 1)] == [trials.experiment_of(5), trials.experiment_of(0)]
    assert taken.experiment == trials.experiment_of(5)
    assert taken.of("train.lr") == [3, 1]
    assert taken.of("train.seed") is None


def test_a_plain_run_is_one_trial() -> None:
    experiment = load("-", stdin=io.StringIO(FIT))
    assert Trials(experiment).experiment_of(0) is experiment
    assert Trials(experiment).take([0, 0]) == Trials(experiment, {}, 2)


def test_what_is_shared_has_no_axes_and_what_is_declared_has() -> None:
    text = FIT + "name: mine\nsweep: {params.w: [1, 2]}\n"
    sweep = swept(text, "--lr 1e-3,1e-2", "--epochs 7", "--seed 0..9")
    assert sweep.experiment == load("-", stdin=io.StringIO(FIT + "name: mine\ntrain: {epochs: 7}\n"))
    again = swept(dump(sweep.declared))
    assert (again.axes, again.points) == (["params.w.start", "train.lr", "train.seed"], sweep.points)
    assert dump(again.declared) == dump(sweep.declared)


def test_what_is_declared_has_none_of_the_axes_that_flags_took_the_place_of() -> None:
    sweep = swept(FIT + "sweep: {params.w: [5, 6], train.lr: [1, 2]}\n", "params.w.start=1,2")
    declared = swept(dump(sweep.declared))
    assert (declared.axes, declared.points) == (sweep.axes, sweep.points)


def test_all_that_is_wrong_with_a_text_is_told_at_once() -> None:
    message = refused(FIT + "loss: mes\nsweep: {train.lr: [1, 012], train.seed: {range: [0]}}\n")
    assert [head.split("; ")[0] for head in heads(message)] == [
        "stdin:3:7: loss must be "
        "mse, half_sse, sse, mae, huber, logcosh, quantile, logistic, softmax, poisson or gamma, not the text 'mes'",
        "stdin:4:23: 012 has a leading zero",
        "stdin:4:49: range takes two ends",
    ]


def test_an_axis_may_complete_the_experiment() -> None:
    sweep = swept(DATA, "fit=y = w*x,y = w*x^2")
    assert [group.trials.experiment.fit for group in sweep.groups] == ["y = w*x", "y = w*x^2"]
    assert sweep.experiment.kind == "fit"


# Random points.

DRAWN = FIT + "sweep: {train.lr: {loguniform: [1e-3, 1]}, loss: [mse, mae], random: 5}\n"


def test_draws_are_of_the_seed_and_the_axis() -> None:
    sweep = swept(DRAWN)
    assert swept(DRAWN).points == sweep.points
    assert len(set(sweep.points)) == 5
    assert all(1e-3 <= lr <= 1 and loss in ("mse", "mae") for lr, loss in sweep.points)
    assert {loss for _, loss in sweep.points} == {"mse", "mae"}
    beside = swept(DRAWN, "params.w.start=uniform:0:1")
    assert [point[:2] for point in beside.points] == sweep.points
    apart = swept(FIT, "params.w.start=uniform:0:1", "train.lr=uniform:0:1", random=5).points
    assert all(start != lr for start, lr in apart)
    assert [point[:1] for point in swept(DRAWN, "loss=mae").points] == [point[:1] for point in sweep.points]
    assert swept(DRAWN, random=3).points == sweep.points[:3]
    other = swept(DRAWN, overrides=[Override.of("train.seed", "1", "--seed")])
    assert not set(other.points) & set(sweep.points)


def test_whole_numbers_are_drawn_whole() -> None:
    sweep = swept(FIT, "--epochs loguniform:1:1000", random=50)
    assert all(type(epochs) is int and 1 <= epochs <= 1000 for (epochs,) in sweep.points)
    assert sweep.groups[0].trials.count == 50


TWO = "zip pairs them: give each as many"
# A file, flags, what is said, and what the caret marks.
REFUSED: list[tuple[str, list[str], dict[str, Any], str, str]] = [
    (FIT, ["--lr -1,1"], {}, "--lr: lr must be a positive number or auto, not -1", "-1"),
    (FIT, ["--lr 1,2,-1,3"], {}, "--lr: lr must be a positive number or auto, not -1", "-1"),
    (FIT, ["--lr linspace:-1:1:3"], {}, "--lr: lr must be a positive number or auto, not -1.0", "linspace:-1:1:3"),
    (FIT, ["--lr 1,x"], {}, "--lr: lr must be a positive number or auto, not the text 'x'", "x"),
    (FIT, ["--lr 1,true"], {}, "--lr: lr must be a positive number or auto, not true", "true"),
    (FIT, ["--epochs 1,2.5,3"], {}, "--epochs: epochs must be a whole number, not 2.5", "2.5"),
    (FIT, ["--epochs 1,-1,3"], {}, "--epochs: epochs must be 0 or more, not -1", "-1"),
    (
        FIT,
        ["--lr 0.5..3"],
        {},
        "--lr: the ends of a range must be whole numbers; linspace takes any: as in linspace:0.5:3:6",
        "0.5..3",
    ),
    (FIT, ["--lr linspace:1:2:2.5"], {}, "--lr: the count must be a whole number of 1 or more, not 2.5", "2.5"),
    (
        FIT,
        ["train.optimizer=sgd,adan"],
        {},
        "--set: optimizer must be sgd, adam, adamw, nadam, radam, rmsprop, adagrad, rprop, lm, lbfgs, newton or auto, "
        "not the text 'adan'; "
        "did you mean adam?",
        "adan",
    ),
    (
        FIT,
        ["train.optimizer.nesterov=true", "train.optimizer.momentum=0.9,0"],
        {},
        "--set: nesterov needs a momentum above 0 and dampening 0; set momentum: 0.9",
        "true",
    ),
    (
        FIT,
        ["train.optimizer=sgd,adam", "train.optimizer.momentum=0,0.9"],
        {},
        "--set: adam takes no momentum; it is an option of sgd, rmsprop",
        "train.optimizer.momentum",
    ),
    (FIT, ["train.lrr=1,2"], {}, "--set: lrr is not a key of train; did you mean lr?", "train.lrr"),
    (FIT, ["a..b=1,2"], {}, "--set: 'a..b' is no key; write it like train.lr", ""),
    (FIT, ["params.v=1,2"], {}, "--set: fit has no parameter v; the parameters are w", "params.v"),
    (
        FIT + "params: {w: {start: 1, max: 2}}\n",
        ["params.w.start=1,3,0"],
        {},
        "--set: start must lie within min and max, -inf to 2",
        "3",
    ),
    (FIT, ["fit='y = w*x','y = w*(x'"], {}, "--set: this ( is not closed; close it", "("),
    (
        FIT,
        ["--lr 1,2", "--seed 0..2"],
        {"zipped": True},
        f"--seed: train.seed has 3 values, train.lr has 2 values; {TWO}",
        "0..2",
    ),
    (
        FIT,
        ["--lr loguniform:1e-3:1"],
        {},
        "--lr: loguniform draws the values of train.lr; say how many points: --random 20",
        "loguniform:1e-3:1",
    ),
    (
        FIT,
        ["--lr 1,2"],
        {"zipped": True, "random": 3},
        "--random: random draws points, zip pairs values; leave one of them out",
        "3",
    ),
    (FIT, ["--lr 1,2"], {"random": 0}, "--random: random must be 1 or more, not 0", "0"),
    (
        FIT,
        ["--lr linspace:1:2:2000", "--seed 0..999"],
        {},
        "--seed: the grid has 2,000,000 points, and a sweep at most 1,000,000; draw some of them: --random 1000",
        "0..999",
    ),
    (
        FIT,
        ["params.w=1,2", "params.w.start=3,4"],
        {},
        "--set: params.w.start is swept twice, also as params.w; give its values once",
        "params.w.start",
    ),
    (
        FIT,
        ["params.w.start=1,2", "params.w.start.normal=[0, 1],[0, 2]"],
        {},
        "--set: params.w.start.normal is swept twice, also as params.w.start; give its values once",
        "params.w.start.normal",
    ),
    (
        FIT,
        ["train.optimizer=adam,{name: sgd, momentum: 0.5}", "train.optimizer.momentum=0,1"],
        {},
        "--set: train.optimizer.momentum is swept twice, also as train.optimizer; give its values once",
        "train.optimizer.momentum",
    ),
    (FIT, ["--lr 1,2", "train.lr=3,4"], {}, "--set: train.lr is swept twice; give its values once", "train.lr"),
    (FIT, ["--lr 1,2", "train.lr=3"], {}, "--lr: train.lr is both set and swept; leave one of them out", "1,2"),
    (
        FIT,
        ["params.w=1", "params.w.start=3,4"],
        {},
        "--set: params.w.start is both set and swept; leave one of them out",
        "params.w.start",
    ),
    (FIT, ["name=a,b"], {}, "--set: name cannot be swept; one name stands for all trials", "name"),
    (FIT, ["predict=data,x.csv"], {}, "--set: predict cannot be swept; it does not change the training", "predict"),
    (FIT + "sweep: {train.lr: [1, -1]}\n", [], {}, "stdin:3:23: lr must be a positive number or auto, not -1", "-1"),
    (
        FIT + "sweep: {train.lrr: [1, 2]}\n",
        [],
        {},
        "stdin:3:9: lrr is not a key of train; did you mean lr?",
        "train.lrr",
    ),
    (
        FIT + "sweep: {lr: [1, 2]}\n",
        [],
        {},
        "stdin:3:9: lr is not a key of an experiment; lr belongs under train",
        "lr",
    ),
    (
        FIT + "sweep: {params.w: [1, 2], params.w.start: [3]}\n",
        [],
        {},
        "stdin:3:27: params.w.start is swept twice, also as params.w; give its values once",
        "params.w.start",
    ),
    (
        FIT + "sweep: {train.lr: [1, 2], loss: [mse], zip: true}\n",
        [],
        {},
        f"stdin:3:27: loss has 1 value, train.lr has 2 values; {TWO}",
        "loss",
    ),
    (
        FIT + "sweep: {loss: {choice: [mse]}}\n",
        [],
        {},
        "stdin:3:24: choice draws the values of loss; say how many points: --random 20",
        "[mse]",
    ),
    (
        FIT + "sweep: {sweep.zip: [true, false]}\n",
        [],
        {},
        "stdin:3:9: sweep.zip cannot be swept; a sweep holds no other",
        "sweep.zip",
    ),
]


@pytest.mark.parametrize(("text", "given_flags", "options", "head", "mark"), REFUSED, ids=[row[3] for row in REFUSED])
def test_refused(text: str, given_flags: list[str], options: dict[str, Any], head: str, mark: str) -> None:
    message = refused(text, *given_flags, **options)
    assert heads(message) == [head]
    assert (marked(message) if mark else "") == mark


@pytest.mark.parametrize("at", [0, 37, 99])
@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("train.lr", 0.1, 0.0),
        ("train.lr", 0.1, float("nan")),
        ("train.lr", 0.1, float("inf")),
        ("train.epochs", 7, 7.5),
        ("train.seed", 7, 2**63),
        ("params.w.start", 1, 2.5),
        ("train.optimizer.momentum", 0.5, -0.1),
    ],
)
def test_one_bad_number_among_a_hundred_is_found(key: str, good: float, bad: float, at: int) -> None:
    text = FIT + "params: {w: {start: 0, max: 2}}\n"
    values = [good + i / 1000 if isinstance(good, float) else i % 3 for i in range(100)]
    flag = AxisFlag.of_values(key, [*values[:at], bad, *values[at:]], key)
    with pytest.raises(UserError) as caught:
        load_sweep("-", [], [flag], stdin=io.StringIO(text))
    assert str(caught.value).startswith(f"{key}: ")


def test_a_grid_may_be_as_large_as_a_sweep() -> None:
    assert len(swept(FIT, f"--lr linspace:1:2:{MOST // 10}", "--seed 0..9").points) == MOST


# Where it comes from.


def located(sweep: Sweep) -> list[str]:
    """The path of each group's rows."""
    experiments = [group.trials.experiment for group in sweep.groups]
    return [each.locate(str(each.data.path)) for each in experiments if each.data]


def test_paths_of_flags_start_here_and_those_of_a_file_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text("fit: y = w*x\ndata: {path: a.csv}\nparams: {w: 1}\nsweep: {data.path: [a.csv, b.csv]}\n")
    assert located(load_sweep(path)) == [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    sweep = load_sweep(path, [], [AxisFlag.of("data.path", "a.csv,b.csv", "--set")])
    assert located(sweep) == [str(Path("a.csv").resolve()), str(Path("b.csv").resolve())]
    assert sweep.points == [("a.csv",), ("b.csv",)]


def test_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert usual_source() == (EXAMPLE, "the built-in example y = w*x")
    Path("gdtrain.yaml").write_text(FIT)
    assert usual_source() == ("gdtrain.yaml", "gdtrain.yaml")


def test_the_example_is_the_one_of_the_readme() -> None:
    linear = load(Path(__file__).parents[2] / "configs" / "linear.yaml")
    assert load({"name": "linear", **EXAMPLE}) == linear
