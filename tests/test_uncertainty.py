"""Standard errors against their formulas, and the models that must not be told any."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gdtrain import fit, regress, run
from gdtrain.data.opening import open_data
from gdtrain.draws import generator
from gdtrain.experiment.load import load
from gdtrain.local.linearised import linearised
from gdtrain.problem.build import build_problem
from gdtrain.results import Result, Uncertainty

N = 40
RANDOM = np.random.default_rng(3)
X, Z = RANDOM.normal(size=N), RANDOM.normal(size=N) * 3 + 1
Y = 1.5 + 2 * X - 0.5 * Z + RANDOM.normal(size=N) * (0.3 + np.abs(X))
COUNTS = RANDOM.integers(0, 4, size=N).astype(float)
SIGMA = 0.2 + RANDOM.random(N)
ROWS = {"x": X, "z": Z, "y": Y, "n": COUNTS, "s": SIGMA, "w": 1 / SIGMA}
DESIGN = np.stack([X, Z, np.ones(N)], 1)
NAMES = ("x", "z", "intercept")
COUNTED: dict[str, Any] = {"data.sample_weight": "n"}
WEIGHED: dict[str, Any] = {"data.sample_weight": "w"}
KNOWN: dict[str, Any] = {"data.sigma": "s"}


def told(result: Result) -> Uncertainty:
    assert result.uncertainty is not None
    assert result.uncertainty.refused == ""
    return result.uncertainty


def refused(result: Result) -> str:
    assert result.uncertainty is not None
    document = result.to_dict()
    assert not any("std_error" in section for section in document["params"].values())
    assert document["uncertainty"]["refused"] == result.uncertainty.refused
    return result.uncertainty.refused


def regressed(rows: dict[str, Any] = ROWS, **keys: Any) -> Result:
    return regress(rows, "y", ["x", "z"], **({"polish": True} | keys))


def errors(result: Result) -> np.ndarray:
    return np.array([told(result).estimates[name].std_error for name in NAMES])


def covariance(result: Result) -> np.ndarray:
    found = told(result).covariance_FF
    assert found is not None
    return found


def least_squares(weight: np.ndarray, count: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Weights, (X'WX)^-1 and s^2 of weighted least squares."""
    inverse = np.linalg.inv(DESIGN.T @ (DESIGN * weight[:, None]))
    weights = inverse @ DESIGN.T @ (weight * Y)
    return weights, inverse, float(weight @ (Y - DESIGN @ weights) ** 2) / (count - 3)


ENGINES = [{"engine": "auto"}, {"engine": "loop"}, {"loss": "half_sse"}, {"loss": "sse"}, {"data.scale": "none"}]


@pytest.mark.parametrize("keys", ENGINES, ids=str)
def test_least_squares(keys: dict[str, Any]) -> None:
    """Whatever the loss is divided by, and however the columns were scaled."""
    result = regressed(**keys)
    _, inverse, square = least_squares(np.ones(N), N)
    np.testing.assert_allclose(errors(result), np.sqrt(np.diag(inverse) * square), rtol=1e-10)
    np.testing.assert_allclose(covariance(result), inverse * square, rtol=1e-8, atol=1e-14)
    numbers = told(result).numbers
    assert numbers["dof"] == N - 3
    assert numbers["sigma"] == pytest.approx(math.sqrt(square), rel=1e-10)
    # The density of a normal distribution with the variance RSS/n.
    variance = square * (N - 3) / N
    residuals = Y - DESIGN @ np.array(list(result.params.values()))
    loglik = float(np.sum(-np.log(2 * np.pi * variance) / 2 - residuals**2 / (2 * variance)))
    assert numbers["loglik"] == pytest.approx(loglik, rel=1e-12)
    assert numbers["aic"] == pytest.approx(2 * 4 - 2 * loglik, rel=1e-12)
    assert numbers["bic"] == pytest.approx(4 * math.log(N) - 2 * loglik, rel=1e-12)


