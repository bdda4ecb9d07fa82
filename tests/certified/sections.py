"""The tables of docs/accuracy.md: what each row measures.

A row's first cells say which case it is; `measure` takes these, carries it out and gives the other cells with the
result that they were read from. What is shown are whole digits, as `references.shown` has them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gdtrain.experiment.load import load
from gdtrain.experiment.optimizers import SECOND
from gdtrain.results import Result
from gdtrain.train import train
from tests.certified import published
from tests.certified.references import (
    DATA,
    EQUATIONS,
    LINEAR,
    NONLINEAR,
    PUBLISHED,
    columns,
    digits,
    reference,
    shown,
    worst,
    worst_error,
)

Key = tuple[str, ...]
Measured = tuple[list[str], Result]


@dataclass(frozen=True)
class Section:
    """A table of the page.

    header   of its columns: those that tell the case, then those that are measured
    cases    the cells that tell each case
    measure  the other cells of a case
    source   where its references lie
    """

    header: Key
    cases: Callable[[], Sequence[Key]]
    measure: Callable[..., Measured]
    source: Path


def _nonlinear_keys() -> list[Key]:
    return [(file.stem, start) for file in sorted(NONLINEAR.glob("*.json")) for start in ("1", "2")]


def _nonlinear(name: str, start: str, optimizer: str) -> tuple[Any, Result]:
    known = reference(NONLINEAR / f"{name}.json")
    result = train(
        load(
            {
                "fit": f"{known['response']} = {known['formula']}",
                "data": {"columns": columns(known)},
                "loss": "sse",
                "params": known[f"start{start}"],
                "train": {"optimizer": optimizer},
            }
        )
    )
    return known, result


def _by_lm(name: str, start: str) -> Measured:
    known, result = _nonlinear(name, start, "lm")
    reached = worst(result.params, known["certified"])
    rss = digits(result.loss["final"], known["certified_rss"])
    errors = worst_error(result, known["certified_sd"])
    return [shown(reached, 10), shown(rss, 10), shown(errors, 10), *_end(result)], result


def _by_others(optimizer: str, name: str, start: str) -> Measured:
    known, result = _nonlinear(name, start, optimizer)
    reached = worst(result.params, known["certified"])
    rss = digits(result.loss["final"], known["certified_rss"])
    return [shown(reached, 8), shown(rss, 8), *_end(result)], result


def _linear_keys() -> list[Key]:
    return [(file.stem,) for file in sorted(LINEAR.glob("*.json")) if reference(file)["kind"] == "linear"]


def _linear(name: str) -> Measured:
    known = reference(LINEAR / f"{name}.json")
    formula = f"{known['response']} = {known['formula']}"
    result = train(load({"fit": formula, "data": {"columns": columns(known)}, "loss": "sse"}))
    rss = digits(result.loss["final"], known["certified_rss"])
    errors = worst_error(result, known["certified_sd"])
    optimizer = str(result.train["optimizer"]["name"])
    cells = [shown(worst(result.params, known["certified"]), 12), shown(rss, 12), shown(errors, 12), optimizer]
    return [*cells, result.verdict.status], result


def _problems() -> dict[str, Any]:
    return {problem["name"]: problem for problem in reference(EQUATIONS / "mgh.json")["problems"]}


def _mgh_keys() -> list[Key]:
    return [(name, times) for name in _problems() for times in ("1", "10", "100")]


def _mgh(name: str, times: str) -> Measured:
    """As equations that may have no solution: their squares are brought down."""
    problem = _problems()[name]
    starts = {f"x{i + 1}": float(times) * value for i, value in enumerate(problem["x0"])}
    equations = [f"{residual} = 0" for residual in problem["residuals"]]
    result = train(load({"solve": equations, "loss": "sse", "params": starts, "train": {"optimizer": "lm"}}))
    found, known = result.loss["final"], problem["fmin_found"]
    # Where it should be 0, those of the residuals.
    reached = digits(math.sqrt(found), 0.0) if known < 1e-20 else digits(found, known)
    value = "0" if found < 1e-20 else f"{found:.3g}"
    return [value, shown(reached, 10), *_end(result)], result


def _root_keys() -> list[Key]:
    return [(case["id"], f"{case['x0']:g}") for case in reference(DATA / "aps.json")]


def _root(name: str, start: str) -> Measured:
    case = next(case for case in reference(DATA / "aps.json") if case["id"] == name)
    result = train(load({"solve": f"{case['formula']} = 0", "params": {"x": case["x0"]}}))
    return [shown(digits(result.params["x"], case["root"]), 12), *_end(result)], result


def _end(result: Result) -> list[str]:
    return [str(result.epochs), result.verdict.status]


SECTIONS: dict[str, Section] = {
    "nonlinear": Section(
        ("set", "start", "parameters", "sum of squares", "standard errors", "epochs", "verdict"),
        _nonlinear_keys,
        _by_lm,
        NONLINEAR,
    ),
    "others": Section(
        ("optimizer", "set", "start", "parameters", "sum of squares", "epochs", "verdict"),
        lambda: [(name, *key) for name in SECOND if name != "lm" for key in _nonlinear_keys()],
        _by_others,
        NONLINEAR,
    ),
    "linear": Section(
        ("set", "parameters", "sum of squares", "standard errors", "optimizer", "verdict"),
        _linear_keys,
        _linear,
        LINEAR,
    ),
    "published": Section(
        ("regression", "optimizer", "parameters", "of", "standard errors", "verdict"),
        lambda: [(name,) for name in published.REGRESSIONS],
        published.measure,
        PUBLISHED,
    ),
    "equations": Section(
        ("problem", "times x0", "sum of squares", "digits", "epochs", "verdict"), _mgh_keys, _mgh, EQUATIONS
    ),
    "roots": Section(("equation", "start", "digits", "epochs", "verdict"), _root_keys, _root, DATA),
}
