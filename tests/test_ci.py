"""docs/ci.md: its script and the steps of its workflow run in a real shell, and fail where they should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.documents import REPOSITORY, blocks

PAGE = REPOSITORY / "docs" / "ci.md"
GATE = """fit: y = w*x
data:
  columns: {x: [1, 2, 3, 4], y: [2, 4, 6, 8]}
expect: [w = 2 +- 1e-6, verdict = converged, r2 > 0.9]
"""


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path) -> None:
    """A repository with one gate and its result, and `gdtrain` on the path."""
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "line.yaml").write_text(GATE)
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "gdtrain"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gdtrain "$@"\n')
    shim.chmod(0o755)
    done = shell("gdtrain run gates/line.yaml --quiet --format json > gates/line.json", tmp_path)
    assert done.returncode == 0, done.stderr


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    found = os.environ.get("PYTHONPATH", "")
    environment = os.environ | {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{found}".rstrip(os.pathsep),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    command = ["bash", "-euo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def workflow() -> dict[object, Any]:
    (text,) = blocks(PAGE, "yml")
    told: dict[object, Any] = yaml.safe_load(text)
    return told


def steps() -> dict[str, str]:
    """The scripts of the workflow by their names; what it installs is installed here."""
    (job,) = workflow()["jobs"].values()
    return {step["name"]: step["run"] for step in job["steps"] if "run" in step and "name" in step}


def cases(path: Path) -> list[tuple[str | None, list[str]]]:
    return [
        (case.get("name"), [wrong.tag for wrong in case]) for case in ElementTree.parse(path).getroot().iter("testcase")
    ]


def test_the_gate_is_the_pages() -> None:
    assert GATE in PAGE.read_text(encoding="utf-8")


def test_the_script(tmp_path: Path) -> None:
    (script,) = blocks(PAGE, "bash")
    done = shell(script, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["w = 2.0", "changed: verdict and more", "epoch,loss,w"]
    assert json.loads((tmp_path / "build" / "results.json").read_text())["verdict"]["status"] == "converged"
    assert [wrong for _, wrong in cases(tmp_path / "build/gates.xml")] == [[], [], []]


def test_the_workflow(tmp_path: Path) -> None:
    for name, script in steps().items():
        done = shell(script, tmp_path)
        assert done.returncode == 0, f"{name}: {done.stderr}"
    assert len(cases(tmp_path / "gates.xml")) == 3
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "### ✅ gdtrain: line" in summary and "| pass | r2 \\> 0.9 | r2 = 1 |" in summary
    assert "no differences in" in summary


def test_the_workflow_is_whole() -> None:
    told = workflow()
    assert told[True] == ["push", "pull_request"]  # YAML 1.1 takes `on` for true, and GitHub does not mind
    (job,) = told["jobs"].values()
    assert all({"uses", "run"} & set(step) for step in job["steps"])
    assert [step["with"]["path"] for step in job["steps"] if step.get("if") == "always()"] == ["gates.xml"]


FAILURES = [
    (GATE.replace("w = 2", "w = 3"), 1, [["failure"], [], []]),
    (GATE + "train: {lr: 1, epochs: 50}\n", 4, [["failure"], ["failure"], ["failure"], ["failure"]]),
    (GATE.replace("columns: {x: [1, 2, 3, 4], y: [2, 4, 6, 8]}", "path: none.csv"), 3, [["error"]]),
]


@pytest.mark.parametrize(("gate", "code", "wrong"), FAILURES)
def test_the_first_step_fails_as_the_page_says(gate: str, code: int, wrong: list[list[str]], tmp_path: Path) -> None:
    """The other file is trained all the same, and stands in the XML."""
    (tmp_path / "gates" / "broken.yaml").write_text(gate)
    done = shell(f"{steps()['Expectations']}\necho went on", tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    found = [tags for _, tags in cases(tmp_path / "gates.xml")]
    assert found == [*wrong, [], [], []]
    assert "❌ gdtrain: broken" in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_a_file_that_is_wrong_fails_before_training(tmp_path: Path) -> None:
    (tmp_path / "gates" / "broken.yaml").write_text(GATE.replace("w = 2 +- 1e-6", "w ~ 2"))
    done = shell(steps()["Expectations"], tmp_path)
    assert done.returncode == 2 and "gates/broken.yaml:4:10: not an expectation" in done.stderr
    assert not (tmp_path / "gates.xml").exists()


def test_a_result_that_changed_fails_the_second_step(tmp_path: Path) -> None:
    """A fifth row on the same line leaves w, and what is expected of it, as they were."""
    more = "columns: {x: [1, 2, 3, 4, 5], y: [2, 4, 6, 8, 10]}"
    (tmp_path / "gates" / "line.yaml").write_text(GATE.replace("columns: {x: [1, 2, 3, 4], y: [2, 4, 6, 8]}", more))
    done = shell(steps()["Same as before"], tmp_path)
    assert done.returncode == 1
    assert "| data | data.rows | 4 | 5 | 1 |" in (tmp_path / "summary.md").read_text(encoding="utf-8")
