"""A torch module of the user's own under `regress`: the loop by hand, its weights, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import gdtrain
from gdtrain.errors import UserError, UserErrors

N = 29


def _columns() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(8)
    a, b = draw.normal(size=(2, N))
    y = np.sin(2 * a) * b
    kind = np.digitize(y, [-0.3, 0.3]).astype(float)
    return {
        "a": a,
        "b": b,
        "y": y,
        "z": y + a,
        "label": (y > 0).astype(float),
        "kind": kind,
        "w": draw.uniform(0, 2, N),
    }


COLUMNS = _columns()
T = {name: torch.from_numpy(column) for name, column in COLUMNS.items()}
X = torch.stack([T["a"], T["b"]], 1)
Loss = Callable[[Tensor], Tensor]


class Bilinear(nn.Module):
    """A module with a parameter that is one number, one that is fixed, and predictions (N,)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.scale = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
        self.fixed = nn.Parameter(torch.tensor([2.0, 1.0], dtype=torch.float64), requires_grad=False)
        self.inner = nn.Linear(2, 2).double()

    def forward(self, x: Tensor) -> Tensor:
        product: Tensor = self.scale * (self.inner(x) * x * self.fixed).sum(1)
        return product


def net(outputs: int = 1, dtype: torch.dtype = torch.float64) -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, outputs)).to(dtype)


# The module, what `run` is given, and the same loss in torch.
CASES: dict[str, tuple[Callable[[], nn.Module], dict[str, Any], Loss]] = {
    "mse": (net, {}, lambda p: functional.mse_loss(p[:, 0], T["y"])),
    "predictions (N,)": (Bilinear, {}, lambda p: functional.mse_loss(p, T["y"])),
    "two targets": (
        lambda: net(2),
        {"target": ["y", "z"]},
        lambda p: functional.mse_loss(p, torch.stack([T["y"], T["z"]], 1)),
    ),
    "logistic": (
        net,
        {"target": "label", "loss": "logistic"},
        lambda p: functional.binary_cross_entropy_with_logits(p[:, 0], T["label"]),
    ),
    "softmax": (
        lambda: net(3),
        {"target": "kind", "loss": "softmax"},
        lambda p: functional.cross_entropy(p, T["kind"].long()),
    ),
    "weights and offsets": (
        net,
        {"loss": "half_sse", "data.sample_weight": "w", "data.offset": "z"},
        lambda p: (T["w"] * (p[:, 0] + T["z"] - T["y"]).square()).sum() / 2,
    ),
}


def by_hand(module: nn.Module, loss: Loss, epochs: int) -> list[float]:
    sgd = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=0.02, momentum=0.5)
    losses = []
    for _ in range(epochs):
        sgd.zero_grad()
        value = loss(module(X))
        losses.append(float(value.detach()))
        value.backward()  # type: ignore[no-untyped-call]
        sgd.step()
    return [*losses, float(loss(module(X)).detach())]


def trained(module: nn.Module, **more: Any) -> gdtrain.Result:
    target = more.pop("target", "y")
    optimizer = {"name": "sgd", "momentum": 0.5}
    settings: dict[str, Any] = {"optimizer": optimizer, "lr": 0.02, "epochs": 20} | more
    return gdtrain.regress(COLUMNS, target, ["a", "b"], model=module, **settings)


@pytest.mark.parametrize("case", CASES)
def test_the_loop_by_hand(case: str) -> None:
    """The same losses, and the module ends with the same weights."""
    make, more, loss = CASES[case]
    module, theirs = make(), make()
    result = trained(module, **more)
    losses = by_hand(theirs, loss, 20)
    assert [row["loss"] for row in result.to_dict()["history"]] == pytest.approx(losses, rel=1e-11)
    for (name, ours), hand in zip(module.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours, hand, rtol=1e-10, atol=1e-12, msg=name)
    assert list(result.params.values()) == [v for p in module.parameters() for v in p.detach().flatten().tolist()]


def test_names_fixed_parameters_and_statement() -> None:
    result = trained(Bilinear())
    assert [*result.params][:4] == ["scale", "fixed[0]", "fixed[1]", "inner.weight[0,0]"]
    assert [p.value for p in result.parameters if p.fixed] == [2.0, 1.0]
    assert result.statement == "y on a, b through Bilinear"
    assert result.engine == {"name": "loop", "data": "rows", "reason": "a torch module has no closed form"}
    assert result.train["scale"] == "none"


def test_predictions_are_those_of_the_module() -> None:
    module = net(3)
    result = trained(module, target="kind", loss="softmax", predict="data")
    with torch.no_grad():
        expected = module(X).softmax(1)
    after = [list(row.after.values()) for row in result.predictions if isinstance(row.after, dict)]
    torch.testing.assert_close(torch.tensor(after, dtype=torch.float64), expected, rtol=1e-9, atol=1e-12)
    assert result.metrics["log_loss"] == pytest.approx(result.loss["final"])


def test_dtype_is_the_modules() -> None:
    module = net(dtype=torch.float32)
    result = trained(module)
    assert (result.dtype, module[0].weight.dtype) == ("float32", torch.float32)


