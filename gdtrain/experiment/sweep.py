"""Sweeps: an experiment and axes to points, and the points to groups that each train as one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from gdtrain.errors import UserError
from gdtrain.experiment import points, rules
from gdtrain.experiment.axes import Axes
from gdtrain.experiment.groups import grouped
from gdtrain.experiment.load import Draft, from_here, read, settled
from gdtrain.experiment.overrides import AxisFlag, Override, keys_of, put, refuse_alternatives
from gdtrain.experiment.points import Dimension, Row, dimension, is_start, name_of
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.starter import EXAMPLE
from gdtrain.experiment.tree import Mistake, Node, Place, from_plain, report
from gdtrain.experiment.trials import Trials
from gdtrain.experiment.validate import validate

USUAL_FILE = "gdtrain.yaml"


@dataclass(frozen=True)
class Group:
    """Points that train as one batch.

    trials   in the order of `indices`
    indices  where they stand among all points
    """

    trials: Trials
    indices: list[int]


@dataclass(frozen=True)
class Sweep:
    """A sweep made ready.

    experiment  what all points share: the file and the flags, without axes
    declared    the same with the axes under `sweep`, for printing
    axes        names of the axes as dotted keys, those of the file first
    points      plain values, one tuple a trial, in the order of the axes
    groups      in the order of their first points
    following   keys that are chosen for the user in the light of the axes: left out, `declared` says the same
    """

    experiment: Experiment
    declared: Experiment
    axes: list[str]
    points: list[tuple[Any, ...]]
    groups: list[Group]
    following: tuple[str, ...] = ()

    def settings(self, i: int) -> dict[str, Any]:
        """What a point sets: axis -> value."""
        return dict(zip(self.axes, self.points[i], strict=True))


def usual_source(folder: Path = Path()) -> tuple[str | Mapping[str, Any], str]:
    """What is swept where no file is named, and what to call it: a folder's gdtrain.yaml, else a built-in example."""
    path = folder / USUAL_FILE
    return (str(path), str(path)) if path.exists() else (EXAMPLE, "the built-in example y = w*x")


def load_sweep(
    source: str | Path | Mapping[str, Any],
    overrides: Sequence[Override] = (),
    axes: Sequence[AxisFlag] = (),
    *,
    zipped: bool = False,
    random: int | None = None,
    stdin: IO[Any] | None = None,
    framed: bool = False,
) -> Sweep:
    """The sweep that a file and flags say, every point of it checked.

    source     as for `load.load`
    overrides  flags with one value
    axes       flags that may have several; one that has a single value is a plain flag; one with several takes the
               place of the file's axis of that key
    zipped     pair the values of the axes
    random     draw so many points; None for a grid
    stdin, framed  as for `load.load`

    Without axes there is one point. Raises UserErrors (exit 2) that name the axis by its flag or its place.
    """
    draft = read(source, overrides, stdin=stdin)
    if draft.mistakes:
        settled(draft, draft.tree, framed=framed)  # tells them all
    drawn = random is not None or draft.tree.get("sweep", "random") is not None
    singles = [flag.plain or _start_from_seed(flag, drawn=drawn) for flag in axes]
    flags = [flag for flag, single in zip(axes, singles, strict=True) if single is None]
    given = [single for single in singles if single is not None]
    draft, overrides = draft.with_flags(given), [*overrides, *given]
    tree = _with_axes(draft.tree, flags, overrides, zipped=zipped, random=random)
    section = _section(tree)
    dimensions = _dimensions(tree, section, flags, overrides, draft.folder)
    for first in _first_of(dimensions, flags):  # two axes are told apart with their places, in _points
        refuse_alternatives([*overrides, first])
    dimensions, rows = _points(dimensions, section, _seed(tree))
    base = tree.without("sweep")
    later = [override for override in overrides if _beneath(override, dimensions)]

    def experiment_at(row: Row) -> Experiment:
        """The experiment of a point, as loading it alone gives it."""
        here = base
        for i in order:
            here = put(here, dimensions[i].keys, dimensions[i].nodes[row[i]], dimensions[i].at)
        return settled(draft, replace(draft, tree=here).with_flags(later).tree, framed=framed)

    # A section first, then what stands in it: `train.optimizer` before `train.optimizer.momentum`.
    order = sorted(range(len(dimensions)), key=lambda i: len(dimensions[i].keys))
    groups = [Group(trials, indices) for trials, indices in grouped(dimensions, rows, experiment_at)]
    experiment = _shared(draft, base, groups, framed=framed)
    declared = section.model_copy(update={"axes": {d.written: section.axes[d.written] for d in dimensions}})
    return Sweep(
        experiment,
        experiment.model_copy(update={"sweep": declared if dimensions else None}),
        [dimension.name for dimension in dimensions],
        [tuple(d.values[i] for d, i in zip(dimensions, row, strict=True)) for row in rows],
        groups,
        _following(experiment, base, groups),
    )


def _following(shared: Experiment, base: Node, groups: Sequence[Group]) -> tuple[str, ...]:
    """Keys that were left out, and for which not all points have the value that is chosen without the axes."""
    swept = {number.removesuffix(".value") for group in groups for number in group.trials.numbers}
    return tuple(
        key
        for key in shared.chosen
        if base.get(*key.split(".")) is None
        and not key.startswith("params.")
        and (key in swept or any(_value(g.trials.experiment, key) != _value(shared, key) for g in groups))
    )


def _value(experiment: Experiment, key: str) -> object:
    found: object = experiment
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)
    return found


