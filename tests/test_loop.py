"""The loop engine: where trials end, what is recorded, and that neither clock nor neighbours change a result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from gdtrain.engines import loop
from gdtrain.engines.ends import Stops, gradient_norm
from gdtrain.engines.loop import Descent, descend
from gdtrain.optimizers import build
from tests.problems import KNOWN, Known, all_known, around, problem, start

F64 = torch.float64


def column(*numbers: float) -> Tensor:
    """(S, 1)"""
    return torch.tensor(numbers, dtype=F64)[:, None]


class Bowl:
    """loss = theta^2 / 2 of one parameter: its gradient is theta, so that sgd multiplies theta by 1 - lr."""

    def loss_and_gradient(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        return (theta_SP * theta_SP).sum(-1) / 2, theta_SP

    def terms(self, theta_SP: Tensor) -> Iterator[Tensor]:
        yield (theta_SP * theta_SP).sum(-1) / 2

    def jacobians(self, theta_1P: Tensor) -> Iterator[Tensor]:
        return iter(())


class Table(Bowl):
    """The loss of epoch k is the k-th number: what the stops see, whatever the parameters."""

    def __init__(self, *losses: float) -> None:
        self.losses, self.calls = losses, 0

    def loss_and_gradient(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        loss = self.losses[min(self.calls, len(self.losses) - 1)]
        self.calls += 1
        return theta_SP.new_full(theta_SP.shape[:1], loss), torch.ones_like(theta_SP)


def walk(objective: Any = None, *, theta: Tensor | None = None, lr: Tensor | None = None, **more: Any) -> Descent:
    theta = column(1.0) if theta is None else theta
    rates = column(0.5) if lr is None else lr
    optimizer = more.pop("optimizer", None) or build("sgd", {}, like=theta)
    return descend(objective or Bowl(), optimizer, theta, lr_S1=rates, **more)


# --- the clock ---------------------------------------------------------------------------------------------------

CLOCKS: list[Mapping[str, float]] = [
    {"_CHUNK_EPOCHS": 1},
    {"_CHUNK_EPOCHS": 7},
    {"_CHUNK_EPOCHS": 64, "_CHUNK_SECONDS": 1e9},
    {"_CHUNK_SECONDS": 0.0},
    {"_CHUNK_NUMBERS": 1},
]
ENDINGS: list[dict[str, Any]] = [
    {},
    {"stops": Stops(grad_tol=1e-3)},
    {"stops": Stops(loss_tol=1e-5)},
    {"stops": Stops(patience=3, min_delta=1e-4)},
    {"halving": True, "lr": column(2.9)},
    {"lr": column(1e30)},
    {"record": lambda epoch: epoch % 10 == 0},
]


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: "".join(ending) or "epochs")
def test_the_clock_changes_nothing(ending: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks may have any size: the same epochs with the same states are kept, and the same end is found."""
    expected = walk(epochs=200, **ending)
    for clock in CLOCKS:
        with monkeypatch.context() as patched:
            for name, value in clock.items():
                patched.setattr(loop, name, value)
            found = walk(epochs=200, **ending)
        assert found.recorded.epochs == expected.recorded.epochs, clock
        for name in ("loss_CS", "theta_CSP", "gradient_CSP", "lr_CS"):
            assert torch.equal(getattr(found.recorded, name), getattr(expected.recorded, name)) or ending.get("lr") is not None
            torch.testing.assert_close(
                getattr(found.recorded, name), getattr(expected.recorded, name), rtol=0, atol=0, equal_nan=True
            )
        assert [(e.epoch, e.reason, e.lr) for e in found.ends] == [(e.epoch, e.reason, e.lr) for e in expected.ends]


# --- ends ---------------------------------------------------------------------------------------------------------

# theta halves each epoch: theta_k = 2^-k, gradient 2^-k, loss 2^-(2k+1).
EXACT: list[tuple[Stops, int, str]] = [
    (Stops(), 50, "epochs"),
    (Stops(grad_tol=2.0**-7), 7, "grad_tol"),  # at most: 2^-7 counts
    (Stops(grad_tol=2.0**-7 * 0.999), 8, "grad_tol"),
    (Stops(loss_tol=2.0**-9), 4, "loss_tol"),  # 2^-(2*4+1)
    (Stops(loss_tol=2.0**-9 * 0.999), 5, "loss_tol"),
    (Stops(grad_tol=2.0**-4, loss_tol=2.0**-9), 4, "grad_tol"),  # both at epoch 4
    (Stops(grad_tol=2.0**-30, loss_tol=2.0**-9), 4, "loss_tol"),
    (Stops(loss_tol=1.0), 0, "loss_tol"),
    # A drop of more than 1/100: 3/8, 3/32, 3/128 up to epoch 3, then 3/512 < 1/100, so epochs 4 and 5 are waited.
    (Stops(patience=1, min_delta=0.01), 4, "patience"),
    # The best stays that of epoch 3, 1/128 < 1/100 above any later one: no drift counts as progress.
    (Stops(patience=2, min_delta=0.01), 5, "patience"),
    (Stops(patience=1), 50, "epochs"),
]


@pytest.mark.parametrize(("stops", "epoch", "reason"), EXACT)
def test_a_stop_cuts_at_its_epoch(stops: Stops, epoch: int, reason: str) -> None:
    descent = walk(epochs=50, stops=stops)
    (end,) = descent.ends
    assert (end.epoch, end.reason) == (epoch, reason)
    assert float(end.theta_P) == 2.0**-epoch
    assert float(end.loss) == 2.0 ** -(2 * epoch + 1)


def test_the_gradient_tolerance_grows_with_a_first_norm_above_one() -> None:
    """From theta = 1024 the norm at the start is 2^10: 2^-7 of it is 2^3, reached after 7 epochs; from 1/2 it is 1."""
    stops = Stops(grad_tol=2.0**-7)
    ends = walk(theta=column(1024.0, 0.5), lr=column(0.5, 0.5), epochs=50, stops=stops).ends
    assert [end.epoch for end in ends] == [7, 6]


@pytest.mark.parametrize(
    ("losses", "patience", "epoch"),
    [
        ((5, 4, 4, 4, 4), 2, 3),  # epochs 2 and 3 are no lower than 4
        ((5, 4, 4, 3, 3, 3), 2, 5),  # the 3 resets the count
        ((5, 6, 7, 4, 4, 4, 4), 3, 3),  # never below 5 before the third epoch, which is the third in a row... below
        ((5, math.nan, 4), 9, 1),  # not finite comes first
    ],
)
def test_patience_counts_epochs_without_a_lower_loss(losses: tuple[float, ...], patience: int, epoch: int) -> None:
    (end,) = walk(Table(*losses), epochs=20, stops=Stops(patience=patience)).ends
    if losses[:3] == (5, 6, 7):  # 6 and 7 are two; 4 is lower; 4, 4, 4 are three: epochs 4, 5, 6
        epoch = 6
    assert end.epoch == epoch
