"""Which sections an experiment has: exactly one of some, and none that its kind has no use for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from gdtrain.experiment import grouped, second
from gdtrain.experiment.keys import AXIS, CLIP, OPTIMIZER, SCHEDULE, SECTIONS, SPLIT
from gdtrain.experiment.objective import KINKED, LIKELIHOODS, SQUARED
from gdtrain.experiment.optimizers import AUTO, DEFAULTS, SECOND, USUAL
from gdtrain.experiment.schedules import OPTIONS as SCHEDULES
from gdtrain.experiment.schema import KINDS, STDIN
from gdtrain.experiment.tree import Mistake, Node

ALTERNATIVES: tuple[tuple[str, Sequence[str]], ...] = (
    ("data", ("path", "columns")),
    ("params.*.start", ("value", "uniform", "normal")),
    ("predict", ("points", "data", "path")),
    (AXIS, SECTIONS[AXIS]),
    (CLIP, SECTIONS[CLIP]),
    (SPLIT, ("holdout", "folds", "column")),
)
# A section without which a kind is none -> what is wrong, what to do.
NEEDED = {
    ("fit", "data"): (
        "fit needs data",
        "name a file, or --data x=1,2 --data y=2,4; in an experiment data: {path: points.csv}",
    ),
    ("regress", "data"): ("regress needs data", "add data: {path: rows.csv}"),
}
# A section that a kind has no use for.
USELESS = {
    ("solve", "data"): ("solve has no data", "write fit for a formula of columns"),
    ("solve", "predict"): ("solve predicts nothing", "leave predict out"),
    ("minimize", "predict"): ("minimize predicts nothing", "leave predict out"),
    ("solve", "penalty"): ("solve takes no penalty: its equations are to hold", "leave penalty out"),
    ("minimize", "penalty"): (
        "minimize takes no penalty: the expression itself is descended",
        "write it into the expression: ... + 0.05*w^2",
    ),
    ("solve", "uncertainty"): ("solve has no data, and its roots no standard errors", "leave uncertainty out"),
    ("minimize", "uncertainty"): (
        "minimize has no residuals to tell standard errors by",
        "leave uncertainty out, or write it as fit",
    ),
    ("solve", "model"): ("hidden layers predict a column, and solve has none", "write the functions into the equation"),
    ("fit", "model"): ("fit takes no hidden layers: its formula is the model", "use regress"),
    ("minimize", "model"): ("hidden layers predict a column, and minimize does not", "use regress"),
    ("minimize", "loss"): ("minimize has no loss: the expression itself is descended", "leave loss out"),
}
# Sections whose options depend on their name -> which options each name takes, and the usual name.
NAMED: Mapping[str, tuple[Mapping[str, Collection[str]], str]] = {
    OPTIMIZER: (DEFAULTS, USUAL),
    SCHEDULE: (SCHEDULES, ""),
}
# Keys of data that say something of rows, which minimize does not predict.
_OF_ROWS = ("sample_weight", "sigma", "offset", "split", "group_by")
# Keys of a split that are a mistake, and told as one, where it says nothing else.
_BESIDE = ("test", "fold")
# Kinds without mini-batches, and why.
WHOLE = {
    "solve": "solve has no rows, of which a batch would be some",
    "minimize": "minimize takes no mini-batches: its expression is one number of all rows",
}


def kind_of(tree: Node) -> str:
    """The first of the kinds that stands in an experiment's tree, "" where none does."""
    return next((str(key) for key, _ in tree.children() if key in KINDS), "")


