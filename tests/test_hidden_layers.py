"""Hidden layers of `regress`: the same network in torch, with its autograd; what a line cannot learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import gdtrain
from gdtrain.api import sweep
from gdtrain.data.opening import open_data
from gdtrain.errors import UserErrors
from gdtrain.experiment.load import load
from gdtrain.experiment.network import Network
from gdtrain.experiment.trials import Trials
from gdtrain.planning.plan import Plan, make_plan
from gdtrain.problem.build import build_problem
from gdtrain.problem.layered import Layered, Shape
from gdtrain.problem.problem import Problem
from gdtrain.trials.batches import cut

N = 37
BENDS: dict[str, nn.Module] = {
    "tanh": nn.Tanh(),
    "relu": nn.ReLU(),
    "leaky_relu": nn.LeakyReLU(),
    "elu": nn.ELU(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "sigmoid": nn.Sigmoid(),
    "softplus": nn.Softplus(),
}


def _columns() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(3)
    a, b, c = draw.normal(size=(3, N))
    y = np.sin(2 * a) + b * c
    return {
        "a": a,
        "b": 100 * b + 2000,
        "c": c,
        "y": y,
        "z": y * c,
        "label": (y > 0).astype(float),
        "kind": np.digitize(y, [-0.5, 0.5]).astype(float),
        "count": draw.poisson(2.0, N).astype(float),
        "many": draw.uniform(0, 3, N),
        "extra": draw.normal(size=N) / 3,
    }


COLUMNS = _columns()
T = {name: torch.from_numpy(column) for name, column in COLUMNS.items()}
FEATURES = ["a", "b", "c"]


def experiment(**more: Any) -> dict[str, Any]:
    target = more.pop("target", "y")
    intercept = more.pop("intercept", True)
    return {
        "regress": {"target": target, "features": FEATURES, "intercept": intercept},
        "model": {"hidden": [5, 4]},
        "data": {"scale": "none"},
        "train": {"optimizer": "sgd", "lr": 0.01, "epochs": 3},
        **more,
    }


def posed(plain: Mapping[str, Any]) -> tuple[Problem, Plan]:
    loaded = load(plain, framed=True)
    data = open_data(loaded, frame=COLUMNS)
    loaded = loaded.with_starts(data.names.parameters)
    problem = build_problem(loaded, data)
    return problem, make_plan(Trials(loaded), problem)


def sequential(theta_P: Tensor, shape: Shape) -> nn.Sequential:
    """The network in torch, with weights that lie in theta layer by layer, a unit's constant after its weights."""
    net, rest = nn.Sequential(), theta_P.detach()
    for i, (units, width) in enumerate(shape.layers):
        last = i == len(shape.layers) - 1
        bias = shape.constant or not last
        linear = nn.Linear(width - bias, units, bias=bias, dtype=theta_P.dtype)
        weights, rest = rest[: units * width].view(units, width), rest[units * width :]
        linear.weight.data = weights[:, : width - bias].clone()
        if bias:
            linear.bias.data = weights[:, -1].clone()
        net.append(linear)
        if not last:
            net.append(BENDS[shape.activation])
    assert not len(rest)
    return net


def in_theta(net: nn.Sequential) -> Tensor:
    """The gradients of a network, as theta holds its weights."""
    parts = []
    for linear in (each for each in net if isinstance(each, nn.Linear)):
        assert linear.weight.grad is not None
        bias = [] if linear.bias is None else [linear.bias.grad[:, None]]  # type: ignore[index]
        parts.append(torch.cat([linear.weight.grad, *bias], 1).flatten())
    return torch.cat(parts)


