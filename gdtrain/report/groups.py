"""What the fits of groups show: a row for each, and the lines below."""

from __future__ import annotations

from typing import Any

from gdtrain.errors import printable
from gdtrain.report.numbers import number, short
from gdtrain.report.sections import Section, fitting, title
from gdtrain.report.trials import BEST, Column, cells_of, counted, section, setting
from gdtrain.results import SHOWN, GroupsResult

_WORST = ("diverged", "interrupted", "stopped", "max_epochs")  # verdicts that are to be told of, in this order


def shown(groups: GroupsResult) -> list[int]:
    """Those that a table shows: all up to 100, else the first 20; or the first `top`."""
    usual = len(groups.trials) if len(groups.trials) <= SHOWN else BEST
    return groups.order[: usual if groups.top is None else groups.top]


def sections(groups: GroupsResult, width: int | None = None) -> list[Section]:
    """Each group's fit; where that is wider than `width` cells, fewer weights."""
    if not groups.trials:
        return []
    trials = [groups.trials[s] for s in shown(groups)]
    columns: list[Column] = [
        (printable(groups.column), [setting(trial.set[groups.column]) for trial in trials]),
        ("rows", [f"{trial.rows:,}" for trial in trials]),
        ("verdict", [trial.status for trial in trials]),
        ("epochs", [str(trial.epochs) for trial in trials]),
        ("loss", [number(trial.loss) for trial in trials]),
    ]
    estimates = [trial.estimates() for trial in trials]
    told = any(estimates)
    pairs = []
    for name in groups.parameters:
        pair: list[Column] = [(printable(name), [number(trial.params.get(name)) for trial in trials])]
        if told:
            errors = [each[name].std_error if name in each else None for each in estimates]
            pair.append((printable(f"{name} std error"), [number(error) for error in errors]))
        pairs.append(pair)
    room = None if width is None else width - 1 - sum(cells_of(column) + 3 for column in columns)
    names = [max((header for header, _ in pair), key=len) for pair in pairs]
    fit = fitting(names, [[pair[0][1][i] for pair in pairs] for i in range(len(trials))], room, doubled=told)
    columns += [column for pair in pairs[:fit] for column in pair]
    notes = []
    if fit < len(pairs):
        notes.append(f"{len(pairs) - fit} more weights are in --format csv")
    if len(trials) < len(groups.trials):
        more = "" if groups.top is not None else "; --top N shows more, --format csv all of them"
        notes.append(f"the first {len(trials):,} of {counted(len(groups.trials), 'group')}{more}")
    heading = f"{title(groups, width)}, {counted(len(groups.trials), 'group')} by {printable(groups.column)}"
    return [section(heading, columns, notes)]


def summary(groups: GroupsResult) -> list[str]:
    """How many ended how, which did not end well, and where standard errors are refused."""
    if not groups.trials:
        return ["no group was fitted"]
    ended = ", ".join(f"{count:,} {word}" for word, count in groups.statuses.most_common())
    begun = f"interrupted after {len(groups.trials):,} of {counted(groups.planned or 0, 'group')}: "
    lines = [f"{begun * groups.interrupted}{counted(len(groups.trials), 'group')}: {ended}"]
    first = next((s for word in _WORST for s, trial in enumerate(groups.trials) if trial.status == word), None)
    if first is not None:
        lines.append(f"{_where(groups, first)} {groups.trials[first].status}: {groups.trials[first].detail}")
    document = groups.trials[shown(groups)[0]].document()
    lines += _refused(groups)
    lines.append(_how(document["train"]))
    return [printable(line) for line in lines]


def status(groups: GroupsResult) -> str:
    """The verdict that stands for all: the worst of them."""
    return next((word for word in _WORST if groups.statuses[word]), "converged")


def _refused(groups: GroupsResult) -> list[str]:
    """Why the first of the shown groups without standard errors has none."""
    without = [s for s in shown(groups) if groups.trials[s].sound and not groups.trials[s].estimates()]
    if not without or not groups.estimated:
        return []
    told = groups.trials[without[0]].document().get("uncertainty", {}).get("refused", "")
    others = f" (and {len(without) - 1:,} more of those shown)" if len(without) > 1 else ""
    return [f"no standard errors where {_where(groups, without[0])}{others}: {told}"] if told else []


def _where(groups: GroupsResult, s: int) -> str:
    return f"{groups.column} = {setting(groups.trials[s].set[groups.column])}"


def _how(train: dict[str, Any]) -> str:
    lr = f", lr {short(train['lr'])} in the first" if "lr" in train else ""
    chosen = dict.fromkeys(key.rpartition(".")[2] for key in train["chosen"])
    return f"each by {train['optimizer']['name']}{lr}" + (f"; chosen for you: {', '.join(chosen)}" if chosen else "")
