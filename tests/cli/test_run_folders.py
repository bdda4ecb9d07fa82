"""`--out`, `--checkpoint` and `resume` as they are typed: streams, exit codes, signals, and machines that refuse."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import REPOSITORY, Command

FIT = ["fit", "y = a*exp(-b*x)", "--data", "x=1,2,3,4", "--data", "y=2,4,6,8", "--optimizer", "adam", "--get", "epochs"]


def process(*words: object, cwd: Path, before: str = "", after: str = "") -> subprocess.CompletedProcess[str]:
    """A command in a shell: what stands before it, and where its output goes."""
    line = f'{before} {sys.executable} -m gdtrain "$@" {after}'
    return subprocess.run(
        ["bash", "-c", line, "gdtrain", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=cwd,
    )


def test_out_keeps_and_resume_goes_on(gdtrain: Command, tmp_path: Path) -> None:
    assert gdtrain(*FIT, "--epochs", 50, "--out", "run").out == "50\n"
    done = gdtrain(*FIT, "--epochs", 60, "--out", "run")
    assert (done.code, done.out) == (2, "")
    assert (
        done.err
        == "--out: run is there already; name a new folder; --force replaces it, gdtrain resume run goes on with it\n"
    )
    assert gdtrain(*FIT, "--epochs", 60, "--out", "run", "--force").code == 0
    assert gdtrain("resume", "run", "--epochs", 70, "--get", "epochs", "--expect", "epochs = 70").out == "70\n"
    lines = (tmp_path / "run" / "command.txt").read_text().splitlines()
    assert [line.split()[1] for line in lines] == ["fit", "resume"]
    assert lines[0].startswith("gdtrain fit 'y = a*exp(-b*x)' --data x=1,2,3,4")


def test_a_name_that_is_no_text(gdtrain: Command, tmp_path: Path) -> None:
    """The system's names are bytes; what was typed is kept as such, and again when it is gone on with."""
    name = os.fsdecode(b"run\xff")
    assert gdtrain(*FIT, "--epochs", 50, "--out", name).code == 0
    assert gdtrain("resume", name, "--epochs", 60).code == 0
    lines = (tmp_path / name / "command.txt").read_bytes().splitlines()
    assert len(lines) == 2 and all(b"'run\xff'" in line for line in lines)


