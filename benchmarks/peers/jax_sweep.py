"""Many learning rates of a*exp(-b*x) + c side by side in JAX: vmap of the jit-compiled scan. `EPOCHS RATES START`, the
last two as JSON.

Loss and weights of every epoch are kept. Prints the seconds of a first call, which compiles, those of a second, and the
weights, trial by trial.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.peers.jax_descent import exponential


def main(epochs: int, rates: Sequence[float], start: Sequence[float]) -> None:
    value_and_gradient = jax.value_and_grad(exponential())

    def descend(theta_P: Any, lr: Any) -> Any:
        def step(theta_P: Any, _: None) -> tuple[Any, tuple[Any, Any]]:
            loss, gradient_P = value_and_gradient(theta_P)
            return theta_P - lr * gradient_P, (loss, theta_P)

        return jax.lax.scan(step, theta_P, None, length=epochs)

    side_by_side = jax.jit(jax.vmap(descend, in_axes=(None, 0)))
    theta_P, lr_S = jnp.array(start), jnp.array(rates)
    first, _ = _timed(side_by_side, theta_P, lr_S)
    seconds, theta_SP = _timed(side_by_side, theta_P, lr_S)
    print(json.dumps({"first": first, "seconds": seconds, "weights": theta_SP.flatten().tolist()}))


def _timed(side_by_side: Any, theta_P: Any, lr_S: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    theta_SP, _ = jax.block_until_ready(side_by_side(theta_P, lr_S))
    return time.perf_counter() - began, theta_SP


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3]))
