"""Running the experiment of a run's folder again: data that have changed since are told of."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.conftest import Command

RERUN = ("run", "kept/experiment.yaml", "--get", "epochs")


@pytest.fixture(autouse=True)
def kept(points: Path) -> Path:
    """A run's folder: its experiment, and the fingerprint of its data."""
    folder = Path("kept")
    folder.mkdir()
    (folder / "experiment.yaml").write_text("fit: y = w*x\ndata: {path: ../points.csv}\ntrain: {epochs: 3, lr: 0.01}\n")
    content = points.read_bytes()
    found = {"path": "../points.csv", "form": ".csv", "size": len(content), "sha256": sha256(content).hexdigest()}
    manifest = {"schema": "gdtrain.folder/1", "kind": "run", "versions": {}, "data": {"data": found}}
    (folder / "run.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def points(gdtrain: Command, points: Path) -> Path:
    """In the folder of the commands."""
    return points


def test_the_same_data_are_nothing_to_tell(gdtrain: Command) -> None:
    assert gdtrain(*RERUN).err == ""


def test_changed_data_are_told_of(gdtrain: Command, points: Path) -> None:
    points.write_text(points.read_text() + "5,10\n")
    told = gdtrain(*RERUN)
    what = "the run in kept read other data: ../points.csv has changed since (27 bytes, 22 before)"
    assert (told.code, told.out, told.err) == (0, "3\n", f"warning: {what}\n")
    assert gdtrain(*RERUN, "--quiet").err == ""
    Path("elsewhere.yaml").write_text(Path("kept/experiment.yaml").read_text().replace("../", ""))
    assert gdtrain("run", "elsewhere.yaml", "--get", "epochs").err == ""


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"data": 1}', '{"data": {"data": {"path": 1}}}'])
def test_a_manifest_that_is_none_is_left_alone(manifest: str, gdtrain: Command, kept: Path) -> None:
    (kept / "run.json").write_text(manifest)
    assert gdtrain(*RERUN).err == ""


def test_data_that_are_gone_are_an_error(gdtrain: Command, points: Path) -> None:
    points.unlink()
    told = gdtrain(*RERUN)
    assert told.code == 3 and "warning" not in told.err