def test_intervals() -> None:
    """t of 37 degrees of freedom: 2.026192463 at 97.5 %, 1.304854 at 90 % (tables)."""
    for level, far in ((0.95, 2.026192463), (0.8, 1.304854381)):
        estimate = told(result := regressed(level=level)).estimates["x"]
        value = result.params["x"]
        assert estimate.interval == pytest.approx(
            (value - far * estimate.std_error, value + far * estimate.std_error), rel=1e-7
        )
        assert estimate.t == pytest.approx(value / estimate.std_error)


@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_a_weight_of_k_is_a_row_repeated_k_times(engine: str) -> None:
    repeated = {name: np.repeat(column, COUNTS.astype(int)) for name, column in ROWS.items()}
    one = regressed(engine=engine, **COUNTED)
    other = regressed(repeated, engine=engine)
    np.testing.assert_allclose(errors(one), errors(other), rtol=1e-10)
    assert told(one).numbers["loglik"] == pytest.approx(told(other).numbers["loglik"], rel=1e-12)
    assert told(one).numbers["weights"] == "frequency"
    np.testing.assert_allclose(
        errors(regressed(robust=True, **COUNTED)), errors(regressed(repeated, robust=True)), rtol=1e-10
    )


@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_weights_that_are_no_counts_scale_the_scatter(engine: str) -> None:
    result = regressed(engine=engine, **WEIGHED)
    _, inverse, square = least_squares(1 / SIGMA, N)
    np.testing.assert_allclose(errors(result), np.sqrt(np.diag(inverse) * square), rtol=1e-10)
    loglik = -N / 2 * (math.log(2 * math.pi * square * (N - 3) / N) + 1) - np.log(SIGMA).sum() / 2
    assert told(result).numbers["loglik"] == pytest.approx(loglik, rel=1e-12)
    assert told(result).numbers["weights"] == "analytic"


def test_weights_are_what_they_are_said_to_be() -> None:
    counted = regressed(**(WEIGHED | {"data.weight_type": "frequency"}))
    assert told(counted).numbers["dof"] == pytest.approx(float((1 / SIGMA).sum()) - 3)
    scaled = regressed(**(COUNTED | {"data.weight_type": "analytic"}))
    assert told(scaled).numbers["dof"] == int((COUNTS > 0).sum()) - 3


@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_known_errors_are_not_estimated(engine: str) -> None:
    result = regressed(engine=engine, **KNOWN)
    weights, inverse, square = least_squares(SIGMA**-2, N)
    np.testing.assert_allclose(list(result.params.values()), weights, rtol=1e-10)
    np.testing.assert_allclose(errors(result), np.sqrt(np.diag(inverse)), rtol=1e-10)
    numbers = told(result).numbers
    assert numbers["chi2"] == pytest.approx(square * (N - 3))
    each = -np.log(2 * np.pi * SIGMA**2) / 2 - (Y - DESIGN @ weights) ** 2 / (2 * SIGMA**2)
    assert numbers["loglik"] == pytest.approx(float(each.sum()), rel=1e-12)
    assert numbers["aic"] == pytest.approx(2 * 3 - 2 * float(each.sum()), rel=1e-12)
    assert told(result).distribution == "normal"
    formula = fit("y = a*x + b*z + c", ROWS, polish=True, engine=engine, **KNOWN)
    np.testing.assert_allclose([e.std_error for e in told(formula).estimates.values()], errors(result), rtol=1e-9)


def test_a_known_error_of_0_is_refused() -> None:
    with pytest.raises(Exception, match="a standard error is 0 in row 1; give each row one above 0"):
        regressed({**ROWS, "s": SIGMA * (np.arange(N) > 0)}, **KNOWN)


@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_sandwich(engine: str) -> None:
    """HC1: (X'X)^-1 X' diag(r^2) X (X'X)^-1 n/(n - p)."""
    weights, inverse, _ = least_squares(np.ones(N), N)
    meat = DESIGN.T @ (DESIGN * ((Y - DESIGN @ weights) ** 2)[:, None])
    covariance = inverse @ meat @ inverse * N / (N - 3)
    result = regressed(engine=engine, robust=True)
    np.testing.assert_allclose(errors(result), np.sqrt(np.diag(covariance)), rtol=1e-9)
    assert told(result).method == "sandwich"


