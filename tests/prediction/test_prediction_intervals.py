"""Intervals of predictions against closed forms, hand-computed numbers and finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import ndtri, stdtrit

import gdtrain
from gdtrain.errors import UserError
from gdtrain.prediction import Asked, Predictor
from tests.prediction.models import TABLE, predicted, trained

Array = np.ndarray[Any, Any]
Json = Mapping[str, Any]

# y = 2x fits (1, 1), (2, 5), (3, 7), (4, 7): residuals 1, -1, -1, 1, so that s^2 = 4/2 = 2 on 2 degrees of freedom.
# At x = 5 the mean's variance is s^2 (1/4 + (5 - 2.5)^2/5) = 3, a new row's 3 + 2 = 5.
# Student's t with 2 degrees: q(p) = (2p - 1) sqrt(2/(4p(1 - p))), so that q(0.975) = 0.95 sqrt(2/0.0975) = 4.302653.
POINTS = {"x": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 5.0, 7.0, 7.0]}
Q = 0.95 * math.sqrt(2 / 0.0975)


def test_a_line_by_hand(tmp_path: Path) -> None:
    document = trained(tmp_path, {"fit": "y = a*x + b"}, pl.DataFrame(POINTS))
    (tmp_path / "five.csv").write_text("x\n5\n")
    row = predicted(document, tmp_path / "five.csv", interval=0.95).row(0, named=True)
    assert row["prediction"] == pytest.approx(10, rel=1e-12)
    assert [row["ci_lower"], row["ci_upper"]] == pytest.approx([10 - Q * 3**0.5, 10 + Q * 3**0.5], rel=1e-9)
    assert [row["pi_lower"], row["pi_upper"]] == pytest.approx([10 - Q * 5**0.5, 10 + Q * 5**0.5], rel=1e-9)


def test_the_run_has_the_same() -> None:
    result = gdtrain.fit("y = a*x + b", POINTS, predict=[{"x": 5}], interval=0.95)
    (point,) = result.to_dict()["predictions"]
    assert point["interval"] == pytest.approx([10 - Q * 3**0.5, 10 + Q * 3**0.5], rel=1e-9)
    assert point["prediction_interval"] == pytest.approx([10 - Q * 5**0.5, 10 + Q * 5**0.5], rel=1e-9)


def design(features: list[str]) -> Array:
    return np.column_stack([*(TABLE[name].to_numpy() for name in features), np.ones(TABLE.height)])


def least_squares(x: Array, y: Array, weight: Array) -> tuple[Array, float]:
    """The variance of each row's mean, x C x' with C = (X'WX)^-1 (statsmodels' var_pred_mean but for s^2), and s^2."""
    inverse = np.linalg.inv(x.T @ (weight[:, None] * x))
    residual = y - x @ (inverse @ (x.T @ (weight * y)))
    return np.einsum("nf,fg,ng->n", x, inverse, x), float((weight * residual**2).sum()) / (len(x) - x.shape[1])


@pytest.mark.parametrize("kind", ["plain", "analytic", "frequency", "known"])
@pytest.mark.parametrize("scale", ["none", "standard"])
def test_weighted_least_squares(kind: str, scale: str, tmp_path: Path) -> None:
    """As statsmodels' get_prediction: the mean's variance s^2 x C x', a new row's s^2/w more; of known errors err^2."""
    data: dict[str, Any] = {"scale": scale}
    weight, own = np.ones(60), np.ones(60)
    if kind == "analytic":
        data |= {"sample_weight": "w"}
        weight = own = TABLE["w"].to_numpy()
    elif kind == "known":
        data |= {"sigma": "err"}
        weight = own = 1 / TABLE["err"].to_numpy() ** 2
    elif kind == "frequency":
        data |= {"sample_weight": "count"}
        weight = TABLE["count"].to_numpy()
    model = {"regress": {"target": "y", "features": ["x", "z"]}, "data": data}
    found = predicted(trained(tmp_path, model), tmp_path / "table.csv", interval=0.9)
    unit, scatter = least_squares(design(["x", "z"]), TABLE["y"].to_numpy(), weight)
    dof = (weight.sum() if kind == "frequency" else 60) - 3
    s2 = 1.0 if kind == "known" else scatter * 57 / dof
    reach = ndtri(0.95) if kind == "known" else stdtrit(dof, 0.95)
    mean, row = np.sqrt(unit * s2), np.sqrt(unit * s2 + s2 / own)
    for name, error in (("ci", mean), ("pi", row)):
        for side, sign in (("lower", -1), ("upper", 1)):
            wanted = found["prediction"].to_numpy() + sign * reach * error
            np.testing.assert_allclose(found[f"{name}_{side}"], wanted, rtol=1e-9)


def test_weights_of_new_rows_that_are_not_known(tmp_path: Path) -> None:
    """Of analytic weights a row weighs 1; a row whose error is not known has no interval of its own."""
    TABLE.select("x", "z").write_csv(tmp_path / "bare.csv")
    for data, columns in (({"sample_weight": "w"}, 5), ({"sigma": "err"}, 3)):
        document = trained(tmp_path, {"regress": {"target": "y", "features": ["x", "z"]}, "data": data})
        predictor = Predictor(document, "result.json", Asked(interval=0.9))
        (frame,) = predictor.frames(predictor.open(str(tmp_path / "bare.csv")))
        assert frame.width == columns
        assert len(predictor.warnings) == 1 and "there is no column" in predictor.warnings[0]


def test_rows_far_from_zero_lose_no_digits(tmp_path: Path) -> None:
    """x and x^2 near 10,000 are correlated to 1 - 1e-9, and x C x' cancels; x - 10,000 gives the same model."""
    near = np.linspace(-1.0, 1.0, 60)
    table = TABLE.with_columns(x=pl.Series(near + 1e4))
    document = trained(tmp_path, {"regress": {"target": "y", "features": ["x", "sq = x^2"]}}, table)
    found = predicted(document, tmp_path / "table.csv", interval=0.95)
    unit, s2 = least_squares(np.column_stack([near, near**2, np.ones(60)]), TABLE["y"].to_numpy(), np.ones(60))
    wanted = stdtrit(57, 0.975) * np.sqrt(unit * s2)
    np.testing.assert_allclose((found["ci_upper"] - found["ci_lower"]) / 2, wanted, rtol=1e-6)


