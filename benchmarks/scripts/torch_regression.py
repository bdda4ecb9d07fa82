"""The plain torch script: read a CSV with polars, descend on all rows at once. `PATH EPOCHS LR`.

Prints the seconds of the epochs alone, and the weights, the intercept last.
"""

from __future__ import annotations

import json
import sys
import time

import polars
import torch
from torch.nn.functional import mse_loss

from benchmarks.byhand import with_update


def main(path: str, epochs: int, lr: float) -> None:
    frame = polars.read_csv(path)
    x_NF = torch.from_numpy(frame.drop("y").with_columns(intercept=1.0).to_numpy())
    y_N = torch.from_numpy(frame["y"].to_numpy(writable=True))
    w_F = torch.zeros(x_NF.shape[1], dtype=torch.float64, requires_grad=True)
    began = time.perf_counter()
    with_update(lambda w: mse_loss(x_NF @ w, y_N), [w_F], lr, epochs)
    print(json.dumps({"seconds": time.perf_counter() - began, "weights": w_F.tolist()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
