"""Hidden layers between the columns of `regress` and its target: how many units, what bends them, what all is called.

A unit is called `hidden1[3]`: the third of the first layer. Its weights are `hidden1[3].income`, ... and
`hidden1[3].intercept`; those of the next layer `hidden2[1].hidden1[3]`, ...; and the last layer predicts the target as
`regress` does without hidden layers: from `hidden2[1]`, ... and an intercept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Annotated, Literal

from pydantic import Field

from gdtrain.experiment.fields import Model, Whole

MOST = 100_000  # parameters, each of which has a name and a line in the result

Units = Annotated[Whole, Field(ge=1, le=10_000)]


class Network(Model):
    """Hidden layers, each a linear predictor of every one of its units, bent by an activation."""

    hidden: Annotated[list[Units], Field(min_length=1, max_length=100)] = Field(
        description="units of each hidden layer: 32, or [32, 32] for two layers"
    )
    activation: Literal["tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "softplus"] = Field(
        "tanh", description="what bends the units, named as in torch.nn.functional"
    )

    @property
    def layers(self) -> list[list[str]]:
        """The names of the units, layer by layer."""
        return [[f"hidden{i}[{j}]" for j in range(1, units + 1)] for i, units in enumerate(self.hidden, 1)]

    def count(self, features: int) -> int:
        """How many parameters the hidden layers have over so many features."""
        inputs = [features, *self.hidden]
        return sum(units * (before + 1) for before, units in zip(inputs, self.hidden, strict=False))

    def names(self, features: Sequence[str], constant: str) -> list[str]:
        """Their parameters, layer by layer and unit by unit: the weights of its inputs, then the constant."""
        found, inputs = [], list(features)
        for units in self.layers:
            found += [f"{unit}.{name}" for unit in units for name in (*inputs, constant)]
            inputs = units
        return found

    def drawn(self, names: Sequence[str]) -> list[Layer]:
        """The layers of all parameters `names`, the last one too, as torch.nn.Linear draws them."""
        features = len(list(takewhile(lambda name: name.startswith("hidden1[1]."), names))) - 1
        found, start = list[Layer](), 0
        for i, (units, inputs) in enumerate(zip(self.hidden, [features, *self.hidden], strict=False), 1):
            found.append(Layer(f"hidden{i}", start, start + units * (inputs + 1), max(1, inputs) ** -0.5))
            start = found[-1].stop
        return [*found, Layer("output", start, len(names), self.hidden[-1] ** -0.5)]


@dataclass(frozen=True)
class Layer:
    """From which parameter to which a layer reaches; they are drawn between -bound and bound, 1/sqrt(inputs)."""

    name: str
    start: int
    stop: int
    bound: float
