"""Hidden layers: theta_SP to predictions for a block of rows, and back, for all trials in one product a layer.

    a_0 = x,  a_l = activation(W_l a_{l-1} + b_l),  prediction = W_{L+1} a_L + b_{L+1}

theta holds W and b layer by layer and unit by unit: the weights of its inputs, then its constant. Activations are
(S, units, N): rows lie side by side, and the weights of a layer are a slice of theta as it stands.

Shapes: S trials, P trained parameters, Q reported ones, N rows, D = F + 1 columns of the design, T outputs, L layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from gdtrain.problem.activations import ACTIVATIONS
from gdtrain.problem.predictors import Rows, taken

_NUMBERS = 1 << 17  # of a layer's activations for all trials: 1 MB, which the cache holds beside the others
_LEAST_ROWS = 1 << 8  # of fewer the calls around a product take longer than it

_Saved = tuple[list[Tensor], list[Tensor], list[Tensor]]  # weights, then what went into each activation and came out


@dataclass(frozen=True)
class Shape:
    """Inputs, units of each hidden layer, and outputs; whether the last layer has a constant; the activation's name."""

    features: int
    hidden: Sequence[int]
    outputs: int
    constant: bool
    activation: str
    ones = True
    reference = True

    @property
    def told(self) -> str:
        """It in a few words."""
        return f"{', '.join(map(str, self.hidden))} {self.activation} unit{'s'[: list(self.hidden) != [1]]}"

    @property
    def sets(self) -> int:
        """How many sets of weights there are over the columns."""
        return self.hidden[0]

    @property
    def row_numbers(self) -> int:
        """Numbers that a row takes in work, for each trial."""
        return sum(self.hidden)

    @property
    def layers(self) -> list[tuple[int, int]]:
        """Each layer's weights as (units, inputs and the constant)."""
        inner = [(units, before + 1) for before, units in pairwise([self.features, *self.hidden])]
        return [*inner, (self.outputs, self.hidden[-1] + self.constant)]

    @property
    def shared(self) -> int:
        """How many parameters hidden layers have."""
        return sum(units * width for units, width in self.layers[:-1])

    @property
    def constants(self) -> list[int]:
        """Where the constants of hidden units stand among the parameters."""
        found, start = list[int](), 0
        for units, width in self.layers[:-1]:
            found += range(start + width - 1, start + units * width, width)
            start += units * width
        return found

    def block_rows(self, trials: int) -> int:
        """Rows that are worked on at once: the more trials, the fewer."""
        return max(_LEAST_ROWS, _NUMBERS // (max(self.hidden) << (trials - 1).bit_length()))

    def predictor(self, x_ND: Tensor, free: Sequence[int], weights_Q: Tensor) -> Layered:
        return Layered(x_ND, self, free, weights_Q)


class Layered:
    """x_ND through hidden layers; theta holds the free ones of the Q weights.

    Prediction (S, N) for one output, else (S, N, T). Of rows that differ between trials, x is (S, N, D); of a stack the
    fixed weights are (S, Q) too. The last column of x is ones.
    """

    def __init__(self, x_ND: Tensor, shape: Shape, free: Sequence[int], weights_Q: Tensor) -> None:
        self._x, self._layers = x_ND, shape.layers
        self._constant, self._bend = shape.constant, ACTIVATIONS[shape.activation]
        self._free = None if len(free) == len(weights_Q) else torch.tensor(list(free), device=x_ND.device)
        self._weights_1Q = weights_Q[None]

    def forward(self, theta_SP: Tensor) -> tuple[Tensor, _Saved]:
        weights, bent, outputs = self._weights(theta_SP), list[Tensor](), list[Tensor]()
        first, *others = weights
        trials, units, width = first.shape
        if self._x.dim() == 2:
            z = (first.reshape(trials * units, width) @ self._x.mT).view(trials, units, -1)
        else:
            z = first @ self._x.mT
        for i, weight in enumerate(others, 1):
            bent.append(z)
            outputs.append(self._bend.forward(z))
            if i < len(others) or self._constant:
                z = torch.baddbmm(weight[:, :, -1:], weight[:, :, :-1], outputs[-1])
            else:
                z = weight @ outputs[-1]
        return z[:, 0] if z.shape[1] == 1 else z.mT, (weights, bent, outputs)

    def backward(self, saved: _Saved, slope: Tensor) -> Tensor:
        layers = self._slopes(saved, slope.mT if slope.dim() == 3 else slope[:, None])
        parts = [self._pulled(inputs, slope, constant=constant).flatten(1) for inputs, slope, constant in layers]
        gradient = torch.cat(parts[::-1], 1)
        return gradient if self._free is None else gradient[:, self._free]

    def jacobian(self, theta_1P: Tensor) -> Tensor:
        """(T * N, P), output by output: what `backward` sums, row by row."""
        _, saved = self.forward(theta_1P)
        outputs = self._layers[-1][0]
        each_output = torch.eye(outputs).to(self._x)[:, :, None].expand(-1, -1, len(self._x))
        parts = []
        for inputs, slope, constant in self._slopes(saved, each_output):
            before = self._x.mT[None] if inputs is None else inputs
            if constant:
                before = torch.cat([before, torch.ones_like(before[:, :1])], 1)
            parts.append((slope[:, :, None] * before[:, None]).flatten(1, 2))
        jacobian = torch.cat(parts[::-1], 1).mT.flatten(0, 1)
        return jacobian if self._free is None else jacobian[:, self._free]

    def of(self, rows: Rows) -> Layered:
        some = copy(self)
        some._x = taken(self._x, rows)
        return some

    def stack(self, others: Sequence[Layered]) -> Layered:
        whole, each = copy(self), (self, *others)
        whole._x = torch.stack([one._x for one in each])
        whole._weights_1Q = torch.cat([one._weights_1Q for one in each])
        return whole

    def take(self, index: Tensor) -> Layered:
        some = copy(self)
        some._x, some._weights_1Q = self._x[index], self._weights_1Q[index]
        return some

    def _weights(self, theta_SP: Tensor) -> list[Tensor]:
        """Each layer's weights, (S, units, inputs and the constant)."""
        trials = len(theta_SP)
        if self._free is not None:
            theta_SP = self._weights_1Q.expand(trials, -1).index_copy(1, self._free, theta_SP)
        parts = torch.split_with_sizes(theta_SP, [units * width for units, width in self._layers], 1)
        return [part.reshape(trials, *layer) for part, layer in zip(parts, self._layers, strict=True)]

    def _slopes(self, saved: _Saved, slope: Tensor) -> Iterator[tuple[Tensor | None, Tensor, bool]]:
        """Of each layer, from the last to the first, what went in (None for x itself), the slope in what came out, and
        whether it adds a constant to that: x holds one itself.
        """
        weights, bent, outputs = saved
        constant = self._constant
        for weight, z, a in zip(weights[:0:-1], bent[::-1], outputs[::-1], strict=True):
            yield a, slope, constant
            slope = self._bend.backward(weight[:, :, : a.shape[1]].mT @ slope, z, a)
            constant = True
        yield None, slope, False

    def _pulled(self, inputs: Tensor | None, slope: Tensor, *, constant: bool) -> Tensor:
        """The gradient of a layer's weights, (S, units, inputs and the constant)."""
        if inputs is None:
            gradient = slope.flatten(0, 1) @ self._x if self._x.dim() == 2 else slope @ self._x
            return gradient.view(*slope.shape[:2], -1)
        gradient = slope @ inputs.mT
        return torch.cat([gradient, slope.sum(-1, keepdim=True)], 2) if constant else gradient
