"""What a result shows: sections of rows, the same for every format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gdtrain.errors import cells, printable
from gdtrain.report.held import folds, held_out
from gdtrain.report.metrics import confusion, metrics_line
from gdtrain.report.numbers import number, short
from gdtrain.results import Prediction, Result, SweepResult

MANY = 8  # weights that are all shown; of more, the first few and the norm
FEW = 5
TITLE = 70  # characters of the problem that a title on a terminal shows
PREDICTIONS = 20  # predicted rows that a table shows
# Ends of intervals: of the mean, and of a new row.
_ENDS = {
    "mean from": ("interval", 0),
    "mean to": ("interval", 1),
    "row from": ("prediction_interval", 0),
    "row to": ("prediction_interval", 1),
}


@dataclass(frozen=True)
class Section:
    """A titled table of text. `notes` stand below it; `left` names the columns that are not aligned to the right."""

    title: str
    header: list[str]
    rows: list[list[str]]
    notes: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def sections(result: Result, width: int | None = None) -> list[Section]:
    """The history, then equations and predictions where there are any. A history wider than `width` cells shows
    fewer weights, and the norm of all of them.
    """
    found = [_history(result, width)]
    if result.folds is not None:
        found.append(Section("folds", *folds(result.folds), left=("fold",)))
    if result.equations:
        found.append(_equations(result))
    if result.predictions:
        found.append(_predictions(result))
    if table := confusion(result.metrics):
        found.append(Section("confusion", *table, left=("true",)))
    return found


def summary(result: Result) -> list[str]:
    """The lines below the tables: the verdict first, then what was found, then how."""
    verdict = result.verdict
    plural = "" if verdict.epoch == 1 else "s"
    values = [f"{printable(p.name)} = {short(p.value)}" for p in result.parameters[:MANY]]
    more = [f"{len(result.parameters) - MANY} more"] if len(result.parameters) > MANY else []
    loss = f"loss ({result.loss['name']}) {short(result.loss['initial'])} -> {short(result.loss['final'])}"
    return [
        printable(f"{verdict.status} after {verdict.epoch:,} epoch{plural}: {verdict.detail}"),
        "; ".join([loss, ", ".join([*values, *more])]),
        *_objective(result),
        *(printable(line) for line in _labels(result)),
        *([line] if (line := metrics_line(result.metrics)) else []),
        *held_out(result),
        printable(_how(result)),
        *(printable(line) for line in result.insights),
    ]


def _objective(result: Result) -> list[str]:
    """What was descended under a penalty."""
    found = result.objective
    if found is None:
        return []
    parts = f"loss {short(found['loss'])} + penalty {short(found['penalty'])}"
    trained = [p for p in result.parameters if not (p.fixed or p.tied)]
    zero = f"; {count} of {len(trained)} parameters are 0" if (count := sum(p.value == 0 for p in trained)) else ""
    return [f"objective {short(found['initial'])} -> {short(found['final'])} ({parts}){zero}"]


def _labels(result: Result) -> list[str]:
    """What the classes of a target stand for."""
    found: dict[str, list[str]] = result.data.get("labels", {})
    if result.loss["name"] == "softmax":
        return [f"{target}: weights are against {names[0]}" for target, names in found.items()]
    return [f"{target}: 0 is {names[0]}, 1 is {names[1]}" for target, names in found.items()]


def _how(result: Result) -> str:
    train, engine = result.train, result.engine
    optimizer = train["optimizer"]["name"]
    lr = f"lr {short(train['lr'])}" if "lr" in train else ""
    if "lr_final" in train:
        became = train["schedule"]["name"] if "schedule" in train else "halved"
        lr += f" ({became} to {short(train['lr_final'])})"
    batches = [f"mini-batches of {train['batch_size']:,}"] if "batch_size" in train else []
    clip = [f"{what} clipped to {short(most)}" for what, most in train.get("clip", {}).items()]
    scale = [f"columns scaled ({train['scale']})"] if train["scale"] != "none" else []
    parts = [optimizer, *([lr] if lr else []), *batches, *clip, *scale, f"engine {engine['name']} ({engine['reason']})"]
    chosen = dict.fromkeys(key.rpartition(".")[2] for key in train["chosen"])
    return ", ".join(parts) + (f"; chosen for you: {', '.join(chosen)}" if chosen else "")


def _history(result: Result, width: int | None) -> Section:
    recorded, names = result.recorded, [printable(p.name) for p in result.parameters]
    shown = result.shown
    weights = [[number(v) for v in recorded.values_KQ[k]] for k in shown]
    gradients = recorded.gradient_KQ
    columns = [[str(int(recorded.epochs_K[k])) for k in shown], [number(recorded.loss_K[k]) for k in shown]]
    header = ["epoch", "loss"]
    if recorded.held_K is not None:
        header.append("held out")
        columns.append([number(recorded.held_K[k]) for k in shown])
    room = None if width is None else width - len(header) * 15
    fit = fitting(names, weights, room, doubled=gradients is not None)
    for i in range(fit):
        header.append(names[i])
        columns.append([row[i] for row in weights])
        if gradients is not None:
            header.append(f"d/d{names[i]}")
            columns.append([number(gradients[k, i]) for k in shown])
    if fit < len(names):
        header.append("norm")
        columns.append([number(float((recorded.values_KQ[k] ** 2).sum() ** 0.5)) for k in shown])
    hidden = len(names) - fit
    notes = [f"{hidden} more weights are not shown; norm is over all {len(names)}"] if hidden else []
    rows = [list(row) for row in zip(*columns, strict=True)]
    return Section(title(result, width), header, rows, tuple(notes))


def title(result: Result | SweepResult, width: int | None) -> str:
    """The problem in a line; a long one is cut where there is a width to keep to."""
    name = "" if result.name == result.kind else f"{result.name}: "
    statement = result.statement
    if width is not None and len(statement) > TITLE:
        statement = statement[: TITLE - 3] + "..."
    return printable(f"{name}{result.kind} {statement}")


def fitting(
    names: Sequence[str], rows: Sequence[Sequence[str]], room: int | None, *, doubled: bool = False, least: int = 1
) -> int:
    """How many weights to show: all of them, or the first few where there are many, or `room` cells hold no more.

    doubled  each of them has a second column, of its gradient
    least    so many are shown whatever the room
    """
    wanted = len(names) if len(names) <= MANY else FEW
    if room is None:
        return wanted
    sizes = [max([cells(name), *(len(row[i]) for row in rows)]) + 3 for i, name in enumerate(names[:wanted])]
    for i in range(wanted):
        last = i + 1 == len(names)
        if sum(sizes[: i + 1]) * (2 if doubled else 1) + (0 if last else 15) > room:
            return max(least, i)
    return wanted


def _equations(result: Result) -> Section:
    rows = [[printable(e.text), number(e.left), number(e.right), number(e.residual)] for e in result.equations]
    return Section(
        "put back into the equation" + "s" * (len(rows) > 1), ["equation", "left", "right", "residual"], rows
    )


def _predictions(result: Result) -> Section:
    shown = result.predictions[:PREDICTIONS]
    inputs = list(shown[0].inputs)
    targets = list(shown[0].after) if isinstance(shown[0].after, dict) else [""]
    header = [printable(name) for name in inputs]
    known = shown[0].target is not None
    one = known and isinstance(shown[0].after, dict) and not isinstance(shown[0].target, dict)  # of several classes
    kinds = ["before", "after"] + (["target"] if known and not one else [])
    kinds += [kind for kind in _ENDS if getattr(shown[0], _ENDS[kind][0]) is not None]
    header += [f"{printable(target)} {kind}".strip() for target in targets for kind in kinds] + ["target"] * one
    rows = [
        [_input(row.inputs[name]) for name in inputs]
        + [_of(row, kind, target) for target in targets for kind in kinds]
        + [_of(row, "target", "") for _ in range(one)]
        for row in shown
    ]
    hidden = len(result.predictions) - len(shown)
    return Section("predictions", header, rows, (f"{hidden:,} more rows are in --format json",) if hidden else ())


def _input(value: float | str) -> str:
    return printable(value) if isinstance(value, str) else short(value)


def _of(row: Prediction, kind: str, target: str) -> str:
    if kind in _ENDS:
        field, end = _ENDS[kind]
        both = getattr(row, field)
        return number((both[target] if isinstance(both, dict) else both)[end])
    found = {"before": row.before, "after": row.after, "target": row.target}[kind]
    value = found[target] if isinstance(found, dict) else found
    return printable(value) if isinstance(value, str) else number(value)
