"""Optimizers: a gradient and a learning rate in, the next parameters out.

Names, keyword names, defaults and rules are those of `torch.optim`, and so is every step, to rounding. An
optimizer is two pure functions, `init(theta)` and `update(state, theta, gradient, lr)`, for any number of
trials at once: theta and gradient are (S, P), lr and every other number (S, 1) or one for all. Its state is
a flat dict of tensors and nothing else, with the same keys all along: that is the checkpoint.

Below, g is the gradient and t counts steps from 1; `like` is a tensor of theta's dtype and device. What
values an option may have has been checked with the experiment.

Shapes: S trials, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gdtrain.optimizers import rules
from gdtrain.optimizers.rules import Optimizer, State

__all__ = ["OPTIMIZERS", "Optimizer", "State", "build"]

Number = float | Tensor  # one for all trials, or (S, 1): one for each


def build(name: str, options: Mapping[str, Any], like: Tensor) -> Optimizer:
    """The optimizer `name` with `torch.optim`'s keyword `options`; options left out have torch's defaults.

    Every numeric option may be a number or a tensor (S, 1). Raises KeyError for an unknown name and
    TypeError for an unknown option; the experiment has refused both.
    """
    optimizer = OPTIMIZERS[name](**options, like=like)
    own = {key: value for key, value in options.items() if isinstance(value, Tensor) and len(value) > 1}
    if not own:
        return optimizer
    return optimizer._replace(
        take=lambda rows: build(name, {**options, **{key: value[rows] for key, value in own.items()}}, like)
    )


def sgd(
    *,
    momentum: Number = 0.0,
    dampening: Number = 0.0,
    weight_decay: Number = 0.0,
    nesterov: bool = False,
    like: Tensor,
) -> Optimizer:
    """theta -= lr * b, where b is g, or with momentum b = momentum * b + (1 - dampening) * g.

    Torch's momentum: lr stays outside of b, and the first b is g, undamped. Nesterov's, which wants a
    momentum above 0 and no dampening, descends g + momentum * b. Polyak 1964; Sutskever et al. 2013.
    """
    if _off(momentum):
        rule = rules.plain()
    elif _off(dampening):
        rule = rules.momentum(_tensor(momentum, like), nesterov=nesterov)
    else:
        rule = rules.dampened_momentum(_tensor(momentum, like), _tensor(dampening, like))
    return _decayed(rule, weight_decay, like)


def adam(
    *,
    betas: Sequence[Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    amsgrad: bool = False,
    decoupled_weight_decay: bool = False,
    like: Tensor,
) -> Optimizer:
    """theta -= lr * m/c1 / (sqrt(v/c2) + eps), m and v averages of g and g^2, c1 and c2 1 - beta^t.

    With amsgrad v is the largest so far. Kingma and Ba 2015, algorithm 1; Reddi, Kale and Kumar 2018.
    """
    rule = rules.adam(*_shares(betas, like), _tensor(eps, like), amsgrad=amsgrad)
    return _decayed(rule, weight_decay, like, decoupled=decoupled_weight_decay)


def adamw(
    *,
    betas: Sequence[Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 1e-2,
    amsgrad: bool = False,
    like: Tensor,
) -> Optimizer:
    """Adam with decoupled weight decay: theta shrinks by lr * weight_decay a step.

    Loshchilov and Hutter 2019, algorithm 2.
    """
    rule = rules.adam(*_shares(betas, like), _tensor(eps, like), amsgrad=amsgrad)
    return _decayed(rule, weight_decay, like, decoupled=True)


def nadam(
    *,
    betas: Sequence[Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    momentum_decay: Number = 4e-3,
    decoupled_weight_decay: bool = False,
    like: Tensor,
) -> Optimizer:
    """Adam with Nesterov's momentum, which grows to beta1 as 1 - 0.96^(t * momentum_decay) / 2.

    Dozat 2016.
    """
    decays = momentum_decay.flatten().tolist() if isinstance(momentum_decay, Tensor) else [momentum_decay]
    fade = _tensor(torch.tensor([0.96**decay for decay in decays], dtype=torch.float64), like)
    rule = rules.nadam(_tensor(betas[0], like), *_shares(betas, like), _tensor(eps, like), fade)
    return _decayed(rule, weight_decay, like, decoupled=decoupled_weight_decay)


def radam(
    *,
    betas: Sequence[Number] = (0.9, 0.999),
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    decoupled_weight_decay: bool = False,
    like: Tensor,
) -> Optimizer:
    """Adam that leaves v out of its first steps and lets it in by degrees. Liu et al. 2020, algorithm 2."""
    rule = rules.radam(*_shares(betas, like), _tensor(eps, like))
    return _decayed(rule, weight_decay, like, decoupled=decoupled_weight_decay)


def rmsprop(
    *,
    alpha: Number = 0.99,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    momentum: Number = 0.0,
    centered: bool = False,
    like: Tensor,
) -> Optimizer:
    """theta -= lr * g / (sqrt(v) + eps), v the average of g^2; centered: less the square of that of g.

    Torch's order: eps stands outside of the root; momentum gathers the quotients, lr stays outside.
    Hinton 2012.
    """
    keep = None if _off(momentum) else _tensor(momentum, like)
    rule = rules.rmsprop(_tensor(1 - alpha, like), _tensor(eps, like), keep, centered=centered)
    return _decayed(rule, weight_decay, like)


def adagrad(
    *,
    lr_decay: Number = 0.0,
    weight_decay: Number = 0.0,
    initial_accumulator_value: Number = 0.0,
    eps: Number = 1e-10,
    like: Tensor,
) -> Optimizer:
    """theta -= lr / (1 + (t - 1) * lr_decay) * g / (sqrt(sum of g^2) + eps). Duchi, Hazan and Singer 2011."""
    decay = None if _off(lr_decay) else _tensor(lr_decay, like)
    rule = rules.adagrad(_tensor(initial_accumulator_value, like), _tensor(eps, like), decay)
    return _decayed(rule, weight_decay, like)


def rprop(
    *, etas: Sequence[Number] = (0.5, 1.2), step_sizes: Sequence[Number] = (1e-6, 50.0), like: Tensor
) -> Optimizer:
    """Each parameter has a step size of its own, and of its gradient only the sign counts.

    The step size starts at lr, which has no say later. It grows by etas[1] while the sign stays and shrinks
    by etas[0] where the sign turned, within `step_sizes`; a parameter whose sign turned rests for a step.
    Riedmiller and Braun 1993, without weight backtracking.
    """
    return rules.rprop(*(_tensor(number, like) for number in (*etas, *step_sizes)))


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": sgd,
    "adam": adam,
    "adamw": adamw,
    "nadam": nadam,
    "radam": radam,
    "rmsprop": rmsprop,
    "adagrad": adagrad,
    "rprop": rprop,
}


def _tensor(number: Number, like: Tensor) -> Tensor:
    """`number` as (1, 1), or (S, 1), of the dtype and device of `like`."""
    return torch.as_tensor(number, dtype=like.dtype, device=like.device).reshape(-1, 1)


def _shares(betas: Sequence[Number], like: Tensor) -> tuple[Tensor, Tensor]:
    """1 - beta1 and 1 - beta2, taken before rounding: in float32, 1 - 0.999 would lose three digits."""
    beta1, beta2 = betas
    return _tensor(1 - beta1, like), _tensor(1 - beta2, like)


def _off(number: Number) -> bool:
    return not isinstance(number, Tensor) and number == 0


def _decayed(rule: Optimizer, weight_decay: Number, like: Tensor, *, decoupled: bool = False) -> Optimizer:
    if _off(weight_decay):
        return rule
    decay = rules.decay_weights if decoupled else rules.decay_gradient
    return decay(rule, _tensor(weight_decay, like))
