"""Regression on tables as people have them: text, gaps, scales, weights, offsets."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from gdtrain.errors import DATA, USAGE, UserError
from gdtrain.experiment.load import load
from gdtrain.results import Result
from gdtrain.train import train

RNG = np.random.default_rng(5)
N = 60
CITY = RNG.choice(["Rome", "London", "Paris"], N)
X, Z, OFFSET = RNG.uniform(1, 3, N), RNG.normal(0, 1, N), RNG.normal(0, 2, N)
FLAG = RNG.random(N) < 0.5
WEIGHT = RNG.integers(0, 4, N).astype(float)
Y = 1 + 2 * X - Z + np.where(CITY == "Paris", 3, 0) * Z + RNG.normal(0, 0.1, N)
TABLE = pl.DataFrame({"x": X, "city": CITY, "z": Z, "flag": FLAG, "off": OFFSET, "w": WEIGHT, "y": Y})

ENGINES = pytest.mark.parametrize("engine", ["exact", "loop"])
SCALES = pytest.mark.parametrize("scale", ["none", "standard", "minmax"])


def regress(
    frame: Any, features: str | Sequence[Any] = "*", *, data: dict[str, Any] | None = None, **more: Any
) -> Result:
    """A regression of y; keys of `regress` and of the top level by name."""
    beside = {key: more.pop(key) for key in ("intercept", "levels", "max_levels", "unseen") if key in more}
    train_keys = {key: more.pop(key) for key in ("lr", "epochs", "engine", "optimizer") if key in more}
    target = more.pop("target", "y")
    experiment: dict[str, Any] = {"regress": {"target": target, "features": features, **beside}, **more}
    experiment |= {"train": train_keys} | ({"data": data} if data else {})
    return train(load(experiment, framed=True), frame=frame)


def optimum(result: Result) -> dict[str, float]:
    """The least-squares solution that the summary tells."""
    assert result.curvature is not None
    found: dict[str, float] = result.curvature["optimum"]
    return found


def least_squares(columns: dict[str, np.ndarray], y: np.ndarray) -> dict[str, float]:
    solved = np.linalg.lstsq(np.column_stack(list(columns.values())), y, rcond=None)[0]
    return {name: float(weight) for name, weight in zip(columns, solved, strict=True)}


def number(value: float | dict[str, float] | None) -> float:
    assert isinstance(value, float)
    return value


def same(one: Result, other: Result, tolerance: float) -> None:
    assert one.params == pytest.approx(other.params, rel=tolerance, abs=tolerance)
    assert one.loss == {**other.loss, "final": pytest.approx(other.loss["final"], rel=tolerance, abs=tolerance),
                        "initial": pytest.approx(other.loss["initial"], rel=tolerance)}  # fmt: skip


# Designs

ONES = np.ones(N)
PARIS, ROME = (CITY == "Paris") * 1.0, (CITY == "Rome") * 1.0
DESIGNS: dict[str, tuple[list[Any], dict[str, np.ndarray]]] = {
    "indicators": (["x", "city"], {"x": X, "city[Paris]": PARIS, "city[Rome]": ROME}),
    "expression": (["log(x)", "x^2*z"], {"log(x)": np.log(X), "x^2*z": X**2 * Z}),
    "named": ([{"name": "ratio", "expr": "z/x"}, "flag"], {"ratio": Z / X, "flag": FLAG * 1.0}),
    "slopes": (["city*z"], {"city[Paris]": PARIS, "city[Rome]": ROME, "z": Z,
                            "city[Paris]:z": PARIS * Z, "city[Rome]:z": ROME * Z}),
    "nested": (["x:city"], {"x:city[London]": X * (1 - PARIS - ROME), "x:city[Paris]": X * PARIS,
                            "x:city[Rome]": X * ROME}),
    "booleans": (["flag", "flag:city"], {"flag": FLAG * 1.0, "flag:city[Paris]": FLAG * PARIS,
                                         "flag:city[Rome]": FLAG * ROME}),
}  # fmt: skip


@pytest.mark.parametrize(("features", "columns"), DESIGNS.values(), ids=DESIGNS)
@SCALES
def test_designs_are_numpys(features: list[Any], columns: dict[str, np.ndarray], scale: str) -> None:
    result = regress(TABLE, features, data={"scale": scale}, epochs=10, lr="auto")
    assert optimum(result) == pytest.approx(least_squares({**columns, "intercept": ONES}, Y), rel=1e-8, abs=1e-9)


def test_a_design_in_blocks_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = regress(TABLE, ["city*z", "log(x)"], epochs=50)
    monkeypatch.setattr("gdtrain.data.rows._BLOCK_NUMBERS", 1)
    monkeypatch.setattr("gdtrain.data.rows._LEAST_ROWS", 7)
    same(regress(TABLE, ["city*z", "log(x)"], epochs=50), whole, 1e-10)


def test_levels_and_their_reference() -> None:
    declared = regress(TABLE, ["city"], levels={"city": ["Rome", "London", "Paris"]}, epochs=1)
    assert list(declared.params) == ["city[London]", "city[Paris]", "intercept"]
    both = regress(TABLE, ["city", "flag"], intercept=False, epochs=1)
    assert list(both.params) == ["city[London]", "city[Paris]", "city[Rome]", "flag"]
    numbers = pl.DataFrame({"k": [4, 6, 4, 8], "y": [1.0, 2.0, 1.0, 5.0]})
    result = regress(numbers, ["k"], levels={"k": ["4", "6", "8"]}, epochs=1)
    assert optimum(result) == pytest.approx({"k[6]": 1.0, "k[8]": 4.0, "intercept": 1.0})


def test_everything_is_all_but_target_weight_and_offset() -> None:
    result = regress(TABLE, data={"sample_weight": "w", "offset": "off"}, epochs=1)
    assert list(result.params) == ["x", "city[Paris]", "city[Rome]", "z", "flag", "intercept"]


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"features": ["city", "cty"]}, USAGE, "there is no column cty; did you mean city?"),
    ({"features": ["log(zz)"]}, USAGE, "there is no column zz"),
    ({"features": ["log(x"]}, USAGE, "this ( is not closed"),
    ({"features": ["log(city)"]}, USAGE, "city is text, and log(city) calculates; write city alone, or a:city"),
    ({"features": ["log(y)"]}, USAGE, "y is the target"),
    ({"features": ["log(z)"]}, DATA, "log(z) is not finite (z = -"),
    ({"features": ["x", "x = z"]}, USAGE, "two features are called x"),
    ({"features": ["day"]}, DATA, "'2024-01-01' is a date, not a number"),
    ({"features": ["city"], "max_levels": 2}, DATA, "column city: the text has more than 2 different values"),
    ({"features": ["one"]}, USAGE, "one has one level only, a; leave it out"),
    ({"features": ["city"], "levels": {"city": ["Rome", "Paris"]}}, DATA, "'London' is no level of city"),
    ({"features": ["city"], "levels": {"town": ["Rome", "Paris"]}}, USAGE, "there is no column town"),
    ({"features": ["x"], "data": {"sample_weight": "ww"}}, USAGE, "there is no column ww; did you mean w?"),
    ({"features": ["x"], "data": {"sample_weight": "z"}}, DATA, "column z: a weight is negative, -"),
    ({"features": ["x"], "data": {"sample_weight": "nil"}}, DATA, "every weight is 0"),
    ({"features": ["x"], "data": {"sample_weight": "y"}}, USAGE, "y is the target; name another column"),
    ({"features": ["x", "gap"]}, DATA, "data, row 3, column gap: "),
    ({"features": ["x", "gap"], "target": "hole", "data": {"missing": "mean"}}, DATA, "row 2, column hole"),
    ({"features": ["text"], "data": {"missing": "mean"}}, DATA, "mean fills only numbers that predict"),
    ({"features": ["void"], "data": {"missing": "mean"}}, DATA, "column void: every cell is missing"),
    ({"features": ["void"], "data": {"missing": "drop"}}, DATA, "every row has a missing value"),
    ({"features": ["city"], "predict": [{"city": "Rom"}]}, USAGE, "Rom is no level of city; did you mean Rome?"),
    ({"features": ["x"], "predict": [{"x": "a"}]}, USAGE, "x must be a number, not the text 'a'"),
    ({"features": ["city"], "predict": [{"x": 1}]}, USAGE, "city is missing here; write city: TEXT"),
]


@pytest.mark.parametrize(("keys", "code", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_refused(keys: dict[str, Any], code: int, message: str) -> None:
    extra: dict[str, Any] = {
        "day": pl.Series([0] * N).cast(pl.Int32).cast(pl.Date) + pl.duration(days=19723),
        "one": pl.Series(["a"] * N),
        "nil": pl.Series([0.0] * N),
        "gap": pl.Series([1.0, 2.0, None, *X[3:]]),
        "hole": pl.Series([1.0, None, *X[2:]]),
        "text": pl.Series(["a", "b", None, *CITY[3:]]),
        "void": pl.Series([None] * N, dtype=pl.Float64),
    }
    frame = TABLE.with_columns(**extra)
    with pytest.raises(UserError) as caught:
        regress(frame, keys.pop("features"), **keys)
    assert message in str(caught.value)
    assert caught.value.code == code


# Missing values

HOLES = TABLE.with_columns(
    z=pl.when(pl.int_range(pl.len()).is_in([3, 10])).then(None).otherwise(pl.col("z")),
    city=pl.when(pl.int_range(pl.len()) == 20).then(None).otherwise(pl.col("city")),
    y=pl.when(pl.int_range(pl.len()) == 30).then(None).otherwise(pl.col("y")),
)


@ENGINES
def test_dropped_rows_might_never_have_been(engine: str) -> None:
    keys: dict[str, Any] = {"engine": engine, "epochs": 30}
    result = regress(HOLES, ["city", "z", "x"], data={"missing": "drop"}, predict="data", **keys)
    whole = regress(HOLES.drop_nulls(), ["city", "z", "x"], predict="data", **keys)
    same(result, whole, 1e-12)
    assert [p.inputs for p in result.predictions] == [p.inputs for p in whole.predictions]
    assert result.data["rows"] == N - 4
    assert result.data["missing"] == {
        "rule": "drop", "rows": 4, "columns": {"city": 1, "z": 2, "y": 1}, "first_rows": [4, 11, 21, 31],
    }  # fmt: skip
    sentence = "data: 4 of 60 rows have a missing value, dropped: 1 without city, 2 without z, 1 without y"
    assert f"{sentence} (rows 4, 11, 21, 31)" in result.warnings


@ENGINES
def test_filled_with_the_mean_of_what_counts(engine: str) -> None:
    gaps = HOLES.with_columns(city=TABLE["city"], y=TABLE["y"])
    there = np.setdiff1d(np.arange(N), [3, 10])
    for data, mean in (({}, Z[there].mean()), ({"sample_weight": "w"}, np.average(Z[there], weights=WEIGHT[there]))):
        result = regress(gaps, ["z", "x"], data={"missing": "mean", **data}, engine=engine, epochs=30)
        filled = gaps.with_columns(z=pl.col("z").fill_null(float(mean)))
        same(result, regress(filled, ["z", "x"], data={"scale": "standard", **data}, engine=engine, epochs=30), 1e-10)
        assert result.data["missing"]["rows"] == 2


@ENGINES
def test_a_level_of_dropped_rows_alone_is_none(engine: str) -> None:
    """Athens would be the reference, and a column of zeros beside the others."""
    city = np.where(np.arange(N) == 7, "Athens", CITY)
    gaps = TABLE.with_columns(
        city=pl.Series(city), z=pl.when(pl.int_range(pl.len()) == 7).then(None).otherwise(pl.col("z"))
    )
    keys: dict[str, Any] = {"engine": engine, "epochs": 30}
    result = regress(gaps, ["city", "z"], data={"missing": "drop"}, **keys)
    assert list(result.params) == ["city[Paris]", "city[Rome]", "z", "intercept"]
    same(result, regress(gaps.drop_nulls(), ["city", "z"], **keys), 1e-12)
    kept = regress(
        gaps, ["city", "z"], levels={"city": ["London", "Paris", "Rome", "Athens"]}, data={"missing": "drop"}
    )
    assert list(kept.params) == ["city[Paris]", "city[Rome]", "city[Athens]", "z", "intercept"]


def test_missing_words_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,city,y\n1,Rome,1\n-,Rome,2\n3,NA,3\n4,Oslo,4\n6,Oslo,7\n")
    experiment = {
        "regress": {"target": "y"},
        "data": {"path": str(path), "missing": "drop", "null_values": ["NA", "-"]},
        "train": {"epochs": 1},
    }
    result = train(load(experiment))
    assert list(result.params) == ["x", "city[Rome]", "intercept"]
    assert result.data["missing"]["columns"] == {"x": 1, "city": 1}
    experiment["data"] = {"path": str(path), "null_values": ["NA"]}
    with pytest.raises(UserError, match="line 3, column x: '-' stands for a missing value"):
        train(load(experiment))


def test_fit_drops_and_fills_too() -> None:
    experiment: dict[str, Any] = {"fit": "y = a*z + b", "train": {"epochs": 5, "lr": 0.1}}
    params = {"params": {"a": 0.0, "b": 0.0}}
    dropped = train(load({**experiment, **params, "data": {"missing": "drop"}}, framed=True), frame=HOLES)
    whole = HOLES.drop_nulls(["z", "y"])
    same(dropped, train(load({**experiment, **params}, framed=True), frame=whole), 1e-12)
    with pytest.raises(UserError, match="row 31, column y"):
        train(load({**experiment, **params, "data": {"missing": "mean"}}, framed=True), frame=HOLES)


# Scales


@SCALES
@pytest.mark.parametrize("intercept", [True, False])
def test_scales_tell_the_same_model(scale: str, intercept: bool) -> None:
    keys: dict[str, Any] = {"intercept": intercept, "predict": "data", "epochs": 1_000_000}
    result = regress(TABLE, ["x", "city:z"], data={"scale": scale}, **keys)
    plain = regress(TABLE, ["x", "city:z"], data={"scale": "none"}, **keys)
    assert result.params == pytest.approx(plain.params, rel=1e-8)
    after = [prediction.after for prediction in result.predictions]
    assert after == pytest.approx([prediction.after for prediction in plain.predictions], rel=1e-8)
    scaled = {parameter.name: parameter.scaled for parameter in result.parameters}
    if scale == "minmax":  # b*x = b*(max - min) * x'
        spread = X.max() - X.min() if intercept else X.max()
        assert scaled["x"] == pytest.approx(result.params["x"] * spread)
    assert (scaled["x"] is None) == (scale == "none")


@SCALES
def test_engines_agree_on_a_scale(scale: str) -> None:
    keys: dict[str, Any] = {"data": {"scale": scale, "sample_weight": "w", "offset": "off"}, "epochs": 40, "lr": 0.05}
    walked = regress(TABLE, ["x", "city*z"], engine="loop", **keys)
    same(regress(TABLE, ["x", "city*z"], engine="exact", **keys), walked, 1e-9)


# Weights and offsets

LOSSES = pytest.mark.parametrize("loss", ["mse", "half_sse", "sse", "mae", "huber"])
REPEATED = TABLE[np.repeat(np.arange(N), WEIGHT.astype(int)).tolist()]


@LOSSES
@SCALES
@ENGINES
def test_a_weight_is_a_row_repeated(loss: str, scale: str, engine: str) -> None:
    if engine == "exact" and loss in ("mae", "huber"):
        engine = "auto"
    keys: dict[str, Any] = {"loss": loss, "engine": engine, "epochs": 25, "lr": 1e-4}
    weighted = regress(TABLE, ["x", "city*z"], data={"scale": scale, "sample_weight": "w"}, **keys)
    same(weighted, regress(REPEATED, ["x", "city*z"], data={"scale": scale}, **keys), 1e-10)


@LOSSES
@ENGINES
def test_weights_in_fit(loss: str, engine: str) -> None:
    if engine == "exact" and loss in ("mae", "huber"):
        engine = "auto"
    experiment: dict[str, Any] = {
        "fit": "y = a*x + b*z", "params": {"a": 0.5, "b": 0.1}, "loss": loss,
        "train": {"epochs": 25, "lr": 1e-4, "engine": engine},
    }  # fmt: skip
    weighted = train(load({**experiment, "data": {"sample_weight": "w"}}, framed=True), frame=TABLE)
    same(weighted, train(load(experiment, framed=True), frame=REPEATED), 1e-10)


def test_weights_with_several_targets() -> None:
    keys: dict[str, Any] = {"target": ["y", "z"], "epochs": 20, "lr": 1e-2}
    for engine in ("exact", "loop"):
        data = {"sample_weight": "w", "offset": "off", "scale": "none"}
        weighted = regress(TABLE, ["x"], data=data, engine=engine, **keys)
        shifted = REPEATED.with_columns(y=pl.col("y") - pl.col("off"), z=pl.col("z") - pl.col("off"))
        same(weighted, regress(shifted, ["x"], engine=engine, **keys), 1e-10)


@LOSSES
@ENGINES
def test_an_offset_is_taken_off_the_target(loss: str, engine: str) -> None:
    if engine == "exact" and loss in ("mae", "huber"):
        engine = "auto"
    keys: dict[str, Any] = {"loss": loss, "engine": engine, "epochs": 25, "lr": 1e-4, "predict": "data"}
    result = regress(TABLE, ["x", "city"], data={"offset": "off"}, **keys)
    shifted = TABLE.with_columns(y=pl.col("y") - pl.col("off"))
    plain = regress(shifted, ["x", "city"], **keys)
    same(result, plain, 1e-10)
    for one, other, off in zip(result.predictions, plain.predictions, OFFSET, strict=True):
        assert one.after == pytest.approx(number(other.after) + off)
        assert one.inputs["off"] == off
    experiment: dict[str, Any] = {
        "fit": "y = a*x + b", "params": {"a": 0.5, "b": 0.1}, "loss": loss, "predict": [{"x": 2.0, "off": 3.0}],
        "train": {"epochs": 25, "lr": 1e-4, "engine": engine},
    }  # fmt: skip
    fitted = train(load({**experiment, "data": {"offset": "off"}}, framed=True), frame=TABLE)
    experiment["predict"] = [{"x": 2.0}]
    bare = train(load(experiment, framed=True), frame=shifted)
    same(fitted, bare, 1e-10)
    assert fitted.predictions[0].after == pytest.approx(number(bare.predictions[0].after) + 3)


@ENGINES
def test_order_does_not_matter(engine: str) -> None:
    keys: dict[str, Any] = {"data": {"sample_weight": "w"}, "engine": engine, "epochs": 200, "lr": 0.05}
    result = regress(TABLE, ["x", "city", "z"], **keys)
    shuffled = TABLE.sample(fraction=1, shuffle=True, seed=1)
    same(regress(shuffled, ["x", "city", "z"], **keys), result, 1e-10)
    permuted = regress(TABLE, ["city", "z", "x"], **keys)
    assert list(permuted.params) != list(result.params)
    same(permuted, result, 1e-10)


# Predictions


def test_points_and_files_to_predict(tmp_path: Path) -> None:
    table, new = tmp_path / "a.csv", tmp_path / "new.csv"
    TABLE.write_csv(table)
    new.write_text("city,flag,x\nParis,true,2\nRome,false,1.5\nOslo,false,1.5\n")
    spec: dict[str, Any] = {"target": "y", "features": ["city", "log(x)", "flag"]}
    experiment: dict[str, Any] = {
        "regress": spec,
        "data": {"path": str(table)},
        "train": {"epochs": 10},
        "predict": str(new),
    }
    with pytest.raises(UserError, match=r"line 4, column city: 'Oslo' is no level of city; the levels are London"):
        train(load(experiment))
    spec["unseen"] = "reference"
    result = train(load(experiment))
    w = result.params
    expected = [
        w["city[Paris]"] + w["log(x)"] * math.log(2) + w["flag"],
        w["city[Rome]"] + w["log(x)"] * math.log(1.5),
        w["log(x)"] * math.log(1.5),
    ]
    assert [p.after for p in result.predictions] == pytest.approx([e + w["intercept"] for e in expected])
    assert result.predictions[0].inputs == {"city": "Paris", "x": 2.0, "flag": 1.0}
    json.dumps(result.to_dict())
    experiment["predict"] = [{"city": "Oslo", "x": 1.5, "flag": 0}, {"city": "Paris", "x": 2.0, "flag": 1}]
    points = train(load(experiment))
    assert [p.after for p in points.predictions] == [result.predictions[2].after, result.predictions[0].after]
    assert points.predictions[0].inputs == {"city": "Oslo", "x": 1.5, "flag": 0.0}


def test_gaps_in_rows_to_predict(tmp_path: Path) -> None:
    table, new = tmp_path / "a.csv", tmp_path / "new.csv"
    table.write_text("x,y\n1,1\n,4\n3,3\n")
    new.write_text("x,q\n,1\n4,1\n")
    experiment: dict[str, Any] = {
        "regress": {"target": "y"}, "data": {"path": str(table), "missing": "mean"}, "predict": str(new),
    }  # fmt: skip
    result = train(load({**experiment, "train": {"epochs": 10}}))
    assert [p.inputs["x"] for p in result.predictions] == [2.0, 4.0]
    experiment["data"]["missing"] = "drop"
    with pytest.raises(UserError, match="line 2, column x: the cell is empty; a row to predict is not dropped"):
        train(load(experiment))


def test_rows_without_inputs_are_counted(tmp_path: Path) -> None:
    new = tmp_path / "new.csv"
    new.write_text("name,x\nann,1\n,2\n")
    result = regress(TABLE, [], predict=str(new), epochs=100)
    assert [p.after for p in result.predictions] == pytest.approx([float(Y.mean())] * 2)


def test_a_target_of_text_is_codes_where_the_loss_takes_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """No loss of residuals does; taken for one, `no` is 0 and `yes` is 1."""
    monkeypatch.setattr("gdtrain.data.texts.LABELLED", frozenset(["mse"]))
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0], "answer": ["no", "yes", "yes"]})
    result = regress(frame, ["x"], target="answer", epochs=1)
    numbers = frame.with_columns(answer=pl.Series([0.0, 1.0, 1.0]))
    same(result, regress(numbers, ["x"], target="answer", epochs=1), 1e-12)
