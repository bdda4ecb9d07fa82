"""Sweeps that are interrupted, killed and taken up again: nothing that was finished is trained twice, or lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gdtrain.results import SweepResult
from gdtrain.sweeps.sweeping import Request, sweep
from gdtrain.trials import batches
from tests.batched import CURVE, LINE, planned
from tests.conftest import REPOSITORY

RATES = [0.01 * 1.2**i for i in range(20)]
BATCH = 5
Axes = Mapping[str, Any]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_MOST", BATCH)


def kept(folder: Path | None, axes: Axes, *, source: Mapping[str, Any] = CURVE, **options: Any) -> SweepResult:
    return sweep(planned(source, axes), Request(out=folder), **options)


def documents(result: SweepResult) -> list[dict[str, Any]]:
    return [trial.to_dict() for trial in result.trials]


def until(batch: int) -> Callable[[int, float], bool]:
    """A watch that says no in a batch, the first being 0."""
    return lambda done, loss: done < batch * BATCH + 1


# Interrupts


@pytest.mark.parametrize("batch", range(4))
def test_an_interrupt_gives_the_trials_so_far(batch: int) -> None:
    result, whole = kept(None, {"train.lr": RATES}, watch=until(batch)), kept(None, {"train.lr": RATES})
    assert (result.interrupted, result.exit_code, result.trained) == (True, 130, None)
    assert len(result.trials) == BATCH * (batch + 1)
    finished = BATCH * batch
    assert documents(result)[:finished] == documents(whole)[:finished]
    assert {trial.status for trial in result.trials[finished:]} == {"interrupted"}


def test_what_had_ended_in_the_interrupted_batch_keeps_its_verdict() -> None:
    result = kept(None, {"train.lr": [0.1, 1e6, 0.2]}, watch=until(0))
    assert [trial.status for trial in result.trials] == ["interrupted", "diverged", "interrupted"]
    assert result.exit_code == 130


def test_an_interrupt_ends_all_groups() -> None:
    axes = {"train.optimizer": ["sgd", "adam"], "train.lr": RATES}
    result = kept(None, axes, watch=until(1))
    assert {trial.set["train.optimizer"] for trial in result.trials} == {"sgd"}


@pytest.mark.parametrize("source", [CURVE, {**LINE, "stop": {"loss_tol": 0.0}}], ids=["walked", "closed form"])
@pytest.mark.parametrize("batch", range(4))
def test_an_interrupt_loses_no_finished_batch(batch: int, source: Mapping[str, Any], tmp_path: Path) -> None:
    axes = {"train.lr": RATES}
    kept(tmp_path / "out", axes, source=source, watch=until(batch))
    assert not (tmp_path / "out" / "result.json").exists()
    resumed = kept(tmp_path / "out", axes, source=source)
    assert resumed.trained == len(RATES) - BATCH * batch
    assert documents(resumed) == documents(kept(None, axes, source=source))


# Taken up again


def test_swept_again_nothing_is_trained(tmp_path: Path) -> None:
    first = kept(tmp_path / "out", {"train.lr": RATES})
    text = (tmp_path / "out" / "result.json").read_bytes()
    again = kept(tmp_path / "out", {"train.lr": RATES})
    assert (first.trained, again.trained) == (20, 0)
    assert documents(again) == documents(first)
    assert (again.order, again.ranks, again.best) == (first.order, first.ranks, first.best)
    assert again.trials[0].document()["history"][-1]["loss"] == again.trials[0].loss
    assert (tmp_path / "out" / "result.json").read_bytes() == text


# Axes of two sweeps into one folder, and how many trials the second adds.
ADDED: list[tuple[Axes, Axes, int]] = [
    ({"train.lr": RATES}, {"train.lr": [*RATES, 0.5, 0.6]}, 2),
    ({"train.lr": RATES}, {"train.lr": [0.5, *reversed(RATES)]}, 1),
    ({"train.lr": RATES}, {"train.lr": RATES[:7]}, 0),
    ({"train.lr": RATES[:6]}, {"train.lr": RATES[:6], "train.optimizer": ["sgd", "adam"]}, 6),
    ({"train.lr": RATES[:6]}, {"train.lr": RATES[:6], "params.a.start": [1.0, 2.0]}, 6),
    ({"train.lr": RATES[:6], "train.epochs": [20, 120]}, {"train.lr": RATES[:6], "train.epochs": [120, 60]}, 6),
    ({"train.lr": RATES[:6]}, {"train.lr": RATES[:6], "loss": ["mse", "mae"]}, 6),
    ({"train.seed": [0, 1]}, {"train.seed": [0, 1, 2, 3]}, 2),
]


@pytest.mark.parametrize(("before", "axes", "missing"), ADDED)
def test_only_what_is_missing_is_trained(before: Axes, axes: Axes, missing: int, tmp_path: Path) -> None:
    source = {**CURVE, "params": {}} if "train.seed" in axes else CURVE
    kept(tmp_path / "out", before, source=source)
    result = kept(tmp_path / "out", axes, source=source)
    # An epoch that is read off a walk costs the whole of it: where one is missing, both are trained.
    assert result.trained == missing * (2 if "train.epochs" in axes else 1)
    assert documents(result) == documents(kept(None, axes, source=source))


@pytest.mark.parametrize(
    "change", [{"train": {"epochs": 119}}, {"params": {"a": 1.0, "b": 1.5}}, {"predict": "data"}, {"loss": "mae"}]
)
def test_of_another_experiment_nothing_is_taken(change: Mapping[str, Any], tmp_path: Path) -> None:
    axes = {"train.lr": RATES[:6]}
    notes: list[str] = []
    kept(tmp_path / "out", axes)
    result = kept(tmp_path / "out", axes, source={**CURVE, **change}, tell=notes.append)
    assert result.trained == 6
    assert documents(result) == documents(kept(None, axes, source={**CURVE, **change}))
    assert len(notes) == 1 and notes[0].endswith("; its trials are computed anew")
    assert kept(tmp_path / "out", axes).trained == 0  # those of before are still there


def test_other_histories_are_other_documents(tmp_path: Path) -> None:
    spec = planned(CURVE, {"train.lr": RATES[:6]})
    for request in ({}, {"every": 10}, {"gradients": True}):
        result = sweep(spec, Request(out=tmp_path, **request))
        assert result.trained == 6
        assert documents(result) == documents(sweep(spec, Request(**request)))


def test_a_changed_file_is_trained_anew(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("x,y\n1,2\n2,4\n")
    source = {"fit": "y = w*x", "data": {"path": str(tmp_path / "points.csv")}, "train": {"epochs": 10}}
    axes = {"train.lr": [0.01, 0.02]}
    first = kept(tmp_path / "out", axes, source=source)
    assert kept(tmp_path / "out", axes, source=source).trained == 0
    (tmp_path / "points.csv").write_text("x,y\n1,2\n2,5\n")
    changed = kept(tmp_path / "out", axes, source=source)
    assert changed.trained == 2
    assert changed.trials[0].loss != first.trials[0].loss


def test_the_document_in_the_folder_is_that_of_the_sweep(tmp_path: Path) -> None:
    result = sweep(planned(CURVE, {"train.lr": RATES}), Request(out=tmp_path / "out", top=3))
    written = json.loads((tmp_path / "out" / "result.json").read_text())
    assert written["schema"] == "gdtrain.sweep/1"
    assert [trial["set"] for trial in written["trials"]] == [{"train.lr": lr} for lr in RATES]  # whatever is shown
    assert written["best"] == result.best


# Killed

KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from gdtrain.trials import batches
from gdtrain.sweeps.sweeping import Request, sweep
from tests.batched import CURVE, planned

batches._MOST = 4
BASE = {**CURVE, "train": {"epochs": 20}}
AXES = {"train.optimizer": ["sgd", "adam"], "train.lr": [0.01 * 1.02**i for i in range(100)]}
folder = Path(sys.argv[1])
draws = random.Random(7)


def slow(done, loss):
    time.sleep(draws.random() * 0.005)
    return True


def begun(folder, watch):
    child = os.fork()
    if not child:
        sweep(planned(BASE, AXES), Request(out=folder), watch=watch)
        os._exit(0)
    return child


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kept():
    trials = folder / "killed" / "trials"
    return {name for name in os.listdir(trials) if name.endswith(".ndjson")} if trials.exists() else set()


seen = set()
for _ in range(12):
    child = begun(folder / "killed", slow)
    until = time.monotonic() + 20
    more = draws.choice([0, 1, 2, 3])  # batches that it is left to keep, however busy the machine is
    while len(kept()) < len(seen) + more and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(draws.random() * 0.02)
    os.kill(child, signal.SIGKILL)
    assert ended(child) == -signal.SIGKILL  # it was not done
    assert kept() >= seen  # what was kept stays
    seen = kept()
assert ended(begun(folder / "killed", None)) == 0
assert ended(begun(folder / "alone", None)) == 0
print(len(seen))
"""


def test_killed_at_random_moments_it_ends_as_one_left_alone(tmp_path: Path) -> None:
    """200 points of two groups, 4 a batch, killed a dozen times with some more batches kept or none."""
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert 10 <= int(run.stdout) < 50  # files of a batch each
    alone, resumed = ((tmp_path / name / "result.json").read_bytes() for name in ("alone", "killed"))
    assert len(json.loads(alone)["trials"]) == 200
    assert resumed == alone
