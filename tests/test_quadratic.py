"""Compressed rows: they stand for all rows, whatever the blocks, and give the optimum to the digits of references."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gdtrain.linalg import compress
from gdtrain.linalg.compress import Compressor, triangle
from gdtrain.problem.gathered import Gathered, moments_of
from gdtrain.problem.quadratic import Quadratic, side_by_side
from gdtrain.problem.tally import Tally
from tests.quadratics import EPS, F64, Rows, certified, setting, tensor

SEEDS = range(40)


def rows(count: int, size: int, seed: int = 0) -> Rows:
    draw = torch.Generator().manual_seed(seed)
    return Rows(torch.randn(count, size, generator=draw, dtype=F64), torch.randn(count, generator=draw, dtype=F64))


def normal(rows: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, *shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


# Compression


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, 300), max_size=6), width=st.integers(1, 6), part=st.integers(1, 400))
def test_blocks_do_not_matter(cuts: list[int], width: int, part: int) -> None:
    """R'R is that of the rows, to rounding, however they come, and so is R but for the signs of its rows."""
    block = normal(300, width)
    compressor = Compressor(width)
    compressor._rows = part
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), 300], strict=True):
        compressor.add(block[first:last])
    expected = torch.linalg.qr(block, mode="r").R
    assert compressor.rows == 300
    assert compressor.result().shape == (width, width)
    torch.testing.assert_close(compressor.result().abs(), expected.abs(), rtol=0, atol=100 * EPS * 300**0.5)


def test_a_weight_counts_a_row_so_many_times() -> None:
    block, weight = normal(20, 3), torch.arange(20) % 4
    compressor = Compressor(3)
    compressor.add(block, weight)
    repeated = triangle(block.repeat_interleave(weight, dim=0))
    torch.testing.assert_close(compressor.result().abs(), repeated.abs(), rtol=0, atol=1e-13)


def test_columns_of_very_different_scales_lose_nothing() -> None:
    block = normal(500, 4)
    scales = 2.0 ** tensor(-300, 0, 40, 900)
    torch.testing.assert_close(triangle(block * scales), triangle(block) * scales, rtol=1e-12, atol=0)


def test_the_triangle_knows_means_and_deviations() -> None:
    """Of a column whose mean is a million times its deviation, to the digits that its rounding leaves."""
    block = normal(1000, 3) * tensor(1, 1e-3, 1e6) + tensor(3, 1e3, 0)
    upper = triangle(torch.cat([torch.ones(1000, 1, dtype=F64), block], dim=1))
    unknown = torch.full((3,), torch.nan)
    mean, deviation = moments_of(
        Gathered(upper, 1000, Tally(1000, 1000), unknown, unknown, unknown), upper[:, 1:], centre=True
    )
    torch.testing.assert_close(mean, block.mean(0), rtol=1e-12, atol=1e-10)
    torch.testing.assert_close(deviation, block.std(0, correction=0), rtol=1e-9, atol=0)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_loss_and_its_gradient_are_those_of_all_rows(seed: int) -> None:
    made = setting(seed).rows
    theta_SP = normal(5, made.A_NP.shape[1], seed=seed).requires_grad_()
    expected = made.loss(theta_SP)
    (gradient_SP,) = torch.autograd.grad(expected.sum(), theta_SP)
    loss_S, found_SP = made.quadratic.loss_and_gradient(theta_SP.detach())
    assert bool(((loss_S - expected).abs() <= made.loss_tolerance(theta_SP)).all())
    torch.testing.assert_close(found_SP, gradient_SP, rtol=1e-12, atol=1e-12 * float(gradient_SP.abs().max()))
    (term_S,) = made.quadratic.terms(theta_SP)
    assert torch.equal(term_S, loss_S)
    assert torch.autograd.grad(term_S.sum(), theta_SP)[0].allclose(found_SP, rtol=1e-12)


