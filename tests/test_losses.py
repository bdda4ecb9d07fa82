"""Losses: values, derivatives, reductions, and shapes that are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from gdtrain.losses import LOSSES, Loss, build, total

Reference = Callable[[Tensor, Tensor], Tensor]


def tensor(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def loss_of(loss: Loss, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    return loss.reduce(*total(loss, prediction, target, weight))


# Residuals 1, -2, 0, 4: squares 1, 4, 0, 16; magnitudes 1, 2, 0, 4.
BY_HAND: list[tuple[str, dict[str, float], float, list[float]]] = [
    ("mse", {}, 21 / 4, [2, -4, 0, 8]),
    ("half_sse", {}, 21 / 2, [1, -2, 0, 4]),
    ("sse", {}, 21, [2, -4, 0, 8]),
    ("mae", {}, 7 / 4, [1, -1, 0, 1]),
    # 1/2, 2 * (2 - 1) = 2, 0, 2 * (4 - 1) = 6
    ("huber", {"delta": 2.0}, 8.5 / 4, [1, -2, 0, 2]),
    # 1/2, 2 - 1/2, 0, 4 - 1/2
    ("huber", {}, 5.5 / 4, [1, -1, 0, 1]),
]
LIKE_TORCH: list[tuple[str, dict[str, float], Reference]] = [
    ("mse", {}, functional.mse_loss),
    ("half_sse", {}, lambda p, t: functional.mse_loss(p, t, reduction="sum") / 2),
    ("sse", {}, lambda p, t: functional.mse_loss(p, t, reduction="sum")),
    ("mae", {}, functional.l1_loss),
    ("huber", {}, functional.huber_loss),
    ("huber", {"delta": 0.3}, lambda p, t: functional.huber_loss(p, t, delta=0.3)),
]
IDS = [f"{name} {options}" for name, options, _ in LIKE_TORCH]


@pytest.mark.parametrize(("name", "options", "value", "derivative"), BY_HAND)
def test_by_hand(name: str, options: dict[str, float], value: float, derivative: list[float]) -> None:
    loss, target = build(name, options), tensor(1, 2, 3, -1)
    prediction = (target + tensor(1, -2, 0, 4))[None]
    assert loss_of(loss, prediction, target).tolist() == [value]
    assert loss.derivative(prediction, target).tolist() == [derivative]


@pytest.mark.parametrize(("name", "options", "reference"), LIKE_TORCH, ids=IDS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (2, 4, 3)])
def test_each_trial_has_the_loss_of_torch(
    name: str, options: dict[str, float], reference: Reference, shape: tuple[int, ...]
) -> None:
    prediction, target = normal(*shape), normal(*shape[1:], seed=1)
    expected = torch.stack([reference(trial, target) for trial in prediction])
    ours = loss_of(build(name, options), prediction, target)
    torch.testing.assert_close(ours, expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize(("name", "options", "reference"), LIKE_TORCH, ids=IDS)
def test_the_derivative_is_autograds(name: str, options: dict[str, float], reference: Reference) -> None:
    """At the kinks too: residuals 0 and delta are among them."""
    target = tensor(*[0.0] * 9)
    prediction = tensor(-3, -1, -0.3, -0.1, 0, 0.1, 0.3, 1, 3)[None].requires_grad_()
    loss = build(name, options)
    divisor = 9 if loss.reduction == "mean" else 1
    for graph in (loss.value(prediction, target).sum(), reference(prediction[0], target) * divisor):
        (gradient,) = torch.autograd.grad(graph, prediction)
        torch.testing.assert_close(loss.derivative(prediction, target), gradient, rtol=1e-15, atol=1e-16)


def test_values_can_be_differentiated_twice() -> None:
    target = tensor(0, 0, 0)
    second = {"mse": [2, 2, 2], "half_sse": [1, 1, 1], "huber": [0, 1, 0]}
    for name, expected in second.items():
        prediction = tensor(-3, 0.5, 3)[None].requires_grad_()
        value = build(name, {}).value(prediction, target).sum()
        (gradient,) = torch.autograd.grad(value, prediction, create_graph=True)
        (curvature,) = torch.autograd.grad(gradient.sum(), prediction)
        assert curvature.tolist() == [expected]


FITTING = [((2, 3), (3,)), ((2, 3), (1, 3)), ((2, 3), (2, 3)), ((2, 3, 4), (3, 4)), ((2, 3, 4), (1, 3, 4))]
BROADCASTING = [
    ((5,), (5, 1)),
    ((5, 1), (5,)),
    ((1, 5), (5, 1)),
    ((2, 5), (1,)),
    ((2, 5), ()),
    ((2, 5), (2, 1)),
    ((2, 1), (1, 5)),
    ((2, 1), (5,)),
    ((2, 5), (2, 2, 5)),
    ((2, 5, 3), (3,)),
    ((2, 5, 1), (5,)),
    ((2, 5, 5), (5,)),
    ((2, 5, 1), (5, 3)),
    ((3, 5), (2, 5)),
    ((5,), (5,)[:0]),
]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("prediction", "target"), FITTING)
def test_shapes_that_fit(name: str, prediction: tuple[int, ...], target: tuple[int, ...]) -> None:
    loss = build(name, {})
    for part in loss.value_and_slope(normal(*prediction), normal(*target)):
        assert part.shape == prediction


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("prediction", "target"), BROADCASTING)
def test_a_shape_that_would_broadcast_is_refused(
    name: str, prediction: tuple[int, ...], target: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="does not fit") as raised:
        total(build(name, {}), normal(*prediction), normal(*target))
    assert str(prediction) in str(raised.value)
    assert str(target) in str(raised.value)


whole = st.integers(-1000, 1000).map(float)  # sums of whole numbers are exact in any order


@pytest.mark.parametrize("name", LOSSES)
@given(rows=st.lists(st.tuples(whole, whole, st.integers(0, 3)), min_size=2, max_size=12), data=st.data())
def test_blocks_add_up_and_a_weight_repeats_its_row(
    name: str, rows: list[tuple[float, float, int]], data: st.DataObject
) -> None:
    loss = build(name, {})
    prediction, target, weight = (tensor(*column) for column in zip(*rows, strict=True))
    prediction = torch.stack([prediction, prediction + 1])
    whole_sum, whole_weight = total(loss, prediction, target, weight)

    cut = data.draw(st.integers(1, len(rows) - 1))
    parts = slice(cut), slice(cut, None)
    halves = [total(loss, prediction[:, part], target[part], weight[part]) for part in parts]
    assert torch.equal(halves[0][0] + halves[1][0], whole_sum)
    assert torch.equal(halves[0][1] + halves[1][1], whole_weight)

    times = weight.long()
    repeated = total(loss, prediction.repeat_interleave(times, 1), target.repeat_interleave(times))
    assert torch.equal(torch.stack(repeated), torch.stack((whole_sum, whole_weight)))


def test_weights_may_differ_between_trials_and_count_for_every_target() -> None:
    # Trial 0 sees the first row alone, trial 1 the second one twice. Squares 1, 4 and 9, 16.
    prediction = tensor(1, 2, 3, 4).reshape(1, 2, 2).expand(2, 2, 2)
    weight = tensor(1, 0, 0, 2).reshape(2, 2)
    sum_S, weight_S = total(build("mse", {}), prediction, torch.zeros_like(prediction), weight)
    assert sum_S.tolist() == [1 + 4, 2 * (9 + 16)]
    assert weight_S.tolist() == [2, 4]


def test_delta_may_differ_between_trials() -> None:
    delta = tensor(0.3, 1, 2)[:, None]
    for shape in ((3, 50), (3, 20, 2)):
        prediction, target = 3 * normal(*shape), normal(*shape[1:], seed=1)
        together = loss_of(build("huber", {"delta": delta}), prediction, target)
        for trial, number in enumerate(delta.flatten().tolist()):
            row = slice(trial, trial + 1)
            alone = loss_of(build("huber", {"delta": number}), prediction[row], target)
            assert torch.equal(together[row], alone)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("rows", [1, 2, 5, 16, 1000, 4099])
def test_a_trial_beside_others_gets_the_same_bits(name: str, rows: int) -> None:
    loss = build(name, {})
    prediction, target = normal(9, rows), normal(rows, seed=1)
    together = total(loss, prediction, target)[0], loss.derivative(prediction, target)
    for trial in range(9):
        row = slice(trial, trial + 1)
        alone = total(loss, prediction[row], target)[0], loss.derivative(prediction[row], target)
        assert torch.equal(together[0][row], alone[0])
        assert torch.equal(together[1][row], alone[1])
