"""init, check and schema."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import CONFIGS, REPOSITORY, Command

# init


@pytest.mark.parametrize("kind", ["solve", "fit", "regress", "minimize"])
def test_init_writes_what_trains_at_once(kind: str, gdtrain: Command, tmp_path: Path) -> None:
    outcome = gdtrain("init", kind)
    assert (outcome.code, outcome.out) == (0, f"{kind}.yaml\n")
    assert outcome.err == f"train it with: gdtrain run {kind}.yaml\n"
    assert (tmp_path / f"{kind}.yaml").read_text().startswith("# ")
    assert gdtrain("run", f"{kind}.yaml", "--expect", "verdict = converged").code == 0


TABLE = """\
date,region,income,price,gappy,sales
2024-01-01,north,70,0.1,1,5
2024-01-02,south,90,0.8,,8
2024-01-03,east,80,0.13,3,12
"""


def test_init_writes_the_real_columns(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text(TABLE)
    assert gdtrain("init", "regress", "shop.csv", "--target", "sales").out == "regress.yaml\n"
    text = (tmp_path / "regress.yaml").read_text()
    written = yaml.safe_load(text)
    assert written["regress"] == {"target": "sales", "features": ["region", "income", "price"], "intercept": True}
    assert written["data"]["path"] == "shop.csv"
    for comment in (
        "# - date  # dates, no numbers",
        "# - gappy  # number, but 1 empty cell",
    ):
        assert comment in text
    outcome = gdtrain("run", "regress.yaml", "--format", "json")
    assert outcome.code == 0
    assert set(outcome.document["params"]) == {"region[north]", "region[south]", "income", "price", "intercept"}


def test_init_of_hostile_columns(gdtrain: Command, tmp_path: Path) -> None:
    """A name may be anything: the file that is written has it as text."""
    (tmp_path / "t.csv").write_text('"[red]a","b: c","- d","# e","true","y"\n1,2,3,4,5,6\n2,1,4,3,7,5\n3,5,4,1,2,3\n')
    assert gdtrain("init", "regress", "t.csv", "--target", "y").code == 0
    outcome = gdtrain("run", "regress.yaml", "--epochs", 1, "--format", "json")
    assert outcome.code == 0, outcome.err
    assert set(outcome.document["params"]) == {"[red]a", "b: c", "- d", "# e", "true", "intercept"}


def test_init_from_another_folder(gdtrain: Command, tmp_path: Path) -> None:
    """The path in the file is relative to the file, wherever that is written."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "t.csv").write_text("x,y\n1,2\n2,4\n")
    (tmp_path / "experiments").mkdir()
    line = ["init", "regress", "data/t.csv", "--target", "y", "--output"]
    for output in ("here.yaml", "experiments/there.yaml"):
        assert gdtrain(*line, output).out == f"{output}\n"
        outcome = gdtrain("run", output, "--get", "x")
        assert outcome.code == 0, outcome.err


def test_init_writes_an_example_with_its_data(gdtrain: Command, tmp_path: Path) -> None:
    outcome = gdtrain("init", "--example", "sales")
    assert (outcome.code, outcome.out) == (0, "sales.yaml\nsales.csv\n")
    assert (tmp_path / "sales.csv").read_bytes() == (REPOSITORY / "data" / "sales.csv").read_bytes()
    found = gdtrain("run", "sales.yaml", "--format", "json").document
    shipped = gdtrain("run", CONFIGS / "sales.yaml", "--format", "json").document
    del found["timing"], shipped["timing"]
    assert found == shipped


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_every_example_can_be_written(name: str, gdtrain: Command) -> None:
    assert gdtrain("init", "--example", name).code == 0
    assert gdtrain("check", f"{name}.yaml", "--data").code == 0


def test_init_overwrites_nothing(gdtrain: Command, tmp_path: Path) -> None:
    """Neither a file, nor through a link, nor half of an example."""
    (tmp_path / "fit.yaml").write_text("mine")
    os.symlink(tmp_path / "elsewhere.yaml", tmp_path / "solve.yaml")
    (tmp_path / "sales.csv").write_text("mine")
    for arguments, path in ((["fit"], "fit.yaml"), (["solve"], "solve.yaml"), (["--example", "sales"], "sales.csv")):
        outcome = gdtrain("init", *arguments)
        assert (outcome.code, outcome.out) == (2, "")
        assert f"{path} exists" in outcome.err
    assert (tmp_path / "fit.yaml").read_text() == (tmp_path / "sales.csv").read_text() == "mine"
    assert not (tmp_path / "elsewhere.yaml").exists()
    assert not (tmp_path / "sales.yaml").exists()


INIT_MISTAKES: list[tuple[list[str], int, str]] = [
    ([], 2, "name a kind, or an example"),
    (["fit", "--example", "sales"], 2, "name a kind, or an example"),
    (["solv"], 2, "did you mean solve?"),
    (["fit", "t.csv"], 2, "gdtrain init regress t.csv"),
    (["fit", "--target", "y"], 2, "--target needs a table"),
    (["regress", "t.csv"], 2, "--target is missing; the columns are x, y"),
    (["regress", "t.csv", "--target", "z"], 2, "there is no column z; the columns are x, y"),
    (["regress", "nofile.csv", "--target", "y"], 3, "nofile.csv: there is no such file"),
    (["--example", "sale"], 2, "did you mean sales?"),
    (["--example", "../configs/sales"], 2, "there is no example"),
    (["fit", "--output", "nofolder/fit.yaml"], 74, "cannot write nofolder/fit.yaml"),
    (["fit", "--output", "."], 2, "exists"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), INIT_MISTAKES)