def test_exact_data_leave_a_loss_of_rounding() -> None:
    """The loss at 0 is about 1e21; the expanded square, which cancels, would end at +-1e5."""
    A_NP = normal(2000, 3) * 1e9
    made = Rows(A_NP, -A_NP @ tensor(3, -7, 11))
    quadratic = made.quadratic
    loss = float(quadratic.loss_and_gradient(quadratic.solution()[None])[0])
    assert 0 <= loss <= (1e-13 * 1e11) ** 2


def test_a_loss_that_overflows_is_inf_and_a_broken_row_is_no_number() -> None:
    huge = Rows(tensor(1e300, 2e300)[:, None], tensor(1, 2)).quadratic
    assert huge.finite and huge.loss_and_gradient(tensor(1)[None])[0].isinf()
    broken = Rows(tensor(1, float("inf"))[:, None], tensor(1, 2)).quadratic
    assert (
        not broken.finite
        and broken.eigenvalues_P.isnan().all()
        and broken.loss_and_gradient(tensor(1)[None])[0].isnan()
    )


# The optimum

DIGITS = {
    "Longley": 10, "Pontius": 12, "Norris": 11, "NoInt1": 14, "NoInt2": 14, "Filip": 6,
    "Wampler1": 9, "Wampler2": 12, "Wampler3": 8, "Wampler4": 8, "Wampler5": 6,
}  # fmt: skip


@pytest.mark.parametrize("name", DIGITS)
def test_the_optimum_of_reference_sets(name: str, cases: Path) -> None:
    """The worst parameter to so many digits, and the sum of squares as it is certified."""
    known = certified(cases, name)
    quadratic = known.rows.quadratic
    assert quadratic.spectrum.full
    error = (quadratic.solution() / known.values_P - 1).abs().max()
    assert -torch.log10(error.clamp(min=1e-16)) >= DIGITS[name]
    # Residuals are differences of numbers as large as c: 1e-13 of that is rounding. Filip's tenth powers are rounded.
    assert abs(quadratic.rho - known.rss**0.5) <= 1e-13 * float(known.rows.c_N.norm()) + 1e-8 * known.rss**0.5


@pytest.mark.parametrize("name", ["Longley", "Filip", "Wampler4"])
def test_reference_sets_in_blocks_of_five_rows(name: str, cases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "_ROWS", 1)
    known = certified(cases, name)
    blocks = Compressor(known.rows.rows_NW.shape[1])
    for block in known.rows.rows_NW.split(5):  # type: ignore[no-untyped-call]
        blocks.add(block)
    found = Quadratic.of(blocks.result(), 0.5, blocks.rows).solution()
    error = (found / known.values_P - 1).abs().max()
    assert -torch.log10(error) >= {"Longley": 10, "Filip": 6, "Wampler4": 8}[name]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_optimum_is_a_minimum(seed: int) -> None:
    """No gradient is left there; other points lie above it by what `excess` says."""
    made = setting(seed).rows
    quadratic, size = made.quadratic, made.A_NP.shape[1]
    optimum = quadratic.solution()
    loss, gradient = quadratic.loss_and_gradient(optimum[None])
    length = made.scale * made.A_NP.norm() * made.rounding(optimum)
    assert gradient.norm() <= 100 * length
    theta_SP = optimum + normal(4, size, seed=seed)
    above_S = made.loss(theta_SP) - made.loss(optimum)
    torch.testing.assert_close(quadratic.excess(theta_SP), above_S, rtol=1e-9, atol=1e-9 * float(loss))


def test_the_optimum_nearest_to_a_point() -> None:
    """Only a + b = 4 is determined: 2 and 2 are nearest to 0, 5 and -1 to (4, -2)."""
    quadratic = Rows(tensor(1, 2)[:, None].expand(-1, 2), tensor(-4, -8)).quadratic
    assert quadratic.spectrum.rank == 1
    torch.testing.assert_close(quadratic.solution(), tensor(2, 2))
    torch.testing.assert_close(quadratic.solution(tensor(4, -2)), tensor(5, -1))
    torch.testing.assert_close(quadratic.spectrum.null_DP.abs(), tensor(0.5, 0.5).sqrt()[None])


