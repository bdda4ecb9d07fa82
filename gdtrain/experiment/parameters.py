"""A parameter of an experiment, and where it starts."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from gdtrain.experiment.fields import Model, Pair, Text, broken


class Start(Model):
    """Where a parameter starts: exactly one of the three."""

    value: float | None = Field(None, description="this number")
    uniform: Pair | None = Field(None, description="drawn between two numbers, from the seed")
    normal: Pair | None = Field(None, description="drawn with a mean and a standard deviation, from the seed")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.uniform and self.uniform[0] > self.uniform[1]:
            raise broken("uniform must be the lower, then the upper end", "", "uniform")
        if self.normal and self.normal[1] < 0:
            raise broken("a standard deviation is not negative", "", "normal", 1)
        return self

    @property
    def around(self) -> list[float]:
        """Numbers that must lie within the parameter's bounds: the value, the mean, or both ends."""
        if self.normal is not None:
            return self.normal[:1]
        return self.uniform or ([] if self.value is None else [self.value])


class Param(Model):
    """A parameter: where it starts, its bounds, whether it is trained."""

    start: Start | None = Field(None, description="a number, {uniform: [a, b]} or {normal: [mean, sd]}")
    min: float | None = Field(None, description="lower bound; the parameter is projected onto it")
    max: float | None = Field(None, description="upper bound")
    fixed: bool = Field(False, description="keep it at its start")
    expr: Text | None = Field(None, description="a formula of other parameters, from which it follows: 2*a")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low = -float("inf") if self.min is None else self.min
        high = float("inf") if self.max is None else self.max
        if self.expr is not None:
            for key in ("start", "min", "max", "fixed"):
                if getattr(self, key) is not None and getattr(self, key) is not False:
                    what = f"a tied parameter takes no {key}: it follows from others"
                    raise broken(what, f"leave {key} out, or set it where those are declared", key)
        if low >= high:
            raise broken(f"max must be above min, {low:g}", "for a constant write fixed: true", "max")
        if self.start and not all(low <= number <= high for number in self.start.around):
            raise broken(f"start must lie within min and max, {low:g} to {high:g}", "", "start")
        if self.fixed and (self.start is None or self.start.value is None):
            raise broken("a fixed parameter needs a number to stay at", "write start: NUMBER beside fixed", "fixed")
        return self

    @property
    def trained(self) -> bool:
        """Whether descent moves it: it is neither fixed nor tied."""
        return not self.fixed and self.expr is None

    def started(self, default: tuple[float, float]) -> Param:
        """With a start: its own, else drawn between two numbers, first moved within its bounds. Tied: none."""
        if self.start or self.expr is not None:
            return self
        low, high = (_clamped(number, self.min, self.max) for number in default)
        start = Start(value=low) if low == high else Start(uniform=[low, high])
        return self.model_copy(update={"start": start})


FREE = Param()  # one of which nothing was said


def _clamped(number: float, low: float | None, high: float | None) -> float:
    number = number if low is None else max(number, low)
    return number if high is None else min(number, high)