def test_huber_takes_the_sandwich() -> None:
    result = regressed(loss={"name": "huber", "delta": 0.5}, epochs=3000)
    r = DESIGN @ np.array(list(result.params.values())) - Y
    inverse = np.linalg.inv(DESIGN.T @ (DESIGN * (np.abs(r) <= 0.5)[:, None]))
    meat = DESIGN.T @ (DESIGN * (np.clip(r, -0.5, 0.5) ** 2)[:, None])
    np.testing.assert_allclose(errors(result), np.sqrt(np.diag(inverse @ meat @ inverse) * N / (N - 3)), rtol=1e-8)


def test_gamma_is_as_in_r() -> None:
    """Fisher's information X'X times Pearson's dispersion, as summary(glm(family = Gamma("log"))) has it."""
    mean = np.exp(0.5 + 0.3 * X)
    y = mean * np.random.default_rng(5).gamma(4, 1 / 4, N)
    result = regress({"x": X, "y": y}, "y", loss="gamma", polish=True)
    eta = result.params["intercept"] + result.params["x"] * X
    pearson = float(((y / np.exp(eta) - 1) ** 2).sum()) / (N - 2)
    design = DESIGN[:, [0, 2]]
    expected = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * pearson)
    np.testing.assert_allclose([e.std_error for e in told(result).estimates.values()], expected, rtol=1e-9)
    assert told(result).numbers["dispersion"] == pytest.approx(pearson)


def test_several_targets_have_a_scatter_each() -> None:
    rows = {"x": X, "z": Z, "y": Y, "u": 3 * Y + 10 * np.sin(9 * X)}
    for engine in ("auto", "loop"):
        both = regress(rows, ["y", "u"], ["x", "z"], polish=True, engine=engine)
        for target in ("y", "u"):
            alone = regress(rows, target, ["x", "z"], polish=True)
            for name in NAMES:
                error = told(both).estimates[f"{target}.{name}"].std_error
                assert error == pytest.approx(told(alone).estimates[name].std_error, rel=1e-9)
            assert told(both).numbers["sigma"][target] == pytest.approx(told(alone).numbers["sigma"])


def test_softmax_of_three_classes() -> None:
    """Against the inverse of the Hessian by central differences of the log likelihood's gradient."""
    kind = (np.arange(N) + (X > 0)) % 3
    result = regress({"x": X, "y": kind.astype(float)}, "y", loss="softmax", polish=True)
    names = list(result.params)

    def gradient(weights: np.ndarray) -> np.ndarray:
        eta = np.stack([np.zeros(N), weights[0] * X + weights[1], weights[2] * X + weights[3]], 1)
        p = np.exp(eta) / np.exp(eta).sum(1, keepdims=True) - np.eye(3)[kind]
        return np.array([p[:, 1] @ X, p[:, 1].sum(), p[:, 2] @ X, p[:, 2].sum()])

    at, step = np.array(list(result.params.values())), 1e-5
    hessian = np.stack([(gradient(at + step * e) - gradient(at - step * e)) / (2 * step) for e in np.eye(4)])
    expected = np.sqrt(np.diag(np.linalg.inv(hessian)))
    np.testing.assert_allclose([told(result).estimates[n].std_error for n in names], expected, rtol=1e-7)


def test_what_is_fixed_has_no_error() -> None:
    result = fit("y = a*x + b*z + c", ROWS, polish=True, params={"b": {"start": -0.5, "fixed": True}})
    assert list(told(result).estimates) == ["a", "c"]
    assert "std_error" not in result.to_dict()["params"]["b"]


