"""The optimizers' names and options: torch.optim's keyword names, defaults and rules. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from gdtrain.experiment.fields import Fraction, Model, NonNegative, Whole, broken

Option = float | bool | list[float]
_ADAM: Mapping[str, Option] = {"betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}

# What each optimizer takes, with torch.optim's defaults.
DEFAULTS: Mapping[str, Mapping[str, Option]] = {
    "sgd": {"momentum": 0.0, "dampening": 0.0, "nesterov": False, "weight_decay": 0.0},
    "adam": {**_ADAM, "amsgrad": False, "decoupled_weight_decay": False},
    "adamw": {**_ADAM, "weight_decay": 1e-2, "amsgrad": False},
    "nadam": {**_ADAM, "momentum_decay": 4e-3, "decoupled_weight_decay": False},
    "radam": {**_ADAM, "decoupled_weight_decay": False},
    "rmsprop": {"alpha": 0.99, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.0, "centered": False},
    "adagrad": {"lr_decay": 0.0, "weight_decay": 0.0, "initial_accumulator_value": 0.0, "eps": 1e-10},
    "rprop": {"etas": [0.5, 1.2], "step_sizes": [1e-6, 50.0]},
    "lm": {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15},
    "lbfgs": {"history_size": 10, "tolerance_grad": 0.0, "tolerance_change": 0.0},
    "newton": {"damping": 0.0},
    "auto": {},
}
# Those that take the objective in the place of a gradient, and what they step by. They find their steps' lengths.
SECOND: Mapping[str, str] = {
    "lm": "the residuals and their derivatives",
    "lbfgs": "the gradients of past steps",
    "newton": "second derivatives",
}
USUAL: Literal["sgd"] = "sgd"  # where none is named, but what belongs to gradient steps is chosen
AUTO: Literal["auto"] = "auto"  # where nothing is: the problem decides
# torch.optim's learning rates, for where none is chosen; sgd's is derived from the problem instead.
LR: Mapping[str, float] = {
    "adam": 1e-3,
    "adamw": 1e-3,
    "nadam": 2e-3,
    "radam": 1e-3,
    "rmsprop": 1e-2,
    "adagrad": 1e-2,
    "rprop": 1e-2,
}


def _option(description: str) -> Any:
    return Field(None, description=description)


class Optimizer(Model):
    """An optimizer by its name in torch.optim, with the options that DEFAULTS lists for it."""

    name: Literal[
        "sgd", "adam", "adamw", "nadam", "radam", "rmsprop", "adagrad", "rprop", "lm", "lbfgs", "newton", "auto"
    ]
    momentum: NonNegative | None = _option("sgd, rmsprop: share of the last step that is kept")
    dampening: float | None = _option("sgd: share of the gradient that momentum leaves out")
    nesterov: bool | None = _option("sgd: Nesterov's momentum; needs a momentum, and dampening 0")
    weight_decay: NonNegative | None = _option("adds weight_decay/2 * sum w^2 to what is descended")
    betas: Annotated[list[Fraction], Field(min_length=2, max_length=2)] | None = _option(
        "the adams: decay of the means of the gradient and of its square"
    )
    eps: NonNegative | None = _option("added to the denominator")
    amsgrad: bool | None = _option("adam, adamw: divide by the largest mean square so far")
    decoupled_weight_decay: bool | None = _option("adam, nadam, radam: shrink the weights directly, as adamw does")
    momentum_decay: NonNegative | None = _option("nadam: how fast momentum approaches its final value")
    alpha: NonNegative | None = _option("rmsprop: decay of the mean square")
    centered: bool | None = _option("rmsprop: divide by the gradient's standard deviation")
    lr_decay: NonNegative | None = _option("adagrad: lr is divided by 1 + lr_decay * epochs so far")
    initial_accumulator_value: NonNegative | None = _option("adagrad: start of the sum of squares")
    etas: Annotated[list[float], Field(min_length=2, max_length=2)] | None = _option(
        "rprop: factors of the step size where the gradient's sign flips, and where it holds"
    )
    step_sizes: Annotated[list[NonNegative], Field(min_length=2, max_length=2)] | None = _option(
        "rprop: smallest and largest step size; lr is the first"
    )

    ftol: Fraction | None = _option("lm: share of the sum of squares that a step must gain")
    xtol: Fraction | None = _option("lm: share of the parameters' size that a step must move them")
    gtol: Fraction | None = _option("lm: largest gradient, in units of the start's residuals, at which it stops")
    history_size: Annotated[Whole, Field(ge=1, le=10_000)] | None = _option("lbfgs: past steps that it remembers")
    tolerance_grad: NonNegative | None = _option("lbfgs: largest component of the gradient at which it stops")
    tolerance_change: NonNegative | None = _option("lbfgs: share of the loss that a step must gain")
    damping: NonNegative | None = _option("newton: share of the largest curvature that is added to all at first")

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, value: Any) -> Any:
        """With the defaults of what was left out."""
        return {**DEFAULTS.get(str(value.get("name")), {}), **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _as_torch_has_it(self) -> Self:
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise broken("nesterov needs a momentum above 0 and dampening 0", "set momentum: 0.9", "nesterov")
        if self.etas and not 0 < self.etas[0] < 1 < self.etas[1]:
            raise broken("etas must be a factor between 0 and 1, then one above 1", "as in [0.5, 1.2]", "etas")
        if self.step_sizes and self.step_sizes[0] > self.step_sizes[1]:
            raise broken("step_sizes must be the smallest, then the largest", "", "step_sizes")
        return self

    @property
    def options(self) -> dict[str, Any]:
        """Every option of this optimizer by torch.optim's keyword name, defaults filled in."""
        return self.model_dump(exclude={"name"}, exclude_none=True)
