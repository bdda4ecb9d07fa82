"""How the uncertainty of a fit is told."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from gdtrain.experiment.fields import Model, Whole, broken

MOST = 100_000  # samples of a bootstrap


def _share(level: object) -> object:
    if isinstance(level, int | float) and 1 < level < 100:
        raise broken(f"level is a share below 1, not {level:g}", f"write {level / 100:g} for {level:g} %")
    return level


class Uncertainty(Model):
    """Standard errors and intervals of `fit` and `regress`."""

    level: Annotated[float, BeforeValidator(_share), Field(gt=0, lt=1)] = Field(
        0.95, description="share of intervals that hold the truth"
    )
    robust: bool = Field(
        False, description="take the scatter of the rows from each of them (sandwich, HC1), not from the model"
    )
    bootstrap: Annotated[Whole, Field(ge=10, le=MOST)] | None = Field(
        None,
        description="fit so many samples of the rows, drawn with replacement from the seed, and tell their scatter",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.robust and self.bootstrap is not None:
            raise broken("bootstrap draws rows as they scatter: robust adds nothing to it", "leave one out", "robust")
        return self
