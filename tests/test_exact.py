"""The exact engine against those that walk: torch.optim.SGD and the loop, and what no walk could reach."""

from __future__ import annotations

import math
import time
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import Tensor

from gdtrain.engines import exact
from gdtrain.engines.exact import descend_exactly
from gdtrain.engines.loop import Descent, descend
from gdtrain.engines.modes import Sgd, reach
from gdtrain.engines.stability import lr_limit
from gdtrain.engines.states import End, Stops
from gdtrain.optimizers import build
from gdtrain.problem.quadratic import Quadratic
from tests.quadratics import F64, Rows, setting, tensor

OPTIONS = [Sgd(), Sgd(0.9), Sgd(0.9, 0.5), Sgd(0.9, nesterov=True), Sgd(weight_decay=0.1), Sgd(0.5, 0.2, False, 0.3)]
LINE = Rows(torch.tensor([[1, 1], [2, 1], [3, 1], [4, 1]], dtype=F64), tensor(-1, -3, -4, -8), 0.25)
EQUATION = Rows(tensor(1)[:, None], tensor(-2))  # x + 1 = 3: with h = 1, x_k = 2 - 2 (1 - lr)^k from 0


def column(*numbers: float) -> Tensor:
    """(S, 1)"""
    return tensor(*numbers)[:, None]


def exactly(
    rows: Rows | Quadratic,
    sgd: Sgd = OPTIONS[0],
    start: Tensor | None = None,
    *,
    lr: Tensor,
    epochs: int,
    record: Collection[int] | None = None,
    **more: Any,
) -> Descent:
    """From 0, and with every epoch recorded, unless told otherwise."""
    quadratic = rows.quadratic if isinstance(rows, Rows) else rows
    start = torch.zeros(len(lr), quadratic.R_MP.shape[1], dtype=F64) if start is None else start
    record = range(epochs + 1) if record is None else record
    return descend_exactly(quadratic, sgd, start, lr_S1=lr, epochs=epochs, record=record, **more)


def walked(
    rows: Rows, sgd: Sgd, start: Tensor, *, lr: Tensor, epochs: int, record: Collection[int] = (), **more: Any
) -> Descent:
    """The same by the loop engine, on the compressed rows."""
    optimizer = build("sgd", asdict(sgd), like=start)
    more["decay"] = sgd.weight_decay
    return descend(rows.quadratic.to(start), optimizer, start, lr_S1=lr, epochs=epochs, record=record, **more)


def by_torch(rows: Rows, sgd: Sgd, start_P: Tensor, lr: float, epochs: int) -> Tensor:
    """Weights (K, P) of every epoch by torch.optim.SGD and autograd, on all rows."""
    theta = start_P.clone().requires_grad_()
    optimizer = torch.optim.SGD([theta], lr=lr, **asdict(sgd))
    states = [start_P]
    for _ in range(epochs):
        optimizer.zero_grad()
        rows.loss(theta).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        states.append(theta.detach().clone())
    return torch.stack(states)


def lr_of(rows: Rows, sgd: Sgd, share: float) -> float:
    """`share` of the limit; of 1/h where a dampening of 1 knows no limit."""
    h_P = rows.quadratic.eigenvalues_P + sgd.weight_decay
    limit = lr_limit(h_P, sgd)
    return share * (limit if math.isfinite(limit) else 1 / float(h_P.max()))


# Against those that walk


@pytest.mark.parametrize("seed", range(200))
def test_torch_comes_to_the_same(seed: int) -> None:
    """Every epoch: weights to 1e-9 of the trajectory's largest norm, losses to 1e-9 beside the residuals' rounding."""
    made = setting(seed)
    lr = lr_of(made.rows, made.sgd, made.share)
    expected_KP = by_torch(made.rows, made.sgd, made.start_P, lr, made.epochs)
    recorded = exactly(made.rows, made.sgd, made.start_P[None], lr=column(lr), epochs=made.epochs).recorded
    assert list(recorded.epochs) == list(range(made.epochs + 1))
    apart = (recorded.theta_CSP[:, 0] - expected_KP).norm(dim=1).max()
    assert apart <= 1e-9 * expected_KP.norm(dim=1).max()
    loss_apart = (recorded.loss_CS[:, 0] - made.rows.loss(expected_KP)).abs()
    assert bool((loss_apart <= made.rows.loss_tolerance(expected_KP)).all())


