"""What data determine together where they do not determine parameters one by one: null directions in words.

A direction in which theta may move without moving any residual is of one of three kinds that have words:

    shift  adding u_i to each parameter changes nothing: of y = a + b + x, adding 1 to a and -1 to b
    scale  multiplying each by 2^v_i changes nothing: of y = a*b*x, a by 2 and b by 1/2
    both   some are multiplied, others added to: of y = a*exp(b + c*x), a by 2 and -log(2) to b

Each is a guess from derivatives at one point, in small whole numbers or ratios, and is tried out at others. What
stands fast under it is what is determined: a + b, a*b.

Shapes: P parameters, D null directions, I of the parameters that one of them moves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import torch
from torch import Tensor

_INVOLVED = 1e-6  # share of a null direction from which a parameter takes part in it
_RATIO = 1e-7  # how near a number must be to a ratio of small ones
_WHOLE = 12  # largest denominator
_FEW = 6  # parameters in a relation that is told


Row = Sequence[float] | Sequence[Fraction]


@dataclass(frozen=True, eq=False)
class Near:
    """Where null directions were found.

    values_P  of the parameters, in the units of the data
    unit_P    of steps of each that move residuals about as far
    same      whether predictions are the same at two sets of values (P,)
    """

    values_P: Tensor
    unit_P: Tensor
    same: Callable[[Tensor, Tensor], bool]

    def holds(self, at: Sequence[int], move: Callable[[Tensor], Tensor]) -> bool:
        """Whether a move of some of the values (I,) changes no prediction: here, and elsewhere too, since here they may
        happen to cancel.
        """
        here_I = self.values_P[list(at)].double()
        apart_I = 0.1 * torch.arange(1, len(at) + 1, dtype=torch.float64)
        elsewhere_I = here_I + apart_I * torch.where(here_I != 0, here_I, self.unit_P[list(at)])
        return all(self.same(self._with(at, some_I), self._with(at, move(some_I))) for some_I in (here_I, elsewhere_I))

    def idle(self, i: int) -> bool:
        """Whether one of them may be moved by itself, and not too little, without changing a prediction."""
        far = max(1.0, float(self.values_P[i].abs())) / 8
        return self.holds([i], lambda value_1: value_1 + far) and self.holds([i], lambda value_1: value_1 - far)

    def _with(self, at: Sequence[int], some_I: Tensor) -> Tensor:
        values_P = self.values_P.clone()
        values_P[list(at)] = some_I.to(values_P)
        return values_P


@dataclass(frozen=True)
class Relation:
    """Parameters by their numbers, which are determined together alone.

    sentence  what is determined, and what changes nothing
    """

    members: tuple[int, ...]
    sentence: str


def relations(null_DP: Tensor, near: Near, names: Sequence[str]) -> list[Relation]:
    """What is determined together, of each set of parameters that null directions connect; those alone that hold.

    null_DP  directions in which the values may move, in `near.unit_P`
    """
    found = []
    for members in _connected(null_DP):
        at = list(members)
        if len(at) > _FEW:
            continue
        own_DI = _independent(null_DP[:, at])
        called = [names[i] for i in at]
        told = next((t for kind in (_scale, _shift, _both) if (t := kind(own_DI, at, near, called))), "")
        if told:
            found.append(Relation(members, told))
    return found


def _connected(null_DP: Tensor) -> list[tuple[int, ...]]:
    """Sets of parameters that null directions, made sparse, move together."""
    sets: list[set[int]] = []
    for row in reduced(null_DP):
        joined = set((row.abs() > _INVOLVED).nonzero()[:, 0].tolist())
        apart = [one for one in sets if one.isdisjoint(joined)]
        sets = [*apart, joined.union(*(one for one in sets if one not in apart))]
    return [tuple(sorted(one)) for one in sets if len(one) > 1]


def _independent(inside_DI: Tensor) -> Tensor:
    """The directions of these parameters, without those that are 0 or follow from others."""
    _, singular, directions = torch.linalg.svd(inside_DI, full_matrices=False)
    found: Tensor = directions[singular > _INVOLVED * singular[:1].clamp(min=1e-300)]
    return found


def reduced(rows_DP: Tensor) -> Tensor:
    """The same directions with as many zeros as elimination finds: reduced row echelon form, from the last column on,
    each row scaled so that its largest number is 1.
    """
    rows, done = rows_DP.clone(), 0
    for column in reversed(range(rows.shape[1])):
        if done == len(rows):
            break
        pivot = done + int(rows[done:, column].abs().argmax())
        if float(rows[pivot, column].abs()) < _INVOLVED * float(rows.abs().max()):
            continue
        rows[[done, pivot]] = rows[[pivot, done]]
        rows[done] = rows[done] / rows[done, column]
        others = torch.arange(len(rows)) != done
        rows[others] -= rows[others, column, None] * rows[done]
        done += 1
    size = rows.abs().amax(1, keepdim=True).clamp(min=1e-300)
    return torch.where((rows / size).abs() > _INVOLVED, rows / size, 0.0)


def _ratios(row: Sequence[float]) -> list[Fraction] | None:
    """A direction as small whole numbers, its first above 0; None where its numbers are no small ratios."""
    least = min(abs(number) for number in row if number)
    close = [Fraction(number / least).limit_denominator(_WHOLE) for number in row]
    if any(abs(float(c) - n / least) > _RATIO * max(1.0, abs(n / least)) for c, n in zip(close, row, strict=True)):
        return None
    whole = math.lcm(*(c.denominator for c in close))
    shared = math.gcd(*(int(c * whole) for c in close))
    sign = 1 if next(c for c in close if c) > 0 else -1
    return [sign * c * whole / shared for c in close]


def _shift(own_DI: Tensor, at: Sequence[int], near: Near, called: Sequence[str]) -> str:
    unit_I = near.unit_P[list(at)]
    moves = [_told(row) for row in (reduced(own_DI) * unit_I).tolist()]
    if not all(near.holds(at, _tensor(move).add) for move in moves):
        return ""
    told = [f"{_number(by)} to {name}" for by, name in zip(map(float, moves[0]), called, strict=True) if by]
    fixed_I = _standing(own_DI)
    what = "" if fixed_I is None else _sum(_least_is_1((fixed_I / unit_I).tolist()), called)
    return _sentence(what, f"adding {_listed(told)}")


def _scale(own_DI: Tensor, at: Sequence[int], near: Near, called: Sequence[str]) -> str:
    values_I = near.values_P[list(at)].double()
    if not bool((values_I != 0).all()):
        return ""
    powers_DI = reduced(own_DI * near.unit_P[list(at)] / values_I)
    if not bool((powers_DI != 0).any(0).all()):  # one whose share is lost in roundings only seems to stand fast
        return ""
    powers = [_ratios(row) for row in powers_DI.tolist()]
    for power in powers:
        if power is None or not near.holds(at, torch.exp2(_tensor(power)).mul):
            return ""
    told = [f"{name} by {_power(p)}" for p, name in zip(powers[0] or [], called, strict=True) if p]
    fixed_I = _standing(powers_DI)
    what = "" if fixed_I is None else _product(_told(fixed_I.tolist()), called)
    return _sentence(what, f"scaling {_listed(told)}")


def _both(own_DI: Tensor, at: Sequence[int], near: Near, called: Sequence[str]) -> str:
    """Of a single direction."""
    values_I, step_I = near.values_P[list(at)].double(), own_DI[0] * near.unit_P[list(at)]
    if len(own_DI) > 1 or not bool((step_I != 0).all()):
        return ""
    for bits in range(1, 2 ** len(at) - 1):
        scaled_I = torch.tensor([bool(bits >> i & 1) for i in range(len(at))])
        if not bool((values_I[scaled_I] != 0).all()):
            continue
        share_I = step_I / torch.where(scaled_I, values_I, math.log(2))
        share_I = share_I / share_I[scaled_I][0]  # so that the first is doubled
        powers = _ratios(share_I[scaled_I].tolist())
        if powers is None or abs(powers[0]) != 1:
            continue
        by_I = torch.exp2(torch.where(scaled_I, share_I, 0.0))
        added_I = torch.where(scaled_I, 0.0, share_I * math.log(2) ** 2)
        if near.holds(at, partial(_affine, by_I, added_I)):
            return _scaled_and_shifted(scaled_I.tolist(), powers, added_I.tolist(), called)
    return ""


def _affine(by_I: Tensor, added_I: Tensor, some_I: Tensor) -> Tensor:
    return some_I * by_I + added_I


def _scaled_and_shifted(scaled: list[bool], powers: list[Fraction], added: list[float], called: Sequence[str]) -> str:
    multiplied = [name for name, is_scaled in zip(called, scaled, strict=True) if is_scaled]
    told = [f"scaling {name} by {_power(power)}" for name, power in zip(multiplied, powers, strict=True)]
    others = [(name, by) for name, by in zip(called, added, strict=True) if by]
    told += [f"adding {_number(by)} to {name}" for name, by in others]
    what = ""
    if len(called) == 2:
        inside = _sum([float(_number(-math.log(2) / others[0][1]))], [others[0][0]])
        what = f"{multiplied[0]}*exp({inside})"
    return _sentence(what, _listed(told))


def _standing(own_DI: Tensor) -> Tensor | None:
    """What stands fast: the one combination that no direction changes; None where there are several."""
    if own_DI.shape[1] - len(own_DI) != 1:
        return None
    _, _, directions = torch.linalg.svd(own_DI, full_matrices=True)
    return torch.where(directions[-1].abs() > _INVOLVED, directions[-1], 0.0)


def _told(row: Sequence[float]) -> Row:
    """A direction in small whole numbers where it has some, else so that its first number is 1."""
    first = next(number for number in row if number)
    return _ratios(row) or [number / first for number in row]


def _least_is_1(row: Sequence[float]) -> Row:
    """The same, else so that its smallest number is 1."""
    least = min(abs(number) for number in row if number)
    sign = 1 if next(number for number in row if number) > 0 else -1
    return _ratios(row) or [sign * number / least for number in row]


def _tensor(row: Row) -> Tensor:
    return torch.tensor([float(number) for number in row], dtype=torch.float64)


def _sentence(what: str, done: str) -> str:
    only = f"only {what} is determined" if what else "only together"
    return f"{only}: {done} changes nothing"


def _sum(row: Row, called: Sequence[str]) -> str:
    return _terms(row, called, "{1}*{0}", (" + ", " - ", "-"))


def _product(row: Row, called: Sequence[str]) -> str:
    return _terms(row, called, "{0}^{1}", ("*", "/", "1/"))


def _terms(row: Row, called: Sequence[str], term: str, signs: tuple[str, str, str]) -> str:
    """Names, each with its number where that is not 1, behind the sign of it: of plus, of minus, of minus at first."""
    plus, minus, first = signs
    text = ""
    for by, name in zip(map(float, row), called, strict=True):
        if by:
            text += (minus if by < 0 else plus) if text else first if by < 0 else ""
            text += name if abs(by) == 1 else term.format(name, _number(abs(by)))
    return text


def _power(power: Fraction | float) -> str:
    """2 to a power: `2`, `1/2`, `4`."""
    factor = 2 ** abs(Fraction(power))
    text = f"{float(factor):.6g}"
    return text if power > 0 else f"1/{text}"


def _number(number: float | Fraction) -> str:
    return f"{float(number):.6g}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