NONLINEAR: dict[str, Json] = {
    "formula": {"fit": "y = a*exp(-b*x) + c*z", "train": {"optimizer": "lm"}},
    "tied": {
        "fit": "y = a*x + b*z + k",
        "params": {"b": {"expr": "-a*k/2"}, "k": 1.0},
        "train": {"optimizer": "lm"},
    },
    "fixed": {"fit": "y = a*x + b*z", "params": {"b": {"start": -1.0, "fixed": True}}, "train": {"optimizer": "lm"}},
    "tied weights": {
        "regress": {"target": "y", "features": ["x", "z"]},
        "params": {"z": {"expr": "-x/2"}},
    },
    "text": {"regress": {"target": "y", "features": ["x", "city", "city:x"]}},
    "offset": {"regress": {"target": "y", "features": ["x"]}, "data": {"offset": "z"}},
    "logcosh": {"fit": "y = a*x + b", "loss": "logcosh", "train": {"optimizer": "lbfgs"}},
    "logistic": {
        "regress": {"target": "bit", "features": ["x", "z"]},
        "loss": "logistic",
        "train": {"optimizer": "newton"},
    },
    "poisson": {"regress": {"target": "count", "features": ["x"]}, "loss": "poisson", "train": {"optimizer": "newton"}},
    "gamma": {"regress": {"target": "gain", "features": ["x"]}, "loss": "gamma", "train": {"optimizer": "newton"}},
    "softmax": {"regress": {"target": "kind", "features": ["x"]}, "loss": "softmax", "train": {"optimizer": "newton"}},
    "several": {"regress": {"target": ["y", "y2"], "features": ["x", "z"]}},
}
LINKS: dict[str, Callable[[Array], Array]] = {
    "logistic": lambda p: np.log(p / (1 - p)),
    "softmax": lambda p: np.log(p / (1 - p)),
    "poisson": np.log,
    "gamma": np.log,
}