@pytest.mark.parametrize("sgd", OPTIONS, ids=str)
def test_the_loop_comes_to_the_same(sgd: Sgd) -> None:
    """States, gradients, ends: several trials at once, each with a start and a learning rate of its own."""
    start = column(0, 3, -2).expand(-1, 2).contiguous()
    lr = lr_of(LINE, sgd, 1) * column(0.1, 0.9, 1e-3)
    found = exactly(LINE, sgd, start, lr=lr, epochs=300)
    expected = walked(LINE, sgd, start, lr=lr, epochs=300, record=range(301))
    for name in ("loss_CS", "theta_CSP", "gradient_CSP", "lr_CS"):
        a, b = getattr(found.recorded, name), getattr(expected.recorded, name)
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
    assert [(end.epoch, end.reason, end.lr) for end in found.ends] == [(300, "epochs", rate) for (rate,) in lr.tolist()]
    torch.testing.assert_close(found.ends[1].theta_P, found.recorded.theta_CSP[-1, 1], rtol=1e-12, atol=1e-12)
    for a, b in zip(found.ends, expected.ends, strict=True):
        assert told(a) == pytest.approx(told(b), rel=1e-9, abs=1e-12)
    torch.testing.assert_close(found.recorded.gradient_CSP[0], expected.recorded.gradient_CSP[0], rtol=1e-12, atol=0)


def told(end: End) -> list[float]:
    """The numbers of an end."""
    compared = [end.norm, end.before, end.earlier]
    firsts = [end.first_loss, end.first_norm]
    return [end.loss, end.lr, *firsts, *compared, *end.theta_P.tolist(), *end.gradient_P.tolist()]


STOPS: list[Stops] = [
    Stops(grad_tol=1e-4),
    Stops(loss_tol=0.6),
    Stops(patience=3, min_delta=1e-3),
    Stops(grad_tol=1e-3, loss_tol=1e-9, patience=50, min_delta=1e-12),
    Stops(loss_tol=1e9),
    Stops(grad_tol=1e-300),
]


@pytest.mark.parametrize("stops", STOPS, ids=str)
@pytest.mark.parametrize("sgd", OPTIONS, ids=str)
def test_stops_end_where_the_loop_ends(sgd: Sgd, stops: Stops, monkeypatch: pytest.MonkeyPatch) -> None:
    start = column(0, 3, -2).expand(-1, 2).contiguous()
    lr = lr_of(LINE, sgd, 1) * column(0.3, 0.8, 2)
    expected = walked(LINE, sgd, start, lr=lr, epochs=700, stops=stops)
    for largest in (1 << 16, 7):  # the size of a chunk changes nothing
        monkeypatch.setattr(exact, "_CHUNK_EPOCHS", largest)
        found = exactly(LINE, sgd, start, lr=lr, epochs=700, stops=stops, record=range(0, 701, 100))
        assert [(end.epoch, end.reason) for end in found.ends] == [(end.epoch, end.reason) for end in expected.ends]
        assert {*range(0, max(end.epoch for end in found.ends), 100)} <= set(found.recorded.epochs)
        for a, b in zip(found.ends, expected.ends, strict=True):
            assert told(a) == pytest.approx(told(b), rel=1e-9, abs=1e-12, nan_ok=True)


def test_a_watch_may_end_a_run_with_stops() -> None:
    seen: list[int] = []

    def watch(epoch: int, loss: float) -> bool:
        seen.append(epoch)
        return len(seen) < 2

    (end,) = exactly(LINE, lr=column(0.01), epochs=10**6, stops=Stops(grad_tol=0), watch=watch).ends
    assert (end.epoch, end.reason) == (seen[-1], "interrupted") and len(seen) == 2


# What no walk reaches


@pytest.mark.parametrize("sgd", OPTIONS, ids=str)
def test_a_billion_epochs_come_to_the_optimum_at_once(sgd: Sgd) -> None:
    began = time.perf_counter()
    found = exactly(LINE, sgd, lr=column(lr_of(LINE, sgd, 0.5)), epochs=10**9, record=range(0, 10**9, 10**6))
    assert time.perf_counter() - began < 1
    decay = sgd.weight_decay
    assert isinstance(decay, float)
    torch.testing.assert_close(found.ends[0].theta_P, LINE.quadratic.decayed(decay).solution(), rtol=1e-12, atol=0)
    assert (found.ends[0].epoch, len(found.recorded.epochs)) == (10**9, 1001)


@pytest.mark.parametrize("epochs", [1, 2, 3, 1000, 10**6, 10**9])
def test_a_slow_mode_keeps_its_relative_accuracy(epochs: int) -> None:
    """x_k = 2 - 2 (1 - lr)^k = -2 expm1(k log1p(-lr)): with lr = 1e-12, 1 - lr keeps but four digits of lr."""
    (end,) = exactly(EQUATION, lr=column(1e-12), epochs=epochs, record=()).ends
    assert float(end.theta_P) == pytest.approx(-2 * math.expm1(epochs * math.log1p(-1e-12)), rel=1e-13)


