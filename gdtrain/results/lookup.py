"""Numbers of an outcome by name: a parameter, `loss`, `epochs`, `verdict`, or a dotted path of its document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from gdtrain.errors import UserError, did_you_mean

SHORT_NAMES = ("verdict", "loss", "epochs")
SCALARS = ("schema", "name", "kind", "statement", "seed", "dtype", "device")
# Of the training rows, asked for by their own names too.
METRICS = (
    *("r2", "adjusted_r2", "pseudo_r2", "accuracy", "auc"),  # more is better
    *("rmse", "mae", "log_loss", "deviance", "null_deviance"),
)
# Sections of a document that hold numbers.
SECTIONS = (
    *("verdict", "loss", "objective", "params", "train", "data", "timing", "curvature", "metrics"),
    *("folds", "restored", "predictions", "equations", "uncertainty"),
)
_LISTED = 8  # keys of a section that a message lists
HELD_OUT = "loss.held_out"
EACH = "*"  # in a path: every item of a list, every entry of a section
# What a document has of the uncertainty of a fit, where that is not refused.
_ESTIMATES = ("std_error", "t", "p", "interval", "0", "1", "sigma", "dof", "loglik", "aic", "bic")
_OWN = ("value", "final", "status")  # what a section of a document is called for
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
    """The number (or the verdict) called `name`: a parameter, `loss`, `epochs`, `verdict`, a metric, or a dotted path
    of the document such as `params.w.gradient`. Raises UserError where there is none.
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
    if found is None:
        found = _metric(document, name)
    if _is_leaf(found):
        return _number(found)
    told = document.get("uncertainty", {}).get("refused")
    if told and name.rpartition(".")[2] in _ESTIMATES:
        raise UserError(f"there is no {name}: {told}")
    if isinstance(found, dict | list) and found:
        raise _no_leaf(name, found)
    known = names_of(split="held_out" in document["loss"])
    near = _numbers(document) if "." in name else [*params, *known, *_numbers(document.get("metrics", {}), 1)]
    if meant := did_you_mean(name, near):
        raise UserError(f"there is no number called {name}", remedy=meant)
    raise no_number(name, [*params], known=known)


def look_up_each(
    outcome: Outcome, name: str, beyond: Callable[[], Mapping[str, Any]] | None = None
) -> list[tuple[str, float | str]]:
    """The numbers called `name`, each with its own name: one as by `look_up`, or, where a part of a path is `*`, as in
    `params.*.gradient`, that of every item. What the outcome has not is looked up in the document that `beyond` makes.
    Raises UserError where there are none.
    """
    try:
        if EACH not in name.split("."):
            return [(name, look_up(outcome, name))]
        return _each(outcome.to_dict(), name)
    except UserError:
        found = None if beyond is None else _beyond(beyond(), name)
        if not found:
            raise
        return found


def _beyond(document: Mapping[str, Any], name: str) -> list[tuple[str, float | str]]:
    if EACH in name.split("."):
        return _each(document, name)
    found = _follow(document, name)
    return [(name, _number(found))] if _is_leaf(found) else []


def _each(document: Any, name: str) -> list[tuple[str, float | str]]:
    found = [(path, _follow(document, path)) for path in _paths(document, name)]
    lost = next((path for path, value in found if not _is_leaf(value)), None if found else name)
    if lost is not None:
        raise UserError(f"there is no number called {lost}")
    return [(path, _number(value)) for path, value in found]


def _paths(document: Any, name: str) -> Iterator[str]:
    """`name` with every item's own name in place of each `*`."""
    parts = name.split(".")
    if EACH not in parts:
        yield name
        return
    place = parts.index(EACH)
    before, after = ".".join(parts[:place]), parts[place + 1 :]
    section = _follow(document, before, whole=True) if before else document
    items: Iterable[Any] = section if isinstance(section, dict) else range(len(section or ()))
    for item in items if isinstance(section, dict | list) else ():
        yield from _paths(document, ".".join([before, str(item), *after] if before else [str(item), *after]))


def _is_leaf(found: Any) -> bool:
    return isinstance(found, int | float | str) and not isinstance(found, bool)


def _number(found: Any) -> float | str:
    """A leaf of a document, where what is not finite is a word."""
    leaf: float | str = float(found) if found in ("inf", "-inf", "nan") else found
    return leaf


def _numbers(document: Mapping[str, Any], depth: int = 3) -> Iterator[str]:
    """The dotted names of what a document holds in sections, so many deep: not the items of its lists."""
    for name, value in document.items():
        if isinstance(value, dict) and depth > 1:
            yield from (f"{name}.{inner}" for inner in _numbers(value, depth - 1))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name


def _metric(document: Mapping[str, Any], name: str) -> Any:
    """The metric of that name, of the training rows."""
    found = document.get("metrics", {}).get(name)
    return found if isinstance(found, int | float) else None


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
    if name in (*parameters, *SHORT_NAMES, *SCALARS, *METRICS):
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


def _follow(document: Any, path: str, *, whole: bool = False) -> Any:
    """The value at a dotted path; names that hold dots are found too, and a list's items by number from 0. Of a
    section with a value of its own, that value, unless `whole`.
    """
    if isinstance(document, list):
        document = {str(i): item for i, item in enumerate(document)}
    if not isinstance(document, dict):
        return None
    if path in document:
        value = document[path]
        if not isinstance(value, dict) or whole:
            return value
        return next((value[key] for key in _OWN if key in value), value)
    for name, inner in document.items():
        if path.startswith(f"{name}.") and (found := _follow(inner, path[len(name) + 1 :], whole=whole)) is not None:
            return found
    return None
