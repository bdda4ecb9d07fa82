"""Intervals of predictions of rows that are each predicted by the fit of their group.

Shapes: G groups, F trained parameters, D rows of a factor of their covariance, N rows, T targets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gdtrain.problem.bygroup import GROUP
from gdtrain.problem.problem import Columns, Predicting
from gdtrain.uncertainty.predictions import Intervals, Spread

_NUMBERS = 1 << 21  # of the factors of rows that are held at once: 16 MB


@dataclass(frozen=True)
class SpreadOfGroups:
    """What intervals are made of, of every group.

    each        with (G, T), (G, D, F) and (G, T) in place of what one fit has; nan where a group has none
    weighted_G  whether a row of the group scatters less by the root of its weight
    """

    each: Spread
    weighted_G: Tensor

    @classmethod
    def of(cls, spreads: Sequence[Spread | None]) -> SpreadOfGroups:
        """Of all groups, one of which has some. Raises ValueError where they are not alike."""
        there = [spread for spread in spreads if spread is not None]
        if len({(spread.reach_T.shape, spread.factor_DF.shape) for spread in there}) > 1:
            raise ValueError("groups whose intervals are not made alike")
        first = next((spread for spread in there if spread.alone), there[0])
        nowhere = _each(first, lambda one: torch.full_like(one, torch.nan))
        every = [nowhere if spread is None else spread for spread in spreads]
        each = replace(
            first,
            reach_T=torch.stack([spread.reach_T for spread in every]),
            factor_DF=torch.stack([spread.factor_DF for spread in every]),
            scatter_T=None
            if first.alone
            else torch.stack([spread.scatter_T for spread in every if spread.scatter_T is not None]),
        )
        weighted_G = torch.tensor([spread is not None and spread.weighted for spread in spreads])
        return cls(replace(each, weighted=bool(weighted_G.any())), weighted_G)

    @property
    def alone(self) -> str:
        """Why no row has an interval of its own."""
        return self.each.alone

    @property
    def known(self) -> bool:
        """Whether weights are 1/sigma^2 of known errors."""
        return self.each.known

    @property
    def weighted(self) -> bool:
        """Whether what rows weigh is asked for."""
        return self.each.weighted

    def intervals(
        self, predicting: Predicting, values_GQ: Tensor, columns: Columns, rows: int, weight_N: Tensor | None
    ) -> Intervals:
        """Intervals of some rows, as `Spread` has them for its own, a part of them at a time."""
        few = max(1, _NUMBERS // max(1, self.each.factor_DF[0].numel()))
        parts = []
        for start in range(0, rows, few):
            part = {name: column[start : start + few] for name, column in columns.items()}
            group_n = part[GROUP].long()
            weight_n = None if weight_N is None else self._weights(weight_N[start : start + few], group_n)
            parts.append(self._of(group_n).intervals(predicting, values_GQ, part, len(group_n), weight_n))
        return _joined(parts)

    def _of(self, group_N: Tensor) -> Spread:
        """That of rows."""
        return _each(self.each, lambda one: one[group_N])

    def _weights(self, weight_N: Tensor, group_N: Tensor) -> Tensor:
        return torch.where(self.weighted_G[group_N], weight_N, 1)


def _each(spread: Spread, make: Callable[[Tensor], Tensor]) -> Spread:
    """The same with tensors that are made of its own."""
    scatter_T = None if spread.scatter_T is None else make(spread.scatter_T)
    return replace(spread, reach_T=make(spread.reach_T), factor_DF=make(spread.factor_DF), scatter_T=scatter_T)


def _joined(parts: Sequence[Intervals]) -> Intervals:
    low, high = (torch.cat([part.mean[end] for part in parts]) for end in (0, 1))
    rows = [part.row for part in parts if part.row is not None]
    if not rows:
        return Intervals((low, high))
    return Intervals((low, high), (torch.cat([row[0] for row in rows]), torch.cat([row[1] for row in rows])))