@pytest.mark.parametrize("sgd", OPTIONS[1:4], ids=str)
def test_a_direction_that_does_not_matter_moves_with_a_constant_gradient(sgd: Sgd) -> None:
    """With a = 0 nothing brakes: the recurrences of sgd on a gradient of 1, with lr 1."""
    a_SP = torch.zeros(1, 1, dtype=F64)
    parameter = torch.zeros(1, dtype=F64, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=1, **asdict(sgd))
    at = reach(a_SP, sgd)
    for epoch in range(1, 50):
        parameter.grad = torch.ones(1, dtype=F64)
        optimizer.step()
        assert float(at(torch.tensor([[[epoch]]]))) == pytest.approx(-float(parameter.detach()), rel=1e-13)
    assert float(reach(a_SP, Sgd())(torch.tensor([[[10**9]]]))) == 1e9


def test_what_is_not_determined_stays_where_it_started() -> None:
    """Only a + b matters: a - b is the same after a billion epochs, to rounding."""
    rows = Rows(LINE.A_NP[:, :1].expand(-1, 2), LINE.c_N)
    start = torch.tensor([[0.3, -0.7]], dtype=F64)
    for sgd in OPTIONS[:4]:
        (end,) = exactly(rows, sgd, start, lr=column(lr_of(rows, sgd, 0.5)), epochs=10**9, record=()).ends
        assert float(end.theta_P[0] - end.theta_P[1]) == pytest.approx(1, rel=1e-14)
        torch.testing.assert_close(end.theta_P, rows.quadratic.solution(start[0]), rtol=1e-13, atol=0)


def test_more_parameters_than_rows_come_to_the_nearest_optimum() -> None:
    rows = Rows(torch.tensor([[1, 2, 3]], dtype=F64), tensor(-14))  # from 0: (1, 2, 3)
    (end,) = exactly(rows, lr=column(0.05), epochs=10**9, record=()).ends
    torch.testing.assert_close(end.theta_P, tensor(1, 2, 3), rtol=1e-14, atol=0)


@pytest.mark.parametrize("sgd", OPTIONS[:4], ids=str)
def test_exact_data_bring_the_loss_to_rounding_and_never_below_zero(sgd: Sgd) -> None:
    rows = Rows(LINE.A_NP, -LINE.A_NP @ tensor(1e6, -3e6), 0.25)
    found = exactly(rows, sgd, lr=column(lr_of(rows, sgd, 0.5)), epochs=10**5, record=range(0, 10**5, 97))
    assert bool((found.recorded.loss_CS >= 0).all())
    assert float(found.ends[0].loss) <= float(rows.rounding(tensor(1e6, -3e6))) ** 2


# Beyond the limit

BEYOND = [1.02, 1.5, 3.0, 1e3, 1e30, 1e150]


@pytest.mark.parametrize("sgd", OPTIONS, ids=str)
@pytest.mark.parametrize("start", [(0.0, 0.0), (5.0, -3.0)])
def test_the_first_epoch_that_is_not_finite_is_the_loop_s(sgd: Sgd, start: tuple[float, float]) -> None:
    """Found without walking."""
    lr = lr_of(LINE, sgd, 1) * column(*BEYOND)
    start_SP = tensor(*start).expand(len(lr), -1)
    expected = walked(LINE, sgd, start_SP, lr=lr, epochs=10**5).ends
    found = exactly(LINE, sgd, start_SP, lr=lr, epochs=10**9, record=range(0, 10**9, 10**8)).ends
    assert [end.reason for end in expected] == [end.reason for end in found] == ["nonfinite"] * len(BEYOND)
    assert [end.epoch for end in found] == [end.epoch for end in expected]
    for end in found:
        assert not math.isfinite(end.loss) and not end.theta_P.isnan().any()


@pytest.mark.parametrize("sgd", OPTIONS[:4], ids=str)
def test_an_overflow_stays_with_its_own_parameters(sgd: Sgd) -> None:
    """Columns are orthogonal: where one parameter overflows in the first epoch, the other, at its optimum, stays."""
    rows = Rows(torch.eye(2, dtype=F64), tensor(-10, 0))
    (end,) = exactly(rows, sgd, lr=column(1e308), epochs=10**9, record=()).ends
    assert (end.reason, end.epoch) == ("nonfinite", 1)
    assert float(end.theta_P[0]) > 1e307 and float(end.theta_P[1]) == 0


