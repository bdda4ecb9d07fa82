"""The pages say what is so: every command prints what they show, and every verb, option and key stands in them."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

from gdtrain.cli.app import PANELS, app
from gdtrain.cli.process import run
from gdtrain.experiment import schedules
from gdtrain.experiment.forms import json_schema
from gdtrain.experiment.load import load
from gdtrain.experiment.optimizers import DEFAULTS, LR, SECOND
from gdtrain.formula import parse
from gdtrain.formula.nodes import ALIASES, CONSTANTS, FUNCTIONS, REDUCTIONS
from gdtrain.report.render import FORMATS
from tests.documents import PAGES, REPOSITORY, blocks, furnish, is_run, rewritten

Json = Mapping[str, Any]

DOCS = REPOSITORY / "docs"
LINKED = [*PAGES, REPOSITORY / "CHANGELOG.md"]
SHARED = "Options of all training verbs"  # the section of commands.md that lists them
OWN_TABLE = {"sweep"}  # training verbs whose section lists all of their options


def page_id(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


# Commands.


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_print_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    furnish(tmp_path)
    shown = page.read_text(encoding="utf-8")
    assert rewritten(page, tmp_path).splitlines() == shown.splitlines(), "see python tests/documents.py"


def test_readers_see_a_difference(tmp_path: Path) -> None:
    """A page that shows something else is not taken for right."""
    page = tmp_path / "page.md"
    page.write_text("```console\n$ gdtrain --version\ngdtrain 9\n$ echo $?\n1\n```\n", encoding="utf-8")
    assert rewritten(page, tmp_path) == "```console\n$ gdtrain --version\ngdtrain 0.1.0\n$ echo $?\n0\n```\n"


def scripts() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for script in blocks(page, "sh"):
            if all(is_run(line) for line in script.splitlines()):
                yield page_id(page), script


def test_scripts(tmp_path: Path) -> None:
    """Scripts run in a real shell, with a `gdtrain` on its path, and none of their commands fails."""
    furnish(tmp_path)
    shim = tmp_path / "bin" / "gdtrain"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gdtrain "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    found = os.environ.get("PYTHONPATH", "")
    environment = os.environ | {
        "PATH": f"{shim.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{found}".rstrip(os.pathsep),
    }
    ran = list(scripts())
    assert ran
    for page, script in ran:
        done = subprocess.run(
            ["sh", "-eu"], input=script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{page}: {done.stderr}"


def test_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE)
    shown = [name for page in PAGES for name in re.findall(r"^make (\w+)", page.read_text("utf-8"), re.MULTILINE)]
    assert {"run", "test"} <= set(shown) <= set(targets)


@pytest.mark.parametrize("text", [text for page in PAGES for text in blocks(page, "yaml")])
def test_experiments_load(text: str) -> None:
    assert load("-", stdin=io.StringIO(text)).kind in text


# What must stand in the pages.


def sections(text: str, level: int) -> dict[str, str]:
    """The text below each heading of one level, up to the next heading of that level or above."""
    parts = re.split(rf"^(#{{1,{level}}}) (.+)$", text, flags=re.MULTILINE)
    return {title: body for mark, title, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True) if mark}


VERBS = [verb.__name__ for verbs in PANELS.values() for verb in verbs]


def options(verb: str) -> set[str]:
    command: Any = typer.main.get_command(app)
    parameters = command.commands[verb].params
    named = (name for parameter in parameters if parameter.param_type_name == "option" for name in parameter.opts)
    return {name for name in named if name.startswith("--")}


def listed(section: str) -> set[str]:
    """The options that a section's table lists."""
    return set(re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE))


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_and_options(verb: str) -> None:
    """Each verb has a section that lists just its options, those that all training verbs share aside."""
    documented = sections(read("docs/commands.md"), 3)
    training = verb in {each.__name__ for each in PANELS["Train"]} - OWN_TABLE
    own, shared = listed(documented[f"`{verb}`"]), listed(documented[SHARED]) if training else set()
    assert own | shared == options(verb)
    assert not own & shared


@pytest.mark.parametrize("verb", VERBS)
def test_readme_shows_the_verb(verb: str) -> None:
    assert any(re.search(rf"^\$ gdtrain {verb}\b", block, re.MULTILINE) for block in blocks(PAGES[0], "console"))