@pytest.mark.parametrize("engine", ["auto", "loop"])
@pytest.mark.parametrize("posed", [{"fit": "y = a*x + b"}, {"regress": {"target": "y", "features": ["a"]}}], ids=str)
def test_what_is_tied_follows_from_the_errors_of_the_others(posed: dict[str, Any], engine: str) -> None:
    """y = a*(x + 2): b is 2a, and so is its error."""
    tied = "b" if "fit" in posed else "intercept"
    source = {**posed, "params": {tied: {"expr": "2*a"}}, "loss": "mse", "data": {"scale": "none"}}
    rows = {"a" if "regress" in posed else "x": X, "y": Y}
    result = run(source, data=rows, lr=0.02, epochs=10, polish=True, engine=engine)
    value = float((X + 2) @ Y / ((X + 2) @ (X + 2)))
    error = math.sqrt(float(np.sum((Y - value * (X + 2)) ** 2)) / (N - 1) / float((X + 2) @ (X + 2)))
    found = told(result)
    assert {name: one.std_error for name, one in found.estimates.items()} == pytest.approx(
        {"a": error, tied: 2 * error}, rel=1e-9
    )
    assert found.estimates[tied].t == pytest.approx(value / error, rel=1e-9)
    assert found.numbers["dof"] == N - 1
    assert covariance(result).shape == (1, 1)
    assert result.to_dict()["uncertainty"]["covariance"] == {"a": {"a": pytest.approx(error**2, rel=1e-9)}}
    samples = run(source, data=rows, lr=0.02, epochs=10, polish=True, engine=engine, bootstrap=50)
    drawn = {name: one.std_error for name, one in told(samples).estimates.items()}
    assert drawn[tied] == pytest.approx(2 * drawn["a"], rel=1e-9)


def test_the_error_of_a_curved_tie_is_that_of_its_slope() -> None:
    """Of b = c^2 it is 2c times that of c; a tie to what is fixed has none."""
    params = {"b": {"expr": "c^2"}, "c": 0.7, "k": {"start": 3.0, "fixed": True}, "q": {"expr": "k + 1"}}
    result = run({"fit": "y = a*x + b*q/4", "params": params}, data={"x": X, "y": Y + 3}, optimizer="lm")
    found = told(result).estimates
    assert list(found) == ["a", "c", "b"]
    assert found["b"].std_error == pytest.approx(2 * result.params["c"] * found["c"].std_error, rel=1e-12)
    plain = told(fit("y = a*x + b", {"x": X, "y": Y + 3}, optimizer="lm")).estimates
    assert {name: found[name].std_error for name in "ab"} == pytest.approx(
        {name: plain[name].std_error for name in "ab"}, rel=1e-7
    )


def test_ties_between_targets_are_refused() -> None:
    source = {"regress": {"target": ["y", "z"], "features": ["x"]}, "params": {"z.x": {"expr": "`y.x`/2"}}}
    assert "tied parameters join the targets" in refused(run(source, data=ROWS, optimizer="lm"))


@pytest.mark.parametrize("keys", [{}, {"bootstrap": 20}], ids=str)
def test_hidden_layers_are_refused(keys: dict[str, Any]) -> None:
    result = regressed(polish=False, model={"hidden": [2]}, epochs=5, **keys)
    assert refused(result) == "hidden layers are not determined one by one"


def test_correlations() -> None:
    result = regressed({**ROWS, "z": X + 0.1 * Z})
    ((one, other, r),) = told(result).strong[:1]
    assert {one, other} == {"x", "z"}
    assert r == result.to_dict()["uncertainty"]["correlation"]["x"]["z"]
    assert r < -0.95


def test_a_trial_of_a_sweep_has_those_of_the_trial_alone() -> None:
    from gdtrain import sweep

    posed = {"regress": {"target": "y", "features": ["x", "z"]}}
    found = sweep(posed, data=ROWS, optimizer=[{"name": "sgd"}, {"name": "sgd", "momentum": 0.9}], polish=True)
    for trial in found.trials:
        document = trial.to_dict()
        assert document["params"]["x"]["std_error"] == pytest.approx(errors(regressed())[0], rel=1e-12)


# Wrong models


