"""The one map between theta, which is trained, and the values that are reported.

theta_SP holds the free parameters in trained units; values_SQ holds every parameter, fixed ones included, in the
units of the data. They differ where a parameter is fixed and where columns are scaled: with
x' = (x - mean) / sd, the trained weight is w' = w * sd and the trained intercept b' = b + sum(w * mean).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from gdtrain.draws import generator
from gdtrain.experiment.network import Layer
from gdtrain.experiment.parameters import FREE, Param
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.tied import ties
from gdtrain.experiment.trials import Trials
from gdtrain.formula import Node
from gdtrain.formula.evaluate import evaluate


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
    ties       index and formula of each parameter that follows from free and fixed ones; then nothing is scaled
    """

    names: list[str]
    free: list[int]
    start_Q: Tensor
    lower_P: Tensor
    upper_P: Tensor
    scalings: tuple[Scaling, ...] = ()
    drawn: Sequence[int] = ()
    ties: tuple[tuple[int, Node], ...] = ()

    @property
    def trained(self) -> list[str]:
        """Names of the P free parameters."""
        return [self.names[i] for i in self.free]

    @property
    def varying(self) -> list[int]:
        """Indices of those that are not fixed: the free ones, and the tied ones."""
        return sorted([*self.free, *(i for i, _ in self.ties)])

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
            return self._tied(starts.clone()) if self.ties else starts
        trained = self.scaled(starts)
        trained[..., self.drawn] = starts[..., self.drawn]
        return self._unscaled(trained)

    def _unscaled(self, trained: Tensor) -> Tensor:
        values = trained.clone()
        for s in self.scalings:
            values[..., s.weights] = trained[..., s.weights] / s.sd_F
            if s.intercept is not None:
                values[..., s.intercept] -= (values[..., s.weights] * s.mean_F).sum(-1)
        return self._tied(values)

    def _tied(self, values: Tensor) -> Tensor:
        """Values (..., Q) with those of tied parameters, which are written in."""
        if self.ties:
            named: dict[str, Tensor | float] = {name: values[..., i] for i, name in enumerate(self.names)}
            for i, tree in self.ties:
                values[..., i] = evaluate(tree, named)
        return values

    def moved(self, step: Tensor) -> Tensor:
        """A step of theta (..., P) as that of the values (..., Q), in the units of the data; 0 for fixed ones."""
        moved = step.new_zeros(*step.shape[:-1], len(self.names))
        moved[..., self.free] = step
        for s in self.scalings:
            moved[..., s.weights] = moved[..., s.weights] / s.sd_F.to(step)
            if s.intercept is not None:
                moved[..., s.intercept] -= (moved[..., s.weights] * s.mean_F.to(step)).sum(-1)
        return moved

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
    declared = [experiment.params.get(name, FREE) for name in names]
    lower = [-math.inf if p.min is None else p.min for p in declared]
    upper = [math.inf if p.max is None else p.max for p in declared]
    free = [i for i, p in enumerate(declared) if p.trained]
    found = ties(experiment)
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
        ties=tuple((i, found[name]) for i, name in enumerate(names) if name in found),
    )
    return replace(parameters, start_Q=parameters.starting(parameters.start_Q))


def _drawn(experiment: Experiment, names: Sequence[str]) -> list[int]:
    chosen = set(experiment.chosen) if experiment.model else ()
    return [i for i, name in enumerate(names) if f"params.{name}.start" in chosen]


def start_values(trials: Trials, parameters: Parameters) -> Tensor:
    """Where each trial starts, (S, Q) in the units of the data."""
    return parameters.starting(_starts(trials, parameters.names, parameters.start_Q))


def _starts(trials: Trials, names: Sequence[str], like: Tensor) -> Tensor:
    """(S, Q). A start that is drawn is keyed by (seed, 0, name), those of a hidden layer that nobody declared by (seed,
    0, layer), each in its place: a trial draws what it would draw alone, and a declared start moves no other.
    """
    model, declared = trials.experiment.model, trials.experiment.params
    starts_SQ = np.zeros((trials.count, len(names)))
    for layer in model.drawn(names) if model else ():
        starts_SQ[:, layer.start : layer.stop] = _layer(trials, layer)
    for i, name in enumerate(names):
        if model is None or name in declared:
            starts_SQ[:, i] = _column(trials, name)
    return torch.from_numpy(starts_SQ).to(like)


def _layer(trials: Trials, layer: Layer) -> np.ndarray:
    """The starts of a layer, (S, n); (1, n) where trials share a seed."""
    seeds = trials.of("train.seed") or [trials.experiment.train.seed]
    drawn = {
        seed: generator(int(seed), 0, f"start {layer.name}").uniform(
            -layer.bound, layer.bound, layer.stop - layer.start
        )
        for seed in set(seeds)
    }
    return np.stack([drawn[seed] for seed in seeds])


def _column(trials: Trials, name: str) -> list[float]:
    """The starts (S,) of one parameter, within its bounds."""
    param = trials.experiment.param(name)
    if param.expr is not None:
        return [0.0] * trials.count  # it follows from the others
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
