"""The one map between theta, which is trained, and the values that are reported.

theta_SP holds the free parameters in trained units; values_SQ holds every parameter, fixed ones included, in the
units of the data. They differ where a parameter is fixed and where columns are scaled: with
x' = (x - mean) / sd, the trained weight is w' = w * sd and the trained intercept b' = b + sum(w * mean).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gdtrain.draws import generator
from gdtrain.experiment.parameters import Param
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.trials import Trials


@dataclass(frozen=True)
class Scaling:
    """How the weights and the intercept of one target are scaled.

    `weights` are indices into the Q values, mean_F and sd_F belong to them; `intercept` is an index, or None where
    columns are not centred.
    """

    weights: list[int]
    intercept: int | None
    mean_F: Tensor
    sd_F: Tensor


@dataclass(frozen=True)
class Parameters:
    """Names, bounds and starts of the parameters, and the map between trained and reported values.

    names      Q names as they are reported
    free       indices of the P that are trained
    start_Q    values at the start of the experiment, units of the data; fixed ones stay there
    drawn      indices of those whose starts are drawn in trained units: of hidden layers those that nobody declared
    lower_P    bounds in trained units, -inf and inf where there are none
    upper_P
    scalings   one for each target of a scaled `regress`, else none
    """

    names: list[str]
    free: list[int]
    start_Q: Tensor
    lower_P: Tensor
    upper_P: Tensor
    scalings: tuple[Scaling, ...] = ()
    drawn: Sequence[int] = ()

    @property
    def trained(self) -> list[str]:
        """Names of the P free parameters."""
        return [self.names[i] for i in self.free]

    @property
    def bounded(self) -> bool:
        return bool((self.lower_P > -math.inf).any() or (self.upper_P < math.inf).any())

    def scaled(self, values: Tensor) -> Tensor:
        """Values (..., Q) in the units of the data to values (..., Q) in trained units."""
        scaled = values.clone()
        for s in self.scalings:
            if s.intercept is not None:
                scaled[..., s.intercept] += (values[..., s.weights] * s.mean_F).sum(-1)
            scaled[..., s.weights] = values[..., s.weights] * s.sd_F
        return scaled

    def theta(self, values: Tensor) -> Tensor:
        """Values (..., Q) to the free ones in trained units (..., P)."""
        return self.scaled(values)[..., self.free]

    def values(self, theta: Tensor) -> Tensor:
        """Free values in trained units (..., P) to every value in the units of the data (..., Q)."""
        fixed = self.scaled(self.start_Q).expand(*theta.shape[:-1], len(self.names))
        trained = fixed.clone()
        trained[..., self.free] = theta
        return self._unscaled(trained)

    def starting(self, starts: Tensor) -> Tensor:
        """Starts (..., Q), those of `drawn` in trained units, to values (..., Q) in the units of the data."""
        if not (self.drawn and self.scalings):
            return starts
        trained = self.scaled(starts)
        trained[..., self.drawn] = starts[..., self.drawn]
        return self._unscaled(trained)

    def _unscaled(self, trained: Tensor) -> Tensor:
        values = trained.clone()
        for s in self.scalings:
            values[..., s.weights] = trained[..., s.weights] / s.sd_F
            if s.intercept is not None:
                values[..., s.intercept] -= (values[..., s.weights] * s.mean_F).sum(-1)
        return values

    def gradient(self, gradient: Tensor) -> Tensor:
        """The loss's gradient in theta (..., P) as its gradient in the values (..., Q), 0 for fixed ones."""
        trained = gradient.new_zeros(*gradient.shape[:-1], len(self.names))
        trained[..., self.free] = gradient
        in_values = trained.clone()
        for s in self.scalings:
            in_values[..., s.weights] = trained[..., s.weights] * s.sd_F
            if s.intercept is not None:
                in_values[..., s.weights] += s.mean_F * trained[..., s.intercept, None]
        free = set(self.free)
        in_values[..., [i for i in range(len(self.names)) if i not in free]] = 0.0
        return in_values


def build_parameters(
    experiment: Experiment, names: Sequence[str], *, scalings: Sequence[Scaling] = (), like: Tensor
) -> Parameters:
    """The parameters `names` as the experiment declares them; dtype and device are `like`'s."""
    scalings = [replace(s, mean_F=s.mean_F.to(like), sd_F=s.sd_F.to(like)) for s in scalings]
    declared = [experiment.param(name) for name in names]
    lower = [-math.inf if p.min is None else p.min for p in declared]
    upper = [math.inf if p.max is None else p.max for p in declared]
    free = [i for i, p in enumerate(declared) if not p.fixed]
    sd_Q = torch.ones(len(names), dtype=like.dtype, device=like.device)
    for s in scalings:
        sd_Q[s.weights] = s.sd_F
    parameters = Parameters(
        names=list(names),
        free=free,
        start_Q=_starts(Trials(experiment), names, like)[0],
        lower_P=(like.new_tensor(lower) * sd_Q)[free],
        upper_P=(like.new_tensor(upper) * sd_Q)[free],
        scalings=tuple(scalings),
        drawn=_drawn(experiment, names),
    )
    return replace(parameters, start_Q=parameters.starting(parameters.start_Q))


def _drawn(experiment: Experiment, names: Sequence[str]) -> list[int]:
    chosen = set(experiment.chosen) if experiment.model else ()
    return [i for i, name in enumerate(names) if f"params.{name}.start" in chosen]


def start_values(trials: Trials, parameters: Parameters) -> Tensor:
    """Where each trial starts, (S, Q) in the units of the data."""
    return parameters.starting(_starts(trials, parameters.names, parameters.start_Q))


def _starts(trials: Trials, names: Sequence[str], like: Tensor) -> Tensor:
    """A start that is drawn is keyed by (seed, 0, name): a trial draws what it would draw alone."""
    columns = [_column(trials, name) for name in names]
    return like.new_tensor(columns).reshape(len(names), trials.count).T.contiguous()


def _column(trials: Trials, name: str) -> list[float]:
    """The starts (S,) of one parameter, within its bounds."""
    param = trials.experiment.param(name)
    own, seeds = trials.of(f"params.{name}.start.value"), trials.of("train.seed")
    if own is not None:
        values = list(own)
    elif param.start is not None and param.start.value is None and seeds is not None:
        drawn = {seed: _start(param, int(seed), name) for seed in set(seeds)}
        values = [drawn[seed] for seed in seeds]
    else:
        values = [_start(param, trials.experiment.train.seed, name)] * trials.count
    low, high = (-math.inf if param.min is None else param.min), (math.inf if param.max is None else param.max)
    return [min(max(value, low), high) for value in values]


def _start(param: Param, seed: int, name: str) -> float:
    start = param.start
    assert start is not None  # filled in, with exactly one of the three
    if start.value is not None:
        return start.value
    draw = generator(seed, 0, f"start {name}")
    if start.uniform is not None:
        return float(draw.uniform(start.uniform[0], start.uniform[1]))
    assert start.normal is not None
    return float(draw.normal(start.normal[0], start.normal[1]))