@pytest.mark.parametrize(
    ("columns", "rank"),
    [
        ([[1, 2, 3, 4], [1, 1, 1, 1]], 2),
        ([[1, 2, 3, 4], [2, 4, 6, 8]], 1),
        ([[1, 2, 3, 4], [0, 0, 0, 0]], 1),
        ([[0, 0, 0, 0]], 0),
        ([[1, 2, 3, 4], [1, 1, 1, 1], [3, 5, 7, 9]], 2),  # the third is 2 x + 1
        ([[1], [2], [3]], 1),  # one row
        ([[1, 2], [1, 1], [4, -1], [0, 3]], 2),  # more parameters than rows
        ([[1e300, 2e300, 3e300, 4e300], [1e-300, 1e-300, 1e-300, 1e-300]], 2),  # scales are no dependence
        ([[1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3], [1, 1, 1, 1]], 2),  # close to it, but none
    ],
)
def test_rank(columns: list[list[float]], rank: int) -> None:
    A_NP = torch.tensor(columns, dtype=F64).mT
    quadratic = Rows(A_NP, -torch.ones(len(A_NP), dtype=F64)).quadratic
    spectrum, size = quadratic.spectrum, len(columns)
    assert spectrum.rank == rank and spectrum.full == (rank == size)
    assert not spectrum.sigma_P[rank:].any()
    null_DP = spectrum.null_DP
    assert null_DP.shape == (size - rank, size)
    torch.testing.assert_close(null_DP @ null_DP.mT, torch.eye(size - rank, dtype=F64))
    assert bool((A_NP @ null_DP.mT).abs().max() <= 1e-14 * A_NP.abs().max()) if rank < size else True
    assert bool(quadratic.solution().isfinite().all())


def test_a_dependence_among_many_rows_is_seen_through_their_rounding() -> None:
    A_NP = normal(50_000, 4)
    A_NP[:, 3] = A_NP[:, 0] / 3 + A_NP[:, 1] * 1e3 - 0.1 * A_NP[:, 2]
    assert Rows(A_NP, normal(50_000)).quadratic.spectrum.rank == 3


def test_eigenvalues_are_those_of_the_hessian() -> None:
    made = rows(50, 4)
    hessian = 2 * made.scale * made.A_NP.mT @ made.A_NP
    torch.testing.assert_close(made.quadratic.eigenvalues_P, torch.linalg.eigvalsh(hessian).flip(0), rtol=1e-12, atol=0)


def test_weight_decay_is_a_penalty() -> None:
    """loss + decay/2 * ||theta||^2, and its optimum solves (H + decay) theta = -gradient at 0."""
    made = rows(50, 4)
    quadratic, theta_SP = made.quadratic, normal(3, 4, seed=1)
    decayed = quadratic.decayed(0.7)
    expected = quadratic.loss_and_gradient(theta_SP)[0] + 0.35 * theta_SP.square().sum(-1)
    torch.testing.assert_close(decayed.loss_and_gradient(theta_SP)[0], expected, rtol=1e-13, atol=0)
    hessian = made.A_NP.mT @ made.A_NP + 0.7 * torch.eye(4, dtype=F64)
    expected_P = -torch.linalg.solve(hessian, made.A_NP.mT @ made.c_N)
    torch.testing.assert_close(decayed.solution(), expected_P, rtol=1e-12, atol=0)


def test_several_targets_side_by_side() -> None:
    first, second = rows(30, 3, seed=1), rows(30, 2, seed=2)
    both, theta_SP = side_by_side([first.quadratic, second.quadratic]), normal(4, 5)
    expected = first.loss(theta_SP[:, :3]) + second.loss(theta_SP[:, 3:])
    torch.testing.assert_close(both.loss_and_gradient(theta_SP)[0], expected, rtol=1e-13, atol=0)
    optimum = torch.cat([first.quadratic.solution(), second.quadratic.solution()])
    torch.testing.assert_close(both.solution(), optimum, rtol=1e-12, atol=0)
