"""How often a run is saved on its way."""

from __future__ import annotations

from pydantic import Field

from gdtrain.experiment.fields import Model, Positive


class Checkpoint(Model):
    """What `gdtrain resume` takes up, written now and then to the folder of `out`."""

    every_s: Positive = Field(30.0, description="seconds between two of them")
