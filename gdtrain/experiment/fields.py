"""What the models of an experiment share: strictness, kinds of number, and rules that point at a key."""

from __future__ import annotations

import math
import sys
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_STDIN_FILES = ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")


class Model(BaseModel):
    """A section of an experiment. Strict: `true` and `"0.5"` are no numbers, and unknown keys are errors."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def broken(what: str, remedy: str = "", *at: str | int) -> PydanticCustomError:
    """A broken rule. `at` leads from the section that has the rule to the key at fault."""
    return PydanticCustomError("rule", "{what}", {"what": what, "remedy": remedy, "at": list(at)})


def _integral(value: object) -> object:
    """A float without a fraction as an integer, so that `1e4` counts epochs."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _learning_rate(value: object) -> object:
    if value == "auto":
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= sys.float_info.max:
        raise PydanticCustomError("learning_rate", "must be a positive number or auto")
    return float(value)


def _value(value: object) -> object:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("value", "must be a number or a text")
    if not math.isfinite(value):
        raise PydanticCustomError("finite_number", "must be a finite number")
    return float(value)


Whole = Annotated[int, BeforeValidator(_integral)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
LearningRate = Annotated[
    float | Literal["auto"],
    PlainValidator(_learning_rate),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "auto"}]}),
]
Value = Annotated[float | str, PlainValidator(_value), WithJsonSchema({"type": ["number", "string"]})]


def _unique(names: list[str]) -> list[str]:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise broken(f"{name} stands twice", "name it once", i)
    return names


def _file(path: str) -> str:
    if path in _STDIN_FILES:
        raise broken(f"{path} is not read by that name", "write path: - for stdin")
    return path


Names = Annotated[list[Text], AfterValidator(_unique)]
NameList = Annotated[Names, Field(min_length=1)]
File = Annotated[Text, AfterValidator(_file)]
