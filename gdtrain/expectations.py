"""Expectations: what a result must come to, as `w = 2 +- 0.01`, `loss < 1e-3` or `verdict = converged`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from gdtrain.errors import UserError, did_you_mean
from gdtrain.formula.text import unquoted
from gdtrain.results import STATUSES, Result, Trial
from gdtrain.results.lookup import look_up

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
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


def check(expectation: Expectation, result: Result | Trial) -> Outcome:
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