def test_data_in_a_place_that_is_no_text(gdtrain: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / os.fsdecode(b"place\xff")
    place.mkdir()
    (place / "rows.csv").write_text("x,y\n1,2\n2,4\n")
    monkeypatch.chdir(place)
    for more in ([], ["--starts", "3"]):
        done = gdtrain("fit", "y = w*x", "rows.csv", "--out", tmp_path / "run", *more)
        assert (done.code, done.out) == (2, "")
        assert "no experiment there can name ../place\\udcff/rows.csv" in done.err
        assert gdtrain("fit", "y = w*x", "rows.csv", "--out", "run" + "s" * len(more), *more).code == 0
    assert not (tmp_path / "run").exists()


def test_what_is_not_a_folder_is_not_gone_on_with(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{}")
    done = gdtrain("resume", "r.json")
    assert (done.code, done.out) == (2, "")
    assert done.err == "DIR: r.json is no folder; name the folder that --out named\n"
    gdtrain(*FIT, "--epochs", 50, "--out", "run")
    assert gdtrain("resume", "run/result.json").err == "DIR: run/result.json is no folder; gdtrain resume run\n"


def test_flags_of_a_run_are_shown_again(gdtrain: Command) -> None:
    gdtrain(*FIT[:-2], "--epochs", 30, "--every", 10, "--gradients", "--out", "run", "--format", "json")
    rows = gdtrain("resume", "run", "--format", "json").document["history"]
    assert [row["epoch"] for row in rows] == [0, 10, 20, 30] and "gradient" in rows[0]


def test_a_file_says_it_too(gdtrain: Command, linear: Path) -> None:
    linear.write_text(linear.read_text() + "out: kept\ncheckpoint: {every_s: 5}\n")
    assert gdtrain("run", linear).code == 0
    assert gdtrain("resume", linear.parent / "kept", "--get", "w").out.startswith("1.92")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--checkpoint", "5"], "checkpoint: there is no folder to save the run in; give --out DIR"),
        (["--out", "run", "--checkpoint", "0"], "--checkpoint: "),
        (["--out", "run", "--starts", "3", "--force"], "--force: the folder of many starts is gone on with"),
        (["--out", ""], "--out: no folder can have this name"),
    ],
)
def test_wrong(words: list[str], message: str, gdtrain: Command) -> None:
    done = gdtrain(*FIT, *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(message)


def test_several_files_and_one_folder(gdtrain: Command, linear: Path) -> None:
    done = gdtrain("run", linear, linear, "--out", "run")
    assert done.code == 2 and "a folder keeps one run" in done.err


def test_a_sweep_is_resumed(gdtrain: Command, linear: Path) -> None:
    words = ["sweep", linear, "--lr", "0.01,0.02", "--out", "sw", "--get", "loss"]
    expected = gdtrain(*words).out
    for path in Path("sw/trials").iterdir():
        path.unlink()
    assert gdtrain("resume", "sw", "--get", "loss").out == expected
    assert "2 of 2 trials are kept" in gdtrain("resume", "sw", "--get", "loss").err


def test_a_place_that_cannot_be_written(gdtrain: Command, tmp_path: Path) -> None:
    """The result is printed all the same."""
    (tmp_path / "file").touch()
    done = gdtrain(*FIT, "--epochs", 50, "--out", "file/run")
    assert (done.code, done.out) == (74, "50\n")
    assert done.err == "--out: cannot write file/run: Not a directory; name another folder\n"


# In processes of their own


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals(number: signal.Signals, code: int, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "gdtrain", *FIT, "--epochs", "1e9", "--out", "run", "--checkpoint", "0.05"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    started = subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 40
    while not (tmp_path / "run").exists() and time.monotonic() < until:
        time.sleep(0.05)
    started.send_signal(number)
    out, err = started.communicate(timeout=60)
    assert (started.returncode, err) == (code, b"note: gdtrain resume run goes on with it\n")
    document = json.loads((tmp_path / "run" / "result.json").read_text())
    assert document["verdict"]["status"] == "interrupted" and document["epochs"] == int(out)
    assert {"checkpoint.safetensors", "history.parquet"} <= set(os.listdir(tmp_path / "run"))
    assert os.listdir(tmp_path) == ["run"]


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    words = [*FIT, "--epochs", 3000, "--out", "run", "--checkpoint", 0.01]
    done = process(*words, cwd=tmp_path, before="ulimit -f 8;")
    assert (done.returncode, done.stdout) == (74, "3000\n")
    assert done.stderr == "--out: cannot write run: File too large; raise the limit on the size of files (ulimit -f)\n"
    assert [name for name in os.listdir(tmp_path) if name != "run"] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_stdout_does_not_cost_the_folder(tmp_path: Path) -> None:
    done = process(*FIT, "--epochs", 50, "--out", "run", cwd=tmp_path, after="> /dev/full")
    assert done.returncode == 74
    assert json.loads((tmp_path / "run" / "result.json").read_text())["epochs"] == 50


def test_a_small_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True)
    if mount.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        done = process(*FIT, "--epochs", 3000, "--out", disk / "run", cwd=tmp_path)
        left = os.listdir(disk)
    finally:
        subprocess.run(["umount", disk], check=True)
    assert (done.returncode, done.stdout, left) == (74, "3000\n", [])
    assert done.stderr == f"--out: cannot write {disk}/run: No space left on device; make room, then run it again\n"


def test_without_a_home(tmp_path: Path) -> None:
    done = process(*FIT, "--epochs", 50, "--out", "run", cwd=tmp_path, before="env -u HOME")
    assert (done.returncode, done.stdout, done.stderr) == (0, "50\n", "")


def test_in_a_folder_that_was_removed(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    before = "cd gone; rmdir ../gone;"
    done = process(*FIT, "--epochs", 50, "--out", tmp_path / "run", cwd=tmp_path, before=before)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "gdtrain: the working folder has been removed; cd to another\n"
