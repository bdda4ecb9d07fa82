"""Losses: values, derivatives, reductions, and shapes that are refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from gdtrain.data.classes import Classes
from gdtrain.losses import LOSSES, Loss, build, total
from gdtrain.losses.labels import class_names

Reference = Callable[[Tensor, Tensor], Tensor]


def tensor(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def targets(name: str, *shape: int, seed: int = 1) -> Tensor:
    """Targets that the loss takes, neither all alike nor in order; three classes for softmax."""
    drawn = normal(*shape, seed=seed)
    kinds: dict[str, Callable[[], Tensor]] = {
        "logistic": lambda: (drawn > 0).double(),
        "softmax": lambda: (drawn > -0.5).double() + (drawn > 0.5).double(),
        "poisson": lambda: (3 * drawn.abs()).floor(),
        "gamma": lambda: drawn.abs() + 0.1,
    }
    return kinds.get(name, lambda: drawn)()


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
    # too high by 1: 3/4; too low by 2: 2/4; 0, where the slope is half way, 1/2 - q; too high by 4: 3
    ("quantile", {"q": 0.25}, (0.75 + 0.5 + 3) / 4, [0.75, -0.25, 0.25, 0.75]),
    ("quantile", {}, 3.5 / 4, [0.5, -0.5, 0, 0.5]),
]
# Targets are 1, 2, 3, -1 and predictions 2, 0, 3, 3 above; a likelihood has targets of its own. eta 0, log 3, -log 3:
# probabilities 1/2, 3/4, 1/4; means 1, 3, 1/3.
LOG3 = math.log(3)
LIKELIHOODS: list[tuple[str, list[float], list[float], list[float], list[float]]] = [
    ("logistic", [0, LOG3, -LOG3], [1, 1, 0], [math.log(2), math.log(4 / 3), math.log(4 / 3)], [-0.5, -0.25, 0.25]),
    ("poisson", [0, LOG3, -LOG3], [2, 1, 0], [1, 3 - LOG3, 1 / 3], [-1, 2, 1 / 3]),
    ("gamma", [0, LOG3, -LOG3], [2, 6, 1], [2, 2 + LOG3, 3 - LOG3], [-1, -1, -2]),
]
LIKE_TORCH: list[tuple[str, dict[str, float], Reference]] = [
    ("mse", {}, functional.mse_loss),
    ("half_sse", {}, lambda p, t: functional.mse_loss(p, t, reduction="sum") / 2),
    ("sse", {}, lambda p, t: functional.mse_loss(p, t, reduction="sum")),
    ("mae", {}, functional.l1_loss),
    ("huber", {}, functional.huber_loss),
    ("huber", {"delta": 0.3}, lambda p, t: functional.huber_loss(p, t, delta=0.3)),
    ("logcosh", {}, lambda p, t: torch.log(torch.cosh(p - t)).mean()),
    ("quantile", {"q": 0.9}, lambda p, t: torch.maximum(0.9 * (t - p), -0.1 * (t - p)).mean()),
    ("logistic", {}, functional.binary_cross_entropy_with_logits),
    ("poisson", {}, functional.poisson_nll_loss),
    ("gamma", {}, lambda p, t: (t / torch.exp(p) + p).mean()),
]
# sinh, softplus, sigmoid and log_softmax differ between torch's vector and scalar paths.
ROUNDED = {"logcosh", "logistic", "softmax"}
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
    prediction, target = normal(*shape), targets(name, *shape[1:])
    expected = torch.stack([reference(trial, target) for trial in prediction])
    ours = loss_of(build(name, options), prediction, target)
    torch.testing.assert_close(ours, expected, rtol=1e-14, atol=0 if name not in ROUNDED else 1e-15)


@pytest.mark.parametrize(("name", "options", "reference"), LIKE_TORCH, ids=IDS)
def test_the_derivative_is_autograds(name: str, options: dict[str, float], reference: Reference) -> None:
    """At the kinks too: residuals 0 and delta are among them."""
    target = tensor(*[1.0 if name == "gamma" else 0.0] * 9)
    prediction = tensor(-3, -1, -0.3, -0.1, 0, 0.1, 0.3, 1, 3)[None].requires_grad_()
    loss = build(name, options)
    divisor = 9 if loss.reduction == "mean" else 1
    for graph in (loss.value(prediction, target).sum(), reference(prediction[0], target) * divisor):
        (gradient,) = torch.autograd.grad(graph, prediction)
        torch.testing.assert_close(loss.derivative(prediction, target), gradient, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize(("name", "eta", "target", "values", "slopes"), LIKELIHOODS)
def test_likelihoods_by_hand(
    name: str, eta: list[float], target: list[float], values: list[float], slopes: list[float]
) -> None:
    value, slope = build(name, {}).value_and_derivative(tensor(*eta)[None], tensor(*target))
    assert value[0].tolist() == pytest.approx(values, rel=1e-15)
    assert slope[0].tolist() == pytest.approx(slopes, rel=1e-15)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_softmax_is_torchs_cross_entropy(classes: int) -> None:
    loss, eta = build("softmax", {}), normal(4, 6, classes).requires_grad_()
    target = torch.arange(6.0, dtype=torch.float64) % classes
    expected = torch.stack([functional.cross_entropy(trial, target.long(), reduction="none") for trial in eta])
    value, slope = loss.value_and_derivative(eta, target)
    torch.testing.assert_close(value, expected, rtol=1e-14, atol=1e-15)
    for graph in (value, expected):
        (gradient,) = torch.autograd.grad(graph.sum(), eta)
        torch.testing.assert_close(slope, gradient, rtol=1e-14, atol=1e-15)
    assert loss_of(loss, eta, target).tolist() == pytest.approx(expected.mean(1).tolist(), rel=1e-14)


def test_two_classes_of_softmax_are_logistic() -> None:
    eta, target = 5 * normal(3, 40), targets("logistic", 40)
    both = torch.stack([torch.zeros_like(eta), eta], -1)
    logistic, softmax = (build(name, {}) for name in ("logistic", "softmax"))
    torch.testing.assert_close(softmax.value(both, target), logistic.value(eta, target), rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(
        softmax.derivative(both, target)[..., 1], logistic.derivative(eta, target), rtol=1e-13, atol=1e-15
    )
    torch.testing.assert_close(softmax.inverse(both)[..., 1], logistic.inverse(eta), rtol=1e-14, atol=1e-15)


# Far out the loss is what its larger term is, and the slope its limit; exp(-1000) is 0 and exp(1000) is none.
FAR_OUT: list[tuple[str, float, float, float, float]] = [
    ("logistic", 1000, 0, 1000, 1),
    ("logistic", -1000, 1, 1000, -1),
    ("logistic", 1000, 1, 0, 0),
    ("logistic", -1000, 0, 0, 0),
    ("logistic", 40, 1, math.exp(-40), -math.exp(-40)),  # no digit is lost beside the 1
    ("logistic", -40, 0, math.exp(-40), math.exp(-40)),
    ("logistic", 30, 0, 30 + math.exp(-30), 1 / (1 + math.exp(-30))),
    ("logcosh", 1000, 0, 1000 - math.log(2), 1),
    ("logcosh", -1000, 0, 1000 - math.log(2), -1),
    ("logcosh", 1e-8, 0, 5e-17, 1e-8),
    ("quantile", -1000, 0, 500, -0.5),
    ("poisson", -1000, 3, 3000, -3),
    ("gamma", 1000, 3, 1000, 1),
]


@pytest.mark.parametrize(("name", "eta", "target", "value", "slope"), FAR_OUT)
def test_far_out(name: str, eta: float, target: float, value: float, slope: float) -> None:
    found = build(name, {}).value_and_derivative(tensor(eta)[None], tensor(target))
    assert [part.item() for part in found] == pytest.approx([value, slope], rel=1e-14, abs=0)


def test_softmax_far_out() -> None:
    eta = tensor(0, 1000, -1000)[None, None].expand(1, 3, 3)
    value, slope = build("softmax", {}).value_and_derivative(eta, tensor(0, 1, 2))
    assert value.tolist() == [[1000, 0, 2000]]
    assert slope.tolist() == [[[-1, 1, 0], [0, 0, 0], [0, 1, -1]]]


@pytest.mark.parametrize("name", ["logistic", "softmax", "poisson", "gamma"])
def test_far_out_has_second_derivatives(name: str) -> None:
    """The learning rate comes from them; one that is no number would leave none."""
    target = targets(name, 4)
    for start in (-700.0, -30.0, 0.0, 30.0, 700.0):
        eta = torch.full((1, 4, 3) if name == "softmax" else (1, 4), start, dtype=torch.float64).requires_grad_()
        value = build(name, {}).value(eta, target).sum()
        (gradient,) = torch.autograd.grad(value, eta, create_graph=True)
        (curvature,) = torch.autograd.grad(gradient.square().sum(), eta)
        assert gradient.isfinite().all()
        assert curvature.isfinite().all() or name in ("poisson", "gamma")


LINKS: list[tuple[str, list[float], list[float]]] = [
    ("mse", [-1, 0, 2], [-1, 0, 2]),
    ("quantile", [-1, 0, 2], [-1, 0, 2]),
    ("logistic", [0, LOG3, -1000], [0.5, 0.75, 0]),
    ("poisson", [0, LOG3, -LOG3], [1, 3, 1 / 3]),
    ("gamma", [0, LOG3, -LOG3], [1, 3, 1 / 3]),
    ("softmax", [0, LOG3, 0], [0.2, 0.6, 0.2]),
]


@pytest.mark.parametrize(("name", "eta", "prediction"), LINKS)
def test_links(name: str, eta: list[float], prediction: list[float]) -> None:
    loss = build(name, {})
    assert loss.inverse(tensor(*eta)).tolist() == pytest.approx(prediction, rel=1e-14)
    assert loss.linked == (prediction != eta)


FITS: list[tuple[str, list[float], list[bool]]] = [
    ("logistic", [0, 1, 2, 0.5, -1], [True, True, False, False, False]),
    ("softmax", [0, 2, 1.5, -1], [True, True, False, False]),
    ("poisson", [0, 3, 1.5, -1], [True, True, True, False]),
    ("gamma", [0, 1e-9, -1], [False, True, False]),
]


@pytest.mark.parametrize(("name", "target", "fits"), FITS)
def test_targets_that_a_loss_takes(name: str, target: list[float], fits: list[bool]) -> None:
    loss = build(name, {})
    assert loss.fits is not None
    assert loss.fits(tensor(*target)).tolist() == fits


LABELS: list[tuple[list[object], list[str], list[float]]] = [
    (["yes", "no", "yes"], ["no", "yes"], [1, 0, 1]),
    ([0.0, 1.0, 1.0], ["0", "1"], [0, 1, 1]),
    ([10.0, 9.0, 2.5], ["2.5", "9", "10"], [2, 1, 0]),  # as numbers, not as text
    ([True, False], ["false", "true"], [1, 0]),
    (["b", "a", "c", "a"], ["a", "b", "c"], [1, 0, 2, 0]),
    (["x"], ["x"], [0]),
]


@pytest.mark.parametrize(("values", "classes", "codes"), LABELS)
def test_labels(values: list[object], classes: list[str], codes: list[float]) -> None:
    sorted_K = np.unique(np.array(values))
    assert class_names(sorted_K) == classes
    if sorted_K.dtype == np.float64:  # texts are read as codes
        numbers = Classes(sorted_K, classes).numbers(torch.tensor(values, dtype=torch.float64))
        assert numbers.tolist() == codes


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


ELEMENTWISE = [name for name in LOSSES if name != "softmax"]
OF_CLASSES_FITTING = [((2, 5, 3), (5,)), ((2, 5, 3), (1, 5)), ((2, 5, 3), (2, 5))]
OF_CLASSES = [((2, 5, 3), (3,)), ((2, 5, 3), (5, 3)), ((2, 5, 3), (2, 1)), ((2, 5), (5,)), ((2, 5, 5), (3, 5))]


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize(("prediction", "target"), FITTING)
def test_shapes_that_fit(name: str, prediction: tuple[int, ...], target: tuple[int, ...]) -> None:
    loss = build(name, {})
    for part in loss.value_and_derivative(normal(*prediction), normal(*target)):
        assert part.shape == prediction


@pytest.mark.parametrize(("prediction", "target"), OF_CLASSES_FITTING)
def test_shapes_of_classes_that_fit(prediction: tuple[int, ...], target: tuple[int, ...]) -> None:
    value, slope = build("softmax", {}).value_and_derivative(normal(*prediction), torch.zeros(target))
    assert (value.shape, slope.shape) == (prediction[:2], prediction)


@pytest.mark.parametrize(
    ("name", "prediction", "target"),
    [
        *((name, *shapes) for name in ELEMENTWISE for shapes in BROADCASTING),
        *(("softmax", *shapes) for shapes in OF_CLASSES),
    ],
)
def test_a_shape_that_would_broadcast_is_refused(
    name: str, prediction: tuple[int, ...], target: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="does not fit") as raised:
        total(build(name, {}), normal(*prediction), normal(*target))
    assert str(prediction) in str(raised.value)
    assert str(target) in str(raised.value)


whole = st.integers(-9, 9).map(float)  # sums of whole numbers are exact in any order; exp(9) is still one


@pytest.mark.parametrize("name", LOSSES)
@given(rows=st.lists(st.tuples(whole, whole, st.integers(0, 3)), min_size=2, max_size=12), data=st.data())
def test_blocks_add_up_and_a_weight_repeats_its_row(
    name: str, rows: list[tuple[float, float, int]], data: st.DataObject
) -> None:
    loss = build(name, {})
    prediction, target, weight = (tensor(*column) for column in zip(*rows, strict=True))
    prediction = torch.stack([prediction, prediction + 1])
    if name == "softmax":
        prediction, target = torch.stack([prediction, -prediction], -1), (target > 0).double()
    elif name == "logistic":
        target = (target > 0).double()
    exact = loss.value(prediction, target)
    same = torch.equal if bool((exact == exact.round()).all()) else partial(torch.allclose, rtol=1e-13, atol=1e-13)
    whole_sum, whole_weight = total(loss, prediction, target, weight)

    cut = data.draw(st.integers(1, len(rows) - 1))
    parts = slice(cut), slice(cut, None)
    halves = [total(loss, prediction[:, part], target[part], weight[part]) for part in parts]
    assert same(halves[0][0] + halves[1][0], whole_sum)
    assert torch.equal(halves[0][1] + halves[1][1], whole_weight)

    times = weight.long()
    repeated = total(loss, prediction.repeat_interleave(times, 1), target.repeat_interleave(times))
    assert same(repeated[0], whole_sum)
    assert torch.equal(repeated[1], whole_weight)


def test_weights_may_differ_between_trials_and_count_for_every_target() -> None:
    # Trial 0 sees the first row alone, trial 1 the second one twice. Squares 1, 4 and 9, 16.
    prediction = tensor(1, 2, 3, 4).reshape(1, 2, 2).expand(2, 2, 2)
    weight = tensor(1, 0, 0, 2).reshape(2, 2)
    sum_S, weight_S = total(build("mse", {}), prediction, torch.zeros_like(prediction), weight)
    assert sum_S.tolist() == [1 + 4, 2 * (9 + 16)]
    assert weight_S.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("name", "option", "numbers"), [("huber", "delta", (0.3, 1, 2)), ("quantile", "q", (0.1, 0.5, 0.9))]
)
def test_an_option_may_differ_between_trials(name: str, option: str, numbers: tuple[float, ...]) -> None:
    for shape in ((3, 50), (3, 20, 2)):
        prediction, target = 3 * normal(*shape), normal(*shape[1:], seed=1)
        together = loss_of(build(name, {option: tensor(*numbers)[:, None]}), prediction, target)
        for trial, number in enumerate(numbers):
            row = slice(trial, trial + 1)
            alone = loss_of(build(name, {option: number}), prediction[row], target)
            assert torch.equal(together[row], alone)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("rows", [1, 2, 5, 16, 1000, 4099])
def test_a_trial_beside_others_gets_the_same_bits(name: str, rows: int) -> None:
    loss, target = build(name, {}), targets(name, rows)
    prediction = normal(9, rows, 3) if name == "softmax" else normal(9, rows)
    rounding = 1e-14 if name in ROUNDED else 0.0
    together = total(loss, prediction, target)[0], loss.derivative(prediction, target)
    for trial in range(9):
        row = slice(trial, trial + 1)
        alone = total(loss, prediction[row], target)[0], loss.derivative(prediction[row], target)
        for ours, theirs in zip(together, alone, strict=True):
            torch.testing.assert_close(ours[row], theirs, rtol=rounding, atol=rounding)
