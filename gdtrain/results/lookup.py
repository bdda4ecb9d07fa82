"""Numbers of an outcome by name: a parameter, `loss`, `epochs`, `verdict`, or a dotted path of its document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from gdtrain.errors import UserError, did_you_mean

SHORT_NAMES = ("verdict", "loss", "epochs")
SCALARS = ("schema", "name", "kind", "statement", "seed", "dtype", "device")
# Sections of a document that hold numbers.
SECTIONS = (
    *("verdict", "loss", "objective", "params", "train", "data", "timing", "curvature", "metrics"),
    *("folds", "restored"),
)
_LONG = {"verdict": "verdict.status", "loss": "loss.final", "epochs": "verdict.epoch"}


class Outcome(Protocol):
    """What a plain run and a trial of a sweep have in common."""

    @property
    def short(self) -> dict[str, float | str]:
        """Verdict, final loss and epochs, under SHORT_NAMES."""

    @property
    def params(self) -> Mapping[str, float]:
        """Each parameter's final value by name."""

    def to_dict(self) -> dict[str, Any]:
        """The document."""


def look_up(outcome: Outcome, name: str) -> float | str:
    """The number (or the verdict) called `name`: a parameter, `loss`, `epochs`, `verdict`, or a dotted path of the
    document such as `params.w.gradient`. Raises UserError where there is none.
    """
    short, params = outcome.short, outcome.params
    if name in short and name in params:
        remedy = f"write params.{name}.value, or {_LONG[name]}"
        raise UserError(f"{name} is a parameter and the result's own {name}", remedy=remedy)
    if name in short:
        return short[name]
    if name in params:
        return params[name]
    found = _follow(outcome.to_dict(), name)
    if isinstance(found, int | float | str) and not isinstance(found, bool):
        return float(found) if found in ("inf", "-inf", "nan") else found
    raise no_number(name, [*params])


def check_name(name: str, parameters: Sequence[str], where: str, known: Sequence[str] = SHORT_NAMES) -> None:
    """Refuse a name that an outcome with these parameters will not have, before any time is spent on it."""
    if name in (*parameters, *SHORT_NAMES, *SCALARS):
        return
    section, dot, rest = name.partition(".")
    there = section in SECTIONS if section != "params" else any(rest.startswith(p) for p in parameters)
    if not (dot and there):
        raise no_number(name, parameters, where, known)


def no_number(name: str, parameters: Iterable[str], where: str = "", known: Sequence[str] = SHORT_NAMES) -> UserError:
    """The error that an outcome with these parameters, and the `known` short names, has no number of that name."""
    known = [*parameters, *known]
    remedy = did_you_mean(name, known) or f"there is {', '.join(known)}"
    return UserError(f"there is no number called {name}", where=where, remedy=remedy)


def _follow(document: Any, path: str) -> Any:
    """The value at a dotted path; names that hold dots themselves are found too."""
    if not isinstance(document, dict):
        return None
    if path in document:
        value = document[path]
        return value.get("value", value.get("final")) if isinstance(value, dict) else value
    for name, inner in document.items():
        if path.startswith(f"{name}.") and (found := _follow(inner, path[len(name) + 1 :])) is not None:
            return found
    return None
