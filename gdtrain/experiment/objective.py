"""What an experiment descends: its loss, and its penalty."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gdtrain.experiment.fields import Model, NonNegative, Positive, broken

LOSS_OPTIONS = {"delta": "huber", "q": "quantile"}
# Losses of a target with a predictor that a link joins to it; all others are of residuals.
LIKELIHOODS = ("logistic", "softmax", "poisson", "gamma")
SQUARED = ("mse", "half_sse", "sse")
KINKED = ("mae", "quantile")  # losses with corners for a curvature


class Loss(Model):
    """What residuals r are gathered into, or how likely a predictor eta makes its target."""

    name: Literal[
        "mse", "half_sse", "sse", "mae", "huber", "logcosh", "quantile", "logistic", "softmax", "poisson", "gamma"
    ] = Field(
        description="mse: mean r^2; half_sse: 1/2 sum r^2; sse: sum r^2; mae: mean |r|; "
        "huber: mean of r^2/2 within delta, delta*(|r| - delta/2) beyond; logcosh: mean log(cosh(r)); "
        "quantile: mean of q*|r| where too low, (1 - q)*|r| where too high; logistic: log loss of labels 0 and 1; "
        "softmax: log loss of classes; poisson: of counts; gamma: of numbers above 0"
    )
    delta: Positive | None = Field(None, description="huber's threshold, in units of the target; 1 unless given")
    q: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="quantile's share of targets below the prediction; 0.5, the median, unless given"
    )

    @model_validator(mode="after")
    def _own_options(self) -> Self:
        for option, owner in LOSS_OPTIONS.items():
            if getattr(self, option) is not None and self.name != owner:
                raise broken(f"{self.name} takes no {option}", f"{option} belongs to {owner}", option)
        return self

    @property
    def options(self) -> dict[str, float]:
        """The options of this loss by name."""
        return self.model_dump(exclude={"name"}, exclude_none=True)


class Penalty(Model):
    """What is descended besides the loss: l1 * sum |w| + l2/2 * sum w^2 over the weights as they are trained."""

    l1: NonNegative = Field(0.0, description="lasso: adds l1 * sum |w|; brings weights to 0 exactly; sgd only")
    l2: NonNegative = Field(0.0, description="ridge: adds l2/2 * sum w^2")
