"""What bends the units of hidden layers: each function, and its derivative as torch's autograd reckons it.

    tanh        tanh(z)                    gelu      z * Phi(z), Phi the standard normal's distribution function
    relu        max(z, 0)                  silu      z * sigmoid(z)
    leaky_relu  z, below 0 z/100           sigmoid   1 / (1 + exp(-z))
    elu         z, below 0 exp(z) - 1      softplus  log(1 + exp(z))

Options are those that `torch.nn.functional` has by default. At a kink the derivative is that of the left side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_ATEN: Any = torch.ops.aten  # the operations that autograd itself calls: one pass over the numbers each


@dataclass(frozen=True)
class Activation:
    """A function of each element, and its pullback.

    forward   z -> a
    backward  (slope in a, z, a) -> slope in z
    """

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(torch.tanh, lambda slope, z, a: _ATEN.tanh_backward(slope, a)),
    "relu": Activation(functional.relu, lambda slope, z, a: _ATEN.threshold_backward(slope, a, 0)),
    "leaky_relu": Activation(
        functional.leaky_relu, lambda slope, z, a: _ATEN.leaky_relu_backward(slope, z, 0.01, False)
    ),
    "elu": Activation(functional.elu, lambda slope, z, a: _ATEN.elu_backward(slope, 1.0, 1.0, 1.0, False, z)),
    "gelu": Activation(functional.gelu, lambda slope, z, a: _ATEN.gelu_backward(slope, z)),
    "silu": Activation(functional.silu, lambda slope, z, a: _ATEN.silu_backward(slope, z)),
    "sigmoid": Activation(torch.sigmoid, lambda slope, z, a: _ATEN.sigmoid_backward(slope, a)),
    "softplus": Activation(functional.softplus, lambda slope, z, a: _ATEN.softplus_backward(slope, z, 1.0, 20.0)),
}
