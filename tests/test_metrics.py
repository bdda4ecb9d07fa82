"""Metrics by hand, against their definitions, and of trained problems."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gdtrain import fit, regress
from gdtrain.metrics import auc, explained, measure, over_targets

LOG3 = math.log(3)


def tensor(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def test_numbers() -> None:
    # Residuals 1, -1, 0, 2: squares 6, magnitudes 4. Targets 1, 2, 3, 6 about their mean 3: 4 + 1 + 0 + 9 = 14.
    found = measure("mse", tensor(2, 1, 3, 8), tensor(1, 2, 3, 6), parameters=2)
    assert found == pytest.approx(
        {"r2": 1 - 6 / 14, "adjusted_r2": 1 - 6 / 14 * 3 / 2, "rmse": math.sqrt(6 / 4), "mae": 1.0}, rel=1e-15
    )


def test_numbers_about_zero() -> None:
    """Without a constant, as R and NIST have it: 1 + 4 + 9 + 36 = 50 in place of 14, and 4 in place of 3."""
    found = measure("huber", tensor(2, 1, 3, 8), tensor(1, 2, 3, 6), parameters=1, centred=False)
    assert (found["r2"], found["adjusted_r2"]) == pytest.approx((1 - 6 / 50, 1 - 6 / 50 * 4 / 3), rel=1e-15)


def test_what_has_no_value_is_left_out() -> None:
    alike = measure("mae", tensor(1, 2), tensor(1, 1), parameters=2)
    assert alike == {"rmse": math.sqrt(0.5), "mae": 0.5}
    assert "adjusted_r2" not in measure("mse", tensor(1, 2), tensor(1, 3), parameters=2)
    assert "auc" not in measure("logistic", tensor(1, 2), tensor(1, 1), parameters=1)
    assert "pseudo_r2" not in measure("logistic", tensor(1, 2), tensor(1, 1), parameters=1)
    assert measure("logistic", tensor(math.nan, 2), tensor(0, 1), parameters=1) == {}
    none = measure("poisson", tensor(-9, -9), tensor(0, 0), parameters=1)
    assert str(none["null_deviance"]) == "0.0"  # not -0
    assert "pseudo_r2" not in none


def test_labels() -> None:
    # Probabilities of a 1: 3/4, 1/4, 1/2, 1/4. The third is not above 1/2, so it is taken for a 0: wrong, as the last.
    found = measure("logistic", tensor(LOG3, -LOG3, 0, -LOG3), tensor(1, 0, 1, 1), parameters=2)
    log_loss = (math.log(4 / 3) + math.log(4 / 3) + math.log(2) + math.log(4)) / 4
    null = -2 * (3 * math.log(3 / 4) + math.log(1 / 4))
    assert found.pop("confusion") == {"0": {"0": 1, "1": 0}, "1": {"0": 2, "1": 1}}
    assert found == pytest.approx(
        {
            "accuracy": 0.5,
            "log_loss": log_loss,
            "auc": 2.5 / 3,  # of the three 1s two score above the 0, and one ties with it
            "deviance": 8 * log_loss,
            "null_deviance": null,
            "pseudo_r2": 1 - 8 * log_loss / null,
        },
        rel=1e-14,
    )


def test_labels_far_out() -> None:
    found = measure("logistic", tensor(1000, -1000, 1000), tensor(1, 0, 0), parameters=2)
    assert (found["log_loss"], found["accuracy"], found["auc"]) == pytest.approx((1000 / 3, 2 / 3, 0.75))
    # Four classes' exp(-50) beside 1 keep their digits.
    assert measure("logistic", tensor(30.0, -30.0), tensor(1, 0), parameters=2)["log_loss"] == pytest.approx(
        math.log1p(math.exp(-30)), rel=1e-2
    )


def test_classes() -> None:
    # Probabilities 1/5, 3/5, 1/5 in every row; the second class is taken each time. Shares 1/2, 1/4, 1/4.
    eta = tensor(0, LOG3, 0).expand(4, 3)
    found = measure("softmax", eta, tensor(0, 1, 2, 0), parameters=4, classes=["a", "b", "c"])
    log_loss = (3 * math.log(5) + math.log(5 / 3)) / 4
    null = 2 * (2 * math.log(2) + 2 * math.log(4))
    assert found.pop("confusion") == {
        "a": {"a": 0, "b": 2, "c": 0},
        "b": {"a": 0, "b": 1, "c": 0},
        "c": {"a": 0, "b": 1, "c": 0},
    }
    assert found == pytest.approx(
        {
            "accuracy": 0.25,
            "log_loss": log_loss,
            "deviance": 8 * log_loss,
            "null_deviance": null,
            "pseudo_r2": 1 - 8 * log_loss / null,
        },
        rel=1e-14,
    )


def test_counts() -> None:
    # Means 1, 3 for counts 0, 6, whose mean is 3: y log(y/mu) - (y - mu) is 1 and 6 log 2 - 3; null: 3, 6 log 2 - 3.
    found = measure("poisson", tensor(0, LOG3), tensor(0, 6), parameters=2)
    deviance, null = 2 * (6 * math.log(2) - 2), 2 * 6 * math.log(2)
    assert found == pytest.approx(
        {
            "deviance": deviance,
            "null_deviance": null,
            "pseudo_r2": 1 - deviance / null,
            "rmse": math.sqrt((1 + 9) / 2),
            "mae": 2,
        },
        rel=1e-14,
    )


def test_positive_numbers() -> None:
    # y/mu - 1 - log(y/mu) at y/mu = 2 and 1; the mean of 2, 3 is 2.5: 0.8 and 1.2.
    found = measure("gamma", tensor(0, LOG3), tensor(2, 3), parameters=2)
    null = 2 * (-math.log(0.8) - math.log(1.2))
    assert found == pytest.approx(
        {
            "deviance": 2 * (1 - math.log(2)),
            "null_deviance": null,
            "pseudo_r2": 1 - 2 * (1 - math.log(2)) / null,
            "rmse": math.sqrt(0.5),
            "mae": 0.5,
        },
        rel=1e-13,
    )


def test_area_under_the_curve() -> None:
    score, label = tensor(0.1, 0.4, 0.35, 0.8), tensor(0, 0, 1, 1)
    assert auc(score, label, torch.ones(4, dtype=torch.float64)) == 0.75  # 3 of 4 pairs are in order
    # Weights count a row so many times: pairs (0.35, 0.1) 2, (0.8, 0.1) 2 * 3, (0.8, 0.4) 3 of 3 + 3 more.
    assert auc(score, label, tensor(2, 1, 1, 3)) == pytest.approx((2 + 6 + 3) / 12)
    assert auc(tensor(1, 1, 1), tensor(0, 1, 1), torch.ones(3, dtype=torch.float64)) == 0.5


scores = st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), min_size=1, max_size=12)


@given(scores)
def test_area_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool, int]]) -> None:
    pairs = [(a - b, v * w) for a, one, v in rows for b, other, w in rows if one and not other]
    size = sum(both for _, both in pairs)
    score, label, weight = (torch.tensor([float(row[i]) for row in rows], dtype=torch.float64) for i in range(3))
    found = auc(score, label, weight)
    if not size:
        assert found is None
    else:
        assert found == pytest.approx(sum(((d > 0) + (d == 0) / 2) * both for d, both in pairs) / size)


@pytest.mark.parametrize("loss", ["mse", "logistic", "softmax", "poisson", "gamma"])
def test_a_weight_repeats_its_row(loss: str) -> None:
    """All but adjusted_r2, where rows that have a weight count once, as in R's lm."""
    eta = torch.randn(9, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    special: dict[str, list[float]] = {"softmax": [0, 1, 1], "logistic": [0, 1, 1], "gamma": [1, 2, 0.5]}
    target = special.get(loss, [0, 1, 3])
    y, weight = tensor(*target * 3), tensor(1, 2, 0, 3, 1, 1, 2, 0, 1)
    eta = eta if loss == "softmax" else eta[:, 0]
    options: dict[str, Any] = {"parameters": 2, "classes": ["a", "b"]}
    times = weight.long()
    repeated = measure(loss, eta.repeat_interleave(times, 0), y.repeat_interleave(times), **options)
    weighted = measure(loss, eta, y, weight, **options)
    for found in (weighted, repeated):
        found.pop("adjusted_r2", None)
    assert weighted.pop("confusion", None) == repeated.pop("confusion", None)
    assert weighted == pytest.approx(repeated, rel=1e-13)


def test_rows_without_weight_are_no_rows() -> None:
    found = explained(6, 14, 4, rows=4, parameters=2)
    weighted = measure("mse", tensor(2, 1, 3, 8, 9), tensor(1, 2, 3, 6, 0), tensor(1, 1, 1, 1, 0), parameters=2)
    assert {name: weighted[name] for name in found} == pytest.approx(found)


def test_several_targets() -> None:
    each = {"y": {"r2": 0.5, "rmse": 1.0}, "v": {"r2": 0.7, "rmse": 3.0, "mae": 1.0}}
    assert over_targets(each) == {"r2": 0.6, "rmse": 2.0, "targets": each}


# Of trained problems: gathered rows tell what all rows do, and mae is left to those.

RNG = np.random.default_rng(5)
X, Z = RNG.normal(3, 2, 50), RNG.uniform(-1, 1, 50)
Y, V = 2 * X - Z + RNG.normal(0, 1, 50), 7 - X + RNG.normal(0, 0.1, 50)
TABLE = {"x": X, "z": Z, "y": Y, "v": V}


def r_squared(prediction: np.ndarray, target: np.ndarray, centre: float) -> float:
    return float(1 - ((prediction - target) ** 2).sum() / ((target - centre) ** 2).sum())


@pytest.mark.parametrize("intercept", [True, False])
def test_gathered_and_walked_rows_agree(intercept: bool) -> None:
    gathered, walked = (
        regress(TABLE, "y", ["x", "z"], intercept=intercept, engine=engine, epochs=60) for engine in ("exact", "loop")
    )
    p = walked.params
    prediction = p["x"] * X + p["z"] * Z + p.get("intercept", 0.0)
    expected = r_squared(prediction, Y, Y.mean() if intercept else 0.0)
    assert walked.metrics["r2"] == pytest.approx(expected, rel=1e-12)
    assert walked.metrics["mae"] == pytest.approx(float(abs(prediction - Y).mean()), rel=1e-12)
    assert set(walked.metrics) - set(gathered.metrics) == {"mae"}
    for name, value in gathered.metrics.items():
        assert value == pytest.approx(walked.metrics[name], rel=1e-9), name
    assert gathered.metrics["rmse"] ** 2 == pytest.approx(gathered.loss["final"], rel=1e-12)


def test_several_gathered_targets() -> None:
    both = regress(TABLE, ["y", "v"], ["x", "z"], epochs=60)
    walked = regress(TABLE, ["y", "v"], ["x", "z"], epochs=60, engine="loop")
    alone = [regress(TABLE, target, ["x", "z"], epochs=60, engine="loop").metrics for target in ("y", "v")]
    assert list(both.metrics["targets"]) == ["y", "v"]
    for found in (both, walked):
        assert found.metrics["r2"] == pytest.approx((alone[0]["r2"] + alone[1]["r2"]) / 2, rel=1e-6)
        for name in ("r2", "adjusted_r2", "rmse"):
            assert found.metrics["targets"]["v"][name] == pytest.approx(alone[1][name], rel=1e-4), name


@pytest.mark.parametrize("engine", ["exact", "loop"])
def test_a_fit_with_a_formula_on_its_left(engine: str) -> None:
    """R2 is of what the formula predicts, log(y); a held parameter is none of those that were trained."""
    y = np.exp(Y / 4)
    found = fit(
        "log(y) = a*x + b + c",
        {"x": X, "y": y},
        params={"a": 0.0, "b": 0.0, "c": {"start": 1.0, "fixed": True}},
        lr=0.05,
        epochs=40,
        engine=engine,
    )
    prediction = found.params["a"] * X + found.params["b"] + 1.0
    r2 = r_squared(prediction, Y / 4, Y.mean() / 4)
    assert found.metrics["r2"] == pytest.approx(r2, rel=1e-10)
    assert found.metrics["adjusted_r2"] == pytest.approx(1 - (1 - r2) * 49 / 48, rel=1e-10)


def test_gathered_targets_far_from_zero() -> None:
    """Blocks are gathered about their own means: no digits are lost to the targets' size."""
    far = 1e8 + Y
    found = fit("y = a*x + b", {"x": X, "y": far}, params={"a": 0.0, "b": 1e8}, epochs=2000)
    a, b = np.polyfit(X, Y, 1)
    assert found.metrics["r2"] == pytest.approx(r_squared(a * X + b, Y, Y.mean()), rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("digits", [1, 3, 17])
def test_auc_of_rows_that_count_once(seed: int, digits: int) -> None:
    """With ties and without, and with scores one last bit apart, as where each row counts twice."""
    generator = torch.Generator().manual_seed(seed)
    score = (torch.randn(200, dtype=torch.float64, generator=generator) * 10**digits).round() / 10**digits
    score[:50] = torch.nextafter(score[50:100], torch.full((50,), torch.inf, dtype=torch.float64))
    label = torch.randint(0, 2, (200,), generator=generator).double()
    pairs = score[label > 0][:, None] - score[label == 0]
    expected = float(((pairs > 0).double() + (pairs == 0).double() / 2).mean())
    for often in (1, 2):
        assert auc(score, label, torch.full((200,), float(often), dtype=torch.float64)) == pytest.approx(
            expected, rel=1e-14
        )


def test_auc_of_zeros_of_either_sign() -> None:
    assert auc(tensor(-0.0, 0.0), tensor(0, 1), tensor(1, 1)) == 0.5
    assert auc(tensor(5e-324, 0.0), tensor(1, 0), tensor(1, 1)) == 1.0


def test_auc_of_scores_that_are_wholly_in_the_wrong_order() -> None:
    assert auc(tensor(1, 2, -3), tensor(1, 0, 1), tensor(1, 1, 1)) == 0.0
