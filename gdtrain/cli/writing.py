"""The verbs that write and check experiments: init, check, schema."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

import gdtrain
from gdtrain.cli.messages import say
from gdtrain.errors import NOT_WRITTEN, UserError, UserErrors, did_you_mean, printable

_DATA_PATH = re.compile(r"\.\./data/([\w.-]+)")


def check(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Experiment files; - is stdin.", show_default=False)
    ],
    data: Annotated[bool, typer.Option("--data", help="Read the data too, and tell the curvature.")] = False,
) -> int:
    """Check experiments and print them with every default filled in.

    Reads the files and their inline columns; with --data the tables too.
    """
    from gdtrain.experiment.dump import dump
    from gdtrain.experiment.sweep import load_sweep

    texts: list[str] = []
    errors: list[UserError] = []
    for file in files:
        try:
            spec = load_sweep(file, stdin=sys.stdin)
            lines = [f"sweep: {len(spec.points):,} trials"] if spec.axes else []
            if data:
                from gdtrain.look import describe

                lines += describe(spec.experiment, stdin=sys.stdin.buffer if sys.stdin else None)
            texts.append(dump(spec.declared, spec.following) + "".join(f"# {printable(line)}\n" for line in lines))
        except UserError as error:
            errors.append(error)
    sys.stdout.write("---\n".join(texts))
    if errors:
        raise UserErrors(errors) if len(errors) > 1 else errors[0]
    return 0


def schema() -> int:
    """Print the JSON Schema of experiment files, for editors.

    Example: gdtrain schema > experiment.schema.json
    """
    from gdtrain.experiment.forms import json_schema

    print(json.dumps(json_schema(), indent=2))
    return 0


def init(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="solve, fit, regress or minimize.", show_default=False)
    ] = None,
    table: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="For regress: the table to write about.", show_default=False)
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="NAME", help="For regress: the column to predict.")
    ] = None,
    example: Annotated[
        str | None, typer.Option("--example", metavar="NAME", help="Write a shipped example and its data.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--output", metavar="FILE", help="Where to write; KIND.yaml unless given.")
    ] = None,
) -> int:
    """Write a commented experiment file to start from. Never overwrites.

    Examples: gdtrain init fit; gdtrain init regress data.csv --target sales; gdtrain init --example sales
    """
    if (kind is None) == (example is None):
        raise UserError("name a kind, or an example", where="gdtrain init", remedy="as in gdtrain init fit")
    if example is not None:
        if out is not None:
            raise UserError("an example keeps its names", where="--output", remedy="run this in another folder")
        files, remedy = _example(example), "run this in another folder"
    else:
        assert kind is not None
        path = Path(out or f"{kind}.yaml")
        files, remedy = {path: _starter(kind, path.parent, table, target)}, "move it away, or write --output FILE"
    for path in files:
        if path.exists() or path.is_symlink():
            raise UserError(f"{path} exists", where="gdtrain init", remedy=remedy)
    for path, text in files.items():
        _write(path, text)
        print(path)
    first = next(iter(files))
    say(f"train it with: gdtrain run {first}")
    return 0


def _starter(kind: str, folder: Path, table: str | None, target: str | None) -> str:
    """A starter file's text, which names its table as seen from `folder`, where it will lie."""
    from gdtrain.experiment.starter import regress_starter, starter

    if table is None:
        if target is not None:
            remedy = "as in gdtrain init regress data.csv --target y"
            raise UserError("--target needs a table", where="gdtrain init", remedy=remedy)
        return starter(kind)
    if kind != "regress":
        starter(kind)  # refuses what is no kind
        raise UserError(f"{kind} takes no table here", where="gdtrain init", remedy=f"gdtrain init regress {table}")
    from gdtrain.sources import open_source

    columns = open_source(path=table).survey()
    if target is None:
        remedy = f"the columns are {', '.join(printable(c.name) for c in columns)}"
        raise UserError("--target is missing", where="gdtrain init regress", remedy=remedy)
    path = table if os.path.isabs(table) else os.path.relpath(table, folder)
    return regress_starter(path, [(c.name, c.kind, c.gaps) for c in columns], target)


def _shipped() -> Path:
    """The folder that holds configs/ and data/: inside an installed package, beside it in a checkout."""
    package = Path(gdtrain.__file__).parent
    inside = package / "shipped"
    return inside if inside.is_dir() else package.parent


def _example(name: str) -> dict[Path, str]:
    """A shipped example's files by the names under which they are written here: data lies beside the experiment."""
    configs = sorted((_shipped() / "configs").glob("*.yaml"))
    known = {config.stem: config for config in configs}
    if name not in known:
        remedy = did_you_mean(name, known) or f"there are {', '.join(known)}"
        raise UserError(f"there is no example {name}", where="--example", remedy=remedy)
    text = known[name].read_text(encoding="utf-8")
    files = {Path(f"{name}.yaml"): _DATA_PATH.sub(r"\1", text)}
    for data in dict.fromkeys(_DATA_PATH.findall(text)):
        files[Path(data)] = (_shipped() / "data" / data).read_text(encoding="utf-8")
    return files


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}", where="gdtrain init", code=NOT_WRITTEN) from None