@pytest.mark.parametrize("batch_size", [None, 10])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_learns(optimizer: str, batch_size: int | None) -> None:
    """With an lr that is chosen for it: from the curvature for sgd."""
    settings: dict[str, Any] = {} if batch_size is None else {"train.batch_size": batch_size}
    result = gdtrain.run(
        {"regress": {"target": "y", "features": ["a", "b"]}},
        data=COLUMNS,
        model=net(),
        optimizer=optimizer,
        epochs=1000,
        **settings,
    )
    assert result.loss["final"] < 0.5 * result.loss["initial"]


def test_a_penalty_leaves_biases_free() -> None:
    module, theirs = net(), net()

    def loss(prediction: Tensor) -> Tensor:
        weights = [p for name, p in theirs.named_parameters() if name.endswith("weight")]
        return functional.mse_loss(prediction[:, 0], T["y"]) + sum(0.05 * w.square().sum() for w in weights)

    result = trained(module, **{"penalty.l2": 0.1})
    losses = by_hand(theirs, loss, 20)
    assert result.objective is not None
    assert result.objective["final"] == pytest.approx(losses[-1], rel=1e-11)


def _dropout() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.2), nn.Linear(3, 1))


def _batch_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


class Counting(nn.Module):
    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 1)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x)  # type: ignore[no-any-return]


class Noisy(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.randn(len(x), 1)


class Calling(nn.Linear):
    """A linear layer that does something more in a call."""

    def __init__(self, call: Callable[[nn.Linear, Tensor], Tensor], outputs: int = 1) -> None:
        super().__init__(2, outputs, dtype=torch.float64)
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self, x)


def _calls(call: Callable[[Any, Tensor], object]) -> Callable[[], nn.Module]:
    def linear(module: nn.Linear, x: Tensor) -> Tensor:
        return functional.linear(x, module.weight, module.bias)

    return lambda: Calling(lambda module, x: call(partial(linear, module), x))  # type: ignore[arg-type, return-value]


def _fails(error: Exception) -> Callable[[], nn.Module]:
    def fail(*_: object) -> None:
        raise error

    return _calls(fail)


def _frozen() -> nn.Module:
    return net().requires_grad_(False)


def _mixed() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1).double())


REFUSED: list[tuple[Callable[[], object], dict[str, Any], str]] = [
    (_dropout, {}, "1 (Dropout) draws anew in every call; call model.eval() first, or leave it out"),
    (_batch_norm, {}, "1 (BatchNorm1d) follows the rows that it is called on"),
    (Counting, {}, "a call changes its buffer calls; call model.eval()"),
    (lambda: Noisy(2, 1), {}, "two calls on the same rows differ"),
    (_frozen, {}, "it has no parameter to train; requires_grad_(True) frees them"),
    (_mixed, {}, "its parameters are float32 on cpu and float64 on cpu"),
    (lambda: net(2), {}, "it gives (29, 2) for 29 rows, not (29, 1); end it in a layer with 1 outputs"),
    (lambda: nn.Linear(3, 1), {}, "called on columns (29, 2) it fails"),
    (_fails(KeyError("embedding")), {}, "called on columns (29, 2) it fails: KeyError: 'embedding'; it takes one"),
    (_fails(AssertionError()), {}, "called on columns (29, 2) it fails: AssertionError; it takes one tensor"),
    (_calls(lambda linear, x: linear(x.mul_(1.5))), {}, "it changes the columns that it is given; write x = x*2"),
    (_calls(lambda linear, x: linear(x).detach()), {}, "its prediction does not depend on its parameters"),
    (_calls(lambda _, x: x[:, :1]), {}, "its prediction does not depend on its parameters"),
    (_calls(lambda linear, x: linear(x).float()), {}, "it predicts in float32, and its parameters are float64"),
    (lambda: nn.LSTM(2, 1), {}, "it gives a tuple, no tensor"),
    (lambda: nn.Linear(2, 40_000), {}, "model: 120,000 parameters are more than 100,000"),
    (lambda: "net", {}, "a str is no torch.nn.Module"),
    (net, {"scale": "standard"}, "a module takes columns as they are"),
    (net, {"dtype": "float32"}, "the module's parameters are float64; leave dtype out"),
    (net, {"params": {"a": 1.0}}, "the module has starts of its own; set them in the module"),
    (net, {"model.hidden": [3]}, "the module has layers of its own"),
    (net, {"engine": "exact"}, "there is no closed form here: a torch module has no closed form"),
]


@pytest.mark.parametrize(("make", "more", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_refused(make: Callable[[], Any], more: dict[str, Any], message: str) -> None:
    module = make()
    before = deepcopy(module.state_dict()) if isinstance(module, nn.Module) else {}
    with pytest.raises((UserError, UserErrors)) as caught:
        trained(module, **more)
    assert message in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in getattr(module, "state_dict", dict)().items())


def test_in_eval_mode_dropout_and_batch_norm_are_taken() -> None:
    for make in (_dropout, _batch_norm):
        module = make().eval()
        assert trained(module).loss["final"] < trained(make().eval(), epochs=0).loss["initial"] * 1.5


def test_other_kinds_take_no_module() -> None:
    with pytest.raises(UserError, match="fit takes no module; use regress"):
        gdtrain.run({"fit": "y = m*a"}, data=COLUMNS, model=net())


def test_a_sweep_takes_no_module() -> None:
    with pytest.raises(UserError, match="a sweep takes no module"):
        gdtrain.sweep({"regress": {"target": "y"}}, data=COLUMNS, model=net(), lr=[0.1, 0.2])
