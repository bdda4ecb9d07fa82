"""The loop engine: where trials end, what is recorded, and that neither clock nor neighbours change a result."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from gdtrain.engines import loop
from gdtrain.engines.loop import Descent, descend
from gdtrain.engines.states import End, Stops
from gdtrain.engines.walk import RISE
from gdtrain.local.curvature import largest_curvature
from gdtrain.optimizers import OPTIMIZERS, build
from gdtrain.problem.problem import Problem
from tests.problems import Known, all_known, around, problem, start, unscaled

F64 = torch.float64
X = torch.linspace(0.0, 3.0, 50, dtype=F64).tolist()
Y = [2 * math.exp(-0.7 * x) + 0.1 * math.sin(9 * x) for x in X]


def column(*numbers: float) -> Tensor:
    """(S, 1)"""
    return torch.tensor(numbers, dtype=F64)[:, None]


class Bowl:
    """loss = theta^2 / 2 of one parameter: the gradient is theta, so that sgd multiplies theta by 1 - lr."""

    def loss_and_gradient(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        return (theta_SP * theta_SP).sum(-1) / 2, theta_SP

    def terms(self, theta_SP: Tensor) -> Iterator[Tensor]:
        yield (theta_SP * theta_SP).sum(-1) / 2

    def jacobians(self, theta_1P: Tensor) -> Iterator[Tensor]:
        return iter(())


class Scripted(Bowl):
    """The loss of epoch k is the k-th number, and then the last one: what the stops see of a run."""

    def __init__(self, *losses: float) -> None:
        self._losses, self._calls = losses, 0

    def loss_and_gradient(self, theta_SP: Tensor) -> tuple[Tensor, Tensor]:
        loss = self._losses[min(self._calls, len(self._losses) - 1)]
        self._calls += 1
        return theta_SP.new_full(theta_SP.shape[:1], loss), torch.ones_like(theta_SP)


def walk(objective: Any = None, *, theta: Tensor | None = None, lr: Tensor | None = None, **more: Any) -> Descent:
    """Sgd on the bowl from 1 with lr 1/2, unless told otherwise."""
    theta = column(1.0) if theta is None else theta
    optimizer = more.pop("optimizer", None) or build("sgd", {}, like=theta)
    if more.pop("halving", False):
        more["halving_S"] = torch.ones(len(theta), dtype=torch.bool)
    return descend(objective or Bowl(), optimizer, theta, lr_S1=column(0.5) if lr is None else lr, **more)


# The clock

CLOCKS: list[dict[str, float]] = [
    {"_CHUNK_EPOCHS": 1},
    {"_CHUNK_EPOCHS": 7},
    {"_CHUNK_EPOCHS": 64, "_CHUNK_SECONDS": 1e9},
    {"_CHUNK_SECONDS": 0.0},
    {"_CHUNK_NUMBERS": 1},
]
ENDINGS: dict[str, dict[str, Any]] = {
    "epochs": {},
    "grad_tol": {"stops": Stops(grad_tol=1e-3)},
    "loss_tol": {"stops": Stops(loss_tol=1e-5)},
    "patience": {"stops": Stops(patience=3, min_delta=1e-4)},
    "halving": {"halving": True, "lr": column(2.9)},
    "overflow": {"lr": column(1e30)},
    "thinned": {"record": range(0, 10**6, 10)},
    "apart": {"theta": column(1.0, 3.0, -2.0), "lr": column(0.5, 1e40, 0.1), "stops": Stops(grad_tol=1e-6)},
    "bounded": {"bounds": (column(0.25)[0], column(9.0)[0])},
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_clock_changes_nothing(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks may have any size: the ends, and every state up to them, stay the same bit for bit."""
    expected = walk(epochs=200, **ENDINGS[ending])
    for clock in CLOCKS:
        with monkeypatch.context() as patched:
            for name, value in clock.items():
                patched.setattr(loop, name, value)
            found = walk(epochs=200, **ENDINGS[ending])
        for s, (a, b) in enumerate(zip(found.ends, expected.ends, strict=True)):
            assert told(a) == told(b), clock
            assert history(found, s) == history(expected, s), clock


def told(end: End) -> list[str]:
    """All that an end says; text, since nan is not equal to itself."""
    return [repr(value.tolist() if isinstance(value, Tensor) else value) for value in vars(end).values()]


