"""Hostile YAML fragments, each placed into a complete experiment."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gdtrain.experiment.schema import Experiment

from .texts import DATA, FIT, read, refusal

CASES = json.loads((Path(__file__).parents[1] / "data" / "hostile_yaml.json").read_text())
TRAIN = ("steps", "lr", "lrr", "seed", "optimizer")


def complete(fragment: str) -> str:
    """The experiment that a fragment belongs in, by its first key."""
    key = fragment.partition(":")[0]
    if key in TRAIN:
        lines = fragment.replace("steps:", "epochs:").splitlines()
        return FIT + "train:\n" + "".join(f"  {line}\n" for line in lines)
    if key == "formula":
        return fragment.replace("formula:", "fit:") + DATA
    if key == "data":
        return "fit: y = w*x\n" + fragment
    return fragment if key.startswith("[") else FIT + fragment.replace("title:", "name:")


ACCEPTED: dict[str, Callable[[Experiment], bool]] = {
    "lr: 1e-3\n": lambda experiment: experiment.train.lr == 0.001,
    'title: "[link=file:///etc/passwd]x[/link]"\n': lambda e: e.name == "[link=file:///etc/passwd]x[/link]",
    'name: "CON"\n': lambda experiment: experiment.name == "CON",
}
# What a refusal must say besides its place.
SAID = {
    "optimizer: no\n": "put it in quotes",
    "lrr: 0.1\n": "did you mean lr?",
    "formula: a: b\n": "put the formula in quotes",
    "formula: *x\n": "put the formula in quotes",
    "steps: 1,000\n": "write 1000",
    "data: /dev/stdin\n": "write data: {path: -}",
    'lr: "0.1"\n': "write it without quotes",
}


@pytest.mark.parametrize("case", CASES, ids=[case["text"][:40] for case in CASES])
def test_hostile(case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fragment, start = case["text"], time.perf_counter()
    if fragment in ACCEPTED:
        assert ACCEPTED[fragment](read(complete(fragment)))
    else:
        message = refusal(complete(fragment))
        assert re.match(r"stdin:\d+:\d+: \S", message)
        assert SAID.get(fragment, "") in message
    assert time.perf_counter() - start < 5
    assert not list(tmp_path.iterdir())


def test_every_case_is_meant_as_it_is_told() -> None:
    """What loads is what the table calls accepted, and nothing else."""
    kind = {case["text"]: case["expect"].split()[0] for case in CASES}
    assert {text for text, expect in kind.items() if expect in ("accept", "print", "ok")} == set(ACCEPTED)
    assert set(kind) >= set(SAID)
