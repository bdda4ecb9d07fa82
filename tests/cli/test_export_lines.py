"""export: texts on stdout, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def saved(gdtrain: Command, linear: Path) -> Path:
    path = Path("result.json")
    path.write_text(gdtrain("run", linear, "--format", "json").out)
    return path


@pytest.mark.parametrize("language", ["python", "sql", "latex"])
def test_a_file_a_folder_and_stdin_say_the_same(language: str, saved: Path, gdtrain: Command) -> None:
    written = gdtrain("export", saved, "--to", language)
    assert (written.code, written.err) == (0, "") and "1.92248" in written.out
    assert gdtrain("export", ".", "--to", language).out == written.out
    assert gdtrain("export", "-", "--to", language, stdin=saved.read_text()).out == written.out


REFUSED = [
    (["result.json"], "--to"),
    (["result.json", "--to", "pyton"], "--to: there is no language pyton; did you mean python?"),
    (["none.json", "--to", "sql"], "cannot read none.json: No such file or directory"),
    (["linear.yaml", "--to", "sql"], "linear.yaml is no result document"),
    (["solved.json", "--to", "sql"], "solved.json: solve predicts nothing; name a result of fit or regress"),
    (["sweep.json", "--to", "sql"], "sweep.json: holds 2 results"),
    (["torn.json", "--to", "sql"], "torn.json is no result document"),
    (["damaged.json", "--to", "sql"], "damaged.json: is damaged: its sections do not fit together"),
    (["diverged.json", "--to", "sql"], "diverged.json: its predictor is wrong: "),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_refused(words: list[str], message: str, saved: Path, gdtrain: Command) -> None:
    Path("solved.json").write_text(gdtrain("solve", "x + 1 = 3", "--format", "json").out)
    Path("sweep.json").write_text(gdtrain("sweep", "linear.yaml", "--lr", "0.01,0.02", "--format", "json").out)
    Path("torn.json").write_text(saved.read_text()[:300])
    document = json.loads(saved.read_text())
    Path("damaged.json").write_text(json.dumps(document | {"params": {}}))
    Path("diverged.json").write_text(
        json.dumps(document | {"params": {"w": document["params"]["w"] | {"value": "nan"}}})
    )
    found = gdtrain("export", *words)
    assert (found.code, found.out) == (2, "") and message in found.err, found.err
    assert found.err.count("\n") == 1
