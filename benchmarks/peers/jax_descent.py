"""Gradient descent in JAX: one jit-compiled lax.scan over the epochs, in float64. `CASE EPOCHS LR START...`.

Loss and weights of every epoch are kept, as ours are. Prints the seconds of the epochs once all is compiled, and the
weights. Those seconds are spent beyond what a process needs that runs them once.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.decay import decay

SALES = Path(__file__).parents[2] / "data" / "sales.csv"

jax.config.update("jax_enable_x64", True)


def equation() -> Callable[[Any], Any]:
    return lambda theta_P: 0.5 * (theta_P[0] + 1 - 3) ** 2


def regression() -> Callable[[Any], Any]:
    rows = np.loadtxt(SALES, delimiter=",", skiprows=1)  # income, price, tax, sales
    x_NF, y_N = jnp.array(np.hstack([rows[:, :3], np.ones((len(rows), 1))])), jnp.array(rows[:, 3])
    return lambda theta_P: jnp.mean((x_NF @ theta_P - y_N) ** 2)


def exponential() -> Callable[[Any], Any]:
    frame = decay(1000)
    x_N, y_N = jnp.array(frame["x"]), jnp.array(frame["y"])
    return lambda theta_P: jnp.mean((theta_P[0] * jnp.exp(-theta_P[1] * x_N) + theta_P[2] - y_N) ** 2)


LOSSES = {"equation": equation, "regression": regression, "exponential": exponential}


def main(case: str, epochs: int, lr: float, start: list[float]) -> None:
    value_and_gradient = jax.value_and_grad(LOSSES[case]())

    def step(theta_P: Any, _: None) -> tuple[Any, tuple[Any, Any]]:
        loss, gradient_P = value_and_gradient(theta_P)
        return theta_P - lr * gradient_P, (loss, theta_P)

    descend = jax.jit(lambda theta_P: jax.lax.scan(step, theta_P, None, length=epochs))
    jax.block_until_ready(descend(jnp.array(start)))
    began = time.perf_counter()
    theta_P, _ = jax.block_until_ready(descend(jnp.array(start)))
    print(json.dumps({"seconds": time.perf_counter() - began, "weights": theta_P.tolist()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), [float(start) for start in sys.argv[4:]])
