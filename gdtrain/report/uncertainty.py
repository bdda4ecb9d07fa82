"""Standard errors as a table, and what goes with them in a line."""

from __future__ import annotations

from gdtrain.errors import printable
from gdtrain.report.numbers import number, short
from gdtrain.report.sections import Section
from gdtrain.results import Result, Uncertainty

_ROWS = 20  # parameters that a table shows
_PAIRS = 3  # that a line names
# What each is called in a line, in this order.
_NUMBERS = {"sigma": "residual standard deviation", "chi2": "chi squared", "dispersion": "dispersion"}
_CRITERIA = {"loglik": "log likelihood", "aic": "AIC", "bic": "BIC"}


def table(result: Result) -> Section | None:
    """Estimate, standard error, t, p and interval of each parameter; None where there are none."""
    found = None if result.quiet else result.uncertainty
    if found is None or found.refused:
        return None
    statistic = "t" if found.distribution == "t" else "z"
    tested = any(estimate.t is not None for estimate in found.estimates.values())
    header = ["parameter", "estimate", "std error", *([statistic, "p"] if tested else []), "from", "to"]
    values = result.params
    rows = [
        [
            printable(name),
            number(values[name]),
            number(one.std_error),
            *([number(one.t), "" if one.p is None else f"{one.p:.3g}"] if tested else []),
            *map(number, one.interval),
        ]
        for name, one in found.estimates.items()
    ]
    hidden = len(rows) - _ROWS
    notes = (f"{hidden:,} more are in --format json",) if hidden > 0 else ()
    return Section(
        f"standard errors ({found.method}), {100 * found.level:g} % intervals",
        header,
        rows[:_ROWS],
        notes,
        ("parameter",),
    )


def lines(result: Result) -> list[str]:
    """Scatter, likelihood, strong correlations; or why there is nothing, where the verdict has not told already."""
    found = None if result.quiet else result.uncertainty
    if found is None:
        return []
    if found.refused:
        return [] if result.verdict.status == "diverged" else [f"no standard errors: {found.refused}"]
    numbers = found.numbers
    told = [f"{label} {short(numbers[key])}" for key, label in _NUMBERS.items() if isinstance(numbers.get(key), float)]
    if told and isinstance(numbers.get("dof"), float):
        told[0] += f" on {numbers['dof']:,.6g} degree{'s' * (numbers['dof'] != 1)} of freedom"
    told += [f"{label} {short(numbers[key])}" for key, label in _CRITERIA.items() if key in numbers]
    if "weights" in numbers:
        told.append(f"weights taken as {numbers['weights']}")
    return [*([", ".join(told)] if told else []), *_strong(found)]


def _strong(found: Uncertainty) -> list[str]:
    strong = found.strong
    if not strong:
        return []
    named = [f"{printable(a)} and {printable(b)} ({r:.3f})" for a, b, r in strong[:_PAIRS]]
    more = [f"{len(strong) - _PAIRS:,} more pairs"] if len(strong) > _PAIRS else []
    return [f"strongly correlated: {', '.join([*named, *more])}"]
