"""Folders of runs: what is in them, and that each is absent, old or new, whatever fails or is killed when."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

import gdtrain
from gdtrain.errors import NOT_WRITTEN, USAGE, UserError
from gdtrain.experiment.load import load
from gdtrain.keep import swap
from gdtrain.keep.files import locked
from gdtrain.keep.tensors import read_checked, read_tensors, tensor_pieces
from gdtrain.saved import Saved
from gdtrain.train import train
from tests.conftest import REPOSITORY

CURVE: dict[str, Any] = {
    "fit": "y = a*exp(-b*x)",
    "data": {"columns": {"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]}},
    "train": {"optimizer": "adam", "lr": 0.01, "epochs": 400},
}
MOMENTS = 12  # at which a run is killed
CALLS = ("open", "write", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir", "listdir")


def saved(place: Path, *, epochs: int = 400, every_s: float = 1e-9, force: bool = False) -> UserError | None:
    """Train into a folder, and save at every chunk. Returns why the folder could not be written."""
    source = {**CURVE, "train": {**CURVE["train"], "epochs": epochs}, "checkpoint": {"every_s": every_s}}
    with Saved.new(load(source), place, force=force) as run:
        result = train(run.experiment, progress=run.progress)
        assert result.epochs == epochs
        return run.refused or run.finish(result)


def told(place: Path) -> int | str | None:
    """What a reader finds: epochs of a result, "begun", or None. Whatever it is, it is whole."""
    if not place.exists():
        return None
    manifest = json.loads((place / "run.json").read_text())
    assert manifest["schema"] == "gdtrain.folder/1" and manifest["kind"] == "run"
    assert load(place / "experiment.yaml").kind == "fit"
    _, state = read_checked((place / "checkpoint.safetensors").read_bytes())
    assert json.loads(state)["walks"]
    if not (place / "result.json").exists():
        return "begun"
    document = json.loads((place / "result.json").read_text())
    assert json.loads((place / "weights.json").read_text()).keys() == document["params"].keys()
    history = (place / "history.parquet").read_bytes()
    assert history[:4] == history[-4:] == b"PAR1"
    epochs: int = document["epochs"]
    return epochs


def content(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()}


# What is in a folder


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x,y\n1,2\n2,4\n3,6.5\n")
    source = {"fit": "y = w*x", "data": {"path": str(tmp_path / "rows.csv")}, "train": {"epochs": 5, "engine": "loop"}}
    result = gdtrain.run(source, out=tmp_path / "runs" / "a", lr=0.01)
    place = tmp_path / "runs" / "a"
    assert sorted(content(place)) == [
        *("checkpoint.safetensors", "experiment.yaml", "history.parquet", "result.json", "run.json", "weights.json")
    ]
    assert json.loads((place / "result.json").read_text()) == result.to_dict() | {"timing": {}}
    assert json.loads((place / "weights.json").read_text()) == result.params
    assert polars.read_parquet(place / "history.parquet").equals(result.history)
    data = json.loads((place / "run.json").read_text())["data"]["data"]
    assert (data["path"], data["size"], data["rows"]) == ("../../rows.csv", 18, 3)
    assert len(data["sha256"]) == 64
    again = gdtrain.run(place / "experiment.yaml")
    assert again.to_dict()["history"] == result.to_dict()["history"]
    assert os.listdir(tmp_path / "runs") == ["a"]


def test_the_same_run_leaves_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        saved(tmp_path / name)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_many_weights_are_numbers_too(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    data = {"x": draw.normal(size=4), "y": draw.normal(size=4)}
    result = gdtrain.regress(data, "y", model={"hidden": [101, 98]}, epochs=1, optimizer="adam", out=tmp_path / "run")
    content = (tmp_path / "run" / "weights.safetensors").read_bytes()
    arrays, metadata = read_tensors(content)
    assert json.loads(metadata["names"]) == list(result.params)
    assert arrays["params"].tolist() == list(result.params.values())


def test_safetensors_as_its_makers_write_it() -> None:
    """The bytes that safetensors 0.4 gives for this, written down."""
    header = b'{"__metadata__": {"a": "b"}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'
    header += b" " * (-len(header) % 8)
    expected = len(header).to_bytes(8, "little") + header + np.array([1.5, -2], "<f4").tobytes()
    assert b"".join(tensor_pieces({"w": np.array([1.5, -2], np.float32)}, {"a": "b"})) == expected
    assert read_tensors(expected)[0]["w"].tolist() == [1.5, -2]


# Folders that are there


def test_a_run_is_not_overwritten_unless_forced(tmp_path: Path) -> None:
    place = tmp_path / "run"
    saved(place, epochs=3)
    before = content(place)
    with pytest.raises(UserError, match="is there already") as caught:
        saved(place, epochs=4)
    assert caught.value.code == USAGE and content(place) == before
    assert saved(place, epochs=4, force=True) is None
    assert told(place) == 4
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("notes.txt", "holds other things than a run: notes"),
        ("run.json", "is damaged"),
        ("sweep.json", "keeps a sweep"),
    ],
)
def test_what_others_keep_is_left_alone(name: str, told: str, tmp_path: Path) -> None:
    place = tmp_path / "theirs"
    place.mkdir()
    (place / name).write_text("{}")
    before = content(place)
    for force in (False, True):
        with pytest.raises(UserError, match=told):
            saved(place, force=force)
    assert content(place) == before


def test_a_file_beside_those_of_a_run_is_not_lost(tmp_path: Path) -> None:
    saved(tmp_path / "run", epochs=3)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="other things"):
        saved(tmp_path / "run", force=True)
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_an_empty_folder_is_new(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert saved(tmp_path / "run", epochs=3) is None
    assert told(tmp_path / "run") == 3


def test_a_folder_in_the_place_of_a_file_is_not_lost(tmp_path: Path) -> None:
    saved(tmp_path / "run", epochs=3)
    (tmp_path / "run" / "command.txt").mkdir()
    for begin in (lambda: saved(tmp_path / "run", force=True), lambda: gdtrain.resume(tmp_path / "run")):
        with pytest.raises(UserError, match=r"other things than a run: command\.txt"):
            begin()
    assert os.listdir(tmp_path) == ["run"]


def test_a_link_leads_to_the_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    saved(tmp_path / "link", epochs=3)
    assert (tmp_path / "link").is_symlink() and told(tmp_path / "real") == 3


def test_two_runs_on_one_folder(tmp_path: Path) -> None:
    with Saved.new(load(CURVE), tmp_path / "run"):
        with pytest.raises(UserError, match="another run is writing") as caught:
            saved(tmp_path / "run")
        assert caught.value.code == NOT_WRITTEN
    assert os.listdir(tmp_path) == []
    assert saved(tmp_path / "run", epochs=3) is None


NAMES = [
    "a/b/c",
    "...",
    ".hidden",
    "tab\tand\nline",
    "\x1b[31mred",
    "ü\u202e",
    "-",
    "--out",
    "a" * 255,
    "'; rm -rf $HOME",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_folders(name: str, tmp_path: Path) -> None:
    assert saved(tmp_path / name, epochs=3) is None
    assert told(tmp_path / name) == 3
    assert {path.parts[len(tmp_path.parts)] for path in tmp_path.rglob("*")} == {Path(name).parts[0]}


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_names_that_no_folder_has(name: str) -> None:
    with pytest.raises(UserError, match="no folder can have this name"):
        Saved.new(load(CURVE), name)


@pytest.mark.parametrize("name", [".", "..", "/", "a/..", "../run", "link"])
def test_the_folder_that_one_is_in_is_not_replaced(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "run"
    saved(place, epochs=3)
    before = content(place)
    (tmp_path / "link").symlink_to("run")
    monkeypatch.chdir(place)
    name = str(tmp_path / name) if name == "link" else name
    for begin in (lambda: gdtrain.resume(name), lambda: saved(Path(name), force=True)):
        with pytest.raises(UserError, match="is the folder that you are in, or one above it"):
            begin()
    assert content(place) == before


@pytest.mark.parametrize("name", ["a" * 300, "file", "file/run"])
def test_places_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    error = saved(tmp_path / name)
    assert error is not None and error.code == NOT_WRITTEN
    assert content(tmp_path) == {"file": b"mine"}


NAMED = [{"name": "x/y z"}, {"fit": "y = `../w`*x"}, {"fit": "y = `a\\tb`*x"}, {"fit": f"y = `{'w' * 200}`*x"}]


@pytest.mark.parametrize("named", NAMED)
def test_names_inside_stay_inside(named: Mapping[str, Any], tmp_path: Path) -> None:
    gdtrain.run({"fit": "y = w*x", "data": CURVE["data"], **named}, epochs=3, out=tmp_path / "run")
    assert os.listdir(tmp_path) == ["run"]
    assert all(path.is_file() for path in (tmp_path / "run").iterdir())


@pytest.mark.parametrize("out", ["../up", "/abs", "~/home", "a/../../b", ".", "a\\b", "tab\t"])
def test_a_file_names_a_folder_below_its_own(out: str) -> None:
    with pytest.raises(UserError, match="out must be a folder below"):
        load({**CURVE, "out": out})


def test_out_of_a_file_starts_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text("solve: x^2 = 4\nout: runs/root\n")
    monkeypatch.chdir("/")
    gdtrain.run(tmp_path / "a.yaml")
    assert json.loads((tmp_path / "runs" / "root" / "weights.json").read_text())["x"] == pytest.approx(2)


def test_data_on_stdin(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="data on stdin cannot be kept"):
        Saved.new(load({"fit": "y = w*x", "data": {"path": "-"}}), tmp_path / "run")
    assert os.listdir(tmp_path) == []


# What fails


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, bool], list[int]]]:
    """Lets the k-th of the calls that change or list a folder fail, with `on` all after it too; returns their count."""
    real = {name: getattr(os, name) for name in CALLS}
    exchange = swap._exchange

    def from_call(k: int, on: bool) -> list[int]:
        count = [0]

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def carried_out(*arguments: Any, **named: Any) -> Any:
                count[0] += 1
                if count[0] == k or (on and count[0] > k):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return call(*arguments, **named)

            return carried_out

        for name, call in real.items():
            monkeypatch.setattr(os, name, counted(call))
        monkeypatch.setattr(swap, "_exchange", counted(exchange))
        return count

    yield from_call


@pytest.mark.parametrize("on", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
def test_whichever_call_fails_a_folder_is_absent_old_or_new(
    old: bool, on: bool, tmp_path: Path, fails: Callable[[int, bool], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first"
    saved(first, epochs=3, every_s=1e9)
    saved(tmp_path / "whole", epochs=40)
    whole = content(tmp_path / "whole")
    seen: set[int | str | None] = set()
    for k in range(1, 1000):
        place = tmp_path / str(k) / "run"
        if old:
            shutil.copytree(first, place)
        else:
            place.parent.mkdir()
        with monkeypatch.context():
            count = fails(k, on)
            error = saved(place, epochs=40, force=old)
            monkeypatch.undo()
        found = told(place)
        assert found in ({3} if old else {None}) | {"begun", 40}
        assert error is None or error.code == NOT_WRITTEN
        if error is None:
            assert content(place) == whole
        seen.add(found)
        if found == "begun":
            gdtrain.resume(place)
            assert content(place) == whole
        if count[0] < k:
            break
    assert count[0] < k and k > 30
    assert seen == {3 if old else None, "begun", 40}


def test_without_an_exchange_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(one: Path, other: Path) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(swap, "_exchange", none)
    for epochs in (3, 4):
        assert saved(tmp_path / "run", epochs=epochs, force=True) is None
        assert told(tmp_path / "run") == epochs
    assert os.listdir(tmp_path) == ["run"]


def test_what_a_kill_between_two_names_left_is_put_back(tmp_path: Path) -> None:
    place = tmp_path / "run"
    saved(place, epochs=3)
    place.rename(swap.Beside.of(place).old)
    gdtrain.resume(place)
    assert told(place) == 3
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize("age_s", [0, 7200])
def test_what_was_killed_long_ago_is_taken_away_by_the_next_run(age_s: float, tmp_path: Path) -> None:
    """Whichever that is; but for what was taken from its place, which only a run there can put back."""
    alone, held, taken = (swap.Beside.of(tmp_path / name) for name in ("alone", "held", "taken"))
    for beside in (alone, held, taken):
        beside.new.mkdir()
        (beside.new / "result.json").touch()
        beside.lock.touch()
        os.utime(beside.lock, (time.time() - age_s,) * 2)
    taken.old.mkdir()
    with locked(held.lock) as ours:
        assert ours
        saved(tmp_path / "run", epochs=3)
    left = {path.name for beside in (held, taken) for path in (beside.lock, beside.new)} | {taken.old.name, "run"}
    assert set(os.listdir(tmp_path)) == left | (set() if age_s else {alone.lock.name, alone.new.name})


# What is killed


def child(work: Callable[[], object]) -> int:
    """A process that does the work: forked, since importing torch anew takes seconds."""
    if (number := os.fork()) == 0:
        try:
            work()
        finally:
            os._exit(0)
    return number


def killed(folder: Path) -> None:
    """Kill runs at random moments, and take each up."""
    epochs, draw = 3000, random.Random(3)
    whole, place = folder / "whole", folder / "run"
    began = time.monotonic()
    os.waitpid(child(lambda: saved(whole, epochs=epochs)), 0)
    lasted = time.monotonic() - began
    expected = content(whole)
    found: list[int | str | None] = []
    for moment in range(MOMENTS):
        number = child(lambda: saved(place, epochs=epochs, force=True))
        if moment:  # the first is left to end: where the machine is busy, no other may
            time.sleep(draw.uniform(0, 1.1 * lasted))
            os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
        found.append(told(place))
        if found[-1] is None:
            continue
        os.waitpid(child(lambda: gdtrain.resume(place)), 0)
        assert content(place) == expected, f"killed at moment {moment}"
        if moment % 2:  # half of them begin where there is nothing
            shutil.rmtree(place)
    assert {"begun", epochs} <= set(found) <= {None, "begun", epochs}, found
    shutil.rmtree(place, ignore_errors=True)
    os.waitpid(child(lambda: saved(place, epochs=3)), 0)  # which clears away what the killed left beside it
    assert sorted(os.listdir(folder)) == ["run", "whole"]


def test_a_run_that_is_killed_at_any_moment_is_taken_up(tmp_path: Path) -> None:
    """In a process of its own: one in which polars has been at work cannot be forked."""
    script = f"from pathlib import Path; from tests.test_saved import killed; killed(Path({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