def linked(document: Json, path: Path, link: Callable[[Array], Array]) -> Array:
    found = predicted(document, path).select(pl.col("^(prediction|probability).*$"))
    return link(found.to_numpy())


def moved(document: Json, name: str, step: float) -> Json:
    """The document with one trained parameter moved, and those that are tied to it."""
    params = {key: dict(param) for key, param in document["params"].items()}
    params[name]["value"] += step
    values = {key: param["value"] for key, param in params.items()}
    for key, text in document["predictor"].get("tied", {}).items():
        params[key]["value"] = {
            "-a*k/2": -values.get("a", 0) * values.get("k", 0) / 2,
            "-x/2": -values.get("x", 0) / 2,
        }[text]
    return {**document, "params": params}


@pytest.mark.parametrize("name", NONLINEAR)
def test_the_delta_method(name: str, tmp_path: Path) -> None:
    """sqrt(g'Cg) with g by central differences of whole predictions, on the scale of the link; C is the document's."""
    document = trained(tmp_path, NONLINEAR[name])
    assert "refused" not in document["uncertainty"]
    path, told = tmp_path / "table.csv", document["uncertainty"]
    link = LINKS.get(name, np.asarray)
    free, step = [*told["covariance"]], 1e-5
    covariance = np.array([[*told["covariance"][one].values()] for one in free])
    slopes = [
        (linked(moved(document, one, step), path, link) - linked(moved(document, one, -step), path, link)) / (2 * step)
        for one in free
    ]
    error = np.sqrt(np.einsum("fnt,fg,gnt->nt", slopes, covariance, slopes))
    dof = told["dof"][document["predictor"]["regress"]["target"][0]] if name == "several" else told["dof"]
    reach = stdtrit(dof, 0.975) if told["distribution"] == "t" else ndtri(0.975)
    found = predicted(document, path, interval=0.95)
    middle = linked(document, path, link)
    for side, sign in (("lower", -1), ("upper", 1)):
        ends = found.select(pl.col(f"^ci_{side}.*$")).to_numpy()
        np.testing.assert_allclose(link(ends), middle + sign * reach * error, rtol=1e-5, atol=1e-6)
        if name in ("logistic", "softmax"):
            assert ((ends > 0) & (ends < 1)).all()


def test_logistic_by_hand(tmp_path: Path) -> None:
    """Fisher's information X'diag(p(1 - p))X, as statsmodels' Logit has it."""
    document = trained(tmp_path, NONLINEAR["logistic"])
    found = predicted(document, tmp_path / "table.csv", interval=0.95)
    x, p = design(["x", "z"]), found["probability"].to_numpy()
    inverse = np.linalg.inv(x.T @ ((p * (1 - p))[:, None] * x))
    eta, error = np.log(p / (1 - p)), np.sqrt(np.einsum("nf,fg,ng->n", x, inverse, x))
    np.testing.assert_allclose(found["ci_lower"], 1 / (1 + np.exp(-(eta - ndtri(0.975) * error))), rtol=1e-7)


def test_two_classes_are_as_logistic(tmp_path: Path) -> None:
    regress = {"regress": {"target": "word", "features": ["x", "z"]}, "train": {"optimizer": "newton"}}
    one, two = (
        predicted(trained(tmp_path, {**regress, "loss": loss}), tmp_path / "table.csv", interval=0.95)
        for loss in ("logistic", "softmax")
    )
    np.testing.assert_allclose(two["ci_lower.yes"], one["ci_lower"], rtol=1e-7)
    np.testing.assert_allclose(two["ci_upper.no"], 1 - one["ci_lower"], rtol=1e-7)


