"""Axes: the values that one key takes in a sweep, written out, evenly spread or drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator, model_validator

from gdtrain.experiment.fields import Model, Text, Whole, broken

if TYPE_CHECKING:
    import numpy as np

MOST = 1_000_000  # points of a sweep


def _number(value: object, check: ValidatorFunctionWrapHandler) -> object:
    """A number as it was written: a whole one stays whole, beyond 2^53 too."""
    check(value)
    return value


Number = Annotated[float, WrapValidator(_number)]
Faults = Iterator[tuple[str, str, Sequence[int]]]  # what is wrong, what to do, the index of the number at fault


@dataclass(frozen=True)
class Spread:
    """A way to say many values by two ends.

    example  its numbers, as a remedy shows them; as many are due
    faults   what is wrong with as many numbers
    values   its numbers -> values; None where it is drawn from
    draw     its numbers and a generator -> one value; None where it is not drawn from
    """

    example: str
    faults: Callable[[Sequence[float]], Faults]
    values: Callable[[Sequence[float]], list[float]] | None = None
    draw: Callable[[Sequence[float], np.random.Generator], float] | None = None

    @property
    def count(self) -> int:
        """How many numbers it takes."""
        return self.example.count(",") + 1


def _counted(numbers: Sequence[float]) -> Faults:
    count = numbers[2]
    if count != int(count) or count < 1:
        yield f"the count must be a whole number of 1 or more, not {count:g}", "", [2]
    elif count > MOST:
        yield f"these are {count:,.0f} values, and a sweep has at most {MOST:,} points", "", [2]


def _geometric(numbers: Sequence[float]) -> Faults:
    if not (min(numbers[:2]) > 0 or max(numbers[:2]) < 0):
        yield "the ends of geomspace must be of one sign, and not zero", "linspace takes any", []
    yield from _counted(numbers)


def _whole(numbers: Sequence[float]) -> Faults:
    if any(number != int(number) for number in numbers):
        yield "the ends of a range must be whole numbers", "linspace takes any: as in linspace:0.5:3:6", []
    elif (count := abs(numbers[1] - numbers[0]) + 1) > MOST:
        yield f"these are {count:,.0f} values, and a sweep has at most {MOST:,} points", "", []


def _ordered(numbers: Sequence[float]) -> Faults:
    if numbers[0] > numbers[1]:
        yield "uniform must be the lower, then the upper end", "", []


def _positive(numbers: Sequence[float]) -> Faults:
    if not 0 < numbers[0] <= numbers[1]:
        yield "loguniform must be the lower, then the upper end, both above 0", "", []


def _linspace(numbers: Sequence[float]) -> list[float]:
    import numpy as np

    first, last, count = numbers
    with np.errstate(over="ignore", invalid="ignore"):  # ends that are too far apart: told as what is not finite
        return [float(number) for number in np.linspace(first, last, int(count))]


def _geomspace(numbers: Sequence[float]) -> list[float]:
    import numpy as np

    first, last, count = numbers
    return [float(number) for number in np.geomspace(float(first), float(last), int(count))]


def _range(numbers: Sequence[float]) -> list[float]:
    first, last = (int(number) for number in numbers)
    step = 1 if last >= first else -1
    return list(range(first, last + step, step))


def _uniform(numbers: Sequence[float], generator: np.random.Generator) -> float:
    low, high = numbers
    share = float(generator.random())
    return low * (1 - share) + high * share  # ends of opposite sign may be further apart than a float reaches


def _loguniform(numbers: Sequence[float], generator: np.random.Generator) -> float:
    low, high = numbers
    drawn = math.exp(_uniform([math.log(low), math.log(high)], generator))
    return min(max(drawn, low), high)


SPREADS: Mapping[str, Spread] = {
    "geomspace": Spread("[1e-4, 1, 13]", _geometric, values=_geomspace),
    "linspace": Spread("[0, 1, 5]", _counted, values=_linspace),
    "range": Spread("[0, 9]", _whole, values=_range),
    "uniform": Spread("[0, 1]", _ordered, draw=_uniform),
    "loguniform": Spread("[1e-4, 1]", _positive, draw=_loguniform),
}


def as_flag(name: str) -> str:
    """The example of one of SPREADS as the command line has it: geomspace:1e-4:1:13."""
    numbers = SPREADS[name].example.strip("[]").split(", ")
    return "..".join(numbers) if name == "range" else ":".join([name, *numbers])


def faults(name: str, numbers: Sequence[float], example: str = "") -> Faults:
    """What is wrong with the numbers of one of SPREADS; the example is as a file has it unless given."""
    spread = SPREADS[name]
    if len(numbers) != spread.count:
        due = "two ends and a count" if spread.count > 2 else "two ends"
        yield f"{name} takes {due}", f"as in {example or f'{name}: {spread.example}'}", []
    else:
        yield from spread.faults(numbers)


class Axis(Model):
    """The values of a key: exactly one of the seven."""

    values: list[Any] | None = Field(None, description="these values, of any kind the key takes")
    geomspace: list[Number] | None = Field(None, description="[a, b, n]: n numbers, each the same multiple of the last")
    linspace: list[Number] | None = Field(None, description="[a, b, n]: n numbers at the same distance")
    range: list[Number] | None = Field(None, description="[a, b]: the whole numbers from a to b, both ends in")
    uniform: list[Number] | None = Field(None, description="[a, b]: drawn between two numbers; needs random")
    loguniform: list[Number] | None = Field(
        None, description="[a, b]: drawn so that its logarithm is uniform; needs random"
    )
    choice: list[Any] | None = Field(None, description="drawn from these values; needs random")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in SPREADS:
            numbers = getattr(self, name)
            for what, remedy, at in () if numbers is None else faults(name, numbers):
                raise broken(what, remedy, name, *at)
        for name in ("values", "choice"):
            if getattr(self, name) == []:
                raise broken("there are no values here", "write some: [1e-3, 1e-2]", name)
        return self

    @property
    def form(self) -> str:
        """Which of the seven it is."""
        return next(name for name in Axis.model_fields if getattr(self, name) is not None)

    @property
    def drawn(self) -> bool:
        """Whether it has values only where points are drawn."""
        return self.form in ("uniform", "loguniform", "choice")

    def listed(self) -> list[Any] | None:
        """All its values; None for a distribution of numbers."""
        written = getattr(self, self.form)
        if self.form in ("values", "choice"):
            return list(written)
        values = SPREADS[self.form].values
        return values(written) if values else None

    def draw(self, generator: np.random.Generator) -> Any:
        """One value of a distribution of numbers."""
        draw = SPREADS[self.form].draw
        assert draw is not None
        return draw(getattr(self, self.form), generator)


class Axes(Model):
    """The trials of a sweep: the values of some keys, and how they are combined."""

    axes: dict[Text, Axis] = Field({}, description="dotted key: its values, such as train.lr: [1e-3, 1e-2]")
    zip: bool = Field(False, description="pair the values one by one; unless set, every one with every other")
    random: Annotated[Whole, Field(ge=1, le=MOST)] | None = Field(
        None, description="draw so many points, each value by itself, from the seed"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.model_fields_set and not self.axes and not self.zip and self.random is None:
            raise broken("sweep says nothing", "write a key and its values: train.lr: [1e-3, 1e-2]")
        if self.zip and self.random is not None:
            raise broken("random draws points, zip pairs values", "leave one of them out", "random")
        return self
