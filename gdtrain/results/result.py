"""The result document: what a trial came to, as plain numbers. Knows neither torch nor how it is printed.

Shapes: K recorded epochs, Q parameters as they are reported (fixed ones included, in the units of the data).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gdtrain.results.parts import Equation, Parameter, Prediction
from gdtrain.results.uncertainty import Uncertainty
from gdtrain.statuses import EXIT_CODES

if TYPE_CHECKING:
    import polars

SCHEMA = "gdtrain.result/1"
SHOWN = 100  # a table of at most so many epochs shows all of them
ROWS = 20  # about so many rows a longer one shows


@dataclass(frozen=True)
class Verdict:
    """How a trial ended: a status of DESIGN's list, the epoch, and one sentence with numbers."""

    status: str
    epoch: int
    detail: str

    @property
    def exit_code(self) -> int:
        return EXIT_CODES.get(self.status, 0)


@dataclass(frozen=True)
class History:
    """The recorded epochs of one trial. Row k holds the state after `epochs_K[k]` epochs; row 0 is the start.

    epochs_K (K,) whole numbers, loss_K (K,), values_KQ (K, Q) and, where asked for, gradient_KQ (K, Q); where rows are
    held out, the loss over them, held_K (K,).
    """

    epochs_K: np.ndarray
    loss_K: np.ndarray
    values_KQ: np.ndarray
    gradient_KQ: np.ndarray | None = None
    held_K: np.ndarray | None = None

    def rows(self, epochs: Sequence[int]) -> list[int]:
        """Indices of `epochs`, or of the next recorded ones where a long history was thinned."""
        found = np.searchsorted(self.epochs_K, np.asarray(epochs))
        return sorted(set(found.clip(max=len(self.epochs_K) - 1).tolist()))


