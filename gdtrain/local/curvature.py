"""The curvature of a loss: the largest eigenvalue of its Hessian, from which a learning rate follows.

Shapes: S trials, P parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gdtrain.problem.objective import DataLoss, Objective
from gdtrain.problem.penalty import Smooth

_DENSE = 64  # up to so many parameters the whole Hessian is formed
_ITERATIONS = 100
_SETTLED = 1e-6
_DOWN = 1e-6  # share of the largest eigenvalue below 0 that is no rounding error
_RUIZ = 20  # rounds, each of which halves what is left in logarithms


def largest_curvature(objective: Objective, theta_SP: Tensor) -> Tensor:
    """The eigenvalue of the Hessian at theta with the largest magnitude, as that magnitude (S,).

    The whole Hessian where it is small, else power iteration on Hessian-vector products (to one part in a million, or
    100 of them: an estimate from below). Not finite where the loss is not.
    """
    if theta_SP.shape[1] <= _DENSE:
        hessian_SPP = hessians(objective, theta_SP)
        finite_S = hessian_SPP.isfinite().flatten(1).all(1)
        symmetric = (hessian_SPP + hessian_SPP.mT) / 2
        safe = torch.where(finite_S[:, None, None], symmetric, torch.zeros_like(symmetric))
        largest = torch.linalg.eigvalsh(safe).abs().amax(-1)
        return torch.where(finite_S, largest, torch.full_like(largest, torch.nan))
    return _power_iteration(objective, theta_SP)


def falls_away(objective: Objective, theta_1P: Tensor, held_P: Tensor | None = None) -> bool:
    """Whether the Hessian at theta has a clearly negative eigenvalue: a point without gradient is then no minimum.

    held_P  parameters that a bound holds, which do not count

    False where there are too many parameters to form it.
    """
    hessian_PP = hessian_of(objective, theta_1P) if theta_1P.shape[1] <= _DENSE else None
    if hessian_PP is None or (held_P is not None and bool(held_P.all())):
        return False
    free_PP = hessian_PP if held_P is None else hessian_PP[~held_P][:, ~held_P]
    return bends_down(free_PP)


def bends_down(hessian_PP: Tensor) -> bool:
    """Whether a Hessian has an eigenvalue that is clearly negative, in units in which parameters curve alike."""
    unit_P = units_of(hessian_PP)
    eigenvalues_P = torch.linalg.eigvalsh(hessian_PP / unit_P[:, None] / unit_P)
    return bool(eigenvalues_P[0] < -_DOWN * eigenvalues_P.abs().max())


def units_of(hessian_PP: Tensor) -> Tensor:
    """u (P,) with which no |H_jk| / (u_j u_k) is above 1, and each row has one that is about 1; 1 for a row of zeros.

    (Ruiz 2001.) Of a positive definite H it is the root of the diagonal.
    """
    size_PP, unit_P = hessian_PP.abs(), torch.ones_like(hessian_PP[0])
    for _ in range(_RUIZ):
        most_P = (size_PP / unit_P[:, None] / unit_P).amax(1)
        unit_P = unit_P * torch.where(most_P > 0, most_P.sqrt(), 1.0)
    return unit_P


def hessian_of(objective: Objective, theta_1P: Tensor) -> Tensor | None:
    """The Hessian (P, P) at theta; None where it is not finite."""
    hessian_PP = hessians(objective, theta_1P)[0]
    return (hessian_PP + hessian_PP.mT) / 2 if bool(hessian_PP.isfinite().all()) else None


def hessians(objective: Objective, theta_SP: Tensor) -> Tensor:
    """The Hessian (S, P, P) at theta: by its own rule where it has one, which reads the rows once."""
    own = objective.hessian(theta_SP) if isinstance(objective, DataLoss | Smooth) else None
    if own is not None:
        return own
    identity = torch.eye(theta_SP.shape[1], dtype=theta_SP.dtype, device=theta_SP.device)
    return torch.stack(hessian_products(objective, theta_SP, [e.expand_as(theta_SP) for e in identity]), -1)


def _power_iteration(objective: Objective, theta_SP: Tensor) -> Tensor:
    trials, size = theta_SP.shape
    # A fixed start with no symmetry: it is orthogonal to no eigenvector that a table of data would have.
    vector = torch.linspace(0.5, 1.5, size, dtype=theta_SP.dtype, device=theta_SP.device).sqrt().repeat(trials, 1)
    largest = torch.zeros(trials, dtype=theta_SP.dtype, device=theta_SP.device)
    for _ in range(_ITERATIONS):
        vector = vector / vector.norm(dim=1, keepdim=True).clamp(min=1e-300)
        (vector,) = hessian_products(objective, theta_SP, [vector])
        last, largest = largest, vector.norm(dim=1)
        if bool(((largest - last).abs() <= _SETTLED * largest).all()) or not bool(largest.isfinite().all()):
            break
    return largest


def hessian_products(objective: Objective, theta_SP: Tensor, vectors: Sequence[Tensor]) -> list[Tensor]:
    """Hessian times each vector (S, P), by differentiating twice, one block of rows at a time."""
    theta = theta_SP.detach().requires_grad_()
    products = [torch.zeros_like(theta_SP) for _ in vectors]
    for term_S in objective.terms(theta):
        if not term_S.requires_grad:
            continue
        (gradient,) = torch.autograd.grad(term_S.sum(), theta, create_graph=True, materialize_grads=True)
        if not gradient.requires_grad:
            continue
        for i, vector in enumerate(vectors):
            # A product with `grad_outputs` would do, but torch 2.13 imports sympy for those: 0.4 s and 40 MB.
            along = (gradient * vector).sum()
            (product,) = torch.autograd.grad(along, theta, retain_graph=True, materialize_grads=True)
            products[i] += product
    return products
