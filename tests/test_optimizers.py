"""Optimizers: step for step those of torch.optim, for any number of trials."""

from __future__ import annotations

import inspect
import io
import operator
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gdtrain.experiment import optimizers as schema
from gdtrain.optimizers import OPTIMIZERS, Optimizer, State, build

LIKE = torch.zeros((), dtype=torch.float64)
STEP = 1e-12  # of one step; here gradients do not depend on theta, so that nothing is magnified

TORCH = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "rprop": torch.optim.Rprop,
}
# Torch's keywords that say how, not what, it computes; `lr` goes to update.
NOT_OPTIONS = {"params", "lr", "maximize", "foreach", "capturable", "differentiable", "fused", "like"}


@pytest.fixture(autouse=True, scope="module")
def _scalars_of_torch_in_float64() -> Iterator[None]:
    """Torch keeps nadam's product of momenta in the default dtype: in float32 it has seven digits."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


CASES: list[tuple[str, dict[str, Any]]] = [
    ("sgd", {}),
    ("sgd", {"weight_decay": 0.3}),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "weight_decay": 0.1}),
    ("sgd", {"momentum": 0.8, "dampening": 0.3}),
    ("sgd", {"momentum": 0.8, "dampening": -0.5}),
    ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("sgd", {"dampening": 0.5}),
    ("adam", {}),
    ("adam", {"betas": (0.5, 0.9), "eps": 1e-3}),
    ("adam", {"betas": (0.0, 0.0)}),
    ("adam", {"amsgrad": True}),
    ("adam", {"weight_decay": 0.1}),
    ("adam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "amsgrad": True}),
    ("adamw", {}),
    ("adamw", {"weight_decay": 0.0}),
    ("adamw", {"betas": (0.8, 0.95), "amsgrad": True, "eps": 1e-6}),
    ("nadam", {}),
    ("nadam", {"betas": (0.7, 0.9), "momentum_decay": 0.1}),
    ("nadam", {"weight_decay": 0.1}),
    ("nadam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("nadam", {"momentum_decay": 0.0}),
    ("radam", {}),
    ("radam", {"betas": (0.5, 0.9), "eps": 1e-4}),
    ("radam", {"betas": (0.9, 0.5)}),  # the average is too short ever to count: rho <= 3
    ("radam", {"weight_decay": 0.1}),
    ("radam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("rmsprop", {}),
    ("rmsprop", {"alpha": 0.5, "eps": 1e-3, "weight_decay": 0.1}),
    ("rmsprop", {"momentum": 0.9}),
    ("rmsprop", {"centered": True}),
    ("rmsprop", {"centered": True, "momentum": 0.5, "weight_decay": 0.2}),
    ("adagrad", {}),
    ("adagrad", {"lr_decay": 0.1, "eps": 1e-6}),
    ("adagrad", {"initial_accumulator_value": 0.5, "weight_decay": 0.1}),
    ("rprop", {}),
    ("rprop", {"etas": (0.3, 1.7)}),
    ("rprop", {"step_sizes": (0.02, 0.05)}),
    ("rprop", {"step_sizes": (0.0, 1e-3)}),
]
CASE_IDS = [f"{name} {options}" for name, options in CASES]


def gradients(steps: int, trials: int, size: int, seed: int = 0) -> Tensor:
    """Many magnitudes, signs that turn, zeros now and then; the last trial's are all zero."""
    generator = torch.Generator().manual_seed(seed)
    shape = (steps, trials, size)
    normal = torch.randn(shape, dtype=torch.float64, generator=generator)
    magnitude = 10.0 ** torch.randint(-3, 3, shape, generator=generator)
    gradient = normal * magnitude * (torch.rand(shape, generator=generator) > 0.2)
    gradient[:, -1] = 0.0
    return gradient


def starts(trials: int, size: int) -> Tensor:
    return torch.linspace(-2.0, 3.0, trials * size, dtype=torch.float64).reshape(trials, size)


def rates(trials: int) -> Tensor:
    return torch.logspace(-3, -1, trials, dtype=torch.float64)[:, None]