@dataclass
class Result:
    """One trial's outcome. `to_dict()` is the result document, `params` the values, `history` a data frame.

    statement  the problem in a line, as it was written: `y = w*x`
    epochs     how many were done; `loss` has name, initial and final, and those of held-out rows
    objective  under a penalty: loss and penalty at the end, and their sum, initial and final
    curvature  the section of the document, and `insights` what it says in words
    metrics    how good the predictions of the training rows are, by name
    restored   the epoch whose weights the result has, where it went back to the best
    folds      where each was held out in turn, what each came to: the section of the document
    expectations  what was expected of it, and whether that was met: the section of the document
    predictor  how it predicts: the section of the document
    quiet      tables leave out standard errors
    uncertain  works out `uncertainty`: standard errors and intervals, when they are asked for
    every      the history shows each so many epochs, where that was asked; `thinned`: it holds fewer than were done
    """

    name: str
    kind: str
    statement: str
    verdict: Verdict
    epochs: int
    loss: dict[str, Any]
    parameters: list[Parameter]
    engine: dict[str, str]
    recorded: History
    train: dict[str, Any]
    data: dict[str, Any]
    seed: int
    dtype: str
    device: str
    versions: dict[str, str]
    timing: dict[str, float]
    predictions: list[Prediction] = field(default_factory=list)
    equations: list[Equation] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    curvature: dict[str, Any] | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    insights: list[str] = field(default_factory=list)
    every: int | None = None
    thinned: bool = False
    objective: dict[str, float] | None = None
    restored: int | None = None
    folds: dict[str, Any] | None = None
    predictor: dict[str, Any] | None = None
    quiet: bool = False
    expectations: list[dict[str, Any]] = field(default_factory=list)
    uncertain: Callable[[], Uncertainty | None] = field(default=lambda: None, compare=False, repr=False)

    @property
    def params(self) -> dict[str, float]:
        """Each parameter's final value by name."""
        return {parameter.name: parameter.value for parameter in self.parameters}

    @cached_property
    def uncertainty(self) -> Uncertainty | None:
        """How far the parameters can be trusted; None where there are no data."""
        found, self.uncertain = self.uncertain(), lambda: None  # which lets go of the data
        return found

    @property
    def short(self) -> dict[str, float | str]:
        """What has a name of one word: verdict, final loss, epochs."""
        return {"verdict": self.verdict.status, "loss": self.loss["final"], "epochs": self.epochs}

    @property
    def shown(self) -> list[int]:
        """Rows of `recorded` that the table and the document show."""
        return self.recorded.rows(shown_epochs(self.verdict.epoch, self.every))

    @property
    def history(self) -> polars.DataFrame:
        """Every recorded epoch as a polars data frame: epoch, loss, that of held-out rows as `held_out` where there are
        some, then a column for each parameter.

        A parameter that shares a name with one of these is called `params.NAME`.
        """
        import polars

        series = {"epoch": self.recorded.epochs_K, "loss": self.recorded.loss_K}
        if self.recorded.held_K is not None:
            series["held_out"] = self.recorded.held_K
        names = history_names([parameter.name for parameter in self.parameters], list(series))
        series |= dict(zip(names, self.recorded.values_KQ.T, strict=True))
        if self.recorded.gradient_KQ is not None:
            series |= {f"gradient.{n}": g for n, g in zip(names, self.recorded.gradient_KQ.T, strict=True)}
        return polars.DataFrame(series)

    def to_dict(self) -> dict[str, Any]:
        """The result document (schema gdtrain.result/1): plain JSON types, non-finite numbers as strings."""
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "name": self.name,
            "kind": self.kind,
            "statement": self.statement,
            "verdict": vars(self.verdict),
            "epochs": self.epochs,
            "loss": self.loss,
            **({} if self.objective is None else {"objective": self.objective}),
            "params": {p.name: _parameter(p) | self._estimate(p.name) for p in self.parameters},
            "engine": self.engine,
            "train": self.train,
            **({} if self.restored is None else {"restored": {"epoch": self.restored}}),
            "history": [self._row(k) for k in self.shown],
            "predictions": [_without_none(vars(p)) for p in self.predictions],
            "data": self.data,
            **({} if self.predictor is None else {"predictor": self.predictor}),
            "seed": self.seed,
            "dtype": self.dtype,
            "device": self.device,
            "versions": self.versions,
            "timing": self.timing,
        }
        if self.equations:
            document["equations"] = [vars(e) | {"residual": e.residual} for e in self.equations]
        if self.metrics:
            document["metrics"] = self.metrics
        if self.uncertainty is not None:
            document["uncertainty"] = self.uncertainty.document()
        if self.folds is not None:
            document["folds"] = self.folds
        if self.curvature is not None:
            document["curvature"] = self.curvature
        if self.expectations:
            document["expectations"] = self.expectations
        if self.warnings:
            document["warnings"] = self.warnings
        clean: dict[str, Any] = plain_numbers(document)
        return clean

    def _estimate(self, name: str) -> dict[str, Any]:
        found = self.uncertainty.estimates.get(name) if self.uncertainty else None
        return {} if found is None else found.document()

    def _row(self, k: int) -> dict[str, Any]:
        names = [parameter.name for parameter in self.parameters]
        row: dict[str, Any] = {
            "epoch": int(self.recorded.epochs_K[k]),
            "loss": self.recorded.loss_K[k],
            **({} if self.recorded.held_K is None else {"held_out": self.recorded.held_K[k]}),
            "params": dict(zip(names, self.recorded.values_KQ[k], strict=True)),
        }
        if self.recorded.gradient_KQ is not None:
            row["gradient"] = dict(zip(names, self.recorded.gradient_KQ[k], strict=True))
        return row

    def __str__(self) -> str:
        values = "\n".join(f"  {name} = {value:.6g}" for name, value in self.params.items())
        loss = f"loss {self.loss['initial']:.6g} -> {self.loss['final']:.6g}"
        verdict = f"{self.verdict.status} at epoch {self.verdict.epoch}: {self.verdict.detail}"
        warnings = "".join(f"\n  warning: {warning}" for warning in self.warnings)
        return f"{self.kind} {self.statement}: {verdict}\n  {loss}\n{values}{warnings}"

    __repr__ = __str__


def history_names(parameters: Sequence[str], beside: Sequence[str] = ("epoch", "loss")) -> list[str]:
    """Column names for the parameters beside others."""
    return [f"params.{name}" if name in beside else name for name in parameters]


def shown_epochs(last: int, every: int | None) -> list[int]:
    """The epochs that a table of `last` epochs shows: with `every`, each multiple of it; else all up to 100,
    and beyond that about twenty, log-spaced. First and last always.
    """
    if every is not None:
        return sorted({*range(0, last + 1, every), last})
    if last <= SHOWN:
        return list(range(last + 1))
    return _spaced(last)


@cache
def _spaced(last: int) -> list[int]:
    spaced = np.geomspace(1, last, ROWS).round().astype(int)
    return sorted({0, *spaced.tolist(), last})


def plain_numbers(value: Any) -> Any:
    """`value` with numpy scalars as Python numbers and non-finite floats as "inf", "-inf", "nan"."""
    if type(value) is float:  # most are: a document of a long sweep holds millions
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, np.generic):
        return plain_numbers(value.item())
    if isinstance(value, list | tuple):
        return [plain_numbers(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain_numbers(item) for key, item in value.items()}
    return value


def _parameter(parameter: Parameter) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "start": parameter.start,
        "value": parameter.value,
        "gradient": parameter.gradient,
    }
    if parameter.fixed:
        fields["fixed"] = True
    if parameter.tied:
        fields["tied"] = True
    fields |= {"scaled": parameter.scaled, "optimum": parameter.optimum}
    return _without_none(fields)


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
