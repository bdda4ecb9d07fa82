"""The update rules themselves, on tensors only; `gdtrain.optimizers` names them and gives their defaults.

A small operation costs about 1 us whatever it computes, and half as much again with a Python number among its
operands: so every number is a tensor, made once, and a step takes as few operations as it can.

- 1 - beta^t, which corrects a moving average for its start at zero, is itself the moving average of ones,
  and kept as one: no count of steps, no power to take, the same bits for a trial alone and beside others.
- What is special about a first step stands in the state as a weight that changes after it.

Shapes: S trials, P parameters. Numbers are (1, 1), or (S, 1) where trials differ. State is (S, P) or (S, 1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, addcdiv, addcmul, lerp, maximum, where

State = dict[str, Tensor]


class Optimizer(NamedTuple):
    """An update rule: two pure functions.

    init    theta (S, P) -> state
    update  (state, theta (S, P), gradient (S, P), lr (S, 1)) -> (next state, next theta); changes no argument
    take    numbers (L,) of some of the trials -> the same for these alone; None where all trials share every option
    """

    init: Callable[[Tensor], State]
    update: Callable[[State, Tensor, Tensor, Tensor], tuple[State, Tensor]]
    take: Callable[[Tensor], Optimizer] | None = None


def _zeros(theta: Tensor, parameters: tuple[str, ...], trials: tuple[str, ...] = ()) -> State:
    """A state of zeros: (S, P) for the names in `parameters`, (S, 1) for those in `trials`."""
    state = {name: torch.zeros_like(theta) for name in parameters}
    return state | {name: theta.new_zeros(len(theta), 1) for name in trials}


def plain() -> Optimizer:
    """theta -= lr * g."""

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        return state, addcmul(theta, gradient, lr, value=-1)

    return Optimizer(lambda theta: {}, update)


def momentum(keep: Tensor, *, nesterov: bool) -> Optimizer:
    """theta -= lr * b, b = keep * b + g; Nesterov: theta -= lr * (g + keep * b)."""

    def init(theta: Tensor) -> State:
        return _zeros(theta, ("momentum_buffer",))

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        buffer = addcmul(gradient, state["momentum_buffer"], keep)
        step = addcmul(gradient, buffer, keep) if nesterov else buffer
        return {"momentum_buffer": buffer}, addcmul(theta, step, lr, value=-1)

    return Optimizer(init, update)


def dampened_momentum(keep: Tensor, dampening: Tensor) -> Optimizer:
    """theta -= lr * b, b = keep * b + (1 - dampening) * g; b = g in the first step and where keep is 0."""
    one = torch.ones_like(keep)
    later = where(keep == 0, one, one - dampening)

    def init(theta: Tensor) -> State:
        return _zeros(theta, ("momentum_buffer",)) | {"gradient_weight": theta.new_ones(len(theta), 1)}

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        buffer = addcmul(gradient * state["gradient_weight"], state["momentum_buffer"], keep)
        after = {"momentum_buffer": buffer, "gradient_weight": later.expand_as(state["gradient_weight"])}
        return after, addcmul(theta, buffer, lr, value=-1)

    return Optimizer(init, update)


def adam(share1: Tensor, share2: Tensor, eps: Tensor, *, amsgrad: bool) -> Optimizer:
    """theta -= lr * m/c1 / (sqrt(v/c2) + eps); `share1`, `share2` are 1 - beta."""
    one = torch.ones_like(eps)
    moments = ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if amsgrad else []))

    def init(theta: Tensor) -> State:
        return _zeros(theta, moments, ("bias_correction1", "bias_correction2"))

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        m = lerp(state["exp_avg"], gradient, share1)
        v = lerp(state["exp_avg_sq"], gradient * gradient, share2)
        c1 = lerp(state["bias_correction1"], one, share1)
        c2 = lerp(state["bias_correction2"], one, share2)
        after = {"exp_avg": m, "exp_avg_sq": v, "bias_correction1": c1, "bias_correction2": c2}
        if amsgrad:
            v = after["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], v)
        return after, addcdiv(theta, m * (lr / c1), (v / c2).sqrt_().add_(eps), value=-1)

    return Optimizer(init, update)


def nadam(beta1: Tensor, share1: Tensor, share2: Tensor, eps: Tensor, fade: Tensor) -> Optimizer:
    """theta -= lr * (g * (1 - mu)/(1 - M) + m * mu'/(1 - M')) / (sqrt(v/c2) + eps).

    mu = beta1 * (1 - fade^t / 2) in step t, M is the product of all mu so far, a prime marks the next step's.
    """
    one = torch.ones_like(eps)
    half = beta1 / 2

    def init(theta: Tensor) -> State:
        state = _zeros(theta, ("exp_avg", "exp_avg_sq"), ("bias_correction2",))
        faded = theta.new_ones(len(theta), 1) * fade
        mu = beta1 - half * faded
        return state | {"faded": faded, "mu": mu, "mu_product": mu}  # of the step to come

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        m = lerp(state["exp_avg"], gradient, share1)
        v = lerp(state["exp_avg_sq"], gradient * gradient, share2)
        c2 = lerp(state["bias_correction2"], one, share2)
        mu, product = state["mu"], state["mu_product"]
        faded = state["faded"] * fade
        next_mu = addcmul(beta1, half, faded, value=-1)
        next_product = product * next_mu
        step = addcmul(gradient * ((one - mu) / (one - product)), m, next_mu / (one - next_product))
        after = {"exp_avg": m, "exp_avg_sq": v, "bias_correction2": c2}
        after |= {"faded": faded, "mu": next_mu, "mu_product": next_product}
        return after, addcdiv(theta, step * lr, (v / c2).sqrt_().add_(eps), value=-1)

    return Optimizer(init, update)


def radam(share1: Tensor, share2: Tensor, eps: Tensor) -> Optimizer:
    """theta -= lr * m/c1 * r * sqrt(c2) / (sqrt(v) + eps) once rho, the length of the average, passes 5.

    Until then theta -= lr * m/c1. With limit = 2/(1 - beta2) - 1,
    rho = limit - 2 t (1 - c2)/c2 and r^2 = (rho - 4) (rho - 2) limit / ((limit - 4) (limit - 2) rho).
    """
    one = torch.ones_like(eps)
    five, six, eight = 5 * one, 6 * one, 8 * one
    limit = 2 / share2 - 1
    scale = limit / ((limit - 4) * (limit - 2))

    def init(theta: Tensor) -> State:
        return _zeros(theta, ("exp_avg", "exp_avg_sq"), ("bias_correction1", "bias_correction2", "step"))

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        step = state["step"] + one
        m = lerp(state["exp_avg"], gradient, share1)
        v = lerp(state["exp_avg_sq"], gradient * gradient, share2)
        c1 = lerp(state["bias_correction1"], one, share1)
        c2 = lerp(state["bias_correction2"], one, share2)
        rho = addcmul(limit, step + step, one / c2 - one, value=-1)
        # (rho - 4) (rho - 2) / rho = rho - 6 + 8/rho
        rectified = (scale * c2 * (rho - six + eight / rho)).sqrt_() / v.sqrt().add_(eps)
        after = {"exp_avg": m, "exp_avg_sq": v, "bias_correction1": c1, "bias_correction2": c2, "step": step}
        return after, addcmul(theta, m * (lr / c1), where(rho > five, rectified, one), value=-1)

    return Optimizer(init, update)


def rmsprop(share: Tensor, eps: Tensor, keep: Tensor | None, *, centered: bool) -> Optimizer:
    """theta -= lr * b, b = keep * b + g / (sqrt(v) + eps); without `keep`, b is the quotient alone.

    v averages g^2; centered, less the square of the average of g. `share` is 1 - alpha.
    """
    zero = torch.zeros_like(eps)
    wanted = {"square_avg": True, "grad_avg": centered, "momentum_buffer": keep is not None}
    names = tuple(name for name, is_wanted in wanted.items() if is_wanted)

    def init(theta: Tensor) -> State:
        return _zeros(theta, names)

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        v = lerp(state["square_avg"], gradient * gradient, share)
        after = {"square_avg": v}
        if centered:
            mean = after["grad_avg"] = lerp(state["grad_avg"], gradient, share)
            v = maximum(addcmul(v, mean, mean, value=-1), zero)  # rounding may leave a variance below zero
        spread = v.sqrt().add_(eps)
        if keep is None:
            return after, addcmul(theta, gradient / spread, lr, value=-1)  # to the bit what a `keep` of 0 gives
        buffer = after["momentum_buffer"] = addcdiv(state["momentum_buffer"] * keep, gradient, spread)
        return after, addcmul(theta, buffer, lr, value=-1)

    return Optimizer(init, update)


def adagrad(start: Tensor, eps: Tensor, lr_decay: Tensor | None) -> Optimizer:
    """theta -= lr / (1 + t * lr_decay) * g / (sqrt(s) + eps) after t steps, s = start + the sum of g^2."""
    one = torch.ones_like(eps)
    counters = () if lr_decay is None else ("step",)

    def init(theta: Tensor) -> State:
        return {"sum": torch.zeros_like(theta) + start} | _zeros(theta, (), counters)

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        total = addcmul(state["sum"], gradient, gradient)
        after = {"sum": total}
        if lr_decay is not None:
            lr = lr / addcmul(one, state["step"], lr_decay)
            after["step"] = state["step"] + one
        return after, addcdiv(theta, gradient * lr, total.sqrt().add_(eps), value=-1)

    return Optimizer(init, update)


def rprop(shrink: Tensor, grow: Tensor, smallest: Tensor, largest: Tensor) -> Optimizer:
    """theta -= d * sign(g): d grows while that sign stays; where it turned d shrinks and g counts as 0."""
    zero, one = torch.zeros_like(grow), torch.ones_like(grow)

    def init(theta: Tensor) -> State:
        return _zeros(theta, ("prev", "step_size")) | {"lr_weight": theta.new_ones(len(theta), 1)}

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        agreement = gradient * state["prev"]
        turned = agreement < zero
        factor = where(turned, shrink, where(agreement > zero, grow, one))
        size = addcmul(state["step_size"], state["lr_weight"], lr)  # 0 + 1 * lr at first, then as it was
        size = (size * factor).clamp_(smallest, largest)
        kept = where(turned, zero, gradient)
        after = {"prev": kept, "step_size": size, "lr_weight": zero.expand_as(state["lr_weight"])}
        return after, addcmul(theta, kept.sign(), size, value=-1)

    return Optimizer(init, update)


def decay_gradient(rule: Optimizer, decay: Tensor) -> Optimizer:
    """`rule` on g + decay * theta, the gradient with a penalty of decay/2 * sum theta^2."""

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        return rule.update(state, theta, addcmul(gradient, theta, decay), lr)

    return Optimizer(rule.init, update)


def decay_weights(rule: Optimizer, decay: Tensor) -> Optimizer:
    """`rule` from (1 - lr * decay) * theta: the gradient's averages do not see the decay."""

    def update(state: State, theta: Tensor, gradient: Tensor, lr: Tensor) -> tuple[State, Tensor]:
        return rule.update(state, addcmul(theta, theta, lr * decay, value=-1), gradient, lr)

    return Optimizer(rule.init, update)