EXACT = {"x": [1.0, 2, 3, 4], "y": [0.1, 0.2, 0.3, 0.4]}
WRONG: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("y = a*b*x", ROWS, {}, "only a*b is determined: scaling a by 2 and b by 1/2 changes nothing"),
    ("y = a + b + 0*x", ROWS, {}, "only a + b is determined: adding 1 to a and -1 to b changes nothing"),
    ("y = a*x + b", EXACT, {}, "the residuals are 0 to rounding"),
    ("y = a*exp(b*x)", {"x": [0.0, 1, 2], "y": [1.0, 2, 4]}, {}, "the residuals are 0 to rounding"),
    ("y = a*x + b", {"x": [1.0, 2], "y": [3.0, 7]}, {}, "2 rows for 2 parameters leave no degrees of freedom"),
    ("y = a*x + b*x^2 + c", {"x": [1.0, 2], "y": [3.0, 7]}, {}, "2 rows cannot determine 3 parameters"),
    ("y = a*x + b*n", {**ROWS, "n": 0 * X}, {}, "nothing depends on b"),
    ("y = a*x + b", ROWS, {"loss": "mae", "polish": False}, "mae has kinks in place of a curvature"),
    ("y = a*x + b", ROWS, {"penalty": {"l2": 0.1}}, "the penalty holds the weights away"),
    ("y = a*x + b", ROWS, {"params": {"a": {"min": 5.0}}}, "a is at its bound, 5"),
    ("y = a*x + b", ROWS, {"lr": 9.0, "polish": False}, "the run diverged"),
]


@pytest.mark.parametrize(("formula", "rows", "keys", "reason"), WRONG)
def test_wrong_models_are_refused(formula: str, rows: dict[str, Any], keys: dict[str, Any], reason: str) -> None:
    assert reason in refused(fit(formula, rows, **({"polish": True} | keys)))


@pytest.mark.parametrize("scale", ["standard", "minmax", "none"])
@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_a_constant_column_beside_the_intercept(scale: str, engine: str) -> None:
    rows = {**ROWS, "z": np.full(N, 5.0)}
    reason = refused(regressed(rows, engine=engine, **{"data.scale": scale}))
    assert "only 5*z + intercept is determined: adding 1 to z and -5 to intercept changes nothing" in reason


def test_collinear_columns() -> None:
    rows = {**ROWS, "x": 2.54 * Z}
    assert "x and z are not determined one by one; only 2.54*x + z" in refused(regressed(rows))


def test_separated_classes() -> None:
    rows = {"x": X, "y": (X > 0).astype(float)}
    assert "separated perfectly" in refused(regress(rows, "y", loss="logistic", epochs=5000))


# Some rows are told apart perfectly, others not: x <= 1 and x >= 3, with one of each class at 2; a level with one class
# alone, or with counts of 0 alone. Tiny gradients and huge standard errors would be shown.
ENDLESS: list[tuple[str, str, list[Any], list[float]]] = [
    ("logistic", "classes are told apart", [1, 1, 2, 2, 3, 3, 4, 4], [0, 0, 0, 1, 1, 1, 1, 1]),
    ("logistic", "classes are told apart", ["a", "a", "a", "b", "b", "b"], [1, 0, 1, 0, 0, 0]),
    ("softmax", "classes are told apart", ["a", "a", "a", "b", "b", "b"], [1, 0, 1, 0, 0, 0]),
    ("poisson", "counts of some rows are all 0", ["a", "a", "a", "b", "b", "b"], [1, 3, 2, 0, 0, 0]),
    ("poisson", "counts of some rows are all 0", [1, 2, 3, 4, 5], [0, 0, 0, 0, 0]),
]


@pytest.mark.parametrize("optimizer", ["lbfgs", "newton"])
@pytest.mark.parametrize(("loss", "why", "x", "y"), ENDLESS)
def test_a_likelihood_without_a_maximum(loss: str, why: str, x: list[Any], y: list[float], optimizer: str) -> None:
    result = regress({"x": x, "y": y}, "y", loss=loss, optimizer=optimizer)
    assert why in refused(result)
    assert "no optimum; add a penalty" in refused(result)


@pytest.mark.parametrize("loss", ["logistic", "softmax", "poisson"])
def test_a_likelihood_whose_maximum_is_far_away(loss: str) -> None:
    """One row in ten thousand of another kind keeps the weights from growing."""
    x = [0] * 100 + [1] * 10_000
    y = [i % 2 for i in range(100)] + [0] * 9_999 + [1]
    result = regress({"x": x, "y": y}, "y", loss=loss, optimizer="newton")
    name = "1.x" if loss == "softmax" else "x"
    # By hand: the variance of a difference of log odds is the sum of 1/count over all four cells; of log counts, two.
    cells = [50, 1] if loss == "poisson" else [50, 50, 9_999, 1]
    error = result.to_dict()["params"][name]["std_error"]
    assert error == pytest.approx(sum(1 / n for n in cells) ** 0.5, rel=1e-9)