def history(descent: Descent, s: int = 0) -> list[tuple[object, ...]]:
    """What is kept of one trial up to its end: epoch, loss, theta, gradient; text where a number is none."""
    recorded = descent.recorded
    return [
        (epoch, *(repr(t[i, s].tolist()) for t in (recorded.loss_CS, recorded.theta_CSP, recorded.gradient_CSP)))
        for i, epoch in enumerate(recorded.epochs)
        if epoch <= descent.ends[s].epoch
    ]


# Ends

# theta halves each epoch: theta_k = 2^-k, gradient 2^-k, loss 2^-(2k + 1).
EXACT: list[tuple[Stops, int, str]] = [
    (Stops(), 50, "epochs"),
    (Stops(grad_tol=2.0**-7), 7, "grad_tol"),  # a norm of 2^-7 is at most that
    (Stops(grad_tol=2.0**-7 * 0.999), 8, "grad_tol"),
    (Stops(loss_tol=2.0**-9), 4, "loss_tol"),  # 2^-(2*4 + 1)
    (Stops(loss_tol=2.0**-9 * 0.999), 5, "loss_tol"),
    (Stops(grad_tol=2.0**-4, loss_tol=2.0**-9), 4, "grad_tol"),  # both at epoch 4
    (Stops(grad_tol=2.0**-30, loss_tol=2.0**-9), 4, "loss_tol"),
    (Stops(loss_tol=1.0), 0, "loss_tol"),  # the start has 1/2
    # Drops are 3/8, 3/32, 3/128 and 3/512, the first that is less than 1/100.
    (Stops(patience=1, min_delta=0.01), 4, "patience"),
    # The best stays that of epoch 3, 1/128: nothing is lower by 1/100, however far it drifts.
    (Stops(patience=2, min_delta=0.01), 5, "patience"),
    (Stops(patience=1), 50, "epochs"),
]


@pytest.mark.parametrize(("stops", "epoch", "reason"), EXACT)
def test_a_stop_cuts_at_its_epoch(stops: Stops, epoch: int, reason: str) -> None:
    (end,) = walk(epochs=50, stops=stops).ends
    assert (end.epoch, end.reason) == (epoch, reason)
    assert float(end.theta_P) == 2.0**-epoch
    assert float(end.loss) == 2.0 ** -(2 * epoch + 1)


def test_the_gradient_tolerance_grows_with_a_first_norm_above_one() -> None:
    """From 2^10 a share of 2^-7 is 2^3, after 7 epochs; from 2^-1, below one, it is 2^-7, after 6."""
    descent = walk(theta=column(2.0**10, 0.5), lr=column(0.5, 0.5), epochs=50, stops=Stops(grad_tol=2.0**-7))
    assert [end.epoch for end in descent.ends] == [7, 6]


PATIENCE = [
    ((5, 4, 4, 4, 4), 2, 3),  # epochs 2 and 3 are no lower than 4
    ((5, 4, 4, 3, 3, 3), 2, 5),  # 3 at epoch 3 starts the count anew
    ((5, 6, 7, 4, 4, 4, 4), 3, 6),  # 6 and 7 are two in a row, then 4 is lower, then three more
    ((5, 6, 4.5, 6, 6), 2, 4),
    ((5, 5), 1, 1),
]


@pytest.mark.parametrize(("losses", "patience", "epoch"), PATIENCE)
def test_patience_counts_epochs_without_a_lower_loss(losses: tuple[float, ...], patience: int, epoch: int) -> None:
    (end,) = walk(Scripted(*losses), epochs=20, stops=Stops(patience=patience)).ends
    assert (end.epoch, end.reason) == (epoch, "patience")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_ends_the_trial_at_its_epoch(bad: float) -> None:
    (end,) = walk(Scripted(5, 4, 3, bad, 2), epochs=20, stops=Stops(loss_tol=0.0, patience=9)).ends
    assert (end.epoch, end.reason) == (3, "nonfinite")


def test_overflow_is_found_at_its_epoch() -> None:
    """With lr 1e100 theta is about 1, 1e100, 1e200 ...: its square overflows first after 2 epochs."""
    descent = walk(lr=column(1e100), epochs=300)
    assert (descent.ends[0].epoch, descent.ends[0].reason) == (2, "nonfinite")
    assert float(descent.ends[0].theta_P) == pytest.approx(1e200)


