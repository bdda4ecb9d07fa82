"""Where sweeps are easily wrong: what trials share, what is read twice, what is refused late."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gdtrain
from gdtrain.errors import UserError
from gdtrain.experiment.overrides import AxisFlag, Override
from gdtrain.experiment.sweep import load_sweep
from gdtrain.sweeps.starts import train_starts
from gdtrain.sweeps.sweeping import Request, sweep
from gdtrain.tables import Tables
from tests.batched import LINE
from tests.problems import experiment

X = np.linspace(0, 4, 30)
DECAY = {
    "fit": "y = a*exp(-b*x) + c",
    "data": {"columns": {"x": X.tolist(), "y": (2.5 * np.exp(-0.6 * X) + 0.5).tolist()}},
    "params": {"a": 1.0, "b": 1.0, "c": 0.0},
    "train": {"lr": 0.8, "engine": "loop"},
    "stop": {"patience": 3},
}


def swept(
    source: Any, overrides: dict[str, Any], axes: dict[str, Any], tables: Tables | None = None, **more: Any
) -> Any:
    flags = [AxisFlag.of_values(key, values, key) for key, values in axes.items()]
    spec = load_sweep(source, [Override(key, value, key) for key, value in overrides.items()], flags)
    return sweep(spec, Request(**more), tables)


def test_how_a_trial_ended_does_not_hang_on_how_long_others_go_on() -> None:
    """It stopped after three epochs; whether it was rising is told from the losses just before."""
    short = swept(DECAY, {}, {"train.epochs": [100]}).trials[0]
    beside = swept(DECAY, {}, {"train.epochs": [100, 40_000]}).trials[0]
    assert short.status == "stopped"
    assert (beside.status, beside.detail) == (short.status, short.detail)


def test_a_resumed_sweep_of_a_file_with_undeclared_parameters_is_the_one_left_alone(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x,y\n1,2\n2,4.1\n3,5.9\n4,8\n", encoding="utf-8")
    file = tmp_path / "f.yaml"
    file.write_text("fit: y = w*x + b\ndata: {path: d.csv}\ntrain: {lr: 0.01}\n", encoding="utf-8")
    axes = {"train.epochs": [20, 30]}
    for out in ("resumed", "resumed", "alone"):
        swept(file, {}, axes, out=tmp_path / out)
    resumed, alone = ((tmp_path / out / "result.json").read_bytes() for out in ("resumed", "alone"))
    assert resumed == alone
    assert "params.w.start" in json.loads(alone)["trials"][0]["train"]["chosen"]


def test_many_starts_are_kept_as_such(tmp_path: Path) -> None:
    settled = experiment({"solve": "x^2 = 4", "params": {"x": 1.0}})
    result = train_starts(settled, 6, Request(out=tmp_path / "out"))
    written = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert written["starts"] == 6
    assert len(written["roots"]) == len(result.found) > 0


def test_an_axis_of_columns_keeps_its_name() -> None:
    result = swept(LINE, {"train.lr": 0.01}, {"data.columns.x": [[1, 2, 3, 4], [2, 4, 6, 8]]})
    assert result.axes == ["data.columns.x"]
    assert [trial.set["data.columns.x"][1] for trial in result.trials] == [2, 4]


def test_columns_are_axes_of_their_own() -> None:
    axes = {"data.columns.x": [[1, 2, 3, 4], [2, 4, 6, 8]], "data.columns.y": [[2, 4, 6, 8], [1, 2, 3, 4]]}
    assert len(swept(LINE, {"train.lr": 0.01}, axes).trials) == 4


@pytest.mark.parametrize("epochs", [[1000], [10, 1000]])
def test_every_epoch_that_is_asked_for_is_there(epochs: list[int]) -> None:
    result = swept(LINE, {"train.lr": 0.001}, {"train.epochs": epochs}, every=1)
    assert [len(trial.document()["history"]) for trial in result.trials] == [n + 1 for n in epochs]


def test_too_many_epochs_to_show_are_refused() -> None:
    with pytest.raises(UserError, match="too many to show"):
        swept(LINE, {"train.epochs": 10**6}, {"train.lr": np.geomspace(1e-4, 1e-2, 500)}, every=1)


def test_an_engine_that_one_group_cannot_have_is_refused_before_another_trains(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no closed form here"):
        swept(DECAY, {}, {"train.engine": ["loop", "exact"]}, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_standard_input_serves_every_group() -> None:
    source = {"regress": {"target": "y"}, "data": {"path": "-"}, "train": {"lr": 0.01, "epochs": 10}}
    tables = Tables(stdin=io.BytesIO(b"x,y\n1,2\n2,4\n3,6\n"))
    result = swept(source, {}, {"data.scale": ["none", "standard"], "loss": ["mse", "mae"]}, tables)
    assert len(result.trials) == 4


def test_a_momentum_of_one_goes_its_own_way() -> None:
    result = swept(LINE, {"train.lr": 0.01}, {"train.optimizer.momentum": [0.5, 1.0]})
    assert [trial.document()["engine"]["name"] for trial in result.trials] == ["exact", "loop"]


def test_sweeping_twice_in_one_process_works() -> None:
    for _ in range(2):
        assert len(gdtrain.sweep(LINE, lr=[0.01, 0.02]).trials) == 2
