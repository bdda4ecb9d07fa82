"""What a sweep shows: sections of rows and the lines below them, the same for every format."""

from __future__ import annotations

from gdtrain.errors import printable
from gdtrain.report import starts
from gdtrain.report.numbers import number, short
from gdtrain.report.sections import MANY, Section, fitting
from gdtrain.report.trials import (
    BEST,
    LR,
    Column,
    along_lr,
    cells_of,
    counted,
    ranked_trials,
    section,
    set_columns,
    setting,
)
from gdtrain.results import SHOWN, SweepResult, Trial
from gdtrain.results.ranking import LOSSES


def sections(sweep: SweepResult, width: int | None = None) -> list[Section]:
    """The trials ranked, or along the learning rate where one was searched for, or the distinct ends of many starts;
    then each setting over its seeds or folds. Where a table is wider than `width` cells it shows fewer weights.
    """
    if not sweep.trials:
        return []
    found = []
    if sweep.found:
        found.append(starts.ends(sweep, width))
    elif sweep.finder is not None:
        found.append(along_lr(sweep, width))
    if not found or (sweep.top is not None and sweep.finder is None):
        found.append(ranked_trials(sweep, width))
    if sweep.settings:
        found.append(_over_seeds(sweep, width))
    return found


def summary(sweep: SweepResult) -> list[str]:
    """The lines below the tables: what was found first, then what else is to be known, then how to run it again."""
    if not sweep.trials:
        return ["no trial was trained"]
    lines = [_headline(sweep)]
    if sweep.interrupted:
        begun = "" if sweep.planned is None else f" after {len(sweep.trials):,} of {counted(sweep.planned, 'trial')}"
        lines[0] = f"interrupted{begun}: {lines[0]}"
    if sweep.ties > 1 and sweep.starts is None and sweep.finder is None and not sweep.averaged:
        name, _ = sweep.metric
        lines.append(f"{sweep.ties:,} trials tie for best" + " within rounding" * (name in LOSSES))
    diverged = sum(trial.status == "diverged" for trial in sweep.trials)
    if diverged and sweep.best is not None and sweep.starts is None:
        lines.append(f"{diverged:,} of {counted(len(sweep.trials), 'trial')} diverged")
    if sweep.rerun and sweep.best is not None and status(sweep) != "no_root":
        lines.append(f"to run the {'best' if sweep.finder is None else 'fastest'} alone: {sweep.rerun}")
    return [printable(line) for line in lines]


def status(sweep: SweepResult) -> str:
    """The verdict that stands for the sweep: the best trial's, or that of starts that found nothing."""
    if sweep.best is None:
        return "diverged"
    if sweep.starts is not None:
        return "converged" if sweep.found else "no_root"
    return sweep.trials[sweep.best].status


def _headline(sweep: SweepResult) -> str:
    if sweep.best is None:
        return _no_end(sweep)
    if sweep.starts is not None:
        return starts.sentence(sweep)
    best = sweep.trials[sweep.best]
    name, largest = sweep.metric
    by = (
        ""
        if name in LOSSES
        else f" by {name}{', largest first' * largest} ({short(float(sweep.values_S[sweep.best]))})"
    )
    if sweep.finder is not None:
        return _fastest(sweep)
    if sweep.averaged:
        by = f"{by + ',' if by else ' by the'} mean over {' and '.join(sweep.averaged)}"
    return f"best of {counted(len(sweep.trials), 'trial')}{by}: {_in_words(best)}"


def _in_words(trial: Trial) -> str:
    """What was set, the loss, how it ended, and the first weights."""
    values = [f"{name} = {short(value)}" for name, value in list(trial.params.items())[:MANY]]
    more = [f"{len(trial.params) - MANY} more"] if len(trial.params) > MANY else []
    sets = [f"{axis} = {setting(value)}" for axis, value in trial.set.items()]
    ended = f"{trial.status} after {counted(trial.epochs, 'epoch')}"
    loss = f"loss {short(trial.loss)}"
    if trial.held_out is not None:
        loss = f"held-out loss {short(trial.held_out)}, {loss}"
    return "; ".join([", ".join([*sets, loss, ended]), ", ".join([*values, *more])])


def _no_end(sweep: SweepResult) -> str:
    """Why there is no best trial, from the first of the order."""
    first = sweep.trials[sweep.order[0]]
    sets = ", ".join(f"{axis} = {setting(value)}" for axis, value in first.set.items())
    count = len(sweep.trials)
    all_of = {1: "the trial", 2: "both trials"}.get(count, f"all {count:,} trials")
    ended = "diverged" if all(trial.status == "diverged" for trial in sweep.trials) else "ended at no finite loss"
    return f"{all_of} {ended}{f'; with {sets}' if sets else ''}: {first.detail}"


def _fastest(sweep: SweepResult) -> str:
    finder = sweep.finder or {}
    fastest, breaks, limit = (finder.get(name) for name in ("fastest", "breaks", "limit"))
    said = [f"descent is fastest at {LR} = {short(fastest)}" if fastest is not None else "no learning rate gets there"]
    reach = next((trial.reach for trial in sweep.trials if trial.set.get(LR) == fastest), None)
    if reach is not None:
        said[0] += f": near the best loss after {counted(reach, 'epoch')}"
    said.append(f"it breaks at {short(breaks)}" if breaks is not None else "it breaks at none of these")
    if limit is not None:
        said.append(f"the limit of stability is {short(limit)}")
    return "; ".join(said)


def _over_seeds(sweep: SweepResult, width: int | None) -> Section:
    """Each setting over its seeds: mean and standard deviation of the loss and of the first weights."""
    settings = sweep.settings if len(sweep.settings) <= SHOWN else sweep.settings[:BEST]
    columns = [*set_columns(sweep, settings, leave=sweep.seeds), ("n", [str(each["n"]) for each in settings])]
    if any(each["diverged"] for each in settings):
        columns.append(("diverged", [str(each["diverged"]) for each in settings]))
    columns += _mean_and_sd("loss", [each["loss"] for each in settings])
    if any("held_out" in each for each in settings):
        columns += _mean_and_sd("held out", [each.get("held_out", {}) for each in settings])
    means = {name: [each["params"].get(name, {}) for each in settings] for name in sweep.parameters}
    weights = {printable(name): _mean_and_sd(printable(name), spreads) for name, spreads in means.items()}
    rows = [[pair[0][1][i] for pair in weights.values()] for i in range(len(settings))]
    room = None if width is None else width - 1 - sum(cells_of(column) + 3 for column in columns)
    fit = fitting([pair[0][0] for pair in weights.values()], rows, room, doubled=True)
    for pair in list(weights.values())[:fit]:
        columns += pair
    notes = []
    if fit < len(weights):
        notes.append(f"{len(weights) - fit} more weights are in --format json")
    if len(settings) < len(sweep.settings):
        notes.append(f"the best {len(settings)} of {len(sweep.settings):,} settings; --format json has all")
    over = " and ".join(dict.fromkeys(f"{axis.rpartition('.')[2]}s" for axis in sweep.seeds))
    return section(f"over {over}: mean and standard deviation (sd)", columns, notes)


def _mean_and_sd(name: str, spreads: list[dict[str, float | None]]) -> list[Column]:
    return [(f"{name} {which}", [number(spread.get(which)) for spread in spreads]) for which in ("mean", "sd")]
