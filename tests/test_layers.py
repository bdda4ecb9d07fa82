"""The structure of the package: imports run downward only, and what must start fast stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdtrain import __file__ as package_file

PACKAGE = Path(package_file).parent

# From the bottom up. A module imports from rows below its own, and a package from itself.
LAYERS = [
    {"errors", "statuses"},
    {"draws", "formula", "linalg", "results", "sources", "threads"},
    {"expectations"},
    {"experiment", "report"},
    {"keep", "losses", "metrics", "optimizers", "schedules"},
    {"design"},
    {"data"},
    {"problem"},
    {"local"},
    {"engines"},
    {"second"},
    {"planning"},
    {"verdicts"},
    {"uncertainty"},
    {"trials"},
    {"gradient", "prediction", "train"},
    {"export"},
    {"checkpoints", "tables"},
    {"bygroup", "saved", "sweeps"},
    {"look"},
    {"api"},
    {"cli"},
    {"__main__", "__init__"},
]
RANK = {module: rank for rank, row in enumerate(LAYERS) for module in row}

# What knows less than its layer would let it.
KNOWS_ONLY = {
    **{key: set[str]() for key in ("losses", "metrics", "optimizers", "schedules")},
    "report": {"errors", "expectations", "results"},
}

# Importing these loads neither torch nor polars; `experiment` stands for every module in it.
LIGHT = ["gdtrain", "cli", "errors", "expectations", "experiment", "formula", "keep", "report", "results", "sources"]
HEAVY = {"torch", "polars", "pandas", "scipy"}

FILES = sorted(PACKAGE.rglob("*.py"))
IDS = [str(file.relative_to(PACKAGE)) for file in FILES]


def module_of(file: Path) -> str:
    """The module or package right below `gdtrain` that a file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(file: Path) -> Iterator[tuple[int, str]]:
    """Line and module right below `gdtrain` of every import, those inside of functions too."""
    here = ("gdtrain", *file.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            paths = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = [*here[: -node.level], node.module or ""] if node.level else [node.module or ""]
            paths = [".".join([*start, alias.name]) for alias in node.names]
        else:
            continue
        for path in paths:
            package, _, rest = path.partition(".")
            if package == "gdtrain" and (module := rest.partition(".")[0]) not in {"", "__version__"}:
                yield node.lineno, module


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_imports_run_downward(file: Path) -> None:
    module = module_of(file)
    assert module in RANK, f"give {module} a place in LAYERS"
    for line, other in imported(file):
        assert other in RANK, f"{file}:{line}: gdtrain.{other} has no place in LAYERS"
        allowed = KNOWS_ONLY.get(module, {name for name in RANK if RANK[name] < RANK[module]})
        assert other == module or other in allowed, f"{file}:{line}: {module} must not import {other}"


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_only_the_command_line_prints_exits_and_reads_argv(file: Path) -> None:
    if module_of(file) == "cli":
        return
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):
            assert node.id not in {"print", "input", "exit", "quit"}, f"{file}:{node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sys":
            assert node.attr not in {"exit", "argv", "stdout", "stderr"}, f"{file}:{node.lineno}"


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_no_text_is_run_as_code(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):
            assert node.id not in {"eval", "exec", "compile", "__import__"}, f"{file}:{node.lineno}"


def test_what_starts_fast_imports_nothing_heavy() -> None:
    """In a fresh process, one module after the other, so that the first that brings something is named."""
    modules = [name if name == "gdtrain" else f"gdtrain.{name}" for name in LIGHT]
    experiment = sorted((PACKAGE / "experiment").glob("[!_]*.py"))
    modules += [f"gdtrain.experiment.{file.stem}" for file in experiment]
    script = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
    heavy = {HEAVY!r} & set(sys.modules)
    if heavy:
        sys.exit(f"{{name}} brings {{', '.join(sorted(heavy))}}")
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
