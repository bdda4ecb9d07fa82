"""What is chosen for the user: the values of keys that were left out, and which those are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gdtrain.experiment.optimizers import AUTO, LR, SECOND, USUAL
from gdtrain.experiment.rules import kind_of
from gdtrain.experiment.schedules import LENGTH
from gdtrain.experiment.tree import Node, Place, Scalar

LOSS = {"solve": "half_sse", "fit": "mse", "regress": "mse"}
_LEFT = ("train.lr", "train.optimizer.name")
_DEFAULT = Place.of("default")


def _lr_chosen(tree: Node) -> bool:
    return _chosen(tree, ["train", "lr"])


def _chosen(tree: Node, keys: Sequence[str]) -> bool:
    """Whether a key has a value, which `auto` leaves to be chosen where it is the lr or the optimizer."""
    node = tree.get(*keys)
    return node is not None and not (node.value == AUTO and ".".join(keys) in _LEFT)


def _loss(tree: Node) -> Scalar | None:
    return LOSS.get(kind_of(tree))


def _of_loss(name: str, value: Scalar) -> Callable[[Node], Scalar | None]:
    """The default of an option that belongs to one loss."""

    def default(tree: Node) -> Scalar | None:
        loss = tree.get("loss", "name")
        return value if loss and loss.value == name else None

    return default


def _scale(tree: Node) -> Scalar | None:
    tied = any(True for _ in tree.select("params.*.expr"))
    return "standard" if kind_of(tree) == "regress" and not _lr_chosen(tree) and not tied else None


def _optimizer(tree: Node) -> Scalar | None:
    """sgd beside anything that belongs to gradient steps; else, and where it is asked for, what suits the problem."""
    optimizer, named = tree.get("train", "optimizer"), tree.get("train", "optimizer", "name")
    if named is not None and named.value == AUTO:
        return AUTO
    options = optimizer is not None and any(key != "name" for key, _ in optimizer.children())
    steps = options or any(tree.get("train", key) for key in ("batch_size", "schedule", "clip"))
    exact = (engine := tree.get("train", "engine")) is not None and engine.value == "exact"
    return USUAL if _lr_chosen(tree) or steps or exact or tree.get("penalty", "l1") else AUTO


def _lr(tree: Node) -> Scalar | None:
    name = tree.get("train", "optimizer", "name")
    if name and str(name.value) in SECOND:
        return None
    return LR.get(str(name.value), "auto") if name else "auto"


def _shuffle(tree: Node) -> Scalar | None:
    return True if tree.get("train", "batch_size") else None


def _draw(tree: Node) -> Scalar | None:
    """The seed of a split that is drawn."""
    return 0 if tree.get("data", "split", "holdout") or tree.get("data", "split", "folds") else None


def _length_of(schedule: str) -> Callable[[Node], Scalar | None]:
    """The epochs, where the schedule is that one: what depends on how long the run is."""

    def epochs(tree: Node) -> Scalar | None:
        name, given = tree.get("train", "schedule", "name"), tree.get("train", "epochs")
        count = given.value if given else None
        if name is None or name.value != schedule or not isinstance(count, int | float) or isinstance(count, bool):
            return None
        return max(1, count)

    return epochs


# In this order: the scale asks whether an lr was chosen, the lr which optimizer, a schedule how many epochs.
DEFAULTS: Sequence[tuple[str, Callable[[Node], Scalar | None]]] = (
    ("loss.name", _loss),
    ("loss.delta", _of_loss("huber", 1.0)),
    ("loss.q", _of_loss("quantile", 0.5)),
    ("data.scale", _scale),
    ("data.split.seed", _draw),
    ("train.optimizer.name", _optimizer),
    ("train.lr", _lr),
    ("train.epochs", lambda tree: 1000),
    ("train.seed", lambda tree: 0),
    ("train.shuffle", _shuffle),
    *((f"train.schedule.{key}", _length_of(name)) for name, key in LENGTH.items()),
)
# Values that follow from the epochs of the run.
OF_EPOCHS = tuple(f"train.schedule.{key}" for key in LENGTH.values())


def fill(tree: Node, name: str) -> tuple[Node, tuple[str, ...]]:
    """An expanded tree with defaults in the place of what was left out, and the dotted keys of these.

    name  the experiment's, unless it has one
    """
    chosen = []
    if not tree.get("name"):
        tree = tree.put(["name"], Node(name, _DEFAULT), _DEFAULT)
    for dotted, default in DEFAULTS:
        keys = dotted.split(".")
        if not _chosen(tree, keys) and (value := default(tree)) is not None:
            filled = tree.put(keys, Node(value, _DEFAULT), _DEFAULT)
            if filled is not tree:
                tree = filled
                chosen.append(dotted.removesuffix(".name"))
    return tree, tuple(chosen)
