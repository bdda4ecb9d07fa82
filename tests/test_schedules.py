"""Schedules and clipping: epoch for epoch those of torch, for any number of trials, and as experiments ask for them."""

from __future__ import annotations

import inspect
import io
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import lr_scheduler

import gdtrain
from gdtrain.api import sweep
from gdtrain.errors import UserErrors
from gdtrain.experiment import schedules as schema
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import AxisFlag
from gdtrain.experiment.sweep import load_sweep
from gdtrain.optimizers import build as build_optimizer
from gdtrain.optimizers.clipping import CLIPS, clipped
from gdtrain.schedules import SCHEDULES, Schedule, build

TORCH: Mapping[str, Any] = {
    "step": lr_scheduler.StepLR,
    "multistep": lr_scheduler.MultiStepLR,
    "exponential": lr_scheduler.ExponentialLR,
    "cosine": lr_scheduler.CosineAnnealingLR,
    "cosine_restarts": lr_scheduler.CosineAnnealingWarmRestarts,
    "onecycle": lr_scheduler.OneCycleLR,
    "linear": lr_scheduler.LinearLR,
    "plateau": lr_scheduler.ReduceLROnPlateau,
}
EPOCHS = 130
RATES = torch.tensor([[0.5], [0.1], [2e-3]], dtype=torch.float64)
# Torch goes from one lr to the next, and its rounding errors add up: a few in each of EPOCHS steps.
ROUNDING = 1e-12

CASES: list[tuple[str, dict[str, Any]]] = [
    ("step", {"step_size": 7}),
    ("step", {"step_size": 1, "gamma": 0.97}),
    ("step", {"step_size": 40, "gamma": 2.0}),
    ("multistep", {"milestones": [30, 80]}),
    ("multistep", {"milestones": [80, 5, 30, 30], "gamma": 0.5}),
    ("multistep", {"milestones": [0, 1]}),
    ("exponential", {"gamma": 0.95}),
    ("exponential", {"gamma": 1.01}),
    ("cosine", {"T_max": 130}),
    ("cosine", {"T_max": 25, "eta_min": 1e-3}),
    ("cosine", {"T_max": 1}),
    ("cosine", {"T_max": 500, "eta_min": 0.01}),
    ("cosine_restarts", {"T_0": 10}),
    ("cosine_restarts", {"T_0": 10, "T_mult": 2, "eta_min": 1e-3}),
    ("cosine_restarts", {"T_0": 1, "T_mult": 3}),
    ("cosine_restarts", {"T_0": 2}),
    ("onecycle", {"total_steps": 130}),
    ("onecycle", {"total_steps": 131, "anneal_strategy": "linear", "pct_start": 0.1}),
    ("onecycle", {"total_steps": 400, "div_factor": 10.0, "final_div_factor": 100.0}),
    ("onecycle", {"total_steps": 130, "three_phase": True}),
    ("onecycle", {"total_steps": 130, "three_phase": True, "pct_start": 0.45, "anneal_strategy": "linear"}),
    ("onecycle", {"total_steps": 130, "pct_start": 0.0}),
    ("onecycle", {"total_steps": 131, "pct_start": 1.0}),
    ("linear", {}),
    ("linear", {"start_factor": 0.01, "total_iters": 50}),
    ("linear", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 60}),
    ("linear", {"total_iters": 1}),
    ("plateau", {}),
    ("plateau", {"patience": 0, "factor": 0.9}),
    ("plateau", {"patience": 3, "cooldown": 4, "factor": 0.5, "min_lr": 1e-3}),
    ("plateau", {"patience": 2, "threshold": 0.05, "threshold_mode": "abs"}),
    ("plateau", {"patience": 2, "threshold": 0.0, "eps": 1e-2}),
    ("plateau", {"mode": "max", "patience": 4}),
    ("plateau", {"mode": "max", "patience": 4, "threshold_mode": "abs", "threshold": 0.2}),
]
IDS = [f"{name} {options}" for name, options in CASES]


def losses(trials: int) -> Tensor:
    """(EPOCHS, S): falling, with noise, flat from the middle on; the last trial's is no number now and then."""
    generator = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(EPOCHS, trials, generator=generator, dtype=torch.float64)
    falling = torch.exp(-torch.arange(EPOCHS, dtype=torch.float64) / 20).clamp(min=0.1)[:, None]
    loss_KS = falling * torch.arange(1, trials + 1) + noise
    loss_KS[::9, -1] = math.nan
    return loss_KS


