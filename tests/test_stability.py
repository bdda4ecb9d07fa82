"""Limits of lr, the best lr and the epochs that it takes, against the walk itself."""

from __future__ import annotations

import math

import pytest
import torch

from gdtrain.engines.exact import descend_exactly
from gdtrain.engines.modes import Sgd
from gdtrain.engines.stability import NEAR, best_lr, epochs_to_near, lr_limit, shrinking
from tests.quadratics import F64, Rows, tensor

OPTIONS = [
    Sgd(),
    Sgd(weight_decay=0.5),
    Sgd(0.3),
    Sgd(0.9),
    Sgd(0.99, 0.5),
    Sgd(0.9, 0.9),
    Sgd(0.9, -0.5),
    Sgd(0.3, nesterov=True),
    Sgd(0.99, nesterov=True, weight_decay=0.1),
]
TWO = Rows(torch.diag(tensor(2, 1)), tensor(-4, -3))  # h = 4 and 1, optimum (2, 3)


def step(a: float, sgd: Sgd) -> torch.Tensor:
    """What one epoch multiplies (theta - optimum, buffer) by along a mode, as torch.optim.SGD has it, with lr 1."""
    momentum, gain = float(sgd.momentum), 1 - float(sgd.dampening)
    buffer = tensor(gain * a, momentum)
    used = tensor(a, 0) + momentum * buffer if sgd.nesterov else buffer
    return torch.stack([tensor(1, 0) - used, buffer])


@pytest.mark.parametrize("sgd", OPTIONS, ids=str)
@pytest.mark.parametrize("a", [1e-12, 1e-3, 0.3, 0.99, 1.0, 1.4, 3.0, 50.0])
def test_shrinking_is_the_spectral_radius(a: float, sgd: Sgd) -> None:
    radius = torch.linalg.eigvals(step(a, sgd)).abs().max()
    # A double eigenvalue is known to the root of a rounding only.
    assert float(torch.exp(-shrinking(tensor(a), sgd))) == pytest.approx(float(radius), rel=1e-7, abs=1e-7)


def test_a_slow_mode_shrinks_by_what_its_own_curvature_says() -> None:
    """Plain: -log1p(-a). With momentum m the steps add up to a / (1 - m)."""
    assert float(shrinking(tensor(1e-14), Sgd())) == pytest.approx(1e-14, rel=1e-12)
    assert float(shrinking(tensor(1e-14), Sgd(0.9))) == pytest.approx(1e-13, rel=1e-12)
    assert float(shrinking(tensor(1e-14), Sgd(0.9, 0.9))) == pytest.approx(1e-14, rel=1e-12)
    assert float(shrinking(tensor(1e-14), Sgd(0.9, nesterov=True))) == pytest.approx(1e-13, rel=1e-12)


@pytest.mark.parametrize("sgd", OPTIONS, ids=str)
def test_lr_limit(sgd: Sgd) -> None:
    """A millionth below it every mode shrinks, a millionth above the steepest grows: its matrix, and its descent."""
    h_P = TWO.quadratic.eigenvalues_P + sgd.weight_decay
    limit = lr_limit(h_P, sgd)
    largest = float(h_P.max())
    for share, stable in ((1 - 1e-6, True), (1 + 1e-6, False)):
        radius = torch.linalg.eigvals(step(share * limit * largest, sgd)).abs().max()
        assert bool(radius < 1) == stable
        lr_S1 = torch.full((1, 1), share * limit, dtype=F64)
        start = torch.zeros(1, 2, dtype=F64)
        (end,) = descend_exactly(TWO.quadratic, sgd, start, lr_S1=lr_S1, epochs=10**12, record=()).ends
        assert end.reason == ("epochs" if stable else "nonfinite")


@pytest.mark.parametrize(
    ("sgd", "expected"),
    [
        (Sgd(), 0.5),  # 2/h, h = 4
        (Sgd(weight_decay=4), 0.25),
        (Sgd(0.5), 0.75),  # 2 (1 + 1/2) / 4
        (Sgd(0.5, 0.5), 1.5),
        (Sgd(0.5, nesterov=True), 0.375),  # 2 (1 + 1/2) / ((1 + 1) 4)
        (Sgd(0.0, 0.7), 0.5),  # without momentum there is no dampening
        (Sgd(0.9, 1.0), math.inf),  # only the first gradient is ever used
        (Sgd(0.9, 1.5), 0.0),
        (Sgd(1.0), 0.0),
    ],
    ids=str,
)
def test_lr_limit_in_numbers(sgd: Sgd, expected: float) -> None:
    assert lr_limit(tensor(1, 4) + sgd.weight_decay, sgd) == pytest.approx(expected)


def test_nothing_curved_has_no_limit() -> None:
    assert lr_limit(tensor(0, 0), Sgd()) == math.inf
    assert best_lr(tensor(0, 0), Sgd()) is None
    assert best_lr(tensor(math.inf, 1), Sgd()) is best_lr(tensor(math.nan), Sgd()) is None
    assert epochs_to_near(tensor(0, 0), Sgd(), 0.1) == 0


def test_best_lr() -> None:
    """2/(4 + 1), at which both modes shrink by 0.6; 1/4 with momentum, or where a direction is not determined."""
    assert best_lr(tensor(4, 1), Sgd()) == pytest.approx(0.4)
    assert shrinking(0.4 * tensor(4, 1), Sgd()).tolist() == pytest.approx([-math.log(0.6)] * 2)
    assert best_lr(tensor(4, 1), Sgd(0.9)) == best_lr(tensor(4, 1, 0), Sgd()) == 0.25
    assert best_lr(tensor(4, 1, 1e-16), Sgd()) == 0.25  # a rounding of 4: at 2/4 the steepest mode would never shrink
    assert best_lr(tensor(4, 1, 1e-14), Sgd()) == pytest.approx(0.5)


@pytest.mark.parametrize("share", [1e-3, 0.01, 0.4, 0.9, 0.99])
@pytest.mark.parametrize("sgd", OPTIONS, ids=str)
def test_epochs_to_near(sgd: Sgd, share: float) -> None:
    """Once the first swings are over, so many epochs shrink the distance by a millionth.

    Where a mode's eigenvalues nearly meet it shrinks a little slower: hence within a factor of 5.
    """
    quadratic = TWO.quadratic.decayed(float(sgd.weight_decay))
    lr = share * lr_limit(quadratic.eigenvalues_P, sgd)
    epochs = epochs_to_near(quadratic.eigenvalues_P, sgd, lr)
    assert 0 < epochs < math.inf
    first, swing = int(epochs) // 2, int(epochs) // 4 + 1
    record = [*range(first, first + swing), *range(first + int(epochs), first + int(epochs) + swing)]
    lr_S1, start = torch.full((1, 1), lr, dtype=F64), torch.zeros(1, 2, dtype=F64)
    descent = descend_exactly(TWO.quadratic, sgd, start, lr_S1=lr_S1, epochs=record[-1], record=record)
    distance_K = (descent.recorded.theta_CSP[1:, 0] - quadratic.solution()).norm(dim=1)
    shrunk = float(distance_K[swing:].max() / distance_K[:swing].max())
    assert NEAR / 5 < shrunk < NEAR * 5


def test_beyond_the_limit_it_never_comes_near() -> None:
    assert epochs_to_near(tensor(4, 1), Sgd(), 0.51) == math.inf