def test_several_targets_have_a_scatter_each(tmp_path: Path) -> None:
    """The same ends as each target alone."""
    both = predicted(trained(tmp_path, NONLINEAR["several"]), tmp_path / "table.csv", interval=0.9)
    for target in ("y", "y2"):
        model = {"regress": {"target": target, "features": ["x", "z"]}}
        alone = predicted(trained(tmp_path, model), tmp_path / "table.csv", interval=0.9)
        for end in ("ci_lower", "ci_upper", "pi_lower", "pi_upper"):
            np.testing.assert_allclose(both[f"{end}.{target}"], alone[end], rtol=1e-9)


def test_a_bootstrap_tells_intervals_too(tmp_path: Path) -> None:
    """Of 200 samples the standard error is within a third of the model's."""
    model = {"regress": {"target": "y", "features": ["x"]}}
    plain = predicted(trained(tmp_path, model), tmp_path / "table.csv", interval=0.95)
    drawn = {**model, "uncertainty": {"bootstrap": 200}}
    found = predicted(trained(tmp_path, drawn), tmp_path / "table.csv", interval=0.95)
    share = (found["ci_upper"] - found["ci_lower"]) / (plain["ci_upper"] - plain["ci_lower"])
    assert all(0.7 < one < 1.3 for one in share)


ALONE: dict[str, tuple[Json, str]] = {
    "logistic": (NONLINEAR["logistic"], "logistic tells no scatter of rows"),
    "logcosh": (NONLINEAR["logcosh"], "logcosh tells no scatter of rows"),
    "robust": ({"fit": "y = a*x + b", "uncertainty": {"robust": True}}, "each row scatter in its own way"),
}


@pytest.mark.parametrize("name", ALONE)
def test_rows_without_an_interval_of_their_own(name: str, tmp_path: Path) -> None:
    model, reason = ALONE[name]
    document = trained(tmp_path, model)
    predictor = Predictor(document, "result.json", Asked(interval=0.95))
    (frame,) = predictor.frames(predictor.open(str(tmp_path / "table.csv")))
    assert not any(column.startswith("pi_") for column in frame.columns)
    assert any(reason in warning for warning in predictor.warnings)
    result = gdtrain.run({**model, "predict": {"data": True, "interval": 0.95}}, data=TABLE)
    assert any(reason in warning for warning in result.warnings)
    assert result.predictions[0].interval is not None and result.predictions[0].prediction_interval is None


REFUSED: dict[str, Json] = {
    "short of its optimum": {"fit": "y = a*x + b", "train": {"lr": 0.001, "epochs": 3}},
    "not determined": {"fit": "y = a*b*x"},
    "hidden layers": {"regress": {"target": "y", "features": ["x"]}, "model": {"hidden": [2]}, "train": {"epochs": 3}},
    "kinks": {"fit": "y = a*x", "loss": "mae"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_documents_own_reason(name: str, tmp_path: Path) -> None:
    document = trained(tmp_path, REFUSED[name])
    with pytest.raises(UserError) as error:
        Predictor(document, "result.json", Asked(interval=0.95))
    assert str(error.value) == f"result.json: it has no intervals: {document['uncertainty']['refused']}"
    result = gdtrain.run({**REFUSED[name], "predict": {"data": True, "interval": 0.95}}, data=TABLE)
    assert f"predictions have no intervals: {document['uncertainty']['refused']}" in result.warnings
    assert result.predictions[0].interval is None


def test_more_parameters_than_a_document_holds(tmp_path: Path) -> None:
    drawn = np.random.default_rng(3).standard_normal((300, 102))
    table = pl.DataFrame({f"x{i}": drawn[:, i] for i in range(102)}).rename({"x101": "y"})
    document = trained(tmp_path, {"regress": {"target": "y"}}, table)
    with pytest.raises(UserError, match="no covariance of more than 100 parameters"):
        Predictor(document, "result.json", Asked(interval=0.95))
