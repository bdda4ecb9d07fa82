"""Slopes and curvatures of losses against autograd."""

from __future__ import annotations

import pytest
import torch

from gdtrain.losses import LOSSES, build
from gdtrain.losses.curved import curved, of_classes

F64 = torch.float64
ETA = torch.tensor([-3.0, -0.4, 0.2, 1.5, 4.0], dtype=F64)
Y = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0], dtype=F64)
OPTIONS = {"huber": {"delta": 0.7}}
# Half of the squares: the minimum is the same. Gamma's curvature is its mean, at y = mu.
HALF = {"mse", "sse"}
CURVED = sorted(name for name in LOSSES if curved(name, {}) is not None)


@pytest.mark.parametrize("name", CURVED)
def test_slope_and_curvature(name: str) -> None:
    options = OPTIONS.get(name, {})
    eta = ETA.clone().requires_grad_()
    y = eta.detach().exp() if name == "gamma" else Y
    value = build(name, options).value(eta[None], y) / (2 if name in HALF else 1)
    (slope,) = torch.autograd.grad(value.sum(), eta, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), eta)
    rule = curved(name, options)
    assert rule is not None
    torch.testing.assert_close(rule(ETA, y), (slope.detach(), curvature), rtol=1e-12, atol=1e-14)


def test_kinks_have_no_curvature() -> None:
    assert {name for name in LOSSES if curved(name, {}) is None} == {"mae", "quantile", "softmax"}


def test_of_classes() -> None:
    """B B' with B = D (I - a q q') is the Hessian over all classes but the first."""
    eta = torch.tensor([[0.0, 1.0, -2.0, 0.5], [0.0, -1.0, 3.0, 30.0]], dtype=F64)
    number = torch.tensor([2.0, 3.0], dtype=F64)
    slope_NK, q_NK, first_N = of_classes(eta, number)
    for n in range(2):
        row = eta[n, 1:].clone()

        def value(others: torch.Tensor, n: int = n) -> torch.Tensor:
            whole = torch.cat([eta[n, :1], others])
            return build("softmax", {}).value(whole[None, None], number[n : n + 1]).sum()

        hessian = torch.autograd.functional.hessian(value, row)  # type: ignore[no-untyped-call]
        q, a = q_NK[n], 1 / (1 + first_N[n])
        factor = torch.diag(q) @ (torch.eye(3, dtype=F64) - a * torch.outer(q, q))
        torch.testing.assert_close(factor @ factor.mT, hessian, rtol=1e-10, atol=1e-14)
        gradient = torch.autograd.functional.jacobian(value, row)  # type: ignore[no-untyped-call]
        torch.testing.assert_close(slope_NK[n], gradient, rtol=1e-10, atol=1e-12)