def _start_from_seed(flag: AxisFlag, *, drawn: bool) -> Override | None:
    """`{uniform: [0, 1]}` for a start, which is one value where no points are drawn."""
    uniform = flag.node.get("uniform") is not None and is_start(flag.key)
    return Override(flag.key, flag.node, flag.flag) if uniform and not drawn else None


def _with_axes(
    tree: Node, flags: Sequence[AxisFlag], overrides: Sequence[Override], *, zipped: bool, random: int | None
) -> Node:
    """A tree with the axes and switches of flags in its sweep, and without the file's axes of the same keys."""
    for i, flag in enumerate(flags):
        at = _told(flag)
        if flag.key in (earlier.key for earlier in flags[:i]):
            raise report([Mistake(at, f"{flag.key} is swept twice", "give its values once")])
        if flag.key in (override.key for override in overrides):
            raise report([Mistake(at, f"{flag.key} is both set and swept", "leave one of them out")])
    given = tree.get("sweep", "axes")
    for key in [*(flag.key for flag in flags), *(override.key for override in overrides)]:
        if given and given.get(key):
            given = given.without(key)
            tree = tree.put(["sweep", "axes"], given, tree.key("sweep", "axes"))
    section = tree.get("sweep")
    if section is not None and given is not None and not given.value:
        section = section.without("axes")
        tree = tree.put(["sweep"], section, tree.key("sweep")) if section.value else tree.without("sweep")
    for flag in flags:
        tree = tree.put(["sweep", "axes", flag.key], flag.node, Place.of(flag.flag, flag.key))
    switches = {"zip": zipped or None, "random": random}
    for name, value in switches.items():
        if value is not None:
            tree = tree.put(["sweep", name], from_plain(value, f"--{name}", flag=True), Place.of(f"--{name}", name))
    return tree


def _told(flag: AxisFlag) -> Place:
    """Where to point for an axis that a flag gave: its key, or its values where no key is written."""
    return Place.of(flag.flag, flag.key) if flag.flag == "--set" else flag.node.place


def _section(tree: Node) -> Axes:
    """The sweep of a tree, validated. Raises UserErrors."""
    node = tree.get("sweep")
    if node is None:
        return Axes()
    alone = Node({"sweep": node}, tree.place, tree.keys)
    experiment, wrong = validate(alone)
    wrong += rules.check_alternatives(alone)
    if experiment is None or experiment.sweep is None or wrong:
        raise report(wrong)
    return experiment.sweep


def _dimensions(
    tree: Node, section: Axes, flags: Sequence[AxisFlag], overrides: Sequence[Override], folder: Path
) -> list[Dimension]:
    """The axes, those of the file first, without those that a flag takes the place of under another spelling."""
    made = []
    given = {flag.key: flag for flag in flags}
    for key, axis in section.axes.items():
        node = tree.get("sweep", "axes", key)
        assert node is not None
        at = tree.key("sweep", "axes", key)
        told = _told(given[key]) if key in given else at
        made.append(dimension(key, at, told, node, axis, drawn=section.random is not None))
    set_alone = {name_of(override.key, override.node) for override in overrides}
    taken = set_alone | {d.name for d in made if d.written in given}
    kept = [d for d in made if d.written in given or d.name not in taken]
    for d in kept:
        if d.name in set_alone:
            raise report([Mistake(d.told, f"{d.name} is both set and swept", "leave one of them out")])
    return [_from_here(d, given[d.written].flag, folder) if d.written in given else d for d in kept]


def _first_of(dimensions: Sequence[Dimension], flags: Sequence[AxisFlag]) -> list[Override]:
    """The first value of each axis as a flag of one value."""
    given = {flag.key: flag.flag for flag in flags}
    return [Override(d.written, d.nodes[0], given.get(d.written, f"sweep.{d.written}")) for d in dimensions]


def _from_here(dimension: Dimension, flag: str, folder: Path) -> Dimension:
    """Paths of a flag start where the command runs; they are shown as they were written."""
    moved = [from_here(Override(dimension.written, node, flag), folder).node for node in dimension.nodes]
    return replace(dimension, nodes=moved)


def _points(dimensions: Sequence[Dimension], section: Axes, seed: int) -> tuple[list[Dimension], list[Row]]:
    """The axes, their values drawn where they are, and the points. Raises UserErrors."""
    wrong = list(points.check(dimensions, paired=section.zip, drawn=section.random is not None))
    if wrong:
        raise report(wrong)
    if section.random is not None:
        return points.draws(dimensions, section.random, seed)
    return points.pairs(dimensions) if section.zip else points.grid(dimensions)


def _seed(tree: Node) -> int:
    """The seed that points are drawn from; one that is none is told of where a point is loaded."""
    node = tree.get("train", "seed")
    seed = node.value if node else 0
    return int(seed) if isinstance(seed, int | float) and 0 <= seed < 2**63 else 0


def _beneath(override: Override, dimensions: Sequence[Dimension]) -> bool:
    """Whether a flag sets a key in a section that an axis replaces."""
    keys = keys_of(override.key, override.flag)
    return any(len(keys) > len(d.keys) and keys[: len(d.keys)] == [*d.keys] for d in dimensions)


def _shared(draft: Draft, base: Node, groups: Sequence[Group], *, framed: bool) -> Experiment:
    """The experiment without its axes; the first trial's where an axis completes it."""
    try:
        return settled(draft, base, framed=framed)
    except UserError:
        return groups[0].trials.experiment
