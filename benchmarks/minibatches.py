"""Mini-batches beside the loops that a user would write in torch: a DataLoader, or tensors indexed by hand; one thread.

All go through the same orders, so that they must come to the same weights. Ours also reckons the loss over all rows at
the start and after every epoch, which the others do not.

Shapes: N rows, F features.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, huber_loss
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.bigdata import FEATURES, Array, in_memory
from benchmarks.cases import Case, descent
from benchmarks.labelled import frame_of, labelled
from benchmarks.measure import Row, Run, Side, interleaved
from gdtrain.draws import generator
from gdtrain.engines.minibatches import PURPOSE

ROWS, SIZE, EPOCHS = 1_000_000, 1024, 2
ROUNDS = 7  # at most
FEW_ROUNDS = 3  # of what takes half a minute
LR = 0.01
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "huber": huber_loss,
    "logistic": binary_cross_entropy_with_logits,
}
Batches = Iterable[Iterable[Tensor]]  # rows x (B, F) and y (B,)


def minibatches(repeats: int) -> Iterator[Row]:
    """Regressions on 1,000,000 rows of 20 features."""
    torch.set_num_threads(1)
    for loss in LOSSES:
        features, target = in_memory(ROWS) if loss == "huber" else _logistic()
        x_NF, y_N = torch.from_numpy(features), torch.from_numpy(target)
        frame = frame_of(features.T, target)
        case = Case(_experiment(loss), lambda start_P: [], lambda columns: huber_loss, frame)
        sides = partial(_beside, loss, descent(case.plan(EPOCHS, "auto")))
        yield from sides("tensors indexed by hand", partial(_indexed, x_NF, y_N), min(repeats, ROUNDS), 1.0)
        yield from sides("DataLoader, TensorDataset", partial(_loaded, x_NF, y_N), min(repeats, FEW_ROUNDS), 0.5)


def _experiment(loss: str) -> dict[str, Any]:
    return {
        "regress": {"target": "y"},
        "loss": loss,
        "data": {"scale": "none"},
        "train": {"optimizer": "sgd", "lr": LR, "batch_size": SIZE},
    }


def _logistic() -> tuple[Array, Array]:
    x_FN, y_N = labelled("logistic", ROWS)
    return x_FN.T.copy(), y_N


def _beside(
    loss: str, ours: Side, against: str, batches: Callable[[Tensor], Batches], rounds: int, bound: float
) -> Iterator[Row]:
    sides: dict[str, Side] = {"gdtrain": ours, against: partial(_by_hand, LOSSES[loss], batches)}
    found = interleaved(sides, rounds, warm_up=rounds > FEW_ROUNDS)
    case = f"{loss}, {ROWS:,} x {FEATURES}, batches of {SIZE:,}, an epoch"
    row = Row.compare(case, "loop", against, found["gdtrain"], found[against], bound)
    yield replace(row, ours=row.ours / EPOCHS, theirs=row.theirs / EPOCHS)


def _indexed(x_NF: Tensor, y_N: Tensor, order_N: Tensor) -> Batches:
    return ((x_NF[rows], y_N[rows]) for rows in torch.split(order_N, SIZE))


def _loaded(x_NF: Tensor, y_N: Tensor, order_N: Tensor) -> Batches:
    return DataLoader(TensorDataset(x_NF, y_N), batch_size=SIZE, sampler=order_N.tolist())


def _by_hand(loss: Callable[[Tensor, Tensor], Tensor], batches: Callable[[Tensor], Batches]) -> Run:
    """A linear layer and torch.optim.SGD."""
    model = torch.nn.Linear(FEATURES, 1, dtype=torch.float64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    sgd = torch.optim.SGD(model.parameters(), lr=LR)
    began = time.perf_counter()
    for epoch in range(1, EPOCHS + 1):
        for x_BF, y_B in batches(torch.from_numpy(generator(0, epoch, PURPOSE).permutation(ROWS))):
            sgd.zero_grad()
            loss(model(x_BF).squeeze(1), y_B).backward()  # type: ignore[no-untyped-call]
            sgd.step()
    seconds = time.perf_counter() - began
    return Run(seconds, (*model.weight.flatten().tolist(), model.bias.item()))