def test_init_mistakes(arguments: list[str], code: int, message: str, gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n1,2\n2,4\n")
    before = sorted(tmp_path.iterdir())
    outcome = gdtrain("init", *arguments)
    assert (outcome.code, outcome.out) == (code, ""), outcome
    assert message in outcome.err
    assert sorted(tmp_path.iterdir()) == before


# check


def test_check_fills_in_every_default(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("solve: x + 1 = 3\n")
    assert gdtrain("check", "f.yaml").out == (
        "name: f\n"
        "solve: x + 1 = 3\n"
        "params:\n"
        "  x: {start: {uniform: [0, 1]}}\n"
        "loss: half_sse\n"
        "train:\n"
        "  optimizer: auto\n"
        "  lr: auto\n"
        "  epochs: 1000\n"
        "  seed: 0\n"
        "  engine: auto\n"
        "  dtype: float64\n"
        "  device: cpu\n"
    )


@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_check_prints_is_the_same_experiment(config: Path, gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    shutil.copytree(REPOSITORY / "data", tmp_path / "data")
    printed = gdtrain("check", config).out
    copy = tmp_path / "configs" / config.name
    copy.write_text(printed)
    assert gdtrain("check", copy).out == printed
    few = ["--epochs", 3, "--format", "json"]
    found, expected = (gdtrain("run", path, *few).document for path in (copy, config))
    for document in (found, expected):
        del document["timing"], document["train"]["chosen"]
        document["warnings"] = [warning.rpartition("/data/")[2] for warning in document.get("warnings", ())]
    assert found == expected


def test_check_of_several_files(gdtrain: Command, linear: Path, tmp_path: Path) -> None:
    """The good ones are printed; every mistake is told."""
    (tmp_path / "bad.yaml").write_text("solve: x +\n")
    one = gdtrain("check", linear).out
    assert gdtrain("check", linear, linear).out == f"{one}---\n{one}"
    outcome = gdtrain("check", "bad.yaml", linear, "nofile.yaml")
    assert (outcome.code, outcome.out) == (2, one)
    assert "bad.yaml:1:" in outcome.err and "nofile.yaml: there is no such file" in outcome.err


def test_check_with_data_tells_the_curvature(gdtrain: Command, linear: Path) -> None:
    """2 mean(x^2) = 15, the limit 2/15, the best lr 1/15; 0.85^86 is the first power below 1e-6."""
    outcome = gdtrain("check", linear, "--data")
    assert outcome.out == gdtrain("check", linear).out + (
        "# rows: 4\n"
        "# x: 1 to 4, mean 2.5\n"
        "# y: 2 to 8, mean 5\n"
        "# at the start: loss 30, gradient norm 30\n"
        "# largest curvature 15, condition number 1, lr limit 0.1333, best 0.06667, "
        "86 epochs to come within 1e-6 of the optimum\n"
        "# optimum (loss 0): w = 2; the start lies 30 above it\n"
        "# engine exact (squared loss, residual affine in the parameters), lr 0.01\n"
    )
    assert yaml.safe_load(outcome.out)["fit"] == "y = w*x"


CHECKED: list[tuple[str, int, int]] = [
    # text, exit code of check, of check --data
    ("fit: y = w*x\ndata: {path: points.csv}\n", 0, 0),
    ("fit: y = w*x\ndata: {path: nofile.csv}\n", 0, 3),
    ("fit: q = w*x\ndata: {path: points.csv}\n", 0, 2),
    ("fit: y = w*x\ndata: {path: points.csv}\npredict: nofile.csv\n", 0, 3),
    ("solve: log(x) = 1\nparams: {x: -1}\n", 0, 0),
    ("solve: x + 1\n", 2, 2),
]


@pytest.mark.parametrize(("text", "code", "with_data"), CHECKED)
def test_check_reads_data_only_when_asked(
    text: str, code: int, with_data: int, gdtrain: Command, points: Path, tmp_path: Path
) -> None:
    (tmp_path / "f.yaml").write_text(text)
    assert gdtrain("check", "f.yaml").code == code
    assert gdtrain("check", "f.yaml", "--data").code == with_data


def test_check_trains_nothing(gdtrain: Command, linear: Path) -> None:
    linear.write_text(linear.read_text().replace("epochs: 20", "epochs: 1000000000"))
    assert gdtrain("check", linear, "--data").code == 0


# schema


def test_schema_is_the_schema_of_experiments(gdtrain: Command) -> None:
    outcome = gdtrain("schema")
    assert (outcome.code, outcome.err) == (0, "")
    schema = json.loads(outcome.out)
    problem = {"name", "solve", "fit", "regress", "minimize", "data", "params", "sweep"}
    rest = {"model", "loss", "penalty", "train", "stop", "uncertainty", "predict", "expect", "out", "checkpoint"}
    assert problem | rest == set(schema["properties"])
    assert schema["additionalProperties"] is False
