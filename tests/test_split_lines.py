"""Held-out rows on the command line: which flags go together, which columns tell rows apart, what is asked by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdtrain.cli.process import run as command

ROWS = 40


@pytest.fixture
def rows_csv(tmp_path: Path) -> str:
    """y = 2 x but for a wiggle, and columns that tell rows apart."""
    lines = ["x,y,day,flag,answer,part"]
    for i in range(ROWS):
        x = (7 * i % ROWS) / 10 - 2
        told = f"2024-01-0{1 + i % 3},{'true' if i % 4 == 0 else 'false'},{'yes' if i % 5 else 'no'},p{i % 2}"
        lines.append(f"{x},{2 * x + 0.1 * (-1) ** (i // 2)},{told}")
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def fitted(rows: str, *words: str) -> int:
    return command(["fit", "y = w*x", rows, *words])


# Flags that exclude each other


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--folds", "5", "--holdout", ".2"], "--folds and --holdout exclude each other; leave one out"),
        (
            ["--set", "data.split.column=day", "--holdout", ".2"],
            "--holdout and --set data.split.column exclude each other",
        ),
        (
            ["--set", "data.split={folds: 3}", "--holdout", ".2"],
            "--holdout and --set data.split exclude each other",
        ),
        (
            ["--set", "train.clip.norm=1", "--set", "train.clip.value=1"],
            "--set train.clip.norm and --set train.clip.value exclude each other",
        ),
    ],
)
def test_two_flags_of_one_choice(
    flags: list[str], message: str, rows_csv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fitted(rows_csv, *flags) == 2
    said = capsys.readouterr().err
    assert message in said or message.replace("--folds and --holdout", "--holdout and --folds") in said


@pytest.fixture
def split_yaml(tmp_path: Path, rows_csv: str) -> str:
    path = tmp_path / "split.yaml"
    path.write_text(f"fit: y = w*x\ndata: {{path: {rows_csv}, split: {{folds: 4}}}}\n")
    return str(path)


def test_a_flag_takes_the_place_of_the_files_choice(split_yaml: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["run", split_yaml, "--holdout", "0.25", "--get", "data.split.held_out"]) == 0
    assert capsys.readouterr().out == "10\n"
    assert command(["run", split_yaml, "--folds", "2", "--folds", "3", "--get", "folds.count"]) == 0
    assert capsys.readouterr().out == "3\n"


def test_an_axis_and_a_flag_of_one_choice(split_yaml: str, capsys: pytest.CaptureFixture[str]) -> None:
    for flags in (["--folds", "2,3", "--holdout", ".2"], ["--folds", "2", "--holdout", ".2,.3"]):
        assert command(["sweep", split_yaml, *flags]) == 2
        assert "exclude each other; leave one out" in capsys.readouterr().err
    assert command(["sweep", split_yaml, "--holdout", ".2,.3", "--format", "csv", "--quiet"]) == 0
