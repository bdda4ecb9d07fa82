"""Mini-batches: the plain torch loop over the same rows, whatever stands beside a trial and however its walk is cut."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import gdtrain
from gdtrain.api import sweep
from gdtrain.draws import generator
from gdtrain.engines import loop
from gdtrain.engines.minibatches import PURPOSE, Minibatches
from gdtrain.errors import UserErrors
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import AxisFlag
from gdtrain.experiment.sweep import load_sweep

N = 23  # of a prime, every batch size leaves rows over
STEP = 1e-12


def _columns() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(1)
    columns = {name: draw.normal(size=N) for name in ("a", "b", "c")}
    noise = 0.3 * draw.normal(size=N)
    y = 2 * columns["a"] - columns["b"] + 0.5 * columns["a"] * columns["c"] + 1 + noise
    return {**columns, "y": y, "z": y * columns["c"]}


COLUMNS = _columns()
T = {name: torch.from_numpy(column) for name, column in COLUMNS.items()}


# Problems with their loss over some rows, written out in torch: parameters by name -> loss.

Rows = Tensor


def _linear(values: Mapping[str, Tensor], rows: Rows) -> Tensor:
    return values["a"] * T["a"][rows] + values["b"] * T["b"][rows] + values["intercept"]


def _two_targets(v: Mapping[str, Tensor], rows: Rows) -> Tensor:
    predicted = [
        sum((v[f"{t}.{f}"] * T[f][rows] for f in ("a", "b")), v[f"{t}.intercept"].expand(len(rows))) for t in "yz"
    ]
    return functional.mse_loss(torch.stack(predicted, 1), torch.stack([T["y"], T["z"]], 1)[rows])


def _curve(v: Mapping[str, Tensor], rows: Rows) -> Tensor:
    return v["p"] * torch.exp(-(T["a"][rows] ** 2) * v["q"]) + torch.log1p(T["b"][rows] ** 2) - v["p"]


REGRESS: dict[str, Any] = {"regress": {"target": "y", "features": ["a", "b"]}, "data": {"scale": "none"}}
PROBLEMS: dict[str, tuple[dict[str, Any], Any]] = {
    "regress huber": (
        {**REGRESS, "loss": {"name": "huber", "delta": 0.7}},
        lambda v, rows: functional.huber_loss(_linear(v, rows), T["y"][rows], delta=0.7),
    ),
    "regress mse": (REGRESS, lambda v, rows: functional.mse_loss(_linear(v, rows), T["y"][rows])),
    "a sum over the rows": (
        {**REGRESS, "loss": "half_sse"},
        lambda v, rows: functional.mse_loss(_linear(v, rows), T["y"][rows], reduction="sum") / 2,
    ),
    "two targets": (
        {"regress": {"target": ["y", "z"], "features": ["a", "b"]}, "data": {"scale": "none"}},
        _two_targets,
    ),
    "a fixed weight": (
        {**REGRESS, "params": {"b": {"start": -1.0, "fixed": True}}},
        lambda v, rows: functional.mse_loss(_linear({**v, "b": torch.tensor(-1.0)}, rows), T["y"][rows]),
    ),
    "a formula": (
        {"fit": "y = p*exp(-a^2*q) + log1p(b^2) - p", "params": {"p": 0.5, "q": 0.25}},
        lambda v, rows: functional.mse_loss(_curve(v, rows), T["y"][rows]),
    ),
    "a formula of one number": (
        {"fit": "log1p(y^2) = p", "params": {"p": 0.5}, "loss": "mae"},
        lambda v, rows: functional.l1_loss(v["p"].expand(len(rows)), torch.log1p(T["y"][rows] ** 2)),
    ),
}
STEPS: dict[str, tuple[dict[str, Any], Any]] = {
    "sgd": ({"optimizer": {"name": "sgd", "momentum": 0.9}}, lambda p: torch.optim.SGD(p, 0.01, momentum=0.9)),
    "adam": ({"optimizer": "adam"}, lambda p: torch.optim.Adam(p, 0.01)),
}


def order(epoch: int, seed: int, *, shuffle: bool) -> list[int]:
    return generator(seed, epoch, PURPOSE).permutation(N).tolist() if shuffle else list(range(N))


def by_hand(
    loss: Any,
    start: Mapping[str, float],
    optimizer: Any,
    size: int,
    epochs: int,
    *,
    seed: int = 0,
    shuffle: bool = True,
) -> Iterator[tuple[float, dict[str, float]]]:
    """Loss over all rows, and parameters, after each epoch of a plain torch loop."""
    values = {name: torch.nn.Parameter(torch.tensor(number, dtype=torch.float64)) for name, number in start.items()}
    step = optimizer(list(values.values()))
    for epoch in range(1, epochs + 1):
        rows = torch.tensor(order(epoch, seed, shuffle=shuffle))
        for batch in torch.split(rows, size):
            found = torch.autograd.grad(loss(values, batch), list(values.values()))
            for parameter, gradient in zip(values.values(), found, strict=True):
                parameter.grad = gradient
            step.step()
        yield loss(values, torch.arange(N)).item(), {name: value.item() for name, value in values.items()}


def run(problem: Mapping[str, Any], data: Any = COLUMNS, **train: Any) -> gdtrain.Result:
    return gdtrain.run({**problem, "train": {"lr": 0.01, "epochs": 4, "batch_size": 5, **train}}, data=data, every=1)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("size", [1, 5, 22])
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_run_is_the_plain_torch_loop(name: str, steps: str, size: int, shuffle: bool) -> None:
    problem, loss = PROBLEMS[name]
    train, optimizer = STEPS[steps]
    result = run(problem, batch_size=size, shuffle=shuffle, seed=3, **train)
    start = {p.name: p.start for p in result.parameters if not p.fixed}
    epochs = by_hand(loss, start, optimizer, size, 4, seed=3, shuffle=shuffle)
    for k, (expected_loss, expected) in enumerate(epochs, start=1):
        assert result.recorded.loss_K[k] == pytest.approx(expected_loss, rel=STEP)
        found = dict(zip(result.params, result.recorded.values_KQ[k], strict=True))
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=STEP, abs=STEP)
    assert k == 4


@pytest.mark.parametrize("name", ["regress huber", "a formula"])
def test_a_batch_of_all_rows_is_the_whole(name: str) -> None:
    problem, _ = PROBLEMS[name]
    whole = gdtrain.run({**problem, "train": {"lr": 0.01, "epochs": 4, "engine": "loop"}}, data=COLUMNS, every=1)
    for size in (N, N + 1, 10**9):
        result = run(problem, batch_size=size)
        assert np.array_equal(result.recorded.values_KQ, whole.recorded.values_KQ)
        assert np.array_equal(result.recorded.loss_K, whole.recorded.loss_K)


def test_every_epoch_takes_every_row_once_in_an_order_of_its_own() -> None:
    batches = Minibatches(N, 5, [7], torch.device("cpu"))
    orders = [torch.cat([rows for rows in batches.epoch(epoch) if isinstance(rows, Tensor)]) for epoch in (1, 2, 1)]
    assert all(order.sort().values.tolist() == list(range(N)) for order in orders)
    assert torch.equal(orders[0], orders[2]) and not torch.equal(orders[0], orders[1])
    assert [len(rows) for rows in batches.epoch(1) if isinstance(rows, Tensor)] == [5, 5, 5, 5, 3]


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not() -> None:
    problem, _ = PROBLEMS["regress huber"]
    first, again, other = (run(problem, seed=seed).recorded.values_KQ for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other, rtol=1e-9)


def test_the_clock_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, _ = PROBLEMS["a formula"]
    expected = run(problem, epochs=40)
    for chunk in (1, 7):
        monkeypatch.setattr(loop, "_CHUNK_EPOCHS", chunk)
        assert np.array_equal(run(problem, epochs=40).recorded.values_KQ, expected.recorded.values_KQ)


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("seeds", [[4, 4, 4], [4, 9, 4]], ids=["one seed", "seeds"])
def test_a_trial_beside_others_equals_the_trial_alone(name: str, seeds: Sequence[int]) -> None:
    """With seeds of their own each has its own order; starts are given, so that seeds do nothing else."""
    problem, _ = PROBLEMS[name]
    base = {**problem, "train": {"epochs": 6, "batch_size": 5}}
    lr = [0.01, 0.02, 1e30]  # the last diverges, and is dropped on the way
    swept = sweep(base, data=COLUMNS, lr=lr, seed=seeds, zip=True)
    flags = [AxisFlag.of_values("train.lr", lr, "lr"), AxisFlag.of_values("train.seed", seeds, "seed")]
    assert len(load_sweep(base, axes=flags, zipped=True, framed=True).groups) == 1
    for rate, seed, trial in zip(lr, seeds, swept.trials, strict=True):
        alone = gdtrain.run(base, data=COLUMNS, lr=rate, seed=seed)
        assert (trial.status, trial.epochs) == (alone.verdict.status, alone.epochs)
        if alone.verdict.status != "diverged":
            assert trial.params == pytest.approx(alone.params, rel=1e-11)


def test_batch_sizes_split_a_sweep() -> None:
    text = "fit: y = w*x\ndata: {columns: {x: [1, 2, 3, 4], y: [2, 4, 7, 8]}}\nparams: {w: 0}\n"
    axes = [AxisFlag.of("train.batch_size", "1,2,4", "--set"), AxisFlag.of("train.lr", "0.01,0.02", "--lr")]
    spec = load_sweep("-", axes=axes, stdin=io.StringIO(text))
    assert [group.trials.count for group in spec.groups] == [2, 2, 2]
    many: dict[str, Any] = {"train.batch_size": [1, 2]}
    result = sweep(
        {"fit": "y = w*x", "data": {"columns": {"x": [1.0, 2], "y": [2.0, 5]}}, "params": {"w": 0.0}},
        lr=0.1,
        **many,
    )
    one, both = (trial.params["w"] for trial in result.trials)
    assert one != both


def test_stops_work_by_the_epoch() -> None:
    problem, _ = PROBLEMS["regress mse"]
    far = run(problem, epochs=500)
    stopped = gdtrain.run(
        {**problem, "train": {"lr": 0.01, "epochs": 500, "batch_size": 5}, "stop": {"patience": 3}},
        data=COLUMNS,
        every=1,
    )
    losses = far.recorded.loss_K[: stopped.epochs + 1]
    assert stopped.verdict.status == "stopped"
    assert losses[-4] == losses.min() and stopped.recorded.loss_K == pytest.approx(losses, rel=0)


def test_bounds_hold_after_every_step() -> None:
    problem = {**REGRESS, "params": {"a": {"min": 0.0, "max": 1.5}}}
    values = run(problem, epochs=30, lr=0.1).recorded.values_KQ[:, 0]
    assert values.max() == 1.5 and values.min() >= 0


def test_lr_auto_is_that_of_the_curvature_and_halved_by_the_epoch() -> None:
    """1/L at the start, L the largest curvature over all rows, though the loss is quadratic; some rows are steeper."""
    design = np.stack([COLUMNS["a"], COLUMNS["b"], np.ones(N)], 1)
    largest = np.linalg.eigvalsh(2 * design.T @ design / N)[-1]
    problem = {"regress": {"target": "y", "features": ["a", "b"]}, "data": {"scale": "none"}}
    result = gdtrain.run({**problem, "train": {"batch_size": 1, "epochs": 60}}, data=COLUMNS, every=1)
    assert result.train["lr"] == pytest.approx(1 / largest, rel=1e-6)
    assert result.train["lr_final"] < result.train["lr"]
    assert (np.diff(result.recorded.loss_K) <= 1e-12 * result.recorded.loss_K[:-1]).all()


REFUSED = [
    ("solve: x + 1 = 3\ntrain: {batch_size: 2}\n", "solve has no rows, of which a batch would be some"),
    ("minimize: (x - 1)^2\ntrain: {batch_size: 2}\n", "minimize takes no mini-batches"),
    ("fit: y = w*x\ndata: rows.csv\ntrain: {shuffle: true}\n", "shuffle orders mini-batches, and there are none"),
    ("fit: y = w*x\ndata: rows.csv\ntrain: {batch_size: 0}\n", "batch_size must be 1 or more, not 0"),
    ("fit: y = w*x\ndata: rows.csv\ntrain: {batchsize: 8}\n", "did you mean batch_size?"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refused(text: str, message: str) -> None:
    text = text.replace("data: rows.csv", "data: {path: rows.csv}")
    with pytest.raises((gdtrain.UserError, UserErrors)) as caught:
        load("-", stdin=io.StringIO(text))
    assert message in str(caught.value)


def test_there_is_no_closed_form() -> None:
    assert run(REGRESS).engine == {"name": "loop", "data": "rows", "reason": "mini-batches have no closed form"}
    with pytest.raises(gdtrain.UserError, match="no closed form here: mini-batches"):
        run(REGRESS, engine="exact")


def test_what_was_chosen_is_told() -> None:
    result = run(REGRESS)
    assert result.train["batch_size"] == 5 and result.train["shuffle"] is True
    assert "train.shuffle" in result.train["chosen"]
    assert "train.shuffle" not in run(REGRESS, shuffle=False).train["chosen"]
