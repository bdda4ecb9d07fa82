"""Trials of a sweep as a table: ranked, or along the learning rate."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gdtrain.errors import cells, printable
from gdtrain.report.numbers import number, short
from gdtrain.report.sections import Section, fitting, title
from gdtrain.results import SHOWN, SweepResult, Trial, as_text
from gdtrain.results.ranking import LOSSES

BEST = 20  # of more than SHOWN trials, so many are shown
LR = "train.lr"
_BAR = 20  # cells of the bar of the fastest learning rate
_SPEED = "speed"
_PARAMETER_KEYS = ("start", "min", "max", "fixed")
_HEADERS = ("rank", "verdict", "epochs", "loss", "held out", "sd", "norm", "reaches", _SPEED, "n", "diverged")

Column = tuple[str, list[str]]


def shown(sweep: SweepResult) -> list[int]:
    """Indices of the trials that a table shows, best first: all up to 100, else the best 20; or the best `top`."""
    usual = len(sweep.trials) if len(sweep.trials) <= SHOWN else BEST
    return sweep.order[: usual if sweep.top is None else sweep.top]


def ranked_trials(sweep: SweepResult, width: int | None) -> Section:
    """The table of `shown`, and how to see more."""
    indices = shown(sweep)
    trials = [sweep.trials[s] for s in indices]
    columns = [("rank", _ranks(sweep, indices)), *set_columns(sweep, trials), *_measured(trials)]
    name, _ = sweep.metric
    if name not in (*LOSSES, "epochs", *sweep.parameters):
        values = [float(sweep.values_S[s]) for s in indices]
        as_word = short if all(map(float.is_integer, values)) else number
        columns.append((printable(name), [as_word(value) for value in values]))
    notes = []
    if len(indices) < len(sweep.trials):
        more = "" if sweep.top is not None else "; --top N shows more, --format csv all of them"
        best = "best" if len(indices) == 1 else f"best {len(indices):,}"
        notes.append(f"the {best} of {counted(len(sweep.trials), unit(sweep))}{more}")
    return with_weights(heading(sweep, width), columns, [], trials, sweep.parameters, width, notes)


def along_lr(sweep: SweepResult, width: int | None) -> Section:
    """Every trial by its learning rate: how soon its loss came near the best, and where descent breaks."""
    trials = sorted(sweep.trials, key=_lr)
    finder = sweep.finder or {}
    marks = {name: finder[name] for name in ("fastest", "breaks") if finder.get(name) is not None}
    marked = [" ".join(name for name, lr in marks.items() if math.isclose(_lr(trial), lr)) for trial in trials]
    reaches = ["never" if trial.reach is None else f"{trial.reach:,}" for trial in trials]
    columns = [("", marked), *set_columns(sweep, trials), *_measured(trials), ("reaches", reaches)]
    columns.append((_SPEED, _bars([trial.reach for trial in trials])))
    notes = ["reaches: epochs until the loss is near the best that was seen; a bar twice as long: half of them"]
    return replace(
        with_weights(heading(sweep, width), columns, [], trials, sweep.parameters, width, notes), left=(_SPEED,)
    )


def heading(sweep: SweepResult, width: int | None) -> str:
    """The problem, how many trials, along what, and which experiment it was."""
    over = "" if sweep.starts is not None or not sweep.axes else f" over {_and(sweep.axes)}"
    source = f" ({sweep.source})" if sweep.source else ""
    return f"{title(sweep, width)}, {counted(len(sweep.trials), unit(sweep))}{printable(over + source)}"


def unit(sweep: SweepResult) -> str:
    """What its trials are to their user."""
    return "trial" if sweep.starts is None else "start"


def counted(count: int, what: str) -> str:
    """`1 trial`, `1,000 trials`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def with_weights(
    heading: str,
    before: Sequence[Column],
    after: Sequence[Column],
    trials: Sequence[Trial],
    parameters: Sequence[str],
    width: int | None,
    notes: Sequence[str],
) -> Section:
    """A row for each trial: columns, then its weights, then more columns. Of more weights than `width` cells hold, the
    first few and the norm of all.
    """
    names = [printable(name) for name in parameters]
    weights = [[_weight(trial, name) for name in parameters] for trial in trials]
    room = None if width is None else width - 1 - sum(cells_of(column) + 3 for column in (*before, *after))
    fit = fitting(names, weights, room, least=0)
    middle: list[Column] = [(name, [row[i] for row in weights]) for i, name in enumerate(names[:fit])]
    notes = list(notes)
    norm: Column = ("norm", [number(math.hypot(*trial.params.values())) for trial in trials])
    if fit < len(names) and (fit or room is None or cells_of(norm) + 3 <= room):
        middle.append(norm)
        hidden = f"{len(names) - fit} more weights are" if fit else "weights are"
        notes.append(f"{hidden} not shown; norm is over all {len(names)}")
    elif fit < len(names):
        notes.append("weights are not shown; a wider terminal, or --format csv, has them")
    return section(heading, [*before, *middle, *after], notes)


