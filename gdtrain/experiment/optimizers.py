"""The optimizers' names and options: torch.optim's keyword names, defaults and rules. No torch here.

One model each. `LR` is torch.optim's learning rate, for where none is chosen; None where it is derived from
the problem instead (`lr: auto`).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from gdtrain.experiment.fields import Fraction, Model, NonNegative, Pair, broken

Decay = Annotated[NonNegative, Field(description="adds weight_decay/2 * sum w^2 to what is descended")]
Decoupled = Annotated[bool, Field(description="shrink the weights directly, as adamw does")]
Betas = Annotated[
    list[Fraction],
    Field(min_length=2, max_length=2, description="decay of the means of gradient and squared gradient"),
]
Eps = Annotated[NonNegative, Field(description="added to the denominator")]
AmsGrad = Annotated[bool, Field(description="divide by the largest mean squared gradient so far")]


class Optimizer(Model):
    """An optimizer by its name in torch.optim, with its options."""

    LR: ClassVar[float | None]
    name: str

    @property
    def options(self) -> dict[str, Any]:
        """Every option by torch.optim's keyword name, defaults filled in."""
        return self.model_dump(exclude={"name"})


class Sgd(Optimizer):
    """Gradient descent, with momentum where asked."""

    LR = None
    name: Literal["sgd"]
    momentum: NonNegative = Field(0.0, description="share of the last step that is kept")
    dampening: float = Field(0.0, description="share of the gradient that momentum leaves out")
    nesterov: bool = Field(False, description="Nesterov's momentum; needs momentum, and dampening 0")
    weight_decay: Decay = 0.0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not (self.momentum > 0 and self.dampening == 0):
            raise broken("nesterov needs a momentum above 0 and dampening 0", "set momentum: 0.9", "nesterov")
        return self


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015)."""

    LR = 1e-3
    name: Literal["adam"]
    betas: Betas = Field([0.9, 0.999])
    eps: Eps = 1e-8
    weight_decay: Decay = 0.0
    amsgrad: AmsGrad = False
    decoupled_weight_decay: Decoupled = False


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    LR = 1e-3
    name: Literal["adamw"]
    betas: Betas = Field([0.9, 0.999])
    eps: Eps = 1e-8
    weight_decay: NonNegative = Field(1e-2, description="shrinks the weights by lr * weight_decay a step")
    amsgrad: AmsGrad = False


class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    LR = 2e-3
    name: Literal["nadam"]
    betas: Betas = Field([0.9, 0.999])
    eps: Eps = 1e-8
    weight_decay: Decay = 0.0
    momentum_decay: NonNegative = Field(4e-3, description="how fast the momentum approaches its final value")
    decoupled_weight_decay: Decoupled = False


class RAdam(Optimizer):
    """Rectified Adam (Liu et al. 2020)."""

    LR = 1e-3
    name: Literal["radam"]
    betas: Betas = Field([0.9, 0.999])
    eps: Eps = 1e-8
    weight_decay: Decay = 0.0
    decoupled_weight_decay: Decoupled = False


class RMSprop(Optimizer):
    """Divides by a running root mean square of the gradient (Hinton 2012)."""

    LR = 1e-2
    name: Literal["rmsprop"]
    alpha: Annotated[NonNegative, Field(description="decay of the mean squared gradient")] = 0.99
    eps: Eps = 1e-8
    weight_decay: Decay = 0.0
    momentum: NonNegative = Field(0.0, description="share of the last step that is kept")
    centered: bool = Field(False, description="divide by the standard deviation of the gradient instead")


class Adagrad(Optimizer):
    """Divides by the root of the sum of squared gradients (Duchi et al. 2011)."""

    LR = 1e-2
    name: Literal["adagrad"]
    lr_decay: NonNegative = Field(0.0, description="lr is divided by 1 + lr_decay * epochs so far")
    weight_decay: Decay = 0.0
    initial_accumulator_value: NonNegative = Field(0.0, description="start of the sum of squares")
    eps: Eps = 1e-10


class Rprop(Optimizer):
    """Step sizes from the gradient's sign alone (Riedmiller & Braun 1993); lr is the first step size."""

    LR = 1e-2
    name: Literal["rprop"]
    etas: Pair = Field(
        [0.5, 1.2], description="factors of the step size when the sign flips, and when it holds"
    )
    step_sizes: list[NonNegative] = Field(
        [1e-6, 50.0], min_length=2, max_length=2, description="smallest and largest step size"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.etas[0] < 1 < self.etas[1]:
            raise broken(
                "etas must be one factor between 0 and 1, then one above 1", "torch's are [0.5, 1.2]", "etas"
            )
        if self.step_sizes[0] > self.step_sizes[1]:
            raise broken("step_sizes must be the smallest, then the largest", "", "step_sizes")
        return self


AnyOptimizer = Annotated[
    Sgd | Adam | AdamW | NAdam | RAdam | RMSprop | Adagrad | Rprop, Field(discriminator="name")
]
OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": Sgd,
    "adam": Adam,
    "adamw": AdamW,
    "nadam": NAdam,
    "radam": RAdam,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "rprop": Rprop,
}
