"""The Python API: files, dicts and lines; data as a dict, a polars or a pandas frame."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest

import gdtrain
from gdtrain.results import Result

REPOSITORY = Path(__file__).resolve().parents[1]

# Four points whose least squares line through the origin has w = (1*2 + 2*4 + 3*6.5 + 4*8) / 30 = 2.05.
COLUMNS = {"x": [1.0, 2.0, 3.0, 4.0], "y": [2.0, 4.0, 6.5, 8.0]}
W = 2.05
TEXT = """\
fit: y = w*x
data: {columns: {x: [1, 2, 3, 4], y: [2, 4, 6.5, 8]}}
params: {w: 0.0}
train: {lr: 0.01, epochs: 20}
"""
# y = w*x from 0 with lr 0.01: each epoch takes 0.15 of what is missing of 2.05.
AFTER_20 = W * (1 - 0.85**20)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "line.yaml"
    path.write_text(TEXT)
    return path


def test_a_file(file: Path) -> None:
    for source in (file, str(file)):
        result = gdtrain.run(source)
        assert isinstance(result, Result)
        assert result.params["w"] == pytest.approx(AFTER_20, rel=1e-12)
        assert (result.name, result.verdict.status, result.epochs) == ("line", "max_epochs", 20)


def test_a_dict_is_the_file_that_says_the_same(file: Path) -> None:
    source = {
        "name": "line",
        "fit": "y = w*x",
        "data": {"columns": COLUMNS},
        "params": {"w": 0.0},
        "train": {"lr": 0.01, "epochs": 20},
    }
    found, expected = gdtrain.run(source).to_dict(), gdtrain.run(file).to_dict()
    del found["timing"], expected["timing"]
    assert found == expected


def test_a_dict_is_left_as_it_was() -> None:
    source: dict[str, Any] = {"solve": "x + 1 = 3", "params": {"x": 0.0}}
    gdtrain.run(source, lr=0.5, epochs=1)
    assert source == {"solve": "x + 1 = 3", "params": {"x": 0.0}}


OVERRIDES: list[tuple[dict[str, Any], Callable[[Result], Any], Any]] = [
    ({"epochs": 3}, lambda r: r.epochs, 3),
    ({"epochs": 1e1}, lambda r: r.epochs, 10),
    ({"lr": 1 / 15, "epochs": 1}, lambda r: r.params["w"], pytest.approx(W)),
    ({"optimizer": "adam"}, lambda r: r.train["optimizer"]["name"], "adam"),
    ({"optimizer": {"name": "sgd", "momentum": 0.9}}, lambda r: r.train["optimizer"]["momentum"], 0.9),
    ({"loss": "mae"}, lambda r: r.loss["name"], "mae"),
    ({"seed": 7}, lambda r: r.seed, 7),
    ({"dtype": "float32"}, lambda r: r.dtype, "float32"),
    ({"engine": "loop"}, lambda r: r.engine["reason"], "asked for"),
    ({"params": {"w": 5.0}}, lambda r: r.recorded.values_KQ[0, 0], 5.0),
    ({"params.w.start": 4.0}, lambda r: r.recorded.values_KQ[0, 0], 4.0),
    ({"predict": [{"x": 10}]}, lambda r: r.predictions[0].after, pytest.approx(10 * AFTER_20)),
    ({"predict": "data"}, lambda r: [p.target for p in r.predictions], COLUMNS["y"]),
    ({"stop": {"grad_tol": 0.5}}, lambda r: r.verdict.status, "converged"),
    ({"name": "other"}, lambda r: r.name, "other"),
    ({"seed": None, "lr": None}, lambda r: r.seed, 0),  # None is no override
]


@pytest.mark.parametrize(("overrides", "quantity", "expected"), OVERRIDES)
def test_overrides(overrides: dict[str, Any], quantity: Callable[[Result], Any], expected: Any, file: Path) -> None:
    assert quantity(gdtrain.run(file, **overrides)) == expected


FRAMES: dict[str, Callable[[dict[str, list[float]]], Any]] = {
    "dict of lists": dict,
    "dict of arrays": lambda columns: {name: np.array(column) for name, column in columns.items()},
    "dict of tuples": lambda columns: {name: tuple(column) for name, column in columns.items()},
    "dict of series": lambda columns: {name: polars.Series(column) for name, column in columns.items()},
    "polars": polars.DataFrame,
    "pandas": pandas.DataFrame,
    "pandas with an index of its own": lambda columns: pandas.DataFrame(columns, index=[9, 7, 5, 3]),
    "integers": lambda columns: polars.DataFrame(columns).with_columns(polars.col("x").cast(polars.Int8)),
    "float32": lambda columns: {name: np.array(column, dtype=np.float32) for name, column in columns.items()},
}
all_frames = pytest.mark.parametrize("frame", FRAMES.values(), ids=[*FRAMES])


@all_frames
def test_fit_takes_data_of_any_make(frame: Callable[..., Any]) -> None:
    result = gdtrain.fit("y = w*x", frame(COLUMNS))
    assert result.verdict.status == "converged"
    assert result.params == pytest.approx({"w": W})
    assert result.data == {"rows": 4, "columns": ["x", "y"]}


@all_frames
def test_regress_takes_data_of_any_make(frame: Callable[..., Any]) -> None:
    result = gdtrain.regress(frame(COLUMNS), "y", intercept=False)
    assert result.params == pytest.approx({"x": W})


def test_frames_stand_in_for_the_data_of_a_file(file: Path) -> None:
    result = gdtrain.run(file, data=polars.DataFrame({"x": [1.0, 1.0], "y": [3.0, 5.0]}), lr=0.5, epochs=1)
    assert result.params == pytest.approx({"w": 4.0})
    assert result.data["rows"] == 2


def test_data_is_left_as_it_was() -> None:
    frame = pandas.DataFrame({"x": [1.0, 2.0], "y": [2.0, 5.0]})
    before = frame.copy()
    gdtrain.regress(frame, "y")
    pandas.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("kind", [str, Path])
def test_data_may_be_a_path(kind: type, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    polars.DataFrame(COLUMNS).write_csv(path)
    assert gdtrain.fit("y = w*x", kind(path)).params == pytest.approx({"w": W})


def test_a_relative_path_starts_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "line.yaml").write_text(TEXT)
    polars.DataFrame({"x": [1.0], "y": [5.0]}).write_csv(tmp_path / "points.csv")
    monkeypatch.chdir(tmp_path)
    assert gdtrain.run("sub/line.yaml", data="points.csv", lr=0.5, epochs=1).params == pytest.approx({"w": 5.0})


# The kinds


def test_solve() -> None:
    assert gdtrain.solve("x + 1 = 3").params == pytest.approx({"x": 2.0})
    result = gdtrain.solve(["x + y = 3", "x - y = 1"])
    assert result.params == pytest.approx({"x": 2.0, "y": 1.0})
    assert [equation.text for equation in result.equations] == ["x + y = 3", "x - y = 1"]


def test_minimize() -> None:
    assert gdtrain.minimize("(1 - x)^2 + (y - 2)^2").params == pytest.approx({"x": 1.0, "y": 2.0})
    over_data = gdtrain.minimize("mean((a - x)^2)", data={"x": [1.0, 2.0, 6.0]})
    assert over_data.params == pytest.approx({"a": 3.0})


def test_regress() -> None:
    """y = 2a - b + 3, z = a; features left out are all columns, text too."""
    frame = polars.DataFrame(
        {"a": [1.0, 2.0, 4.0, 3.0], "b": [0.0, 1.0, 1.0, 3.0], "word": ["p", "q", "r", "s"]}
    ).with_columns(y=2 * polars.col("a") - polars.col("b") + 3, z=polars.col("a"))
    one = gdtrain.regress(frame, "y", ["a", "b"], epochs=5000)
    assert one.params == pytest.approx({"a": 2.0, "b": -1.0, "intercept": 3.0}, abs=1e-6)
    assert gdtrain.regress(frame.drop("z"), "y").data["columns"] == ["a", "b", "word", "y"]
    two = gdtrain.regress(frame, ["y", "z"], ["a", "b"], epochs=5000)
    assert two.params["z.a"] == pytest.approx(1.0, abs=1e-6)
    assert set(two.params) == {f"{t}.{f}" for t in "yz" for f in ("a", "b", "intercept")}


def test_grad() -> None:
    (found,) = gdtrain.grad("w*x + b", {"x": 2.0, "w": 3.0, "b": 4.0}, wrt=["w", "b"]).passes
    assert found.value == 10.0
    assert found.derivatives == {"w": 2.0, "b": 1.0}


# Sweeps

# w after 20 epochs with lr: 2.05 * (1 - (1 - 15*lr)^20).
SWEPT: list[tuple[Any, list[Any]]] = [
    ([0.001, 0.01], [0.001, 0.01]),
    ((0.001, 0.01), [0.001, 0.01]),
    (np.array([0.001, 0.01]), [0.001, 0.01]),
    (np.geomspace(0.001, 0.1, 3), [0.001, 0.01, 0.1]),
    ("geomspace:0.001:0.1:3", [0.001, 0.01, 0.1]),
    ({"linspace": [0.01, 0.03, 3]}, [0.01, 0.02, 0.03]),
    (polars.Series([0.001, 0.01]), [0.001, 0.01]),
]


@pytest.mark.parametrize(("rates", "expected"), SWEPT, ids=lambda value: type(value).__name__)
def test_sweep_takes_values_of_any_make(rates: Any, expected: list[float], file: Path) -> None:
    result = gdtrain.sweep(file, lr=rates)
    assert result.axes == ["train.lr"]
    assert [trial.set["train.lr"] for trial in result.trials] == pytest.approx(expected)
    for trial, lr in zip(result.trials, expected, strict=True):
        assert trial.params["w"] == pytest.approx(W * (1 - (1 - 15 * lr) ** 20))
    assert result.best == int(np.argmin([abs(1 - 15 * lr) for lr in expected]))


def test_sweep_over_ranges_and_keys(file: Path) -> None:
    starts: dict[str, Any] = {"params.w.start": [0.0, W]}
    result = gdtrain.sweep(file, epochs=range(1, 4), **starts)
    assert [tuple(trial.set.values()) for trial in result.trials] == [(k, w) for k in (1, 2, 3) for w in (0.0, W)]
    assert result.trials[4].params["w"] == pytest.approx(W * (1 - 0.85**3))
    paired = gdtrain.sweep(file, lr=[0.01, 0.02], epochs=[1, 2], zip=True)
    assert [trial.set for trial in paired.trials] == [
        {"train.lr": 0.01, "train.epochs": 1},
        {"train.lr": 0.02, "train.epochs": 2},
    ]


def test_sweep_draws_points(file: Path) -> None:
    axes: dict[str, Any] = {"lr": {"loguniform": [1e-3, 1e-2]}, "optimizer": {"choice": ["sgd", "adam"]}}
    first, again = (gdtrain.sweep(file, random=8, **axes) for _ in range(2))
    assert first.frame.equals(again.frame)
    assert {trial.set["train.optimizer"] for trial in first.trials} == {"sgd", "adam"}
    assert not first.frame.equals(gdtrain.sweep(file, random=8, seed=1, **axes).frame)


@all_frames
def test_sweep_takes_data_of_any_make(frame: Callable[..., Any]) -> None:
    data = frame(COLUMNS)
    result = gdtrain.sweep({"fit": "y = w*x"}, data=data, lr=[0.01, 0.05], optimizer=["sgd", "adam"])
    assert result.trials[2].params == pytest.approx({"w": W})
    assert {trial.document()["data"]["rows"] for trial in result.trials} == {4}


def test_sweep_as_a_frame(file: Path) -> None:
    frame = gdtrain.sweep(file, lr=[0.01, 10.0], epochs=[20, 2000]).frame
    assert frame.columns == ["train.lr", "train.epochs", "verdict", "epochs", "loss", "w"]
    assert frame["verdict"].to_list() == ["max_epochs", "converged", "diverged", "diverged"]
    assert frame["w"][0] == pytest.approx(AFTER_20)
    assert frame.schema["train.epochs"] == polars.Int64


def test_sweep_ranks_by_what_is_asked(file: Path) -> None:
    starts: dict[str, Any] = {"params.w.start": [0.0, W, 5.0]}
    assert gdtrain.sweep(file, **starts).order == [1, 0, 2]  # 5 is farther from 2.05 than 0
    assert gdtrain.sweep(file, rank_by="w", **starts).order == [0, 1, 2]
    assert gdtrain.sweep(file, rank_by="-w", **starts).order == [2, 1, 0]
    top = gdtrain.sweep(file, rank_by="-w", top=1, **starts).to_dict()
    assert [trial["set"]["params.w.start"] for trial in top["trials"]] == [5.0]
    assert (top["count"], top["best"]) == (3, 0)


def test_sweep_into_a_folder(file: Path, tmp_path: Path) -> None:
    first = gdtrain.sweep(file, lr=[0.01, 0.02], out=tmp_path / "out")
    more = gdtrain.sweep(file, lr=[0.01, 0.02, 0.03], out=str(tmp_path / "out"))
    assert (first.trained, more.trained) == (2, 1)
    assert [trial.to_dict() for trial in more.trials][:2] == [trial.to_dict() for trial in first.trials]
    frame = {"x": [1.0, 2.0], "y": [2.0, 4.0]}
    assert gdtrain.sweep(file, data=frame, lr=[0.01, 0.02], out=tmp_path / "out").trained == 2
    assert gdtrain.sweep(file, data=pandas.DataFrame(frame), lr=[0.01, 0.02], out=tmp_path / "out").trained == 0


def test_sweep_from_many_starts() -> None:
    result = gdtrain.sweep({"solve": "x^2 = 4"}, starts=20)
    assert [found.starts for found in result.found] and sum(found.starts for found in result.found) == 20
    ends = [result.trials[found.trial].params["x"] for found in result.found]
    assert ends == pytest.approx([-2.0, 2.0])
    assert gdtrain.sweep({"solve": "x^2 = -4"}, starts=5).exit_code == 1
    least = gdtrain.sweep({"minimize": "(x^2 - 1)^2 + x/10"}, starts=20, epochs=2000)
    assert least.best is not None and least.trials[least.best].params["x"] < 0  # x/10 makes it the lower of the two


def test_sweep_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert gdtrain.sweep(lr=[0.01, 0.02]).source == "the built-in example y = w*x"
    (tmp_path / "gdtrain.yaml").write_text(TEXT + "sweep: {train.lr: [0.01, 0.02, 0.03]}\n")
    result = gdtrain.sweep()
    assert (result.source, len(result.trials)) == ("gdtrain.yaml", 3)


def test_sweep_leaves_what_it_is_given(file: Path) -> None:
    rates, columns = np.array([0.01, 0.02]), {"x": np.array([1.0, 2.0]), "y": np.array([2.0, 4.0])}
    gdtrain.sweep(file, lr=rates, data=columns)
    assert rates.tolist() == [0.01, 0.02]
    assert {name: column.tolist() for name, column in columns.items()} == {"x": [1.0, 2.0], "y": [2.0, 4.0]}


SWEEP_MISTAKES: list[tuple[Callable[[], Any], str]] = [
    (lambda: gdtrain.sweep({"solve": "x = 1"}), "sweep: there is nothing to sweep; give a key several values"),
    (lambda: gdtrain.sweep({"solve": "x = 1"}, lr=[0.1, -1.0]), "lr: lr must be a positive number or auto, not -1"),
    (lambda: gdtrain.sweep({"solve": "x = 1"}, lr=[]), "lr: there are no values here"),
    (lambda: gdtrain.sweep({"solve": "x = 1"}, learning_rate=[1, 2]), "did you mean lr"),
    (lambda: gdtrain.sweep({"solve": "x = 1"}, lr=[1, 2], epochs=[1, 2, 3], zip=True), "zip pairs them"),
    (lambda: gdtrain.sweep({"solve": "x = 1"}, lr={"uniform": [0, 1]}), "say how many points"),
    (lambda: gdtrain.sweep({"solve": "x = 1"}, lr=[1, 2], rank_by="y"), "there is no number called y"),
    (lambda: gdtrain.sweep({"solve": "x = 1"}, starts=3, lr=[1, 2]), "starts: train.lr is swept too"),
]


@pytest.mark.parametrize(("call", "message"), SWEEP_MISTAKES)
def test_mistakes_of_a_sweep(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(gdtrain.UserError) as caught:
        call()
    assert message in str(caught.value)
    assert caught.value.code == 2


# Results


def test_a_result_reads_well(file: Path) -> None:
    result = gdtrain.run(file)
    assert result.history.columns == ["epoch", "loss", "w"]
    assert result.history["epoch"].to_list() == [*range(21)]
    assert result.history["w"][-1] == result.params["w"]
    assert str(result).startswith("fit y = w*x: max_epochs at epoch 20: ")
    assert result.to_dict()["schema"] == "gdtrain.result/1"


def test_a_run_that_diverges_is_a_result(file: Path) -> None:
    result = gdtrain.run(file, lr=10.0, epochs=1000)
    assert result.verdict.status == "diverged"
    assert not math.isfinite(result.params["w"]) or abs(result.params["w"]) > 1e100


# Mistakes

MISTAKES: list[tuple[Callable[[], Any], int, str]] = [
    (lambda: gdtrain.run("nofile.yaml"), 2, "nofile.yaml: there is no such file"),
    (lambda: gdtrain.solve("x + 1"), 2, "there is no ="),
    (lambda: gdtrain.solve("x = 1", lr=-1.0), 2, "lr: lr must be"),
    (lambda: gdtrain.solve("x = 1", lr="fast"), 2, "lr: lr must be"),
    (lambda: gdtrain.solve("x = 1", learning_rate=1.0), 2, "did you mean lr"),
    (lambda: gdtrain.solve("x = 1", epochs=True), 2, "epochs: epochs must be a whole number"),
    (lambda: gdtrain.run({"solve": "x = 1", "fit": "y = x"}), 2, "fit"),
    (lambda: gdtrain.run({}), 2, "solve"),
    (lambda: gdtrain.fit("y = w*x", {"x": [1.0]}), 2, "y"),
    (lambda: gdtrain.fit("y = w*x", {"x": [1.0, 2.0], "y": [1.0]}), 3, "column y has 1 rows, column x has 2"),
    (lambda: gdtrain.fit("y = w*x", {"x": [1.0, math.nan], "y": [1.0, 2.0]}), 3, "row 2, column x"),
    (lambda: gdtrain.fit("y = w*x", pandas.DataFrame({"x": ["a", "b"], "y": [1.0, 2.0]})), 3, "x is text (a, b)"),
    (lambda: gdtrain.fit("y = w*x", polars.DataFrame({"x": [1.0, None], "y": [1.0, 2.0]})), 3, "row 2, column x"),
    (lambda: gdtrain.fit("y = w*x", "nofile.csv"), 3, "there is no such file"),
    (lambda: gdtrain.fit("y = w*x", {}), 3, "there are no columns"),
    (lambda: gdtrain.fit("y = w*x", {"x": [], "y": []}), 3, "no rows"),
    (lambda: gdtrain.regress(COLUMNS, "sales"), 2, "there is no column sales"),
    (lambda: gdtrain.regress(COLUMNS, "y", ["z"]), 2, "there is no column z"),
]


@pytest.mark.parametrize(("call", "code", "message"), MISTAKES)
def test_mistakes_are_the_users_to_mend(call: Callable[[], Any], code: int, message: str) -> None:
    with pytest.raises(gdtrain.UserError) as caught:
        call()
    assert message in str(caught.value)
    assert caught.value.code == code


# The package


def test_all_names_are_there() -> None:
    assert all(getattr(gdtrain, name) is not None for name in gdtrain.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = gdtrain.trian


def test_pandas_is_not_needed() -> None:
    """The frames of others are read as they are: nothing imports their library."""
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "import gdtrain; print(gdtrain.fit('y = w*x', {'x': [1, 2], 'y': [2, 4]}).params['w'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, timeout=60)
    assert float(done.stdout) == pytest.approx(2.0), done.stderr
