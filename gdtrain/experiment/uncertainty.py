"""How the uncertainty of a fit is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gdtrain.experiment.fields import Model, Whole

MOST = 100_000  # samples of a bootstrap


class Uncertainty(Model):
    """Standard errors and intervals of `fit` and `regress`."""

    level: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="share of intervals that hold the truth")
    robust: bool = Field(
        False, description="take the scatter of the rows from each of them (sandwich, HC1), not from the model"
    )
    bootstrap: Annotated[Whole, Field(ge=10, le=MOST)] | None = Field(
        None,
        description="fit so many samples of the rows, drawn with replacement from the seed, and tell their scatter",
    )