def section(heading: str, columns: Sequence[Column], notes: Sequence[str] = ()) -> Section:
    """Columns of equal length as a section."""
    rows = [list(row) for row in zip(*(texts for _, texts in columns), strict=True)]
    return Section(heading, [header for header, _ in columns], rows, tuple(notes))


def set_columns(
    sweep: SweepResult, trials: Sequence[Trial] | Sequence[dict[str, Any]], leave: Sequence[str] = ()
) -> list[Column]:
    """A column for each axis but those of `leave`, under the last word of its key where that is not another's."""
    axes = [axis for axis in sweep.axes if axis not in leave]
    values = [trial.set if isinstance(trial, Trial) else trial["set"] for trial in trials]
    headers = _short_names(axes, [*_HEADERS, *sweep.parameters])
    return [
        (header, _settings([each.get(axis) for each in values])) for header, axis in zip(headers, axes, strict=True)
    ]


def setting(value: Any) -> str:
    """A value as it was set, six significant digits of a fraction."""
    if isinstance(value, float):
        return short(value)
    if isinstance(value, dict):
        return printable("{" + ", ".join(f"{key}: {setting(item)}" for key, item in value.items()) + "}")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(setting(item) for item in value) + "]"
    return printable(as_text(value))


def _settings(values: Sequence[Any]) -> list[str]:
    """Each as short as it can be, unless two different ones would then look the same."""
    texts, whole = [setting(value) for value in values], [printable(as_text(value)) for value in values]
    return texts if len({*texts}) == len({*whole}) else whole


def _short_names(axes: Sequence[str], taken: Sequence[str]) -> list[str]:
    words = [_short_name(axis) for axis in axes]
    found = []
    for axis, word in zip(axes, words, strict=True):
        free = [name for name in (word, axis) if name not in taken and (name == axis or words.count(word) == 1)]
        found.append(printable(free[0] if free else f"set {axis}"))
    return found


def _short_name(axis: str) -> str:
    if axis.startswith("params."):
        name, dot, key = axis.removeprefix("params.").removesuffix(".value").rpartition(".")
        return f"{name} {key}" if dot and key in _PARAMETER_KEYS else axis
    return axis.removesuffix(".name").rpartition(".")[2]


def _measured(trials: Sequence[Trial]) -> list[Column]:
    return [
        ("verdict", [trial.status for trial in trials]),
        ("epochs", [str(trial.epochs) for trial in trials]),
        ("loss", [number(trial.loss) for trial in trials]),
        *held_out(trials),
    ]


def held_out(trials: Sequence[Trial]) -> list[Column]:
    """The loss of held-out rows, and its standard deviation over folds, where there are some."""
    columns = [("held out", [trial.held_out for trial in trials]), ("sd", [trial.held_out_sd for trial in trials])]
    return [(name, [number(value) for value in each]) for name, each in columns if any(v is not None for v in each)]


def _ranks(sweep: SweepResult, indices: Sequence[int]) -> list[str]:
    """`best 1`, `2=` where others have the same; nothing where a trial diverged."""
    sharing = Counter(sweep.ranks)
    return [
        f"{'best ' * (s == sweep.best)}{sweep.ranks[s]}{'=' * (sharing[sweep.ranks[s]] > 1)}"
        if sweep.trials[s].sound
        else ""
        for s in indices
    ]


def _bars(reaches: Sequence[int | None]) -> list[str]:
    """As long as descent is fast."""
    least = min((max(1, reach) for reach in reaches if reach is not None), default=1)
    return ["" if reach is None else "=" * max(1, round(_BAR * least / max(1, reach))) for reach in reaches]


def _lr(trial: Trial) -> float:
    lr = trial.set.get(LR)
    return float(lr) if isinstance(lr, int | float) else math.inf


def _weight(trial: Trial, name: str) -> str:
    return number(trial.params.get(name))


def cells_of(column: Column) -> int:
    """Terminal cells that a column takes, its borders aside."""
    return max(map(cells, [column[0], *column[1]]))


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