def test_trials_end_each_at_its_own_epoch() -> None:
    """Theta is 2^-k, 4^-k and 1 for ever: 2^-8 is reached after 8 epochs, 4, and never."""
    descent = walk(theta=column(1, 1, 1), lr=column(0.5, 0.75, 2.0), epochs=30, stops=Stops(grad_tol=2.0**-8))
    assert [(end.epoch, end.reason) for end in descent.ends] == [(8, "grad_tol"), (4, "grad_tol"), (30, "epochs")]
    assert [float(end.theta_P) for end in descent.ends] == [2.0**-8, 2.0**-8, 1.0]


def test_no_epoch_is_the_start() -> None:
    descent = walk(epochs=0)
    assert (list(descent.recorded.epochs), descent.ends[0].epoch, descent.ends[0].reason) == ([0], 0, "epochs")


# Recording


def test_what_is_recorded() -> None:
    """Start and last epoch are kept whatever `record` says; an end that comes early is told by itself."""
    every_tenth = walk(epochs=37, record=range(0, 38, 10))
    assert every_tenth.recorded.epochs == [0, 10, 20, 30, 37]
    early = walk(epochs=37, record=(), stops=Stops(grad_tol=2.0**-13))
    assert [epoch for epoch in early.recorded.epochs if epoch <= early.ends[0].epoch] == [0]
    assert (early.ends[0].epoch, early.ends[0].theta_P.tolist()) == (13, [2.0**-13])
    assert (early.ends[0].first_loss, early.ends[0].first_norm, early.ends[0].before) == (0.5, 1.0, 2.0**-25)


# Bounds, halving, interruption


def test_steps_are_projected_onto_the_bounds() -> None:
    """From 1 and -1 towards 0 by halves, held at 0.3 and -0.3."""
    bounds = column(0.3, -2.0)[:, 0], column(2.0, -0.3)[:, 0]
    descent = walk(theta=torch.tensor([[1.0, -1.0]], dtype=F64), epochs=5, bounds=bounds)
    assert descent.recorded.theta_CSP[:, 0].tolist() == [[1, -1], [0.5, -0.5], *[[0.3, -0.3]] * 4]


def test_a_gradient_that_pushes_against_a_bound_does_not_count() -> None:
    """At 0.3 the bowl's gradient is 0.3 and points outwards: nothing is left to descend after two epochs."""
    bounds = column(0.3)[0], column(2.0)[0]
    (end,) = walk(epochs=50, bounds=bounds, stops=Stops(grad_tol=1e-9)).ends
    assert (end.epoch, end.reason) == (2, "grad_tol")


def test_halving_takes_back_what_rises() -> None:
    """lr 5 leads from 1 to -4, taken back; 2.5 to -1.5, taken back; 1.25 to -0.25, kept."""
    descent = walk(lr=column(5.0), epochs=4, halving=True)
    assert descent.recorded.theta_CSP[:, 0, 0].tolist() == [1, 1, 1, -0.25, 0.0625]
    assert descent.recorded.lr_CS[:, 0].tolist() == [5, 2.5, 1.25, 1.25, 1.25]
    assert descent.ends[0].lr == 1.25


@pytest.mark.parametrize("optimizer", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}])
@all_known
def test_halving_never_raises_the_loss(known: Known, optimizer: dict[str, Any]) -> None:
    posed = problem(known.experiment)
    theta = around(posed, 4)
    lr = column(1e-3, 0.1, 10.0, 1e4)
    update = build("sgd", optimizer, like=theta)
    descent = walk(posed.objective, theta=theta, lr=lr, optimizer=update, epochs=300, halving=True)
    loss_KS = descent.recorded.loss_CS
    assert bool((loss_KS[1:] <= loss_KS[:-1] * (1 + RISE)).all())
    assert bool((loss_KS[-1] < loss_KS[0]).all())


def test_halving_is_each_trials_own() -> None:
    together = walk(theta=column(1, 1), lr=column(5.0, 0.5), epochs=20, halving=True)
    for s, lr in enumerate((5.0, 0.5)):
        assert history(walk(lr=column(lr), epochs=20, halving=True)) == history(together, s)


