"""How the rows of a table are split: those that train, and those that are held out to judge what was learned."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from gdtrain.experiment.fields import Model, Text, Value, Whole, broken

MOST_FOLDS = 100


def _truth_as_text(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


_Test = Annotated[Value, BeforeValidator(_truth_as_text), WithJsonSchema({"type": ["number", "string", "boolean"]})]


class Split(Model):
    """Rows that are held out: a share of them, each of several folds in turn, or what a column says."""

    holdout: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="share of the rows that is held out, drawn evenly along the table"
    )
    folds: Annotated[Whole, Field(ge=2, le=MOST_FOLDS)] | None = Field(
        None, description="cut the rows into so many folds at random; each is held out once"
    )
    column: Text | None = Field(None, description="column that tells the rows apart; predicts nothing")
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] | None = Field(
        None, description="of the draw of holdout or folds; 0 unless given"
    )
    test: _Test | None = Field(
        None, description="value of column in the rows that are held out; without it each value is a fold"
    )
    fold: Annotated[Whole, Field(ge=0, le=MOST_FOLDS)] | None = Field(
        None, description="train without this fold alone, from 1; 0: all rows train; all of them in turn unless given"
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.column is None and self.test is not None:
            raise broken("test is a value of a column, and none is named", "write column: NAME", "test")
        if self.column is not None and self.seed is not None:
            raise broken("a column draws nothing", "leave seed out", "seed")
        if self.fold is not None and not self.folded:
            what = "fold is one of several, and the rows are held out once"
            raise broken(what, "leave fold out, or write folds: 5", "fold")
        if self.fold is not None and self.folds is not None and self.fold > self.folds:
            raise broken(f"there are {self.folds} folds, and no {self.fold}", "count from 1", "fold")
        return self

    @property
    def folded(self) -> bool:
        """Whether there are folds, of which each may be held out."""
        return self.folds is not None or (self.column is not None and self.test is None)

    @property
    def held(self) -> int | None:
        """The fold that is held out, from 1; None where there are several in turn, or none."""
        return (self.fold or None) if self.folded else 1

    @property
    def crossed(self) -> bool:
        """Whether each fold is to be held out in turn."""
        return self.folded and self.fold is None
