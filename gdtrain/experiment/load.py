"""Files, mappings and flags to one validated experiment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from gdtrain.errors import UserError, did_you_mean
from gdtrain.experiment import defaults, formulas, rules, tied
from gdtrain.experiment.forms import expand
from gdtrain.experiment.loader import MAX_BYTES, parse_file
from gdtrain.experiment.names import find, settle
from gdtrain.experiment.overrides import Override, apply
from gdtrain.experiment.schema import KINDS, STDIN, Experiment, is_name
from gdtrain.experiment.tree import Mistake, Node, Place, from_plain, report
from gdtrain.experiment.validate import validate

_PROBLEM = (*KINDS, "data", "params")  # the sections that tell the names
_PATHS = ("data.path", "predict", "predict.path")


def load(
    source: str | Path | Mapping[str, Any],
    overrides: Sequence[Override] = (),
    *,
    stdin: IO[Any] | None = None,
    framed: bool = False,
) -> Experiment:
    """The experiment that a file says, or a mapping, with flags set over it and defaults filled in.

    source     path of a YAML file, `-` for standard input, or a mapping of the same keys
    overrides  flags; an error in one names the flag
    stdin      read in place of sys.stdin
    framed     the rows come from the caller, so that `data` need not name them

    Names are checked as far as they are known without reading a data file: see `names.settle`. Starts are
    filled in for the parameters that are then known.

    Raises UserErrors (exit 2) with everything that is wrong.
    """
    draft = read(source, overrides, stdin=stdin)
    return settled(draft, draft.tree, framed=framed)


@dataclass(frozen=True)
class Draft:
    """What a source says, short forms written out and flags set over it, before it is checked.

    tree        its values
    mistakes    what is wrong with its text
    name        what the source gives the experiment, "" where nothing
    folder      where its relative paths start
    from_stdin  whether it was standard input
    """

    tree: Node
    mistakes: Sequence[Mistake]
    name: str
    folder: Path
    from_stdin: bool

    def with_flags(self, overrides: Sequence[Override]) -> Draft:
        """With flags set over it. Raises UserError."""
        return replace(self, tree=apply(self.tree, [from_here(override, self.folder) for override in overrides]))


def read(
    source: str | Path | Mapping[str, Any], overrides: Sequence[Override] = (), *, stdin: IO[Any] | None = None
) -> Draft:
    """The first half of `load`, with the same arguments."""
    tree, mistakes, name = _read(source, stdin)
    if not isinstance(tree.value, dict):
        raise report(mistakes or [Mistake(tree.place, "an experiment is written as key: value", "as in fit: y = w*x")])
    folder = Path(source).parent if isinstance(source, str | Path) else Path()
    return Draft(expand(tree), mistakes, name, folder, source == STDIN).with_flags(overrides)


def settled(draft: Draft, tree: Node, *, framed: bool = False) -> Experiment:
    """The second half of `load`: the experiment that an expanded tree says, which is the draft's or made from it."""
    mistakes = [*draft.mistakes, *rules.check(tree, framed=framed)]
    if draft.from_stdin:
        mistakes += rules.check_stdin(tree)
    filled, chosen = defaults.fill(tree, draft.name or rules.kind_of(tree) or "experiment")
    experiment, wrong = validate(filled)
    mistakes += [*wrong, *formulas.check(filled), *tied.check(filled)]
    if experiment is None or mistakes:
        raise report([*mistakes, *_wrong_names(filled)])
    experiment = experiment.located(tree=filled, folder=draft.folder, chosen=chosen)
    columns = _columns(experiment, framed=framed)
    names = settle(experiment, columns).parameters
    if experiment.model:  # too many to print: those that are not declared are filled in once the data is open
        return experiment
    if experiment.regress and columns is None:  # a column of text has a parameter for each level
        names = [name for name in names if name in experiment.params]
    return experiment.with_starts(names)


def _columns(experiment: Experiment, *, framed: bool = False) -> list[str] | None:
    """The columns as far as they are known: those written in the file, none where it has no data."""
    if experiment.data is None and not framed:
        return []
    return None if experiment.data is None or experiment.data.columns is None else list(experiment.data.columns)


def _wrong_names(tree: Node) -> list[Mistake]:
    """What is wrong with the names too, where the other mistakes leave the problem whole."""
    problem = tree
    for key, _ in tree.children():
        problem = problem if key in _PROBLEM else problem.without(str(key))
    experiment, wrong = validate(problem)
    if experiment is None or wrong or [*rules.check(problem), *formulas.check(problem), *tied.check(problem)]:
        return []
    experiment = experiment.located(tree=problem, folder=Path(), chosen=())
    return find(experiment, _columns(experiment))[1]


def from_here(override: Override, folder: Path) -> Override:
    """A flag's path starts where the command runs, a file's path where the file is."""
    value = override.value.value if isinstance(override.value, Node) else override.value
    is_path = override.key in _PATHS and isinstance(value, str) and value not in (STDIN, "data")
    if not is_path or folder == Path():
        return override
    return replace(override, value=Node(os.path.abspath(str(value)), Place.of(override.flag, str(value))))


def _read(source: str | Path | Mapping[str, Any], stdin: IO[Any] | None) -> tuple[Node, list[Mistake], str]:
    """The tree, what is wrong with its text, and the name that the source gives the experiment."""
    if isinstance(source, Mapping):
        return from_plain(source), [], ""
    if source == STDIN:
        return *parse_file(_read_stdin(stdin), "stdin"), ""
    path = Path(source)
    tree, mistakes = parse_file(_read_file(path), str(source))
    return tree, mistakes, path.stem if is_name(path.stem) else ""


def _read_stdin(stdin: IO[Any] | None) -> bytes:
    stream = stdin or sys.stdin
    if stream is None:
        raise UserError("stdin is closed", where="stdin", remedy="name a file")
    read = getattr(stream, "buffer", stream).read(MAX_BYTES + 1)
    return read if isinstance(read, bytes) else str(read).encode("utf-8", "surrogatepass")


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        remedy = did_you_mean(path.name, _neighbours(path)) or "gdtrain init writes a starter"
        raise UserError("there is no such file", where=str(path), remedy=remedy) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        what = getattr(error, "strerror", None) or "not a path"
        raise UserError(f"cannot be read: {what}", where=str(path)) from None


def _neighbours(path: Path) -> list[str]:
    """Names of the experiment files beside a path."""
    try:
        return [entry.name for entry in path.parent.iterdir() if entry.suffix in (".yaml", ".yml")]
    except OSError:
        return []