@pytest.mark.parametrize("sgd", OPTIONS[:4], ids=str)
@pytest.mark.parametrize("a", [1e100, 1e307, math.inf])
def test_the_first_step_is_taken_in_full_however_steep(a: float, sgd: Sgd) -> None:
    """It knows the first gradient only: lr * d_0, for Nesterov (1 + momentum) times that."""
    first = float(reach(column(a), sgd)(torch.tensor([[[1]]])))
    assert first == pytest.approx(1.9 if sgd.nesterov else 1, rel=1e-12)


def test_trials_that_diverge_leave_the_others_alone() -> None:
    lr = lr_of(LINE, Sgd(), 1) * column(0.5, 2, 1e200)
    descent = exactly(LINE, lr=lr, epochs=10**9, record=range(0, 10**9 + 1, 10**8))
    first, second, third = descent.ends
    assert (first.reason, first.epoch) == ("epochs", 10**9)
    assert (second.reason, third.reason, third.epoch) == ("nonfinite", "nonfinite", 1)
    assert 100 < second.epoch < 1000
    torch.testing.assert_close(first.theta_P, LINE.quadratic.solution(), rtol=1e-12, atol=0)
    states = descent.recorded.theta_CSP[:, 1][[epoch < second.epoch for epoch in descent.recorded.epochs]]
    assert bool(states.isfinite().all())


def test_at_the_limit_itself_it_swings_for_ever() -> None:
    """lr = 2/h: from 0, x is 4 after odd epochs and 0 after even ones."""
    descent = exactly(EQUATION, lr=column(2), epochs=10**9, record=(1, 2, 3, 10**9 - 1))
    assert descent.recorded.theta_CSP.flatten().tolist() == [0, 4, 0, 4, 4, 0]


@pytest.mark.parametrize(
    ("rows", "start", "epoch"),
    [
        (Rows(column(1e300), tensor(1e10)), (0.0,), 0),  # the gradient overflows
        (Rows(column(1e200), tensor(1)), (0.0,), 1),
        (Rows(column(math.inf), tensor(1)), (0.0,), 0),
        (Rows(column(math.nan), tensor(1)), (0.0,), 0),
        (LINE, (1e200, 0.0), 0),
        (LINE, (math.inf, 0.0), 0),
    ],
)
@pytest.mark.parametrize("stops", [Stops(), Stops(loss_tol=0)])
def test_what_overflows_at_once(rows: Rows, start: tuple[float, ...], epoch: int, stops: Stops) -> None:
    (end,) = exactly(rows, start=tensor(*start)[None], lr=column(0.1), epochs=10**9, record=(), stops=stops).ends
    assert (end.reason, end.epoch) == ("nonfinite", epoch)
    if epoch == 0:
        assert end.theta_P.tolist() == list(start)


# Trials, dtypes


def test_a_trial_beside_others_is_the_same_trial() -> None:
    """Each option may differ from trial to trial, and whether there is momentum at all."""
    momentum, dampening, decay, lr = (
        column(*n) for n in ((0, 0.9, 0.5), (0.5, 0, 0.2), (0, 0.1, 1), (0.01, 0.02, 0.03))
    )
    together = exactly(LINE, Sgd(momentum, dampening, False, decay), lr=lr, epochs=500).recorded
    for s in range(3):
        sgd = Sgd(float(momentum[s]), float(dampening[s]), False, float(decay[s]))
        alone = exactly(LINE, sgd, lr=lr[s : s + 1], epochs=500).recorded
        torch.testing.assert_close(together.theta_CSP[:, s], alone.theta_CSP[:, 0], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(together.loss_CS[:, s], alone.loss_CS[:, 0], rtol=1e-12, atol=1e-12)


def test_in_float32_the_states_and_what_is_finite_are_float32() -> None:
    start = torch.zeros(2, 2)
    lr = (lr_of(LINE, Sgd(), 1) * column(0.5, 2)).float()
    found = exactly(LINE, start=start, lr=lr, epochs=1000)
    expected = walked(LINE, Sgd(), start, lr=lr, epochs=1000)
    assert found.recorded.theta_CSP.dtype == found.recorded.loss_CS.dtype == torch.float32
    assert [(end.epoch, end.reason) for end in found.ends] == [(end.epoch, end.reason) for end in expected.ends]
    torch.testing.assert_close(found.ends[0].theta_P, expected.ends[0].theta_P, rtol=1e-5, atol=1e-5)


def test_no_epochs_is_the_start() -> None:
    descent = exactly(LINE, lr=column(0.1), epochs=0)
    assert (descent.ends[0].epoch, descent.ends[0].reason, list(descent.recorded.epochs)) == (0, "epochs", [0])
    assert not descent.ends[0].theta_P.any()
