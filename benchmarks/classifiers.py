"""Losses of a likelihood on a million rows: all rows at once beside the loop that a user would write in torch, and its
memory; and how long a good fit takes, beside scikit-learn.

Shapes: N rows, F features.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.bigdata import FEATURES
from benchmarks.cases import Case, descent, whole_run
from benchmarks.labelled import CLASSES, frame_of, labelled
from benchmarks.measure import Row, Run, Side, interleaved
from benchmarks.peers import absent, peer
from benchmarks.process import run
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import Override
from gdtrain.results import Result
from gdtrain.train import train

ROWS, EPOCHS = 1_000_000, 20
ROUNDS = 7  # at most
FEW_ROUNDS = 3  # of what has no bound
MEMORY_ROUNDS = 3
THREADS = (1, 2)
NEAR = 1e-4  # of the least log loss
ENOUGH = 60  # epochs to find that
LR = 0.1
AGAINST = "torch.optim.SGD by hand"


@dataclass(frozen=True)
class Likelihood:
    """A loss as torch has it.

    of      predictions and targets to the loss
    sets    of weights: with classes one for each, where ours has none for the first
    bound   of the time that our epochs may take, as a share of theirs
    """

    of: Callable[[Tensor, Tensor], Tensor]
    sets: int = 1
    bound: float | None = None


LIKELIHOODS = {
    "logistic": Likelihood(functional.binary_cross_entropy_with_logits, bound=1.0),
    "softmax": Likelihood(functional.cross_entropy, CLASSES),
    "poisson": Likelihood(functional.poisson_nll_loss),
}


def classifiers(repeats: int) -> Iterator[Row]:
    """Each loss, on one thread and on two; then memory."""
    before = torch.get_num_threads()
    for loss in LIKELIHOODS:
        yield from _beside_hand(loss, min(repeats, ROUNDS if LIKELIHOODS[loss].bound else FEW_ROUNDS))
    torch.set_num_threads(before)
    yield _memory(min(repeats, MEMORY_ROUNDS))
    yield _near_the_optimum(min(repeats, MEMORY_ROUNDS))


def experiment(loss: str, **train: Any) -> dict[str, Any]:
    """A regression on all columns, as they are."""
    return {
        "regress": {"target": "y"},
        "loss": loss,
        "data": {"scale": "none"},
        "train": {"optimizer": "sgd", "lr": LR, **train},
    }


def hand(loss: str, x_NF: Tensor, y_N: Tensor, epochs: int) -> tuple[float, ...]:
    """The loop by hand; its weights, the intercept last, where they are ours."""
    likelihood = LIKELIHOODS[loss]
    alone = likelihood.sets == 1
    w = torch.zeros(FEATURES, *([] if alone else [likelihood.sets]), dtype=x_NF.dtype, requires_grad=True)
    b = torch.zeros(likelihood.sets, dtype=x_NF.dtype, requires_grad=True)
    sgd = torch.optim.SGD([w, b], lr=LR)
    for _ in range(epochs):
        sgd.zero_grad()
        likelihood.of(x_NF @ w + b, y_N).backward()  # type: ignore[no-untyped-call]
        sgd.step()
    return (*w.tolist(), b.item()) if alone else ()


def _beside_hand(loss: str, repeats: int) -> Iterator[Row]:
    x_FN, y = labelled(loss, ROWS)
    x_NF, y_N = torch.from_numpy(x_FN.T.copy()), torch.from_numpy(y)
    case = Case(experiment(loss), lambda start_P: [], lambda columns: LIKELIHOODS[loss].of, frame_of(x_FN, y))
    del x_FN
    plan, whole = descent(case.plan(EPOCHS, "auto")), whole_run(case, EPOCHS)
    target = y_N.long() if LIKELIHOODS[loss].sets > 1 else y_N
    sides: dict[tuple[str, int], Side] = {}
    for count in [count for count in THREADS if count <= (os.cpu_count() or 1)]:
        sides[AGAINST, count] = _on(count, lambda: _timed(lambda: hand(loss, x_NF, target, EPOCHS)))
        sides["", count] = _on(count, plan)
        sides[", whole run", count] = _on(count, whole)
    rounds = interleaved(sides, repeats)
    for (ours, count), found in rounds.items():
        if ours != AGAINST:
            label = f"{loss}, {ROWS:,} x {FEATURES}, {EPOCHS} epochs{ours}"
            against = f"{AGAINST}, {count} thread{'s'[: count > 1]}"
            theirs = rounds[AGAINST, count]
            mine = found if theirs[0].weights else [each._replace(weights=()) for each in found]
            bound = None if ours else LIKELIHOODS[loss].bound
            yield Row.compare(label, "loop", against, mine, theirs, bound)


def _on(threads: int, side: Side) -> Side:
    def run_on() -> Run:
        torch.set_num_threads(threads)
        return side()

    return run_on


def _timed(train: Callable[[], tuple[float, ...]]) -> Run:
    began = time.perf_counter()
    weights = train()
    return Run(time.perf_counter() - began, weights)


def _near_the_optimum(repeats: int) -> Row:
    """How long it takes to come near the least log loss: ours with what it chooses itself, in as few epochs as do."""
    x_FN, y_N = labelled("logistic", ROWS)
    frame = frame_of(x_FN, y_N)
    del x_FN
    torch.set_num_threads(1)

    source = {"regress": {"target": "y"}, "loss": "logistic"}

    def fit(epochs: int) -> Result:
        return train(load(source, [Override("train.epochs", epochs, "--epochs")], framed=True), frame=frame)

    def ours() -> tuple[float, ...]:
        fit(epochs)
        return ()

    losses = fit(ENOUGH).recorded.loss_K.tolist()
    least = min(losses)
    epochs = next(epoch for epoch, loss in enumerate(losses) if loss <= least + NEAR)
    case = f"logistic, {ROWS:,} x {FEATURES}, to {NEAR:g} of the least log loss, lr auto, {epochs} epochs, whole run"

    def theirs() -> Run:
        child = peer("lbfgs", str(ROWS), repr(least), repr(NEAR))
        return Run(child.says().get("seconds", 1.0), (), child.trouble)

    if lack := absent("sklearn"):
        return Row(case, "loop", "lbfgs of scikit-learn", absent=lack)
    rounds = interleaved({"ours": lambda: _timed(ours), "theirs": theirs}, repeats, warm_up=False)
    return Row.compare(case, "loop", "lbfgs of scikit-learn, in as few iterations", rounds["ours"], rounds["theirs"])


def _memory(repeats: int) -> Row:
    """What each holds at most beyond its rows."""
    rounds = interleaved({side: _beyond_rows(side) for side in ("gdtrain", "torch")}, repeats, warm_up=False)
    case = f"memory beyond the rows, logistic, {ROWS:,} x {FEATURES}, whole run"
    return Row.compare(case, "loop", AGAINST, rounds["gdtrain"], rounds["torch"], 1.0, unit="B")


def _beyond_rows(side: str) -> Side:
    def measured() -> Run:
        child = run(["-m", "benchmarks.scripts.logistic_memory", side, str(ROWS), str(EPOCHS)])
        said = child.says()
        return Run(said.get("bytes", 1), tuple(said.get("weights", ())), child.trouble)

    return measured
