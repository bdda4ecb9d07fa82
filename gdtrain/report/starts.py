"""Many starts: the distinct roots or minima, and how many starts ended at each."""

from __future__ import annotations

import math
from collections import Counter

from gdtrain.report.numbers import number, short
from gdtrain.report.sections import Section
from gdtrain.report.trials import BEST, Column, counted, heading, held_out, setting, with_weights
from gdtrain.results import SHOWN, SweepResult, Trial

NOUNS = {"solve": ("root", "roots")}
_MINIMA = ("minimum", "minima")


def ends(sweep: SweepResult, width: int | None) -> Section:
    """The table of what was found."""
    found = sweep.found if len(sweep.found) <= SHOWN else sweep.found[:BEST]
    trials = [sweep.trials[f.trial] for f in found]
    one, many = NOUNS.get(sweep.kind, _MINIMA)
    before: list[Column] = [(one, [str(i + 1) for i in range(len(found))])]
    if sweep.kind != "solve":
        before += [("loss", [number(trial.loss) for trial in trials]), *held_out(trials)]
    after = _residuals(trials) if sweep.kind == "solve" else []
    after.append(("starts", [f"{f.starts:,}" for f in found]))
    notes = []
    if len(found) < len(sweep.found):
        notes.append(f"{len(found)} of {len(sweep.found):,} distinct {many}; --format json has all")
    if sweep.top is None:
        notes.append("--top N shows the N best starts")
    return with_weights(heading(sweep, width), before, after, trials, sweep.parameters, width, notes)


def _residuals(trials: list[Trial]) -> list[Column]:
    """The residual of the equation, or the largest of several."""
    equations = [trial.document().get("equations", []) for trial in trials]
    if not all(equations):
        return []
    largest = [max((float(e["residual"]) for e in each), key=abs) for each in equations]
    name = "residual" if len(equations[0]) == 1 else "largest residual"
    return [(name, [number(residual) for residual in largest])]


def sentence(sweep: SweepResult) -> str:
    """How many distinct ones there are, and what came of the other starts."""
    starts = len(sweep.trials)
    one, many = NOUNS.get(sweep.kind, _MINIMA)
    missed = starts - sum(f.starts for f in sweep.found)
    ended = Counter(trial.status for trial in sweep.trials if trial.status != "converged")
    how = f" ({', '.join(f'{count:,} {status}' for status, count in ended.items())})" if ended else ""
    if not sweep.found:
        return f"no {one} found from {counted(starts, 'start')}{how}{_closest(sweep)}"
    said = f"{len(sweep.found):,} distinct {one if len(sweep.found) == 1 else many} from {counted(starts, 'start')}"
    return said + (f"; {counted(missed, 'start')} found none{how}" if missed else "")


def _closest(sweep: SweepResult) -> str:
    if sweep.best is None:
        return ""
    trial = sweep.trials[sweep.best]
    values = ", ".join(f"{name} = {setting(value)}" for name, value in list(trial.params.items())[:BEST])
    if sweep.kind == "solve":
        apart = max((abs(float(e["residual"])) for e in trial.document().get("equations", [])), default=math.nan)
        return f"; at the closest, {values}, |left - right| is {short(apart)}"
    return f"; the best has loss {short(trial.loss)} at {values}: {trial.detail}"