def walk(optimizer: Optimizer, theta: Tensor, lr: Tensor, gradient_KSP: Tensor) -> tuple[State, list[Tensor]]:
    """The state at the end, and theta after each step."""
    state, thetas = optimizer.init(theta), []
    with torch.inference_mode():
        for gradient in gradient_KSP:
            state, theta = optimizer.update(state, theta, gradient, lr)
            thetas.append(theta)
    return state, thetas


def walk_torch(name: str, options: dict[str, Any], theta: Tensor, lr: Tensor, gradient_KSP: Tensor) -> list[Tensor]:
    """The same walk by torch.optim, a trial at a time."""
    trials = []
    for start, rate, gradient_KP in zip(theta, lr, gradient_KSP.transpose(0, 1), strict=True):
        parameter = torch.nn.Parameter(start.clone())
        optimizer = TORCH[name]([parameter], lr=float(rate), **options)
        path = []
        for gradient in gradient_KP:
            parameter.grad = gradient.clone()
            optimizer.step()
            path.append(parameter.detach().clone())
        trials.append(torch.stack(path))
    return list(torch.stack(trials, dim=1))


@pytest.mark.parametrize(("name", "options"), CASES, ids=CASE_IDS)
def test_every_step_is_that_of_torch(name: str, options: dict[str, Any]) -> None:
    theta, lr, gradient = starts(4, 3), rates(4), gradients(150, 4, 3)
    _, ours = walk(build(name, options, LIKE), theta, lr, gradient)
    theirs = walk_torch(name, options, theta, lr, gradient)
    for step, (one, other) in enumerate(zip(ours, theirs, strict=True), 1):
        torch.testing.assert_close(one, other, rtol=STEP, atol=STEP, msg=f"step {step}: {one} is not {other}")


