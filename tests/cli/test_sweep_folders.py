"""Sweeps and many starts that a folder keeps: `resume` ends in the same bytes as a sweep that was left alone."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from gdtrain.keep import store
from gdtrain.keep.files import write_atomically
from gdtrain.trials import batches
from tests.cli.conftest import Command

ROWS = "x,z,c,y\n" + "".join(
    f"{i % 7},{i * i % 5},{'ab'[i % 2]},{2 * (i % 7) - i * i % 5 + i % 3}\n" for i in range(30)
)
REGRESS = "regress: {target: y, features: [x, z, c]}\ndata: {path: rows.csv}\n"
FULL = "--out: cannot write kept: No space left on device; make room, then run it again\n"
CURVE = "fit: y = a*exp(b*x) + q\ndata: {path: rows.csv, split: {holdout: 0.2}}\n"

# Axes tell what is chosen for the user: an lr the scale and the optimizer, epochs the length of a schedule.
SWEEPS: list[list[str]] = [
    ["sweep", "line.yaml", "--lr", "1e-3,1e-2"],
    ["sweep", "line.yaml", "--lr", "auto,1e-2", "--epochs", "10,20"],
    ["sweep", "line.yaml", "--optimizer", "sgd,adam,lbfgs", "--epochs", "20"],
    ["sweep", "line.yaml", "--set", "train.optimizer.momentum=0,0.5"],
    ["sweep", "line.yaml", "--set", "penalty.l1=0,0.1"],
    ["sweep", "line.yaml", "--set", "train.batch_size=5,10", "--epochs", "7"],
    ["sweep", "line.yaml", "--loss", "mse,mae,huber", "--epochs", "20"],
    ["sweep", "line.yaml", "--set", "regress.features=[x],[x,z]", "--rank-by", "-x"],
    ["sweep", "line.yaml", "--set", "model.hidden=[2],[3,2]", "--epochs", "5"],
    ["sweep", "line.yaml", "--lr", "0.1,0.2", "--set", "train.schedule.name=cosine", "--epochs", "10,20"],
    ["sweep", "curve.yaml", "--optimizer", "adam,rmsprop", "--every", "7", "--gradients"],
    ["sweep", "curve.yaml", "--lr", "loguniform:1e-4:1e-1", "--random", "4", "--epochs", "20"],
    ["sweep", "--lr", "1e-3,1e-2"],
]
STARTS: list[list[str]] = [
    ["solve", "x^3 - x = 0", "--starts", "9"],
    ["minimize", "(x^2 - 1)^2 + y^2", "--starts", "6", "--start", "x={uniform: [0, 2]}", "--seed", "4", "--every", "3"],
    ["run", "curve.yaml", "--starts", "4", "--epochs", "20", "--top", "2"],
    ["run", "line.yaml", "--starts", "3", "--set", "model.hidden=[2]", "--epochs", "5"],
    ["regress", "rows.csv", "--target", "y", "--features", "x,z", "--starts", "3", "--optimizer", "adam"],
]


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "line.yaml").write_text(REGRESS)
    (tmp_path / "curve.yaml").write_text(CURVE)


@pytest.mark.parametrize("words", [*SWEEPS, *STARTS], ids=" ".join)
def test_what_is_missing_is_trained_to_the_same_bytes(
    words: list[str], gdtrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_MOST", 2)
    first = gdtrain(*words, "--out", "kept", "--get", "loss")
    whole = (tmp_path / "kept" / "result.json").read_bytes()
    count = json.loads(whole)["count"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for missing in (slice(0), slice(None, None, 2)):
        trials = sorted((tmp_path / "kept" / "trials").iterdir())
        for path in trials[missing]:
            path.unlink()
        again = gdtrain("resume", "../kept", "--get", "loss")
        assert (again.code, again.out) == (first.code, first.out)
        assert (tmp_path / "kept" / "result.json").read_bytes() == whole
        assert sorted((tmp_path / "kept" / "trials").iterdir()) == trials  # those of before are taken, none is added
        if not trials[missing]:
            assert f"note: {count} of {count} trials are kept from before\n" in again.err


@pytest.mark.parametrize("words", [w for w in SWEEPS[:-1] if not {"--every", "--rank-by"} & {*w}], ids=" ".join)
def test_the_printed_file_swept_gives_the_same(words: list[str], gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "printed.yaml").write_text(gdtrain(*words, "--print-config").out)
    expected, found = (gdtrain(*line, "--format", "csv").out for line in (words, ["sweep", "printed.yaml"]))
    assert expected and found == expected


@pytest.mark.parametrize("words", [SWEEPS[2], STARTS[0]], ids=" ".join)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_disk_that_fills_on_the_way_costs_the_folder_alone(
    words: list[str], k: int, gdtrain: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told once; all is trained and shown."""
    monkeypatch.setattr(batches, "_MOST", 3)
    whole = gdtrain(*words, "--format", "json").document
    calls: list[Path] = []

    def full(path: Path, pieces: Iterable[str | bytes]) -> None:
        if path.name.endswith("ndjson") or path.name == "result.json":
            calls.append(path)
            if len(calls) >= k:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_atomically(path, pieces)

    monkeypatch.setattr(store, "write_atomically", full)
    done = gdtrain(*words, "--out", "kept", "--format", "json")
    assert done.code == 74 and done.err == FULL
    assert [trial["loss"] for trial in done.document["trials"]] == [trial["loss"] for trial in whole["trials"]]
    assert len(calls) == k


@pytest.mark.parametrize("words", [["sweep", "--lr", "0.1,0.2"], ["run", "--starts", "3"]], ids=" ".join)
def test_names_that_are_no_text(words: list[str], gdtrain: Command, tmp_path: Path) -> None:
    file, folder = os.fsdecode(b"file\xff.yaml"), os.fsdecode(b"kept\xff")
    (tmp_path / file).write_text(CURVE)
    line = [words[0], file, *words[1:], "--epochs", "5", "--out", folder]
    assert gdtrain(*line).code == 0
    whole = (tmp_path / folder / "result.json").read_bytes()
    for again in (line, ["resume", folder]):
        assert "trials are kept from before" in gdtrain(*again).err
        assert (tmp_path / folder / "result.json").read_bytes() == whole


def test_damaged_trials_are_told_even_where_none_is_left(gdtrain: Command, tmp_path: Path) -> None:
    gdtrain("solve", "x^2 = 4", "--starts", 3, "--out", "kept")
    (path,) = (tmp_path / "kept" / "trials").iterdir()
    for content, found in [(path.read_bytes()[:50], "a damaged line is"), (b"\n\n", "2 damaged lines are")]:
        path.write_bytes(content)
        assert gdtrain("resume", "kept").err == f"note: kept/trials/{path.name}: {found} left out\n"


def test_what_resume_refuses_of_a_sweep(gdtrain: Command, tmp_path: Path) -> None:
    gdtrain(*SWEEPS[0], "--out", "kept")
    for flag, remedy in [("--epochs", "type it again, with other"), ("--checkpoint", "it keeps each batch")]:
        done = gdtrain("resume", "kept", flag, 5)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"{flag}: a sweep is taken up as it was; {remedy}")
    assert gdtrain("resume", "kept/result.json").err == "DIR: kept/result.json is no folder; gdtrain resume kept\n"
    (tmp_path / "kept" / "sweep.json").write_text("{")
    done = gdtrain("resume", "kept")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("kept/sweep.json: is damaged, or of another version; type the sweep again, with --out")
