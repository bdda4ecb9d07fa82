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
    *("folds", "restored", "predictions", "equations", "uncertainty"),
)
_LISTED = 8  # keys of a section that a message lists
HELD_OUT = "loss.held_out"
# What a document has of the uncertainty of a fit, where that is not refused.
_ESTIMATES = ("std_error", "t", "p", "interval", "0", "1", "sigma", "dof", "loglik", "aic", "bic")
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
    document = outcome.to_dict()
    found = _follow(document, name)
    if isinstance(found, int | float | str) and not isinstance(found, bool):
        return float(found) if found in ("inf", "-inf", "nan") else found
    told = document.get("uncertainty", {}).get("refused")
    if told and name.rpartition(".")[2] in _ESTIMATES:
        raise UserError(f"there is no {name}: {told}")
    if isinstance(found, dict | list) and found:
        raise _no_leaf(name, found)
    known = names_of(split="held_out" in document["loss"])
    inside = [f"params.{own}.{key}" for own, keys in document["params"].items() for key in keys]
    if name.startswith("params.") and (meant := did_you_mean(name, inside)):
        raise UserError(f"there is no number called {name}", remedy=meant)
    raise no_number(name, [*params], known=known)


def names_of(known: Sequence[str] = SHORT_NAMES, *, split: bool) -> Sequence[str]:
    """Names that a message lists beside the parameters."""
    return (*known, HELD_OUT) if split else known


def _no_leaf(name: str, found: dict[str, Any] | list[Any]) -> UserError:
    """The error that a name leads to several numbers."""
    if isinstance(found, list):
        return UserError(f"{name} is a list of {len(found):,}", remedy=f"write {name}.0 for the first of them")
    keys = ", ".join([*(f"{name}.{key}" for key in found)][:_LISTED]) + ", ..." * (len(found) > _LISTED)
    return UserError(f"{name} is a section", remedy=f"it holds {keys}")


def check_name(name: str, parameters: Sequence[str], where: str, known: Sequence[str] = SHORT_NAMES) -> None:
    """Refuse a name that an outcome with these parameters will not have, before any time is spent on it."""
    if name in (*parameters, *SHORT_NAMES, *SCALARS):
        return
    section, dot, rest = name.partition(".")
    if name in SECTIONS:
        raise UserError(f"{name} is a section", where=where, remedy=f"write {name}.NAME for one of its numbers")
    there = section in SECTIONS if section != "params" else any(rest.startswith(p) for p in parameters)
    if not (dot and there):
        raise no_number(name, parameters, where, known)


def no_number(name: str, parameters: Iterable[str], where: str = "", known: Sequence[str] = SHORT_NAMES) -> UserError:
    """The error that an outcome with these parameters, and the `known` short names, has no number of that name."""
    known = [*parameters, *known]
    remedy = did_you_mean(name, known) or f"there is {', '.join(known)}"
    return UserError(f"there is no number called {name}", where=where, remedy=remedy)


def _follow(document: Any, path: str) -> Any:
    """The value at a dotted path; names that hold dots are found too, and a list's items by number from 0."""
    if isinstance(document, list):
        document = {str(i): item for i, item in enumerate(document)}
    if not isinstance(document, dict):
        return None
    if path in document:
        value = document[path]
        return value.get("value", value.get("final", value)) if isinstance(value, dict) else value
    for name, inner in document.items():
        if path.startswith(f"{name}.") and (found := _follow(inner, path[len(name) + 1 :])) is not None:
            return found
    return None
