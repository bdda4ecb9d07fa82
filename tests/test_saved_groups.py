"""Folders of groups: what is in them, and that a fit which is taken up leaves the bytes of one that never stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import gdtrain
from gdtrain.bygroup import fit_groups
from gdtrain.bygroup.alone import Alone
from gdtrain.errors import UserError
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import Override
from gdtrain.keep.grouplines import group_lines, read_group_lines
from gdtrain.saved import Saved

DRAW = np.random.default_rng(4)
COUNT = 5
CURVE: dict[str, Any] = {"fit": "y = a*exp(b*x)"}
CASES: dict[str, dict[str, Any]] = {
    "one after another": CURVE,
    "side by side": {**CURVE, "train": {"optimizer": "adam", "lr": 0.05, "epochs": 30}},
    "side by side in batches": {**CURVE, "train": {"optimizer": "sgd", "lr": 0.01, "batch_size": 4, "epochs": 5}},
    "at once": {"fit": "y = a*x + b"},
    "labels": {"regress": {"target": "label", "features": ["x"]}, "loss": "logistic", "penalty": {"l2": 0.1}},
    "robust": {**CURVE, "uncertainty": {"robust": True}},
}


@pytest.fixture(autouse=True)
def _table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five towns of 8 to 12 rows, one more of a single row, whose fit says nothing."""
    monkeypatch.chdir(tmp_path)
    town = np.repeat(np.arange(COUNT), np.arange(8, 8 + COUNT))
    x = DRAW.uniform(0, 3, len(town))
    y = 2 * np.exp(-0.5 * x) + town / 9 + DRAW.normal(0, 0.05, len(town))
    table = pl.DataFrame({"town": town, "x": x, "y": y, "label": np.where(np.arange(len(town)) % 3, "no", "yes")})
    more = pl.DataFrame({"town": [COUNT], "x": [1.0], "y": [1.5], "label": ["yes"]})
    pl.concat([table, more]).write_csv("t.csv")


def source(spec: dict[str, Any]) -> dict[str, Any]:
    return {**spec, "data": {"path": str(Path("t.csv").absolute()), "group_by": "town"}}


def carried_out(saved: Saved, watch: Callable[[int, float], bool] | None = None) -> None:
    with saved:
        assert saved.finish(fit_groups(saved.experiment, watch=watch, progress=saved.progress)) is None


def content(place: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(place).iterdir()}


def until(count: int) -> Callable[[int, float], bool]:
    """A watch that says no once so many groups are done."""
    return lambda done, loss: done < count


def test_a_folder() -> None:
    found = gdtrain.groups(source(CURVE), out="runs/a", top=2)
    assert sorted(content("runs/a")) == ["experiment.yaml", "groups.ndjson", "result.json", "run.json"]
    document = json.loads(content("runs/a")["result.json"])
    whole = gdtrain.groups(source(CURVE)).to_dict()
    assert document == {key: value for key, value in whole.items() if key != "timing"} | {"source": ""}
    manifest = json.loads(content("runs/a")["run.json"])
    assert (manifest["kind"], manifest["data"]["data"]["rows"]) == ("groups", 8 + 9 + 10 + 11 + 12 + 1)
    again = gdtrain.groups("runs/a/experiment.yaml")
    assert [trial.params for trial in again.trials] == [trial.params for trial in found.trials]
    with pytest.raises(UserError, match="runs/a is there already; name a new folder; --force replaces it"):
        gdtrain.groups(source(CURVE), out="runs/a")
    gdtrain.groups(source(CASES["at once"]), out="runs/a", force=True)
    assert "a*x + b" in json.loads(content("runs/a")["result.json"])["statement"]