def test_a_point_without_gradient_that_is_no_minimum() -> None:
    """(a - 0)^2 + (a^2 - 5)^2 has the second derivative 2 - 20 at a = 0, and its minima elsewhere."""
    rows = {"x": [1.0, 0], "z": [0.0, 1], "y": [0.0, 5]}
    result = fit("y = a*x + a^2*z", rows, params={"a": 0.0}, optimizer="sgd", lr=0.01, epochs=5)
    assert refused(result) == "the loss falls away from here: this is no minimum"


LINEAR = {"fit": "y = w*x", "train": {"lr": 0.01, "epochs": 20}, "params": {"w": 0.0}}


def test_a_descent_that_is_short_of_its_optimum_says_by_how_much() -> None:
    """w = 2 - 2*0.85^20 = 1.92248 after 20 epochs on exact data."""
    result = run(LINEAR, data={"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]})
    assert refused(result) == "w is 0.0775 below its optimum; --polish goes there"
    # With a scatter of 1 about 2*x the optimum is 2 - 2/30, and the standard error sqrt((4 - 4/30)/3/30) = 0.207.
    rows = {"x": [1, 2, 3, 4], "y": [1, 5, 7, 7]}
    optimum, error = 2 - 2 / 30 + 2 / 30, math.sqrt(4 / 3 / 30)
    short = optimum - run(LINEAR, data=rows).params["w"]
    expected = f"w is {short:.3g} below its optimum, {short / error:.2g} standard errors; --polish goes there"
    assert refused(run(LINEAR, data=rows)) == expected
    polished = run(LINEAR, data=rows, polish=True)
    assert polished.params["w"] == pytest.approx(optimum, rel=1e-15)
    assert told(polished).estimates["w"].std_error == pytest.approx(error)


# Last steps


def test_polishing_is_told_and_stands_in_the_history() -> None:
    result = run(LINEAR, data={"x": [1, 2, 3, 4], "y": [1, 5, 7, 7]}, polish=True)
    assert (result.verdict.status, result.verdict.epoch) == ("converged", 21)
    assert result.verdict.detail.endswith("; polished by 1 step after epoch 20")
    assert result.recorded.epochs_K.tolist() == list(range(22))
    assert result.recorded.values_KQ[20, 0] == run(LINEAR, data={"x": [1, 2, 3, 4], "y": [1, 5, 7, 7]}).params["w"]
    assert result.to_dict()["train"]["polished"] == 1


def test_polishing_finds_the_lowest_point_of_an_expression() -> None:
    result = run({"minimize": "(1 - x)^2 + 100*(y - x^2)^2", "params": {"x": -1.2, "y": 1.0}}, epochs=10, polish=True)
    assert result.params == pytest.approx({"x": 1.0, "y": 1.0}, abs=1e-9)


def test_polishing_solves_an_equation() -> None:
    result = run({"solve": "x^3 = 2", "params": {"x": 1.0}}, epochs=2, polish=True)
    assert result.params["x"] == pytest.approx(2 ** (1 / 3), rel=1e-15)


@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_polishing_goes_to_the_minimum_under_l2(engine: str) -> None:
    result = regressed(engine=engine, penalty={"l2": 0.3}, loss="mse")
    gradient = result.to_dict()["curvature"]["optimum"]
    assert result.params == pytest.approx(gradient, rel=1e-12)


# Samples of the rows


def samples(count: int, seed: int = 0) -> np.ndarray:
    """Least squares of rows drawn with replacement."""
    found = []
    for s in range(count):
        often = generator(seed, s, "bootstrap").multinomial(N, np.full(N, 1 / N))
        found.append(np.linalg.lstsq(np.repeat(DESIGN, often, 0), np.repeat(Y, often))[0])
    return np.array(found)


@pytest.mark.parametrize("engine", ["auto", "loop"])
@pytest.mark.parametrize("seed", [0, 1])
def test_bootstrap(engine: str, seed: int) -> None:
    result = regressed(engine=engine, bootstrap=50, seed=seed)
    expected = samples(50, seed)
    np.testing.assert_allclose(errors(result), expected.std(0, ddof=1), rtol=1e-8)
    np.testing.assert_allclose(covariance(result), np.cov(expected.T), rtol=1e-7, atol=1e-12)
    interval = np.array([told(result).estimates[name].interval for name in NAMES]).T
    np.testing.assert_allclose(interval, np.quantile(expected, [0.025, 0.975], axis=0), rtol=1e-8)
    document = result.to_dict()
    assert document["uncertainty"]["samples"] == 50
    assert "t" not in document["params"]["x"]


def test_bootstrap_of_counts_is_that_of_the_rows_that_they_stand_for() -> None:
    """The scatter of many samples comes near the sandwich's, which is of the same rows."""
    drawn, sandwich = regressed(bootstrap=2000, **COUNTED), regressed(robust=True, **COUNTED)
    np.testing.assert_allclose(errors(drawn), errors(sandwich), rtol=0.12)


def test_bootstrap_by_newtons_steps() -> None:
    """Each sample's own logit is a fit of the rows that it repeats."""
    label = (X + RANDOM.normal(size=N) > 0).astype(float)
    result = regress({"x": X, "y": label}, "y", loss="logistic", polish=True, bootstrap=10)
    found = []
    for s in range(10):
        often = generator(0, s, "bootstrap").multinomial(N, np.full(N, 1 / N))
        rows = {"x": np.repeat(X, often), "y": np.repeat(label, often)}
        found.append(regress(rows, "y", loss="logistic", polish=True).params["x"])
    assert told(result).estimates["x"].std_error == pytest.approx(np.std(found, ddof=1), rel=1e-8)


def test_bootstrap_of_a_median_descends_each_sample_as_the_run() -> None:
    keys: dict[str, Any] = {"loss": "mae", "optimizer": "adam", "lr": 0.05, "epochs": 300, "params": {"m": 0.0}}
    result = fit("y = m + 0*x", {"x": X, "y": Y}, bootstrap=10, **keys)
    found = []
    for s in range(10):
        often = generator(0, s, "bootstrap").multinomial(N, np.full(N, 1 / N))
        rows = {"x": np.repeat(X, often), "y": np.repeat(Y, often)}
        found.append(fit("y = m + 0*x", rows, **keys).params["m"])
    assert told(result).estimates["m"].std_error == pytest.approx(np.std(found, ddof=1), rel=1e-6)


def test_bootstrap_of_few_rows_that_seldom_determine_anything() -> None:
    rows = {"x": [0.0, 0, 0, 0, 1], "y": [1.0, 2, 3, 4, 5]}
    found = regress(rows, "y", ["x"], polish=True, bootstrap=20)
    assert told(found).numbers["samples"] < 20


def test_bootstrap_of_the_lasso() -> None:
    result = regressed(penalty={"l1": 0.2}, bootstrap=20, polish=False, epochs=300)
    assert told(result).numbers == {"samples": 20}
    assert all(one.std_error > 0 for one in told(result).estimates.values())


def test_derivatives_are_held_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 10 parameters and 5,000 rows no more numbers than a block may hold."""
    monkeypatch.setattr("gdtrain.local.linearised._BLOCK_NUMBERS", 2**14)
    draw = np.random.default_rng(1)
    rows = {f"x{i}": draw.normal(size=5000) for i in range(9)}
    rows["y"] = (rows["x0"] + draw.normal(size=5000) > 0).astype(float)
    experiment = load({"regress": {"target": "y"}, "loss": "logistic"}, framed=True)
    data = open_data(experiment, frame=rows)
    problem = build_problem(experiment.with_starts(data.names.parameters), data)
    theta = problem.parameters.theta(problem.parameters.start_Q)
    sizes = [parts[0].A_NP.shape for parts in linearised(problem, theta, {})]
    assert sum(rows for rows, _ in sizes) == 5000
    assert max(rows * columns for rows, columns in sizes) <= 2**14
