"""Optimizers that descend a penalty besides the loss: l1 * sum |w| + l2/2 * sum w^2.

l2 joins the gradient, whatever the optimizer. l1 has a kink at 0, which no gradient step lands on: a proximal step
follows each step of sgd,

    soft(v, lr * l1),    soft(v, t) = sign(v) * max(|v| - t, 0)

which shrinks by lr * l1 and brings what is smaller to 0 exactly. With v = theta - lr * g this is ISTA (Daubechies,
Defrise and De Mol 2004). With momentum m the steps are

    x+ = soft(x - lr * g(x) + m * (x - x-), lr * l1)                          heavy ball (Ochs et al. 2014, iPiano)
    x+ = soft(y - lr * g(y), lr * l1),  y+ = x+ + m * (x+ - x)                Nesterov

and theta, where the gradient is taken, is x, or y as in torch. Nesterov's is FISTA (Beck and Teboulle 2009) with a
constant momentum in the place of a growing one. To put the shrinkage behind torch's step would not do: its buffer holds
the gradients of past steps, which do not fade where l1 holds a weight, and the weights would settle where l1 * (1 - m)
balances the gradient. Where l1 is 0 these are torch's steps at a constant lr, but for rounding.

Shapes: S trials, P parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, addcmul

from gdtrain.optimizers import Number, build, rules
from gdtrain.optimizers.clipping import Clip, clipped
from gdtrain.optimizers.rules import Optimizer, State


def build_penalised(
    name: str, options: Mapping[str, Any], like: Tensor, l1_SP: Tensor, l2_SP: Tensor, clip: Clip | None = None
) -> Optimizer:
    """The optimizer `name` with torch.optim's keyword `options`, on loss + penalty.

    l1_SP, l2_SP  of each parameter, (S, P) or (1, P); 0 leaves one free. l1 above 0 is for sgd alone; the experiment
                  has refused it elsewhere
    clip          of the gradient of loss and l2
    """
    rule = _proximal(options, like, l1_SP) if bool((l1_SP > 0).any()) else build(name, options, like)
    if clip is not None:
        rule = clipped(rule, clip)
    if bool((l2_SP > 0).any()):
        rule = rules.decay_gradient(rule, l2_SP)

    def take(rows: Tensor) -> Optimizer:
        own = {key: value[rows] for key, value in options.items() if isinstance(value, Tensor) and len(value) > 1}
        return build_penalised(name, {**options, **own}, like, _taken(l1_SP, rows), _taken(l2_SP, rows), clip)

    return rule._replace(take=take)


def soft(value: Tensor, threshold: Tensor) -> Tensor:
    """sign(v) * max(|v| - threshold, 0): argmin over w of (w - v)^2/2 + threshold * |w|."""
    return value - value.clamp(-threshold, threshold)


def proximal(l1: Tensor) -> Optimizer:
    """theta = soft(theta - lr * g, lr * l1)."""

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        return state, soft(addcmul(theta, gradient, lr, value=-1), lr * l1)

    return Optimizer(lambda theta: {}, update)


def proximal_momentum(l1: Tensor, keep: Tensor, dampening: Tensor, *, nesterov: bool) -> Optimizer:
    """As above, with a step of lr at first and of lr * (1 - dampening) later: torch's first one is undamped."""
    one = torch.ones_like(keep)
    later = torch.where(keep == 0, one, one - dampening)

    def init(theta: Tensor) -> State:
        return {"previous": theta, "gradient_weight": theta.new_ones(len(theta), 1)}

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        step = lr * state["gradient_weight"]
        forward = addcmul(theta, gradient, step, value=-1)
        after = {"gradient_weight": later.expand_as(state["gradient_weight"])}
        if nesterov:
            point = soft(forward, step * l1)
            return {"previous": point, **after}, addcmul(point, point - state["previous"], keep)
        inertial = addcmul(forward, theta - state["previous"], keep)
        return {"previous": theta, **after}, soft(inertial, step * l1)

    return Optimizer(init, update)


def _proximal(options: Mapping[str, Any], like: Tensor, l1_SP: Tensor) -> Optimizer:
    momentum, dampening = _column(options["momentum"], like), _column(options["dampening"], like)
    if bool((momentum == 0).all()):
        rule = proximal(l1_SP)
    else:
        rule = proximal_momentum(l1_SP, momentum, dampening, nesterov=options["nesterov"])
    decay = options["weight_decay"]
    return rule if not isinstance(decay, Tensor) and decay == 0 else rules.decay_gradient(rule, _column(decay, like))


def _column(number: Number, like: Tensor) -> Tensor:
    return torch.as_tensor(number, dtype=like.dtype, device=like.device).reshape(-1, 1)


def _taken(number_SP: Tensor, rows: Tensor) -> Tensor:
    return number_SP[rows] if len(number_SP) > 1 else number_SP