def keys(schema: Json, section: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """The dotted keys of a JSON Schema, each with its own schema; NAME stands for any name."""
    if "$ref" in section:
        section = schema["$defs"][section["$ref"].rsplit("/", 1)[1]]
    for alternative in section.get("anyOf", ()):
        yield from keys(schema, alternative, path)
    for key, inner in section.get("properties", {}).items():
        yield f"{path}{key}", inner
        yield from keys(schema, inner, f"{path}{key}.")
    if isinstance(section.get("additionalProperties"), dict):
        yield from keys(schema, section["additionalProperties"], f"{path}NAME.")


def yaml_text(value: object) -> str:
    """A default as YAML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(yaml_text, value))}]" if isinstance(value, list) else str(value)


def experiment_rows() -> dict[str, str]:
    """The default of each key that experiment.md lists."""
    found = re.findall(r"^\| `([\w.]+)` \| (.*?) \|", sections(read("docs/experiment.md"), 2)["Keys"], re.MULTILINE)
    assert len(found) == len(dict(found)), "a key stands twice"
    return dict(found)


def test_keys() -> None:
    schema = json_schema()
    known = {key for key, _ in keys(schema, schema)}
    taken = {f"train.optimizer.{name}" for options in DEFAULTS.values() for name in options}
    taken |= {f"train.schedule.{name}" for options in schedules.OPTIONS.values() for name in options}
    assert set(experiment_rows()) == known - taken


def test_defaults() -> None:
    """A default in the schema stands in the page; where a key is filled in by kind, the page says how in words."""
    schema, rows = json_schema(), experiment_rows()
    told = {
        key: rows[key]
        for key, inner in keys(schema, schema)
        if "default" in inner and not isinstance(inner["default"], dict) and key != "name"
    }
    assert {"train.epochs", "stop.min_delta", "data.scale"} <= set(told)
    defaults = {key: inner["default"] for key, inner in keys(schema, schema) if key in told}
    assert told == {key: f"`{yaml_text(default)}`" for key, default in defaults.items()}


@pytest.mark.parametrize("name", DEFAULTS)
def test_optimizers(name: str) -> None:
    taken = ", ".join(f"`{option}: {yaml_text(value)}`" for option, value in DEFAULTS[name].items())
    lr = "" if name in SECOND else f"`{LR.get(name, 'auto')}` "
    assert f"| `{name}` | {lr}| {taken} |" in read("docs/experiment.md")


@pytest.mark.parametrize("name", schedules.OPTIONS)
def test_schedules(name: str) -> None:
    """Each with what it needs and its options, those with a default beside it."""
    needed, defaults = schedules.NEEDED.get(name, ("", ""))[0], schedules.DEFAULTS[name]
    others = [option for option in schedules.OPTIONS[name] if option not in (needed, "cycle_momentum")]
    told = [f"`{each}: {yaml_text(defaults[each])}`" if each in defaults else f"`{each}`" for each in others]
    needs = f"`{needed}`" if needed else ""
    row = rf"| `{name}` | `\w+` | {needs} | {', '.join(told)} |".replace("|  |", "| |").replace("|", r"\|")
    assert re.search(row, read("docs/experiment.md"))


def test_losses() -> None:
    schema = json_schema()
    names = dict(keys(schema, schema))["loss.name"]["enum"]
    assert re.findall(r"^\| `(\w+)` \|", sections(read("docs/experiment.md"), 2)["Losses"], re.MULTILINE) == names


def test_functions() -> None:
    code = re.findall(r"`(.+?)`", sections(read("docs/formulas.md"), 2)["Functions"])
    words = set(re.findall(r"\w+", " ".join(code)))
    assert {*FUNCTIONS, *REDUCTIONS, *ALIASES, *CONSTANTS} <= words


def readings() -> list[tuple[str, str]]:
    table = sections(read("docs/formulas.md"), 2)["How a formula is read"]
    found = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", table, re.MULTILINE)
    return [(written.replace(r"\|", "|"), meant.replace(r"\|", "|")) for written, meant in found]


@pytest.mark.parametrize(("written", "meant"), readings())
def test_formulas_are_read_as_told(written: str, meant: str) -> None:
    assert parse(written) == parse(meant)


def test_exit_codes_are_the_same_everywhere() -> None:
    tables = read("README.md"), sections(read("docs/results.md"), 2)["Exit codes"]
    told = [re.findall(r"^\| (\d+) \|", table, re.MULTILINE) for table in tables]
    assert told == [["0", "1", "2", "3", "4", "70", "74", "130", "143"]] * 2


def test_formats() -> None:
    row = re.search(r"`--format FORMAT` \| (.*?) \|", sections(read("docs/commands.md"), 3)["`grad`"])
    assert row is not None
    assert tuple(re.findall(r"`(\w+)`", row[1])) == FORMATS


DOCUMENTS = (
    ["sweep", "--lr", "0.01,0.02", "--seed", "0,1", "--expect", "loss < 1"],
    ["sweep", "--lr-find"],
    ["solve", "x^2 = 4", "--starts", "5"],
    ["minimize", "(x^2 - 1)^2", "--starts", "5"],
    ["fit", "y = w*x", "points.csv", "--starts", "2"],  # with a warning: tabs in a .csv
)


def test_keys_of_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each key of the document stands in the page: of the trials, those that a result has not."""
    result = json.loads(shown(["run", str(REPOSITORY / "configs" / "linear.yaml")], capsys))
    monkeypatch.chdir(tmp_path)
    Path("points.csv").write_text("x\ty\n1\t2\n2\t4\n", encoding="utf-8")
    found: set[str] = set()
    for words in DOCUMENTS:
        document = json.loads(shown(words, capsys))
        extra = {key for trial in document["trials"] for key in trial.keys() - result.keys()}
        found |= document.keys() | {f"trials.{key}" for key in extra - {"equations", "warnings"}}
    page = sections(read("docs/sweeps.md"), 2)["The document"]
    rows = re.findall(r"^\| (`.+?`) \|", page, re.MULTILINE)
    assert {key for row in rows for key in re.findall(r"`(.+?)`", row)} == found


def shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run([*words, "--quiet", "--format", "json"]) == 0
    return capsys.readouterr().out


# Links.


def targets(page: Path) -> list[str]:
    return [t for t in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")) if not t.startswith("https://")]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=page_id)
def test_links(page: Path) -> None:
    for target in targets(page):
        path, _, anchor = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.exists(), target
        assert not anchor or anchor in anchors(goal), target


def test_every_page_is_linked_from_the_readme() -> None:
    linked = {REPOSITORY / target.partition("#")[0] for target in targets(PAGES[0])}
    assert set(LINKED[1:]) <= linked


def test_pages_are_read() -> None:
    """The helper finds what it looks for: no page without a block that is run."""
    assert DOCS / "formulas.md" in PAGES
    assert all(blocks(page, "console") or blocks(page, "pycon") for page in PAGES)
