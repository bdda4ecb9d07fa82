"""How much memory a logistic regression takes beyond its rows. `gdtrain|torch ROWS EPOCHS`.

Each holds the rows as it wants them, columns or a matrix, and trains on a thousand first, so that what libraries load
counts for neither. Prints the bytes by which the peak lies above that, and the weights.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial

import torch

from benchmarks.classifiers import experiment, hand
from benchmarks.labelled import frame_of, labelled
from benchmarks.scripts.growth import growth

Weights = list[float] | tuple[float, ...]


def gdtrain(rows: int, epochs: int) -> Callable[[], Weights]:
    from gdtrain.experiment.load import load
    from gdtrain.train import train

    frame = frame_of(*labelled("logistic", rows))
    loaded = load(experiment("logistic", epochs=epochs), [], framed=True)
    return lambda: [parameter.value for parameter in train(loaded, frame=frame).parameters]


def by_hand(rows: int, epochs: int) -> Callable[[], Weights]:
    x_FN, y_N = labelled("logistic", rows)
    return partial(hand, "logistic", torch.from_numpy(x_FN.T.copy()), torch.from_numpy(y_N), epochs)


SIDES = {"gdtrain": gdtrain, "torch": by_hand}


def main(side: str, rows: int, epochs: int) -> None:
    torch.set_num_threads(1)
    SIDES[side](1000, epochs)()
    taken, weights = growth(SIDES[side](rows, epochs))
    print(json.dumps({"bytes": taken, "weights": weights}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
