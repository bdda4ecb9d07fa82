"""What a result lists: parameters, predicted rows, equations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Interval = tuple[float, float] | dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Parameter:
    """One parameter at the start and at the end; `scaled` is its trained value where columns were scaled, `optimum` the
    exact least-squares solution where there is one. A tied one follows from others.
    """

    name: str
    start: float
    value: float
    gradient: float | None
    fixed: bool = False
    scaled: float | None = None
    optimum: float | None = None
    tied: bool = False


@dataclass(frozen=True)
class Prediction:
    """One predicted row: its inputs, the prediction before and after training, the target where it is known.

    With several targets, `before`, `after` and `target` hold one number for each; with classes `before` and `after`
    hold the probability of each, and `target` is the class: a text where the table has texts.

    interval             (from, to) of the mean after training, shaped as `after`, where it was asked for
    prediction_interval  of a new row's target
    """

    inputs: Mapping[str, float | str]
    before: float | dict[str, float]
    after: float | dict[str, float]
    target: float | str | dict[str, float | str] | None = None
    interval: Interval | None = None
    prediction_interval: Interval | None = None


@dataclass(frozen=True)
class Equation:
    """An equation with the final values put back into it."""

    text: str
    left: float
    right: float

    @property
    def residual(self) -> float:
        return self.left - self.right
