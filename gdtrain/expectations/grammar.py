"""What expectations say: `w = 2 +- 0.01`, `loss < 1e-3`, `verdict = converged`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gdtrain.errors import UserError, did_you_mean
from gdtrain.formula.text import unquoted
from gdtrain.statuses import STATUSES

_NAME = r"(?P<name>`(?:[^`]|``)+`|[^<>=!]+?)"
_SHAPE = re.compile(rf"\s*{_NAME}\s*(?P<sign><=|>=|!=|==|=|<|>)\s*(?P<wanted>[^<>=!\s][^<>=!]*?)\s*")
_TOLERANCE = re.compile(r"(?P<number>.+?)\s*(?:\+-|\+/-|±)\s*(?P<tolerance>.+)")
_REMEDY = "write it like 'w = 2 +- 0.01', 'loss < 1e-3' or 'verdict = converged'"
_VERDICT = re.compile(r"verdict|.+\.verdict|(.+\.)?verdict\.status")


@dataclass(frozen=True)
class Expectation:
    """`name` compared to `wanted`; with a tolerance, `=` means within it and `!=` beyond it."""

    text: str
    name: str
    sign: str
    wanted: float | str
    tolerance: float | None = None


def parse_expectation(text: str, where: str = "--expect") -> Expectation:
    """The expectation that `text` states. Raises UserError where it states none."""
    try:
        return _parsed(text)
    except UserError as error:
        raise UserError(error.what, where=where, remedy=error.remedy, text=text) from None


def _parsed(text: str) -> Expectation:
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise UserError("not an expectation", remedy=_REMEDY)
    name, sign, wanted = unquoted(shape["name"]), shape["sign"], shape["wanted"]
    if _VERDICT.fullmatch(name):
        if sign not in ("=", "==", "!="):
            raise UserError("a verdict is equal or not", remedy=_REMEDY)
        if wanted not in STATUSES:
            remedy = did_you_mean(wanted, STATUSES) or f"there are {', '.join(STATUSES)}"
            raise UserError(f"there is no verdict {wanted}", remedy=remedy)
        return Expectation(text, name, sign, wanted)
    around = _TOLERANCE.fullmatch(wanted)
    if around is None:
        return Expectation(text, name, sign, _number(wanted))
    if sign not in ("=", "==", "!="):
        raise UserError(f"a tolerance goes with =, not with {sign}", remedy=_REMEDY)
    tolerance = _number(around["tolerance"])
    if tolerance < 0:
        raise UserError("a tolerance is not negative", remedy=_REMEDY)
    return Expectation(text, name, sign, _number(around["number"]), tolerance)


def _number(text: str) -> float:
    if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?inf", text.strip()):
        raise UserError(f"{text.strip()} is not a number", remedy=_REMEDY)
    return float(text)
