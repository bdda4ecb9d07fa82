"""Expectations: what a result must come to, as `w = 2 +- 0.01`, `loss < 1e-3` or `verdict = converged`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gdtrain.errors import UserError, did_you_mean
from gdtrain.formula.text import unquoted
from gdtrain.results import STATUSES, Result

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
SHORT_NAMES = ("verdict", "loss", "epochs")
SCALARS = ("schema", "name", "kind", "statement", "seed", "dtype", "device")
SECTIONS = ("verdict", "loss", "params", "train", "data", "timing", "curvature")  # of a document, with numbers in them
_LONG = {"verdict": "verdict.status", "loss": "loss.final", "epochs": "verdict.epoch"}
_NAME = r"(?P<name>`(?:[^`]|``)+`|[^<>=!]+?)"
_SHAPE = re.compile(rf"\s*{_NAME}\s*(?P<sign><=|>=|!=|==|=|<|>)\s*(?P<wanted>[^<>=!\s][^<>=!]*?)\s*")
_TOLERANCE = re.compile(r"(?P<number>.+?)\s*(?:\+-|\+/-|±)\s*(?P<tolerance>.+)")
_REMEDY = "write it like 'w = 2 +- 0.01', 'loss < 1e-3' or 'verdict = converged'"


@dataclass(frozen=True)
class Expectation:
    """`name` compared to `wanted`; with a tolerance, `=` means within it and `!=` beyond it."""

    text: str
    name: str
    sign: str
    wanted: float | str
    tolerance: float | None = None


@dataclass(frozen=True)
class Outcome:
    """Whether an expectation was met, and by what. One that could not be evaluated is not met."""

    expectation: Expectation
    met: bool
    found: str

    def __str__(self) -> str:
        return f"{'pass' if self.met else 'fail'}: {self.expectation.text} ({self.found})"


def parse_expectation(text: str) -> Expectation:
    """The expectation that `text` states. Raises UserError where it states none."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise UserError("not an expectation", where="--expect", remedy=_REMEDY, text=text)
    name, sign, wanted = unquoted(shape["name"]), shape["sign"], shape["wanted"]
    if name == "verdict":
        if sign not in ("=", "==", "!="):
            raise UserError("a verdict is equal or not", where="--expect", remedy=_REMEDY, text=text)
        if wanted not in STATUSES:
            remedy = did_you_mean(wanted, STATUSES) or f"there are {', '.join(STATUSES)}"
            raise UserError(f"there is no verdict {wanted}", where="--expect", remedy=remedy, text=text)
        return Expectation(text, name, sign, wanted)
    around = _TOLERANCE.fullmatch(wanted)
    if around is None:
        return Expectation(text, name, sign, _number(wanted, text))
    if sign not in ("=", "==", "!="):
        raise UserError(f"a tolerance goes with =, not with {sign}", where="--expect", remedy=_REMEDY, text=text)
    tolerance = _number(around["tolerance"], text)
    if tolerance < 0:
        raise UserError("a tolerance is not negative", where="--expect", remedy=_REMEDY, text=text)
    return Expectation(text, name, sign, _number(around["number"], text), tolerance)


def check(expectation: Expectation, result: Result) -> Outcome:
    """Hold `result` against one expectation."""
    try:
        found = look_up(result, expectation.name)
    except UserError as error:
        return Outcome(expectation, False, "; ".join(part for part in (error.what, error.remedy) if part))
    if isinstance(expectation.wanted, str):
        met = (found == expectation.wanted) == (expectation.sign != "!=")
        return Outcome(expectation, met, f"{expectation.name} = {found}")
    if isinstance(found, str):
        return Outcome(expectation, False, f"{expectation.name} = {found}, which is no number")
    return Outcome(expectation, _compare(expectation, float(found)), f"{expectation.name} = {found:.10g}")


def look_up(result: Result, name: str) -> float | str:
    """The number (or the verdict) called `name`: a parameter, `loss`, `epochs`, `verdict`, or a dotted path of the
    result document such as `params.w.gradient`. Raises UserError where there is none.
    """
    short: dict[str, float | str] = dict(
        zip(SHORT_NAMES, (result.verdict.status, result.loss["final"], result.epochs), strict=True)
    )
    if name in short and name in result.params:
        remedy = f"write params.{name}.value, or {_LONG[name]}"
        raise UserError(f"{name} is a parameter and the result's own {name}", remedy=remedy)
    if name in short:
        return short[name]
    if name in result.params:
        return result.params[name]
    found = _follow(result.to_dict(), name)
    if isinstance(found, int | float | str) and not isinstance(found, bool):
        return float(found) if found in ("inf", "-inf", "nan") else found
    raise no_number(name, [*result.params])


def no_number(name: str, parameters: Sequence[str], where: str = "") -> UserError:
    """The error that a result with these parameters has no number of that name."""
    known = [*parameters, *SHORT_NAMES]
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


def _compare(expectation: Expectation, found: float) -> bool:
    wanted = float(expectation.wanted)
    if math.isnan(found) or math.isnan(wanted):
        return False
    if expectation.tolerance is not None:
        distance = abs(found - wanted)
        return not math.isnan(distance) and (distance <= expectation.tolerance) == (expectation.sign != "!=")
    return COMPARISONS[expectation.sign](found, wanted)


def _number(text: str, whole: str) -> float:
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?inf", text.strip()):
        raise UserError(f"{text.strip()} is not a number", where="--expect", remedy=_REMEDY, text=whole)
    return float(text)