@settings(max_examples=300)
@given(st.sampled_from(CASES), st.data())
def test_any_gradients_give_the_steps_of_torch(case: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    name, options = case
    number = st.just(0.0) | st.floats(1e-6, 1e6) | st.floats(-1e6, -1e-6)
    column = data.draw(st.lists(number, min_size=1, max_size=12))
    if options.get("centered"):  # gradients that differ little leave few digits of their variance
        column = [round(g, 1) * (1 + i % 3) for i, g in enumerate(column)]
    gradient = torch.tensor(column, dtype=torch.float64).reshape(-1, 1, 1)
    theta, lr = starts(1, 1), rates(1)
    _, ours = walk(build(name, options, LIKE), theta, lr, gradient)
    theirs = walk_torch(name, options, theta, lr, gradient)
    torch.testing.assert_close(torch.stack(ours), torch.stack(theirs), rtol=STEP, atol=STEP)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_options_and_defaults_are_those_of_torch(name: str) -> None:
    assert defaults(OPTIMIZERS[name]) == defaults(TORCH[name])


def defaults(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.name not in NOT_OPTIONS}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_experiment_gives_the_same_options(name: str) -> None:
    options = schema.Optimizer.model_validate({"name": name}).options
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    assert plain == defaults(OPTIMIZERS[name])
    build(name, options, LIKE)


def test_an_experiment_knows_the_same_optimizers_and_the_learning_rates_of_torch() -> None:
    assert set(schema.DEFAULTS) - {*schema.SECOND, schema.AUTO} == set(OPTIMIZERS) == set(TORCH)
    rates = {name: inspect.signature(optimizer).parameters["lr"].default for name, optimizer in TORCH.items()}
    assert {**schema.LR, "sgd": rates["sgd"]} == rates  # sgd's is derived from the problem


def test_first_steps_by_hand() -> None:
    gradient = torch.tensor([2.0, 2.0, -1.0, -1.0], dtype=torch.float64).reshape(4, 1, 1)
    theta, lr = torch.ones(1, 1, dtype=torch.float64), torch.full((1, 1), 0.1, dtype=torch.float64)
    expected = {
        # 1 - 0.1*2, - 0.1*2, + 0.1, + 0.1
        ("sgd", ()): [0.8, 0.6, 0.7, 0.8],
        # b = 2, 0.5*2 + 2 = 3, 0.5*3 - 1 = 0.5, 0.5*0.5 - 1 = -0.75
        ("sgd", (("momentum", 0.5),)): [0.8, 0.5, 0.45, 0.525],
        # b = 2 undamped, 0.5*2 + 0.75*2 = 2.5, 0.5*2.5 - 0.75 = 0.5, 0.5*0.5 - 0.75 = -0.5
        ("sgd", (("momentum", 0.5), ("dampening", 0.25))): [0.8, 0.55, 0.5, 0.55],
        # step size 0.1, grows to 0.12, the sign turns: 0.06 and a rest, no sign to compare with: 0.06
        ("rprop", ()): [0.9, 0.78, 0.78, 0.84],
    }
    for (name, options), values in expected.items():
        _, thetas = walk(build(name, dict(options), LIKE), theta, lr, gradient)
        assert torch.cat(thetas).flatten().tolist() == pytest.approx(values, abs=1e-15)


PER_TRIAL: list[tuple[str, dict[str, Any]]] = [
    ("sgd", {"momentum": [0.0, 0.5, 0.9]}),
    ("sgd", {"momentum": [0.0, 0.5, 0.9], "dampening": [0.3, 0.0, 0.3], "weight_decay": [0.0, 0.1, 0.2]}),
    ("adam", {"betas": ([0.0, 0.8, 0.9], [0.9, 0.99, 0.999]), "eps": [1e-8, 1e-4, 1e-3]}),
    ("adam", {"weight_decay": [0.0, 0.1, 0.2], "decoupled_weight_decay": True}),
    ("nadam", {"betas": ([0.0, 0.8, 0.9], [0.9, 0.99, 0.999]), "momentum_decay": [0.0, 0.01, 0.1]}),
    ("radam", {"betas": ([0.0, 0.8, 0.9], [0.9, 0.5, 0.999])}),
    ("rmsprop", {"alpha": [0.5, 0.9, 0.99], "momentum": [0.0, 0.5, 0.9], "centered": True}),
    ("adagrad", {"lr_decay": [0.0, 0.1, 0.2], "initial_accumulator_value": [0.0, 0.5, 1.0]}),
    ("rprop", {"etas": ([0.3, 0.4, 0.5], [1.2, 1.3, 1.5])}),
    ("rprop", {"step_sizes": ([0.0, 0.01, 0.1], [0.2, 0.5, 50.0])}),
]


def each(value: Any, pick: Callable[[list[float]], Any]) -> Any:
    """`pick` applied to every list of one number for each trial."""
    if isinstance(value, list):
        return pick(value)
    return tuple(map(pick, value)) if isinstance(value, tuple) else value


@pytest.mark.parametrize(("name", "options"), PER_TRIAL, ids=[str(case) for case in PER_TRIAL])
def test_every_number_may_differ_between_trials(name: str, options: dict[str, Any]) -> None:
    theta, lr, gradient = starts(3, 2), rates(3), gradients(60, 3, 2)
    columns = {key: each(value, lambda n: torch.tensor(n)[:, None]) for key, value in options.items()}
    _, together = walk(build(name, columns, LIKE), theta, lr, gradient)
    for trial in range(3):
        row = slice(trial, trial + 1)
        own = {key: each(value, operator.itemgetter(trial)) for key, value in options.items()}
        alone = walk_torch(name, own, theta[row], lr[row], gradient[:, row])
        torch.testing.assert_close(torch.stack(together)[:, row], torch.stack(alone), rtol=STEP, atol=STEP)


@pytest.mark.parametrize(("name", "options"), CASES, ids=CASE_IDS)
def test_a_trial_beside_others_gets_the_same_bits(name: str, options: dict[str, Any]) -> None:
    theta, lr, gradient = starts(17, 3), rates(17), gradients(40, 17, 3)
    optimizer = build(name, options, LIKE)
    _, together = walk(optimizer, theta, lr, gradient)
    for row in (slice(0, 1), slice(7, 8), slice(16, 17)):
        _, alone = walk(optimizer, theta[row], lr[row], gradient[:, row])
        assert torch.equal(torch.stack(together)[:, row], torch.stack(alone))


@pytest.mark.parametrize(("name", "options"), CASES, ids=CASE_IDS)
def test_update_changes_no_argument(name: str, options: dict[str, Any]) -> None:
    optimizer, lr = build(name, options, LIKE), rates(2)
    state, (theta, *_) = walk(optimizer, starts(2, 3), lr, gradients(3, 2, 3))
    arguments = (*state.values(), theta, gradients(1, 2, 3)[0], lr)
    copies = [argument.clone() for argument in arguments]
    first = optimizer.update(state, theta, gradients(1, 2, 3)[0], lr)
    second = optimizer.update(state, theta, gradients(1, 2, 3)[0], lr)
    assert all(torch.equal(a, b) for a, b in zip(arguments, copies, strict=True))
    assert torch.equal(first[1], second[1])
    assert all(torch.equal(first[0][key], second[0][key]) for key in first[0])


@pytest.mark.parametrize(("name", "options"), CASES, ids=CASE_IDS)
def test_the_state_is_a_checkpoint(name: str, options: dict[str, Any]) -> None:
    """Flat, with the same keys and shapes all along; saved and loaded it continues to the same bits."""
    theta, lr, gradient = starts(2, 3), rates(2), gradients(20, 2, 3)
    optimizer = build(name, options, LIKE)
    fresh = optimizer.init(theta)
    state, thetas = walk(optimizer, theta, lr, gradient)
    assert fresh.keys() == state.keys()
    assert all(fresh[key].shape == state[key].shape and state[key].shape in {(2, 3), (2, 1)} for key in state)

    half, (*_, middle) = walk(optimizer, theta, lr, gradient[:10])
    file = io.BytesIO()
    torch.save(half, file)
    file.seek(0)
    resumed, theta = torch.load(file), middle
    for g in gradient[10:]:
        resumed, theta = build(name, options, LIKE).update(resumed, theta, g, lr)
    assert torch.equal(theta, thetas[-1])


@pytest.mark.parametrize(("name", "options"), CASES, ids=CASE_IDS)
def test_one_trial_may_start_anew(name: str, options: dict[str, Any]) -> None:
    theta, lr, gradient = starts(2, 3), rates(2), gradients(12, 2, 3)
    optimizer = build(name, options, LIKE)
    state, (*_, theta) = walk(optimizer, theta, lr, gradient[:6])
    anew, restart = optimizer.init(theta), torch.tensor([[True], [False]])
    mixed = {key: torch.where(restart, anew[key], value) for key, value in state.items()}
    _, expected = walk(optimizer, theta, lr, gradient[6:])
    for g in gradient[6:]:
        mixed, theta = optimizer.update(mixed, theta, g, lr)
    assert torch.equal(theta[0], expected[-1][0])


@pytest.mark.parametrize(("name", "options"), CASES, ids=CASE_IDS)
def test_float32_stays_float32(name: str, options: dict[str, Any]) -> None:
    like = torch.zeros((), dtype=torch.float32)
    theta, lr, gradient = starts(2, 3), rates(2), gradients(30, 2, 3)
    state, ours = walk(build(name, options, like), theta.to(like), lr.to(like), gradient.to(like))
    assert all(value.dtype == torch.float32 for value in (*ours, *state.values()))
    _, exact = walk(build(name, options, LIKE), theta, lr, gradient)
    # 30 steps whose numbers are rounded to 6e-8 of themselves; a variance loses digits to its difference.
    torch.testing.assert_close(ours[-1].to(LIKE), exact[-1], rtol=1e-3, atol=1e-3)


def test_a_constant_gradient_has_no_variance_and_gives_a_number() -> None:
    """Centered rmsprop: the mean of squares less the square of the mean may round to below zero."""
    gradient = torch.full((100, 1, 1), 0.7, dtype=torch.float64)
    state, thetas = walk(build("rmsprop", {"alpha": 0.5, "centered": True}, LIKE), starts(1, 1), rates(1), gradient)
    assert float(state["square_avg"] - state["grad_avg"] ** 2) < 0
    assert bool(torch.cat(thetas).isfinite().all())
