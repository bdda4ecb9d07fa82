"""Rows held out: what trains without them equals a run on a table of the other rows, whatever is learned from rows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gdtrain
from gdtrain.cli.process import run as command
from gdtrain.data.opening import open_data
from gdtrain.design import labels
from gdtrain.errors import DATA, UserError, UserErrors
from gdtrain.experiment.load import load
from gdtrain.experiment.split import Split
from gdtrain.problem.build import build_problem
from gdtrain.results import Result
from gdtrain.sources import Reading, open_source
from gdtrain.sources.inline import InlineSource

N, FOLDS = 61, 5
DRAW = np.random.default_rng(4)
X, Z = DRAW.normal(size=N), DRAW.uniform(1, 6, N)
ETA = 0.8 * X - 0.3 * Z + 0.5
TABLE: dict[str, Any] = {
    "x": X,
    "z": Z,
    "y": ETA + 0.4 * DRAW.normal(size=N),
    "label": (ETA + DRAW.normal(size=N) > 0).astype(float),
    "count": DRAW.poisson(np.exp(0.3 * ETA)).astype(float),
    "often": DRAW.integers(0, 4, N).astype(float),
    "city": DRAW.choice(np.array(["Oslo", "Rome", "Lima"]), N),
    "base": 0.1 * DRAW.normal(size=N),
    "error": DRAW.uniform(0.2, 0.6, N),
}


def fold_numbers(split: Mapping[str, Any], rows: int = N) -> np.ndarray:
    spec = Split.model_validate(dict(split))
    return labels.assign(spec, InlineSource({"x": [0.0]}, where="data"), {}, Reading()).start()({"x": np.zeros(rows)})


FOLD = fold_numbers({"folds": FOLDS, "seed": 3})
TABLE["fold"] = FOLD.astype(float)
TABLE["part"] = np.array([f"part {k}" for k in FOLD])
GAPPY = {**TABLE, "x": np.where(np.arange(N) % 7 == 2, np.nan, TABLE["x"])}

REGRESS: dict[str, Any] = {"regress": {"target": "y", "features": ["x", "z", "city"]}}
FIT: dict[str, Any] = {"fit": "y = a*x + b*z + c"}
# name -> experiment, table
PROBLEMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "regress mse": (REGRESS, TABLE),
    "regress mse, unscaled": ({**REGRESS, "data": {"scale": "none"}, "train": {"lr": 0.02}}, TABLE),
    "regress mse, minmax": ({**REGRESS, "data": {"scale": "minmax"}}, TABLE),
    "regress mse, weights": ({**REGRESS, "data": {"sample_weight": "often"}}, TABLE),
    "regress mse, known errors": ({**REGRESS, "data": {"sigma": "error"}}, TABLE),
    "regress mse, known errors, gaps filled": ({**REGRESS, "data": {"sigma": "error", "missing": "mean"}}, GAPPY),
    "regress mse, offset": ({**REGRESS, "data": {"offset": "base"}}, TABLE),
    "regress mse, gaps filled": ({**REGRESS, "data": {"missing": "mean"}}, GAPPY),
    "regress mse, gaps dropped": ({**REGRESS, "data": {"missing": "drop"}}, GAPPY),
    "regress half_sse, two targets": (
        {"regress": {"target": ["y", "base"], "features": ["x", "z"]}, "loss": "half_sse"},
        TABLE,
    ),
    "regress huber": ({**REGRESS, "loss": {"name": "huber", "delta": 0.3}, "data": {"sample_weight": "often"}}, TABLE),
    "regress huber, gaps filled, minmax": (
        {**REGRESS, "loss": "huber", "data": {"missing": "mean", "scale": "minmax", "sample_weight": "often"}},
        GAPPY,
    ),
    "regress logistic": ({"regress": {"target": "label", "features": ["x", "city"]}, "loss": "logistic"}, TABLE),
    "regress softmax": ({"regress": {"target": "city", "features": ["x", "z"]}, "loss": "softmax"}, TABLE),
    "regress poisson": ({"regress": {"target": "count", "features": ["x"]}, "loss": "poisson"}, TABLE),
    "regress with a penalty": ({**REGRESS, "penalty": {"l2": 0.1}}, TABLE),
    "regress, mini-batches": (
        {**REGRESS, "train": {"lr": 0.01, "batch_size": 8}, "data": {"scale": "standard"}},
        TABLE,
    ),
    "fit mse": (FIT, TABLE),
    "fit mse, weights": ({**FIT, "data": {"sample_weight": "often", "offset": "base"}}, TABLE),
    "fit mse, known errors": ({**FIT, "data": {"sigma": "error"}}, TABLE),
    "fit, not affine": ({"fit": "y = a*exp(b*x) + c*z", "train": {"lr": 0.01}}, TABLE),
    "fit logistic": ({"fit": "label = a*x + b*z", "loss": "logistic"}, TABLE),
    "fit mse, gaps filled": ({**FIT, "data": {"missing": "mean"}}, GAPPY),
}


def run(source: Mapping[str, Any], table: Mapping[str, Any], split: Mapping[str, Any] | None, **train: Any) -> Result:
    data = {**source.get("data", {}), **({} if split is None else {"split": dict(split)})}
    keys = {"epochs": 25, **source.get("train", {}), **train}
    return gdtrain.run({**source, "data": data, "train": keys}, data=dict(table), every=1)


def rows_of(table: Mapping[str, Any], kept: np.ndarray) -> dict[str, Any]:
    return {name: column[kept] for name, column in table.items()}


def weights_of(source: Mapping[str, Any], table: Mapping[str, Any]) -> np.ndarray:
    """How often each row counts."""
    data = source.get("data", {})
    if "sigma" in data:
        return np.square(np.reciprocal(np.asarray(table[data["sigma"]], dtype=np.float64)))
    return np.asarray(table[data["sample_weight"]]) if "sample_weight" in data else np.ones(N)


def kept_folds(source: Mapping[str, Any], table: Mapping[str, Any]) -> np.ndarray:
    """The fold of each row as folds are drawn: rows that are dropped are not counted."""
    if source.get("data", {}).get("missing") != "drop":
        return FOLD
    there, found = ~np.isnan(table["x"]), np.zeros(N, dtype=np.int64)
    found[there] = fold_numbers({"folds": FOLDS, "seed": 3}, int(there.sum()))
    return found


def assert_alike(left: Result, right: Result) -> None:
    assert left.recorded.values_KQ == pytest.approx(right.recorded.values_KQ, rel=1e-11, abs=1e-12)
    assert left.recorded.loss_K == pytest.approx(right.recorded.loss_K, rel=1e-11, abs=1e-13)
    assert left.params == pytest.approx(right.params, rel=1e-11, abs=1e-12)
    trained = {name: value for name, value in left.metrics.items() if isinstance(value, float)}
    assert trained == pytest.approx({name: right.metrics[name] for name in trained}, rel=1e-10)
    assert left.train["optimizer"] == right.train["optimizer"]
    assert left.train.get("lr", 0) == pytest.approx(right.train.get("lr", 0), rel=1e-10)


@pytest.mark.parametrize("engine", ["auto", "loop"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_fold_is_a_run_on_the_other_rows(name: str, engine: str) -> None:
    """Held out as a fold, by its number in a column, by its name in a column of text: the same as never having it."""
    source, table = PROBLEMS[name]
    fold = kept_folds(source, table)
    table = {**table, "fold": fold.astype(float), "part": np.array([f"part {k}" for k in fold])}
    k = 2
    alone = run(source, rows_of(table, fold != k), None, engine=engine)
    for split in (
        {"folds": FOLDS, "seed": 3, "fold": k},
        {"column": "fold", "test": k},
        {"column": "part", "test": f"part {k}"},
    ):
        held = run(source, table, split, engine=engine)
        assert_alike(held, alone)
        counted = ~np.isnan(table["x"]) if source.get("data", {}).get("missing") == "drop" else np.ones(N, bool)
        sizes = int(((fold != k) & counted).sum()), int(((fold == k) & counted).sum())
        assert (held.data["split"]["train"], held.data["split"]["held_out"]) == sizes


@pytest.mark.parametrize("engine", ["auto", "loop"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_held_out_loss_is_that_of_the_same_weights_on_the_held_out_rows(name: str, engine: str) -> None:
    """Told by a run of no epochs on the held-out rows alone, from the weights that were trained without them."""
    source, table = PROBLEMS[name]
    data = source.get("data", {})
    if data.get("missing") == "mean":  # its means are those of the rows that train
        trains = ~np.isnan(table["x"]) & (FOLD != 2)
        weight = weights_of(source, table)
        mean = float((table["x"] * weight)[trains].sum() / weight[trains].sum())
        filled = {**table, "x": np.where(np.isnan(table["x"]), mean, table["x"])}
    else:
        filled = table
    fold = kept_folds(source, table)
    held = run(source, table, {"folds": FOLDS, "seed": 3, "fold": 2}, engine=engine)
    there = {**source, "params": held.params, "data": {**data, "scale": "none"} if "regress" in source else data}
    levels = {"levels": {"city": ["Lima", "Oslo", "Rome"]}}
    if "regress" in there:
        there["regress"] = {**there["regress"], **levels}
    alone = run(there, rows_of(filled, fold == 2), None, epochs=0, lr=1e-9, engine=engine)
    assert held.loss["held_out"] == pytest.approx(alone.loss["initial"], rel=1e-10)
    assert held.recorded.held_K is not None and len(held.recorded.held_K) == len(held.recorded.loss_K)
    assert held.recorded.held_K[-1] == pytest.approx(held.loss["held_out"], rel=1e-12)
    assert held.recorded.held_K[0] == pytest.approx(held.loss["held_out_initial"], rel=1e-12)
    shown = {n: v for n, v in held.metrics["holdout"].items() if isinstance(v, float)}
    assert shown == pytest.approx({name: alone.metrics[name] for name in shown}, rel=1e-8)
    assert shown and "adjusted_r2" not in shown


TOLD = [
    *("regress mse", "regress mse, weights", "regress mse, gaps filled", "regress half_sse, two targets"),
    *("regress mse, known errors, gaps filled", "regress huber", "regress softmax", "regress poisson"),
    *("fit mse, weights", "fit mse, known errors", "fit, not affine"),
]


@pytest.mark.parametrize("engine", ["auto", "loop"])
@pytest.mark.parametrize("name", TOLD)
def test_standard_errors_are_those_of_the_rows_that_train(name: str, engine: str) -> None:
    """Where folds are held out in turn, of all rows."""
    source, table = PROBLEMS[name]
    split, train = {"folds": FOLDS, "seed": 3}, {"epochs": 200, "polish": True, "engine": engine}
    pairs = [
        (run(source, table, {**split, "fold": 2}, **train), run(source, rows_of(table, FOLD != 2), None, **train)),
        (run(source, table, split, **train), run(source, table, None, **train)),
    ]
    for held, alone in pairs:
        found, expected = held.uncertainty, alone.uncertainty
        assert found is not None and expected is not None
        assert found.refused == expected.refused == ""
        errors = {key: estimate.std_error for key, estimate in expected.estimates.items()}
        assert {key: one.std_error for key, one in found.estimates.items()} == pytest.approx(errors, rel=1e-7)
        assert found.numbers["dof"] == expected.numbers["dof"]


@pytest.mark.parametrize(
    ("stop", "remedy"),
    [({"restore": "best"}, "--polish in place of stop.restore: best goes there"), ({}, "--polish goes")],
)
def test_standard_errors_that_are_refused_tell_what_would_help(stop: dict[str, Any], remedy: str) -> None:
    short = run({**FIT, "stop": stop}, TABLE, {"folds": FOLDS, "seed": 3, "fold": 2}, epochs=3, optimizer="sgd")
    assert short.uncertainty is not None
    assert remedy in short.uncertainty.refused


@pytest.mark.parametrize("optimizer", ["lm", "lbfgs", "newton"])
def test_second_order_optimizers_hold_rows_out_too(optimizer: str) -> None:
    source = {"fit": "y = a*exp(b*x) + c*z", "stop": {"restore": "best"}}
    held = run(source, TABLE, {"folds": FOLDS, "seed": 3, "fold": 2}, optimizer=optimizer)
    alone = run(source, rows_of(TABLE, FOLD != 2), None, optimizer=optimizer)
    assert held.recorded.loss_K == pytest.approx(alone.recorded.loss_K, rel=1e-11)
    assert held.recorded.held_K is not None
    best = int(np.argmin(held.recorded.held_K))
    assert held.loss["held_out"] == pytest.approx(held.recorded.held_K[best], rel=1e-12)
    assert held.loss["final"] == pytest.approx(held.recorded.loss_K[best], rel=1e-12)


@pytest.mark.parametrize("name", ["regress mse", "regress huber", "regress mse, gaps filled", "fit mse, weights"])
def test_folds_in_turn_are_the_folds_one_by_one(name: str) -> None:
    source, table = PROBLEMS[name]
    crossed = run(source, table, {"folds": FOLDS, "seed": 3})
    assert_alike(crossed, run(source, table, None))
    assert crossed.folds is not None and crossed.data["split"]["held_out"] == 0
    sizes, losses = [], []
    for fold in crossed.folds["each"]:
        alone = run(source, table, {"folds": FOLDS, "seed": 3, "fold": fold["fold"]})
        assert fold["loss"] == pytest.approx({k: v for k, v in alone.loss.items() if k != "name"}, rel=1e-11)
        assert fold["params"] == pytest.approx(alone.params, rel=1e-10, abs=1e-12)
        assert fold["metrics"] == pytest.approx(alone.metrics["holdout"], rel=1e-9)
        assert (fold["verdict"], fold["epochs"]) == (alone.verdict.status, alone.epochs)
        assert (fold["rows"], fold["held_out"]) == (alone.data["split"]["train"], alone.data["split"]["held_out"])
        weight = weights_of(source, table)
        sizes.append(weight[fold["fold"] == FOLD].sum())
        losses.append(fold["loss"]["held_out"])
    assert crossed.loss["held_out"] == pytest.approx(np.average(losses, weights=sizes), rel=1e-12)
    assert crossed.folds["mean"]["loss"]["held_out"] == pytest.approx(np.mean(losses), rel=1e-12)
    assert crossed.folds["sd"]["loss"]["held_out"] == pytest.approx(np.std(losses, ddof=1), rel=1e-10)
    assert crossed.metrics["holdout"]["r2"] == pytest.approx(crossed.folds["mean"]["metrics"]["r2"])


def test_values_of_a_column_are_folds() -> None:
    by_number, by_text = (run(REGRESS, TABLE, {"column": column}) for column in ("fold", "part"))
    drawn = run(REGRESS, TABLE, {"folds": FOLDS, "seed": 3})
    for other in (by_number, by_text):
        assert other.folds is not None and drawn.folds is not None
        assert other.folds["count"] == FOLDS
        for k, (found, expected) in enumerate(zip(other.folds["each"], drawn.folds["each"], strict=True), start=1):
            assert found["value"] in (str(k), f"part {k}") and "value" not in expected
            assert found["params"] == pytest.approx(expected["params"], rel=1e-9)
        assert other.loss["held_out"] == pytest.approx(drawn.loss["held_out"], rel=1e-11)


def test_fold_0_trains_all_rows() -> None:
    assert_alike(run(REGRESS, TABLE, {"folds": 5, "fold": 0}), run(REGRESS, TABLE, None))


def test_the_column_of_a_split_predicts_nothing() -> None:
    table = {name: TABLE[name] for name in ("x", "z", "y", "fold", "part")}
    for column, test in (("fold", 1), ("part", "part 1")):
        mine = {name: values for name, values in table.items() if name not in {"fold", "part"} - {column}}
        found = run({"regress": {"target": "y"}}, mine, {"column": column, "test": test})
        assert list(found.params) == ["x", "z", "intercept"]


# How rows are drawn


@pytest.mark.parametrize("share", [0.01, 0.1, 0.2, 0.25, 0.3, 1 / 3, 0.49, 0.5, 0.7, 0.8, 0.99])
@pytest.mark.parametrize("rows", [1, 7, 100, 20_011])
def test_a_share_is_exact_and_evenly_spread(share: float, rows: int) -> None:
    held = fold_numbers({"holdout": share, "seed": 9}, rows)
    assert set(held.tolist()) <= {0, 1}
    for part in (rows, rows // 2, rows // 10):
        assert abs(held[:part].sum() - share * part) <= 1 + 1e-9


@pytest.mark.parametrize("folds", [2, 5, 10])
def test_folds_are_of_one_size_and_evenly_spread(folds: int) -> None:
    found = fold_numbers({"folds": folds}, 5_003)
    for part in (5_003, 500, 33):
        sizes = np.bincount(found[:part], minlength=folds + 1)
        assert sizes[0] == 0 and sizes[1:].max() - sizes[1:].min() <= 1


@pytest.mark.parametrize("split", [{"holdout": 0.3}, {"holdout": 0.9}, {"folds": 7}, {"holdout": 1e-9}])
def test_a_row_is_drawn_alike_however_rows_are_cut(split: dict[str, Any]) -> None:
    whole = fold_numbers(split, 50_000)
    assign = labels.assign(Split.model_validate(split), InlineSource({"x": [0.0]}, where="data"), {}, Reading()).start()
    cuts = [0, 1, 2, 40, 4_096, 20_000, 50_000]
    parts = [assign({"x": np.zeros(end - begin)}) for begin, end in itertools.pairwise(cuts)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_seeds_differ() -> None:
    for split in ({"holdout": 0.3}, {"folds": 4}):
        first, again, other = (fold_numbers({**split, "seed": seed}, 200) for seed in (1, 1, 2))
        assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_every_row_of_a_stratum_is_as_likely_to_be_held_out() -> None:
    """Strata of 0.3 hold 3, 3 and 4 rows. Of 400 seeds a share of 1/3 has a standard error of 0.024; of 30 rows the
    farthest stays within 4 of them.
    """
    often = np.mean([fold_numbers({"holdout": 0.3, "seed": seed}, 30) for seed in range(400)], axis=0)
    assert often == pytest.approx(np.tile([1 / 3] * 6 + [1 / 4] * 4, 3), abs=0.1)


# What is refused, and told


@pytest.mark.parametrize(
    ("split", "rows", "message"),
    [
        ({"holdout": 0.01}, 20, "of 20 rows none is held out; hold out more"),
        ({"holdout": 0.99}, 20, "of 20 rows none trains; hold out less"),
        ({"folds": 5}, 3, "of 3 rows none is held out; ask for fewer folds"),
        ({"column": "fold", "test": 17}, N, "of 61 rows none is held out; write a value that fold has in some rows"),
        ({"column": "part", "test": "part"}, N, "of 61 rows none is held out; write a value that part has"),
        ({"column": "one", "test": 1}, N, "of 61 rows none trains; write a value that one has in some rows"),
        ({"column": "one"}, N, "column one: every row holds 1: one fold is none"),
        ({"column": "row"}, 120, "column row: more than 100 different values are no folds; say which value"),
        ({"column": "row text"}, 120, "column row text: more than 100 different values are no folds; say which"),
    ],
)
@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_rows_that_are_not_there(split: dict[str, Any], rows: int, message: str, engine: str) -> None:
    many = {"row": np.arange(120.0), "row text": np.array([f"r{i}" for i in range(120)]), "one": np.ones(120)}
    table = {name: np.resize(column, rows) for name, column in {**TABLE, **many}.items()}
    with pytest.raises(UserError) as caught:
        run(REGRESS, table, split, engine=engine)
    assert message in str(caught.value) and caught.value.code == DATA


@pytest.mark.parametrize("split", [{"holdout": 0.5}, {"folds": 2}, {"column": "x", "test": 1}])
def test_one_row_is_not_split(split: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"of 1 row none .*; a split takes two rows or more"):
        run({"fit": "y = a*x"}, {"x": np.ones(1), "y": np.ones(1)}, split)


def test_a_weight_of_0_is_no_row_that_trains() -> None:
    table = {**TABLE, "often": np.where(FOLD == 2, 0.0, 1.0)}
    source = {**REGRESS, "data": {"sample_weight": "often"}}
    with pytest.raises(UserError, match="every row that is held out has a weight of 0"):
        run(source, table, {"column": "fold", "test": 2})


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"holdout": 0.2, "folds": 5}, "holdout and folds exclude each other"),
        ({"holdout": 0.2, "fold": 1}, "fold is one of several, and the rows are held out once"),
        ({"folds": 5, "fold": 6}, "there are 5 folds, and no 6; count from 1"),
        ({"folds": 5, "test": 1}, "test is a value of a column, and none is named"),
        ({"column": "fold", "seed": 1}, "a column draws nothing; leave seed out"),
        ({"seed": 1}, "split says nothing; write one of holdout, folds, column"),
        ({"holdout": 1}, "holdout must be below 1"),
        ({"folds": 1}, "folds must be 2 or more"),
        ({"column": "y", "test": 1}, "y is the target; name another column"),
        ({"column": "fould", "test": 1}, "there is no column fould; did you mean fold?"),
        ({"column": "fold", "fold": 9}, "there are 5 folds, and no 9; count from 1"),
    ],
)
def test_splits_that_say_nothing(split: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        run(REGRESS, TABLE, split)
    assert message in str(caught.value)


def test_minimize_holds_nothing_out() -> None:
    with pytest.raises(UserErrors, match="minimize has no split"):
        load({"minimize": "mean((x - a)^2)", "data": {"columns": {"x": [1, 2]}, "split": {"holdout": 0.5}}})


def test_few_held_out_rows_are_warned_of() -> None:
    table = rows_of(TABLE, np.arange(N) < 20)
    few = "fewer than 10 rows are held out at once: their loss says little"
    assert few in "\n".join(run(REGRESS, table, {"holdout": 0.2}).warnings)
    assert "\n".join(run(REGRESS, table, {"folds": 3}).warnings).count(few) == 1
    assert not run(REGRESS, TABLE, {"holdout": 0.2}).warnings


@pytest.mark.parametrize(
    ("kinds", "test", "lacking"),
    [
        ("abcbba", 2, ""),  # the rows held out hold no c, which is no concern of the weights
        ("abbcca", 2, "c"),
        ("abcbba", None, "ac"),  # where the first rows are held out, b alone trains
        ("abbcca", None, "abc"),
    ],
)
def test_a_class_that_no_row_that_trains_holds(kinds: str, test: int | None, lacking: str) -> None:
    table = {"x": [1.0, 2, 3, 4, 5, 6], "c": list(kinds), "f": [1, 1, 1, 2, 2, 1]}
    split: dict[str, Any] = {"data.split.column": "f"} | ({"data.split.test": test} if test else {})
    told = [each for each in gdtrain.regress(table, "c", ["x"], loss="softmax", **split).warnings if "holds" in each]
    what, remedy = "its weights grow without bound", "hold out other rows, or add a penalty"
    assert sorted(told) == [f"data, column c: no row that trains holds {c}: {what}; {remedy}" for c in lacking]


def test_rows_to_predict_are_filled_as_training_rows_are() -> None:
    source = {**FIT, "data": {"missing": "mean"}, "predict": "data"}
    held = run(source, GAPPY, {"column": "fold", "test": 2})
    trains = ~np.isnan(GAPPY["x"]) & (FOLD != 2)
    assert len(held.predictions) == N
    assert held.predictions[2].inputs["x"] == pytest.approx(GAPPY["x"][trains].mean(), rel=1e-14)


# Read once


def test_a_file_is_read_once_for_all_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        "x,z,y\n"
        + "".join(f"{a!r},{b!r},{c!r}\n" for a, b, c in zip(X.tolist(), Z.tolist(), TABLE["y"].tolist(), strict=True))
    )
    reads: list[int] = []
    source = open_source(path=str(path))
    blocks = type(source).blocks

    def counted(*args: Any, **more: Any) -> Any:
        reads.append(1)
        return blocks(*args, **more)

    monkeypatch.setattr(type(source), "blocks", counted)
    for split, loss, expected in (
        ({"folds": 5}, "mse", 1),
        ({"holdout": 0.2}, "mse", 1),
        ({"folds": 5}, "huber", 1),
        ({"column": "z", "test": 3}, "mse", 1),
    ):
        reads.clear()
        keys = {"regress": {"target": "y", "features": ["x"]}, "loss": loss}
        experiment = load({**keys, "data": {"path": str(path), "split": split}})
        try:
            problem = build_problem(experiment, open_data(experiment))
            for pose in problem.folds:
                pose()
        except UserError as error:
            assert "none is held out" in str(error)
        assert len(reads) == expected


# Patience and the best epoch


def overfitting(split: Mapping[str, Any] | None = None, **stop: Any) -> dict[str, Any]:
    """Few rows, many powers: the held-out loss falls, then rises."""
    powers = [f"x{i} = x^{i}" for i in range(1, 9)]
    data = {"scale": "standard", **({} if split is None else {"split": dict(split)})}
    keys = {"optimizer": {"name": "sgd", "momentum": 0.9}, "lr": 0.02, "epochs": 4000}
    return {"regress": {"target": "y", "features": powers}, "data": data, "train": keys, "stop": stop}


NOISY = {"x": np.linspace(-1, 1, 24), "y": np.sin(3 * np.linspace(-1, 1, 24)) + 0.5 * DRAW.normal(size=24)}
SPLIT = {"holdout": 0.5, "seed": 5}


@pytest.mark.parametrize("engine", ["exact", "loop"])
def test_patience_watches_the_held_out_loss(engine: str) -> None:
    whole = gdtrain.run(overfitting(SPLIT), data=NOISY, every=1, engine=engine)
    held = whole.recorded.held_K
    assert held is not None
    for patience, delta in ((20, 0.0), (7, 1e-4), (300, 0.0)):
        best, waited, expected = np.inf, 0, len(held) - 1
        for epoch, loss in enumerate(held.tolist()):
            best, waited = (loss, 0) if loss < best - delta else (best, waited + 1)
            if waited == patience:
                expected = epoch
                break
        assert expected < len(held) - 1
        stopped = gdtrain.run(
            overfitting(SPLIT, patience=patience, min_delta=delta), data=NOISY, every=1, engine=engine
        )
        assert (stopped.verdict.status, stopped.epochs) == ("stopped", expected)
        assert "no held-out loss lower" in stopped.verdict.detail
        restored = gdtrain.run(
            overfitting(SPLIT, patience=patience, min_delta=delta, restore="best"), data=NOISY, every=1, engine=engine
        )
        at = int(held[: expected + 1].argmin())
        assert (restored.epochs, restored.restored) == (expected, at) and at < expected
        assert restored.params == pytest.approx(dict(zip(whole.params, whole.recorded.values_KQ[at], strict=True)))
        assert restored.loss["held_out"] == pytest.approx(held[at], rel=1e-12)
        assert restored.loss["final"] == pytest.approx(whole.recorded.loss_K[at], rel=1e-12)
        assert restored.recorded.loss_K == pytest.approx(stopped.recorded.loss_K, rel=1e-12)
        assert f"the weights are those of epoch {at:,}, the best" in restored.verdict.detail
        assert restored.to_dict()["restored"] == {"epoch": at}


@pytest.mark.parametrize("engine", ["exact", "loop"])
def test_restore_without_patience_or_a_split_goes_by_the_objective(engine: str) -> None:
    source = {**overfitting(restore="best"), "train": {"lr": 0.05, "optimizer": {"name": "sgd", "momentum": 0.95}}}
    found = gdtrain.run(source, data=NOISY, epochs=37, every=1, engine=engine)
    at = int(found.recorded.loss_K.argmin())
    assert 0 < at < 37  # momentum swings
    assert (found.restored, found.loss["final"]) == (at, pytest.approx(found.recorded.loss_K[at], rel=1e-12))
    gradient = {p.name: p.gradient for p in found.parameters}
    alone = gdtrain.run(source, data=NOISY, epochs=at, every=1, engine=engine)
    assert gradient == pytest.approx({p.name: p.gradient for p in alone.parameters}, rel=1e-8, abs=1e-10)


def test_what_diverged_is_not_taken_back() -> None:
    source = {**overfitting(SPLIT, restore="best"), "train": {"lr": 3.0, "epochs": 2000}}
    found = gdtrain.run(source, data=NOISY)
    assert found.verdict.status == "diverged" and found.restored is None and "restored" not in found.to_dict()


@pytest.mark.parametrize("engine", ["exact", "loop"])
def test_a_trial_beside_others_is_restored_as_alone(engine: str) -> None:
    """Trials that end at different epochs, read at several, some of them dropped on the way."""
    rates, reads = [0.001, 0.01, 0.02, 0.05], [3, 40, 700, 2000]
    source = overfitting(SPLIT, patience=25, restore="best")
    swept = gdtrain.sweep(source, data=NOISY, lr=rates, epochs=reads, engine=engine)
    assert swept.rank_by == "loss.held_out" and len(swept.trials) == 16
    for trial in swept.trials:
        alone = gdtrain.run(
            source, data=NOISY, lr=trial.set["train.lr"], epochs=trial.set["train.epochs"], engine=engine
        )
        assert (trial.status, trial.epochs) == (alone.verdict.status, alone.epochs)
        assert trial.params == pytest.approx(alone.params, rel=1e-9)
        assert trial.loss == pytest.approx(alone.loss["final"], rel=1e-11)
        assert trial.held_out == pytest.approx(alone.loss["held_out"], rel=1e-11)
        assert trial.document().get("restored") == alone.to_dict().get("restored")
    held = [trial.held_out or 0.0 for trial in swept.trials]
    assert swept.best is not None and held[swept.best] == pytest.approx(min(held), rel=1e-12)


def test_starts_are_restored() -> None:
    source = {"fit": "y = a*sin(b*x)", "data": {"split": SPLIT}, "stop": {"restore": "best"}}
    found = gdtrain.sweep(source, data=NOISY, starts=6, epochs=200)
    assert all(trial.document()["restored"]["epoch"] <= 200 for trial in found.trials if trial.sound)


# Sweeps


def strengths(*values: float) -> dict[str, Any]:
    return {"penalty.l2": list(values)}


@pytest.mark.parametrize("loss", ["mse", "huber"])
def test_a_sweep_over_folds_ranks_by_the_mean_held_out_loss(loss: str) -> None:
    source = {**overfitting({"folds": 4}), "loss": loss, "stop": {}}
    swept = gdtrain.sweep(source, data=NOISY, epochs=150, **strengths(0.01, 0.1, 1.0))
    assert len(swept.trials) == 3 and swept.rank_by == "loss.held_out"
    for trial in swept.trials:
        alone = gdtrain.run(source, data=NOISY, epochs=150, **{"penalty.l2": trial.set["penalty.l2"]})
        assert alone.folds is not None
        assert trial.held_out == pytest.approx(alone.loss["held_out"], rel=1e-9)
        assert trial.held_out_sd == pytest.approx(alone.folds["sd"]["loss"]["held_out"], rel=1e-7)
        assert trial.params == pytest.approx(alone.params, rel=1e-8)
    held = [trial.held_out for trial in swept.trials]
    assert swept.order == sorted(range(3), key=lambda s: held[s] or 0.0)
    if loss == "mse":
        best = gdtrain.sweep(source, data=NOISY, epochs=150, rank_by="metrics.holdout.r2", **strengths(0.01, 1.0))
        r2 = [trial.document()["metrics"]["holdout"]["r2"] for trial in best.trials]
        assert best.order == sorted(range(2), key=lambda s: -r2[s])
    by_loss = gdtrain.sweep(source, data=NOISY, epochs=150, rank_by="loss", **strengths(1.0, 0.01))
    assert by_loss.order == [1, 0]
    assert swept.columns()[:6] == ["penalty.l2", "verdict", "epochs", "loss", "held_out", "held_out_sd"]
    assert swept.frame["held_out_sd"].to_list() == [trial.held_out_sd for trial in swept.trials]


def test_folds_may_be_an_axis() -> None:
    axis: dict[str, Any] = {"data.split.fold": [1, 2, 3]}
    swept = gdtrain.sweep({**REGRESS, "data": {"split": {"folds": 3}}}, data=TABLE, **axis)
    each = run(REGRESS, TABLE, {"folds": 3}, epochs=1000).folds
    assert each is not None
    assert [t.held_out for t in swept.trials] == pytest.approx([f["loss"]["held_out"] for f in each["each"]], rel=1e-9)


def test_a_kept_sweep_holds_what_was_held_out(tmp_path: Path) -> None:
    source = {**REGRESS, "data": {"split": {"folds": 3}}, "train": {"epochs": 20}}
    axes: dict[str, Any] = {"lr": [0.1, 0.2], "out": tmp_path / "kept"}
    first, again = (gdtrain.sweep(source, data=TABLE, **axes) for _ in range(2))
    assert (first.trained, again.trained) == (2, 0)
    assert [(t.held_out, t.held_out_sd) for t in again.trials] == [(t.held_out, t.held_out_sd) for t in first.trials]
    assert again.order == first.order


# The command line


@pytest.fixture
def table_csv(tmp_path: Path) -> str:
    path = tmp_path / "rows.csv"
    names = ["x", "z", "y", "part"]
    lines = [",".join(map(str, row)) for row in zip(*(TABLE[name] for name in names), strict=True)]
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return str(path)


def test_the_command_line_tells_both(table_csv: str, capsys: pytest.CaptureFixture[str]) -> None:
    regress = ["regress", table_csv, "--target", "y", "--features", "x,z", "--epochs", "30"]
    assert command([*regress, "--holdout", "0.2", "--format", "plain"]) == 0
    shown = capsys.readouterr().out
    assert "49 rows train, 12 are held out: loss" in shown and "held out" in shown.splitlines()[1]
    assert command([*regress, "--holdout", "0.2", "--get", "metrics.holdout.r2"]) == 0
    assert 0 < float(capsys.readouterr().out) < 1
    assert command([*regress, "--folds", "5", "--expect", "loss.held_out < 1", "--format", "md"]) == 0
    shown = capsys.readouterr().out
    assert "each of 5 folds is held out once" in shown and "### folds" in shown
    assert command([*regress, "--holdout", "0.2", "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("epoch,loss,held_out,x,z,intercept\n")
    assert command([*regress, "--set", "data.split.column=part", "--set", "data.split.test=part 3", "--get", "x"]) == 0


def test_check_counts_the_rows(table_csv: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rows.yaml"
    file.write_text("regress: {target: y, features: [x]}\ndata: {path: rows.csv, split: {folds: 2}}\n")
    assert command(["check", str(file), "--data"]) == 0
    shown = capsys.readouterr()
    assert "fold 1: 30 rows train, 31 held out" in shown.out + shown.err