def drawn(shape: Shape, trials: int = 1, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Rows with a column of ones, and weights."""
    draw = torch.Generator().manual_seed(5)
    x_NF = torch.randn(N, shape.features, generator=draw, dtype=dtype)
    size = sum(units * width for units, width in shape.layers)
    return torch.cat([x_NF, torch.ones(N, 1, dtype=dtype)], 1), torch.randn(trials, size, generator=draw, dtype=dtype)


SHAPES = [
    *(Shape(3, [5, 4], 1, True, bend) for bend in BENDS),
    Shape(3, [1], 1, True, "tanh"),
    Shape(2, [4], 3, True, "relu"),
    Shape(2, [4, 2, 3], 1, False, "silu"),
    Shape(2, [4], 2, False, "gelu"),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_forward_and_backward_are_those_of_torch(shape: Shape) -> None:
    x_ND, theta_1P = drawn(shape)
    net = sequential(theta_1P[0], shape)
    expected = net(x_ND[:, :-1])
    prediction, saved = Layered(x_ND, shape, range(theta_1P.shape[1]), theta_1P[0]).forward(theta_1P)
    assert prediction.shape == ((1, N) if shape.outputs == 1 else (1, N, shape.outputs))
    torch.testing.assert_close(prediction[0].view(N, -1), expected, rtol=1e-12, atol=1e-13)
    slope = torch.cos(torch.arange(prediction.numel(), dtype=torch.float64)).view_as(prediction)
    expected.backward(slope[0].view(N, -1))
    gradient = Layered(x_ND, shape, range(theta_1P.shape[1]), theta_1P[0]).backward(saved, slope)
    torch.testing.assert_close(gradient[0], in_theta(net), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_jacobian_is_that_of_autograd(shape: Shape) -> None:
    x_ND, theta_1P = drawn(shape)
    free = [i for i in range(theta_1P.shape[1]) if i != 1]
    layered = Layered(x_ND, shape, free, theta_1P[0])

    def outputs(theta_P: Tensor) -> Tensor:
        return layered.forward(theta_P[None])[0].view(N, -1).T.flatten()

    expected = torch.func.jacrev(outputs)(theta_1P[0, free])
    torch.testing.assert_close(layered.jacobian(theta_1P[:, free]), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_trials_side_by_side_are_those_alone(dtype: torch.dtype) -> None:
    shape = Shape(3, [5, 4], 2, True, "tanh")
    x_ND, theta_SP = drawn(shape, 6, dtype)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-4
    rows_SB = torch.stack([torch.randperm(N)[:9] for _ in range(6)])
    whole = Layered(x_ND, shape, range(theta_SP.shape[1]), theta_SP[0])
    for layered, alone in ((whole, [whole] * 6), (whole.of(rows_SB), [whole.of(rows) for rows in rows_SB])):
        prediction, saved = layered.forward(theta_SP)
        gradient = layered.backward(saved, prediction)
        for s, one in enumerate(alone):
            expected, kept = one.forward(theta_SP[s : s + 1])
            torch.testing.assert_close(prediction[s : s + 1], expected, rtol=tolerance, atol=tolerance)
            pulled = one.backward(kept, expected)
            torch.testing.assert_close(gradient[s : s + 1], pulled, rtol=tolerance, atol=10 * tolerance)


def _mean(loss: Tensor) -> Tensor:
    return (loss * T["many"]).sum() / T["many"].sum()


# What `experiment` is given, and the same loss in torch: predictions (N,) or (N, T) -> loss.
LOSSES: dict[str, tuple[dict[str, Any], Any]] = {
    "mse": ({}, lambda p: functional.mse_loss(p, T["y"])),
    "two targets": (
        {"target": ["y", "z"]},
        lambda p: functional.mse_loss(p, torch.stack([T["y"], T["z"]], 1)),
    ),
    "huber": ({"loss": "huber"}, lambda p: functional.huber_loss(p, T["y"])),
    "logistic": (
        {"target": "label", "loss": "logistic"},
        lambda p: functional.binary_cross_entropy_with_logits(p, T["label"]),
    ),
    "softmax": (
        {"target": "kind", "loss": "softmax"},
        lambda p: functional.cross_entropy(functional.pad(p, (1, 0)), T["kind"].long()),
    ),
    "offset": (
        {"target": "count", "loss": "poisson", "data": {"scale": "none", "offset": "extra"}},
        lambda p: functional.poisson_nll_loss(p + T["extra"], T["count"]),
    ),
    "weights of rows": (
        {"data": {"scale": "none", "sample_weight": "many"}},
        lambda p: _mean((p - T["y"]).square()),
    ),
    "no last constant": ({"intercept": False}, lambda p: functional.mse_loss(p, T["y"])),
}


@pytest.mark.parametrize("case", LOSSES)
def test_losses_and_steps_are_those_of_torch(case: str) -> None:
    """Three steps of sgd, from the same start."""
    more, loss = LOSSES[case]
    _, plan = posed(experiment(**more))
    outputs = {"two targets": 2, "softmax": 2}.get(case, 1)
    net = sequential(plan.theta_SP[0], Shape(3, [5, 4], outputs, case != "no last constant", "tanh"))
    x_NF = torch.stack([T[name] for name in FEATURES], 1)
    sgd = torch.optim.SGD(net.parameters(), lr=0.01)
    for epoch in range(4):
        sgd.zero_grad()
        value = loss(net(x_NF).squeeze(1))
        value.backward()
        chunk = plan.run().recorded
        torch.testing.assert_close(chunk.loss_CS[epoch, 0], value.detach(), rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(chunk.gradient_CSP[epoch, 0], in_theta(net), rtol=1e-9, atol=1e-11)
        sgd.step()


def test_starts_are_those_of_a_linear_layer() -> None:
    """1/sqrt(inputs) on either side of 0, of the columns as they are scaled; a seed draws others."""
    found = []
    for seed in (0, 1):
        train = {"optimizer": "adam", "epochs": 0, "seed": seed}
        _, plan = posed(experiment(model={"hidden": [200, 50]}, data={"scale": "standard"}, train=train))
        theta_P = plan.theta_SP[0]
        first, second, last = torch.split_with_sizes(theta_P, [200 * 4, 50 * 201, 51])
        for part, inputs in ((first, 3), (second, 200), (last, 50)):
            bound = inputs**-0.5
            assert 0.9 * bound < float(part.abs().max()) <= bound * (1 + 1e-9)
            assert abs(float(part.mean())) < 0.3 * bound
        found.append(theta_P)
    assert not bool((found[0] == found[1]).any())


def test_a_declared_start_moves_no_other() -> None:
    """Nor does a layer's start depend on what follows it."""

    def starts(**more: Any) -> dict[str, float]:
        return {p.name: p.start for p in gdtrain.run(experiment(**more), data=COLUMNS).parameters}

    free = starts()
    declared = {"hidden1[2].b": 0.25, "hidden2[1].hidden1[1]": {"start": {"uniform": [3, 4]}}, "intercept": {"max": -9}}
    held = starts(params=declared)
    assert {name for name in free if free[name] != held[name]} == declared.keys()
    assert held["hidden1[2].b"] == 0.25
    assert 3 <= held["hidden2[1].hidden1[1]"] <= 4
    assert held["intercept"] == -9
    deeper = starts(model={"hidden": [5, 4, 2]})
    assert {name for name in deeper if name.startswith(("hidden1", "hidden2"))} == {
        name for name in free if deeper.get(name) == free[name]
    }


def test_weights_in_the_units_of_the_data() -> None:
    """Scaled columns train another net than unscaled ones; what is reported predicts the same from raw columns."""
    result = gdtrain.run(experiment(data={"scale": "standard"}, predict="data"), data=COLUMNS)
    params = torch.tensor([p.value for p in result.parameters], dtype=torch.float64)
    net = sequential(params, Shape(3, [5, 4], 1, True, "tanh"))
    with torch.no_grad():
        expected = net(torch.stack([T[name] for name in FEATURES], 1))[:, 0]
    after = torch.tensor([row.after for row in result.predictions], dtype=torch.float64)
    torch.testing.assert_close(after, expected, rtol=1e-9, atol=1e-10)
    mean_square = float((expected - T["y"]).square().mean())
    assert result.loss["final"] == pytest.approx(mean_square, rel=1e-9)


def test_declared_parameters() -> None:
    """A start is in the units of the data; a fixed one stays."""
    params = {"hidden1[2].b": {"start": 0.25, "fixed": True}, "hidden2[4].hidden1[1]": 3.0, "intercept": -1.0}
    for scale in ("none", "standard"):
        plain = experiment(params=params, data={"scale": scale})
        result = gdtrain.run(plain, data=COLUMNS)
        by_name = {p.name: p for p in result.parameters}
        assert by_name["hidden1[2].b"].value == pytest.approx(0.25, rel=1e-12)
        assert [by_name[name].start for name in ("hidden2[4].hidden1[1]", "intercept")] == [3.0, -1.0]
        assert by_name["hidden2[4].hidden1[1]"].value != 3.0


def test_names() -> None:
    names = Network(hidden=[2, 1]).names(["income"], "intercept")
    assert names == [
        "hidden1[1].income",
        "hidden1[1].intercept",
        "hidden1[2].income",
        "hidden1[2].intercept",
        "hidden2[1].hidden1[1]",
        "hidden2[1].hidden1[2]",
        "hidden2[1].intercept",
    ]
    problem, _ = posed(experiment(target="kind", loss="softmax", model={"hidden": [1]}))
    assert problem.parameters.names[4:] == ["1.hidden1[1]", "1.intercept", "2.hidden1[1]", "2.intercept"]


def test_a_penalty_leaves_constants_free() -> None:
    problem, plan = posed(experiment(penalty={"l2": 0.1}, target=["y", "z"]))
    assert plan.penalty is not None
    free = [n for n, w in zip(problem.parameters.trained, plan.penalty.weights_P.tolist(), strict=True) if not w]
    assert free == [name for name in problem.parameters.trained if name.endswith("intercept")]
    assert len(free) == 5 + 4 + 2


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_net_learns_what_a_line_cannot(optimizer: str) -> None:
    x = np.linspace(-3, 3, 60)
    frame = {"x": 1000 * x + 5000, "y": np.sin(2 * x)}
    settings: dict[str, Any] = {"optimizer": optimizer, "epochs": 2000} | ({"lr": 0.01} if optimizer == "adam" else {})
    line = gdtrain.regress(frame, "y", ["x"])
    net = gdtrain.regress(frame, "y", ["x"], model={"hidden": [16, 16]}, scale="standard", **settings)
    assert line.loss["final"] > 0.4
    assert net.loss["final"] < (0.1 if optimizer == "sgd" else 1e-4)
    assert net.engine["name"] == "loop"
    assert net.engine["reason"] == "hidden layers have no closed form"
    assert net.curvature is None


def test_xor() -> None:
    frame = {"a": [0, 0, 1, 1], "b": [0, 1, 0, 1], "y": [0, 1, 1, 0]}
    result = gdtrain.regress(frame, "y", loss="logistic", model={"hidden": [4]}, optimizer="adam", lr=0.05, epochs=300)
    assert result.metrics["accuracy"] == 1.0
    assert result.metrics["log_loss"] < 0.01
    assert gdtrain.regress(frame, "y", loss="logistic", epochs=300).metrics["log_loss"] > 0.69


@pytest.mark.parametrize("batch_size", [None, 10])
def test_seeds_are_swept_as_they_train_alone(batch_size: int | None) -> None:
    plain = experiment(data={"scale": "standard"}, loss="huber")
    plain["train"] = {"optimizer": "adam", "lr": 0.01, "epochs": 20} | (
        {"batch_size": batch_size} if batch_size else {}
    )
    result = sweep(plain, data=COLUMNS, seed=[0, 1, 2], lr=[0.01, 0.02])
    for trial in result.trials:
        settings = {key.removeprefix("train."): value for key, value in trial.set.items()}
        alone = gdtrain.run(plain, data=COLUMNS, **settings)
        assert trial.loss == pytest.approx(alone.loss["final"], rel=1e-10)
        assert list(trial.params.values()) == pytest.approx(list(alone.params.values()), rel=1e-8, abs=1e-10)
    assert len({trial.loss for trial in result.trials}) == 6


def test_starts_are_seeds() -> None:
    plain = experiment(data={"scale": "standard"})
    result = sweep(plain, data=COLUMNS, starts=4)
    assert result.axes == ["train.seed"]
    alone = gdtrain.run(plain, data=COLUMNS, seed=2)
    loaded = load(plain | {"train": plain["train"] | {"seed": 2}}, framed=True)
    problem, plan = posed(plain)
    theta_SP = make_plan(Trials(loaded, {"train.seed": [0, 2, 0]}, 3), problem).theta_SP
    assert torch.equal(theta_SP[1], posed(plain | {"train": plain["train"] | {"seed": 2}})[1].theta_SP[0])
    assert torch.equal(theta_SP[2], plan.theta_SP[0])
    assert result.trials[2].loss == pytest.approx(alone.loss["final"], rel=1e-12)


def test_what_trials_take_side_by_side_is_bounded() -> None:
    """The more trials, the fewer rows of a block; and of too many only some go side by side."""
    shape = Shape(3, [32, 16], 1, True, "tanh")
    assert [shape.block_rows(trials) for trials in (1, 2, 16, 1000)] == [4096, 2048, 256, 256]
    problem, plan = posed(experiment(model={"hidden": [32, 16]}))
    trials = Trials(load(experiment(), framed=True), {"train.seed": list(range(100))}, 100)
    assert len(plan.theta_SP) == 1
    few, many = (len(next(iter(cut(problem, trials, 3, memory)))) for memory in (32 << 20, 1 << 30))
    assert 1 <= few < many


def test_ten_thousand_parameters() -> None:
    """All of them in the document, and nothing that takes their square."""
    result = gdtrain.run(experiment(model={"hidden": [96, 96]}, loss="logcosh"), data=COLUMNS)
    assert len(result.to_dict()["params"]) == 96 * 4 + 96 * 97 + 97
    assert result.warnings == []


REFUSED = [
    ({"hidden": []}, "hidden must hold at least 1"),
    ({"hidden": [0]}, "must be 1 or more"),
    ({"hidden": [4], "activation": "tan"}, "did you mean tanh"),
    ({"hidden_layers": [4], "hidden": [4]}, "did you mean hidden"),
    ({"hidden": [10000, 10000]}, "parameters are more than 100,000; write fewer units"),
    ("y = w*x", "a formula goes under fit"),
]


@pytest.mark.parametrize(("model", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_refused(model: Any, message: str) -> None:
    with pytest.raises(UserErrors) as caught:
        gdtrain.run(experiment(model=model), data=COLUMNS)
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", [{"fit": "y = a*x"}, {"solve": "x = 1"}, {"minimize": "x^2"}])
def test_only_regress_has_hidden_layers(kind: dict[str, str]) -> None:
    with pytest.raises(UserErrors, match="hidden layers"):
        load({**kind, "model": {"hidden": [3]}}, framed=True)