def check(tree: Node, *, framed: bool = False) -> Iterator[Mistake]:
    """What is wrong with the choice of sections. `framed`: the rows come from the caller, not from `data`."""
    yield from _kinds(tree)
    kind = kind_of(tree)
    for (needy, section), (what, remedy) in NEEDED.items():
        if kind == needy and not tree.get(section) and not framed:
            yield Mistake(tree.key(kind), what, remedy)
    for (idle, section), (what, remedy) in USELESS.items():
        if kind == idle and tree.get(section):
            yield Mistake(tree.key(section), what, remedy)
    scale, tied = tree.get("data", "scale"), [*tree.select("params.*.expr")]
    if scale and scale.value in ("standard", "minmax") and kind in ("fit", "minimize"):
        yield Mistake(scale.place, f"{kind} scales no columns", "scale in the formula; only regress takes it")
    elif scale and scale.value in ("standard", "minmax") and tied:
        what = "tied parameters are in the units of the data, and scaled columns are not"
        yield Mistake(scale.place, what, "set scale: none")
    for key in _OF_ROWS:
        if (column := tree.get("data", key)) and kind == "minimize":
            yield Mistake(
                column.place, f"minimize has no {key}: the expression itself is descended", f"leave {key} out"
            )
    yield from _loss(tree, kind)
    yield from _likelihood(tree)
    yield from _last_steps(tree)
    yield from _options(tree)
    yield from _kinks(tree)
    yield from second.check(tree, kind)
    yield from grouped.check(tree)
    yield from _batches(tree, kind)
    yield from check_alternatives(tree, framed=framed)


def check_alternatives(tree: Node, *, framed: bool = False) -> Iterator[Mistake]:
    """Sections that hold none of what excludes each other, or more than one."""
    for pattern, choices in ALTERNATIVES:
        if not (framed and pattern == "data"):
            yield from _exactly_one(tree, pattern, choices)


def _is_told(tree: Node, pattern: str, section: Node) -> bool:
    """Whether another mistake is all there is to a section that says nothing."""
    keys = [str(key) for key, _ in section.children()]
    if pattern == "data":
        kind = kind_of(tree)
        return (kind, "data") in USELESS or (kind == "minimize" and bool(keys) and all(key in _OF_ROWS for key in keys))
    return pattern == SPLIT and any(key in _BESIDE for key in keys)


def check_stdin(tree: Node) -> Iterator[Mistake]:
    """Standard input, which holds the experiment, named as the source of rows too."""
    for keys in (("data", "path"), ("predict", "path")):
        if (path := tree.get(*keys)) and path.value == STDIN:
            yield Mistake(path.place, "stdin already holds the experiment", "read one of the two from a file")


def _kinds(tree: Node) -> Iterator[Mistake]:
    given = [str(key) for key, _ in tree.children() if key in KINDS]
    if not given and _known(tree, SECTIONS[""]):
        start = replace(tree.place, end=tree.place.start)
        yield Mistake(start, "there is no problem here", f"write one of {', '.join(KINDS)}")
    for kind in given[1:]:
        yield Mistake(tree.key(kind), f"{given[0]} and {kind} are two problems", "write one experiment a file")


def _loss(tree: Node, kind: str) -> Iterator[Mistake]:
    """A loss that the kind of problem has no predictors for."""
    if not (loss := tree.get("loss", "name")) or loss.value not in LIKELIHOODS:
        return
    if kind == "solve":
        what = f"{loss.value} is a loss of data, and an equation has none"
        yield Mistake(loss.place, what, "leave loss out, or use fit")
    if loss.value == "softmax" and kind == "fit":
        what = "softmax takes a predictor for each class, and fit has one formula"
        yield Mistake(loss.place, what, "use regress; for two classes logistic")
    if loss.value == "softmax" and (offset := tree.get("data", "offset")):
        yield Mistake(
            offset.place, "softmax takes no offset: the same for every class, it changes nothing", "leave it out"
        )
    targets = tree.get("regress", "target")
    if loss.value == "softmax" and targets and isinstance(targets.value, list) and len(targets.value) > 1:
        yield Mistake(targets.place, "softmax takes one target", "name the column that holds the classes")