def rates(schedule: Schedule, lr_S1: Tensor, loss_KS: Tensor) -> Tensor:
    """The learning rates (K, S) of the steps."""
    state, found = schedule.init(lr_S1), []
    for t, loss_S in enumerate(loss_KS):
        found.append(schedule.lr(state, t)[:, 0])
        state = schedule.update(state, loss_S)
    return torch.stack(found)


def rates_of_torch(name: str, options: Mapping[str, Any], lr: float, loss_K: Tensor) -> list[float]:
    """The learning rate of each step of an optimizer of torch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    more = {"max_lr": lr, "cycle_momentum": False} if name == "onecycle" else {}
    scheduler = TORCH[name](optimizer, **options, **more)
    found = []
    for loss in loss_K.tolist():
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step(loss) if name == "plateau" else scheduler.step()
    return found


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_every_rate_is_that_of_torch(name: str, options: dict[str, Any]) -> None:
    loss_KS = losses(len(RATES))
    found = rates(build(name, options), RATES, loss_KS)
    for s, lr in enumerate(RATES[:, 0].tolist()):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            expected = torch.tensor(rates_of_torch(name, options, lr, loss_KS[:, s]), dtype=torch.float64)
        torch.testing.assert_close(found[:, s], expected, rtol=ROUNDING, atol=ROUNDING * lr)
    assert len(set(found.flatten().tolist())) > 3, "a case that never changes the rate tests nothing"


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_a_trial_beside_others_gets_the_same_bits_and_may_go_on_alone(name: str, options: dict[str, Any]) -> None:
    """The state is all there is: cut to one trial half-way, it goes on as if it had been alone."""
    schedule, loss_KS = build(name, options), losses(len(RATES))
    together = rates(schedule, RATES, loss_KS)
    for s in range(len(RATES)):
        alone = rates(schedule, RATES[s : s + 1], loss_KS[:, s : s + 1])
        assert torch.equal(alone[:, 0], together[:, s])
    state = schedule.init(RATES)
    for loss_S in loss_KS[:60]:
        state = schedule.update(state, loss_S)
    assert all(value.shape == RATES.shape for value in state.values())
    state = {key: value[1:2].clone() for key, value in state.items()}
    for t in range(60, EPOCHS):
        assert torch.equal(schedule.lr(state, t)[:, 0], together[t, 1:2])
        state = schedule.update(state, loss_KS[t, 1:2])


def test_a_phase_without_length_is_over() -> None:
    """10 % of 10 steps less one: torch divides by zero there."""
    found = rates(build("onecycle", {"total_steps": 10, "pct_start": 0.1}), RATES, losses(3)[:12])
    torch.testing.assert_close(found[0], RATES[:, 0])
    torch.testing.assert_close(found[9:12], (RATES.T / (25 * 1e4)).expand(3, -1), rtol=1e-12, atol=0)


def test_a_highest_rate_takes_the_place_of_the_base() -> None:
    options = {"total_steps": EPOCHS, "max_lr": 0.3}
    found = rates(build("onecycle", options), RATES, losses(3))
    expected = rates(build("onecycle", {"total_steps": EPOCHS}), torch.full_like(RATES, 0.3), losses(3))
    assert torch.equal(found, expected)


# Names and defaults.


def keywords(function: Any, without: set[str]) -> dict[str, Any]:
    found = inspect.signature(function).parameters.items()
    return {name: parameter.default for name, parameter in found if name not in without}


# What torch's keywords are here: the optimizer and its state; epochs of several steps; momentum, which is not cycled.
NOT_OPTIONS = {"self", "optimizer", "last_epoch", "epochs", "steps_per_epoch"}
MOMENTUM = {"cycle_momentum", "base_momentum", "max_momentum"}


@pytest.mark.parametrize("name", SCHEDULES)
def test_options_and_defaults_are_those_of_torch(name: str) -> None:
    ours, theirs = keywords(SCHEDULES[name], set()), keywords(TORCH[name].__init__, NOT_OPTIONS | MOMENTUM)
    ours, theirs = ({k: v for k, v in each.items() if k not in ("total_steps", "max_lr")} for each in (ours, theirs))
    assert ours == theirs


@pytest.mark.parametrize("name", SCHEDULES)
def test_an_experiment_gives_the_same_options(name: str) -> None:
    taken = keywords(SCHEDULES[name], set())
    assert set(schema.OPTIONS[name]) - {"cycle_momentum"} == set(taken)
    assert schema.DEFAULTS[name] == {k: v for k, v in taken.items() if v not in (inspect.Parameter.empty, None)}


def test_an_experiment_knows_the_same_schedules() -> None:
    assert list(schema.DEFAULTS) == list(SCHEDULES) == list(TORCH)


# Experiments.

FIT = "fit: y = w*x + b\ndata: {columns: {x: [1, 2, 3, 4], y: [2, 4, 7, 8]}}\nparams: {w: 0, b: 0}\n"
X, Y = torch.tensor([1.0, 2, 3, 4], dtype=torch.float64), torch.tensor([2.0, 4, 7, 8], dtype=torch.float64)


def experiment(train: str, more: str = "") -> Any:
    return load("-", stdin=io.StringIO(f"{FIT}{more}train: {train}\n"))


def trained(train: str) -> gdtrain.Result:
    from gdtrain.train import train as run

    return run(experiment(train), every=1)


def by_hand(
    epochs: int,
    lr: float,
    schedule: Callable[[Any], Any] | None = None,
    clip: Callable[[list[Tensor]], object] = lambda parameters: None,
    **options: Any,
) -> Iterator[tuple[float, float]]:
    """The weights of FIT after each epoch of a plain torch loop."""
    w, b = (torch.nn.Parameter(torch.zeros((), dtype=torch.float64)) for _ in range(2))
    optimizer = torch.optim.SGD([w, b], lr=lr, **options)
    scheduler = None if schedule is None else schedule(optimizer)
    yield w.item(), b.item()
    for _ in range(epochs):
        w.grad, b.grad = torch.autograd.grad(((w * X + b - Y) ** 2).mean(), [w, b])
        clip([w, b])
        optimizer.step()
        with torch.no_grad():
            loss = float(((w * X + b - Y) ** 2).mean())
        if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
            scheduler.step(loss)
        elif scheduler is not None:
            scheduler.step()
        yield w.item(), b.item()


WALKS: dict[str, tuple[str, dict[str, Any]]] = {
    "cosine": (
        "{optimizer: {name: sgd, momentum: 0.5}, lr: 0.05, epochs: 30, schedule: cosine}",
        {"momentum": 0.5, "schedule": lambda o: lr_scheduler.CosineAnnealingLR(o, 30)},
    ),
    "onecycle": (
        "{lr: 0.05, epochs: 30, schedule: onecycle}",
        {"schedule": lambda o: lr_scheduler.OneCycleLR(o, 0.05, 30, cycle_momentum=False)},
    ),
    "highest lr": (
        "{epochs: 30, schedule: {name: onecycle, max_lr: 0.05}}",
        {"schedule": lambda o: lr_scheduler.OneCycleLR(o, 0.05, 30, cycle_momentum=False)},
    ),
    "plateau": (  # momentum makes the loss rise now and then
        "{optimizer: {name: sgd, momentum: 0.95}, lr: 0.05, epochs: 30,"
        " schedule: {name: plateau, patience: 1, factor: 0.5}}",
        {"momentum": 0.95, "schedule": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1, factor=0.5)},
    ),
    "clipped norm": (
        "{optimizer: {name: sgd, weight_decay: 0.3}, lr: 0.05, epochs: 30, clip: 2}",
        {"weight_decay": 0.3, "clip": lambda p: torch.nn.utils.clip_grad_norm_(p, 2.0)},
    ),
    "clipped value": (
        "{optimizer: {name: sgd, momentum: 0.5}, lr: 0.05, epochs: 30, clip: {value: 1.5}}",
        {"momentum": 0.5, "clip": lambda p: torch.nn.utils.clip_grad_value_(p, 1.5)},
    ),
}


@pytest.mark.parametrize("case", WALKS)
def test_a_run_is_the_plain_torch_loop(case: str) -> None:
    train, options = WALKS[case]
    result = trained(train)
    expected = torch.tensor(list(by_hand(30, 0.05, **options)), dtype=torch.float64)
    kept = {key: value for key, value in options.items() if key not in ("schedule", "clip")}
    plain = torch.tensor(list(by_hand(30, 0.05, **kept)), dtype=torch.float64)
    found = torch.as_tensor(result.recorded.values_KQ)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)  # 30 steps from rows gathered into three
    assert not torch.allclose(found, plain, rtol=1e-3), "the case leaves no trace"
    assert result.engine["name"] == "loop"


def test_the_last_rate_and_the_schedule_stand_in_the_result() -> None:
    result = trained("{lr: 0.05, epochs: 10, schedule: {name: step, step_size: 4}}")
    assert result.train["lr"] == 0.05
    assert result.train["lr_final"] == pytest.approx(0.05 * 0.1**2, rel=1e-12)  # of step 10: 9 // 4 = 2
    assert result.train["schedule"] == {"name": "step", "step_size": 4, "gamma": 0.1}
    assert trained("{lr: 0.05, epochs: 3, clip: 2}").train["clip"] == {"norm": 2.0}


@pytest.mark.parametrize(
    ("train", "why"),
    [("{schedule: cosine}", "a schedule has no closed form"), ("{clip: 1}", "clipping has no closed form")],
)
def test_there_is_no_closed_form(train: str, why: str) -> None:
    assert trained(train).engine == {"name": "loop", "data": "compressed", "reason": why}
    with pytest.raises(gdtrain.UserError, match=f"there is no closed form here: {why}"):
        trained(train.replace("{", "{engine: exact, ", 1))


def test_no_rate_is_halved_beside_a_schedule() -> None:
    """A loss that is not quadratic has its lr halved where it was chosen for the user, unless a schedule says it."""
    flat: dict[str, Any] = {"minimize": "sqrt(1 + x^2)", "params": {"x": 3.0}}  # at the start; curved further on
    halved = gdtrain.run(flat, optimizer="sgd", epochs=50)
    assert halved.train["lr_final"] < halved.train["lr"]
    scheduled = gdtrain.run(flat | {"train": {"epochs": 50, "schedule": {"name": "linear", "start_factor": 1.0}}})
    assert "lr_final" not in scheduled.train


REFUSED = [
    ("{schedule: step}", "step needs step_size; write {name: step, step_size: 30}"),
    ("{schedule: {name: step, step_size: 2, T_max: 3}}", "step takes no T_max; it is an option of cosine"),
    ("{schedule: {name: plateau, gamma: 1}}", "it is an option of step, multistep, exponential"),
    ("{schedule: cosin}", "did you mean cosine?"),
    ("{schedule: {T_max: 3}}", "name is missing"),
    ("{schedule: {name: onecycle, cycle_momentum: true}}", "onecycle leaves momentum as it is here"),
    ("{epochs: 9, schedule: {name: onecycle, total_steps: 5}}", "onecycle ends after 5 of 9 epochs"),
    ("{schedule: {name: plateau, factor: 1}}", "factor must be below 1, not 1"),
    ("{schedule: {name: linear, start_factor: 0}}", "start_factor must be above 0, not 0"),
    ("{schedule: {name: step, step_size: 0}}", "step_size must be 1 or more, not 0"),
    ("{schedule: {name: plateau, mode: max}}", "mode must be min"),
    ("{lr_scheduler: cosine}", "did you mean schedule?"),
    ("{clip: {}}", "clip says nothing; write one of norm, value"),
    ("{clip: {norm: 1, value: 1}}", "norm and value exclude each other"),
    ("{clip: 0}", "clip must be above 0, not 0"),
    ("{clip: {max_norm: 1}}", "did you mean norm?"),
]


@pytest.mark.parametrize(("train", "message"), REFUSED)
def test_refused(train: str, message: str) -> None:
    with pytest.raises((gdtrain.UserError, UserErrors)) as caught:
        experiment(train)
    assert message in str(caught.value)


def test_a_schedule_is_as_long_as_the_run_unless_told() -> None:
    filled = experiment("{epochs: 70, schedule: cosine}")
    assert filled.train.schedule.options == {"T_max": 70, "eta_min": 0.0}
    assert "train.schedule.T_max" in filled.chosen
    assert experiment("{epochs: 0, schedule: onecycle}").train.schedule.total_steps == 1
    assert experiment("{epochs: 7, schedule: {name: cosine, T_max: 5}}").train.schedule.T_max == 5


@pytest.mark.parametrize(
    ("schedule", "groups"),
    [("cosine", 3), ("onecycle", 3), ("{name: cosine, T_max: 20}", 1), ("{name: step, step_size: 4}", 1)],
)
def test_epochs_are_one_walk_unless_the_schedule_is_as_long(schedule: str, groups: int) -> None:
    source = io.StringIO(f"{FIT}train: {{lr: 0.05, schedule: {schedule}}}\n")
    flags = [AxisFlag.of("train.epochs", "5,10,20", "--epochs"), AxisFlag.of("train.lr", "0.01,0.05", "--lr")]
    assert len(load_sweep("-", axes=flags, stdin=source).groups) == groups


def test_a_swept_run_equals_the_run_alone() -> None:
    plain = load("-", stdin=io.StringIO(FIT)).model_dump(exclude_none=True, include={"fit", "data", "params"})
    base = {**plain, "train": {"schedule": "onecycle", "clip": 3.0}}
    swept = sweep(base, lr=[0.01, 0.05], epochs=[5, 12])
    for trial in swept.trials:
        alone = gdtrain.run(base, lr=trial.set["train.lr"], epochs=trial.set["train.epochs"])
        for name, value in alone.params.items():
            assert trial.params[name] == pytest.approx(value, rel=1e-12)


# Clipping.


def some_gradients() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 4, generator=generator, dtype=torch.float64) * torch.tensor(
        [[1e-3], [1.0], [5.0], [1e8], [0.0]]
    )


@pytest.mark.parametrize("most", [0.5, 3.0, 1e9])
@pytest.mark.parametrize("clip", CLIPS)
def test_each_trial_is_clipped_as_torch_does(clip: str, most: float) -> None:
    torchs: dict[str, Any] = {"norm": torch.nn.utils.clip_grad_norm_, "value": torch.nn.utils.clip_grad_value_}
    found = CLIPS[clip](most)(some_gradients())
    for s, gradient_P in enumerate(some_gradients()):
        parameters = [torch.nn.Parameter(torch.zeros(2, dtype=torch.float64)) for _ in range(2)]
        for parameter, gradient in zip(parameters, gradient_P.split(2), strict=True):
            parameter.grad = gradient.clone()
        torchs[clip](parameters, most)
        expected = torch.cat([parameter.grad for parameter in parameters if parameter.grad is not None])
        torch.testing.assert_close(found[s], expected, rtol=1e-15, atol=0)


def test_a_clipped_rule_with_options_of_each_trial_keeps_them() -> None:
    decay = torch.tensor([[0.1], [0.2], [0.3], [0.4], [0.5]], dtype=torch.float64)
    theta, lr = torch.ones(5, 4, dtype=torch.float64), torch.full((5, 1), 0.1, dtype=torch.float64)
    rule = clipped(build_optimizer("sgd", {"weight_decay": decay}, like=theta), CLIPS["norm"](1.0))
    _, whole = rule.update(rule.init(theta), theta, some_gradients(), lr)
    rows = torch.tensor([3, 1])
    assert rule.take is not None
    some = rule.take(rows)
    _, part = some.update(some.init(theta[rows]), theta[rows], some_gradients()[rows], lr[rows])
    assert torch.equal(part, whole[rows])


def test_what_blew_up_before_the_schedule_stopped_it_has_diverged() -> None:
    """cos gets lr below its limit of 2/15 in the end: the loss falls again, from 1e20 times its start."""
    line = {"fit": "y = w*x", "data": {"columns": {"x": [1.0, 2, 3, 4], "y": [2.0, 4, 6, 8]}}, "params": {"w": 0.0}}
    result = gdtrain.run({**line, "train": {"lr": 0.5, "epochs": 30, "schedule": "cosine"}})
    assert result.loss["final"] > 1e6 * result.loss["initial"]
    assert result.recorded.loss_K[-1] < result.recorded.loss_K[-4]
    assert result.verdict.status == "diverged"
    assert "w blew up: by epoch 30" in result.verdict.detail
    assert "with lr 0.5 (the limit is 0.1333); lr" in result.verdict.detail
