"""What is to be said of a value and its derivatives, in sentences for the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gdtrain.formula import Node, names, to_text
from gdtrain.formula.evaluate import blame
from gdtrain.gradient.differences import Differences, agrees
from gdtrain.gradient.result import Label

_TOLD = 3  # entries that a note names
_QUOTED = 60  # characters of an expression that a note repeats


def values(size: int) -> str:
    return f"{size:,} value{'s' * (size != 1)}"


def quoted(text: str) -> str:
    return text if len(text) <= _QUOTED else text[: _QUOTED - 3] + "..."


def of_choice(text: str, length: int) -> str:
    """An expression with several values, and nothing to start a backward pass from."""
    ones = ",".join(["1"] * length) if length <= 5 else f"ones({length})"
    ways = f"--vector {ones} (vector-Jacobian product) or --jacobian"
    return f"{quoted(text)} has {values(length)}: choose {ways} to differentiate it"


def of_value(text: str, tree: Node, point: Mapping[str, Tensor]) -> list[str]:
    """Which part of the expression is not finite."""
    found = blame(tree, {name: value.detach() for name, value in point.items()})
    if found is None:
        return []
    part, row = found
    several = any(value.ndim for value in point.values())
    place = f" at entry {row}" if several else ""
    return [f"the value of {quoted(text)} is not finite: {quoted(to_text(part))}{place}"]


def of_dependence(text: str, tree: Node, wrt: Sequence[str], result: Tensor) -> list[str]:
    """An expression that has no graph."""
    if result.requires_grad:
        return []
    if not names(tree):
        return [f"{quoted(text)} is a constant: nothing depends on anything"]
    if not wrt:
        return [f"{quoted(text)} has no name left in the graph: there is no gradient"]
    return [f"{quoted(text)} does not depend on {', '.join(wrt)}: the derivative is 0"]


def of_derivative(text: str, label: Label, rows_RN: Tensor, check: Differences) -> list[str]:
    """Entries that are not finite, that finite differences do not confirm, or that were not differenced."""
    differenced, length = len(check.derivative), rows_RN.shape[1]
    checked_RK = rows_RN[:, :differenced]
    wrong = torch.nonzero(~torch.isfinite(rows_RN)).tolist()
    apart = torch.nonzero(~agrees(checked_RK.T, check).T).tolist()
    said = []
    if wrong:
        said.append(f"not finite in {quoted(text)}: {_few([label(*place) for place in wrong[:_TOLD]], len(wrong))}")
    if apart:
        told = [
            f"{label(r, k)} is {checked_RK[r, k]:.6g} (by finite differences {check.derivative[k, r]:.6g})"
            for r, k in apart[:_TOLD]
        ]
        cause = f"{quoted(text)} has a kink or a jump there, or is too steep for differences"
        said.append(f"finite differences disagree: {_few(told, len(apart))}; {cause}")
    if differenced < length:
        said.append(
            f"finite differences were taken for the first {differenced:,} of {length:,} entries of {label.name}"
        )
    return said


def _few(told: Sequence[str], count: int) -> str:
    return ", ".join([*told, *([f"{count - len(told):,} more"] if count > len(told) else [])])
