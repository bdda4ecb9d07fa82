"""Formulas, YAML texts and tables that want to reach the machine, exhaust it or be misread, in whole commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command

DATA = Path(__file__).parents[1] / "data"
FORMULAS: list[dict[str, str]] = json.loads((DATA / "hostile_formulas.json").read_text(encoding="utf-8"))
TEXTS: list[dict[str, str]] = json.loads((DATA / "hostile_yaml.json").read_text(encoding="utf-8"))
TABLES: list[dict[str, Any]] = json.loads((DATA / "hostile_csv.json").read_text(encoding="utf-8"))

pytestmark = pytest.mark.usefixtures("nothing_else_written")


@pytest.fixture
def nothing_else_written(tmp_path: Path) -> Any:
    """No file named PWNED, wherever a command may have left one."""
    yield
    assert not (tmp_path / "PWNED").exists()
    assert not Path("PWNED").exists()


def fit(formula: str, rows: str = "x: [1, 4, 0, -1], y: [2, 8, 0, -2]") -> str:
    return f"fit: {json.dumps(formula)}\ndata: {{columns: {{{rows}}}}}\ntrain: {{epochs: 5}}\n"


# Formulas

# In a fit over rows with x = 0 in row 3 and x = -1 in row 4: exit code, and what the message says.
DOMAIN: dict[str, tuple[int, str]] = {
    "log(x)": (4, "log(x) is not finite in row 3 (x = 0)"),
    "sqrt(x)": (4, "sqrt(x) is not finite in row 4 (x = -1)"),
    "1/x": (4, "1/x is not finite in row 3 (x = 0)"),
    "x**0.5": (4, "x^0.5 is not finite in row 4 (x = -1)"),
    "a*b*x": (0, "a and b are not determined one by one"),
    "y": (2, "y is predicted from itself"),
    "e*x": (2, "write exp(1), or declare e under params"),
    "2x": (2, "there is nothing to learn"),
    "-2**2": (2, "there is nothing to learn"),
    "2**3**2": (2, "there is nothing to learn"),
}
LONG = {
    "minus signs": "-" * 100_000 + "x",
    "more minus signs": "-" * 4000 + "x",
    "parentheses": "(" * 300 + "x" + ")" * 300,
    "a name": "x" * 100_000,
}


@pytest.mark.parametrize("case", FORMULAS, ids=lambda case: case["formula"])
def test_formula(case: dict[str, str], gdtrain: Command, tmp_path: Path) -> None:
    """Refused with a place in the file, or told what its numbers came to."""
    formula = case["formula"]
    code, message = DOMAIN.get(formula, (2, "file.yaml:1:"))
    if case["category"] == "domain" and code == 4:
        formula = f"a + {formula}"  # so that there is something to learn
    (tmp_path / "file.yaml").write_text(fit(f"y = {formula}"), encoding="utf-8")
    outcome = gdtrain("run", "file.yaml", "--format", "plain")
    assert outcome.code == code, outcome
    assert message in outcome.out + outcome.err
    if code == 2:
        assert not outcome.out
        assert "file.yaml:1:" in outcome.err


@pytest.mark.parametrize("verb", ["solve", "fit", "minimize"])
@pytest.mark.parametrize(
    "formula", [c["formula"] for c in FORMULAS if c["formula"] not in DOMAIN and c["formula"] != "x == 3"]
)
def test_formula_on_the_command_line(formula: str, verb: str, gdtrain: Command) -> None:
    text = {"solve": f"{formula} = 3", "fit": f"y = w*({formula})", "minimize": formula}[verb]
    data = ["--data", "x=1,2", "--data", "y=2,4"] if verb == "fit" else []
    outcome = gdtrain(verb, text, *data)
    assert (outcome.code, outcome.out) == (2, ""), outcome


@pytest.mark.parametrize("text", LONG.values(), ids=[*LONG])
def test_long_formula(text: str, gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_text(fit(f"y = {text}"))
    outcome = gdtrain("run", "file.yaml")
    assert outcome.code == 2
    assert max(map(len, outcome.err.splitlines())) < 300


# YAML texts: the keys of the fragments as ours, and what each must come to

WHOLE = "fit: y = w*x\ndata:\n  columns: {x: [1, 2], y: [2, 4]}\nparams: {w: 0.0}\ntrain:\n  epochs: 3\n"


def placed(text: str) -> str:
    """A complete experiment that holds the fragment where its keys belong."""
    lines = []
    base = WHOLE
    for line in text.splitlines() or [""]:
        key, colon, value = line.partition(":")
        if key in ("steps", "lr", "seed", "optimizer", "lrr"):
            ours = {"steps": "epochs"}.get(key, key)
            base = base.replace("  epochs: 3\n", "") if ours == "epochs" else base
            lines.append(f"  {ours}:{value}")
        elif key == "formula":
            base = base.replace("fit: y = w*x", f"fit:{value}")
        elif key == "data":
            base = base.replace("  columns: {x: [1, 2], y: [2, 4]}", f"  path:{value}")
        else:
            base = f"{line if key != 'title' else 'name:' + value}\n" + base if colon else f"{line}\n" + base
    return base + "\n".join(lines) + "\n"


REMEDY: dict[str, str] = {
    "lrr: 0.1\n": "did you mean lr?",
    "optimizer: no\n": "quote",
    "data: /dev/stdin\n": "write path: - for stdin",
    "steps: 1.5\n": "whole number",
    "formula: a: b\n": "quotes",
    "formula: *x\n": "quotes",
}
ACCEPTED = {"lr: 1e-3\n", 'title: "[link=file:///etc/passwd]x[/link]"\n', 'name: "CON"\n'}


@pytest.mark.parametrize("case", TEXTS, ids=lambda case: case["text"][:30])
def test_yaml(case: dict[str, str], gdtrain: Command, tmp_path: Path) -> None:
    text = case["text"]
    (tmp_path / "file.yaml").write_text(placed(text), encoding="utf-8")
    outcome = gdtrain("run", "file.yaml", "--format", "plain")
    if text in ACCEPTED:
        assert outcome.code == 0, outcome
        assert ("[link=file:///etc/passwd]x[/link]" in outcome.out) == text.startswith("title")
        return
    assert (outcome.code, outcome.out) == (2, ""), outcome
    assert "file.yaml:" in outcome.err
    assert REMEDY.get(text, "") in outcome.err


# Tables

FORMULA_OVER = {
    "markup_header.csv": "y = a*`[/b]` + b*`[red]z`",
    "formula_injection.csv": "y = w*`=cmd|' /C calc'!A0`",
    "reserved_names.csv": "y = a*`lambda` + b*class + c*`exp`",
    "spaces_in_names.csv": "`y-1` = w*`my col`",
    "case_header.csv": "y = a*X + b*x",
}


@pytest.mark.parametrize("case", TABLES, ids=lambda case: case["file"])
@pytest.mark.parametrize("style", ["table", "json"])
def test_table(case: dict[str, Any], style: str, gdtrain: Command, tmp_path: Path) -> None:
    name = case["file"]
    shutil.copy(DATA / "hostile_csv" / name, tmp_path / name)
    verb: list[object] = ["fit", FORMULA_OVER.get(name, "y = w*x"), name]
    if name == "quoted_newline_header.csv":
        verb = ["regress", name, "--target", "y"]
    outcome = gdtrain(*verb, "--epochs", 3, "--format", style)
    if "columns" in case:
        assert outcome.code == 0, outcome
        assert case.get("warning", "") in outcome.err
        return
    assert (outcome.code, outcome.out) == (3, ""), outcome
    for part in case["error"]:
        assert part.removeprefix(f"{name}: ").removesuffix(" x") in outcome.err


@pytest.mark.parametrize("style", ["table", "plain", "md"])
def test_names_are_printed_literally(style: str, gdtrain: Command, tmp_path: Path) -> None:
    """Markup stays text and a line break becomes an escape: neither may restyle or tear a table."""
    (tmp_path / "t.csv").write_bytes((DATA / "hostile_csv" / "markup_header.csv").read_bytes())
    (tmp_path / "n.csv").write_bytes((DATA / "hostile_csv" / "quoted_newline_header.csv").read_bytes())
    markup = gdtrain("regress", "t.csv", "--target", "y", "--epochs", 1, "--format", style).out.replace("\\", "")
    assert "[/b]" in markup and "[red]z" in markup
    broken = gdtrain("regress", "n.csv", "--target", "y", "--epochs", 1, "--format", style)
    assert broken.code == 0
    assert "x\\nnewline" in broken.out.replace("\\\\", "\\")


CONTROL = {"clear": "\x1b[2J", "bell": "\x07", "right to left": "\u202e", "title": "\x1b]0;x\x07"}


@pytest.mark.parametrize("control", CONTROL.values(), ids=[*CONTROL])
@pytest.mark.parametrize("style", ["table", "plain", "md"])
def test_control_characters_are_escaped(control: str, style: str, gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"a{control}b,y\n1,2\n2,3\n4,4\n", encoding="utf-8")
    outcome = gdtrain("regress", "t.csv", "--target", "y", "--epochs", 1, "--format", style)
    assert all(character.isprintable() or character == "\n" for character in outcome.out + outcome.err), outcome
    (tmp_path / "t.csv").write_text(f"a,y\n1,2{control}\n", encoding="utf-8")
    outcome = gdtrain("regress", "t.csv", "--target", "y", "--epochs", 1)
    assert outcome.code == 3
    assert all(character.isprintable() or character == "\n" for character in outcome.out + outcome.err), outcome
