"""A fit for each group of rows: what does not go with it."""

from __future__ import annotations

from collections.abc import Iterator

from gdtrain.errors import UserError
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.tree import Mistake, Node

# Keys that group_by excludes -> what is wrong, and what to do.
_EXCLUDED = {
    ("data", "split"): (
        "split holds rows out, and group_by fits each group to all rows of it",
        "leave one of them out",
    ),
    ("predict", "points"): (
        "each group has parameters of its own, and a point is of none",
        "write predict: data, or fit one group",
    ),
    ("predict", "path"): (
        "each group has parameters of its own, and only the rows of the data are told apart",
        "write predict: data, or save the fit: gdtrain predict takes it",
    ),
    ("sweep",): (
        "group_by and a sweep are two ways to make trials",
        "leave one of them out",
    ),
}


def is_grouped(experiment: Experiment) -> bool:
    """Whether each group of its rows is to be fitted alone."""
    return experiment.data is not None and experiment.data.group_by is not None


def several_problems(experiment: Experiment) -> UserError:
    """That what takes one problem is asked of groups."""
    place = experiment.tree.find("data", "group_by")
    return place.error("each group is a problem of its own, for run, fit and regress", "leave group_by out")


def check(tree: Node) -> Iterator[Mistake]:
    """What does not go with `data.group_by`."""
    if not tree.get("data", "group_by"):
        return
    for keys, (what, remedy) in _EXCLUDED.items():
        if tree.get(*keys):
            yield Mistake(tree.key(*keys), what, remedy)
    missing = tree.get("data", "missing")
    if missing and missing.value == "mean":
        yield Mistake(missing.place, "mean would fill gaps of one group from others", "set data.missing: drop")
