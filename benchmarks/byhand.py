"""The training loops that a user would write by hand in torch: zero_grad, forward, backward, update.

Each is the quickest honest form of itself. Nothing is recorded or printed; losses are torch's fused ones where
there are any; parameters are as few tensors as the formula allows; a gradient is dropped, not filled with zeros;
the step is one operation in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Loss = Callable[..., Tensor]  # the parameters, each a leaf, to the loss
Loop = Callable[[Loss, Sequence[Tensor], float, int], None]


def with_optimizer(loss: Loss, parameters: Sequence[Tensor], lr: float, epochs: int) -> None:
    """Train `parameters` in place with torch.optim.SGD."""
    sgd = torch.optim.SGD(parameters, lr=lr)
    for _ in range(epochs):
        sgd.zero_grad()
        loss(*parameters).backward()  # type: ignore[no-untyped-call]
        sgd.step()


def with_update(loss: Loss, parameters: Sequence[Tensor], lr: float, epochs: int) -> None:
    """Train `parameters` in place, the update written out under no_grad."""
    for _ in range(epochs):
        for parameter in parameters:
            parameter.grad = None
        loss(*parameters).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for parameter in parameters:
                parameter.sub_(parameter.grad, alpha=lr)  # type: ignore[arg-type]


LOOPS: dict[str, Loop] = {"torch.optim.SGD by hand": with_optimizer, "no_grad update by hand": with_update}
