"""What the curvature tells of a run: against numpy, against descents at the limits, and against certified optima."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdtrain.cli.process import run as gdtrain
from gdtrain.experiment.load import load
from gdtrain.look import describe
from gdtrain.train import train
from tests.affine import AFFINE, COLUMNS, DATA, SGD, curvature, run
from tests.problems import experiment

X, Z, Y, V = (np.array(COLUMNS[name]) for name in "xzyv")
LINE = AFFINE["line beside points"]
ONES = np.ones_like(X)


def numpy_says(A: np.ndarray, b: np.ndarray, scale: float) -> dict[str, Any]:
    """The Hessian's eigenvalues and the least squares solution of scale * ||A theta - b||^2."""
    h = np.linalg.eigvalsh(2 * scale * A.T @ A)
    optimum, *_ = np.linalg.lstsq(A, b)
    loss = scale * ((A @ optimum - b) ** 2).sum()
    return {"largest": h[-1], "smallest": h[0], "condition": h[-1] / h[0], "optimum": optimum, "loss": loss}


def standard(x: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = (x - x.mean()) / x.std()
    return scaled


EQUATIONS = np.array([[1.0, 1], [1, -1], [1, 0]])
SCALED = np.column_stack([standard(X), standard(Z), ONES])
# A source, and scale * ||A theta - b||^2, which is its loss.
SECTIONS: dict[str, tuple[dict[str, Any], np.ndarray, np.ndarray, float]] = {
    "fit": ({"fit": "y = a + b*x + g*x^2", "data": DATA}, np.column_stack([ONES, X, X**2]), Y, 1 / len(X)),
    "fit, one fixed": (
        {"fit": "y = a*x + k*z", "data": DATA, "params": {"k": {"start": 0.5, "fixed": True}}},
        X[:, None],
        Y - Z / 2,
        1 / len(X),
    ),
    "fit, log": ({"fit": "log(y) = a + b*x", "data": DATA, "loss": "sse"}, np.column_stack([ONES, X]), np.log(Y), 1.0),
    "solve": ({"solve": ["x + y = 3", "x - y = 1", "x = 5"]}, EQUATIONS, np.array([3.0, 1, 5]), 0.5),
    "regress": (
        {"regress": {"target": "y", "features": ["x", "z"]}, "data": {**DATA, "scale": "none"}},
        np.column_stack([X, Z, ONES]),
        Y,
        1 / len(X),
    ),
    "regress, no intercept": (
        {"regress": {"target": "y", "features": ["x", "z"], "intercept": False}, "data": {**DATA, "scale": "none"}},
        np.column_stack([X, Z]),
        Y,
        1 / len(X),
    ),
    "two targets": (
        {"regress": {"target": ["y", "v"], "features": ["x"]}, "data": {**DATA, "scale": "none"}},
        np.kron(np.eye(2), np.column_stack([X, ONES])),
        np.concatenate([Y, V]),
        0.5 / len(X),
    ),
}  # fmt: skip


@pytest.mark.parametrize("engine", ["auto", "loop"])
@pytest.mark.parametrize(("source", "A", "b", "scale"), SECTIONS.values(), ids=SECTIONS)
def test_curvature_is_numpys(source: dict[str, Any], A: np.ndarray, b: np.ndarray, scale: float, engine: str) -> None:
    """The section whole; what is fixed stands in the optimum with its value."""
    result, expected = run(source, epochs=7, engine=engine), numpy_says(A, b, scale)
    found = curvature(result)
    free = [p.name for p in result.parameters if not p.fixed]
    end = np.array([result.params[name] for name in free])
    excess = scale * ((A @ (end - expected["optimum"])) ** 2).sum()
    plain = 2 / (expected["largest"] + expected["smallest"])
    ratio = (expected["condition"] - 1) / (expected["condition"] + 1)
    assert found["local"] is False
    assert [found["optimum"][name] for name in free] == pytest.approx(expected["optimum"].tolist(), rel=1e-9)
    assert [p.optimum for p in result.parameters] == list(found["optimum"].values())
    assert {key: found[key] for key in found if key not in ("local", "optimum")} == pytest.approx(
        {
            "largest": expected["largest"],
            "smallest": expected["smallest"],
            "condition": expected["condition"],
            "lr_limit": 2 / expected["largest"],
            "lr_best": plain,
            "epochs_to_optimum": math.ceil(math.log(1e-6) / math.log(ratio)) if ratio > 1e-9 else 1,
            "loss_at_optimum": expected["loss"],
            "excess_loss": excess,
        },
        rel=1e-9,
        abs=1e-25,
    )
    assert result.train["lr"] == found["lr_best"]


def test_scaled_columns_have_the_curvature_of_what_is_trained() -> None:
    """And the optimum of the data."""
    source = {"regress": {"target": "y", "features": ["x", "z"]}, "data": DATA}
    found, scaled = curvature(run(source)), numpy_says(SCALED, Y, 1 / len(X))
    raw = numpy_says(np.column_stack([X, Z, ONES]), Y, 1 / len(X))
    assert [found[key] for key in ("largest", "smallest", "condition")] == pytest.approx(
        [scaled[key] for key in ("largest", "smallest", "condition")], rel=1e-12
    )
    assert list(found["optimum"].values()) == pytest.approx(raw["optimum"].tolist(), rel=1e-12)
    assert found["excess_loss"] < 1e-25


def test_an_optimizer_that_is_not_sgd_has_no_limit() -> None:
    found = curvature(run(LINE, optimizer="adam"))
    assert {"largest", "smallest", "condition", "optimum", "loss_at_optimum", "excess_loss", "local"} == set(found)


# Not quadratic: local

LOCAL: list[tuple[dict[str, Any], float]] = [
    # At (0, 0) the Hessian is diag(2, 200).
    ({"minimize": "(1 - x)^2 + 100*(y - x^2)^2", "params": {"x": 0.0, "y": 0.0}}, 200.0),
    # Half of (x^2 - 4)^2 has 6 x^2 - 8: 46 at 3.
    ({"solve": "x^2 = 4", "params": {"x": 3.0}}, 46.0),
    # The mean of e^(2bx) has a second derivative of 4 x^2 e^(2bx): at b = 0 and x = 1, 2 the mean of 4 and 16.
    ({"fit": "y = exp(b*x)", "data": {"columns": {"x": [1, 2], "y": [0, 0]}}, "params": {"b": 0.0}}, 10.0),
    ({"minimize": "-3*x^2", "params": {"x": 1.0}}, 6.0),  # in magnitude
]


@pytest.mark.parametrize(("source", "largest"), LOCAL)
@pytest.mark.parametrize("options", [{}, {"momentum": 0.5}, {"momentum": 0.5, "nesterov": True}], ids=str)
def test_elsewhere_the_curvature_is_that_at_the_start(
    source: dict[str, Any], largest: float, options: dict[str, Any]
) -> None:
    times = 2.0 if not options else 3.0 / (1 + 2 * 0.5 if "nesterov" in options else 1)
    found = curvature(run(source, optimizer={"name": "sgd", **options}, epochs=3))
    assert found == pytest.approx({"local": True, "largest": largest, "lr_limit": times / largest})


def test_the_sentence_says_that_it_is_at_the_start() -> None:
    (sentence,) = run(LOCAL[0][0], epochs=1).insights
    assert sentence == "largest curvature 200 at the start, lr limit 0.01"


# Limits, held to descents

LIMITS: dict[str, tuple[dict[str, Any], float]] = {
    # h * limit: 2; 2(1 + b); 2(1 + b)/(1 - dampening); 2(1 + b)/(1 + 2b).
    "plain": ({}, 2.0),
    "heavy ball": ({"momentum": 0.5}, 3.0),
    "dampened": ({"momentum": 0.5, "dampening": 0.25}, 4.0),
    "nesterov": ({"momentum": 0.5, "nesterov": True}, 1.5),
}


@pytest.mark.parametrize("engine", ["exact", "loop"])
@pytest.mark.parametrize("decay", [0.0, 3.0])
@pytest.mark.parametrize(("options", "times"), LIMITS.values(), ids=LIMITS)
def test_the_limit_is_where_descent_turns(options: dict[str, Any], times: float, decay: float, engine: str) -> None:
    """A hundredth below it comes to rest, a hundredth above it grows, and the verdict names limit and remedy."""
    settings = {"optimizer": {"name": "sgd", **options, "weight_decay": decay}, "epochs": 2000, "engine": engine}
    h = curvature(run(LINE, epochs=0))["largest"] + decay
    limit = curvature(run(LINE, **settings, lr=1e-3))["lr_limit"]
    assert limit == pytest.approx(times / h, rel=1e-12)
    below, above = run(LINE, **settings, lr=0.99 * limit), run(LINE, **settings, lr=1.01 * limit)
    assert below.verdict.status == "converged"
    assert above.verdict.status == "diverged"
    assert f"(the limit is {limit:.4g}); lr " in above.verdict.detail
    named = float(above.verdict.detail.rpartition("; lr ")[2].removesuffix(" would not"))
    assert named < limit
    assert run(LINE, **settings, lr=named).verdict.status != "diverged"


def test_within_few_epochs_a_warning_tells_what_the_verdict_cannot_know() -> None:
    lr = 1.001 * curvature(run(LINE, epochs=0))["lr_limit"]
    result = run(LINE, lr=lr, epochs=5)
    assert result.verdict.status == "max_epochs"
    (warning,) = result.warnings
    assert warning == f"lr {lr:.4g} is beyond {lr / 1.001:.4g}, from which descent diverges; 0.118 is best"
    assert f"warning: {warning}" in describe(experiment(LINE, lr=lr))


@pytest.mark.parametrize("name", ["line beside points", "three equations", "not scaled", "weights that are fixed"])
def test_epochs_to_the_optimum_are_enough(name: str) -> None:
    """Every mode of plain descent has then shrunk to a millionth or less, and with them the whole way."""
    source = AFFINE[name]
    epochs = curvature(run(source, epochs=0))["epochs_to_optimum"]

    def away(count: int) -> float:
        return float(curvature(run(source, epochs=count))["excess_loss"])

    assert away(int(epochs)) <= 1e-12 * away(0)
    assert away(int(epochs) // 4) > 1e-12 * away(0)


@pytest.mark.parametrize("options", SGD.values(), ids=SGD)
def test_auto_is_best_and_below_the_limit(options: dict[str, Any]) -> None:
    """2/(largest + smallest) without momentum, where every direction is determined; else 1/largest."""
    decay = options.get("weight_decay", 0.0)
    for name, source in AFFINE.items():
        result = run(source, optimizer={"name": "sgd", **options}, epochs=3)
        found = curvature(result)
        steep, flat = found["largest"] + decay, found["smallest"] + decay
        best = 2 / (steep + flat) if flat > 0 and not options.get("momentum") else 1 / steep
        assert result.train["lr"] == found["lr_best"] == pytest.approx(best, rel=1e-12), name
        assert found["lr_best"] < found["lr_limit"]


@pytest.mark.parametrize("dampening", [-5.0, -0.5, 0.5])
def test_auto_stays_below_a_limit_that_dampening_lowers(dampening: float) -> None:
    result = run(LINE, optimizer={"name": "sgd", "momentum": 0.1, "dampening": dampening}, epochs=2000)
    assert result.verdict.status == "converged" and result.warnings == []


def test_a_momentum_that_never_rests_has_no_best() -> None:
    result = run(LINE, optimizer={"name": "sgd", "momentum": 1.0})
    assert curvature(result)["lr_limit"] == 0 and "lr_best" not in curvature(result)
    swings = "a momentum of 1 swings without end, take one below 1"
    assert result.warnings == [f"descent comes to rest at no lr: {swings}"]
    curved = {"fit": "y = a*exp(b*x)", "data": DATA, "params": {"a": 1.0, "b": 0.1}}
    assert f"descent comes to rest at no lr: {swings}" in run(curved, optimizer={"name": "sgd", "momentum": 1}).warnings


def test_a_dampening_that_never_rests_is_no_missing_minimum() -> None:
    """The optimum is known."""
    detail = run(LINE, optimizer={"name": "sgd", "momentum": 0.9, "dampening": 1.5}).verdict.detail
    assert "no minimum" not in detail and "the dampening is too large" in detail


@pytest.mark.parametrize(("bound", "told"), [({"min": 100.0}, False), ({"max": 100.0}, True)])
@pytest.mark.parametrize("scale", ["none", "standard"])
def test_an_optimum_beyond_a_bound_is_not_told(bound: dict[str, float], told: bool, scale: str) -> None:
    regress = {"regress": {"target": "y", "features": ["x", "z"]}, "data": {**DATA, "scale": scale}}
    found = curvature(run({**regress, "params": {"x": {"start": 100.0, **bound}}}, epochs=10))
    assert ("optimum" in found, "loss_at_optimum" in found, "epochs_to_optimum" in found) == (told, told, told)
    assert "lr_limit" in found


def test_a_curvature_that_overflows_is_told_beforehand() -> None:
    """Nothing else is to blame: neither momentum, nor is 1e-300 x + 1 undetermined."""
    columns = {"x": [1e300, 2e300, 3e300], "y": [2, 3, 4]}
    source = {"regress": {"target": "y"}, "data": {"columns": columns, "scale": "none"}}
    told = [line for line in describe(experiment(source, lr=0.1)) if line.startswith("warning")]
    assert any("the curvature overflows" in line for line in told)
    assert not any("momentum" in line or "determined" in line for line in told)


def test_nothing_to_descend_has_no_condition() -> None:
    found = curvature(run({"solve": "0*x = 3"}))
    assert found["largest"] == 0 and not {"condition", "lr_best"} & set(found)


# Hopeless

FAR = {"columns": {"x": [1e6 + i for i in range(5)], "z": [float(i * i) for i in range(5)], "y": [1.0, 2, 3, 5, 7]}}
HOPELESS: list[tuple[dict[str, Any], str]] = [
    ({"regress": {"target": "y"}, "data": {**FAR, "scale": "none"}}, "set data.scale: standard"),
    ({"fit": "y = a*x + b", "data": FAR}, "bring the columns to like sizes, and centre them"),
    (
        {"regress": {"target": "y"}, "data": {"columns": {"x": [1, 2, 3], "z": [1, 2, 3.00001], "y": [1, 2, 4]}}},
        "some columns nearly depend on one another: leave one out",
    ),
    ({"solve": ["x + y = 3", "x + 1.0001*y = 4"]}, "bring the unknowns to like sizes"),
]


@pytest.mark.parametrize(("source", "remedy"), HOPELESS)
def test_a_hopeless_condition_is_told_with_its_remedy(source: dict[str, Any], remedy: str) -> None:
    result = run(source)
    (warning,) = result.warnings
    assert warning.startswith("the condition number is ") and remedy in warning
    assert f"warning: {warning}" in describe(experiment(source, optimizer="sgd"))
    assert curvature(result)["condition"] > 1e6


def test_the_remedy_is_one() -> None:
    source, _ = HOPELESS[0]
    assert run({**source, "data": {**FAR, "scale": "standard"}}).warnings == []


def test_weight_decay_that_mends_it_is_counted() -> None:
    """The Hessian is diag(1e10, 1): with a decay of 1e9 no direction is flat."""
    source = {"solve": ["1e5*x = 1", "y = 1"]}
    assert len(run(source).warnings) == 1
    found = run(source, optimizer={"name": "sgd", "weight_decay": 1e9})
    assert found.warnings == [] and curvature(found)["epochs_to_optimum"] < 1000


def test_adam_is_not_called_hopeless() -> None:
    assert run(HOPELESS[0][0], optimizer="adam").warnings == []


# The same before and after

TOLD = {**AFFINE, **{f"local {i}": source for i, (source, _) in enumerate(LOCAL[:3])}}


@pytest.mark.parametrize("settings", [{}, {"lr": 1e3}, {"optimizer": "adam"}], ids=str)
@pytest.mark.parametrize("source", TOLD.values(), ids=TOLD)
def test_check_tells_what_a_run_tells(source: dict[str, Any], settings: dict[str, Any]) -> None:
    """A run of no epochs ends at the start."""
    settings = {"optimizer": "sgd", **settings}
    told, result = describe(experiment(source, **settings)), run(source, **settings, epochs=0)
    assert [line.replace("the end lies", "the start lies") for line in result.insights] == [
        line for line in told if line.startswith(("largest", "optimum"))
    ]
    assert [f"warning: {warning}" for warning in result.warnings] == [line for line in told if line.startswith("warn")]
    assert told[-1 - len(result.warnings)].startswith(
        f"engine {result.engine['name']} ({result.engine['reason']}), lr "
    )


def test_check_reads_columns_near_the_largest_number(recwarn: pytest.WarningsRecorder) -> None:
    told = describe(load({"regress": {"target": "y"}, "data": {"columns": {"x": [1.7e308] * 3, "y": [1, 2, 3]}}}))
    assert "x: 1.7e+308 to 1.7e+308, mean 1.7e+308" in told
    assert not recwarn.list


# Certified optima

# Digits of the worst parameter: -log10(|value - certified| / |certified|).
DIGITS = {
    "Longley": 10, "Pontius": 12, "Norris": 11, "NoInt1": 14, "NoInt2": 14, "Filip": 6,
    "Wampler1": 6, "Wampler2": 6, "Wampler3": 6, "Wampler4": 6, "Wampler5": 6,
}  # fmt: skip


def reference(cases: Path, name: str) -> tuple[dict[str, Any], dict[str, list[float]]]:
    found = json.loads((cases / "nist" / f"{name}.json").read_text())
    return found, {key: [row[i] for row in found["data"]] for i, key in enumerate(found["columns"])}


def digits(optimum: dict[str, float], certified: dict[str, float]) -> float:
    return min(-math.log10(max(abs(optimum[name] / value - 1), 1e-16)) for name, value in certified.items())


@pytest.mark.parametrize("name", DIGITS)
def test_certified_optima_by_fit(name: str, cases: Path) -> None:
    known, columns = reference(cases, name)
    source = {"fit": f"y = {known['formula']}", "data": {"columns": columns}, "loss": "sse"}
    result = run(source, epochs=10)
    found = curvature(result)
    assert digits(found["optimum"], known["certified"]) >= DIGITS[name]
    # Residuals are differences of numbers as large as y: that many roundings are left of a perfect fit's.
    rounding = float((1e-13 * np.linalg.norm(columns["y"])) ** 2)
    assert found["loss_at_optimum"] == pytest.approx(known["certified_rss"], rel=1e-8, abs=rounding)
    assert not [warning for warning in result.warnings if "determined" in warning]


@pytest.mark.parametrize("scale", ["none", "standard"])
def test_a_certified_optimum_by_regress(scale: str, cases: Path) -> None:
    """Of Longley, whose columns nearly depend on one another: the intercept belongs to the data's own units."""
    known, columns = reference(cases, "Longley")
    result = train(load({"regress": {"target": "y"}, "data": {"columns": columns, "scale": scale}}))
    names = {"B0": "intercept", **{f"B{i}": f"x{i}" for i in range(1, 7)}}
    certified = {names[name]: value for name, value in known["certified"].items()}
    assert digits(curvature(result)["optimum"], certified) >= 10


def test_a_certified_optimum_on_the_command_line(
    cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Filip from a CSV, to the JSON document."""
    known, columns = reference(cases, "Filip")
    rows = [",".join(map(repr, row)) for row in zip(columns["y"], columns["x"], strict=True)]
    (tmp_path / "filip.csv").write_text("\n".join(["y,x", *rows]) + "\n")
    code = gdtrain(["fit", f"y = {known['formula']}", str(tmp_path / "filip.csv"), "--epochs", "3", "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert digits(document["curvature"]["optimum"], known["certified"]) >= DIGITS["Filip"]
    assert digits({n: p["optimum"] for n, p in document["params"].items()}, known["certified"]) >= DIGITS["Filip"]
