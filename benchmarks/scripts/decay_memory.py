"""How much memory training a*exp(-b*x) + c takes beyond its data. `gdtrain|torch ROWS EPOCHS`.

Each trains on a thousand rows first, so that what libraries load counts for neither. Prints the bytes by which the
peak lies above what was held once the data was made, and the weights.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn.functional import mse_loss

from benchmarks.byhand import with_update
from benchmarks.decay import EXPERIMENT, LR, START, decay
from benchmarks.scripts.growth import growth

Frame = Mapping[str, np.ndarray[Any, Any]]


def gdtrain(frame: Frame, epochs: int) -> list[float]:
    from gdtrain.experiment.load import load
    from gdtrain.experiment.overrides import Override
    from gdtrain.train import train

    experiment = load(EXPERIMENT, [Override("train.epochs", epochs, "--epochs")], framed=True)
    return [parameter.value for parameter in train(experiment, frame=frame).parameters]


def by_hand(frame: Frame, epochs: int) -> list[float]:
    x_N, y_N = torch.from_numpy(frame["x"]), torch.from_numpy(frame["y"])
    leaves = [torch.tensor(start, dtype=torch.float64, requires_grad=True) for start in START.values()]
    with_update(lambda a, b, c: mse_loss(a * torch.exp(-b * x_N) + c, y_N), leaves, LR, epochs)
    return [leaf.item() for leaf in leaves]


SIDES: dict[str, Callable[[Frame, int], list[float]]] = {"gdtrain": gdtrain, "torch": by_hand}


def main(side: str, rows: int, epochs: int) -> None:
    torch.set_num_threads(1)
    SIDES[side](decay(1000), epochs)
    frame = decay(rows)
    taken, weights = growth(lambda: SIDES[side](frame, epochs))
    print(json.dumps({"bytes": taken, "weights": weights}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
