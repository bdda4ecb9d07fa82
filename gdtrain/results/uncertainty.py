"""How far the parameters of a fit can be trusted, as plain numbers; or why that cannot be told.

Shapes: F parameters that were trained, in the units of the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

STRONG = 0.95  # size of a correlation from which two parameters are named
LARGEST = 100  # parameters whose matrices a document holds


@dataclass(frozen=True)
class Estimate:
    """One parameter: its standard error, t = value / std_error, the chance p of a |t| as large were it 0, its interval.

    Of a bootstrap alone, neither t nor p.
    """

    std_error: float
    t: float | None
    p: float | None
    interval: tuple[float, float]

    def document(self) -> dict[str, Any]:
        """As a parameter's section has it."""
        fields = {"std_error": self.std_error, "t": self.t, "p": self.p, "interval": list(self.interval)}
        return {key: value for key, value in fields.items() if value is not None}


@dataclass(frozen=True)
class Uncertainty:
    """What is known of all of them.

    method         gauss-newton, fisher, hessian, sandwich or bootstrap
    level          of the intervals
    refused        why there are no standard errors, as a sentence; "" where there are
    estimates      name -> Estimate: of trained parameters, then of tied ones, which follow from these
    distribution   of t: t or normal
    numbers        dof, sigma, loglik, aic, bic and the like, by name
    covariance_FF  of `names`, the trained ones
    factor_DF      B with covariance B'B: what follows from it is worked out without cancellation
    """

    method: str
    level: float
    refused: str = ""
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    distribution: str = "t"
    numbers: Mapping[str, Any] = field(default_factory=dict)
    covariance_FF: np.ndarray | None = None
    factor_DF: np.ndarray | None = None

    @classmethod
    def of_document(cls, section: Mapping[str, Any]) -> Uncertainty:
        """From the `uncertainty` section of a result document: what predictions need. Raises as a bad document does."""
        factor, told = section.get("factor"), ("method", "level", "refused", "distribution", "factor")
        factor_DF = None if factor is None else np.array(factor, dtype=np.float64)
        if factor_DF is not None and factor_DF.ndim != 2:
            raise ValueError("factor is no matrix")
        return cls(
            section["method"],
            section["level"],
            section.get("refused", ""),
            distribution=section.get("distribution", ""),
            numbers={key: value for key, value in section.items() if key not in told},
            factor_DF=factor_DF,
        )

    @property
    def names(self) -> Sequence[str]:
        return list(self.estimates)[: 0 if self.covariance_FF is None else len(self.covariance_FF)]

    @property
    def correlation_FF(self) -> np.ndarray:
        """Of a parameter that does not vary with no other."""
        assert self.covariance_FF is not None
        size_F = np.sqrt(np.diag(self.covariance_FF))
        safe_F = np.where(size_F > 0, size_F, 1.0)
        correlation: np.ndarray = np.clip(self.covariance_FF / safe_F / safe_F[:, None], -1.0, 1.0)
        np.fill_diagonal(correlation, 1.0)
        return correlation

    @property
    def strong(self) -> list[tuple[str, str, float]]:
        """The pairs of parameters whose correlation is above STRONG in size, the strongest first."""
        if self.covariance_FF is None:
            return []
        correlation_FF, names = self.correlation_FF, self.names
        rows, columns = np.nonzero(np.triu(np.abs(correlation_FF) > STRONG, 1))
        found = [
            (names[i], names[j], float(correlation_FF[i, j]))
            for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
        return sorted(found, key=lambda pair: -abs(pair[2]))

    def document(self) -> dict[str, Any]:
        """The `uncertainty` section of a result document."""
        told: dict[str, Any] = {"method": self.method, "level": self.level}
        if self.refused:
            return told | {"refused": self.refused}
        told |= {"distribution": self.distribution} if self.distribution else {}
        told |= self.numbers
        if self.covariance_FF is not None and len(self.names) <= LARGEST:
            told |= {"covariance": self._by_name(self.covariance_FF), "correlation": self._by_name(self.correlation_FF)}
            told |= {} if self.factor_DF is None else {"factor": self.factor_DF.tolist()}
        return told

    def _by_name(self, matrix_FF: np.ndarray) -> dict[str, dict[str, float]]:
        names = self.names
        return {name: dict(zip(names, row, strict=True)) for name, row in zip(names, matrix_FF.tolist(), strict=True)}