def test_watch_ends_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks double from 1: they end with epochs 0, 2, 6, 14 ... and the third answer is no."""
    monkeypatch.setattr(loop, "_CHUNK_SECONDS", 1e9)
    asked: list[tuple[int, float]] = []

    def watch(epoch: int, loss: float) -> bool:
        asked.append((epoch, loss))
        return len(asked) < 3

    descent = walk(epochs=1000, watch=watch)
    assert asked == [(0, 0.5), (2, 2.0**-5), (6, 2.0**-13)]
    assert (descent.ends[0].epoch, descent.ends[0].reason) == (6, "interrupted")
    assert descent.recorded.epochs == [*range(7)]


def test_an_interruption_at_the_last_epoch_is_none() -> None:
    (end,) = walk(epochs=0, watch=lambda epoch, loss: False).ends
    assert end.reason == "epochs"


# Trials beside one another

RATES = (1e-3, 0.02, 0.3)
FORMULAS = ["a*exp(-b*x) + c", "a/(1 + b*x^2) + c", "a*cos(b*x) + c*log(1 + x^2)", "where(x > b, a, c*x)"]
# Where torch's vector and scalar paths differ, equality is to rounding, a step.
ROUNDED = ["a*softplus(b*x) + c", "a*sinh(b*x/9) + c", "a*sigmoid(b*x) + c", "a*tanh(b*x) + c"]


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def fitted(formula: str) -> Problem:
    starts = {"a": 1.0, "b": 0.5, "c": 0.1}
    return problem({"fit": f"y = {formula}", "data": {"columns": {"x": X, "y": Y}}, "params": starts})


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_trial_beside_others_is_the_trial_alone(name: str, formula: str) -> None:
    """Bit for bit over 60 epochs, each trial with an lr and a start of its own."""
    posed = fitted(formula)
    theta, lr = around(posed, len(RATES)), column(*RATES)
    optimizer = build(name, {}, like=theta)
    together = descend(posed.objective, optimizer, theta, lr_S1=lr, epochs=60)
    for s in range(len(RATES)):
        alone = descend(posed.objective, optimizer, theta[s : s + 1], lr_S1=lr[s : s + 1], epochs=60)
        assert history(alone) == history(together, s)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    "posed",
    [
        *map(fitted, ROUNDED),
        problem(
            {
                "regress": {"target": ["y", "z"]},
                "data": {"columns": {"x": X, "w": [math.sin(x) for x in X], "y": Y, "z": [x * x for x in X]}},
            }
        ),
    ],
    ids=[*ROUNDED, "linear"],
)
def test_a_step_beside_others_is_the_step_alone_to_rounding(posed: Problem) -> None:
    theta = around(posed, 7)
    loss_S, gradient_SP = posed.objective.loss_and_gradient(theta)
    for s in range(len(theta)):
        loss, gradient = posed.objective.loss_and_gradient(theta[s : s + 1])
        torch.testing.assert_close(loss[0], loss_S[s], rtol=1e-12, atol=0)
        assert float((gradient[0] - gradient_SP[s]).norm()) <= 1e-12 * float(gradient.norm())


# Against a loop written by hand

SGD: list[dict[str, Any]] = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.5, "dampening": 0.3},
    {"weight_decay": 0.1},
]


@pytest.mark.parametrize("options", SGD, ids=str)
@all_known
def test_sgd_walks_as_torch_does(known: Known, options: dict[str, Any]) -> None:
    """Theta is torch's to 1e-9 of its norm, the loss to 1e-9 of itself plus the rounding of the residuals.

    lr is a tenth of 1/h, h the curvature at the start: well below the limit, where rounding errors shrink.
    """
    posed = unscaled(known)
    theta = start(posed)
    lr = 0.1 / float(largest_curvature(posed.objective, theta)[0])
    found = descend(posed.objective, build("sgd", options, like=theta), theta, lr_S1=column(lr), epochs=100)

    weights = [torch.nn.Parameter(value.clone()) for value in theta[0]]
    optimizer = torch.optim.SGD(weights, lr=lr, **options)
    for epoch in range(101):
        optimizer.zero_grad()
        loss = known.by_hand(dict(zip(posed.parameters.trained, weights, strict=True)))
        by_hand = torch.stack([weight.detach() for weight in weights])
        apart = float((found.recorded.theta_CSP[epoch, 0] - by_hand).norm())
        assert apart <= 1e-9 * max(1.0, float(by_hand.norm()))
        assert float(found.recorded.loss_CS[epoch, 0]) == pytest.approx(loss.item(), rel=1e-9, abs=1e-14)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
