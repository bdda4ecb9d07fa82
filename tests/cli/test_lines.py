"""One-liners: each is the experiment of a file that says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command, Outcome

POINTS = "x,y\n1,2\n2,4\n3,6.5\n4,8\n"

# A line, and the file that says the same.
PAIRS: dict[str, tuple[list[str], str]] = {
    "solve": (["solve", "x + 1 = 3"], "solve: x + 1 = 3\n"),
    "solve from a start": (
        ["solve", "x^2 = 2", "--start", "x=1", "--lr", "0.1", "--epochs", "1e2"],
        "solve: x^2 = 2\nparams: {x: 1}\ntrain: {lr: 0.1, epochs: 100}\n",
    ),
    "a system": (["solve", "x + y = 3", "x - y = 1"], "solve: [x + y = 3, x - y = 1]\n"),
    "a leading minus": (["solve", "-x = 3"], "solve: -x = 3\n"),
    "fit a table": (["fit", "y = w*x + b", "points.csv"], "fit: y = w*x + b\ndata: {path: points.csv}\n"),
    "fit columns": (
        ["fit", "y = w*x", "--data", "x=1,2,3,4", "--data", "y=2,4,6,8", "--predict", "x=5"],
        "fit: y = w*x\ndata: {columns: {x: [1, 2, 3, 4], y: [2, 4, 6, 8]}}\npredict: [{x: 5}]\n",
    ),
    "fit and predict all": (
        ["fit", "y = w*x", "points.csv", "--predict", "data"],
        "fit: y = w*x\ndata: {path: points.csv}\npredict: data\n",
    ),
    "fit and predict a file": (
        ["fit", "y = w*x", "points.csv", "--predict", "points.csv"],
        "fit: y = w*x\ndata: {path: points.csv}\npredict: points.csv\n",
    ),
    "fit and predict points": (
        ["fit", "y = w*x + v*z", "three.csv", "--predict", "x=5,z=1", "--predict", "x=-1,z=0"],
        "fit: y = w*x + v*z\ndata: {path: three.csv}\npredict: [{x: 5, z: 1}, {x: -1, z: 0}]\n",
    ),
    "regress": (["regress", "points.csv", "--target", "y"], "regress: {target: y}\ndata: {path: points.csv}\n"),
    "regress on some": (
        ["regress", "points.csv", "--target", "y", "--features", "x", "--no-intercept"],
        "regress: {target: y, features: [x], intercept: false}\ndata: {path: points.csv}\n",
    ),
    "regress several": (
        ["regress", "three.csv", "--target", "y,z", "--features", "x"],
        "regress: {target: [y, z], features: x}\ndata: {path: three.csv}\n",
    ),
    "regress with an lr": (
        ["regress", "points.csv", "--target", "y", "--lr", "0.01"],
        "regress: {target: y}\ndata: {path: points.csv}\ntrain: {lr: 0.01}\n",
    ),
    "minimize": (["minimize", "(1 - x)^2 + (y - 2)^2"], "minimize: (1 - x)^2 + (y - 2)^2\n"),
    "minimize over a table": (
        ["minimize", "mean((y - w*x)^2)", "points.csv"],
        "minimize: mean((y - w*x)^2)\ndata: {path: points.csv}\n",
    ),
    "minimize over columns": (
        ["minimize", "mean((a - x)^2)", "--data", "x=1,2,6"],
        "minimize: mean((a - x)^2)\ndata: {columns: {x: [1, 2, 6]}}\n",
    ),
    "an optimizer": (
        ["fit", "y = w*x", "points.csv", "--optimizer", "{name: sgd, momentum: 0.5}", "--lr", "0.01", "--seed", "3"],
        "fit: y = w*x\ndata: {path: points.csv}\ntrain: {optimizer: {name: sgd, momentum: 0.5}, lr: 0.01, seed: 3}\n",
    ),
    "settings": (
        ["fit", "y = w*x", "points.csv", "--optimizer", "adam", "--set", "train.optimizer.betas=[0.8,0.9]"],
        "fit: y = w*x\ndata: {path: points.csv}\ntrain: {optimizer: {name: adam, betas: [0.8, 0.9]}}\n",
    ),
    "bounds and stops": (
        ["fit", "y = w*x", "points.csv", "--set", "params.w={start: 1, max: 1.5}", "--set", "stop.patience=5"],
        "fit: y = w*x\ndata: {path: points.csv}\nparams: {w: {start: 1, max: 1.5}}\nstop: {patience: 5}\n",
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def tables(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(POINTS)
    (tmp_path / "three.csv").write_text("x,y,z\n1,2,3\n2,4,1\n3,7,0\n")


def said(outcome: Outcome) -> dict[str, Any]:
    """The document apart from its name and its times."""
    document = outcome.document
    return {key: value for key, value in document.items() if key not in ("name", "timing")}


def without_chosen(document: dict[str, Any]) -> dict[str, Any]:
    """Apart from what tells a default from the same thing written out."""
    train = {key: value for key, value in document["train"].items() if key != "chosen"}
    return {**document, "train": train}


FEW = ["--epochs", 50, "--format", "json"]


@pytest.mark.parametrize(("line", "text"), PAIRS.values(), ids=[*PAIRS])
def test_a_line_is_the_file_that_says_the_same(line: list[str], text: str, gdtrain: Command, tmp_path: Path) -> None:
    """Also the file that --print-config writes, which printed again is the same."""
    (tmp_path / "file.yaml").write_text(text)
    by_line, by_file = gdtrain(*line, *FEW), gdtrain("run", "file.yaml", *FEW)
    assert by_line.code == by_file.code == 0
    assert (by_line.document["name"], by_file.document["name"]) == (line[0], "file")
    assert said(by_line) == said(by_file)

    printed = gdtrain(*line, "--print-config")
    (tmp_path / "printed.yaml").write_text(printed.out)
    assert without_chosen(said(gdtrain("run", "printed.yaml", *FEW))) == without_chosen(said(by_line))
    assert gdtrain("run", "printed.yaml", "--print-config").out == printed.out
    assert gdtrain("check", "printed.yaml").out == printed.out


def test_printing_does_not_train(gdtrain: Command) -> None:
    outcome = gdtrain("solve", "x = 1", "--print-config", "--epochs", "1e9", "--format", "json")
    assert outcome.code == 0
    assert outcome.out.startswith("name: solve\nsolve: x = 1\n")


def test_several_files_are_printed_apart(gdtrain: Command, linear: Path) -> None:
    one = gdtrain("run", linear, "--print-config").out
    assert gdtrain("run", linear, linear, "--print-config").out == f"{one}---\n{one}"


def test_features_that_were_chosen_are_listed(gdtrain: Command) -> None:
    assert gdtrain("regress", "three.csv", "--target", "y", "--get", "x").err == "features: x, z\n"
    assert gdtrain("regress", "three.csv", "--target", "y", "--get", "x", "--quiet").err == ""
    assert gdtrain("regress", "three.csv", "--target", "y", "--features", "x", "--get", "x").err == ""


def test_columns_in_backquotes(gdtrain: Command, tmp_path: Path) -> None:
    """A name that is no identifier, in each place where one is written."""
    (tmp_path / "odd.csv").write_text("my col,y-1\n1,2\n2,4\n")
    line = ["fit", "`y-1` = w*`my col`"]
    by_table = gdtrain(*line, "odd.csv", "--predict", "my col=3", "--format", "json")
    assert by_table.code == 0, by_table.err
    assert by_table.document["predictions"][0]["after"] == pytest.approx(6)
    inline = gdtrain(
        *line, "--data", "my col=1,2", "--data", "`y-1`=2,4", "--predict", "`my col`=3", "--format", "json"
    )
    assert inline.code == 0, inline.err
    assert said(inline)["predictions"] == said(by_table)["predictions"]
    regressed = gdtrain(
        "regress", "odd.csv", "--target", "y-1", "--features", "my col", "--no-intercept", "--get", "my col"
    )
    assert float(regressed.out) == pytest.approx(2)


def test_the_same_command_twice_is_the_same_to_the_byte(gdtrain: Command) -> None:
    """Apart from timing, also where starts are drawn and columns scaled."""
    for line in (
        ["fit", "y = a*x^b + c", "points.csv", "--optimizer", "adam"],
        ["regress", "three.csv", "--target", "y"],
    ):
        documents = []
        for _ in range(2):
            document = gdtrain(*line, "--format", "json").document
            assert set(document.pop("timing")) == {"load_s", "train_s"}
            documents.append(json.dumps(document))
        assert documents[0] == documents[1]