@pytest.mark.parametrize("every", [1, 3, 10], ids="after {} groups".format)
@pytest.mark.parametrize("spec", CASES.values(), ids=CASES)
def test_a_fit_that_is_taken_up_leaves_the_same_bytes(
    spec: dict[str, Any], every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped again and again, each time when so many groups more are done; few walk side by side."""
    monkeypatch.setattr("gdtrain.bygroup.alone._ROWS", 22)  # two groups
    experiment = load(source(spec))
    carried_out(Saved.new(experiment, "whole"))
    carried_out(Saved.new(experiment, "parts"), until(every))
    for done in range(2 * every, COUNT + 1 + every, every):
        carried_out(Saved.resumed("parts"), until(done))
    carried_out(Saved.resumed("parts"))
    assert content("parts") == content("whole")


def test_groups_that_are_kept_are_not_fitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[int] = []
    posed = Alone._posed

    def noted(self: Alone, g: int) -> Any:
        fitted.append(g)
        return posed(self, g)

    monkeypatch.setattr(Alone, "_posed", noted)
    monkeypatch.setattr("gdtrain.bygroup.alone._ROWS", 1)
    carried_out(Saved.new(load(source(CURVE)), "run"), until(3))
    assert fitted == [0, 1, 2, 3] and len(content("run")["groups.ndjson"].splitlines()) == 1 + 3
    document = json.loads(content("run")["result.json"])
    assert (document["count"], document["planned"], len(document["trials"])) == (3, COUNT + 1, 3)
    fitted.clear()
    carried_out(Saved.resumed("run"))
    assert fitted == [3, 4, 5]
    fitted.clear()
    carried_out(Saved.resumed("run"))  # it has come to its end
    assert fitted == []


def test_a_fit_that_is_killed_on_its_way_is_taken_up() -> None:
    experiment = load({**source(CURVE), "checkpoint": {"every_s": 1e-9}})
    carried_out(Saved.new(experiment, "whole"))

    def killed(done: int, loss: float) -> bool:
        if done == 3:
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        carried_out(Saved.new(experiment, "parts"), killed)
    assert sorted(content("parts")) == ["experiment.yaml", "groups.ndjson", "run.json"]
    carried_out(Saved.resumed("parts"))
    assert content("parts") == content("whole")


def test_what_is_damaged_or_of_another_experiment_is_fitted_again() -> None:
    experiment = load(source(CURVE))
    carried_out(Saved.new(experiment, "run"))
    whole = content("run")
    path = Path("run/groups.ndjson")
    path.write_bytes(path.read_bytes().replace(b'"a": {"start"', b'"a": {"stapt"', 2)[:-9])
    with Saved.resumed("run") as saved:
        assert saved.notes == ["run/groups.ndjson: 3 damaged lines; their groups are fitted again"]
        assert len(saved.progress.walks) == COUNT + 1 - 3
    carried_out(Saved.resumed("run"))
    assert content("run") == whole
    path.write_bytes(path.read_bytes().replace(b'{"key": "', b'{"key": "0', 1))
    with Saved.resumed("run") as saved:
        assert not saved.progress.walks
        assert saved.notes == [
            "run/groups.ndjson is damaged, or of other epochs or versions: all groups are fitted again"
        ]
    with Path("t.csv").open("a") as file:
        file.write("0,1,2,yes\n")
    with pytest.raises(UserError, match=r"t\.csv has changed since"):
        Saved.resumed("run")


def test_other_epochs_fit_all_again() -> None:
    spec = CASES["side by side"]
    carried_out(Saved.new(load(source(spec)), "run"))
    more = {**spec, "train": {**spec["train"], "epochs": 45}}
    carried_out(Saved.new(load(source(more)), "more"))
    carried_out(Saved.resumed("run", [Override("train.epochs", 45, "--epochs")]))
    assert content("run")["result.json"] == content("more")["result.json"]
    with pytest.raises(UserError, match="run has 45 epochs already; name more"):
        Saved.resumed("run", [Override("train.epochs", 30, "--epochs")])


def test_lines_of_groups() -> None:
    texts = {0: b'{"a": 1}', 12: b'{"b": "\\n"}'}
    lines = b"".join(group_lines("f" * 64, texts))
    assert read_group_lines(lines, "f" * 64) == (texts, 0)
    assert read_group_lines(lines, "e" * 64) is None
    assert read_group_lines(lines.replace(b'"group": 12', b'"group": 11'), "f" * 64) == ({0: texts[0]}, 1)
    assert read_group_lines(b"", "f" * 64) == read_group_lines(b"\x00\n{", "f" * 64) is None


def test_from_python_it_is_taken_up_by_the_command_line() -> None:
    gdtrain.groups(source(CURVE), out="run")
    with pytest.raises(UserError, match="run holds a fit of groups; type gdtrain resume run"):
        gdtrain.resume("run")