def _likelihood(tree: Node) -> Iterator[Mistake]:
    """Known standard errors beside a loss that is no sum of squares."""
    named, sigma = tree.get("loss", "name"), tree.get("data", "sigma")
    if sigma and named and named.value not in (*SQUARED, None):
        what = f"sigma goes with squares, and {named.value} is not a squared loss"
        yield Mistake(sigma.place, what, "leave loss out, or write sample_weight")


def _last_steps(tree: Node) -> Iterator[Mistake]:
    """Newton's steps after the last epoch, where there are no derivatives, or no one minimum to go to."""
    named, polish = tree.get("loss", "name"), tree.get("train", "polish")
    if not polish or polish.value is not True:
        return
    if tree.get("model"):
        what = "the weights of hidden layers are not determined one by one, and have no minimum to go to"
        yield Mistake(polish.place, what, "leave polish out")
    if (restore := tree.get("stop", "restore")) and restore.value == "best":
        what = "polish goes on to the minimum, and restore: best back to an epoch before the last"
        yield Mistake(polish.place, what, "leave one of them out")
    if named and named.value in KINKED:
        yield Mistake(polish.place, f"{named.value} has kinks, where Newton's steps lead nowhere", "leave polish out")
    if (l1 := tree.get("penalty", "l1")) and isinstance(l1.value, int | float) and l1.value > 0:
        yield Mistake(
            polish.place, "Newton's steps would step over the kinks of l1", "leave polish out; l2 goes with it"
        )


def _options(tree: Node) -> Iterator[Mistake]:
    """Options that are another optimizer's, or another schedule's."""
    for section, (taken, usual) in NAMED.items():
        named = tree.get(*section.split("."), "name")
        name = str(named.value) if named else usual
        for keys, _ in tree.select(f"{section}.*") if name in taken else ():
            takers = [taker for taker, options in taken.items() if keys[-1] in options]
            if takers and name not in takers:
                yield Mistake(tree.key(*keys), f"{name} takes no {keys[-1]}", f"it is an option of {', '.join(takers)}")


def _batches(tree: Node, kind: str) -> Iterator[Mistake]:
    """Mini-batches where there are none to make, and an order without them."""
    given = tree.get("train", "batch_size")
    if given and kind in WHOLE:
        yield Mistake(tree.key("train", "batch_size"), WHOLE[kind], "leave batch_size out; fit and regress take it")
    if not given and tree.get("train", "shuffle"):
        what = "shuffle orders mini-batches, and there are none"
        yield Mistake(tree.key("train", "shuffle"), what, "set batch_size, or leave shuffle out")


def _kinks(tree: Node) -> Iterator[Mistake]:
    """An l1 beside an optimizer that would step over its kink."""
    l1, named = tree.get("penalty", "l1"), tree.get("train", "optimizer", "name")
    if (
        l1
        and isinstance(l1.value, int | float)
        and l1.value > 0
        and named
        and named.value not in (USUAL, AUTO, *SECOND, None)
    ):
        remedy = "write optimizer: sgd, or {name: sgd, momentum: 0.9, nesterov: true}; l2 goes with any"
        yield Mistake(l1.place, f"{named.value} takes no l1", remedy)


def _exactly_one(tree: Node, pattern: str, choices: Sequence[str]) -> Iterator[Mistake]:
    for keys, node in tree.select(pattern):
        given = [choice for choice in choices if node.get(choice)]
        silent = not given and isinstance(node.value, dict) and _known(node, SECTIONS[pattern])
        if silent and not _is_told(tree, pattern, node):
            yield Mistake(tree.key(*keys), f"{keys[-1]} says nothing", f"write one of {', '.join(choices)}")
        for choice in given[1:]:
            yield Mistake(node.keys[choice], f"{given[0]} and {choice} exclude each other", "write one of them")


def _known(node: Node, keys: Sequence[str]) -> bool:
    """Whether there is no unknown key, which is reported elsewhere and may well be the one that is missed."""
    return all(key in keys for key, _ in node.children())
