"""What ends a run early."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gdtrain.experiment.fields import Model, NonNegative, Positive, Whole

_MOST = 10**12  # epochs


class Stop(Model):
    """What ends a run before its last epoch."""

    grad_tol: Positive | None = Field(
        None, description="gradient norm, relative to max(1, its norm at the start), that counts as converged"
    )
    loss_tol: NonNegative | None = Field(None, description="loss that counts as converged")
    patience: Annotated[Whole, Field(ge=1, le=_MOST)] | None = Field(
        None, description="epochs without a better loss, held-out where rows are, after which to stop"
    )
    min_delta: NonNegative = Field(0.0, description="how much lower a loss must be to count as better")
    restore: Literal["last", "best"] = Field(
        "last", description="whose weights the run ends with: the last epoch's, or those of the best"
    )
