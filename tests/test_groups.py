"""A fit for each group: what the group's rows come to alone, whatever is fitted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import gdtrain
from gdtrain.bygroup import fits
from gdtrain.bygroup.alone import Alone
from gdtrain.bygroup.together import goes_together
from gdtrain.data.groups import Groups
from gdtrain.data.rows import Data
from gdtrain.errors import DATA, UserError
from gdtrain.experiment.load import load
from gdtrain.experiment.schema import Experiment
from gdtrain.results import GroupsResult
from gdtrain.tables import Tables

N, COUNT = 80, 4
DRAW = np.random.default_rng(5)
G = DRAW.integers(0, COUNT, N).astype(float)
X, Z = DRAW.uniform(0, 5, N), DRAW.normal(size=N)
TABLE: dict[str, np.ndarray] = {
    "g": G,
    "x": X,
    "z": Z,
    "often": DRAW.integers(0, 4, N).astype(float),
    "half": DRAW.integers(0, 8, N) / 2,
    "sd": DRAW.uniform(0.5, 2, N),
    "base": DRAW.normal(size=N),
    "y": 1 + G + X * (G + 1) / 3 + 0.3 * DRAW.normal(size=N),
    "curve": 2 * np.exp(-0.5 * X) + 1 + 0.1 * DRAW.normal(size=N),
    "label": (X + 2 * DRAW.normal(size=N) > 2.5).astype(float),
    "count": DRAW.poisson(2 + X / 2, N).astype(float),
}
LM = {"train": {"optimizer": "lm"}}
LINE: dict[str, Any] = {"fit": "y = a*x + b"}
PLANE: dict[str, Any] = {"regress": {"target": "y", "features": ["x", "z"]}}
# What is fitted, and what a group alone is to be told so that it is fitted alike: `auto` would look at its rows.
TOGETHER: dict[str, dict[str, Any]] = {
    "line": LINE,
    "plane": PLANE,
    "without a constant": {"regress": {"target": "y", "features": ["x"], "intercept": False}},
    "square": {"fit": "log(y^2 + 1) = a*x^2 + b*x + c"},
    "frequencies": {**LINE, "data": {"sample_weight": "often"}},
    "fractions": {**LINE, "data": {"sample_weight": "half"}},
    "analytic": {**LINE, "data": {"sample_weight": "often", "weight_type": "analytic"}},
    "as many": {**LINE, "data": {"sample_weight": "half", "weight_type": "frequency"}},
    "known errors": {**LINE, "data": {"sigma": "sd"}},
    "offset": {**PLANE, "data": {"offset": "base"}},
    "offset of a fit": {**LINE, "data": {"offset": "base"}},
    "fixed": {**LINE, "params": {"b": {"start": 1.0, "fixed": True}}},
    "fixed weight": {**PLANE, "params": {"z": {"start": 2.0, "fixed": True}}},
    "half_sse": {**LINE, "loss": "half_sse"},
    "robust": {**LINE, "uncertainty": {"robust": True}},
    "level": {**LINE, "uncertainty": {"level": 0.5}},
    "samples": {**LINE, "uncertainty": {"bootstrap": 20}},
    "predicted": {**LINE, "predict": {"data": True}},
}
APART: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "sgd": ({**LINE, "train": {"lr": 0.01, "epochs": 50}}, {}),
    "adam": ({**LINE, "train": {"optimizer": "adam", "lr": 0.1, "epochs": 50}}, {}),
    "batches": ({**LINE, "train": {"optimizer": "sgd", "lr": 0.01, "batch_size": 4, "epochs": 5}}, {}),
    "curve": ({"fit": "curve = a*exp(-b*x) + c", "params": {"a": 1.0, "b": 1.0, "c": 1.0}}, {}),
    "mae": ({**LINE, "loss": "mae", "train": {"epochs": 60}}, {}),
    "huber": ({**PLANE, "loss": "huber", "train": {"optimizer": "sgd", "epochs": 60}}, {}),
    "logistic": ({"regress": {"target": "label", "features": ["x"]}, "loss": "logistic"}, {}),
    "poisson": ({"fit": "count = a*x + b", "loss": "poisson"}, {}),
    "ridge": ({**PLANE, "penalty": {"l2": 0.1}}, LM),
    "bounds": ({**LINE, "params": {"a": {"min": 0, "max": 1}}}, {}),
    "tied": ({**LINE, "params": {"b": {"expr": "2*a"}}}, LM),
    "targets": ({"regress": {"target": ["y", "curve"], "features": ["x"]}}, LM),
}
CASES = {name: (spec, LM) for name, spec in TOGETHER.items()} | APART


def groups(spec: Mapping[str, Any], table: Mapping[str, Any] = TABLE, by: str = "g") -> GroupsResult:
    return gdtrain.groups(spec, by, data=table)


def alone(spec: Mapping[str, Any], g: int) -> dict[str, Any]:
    """The document of a group's rows."""
    return gdtrain.run(spec, data={name: column[g == G] for name, column in TABLE.items()}).to_dict()


def numbers(document: Any, path: str = "") -> dict[str, Any]:
    """The leaves of a document by their paths, but for those that say where and when it was made."""
    if isinstance(document, Mapping):
        kept = {key: value for key, value in document.items() if key not in ("timing", "columns", "chosen", "detail")}
        return {p: leaf for key, value in kept.items() for p, leaf in numbers(value, f"{path}/{key}").items()}
    if isinstance(document, list):
        return {p: leaf for i, value in enumerate(document) for p, leaf in numbers(value, f"{path}/{i}").items()}
    return {path: document}


def agree(found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> None:
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        if isinstance(value, float):
            assert found[path] == pytest.approx(value, rel=1e-10, abs=1e-13), path
        else:
            assert found[path] == value, path


@pytest.mark.parametrize("name", CASES)
def test_a_group_is_what_its_rows_come_to_alone(name: str) -> None:
    spec, as_decided = CASES[name]
    found = groups(spec)
    assert [trial.set["g"] for trial in found.trials] == list(range(COUNT))
    for g, trial in enumerate(found.trials):
        document = trial.document()
        agree(numbers(document), numbers(alone(as_decided | spec, g)))
        assert trial.rows == document["data"]["rows"] == int(np.count_nonzero(g == G))


@pytest.mark.parametrize("name", CASES)
def test_a_row_says_what_the_document_says(name: str) -> None:
    found = groups(CASES[name][0])
    header = found.columns()
    for trial, values in zip(found.trials, found.rows(range(COUNT)), strict=True):
        row, document = dict(zip(header, values, strict=True)), trial.document()
        told = {
            "verdict": document["verdict"]["status"],
            "epochs": document["epochs"],
            "loss": document["loss"]["final"],
        }
        for parameter, fields in document["params"].items():
            told[parameter] = fields["value"]
            if not fields.get("fixed"):
                low, high = fields.get("interval", (None, None))
                told |= {f"std_error.{parameter}": fields.get("std_error"), f"low.{parameter}": low}
                told[f"high.{parameter}"] = high
        told |= {"g": trial.set["g"], "rows": document["data"]["rows"]}
        agree(row, {key: told[key] for key in header})
        assert trial.first == pytest.approx(document["loss"]["initial"], rel=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_what_is_solved_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    def noted(experiment: Experiment, data: Data) -> bool:
        told.append(goes_together(experiment, data))
        return told[-1]

    monkeypatch.setattr(fits, "goes_together", noted)
    groups(CASES[name][0])
    assert told == [name in TOGETHER]


def test_many_are_fitted_once_more_for_their_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {**LINE, "loss": "mae", "train": {"epochs": 30}}
    kept = groups(spec)
    monkeypatch.setattr(fits, "_KEPT", 2)
    again = groups(spec)
    for mine, its in zip(kept.trials, again.trials, strict=True):
        agree(numbers(mine.document()), numbers(its.document()))


def odd() -> dict[str, np.ndarray]:
    """Groups that cannot tell a slope, and one that can."""
    rows = {
        "one row": [(1.0, 2.0)],
        "constant x": [(2.0, 1.0), (2.0, 1.5), (2.0, 1.7)],
        "exact": [(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)],
        "fine": [(1.0, 1.0), (2.0, 1.4), (3.0, 2.3), (4.0, 2.2)],
        "two rows": [(1.0, 1.0), (2.0, 3.0)],
        "huge": [(1.0, 1e200), (2.0, 2e200), (3.0, 3.1e200)],
    }
    flat = [(kind, *row) for kind, some in rows.items() for row in some]
    kinds, x, y = zip(*flat, strict=True)
    return {"kind": np.array(kinds), "x": np.array(x), "y": np.array(y)}


def test_what_a_group_cannot_tell_is_its_own() -> None:
    found = {trial.set["kind"]: trial for trial in groups(LINE, odd(), "kind").trials}
    reasons = {
        kind: trial.document().get("uncertainty", {}).get("refused", "")
        for kind, trial in found.items()
        if kind != "huge"
    }
    assert reasons["fine"] == ""
    assert reasons["one row"].startswith("1 row cannot determine 2 parameters")
    assert reasons["two rows"].startswith("2 rows for 2 parameters leave no degrees of freedom")
    assert reasons["exact"].startswith("the residuals are 0 to rounding")
    assert "only 2*a + b is determined" in reasons["constant x"]
    assert {kind for kind, trial in found.items() if trial.estimates()} == {"fine"}
    assert found["exact"].params == pytest.approx({"a": 2.0, "b": 0.0}, abs=1e-12)
    assert found["fine"].status == found["one row"].status == "converged"


ON_X: dict[str, Any] = {"regress": {"target": "y", "features": ["x"]}}
LOOSE = ["constant x", "one row"]


@pytest.mark.parametrize(
    ("spec", "doubtful"),
    [(LINE, []), (ON_X, LOOSE), ({**ON_X, "data": {"scale": "none"}}, [])],
    ids=["fit", "scaled", "not scaled"],
)
def test_what_is_not_determined_is_solved_at_once_too(
    spec: dict[str, Any], doubtful: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[int] = []

    def noted(self: Alone, some: Sequence[int], *more: Any) -> Iterator[Any]:
        left.extend(some)
        return iter(())

    monkeypatch.setattr(Alone, "outcomes", noted)
    trials = groups(spec, odd(), "kind").trials
    assert [sorted(set(odd()["kind"]))[g] for g in left] == sorted([*doubtful, "huge"])
    for trial in trials:
        document = trial.document()
        assert trial.status == document["verdict"]["status"] == "converged"
        assert trial.loss == pytest.approx(document["loss"]["final"], abs=1e-15)
        told = {name: fields["value"] for name, fields in document["params"].items()}
        assert trial.params == pytest.approx(told, rel=1e-10, abs=1e-14)


def test_a_group_that_diverges_leaves_the_others_alone() -> None:
    table = {"g": G, "x": np.where(G == 2, 1e3, 1.0) * X, "y": TABLE["y"]}
    found = groups({**LINE, "train": {"lr": 0.05, "epochs": 400}}, table)
    assert [trial.status == "diverged" for trial in found.trials] == [g == 2 for g in range(COUNT)]
    assert found.exit_code == 0
    assert groups({**LINE, "train": {"lr": 50.0, "epochs": 400}}, table).exit_code == 4


def test_order_of_the_rows_does_not_matter() -> None:
    order = np.random.default_rng(1).permutation(N)
    order = order[np.argsort(G[order], kind="stable")]
    first, second = groups(LINE), groups(LINE, {name: column[order] for name, column in TABLE.items()})
    for mine, its in zip(first.rows(range(COUNT)), second.rows(range(COUNT)), strict=True):
        agree(dict(enumerate(mine)), dict(enumerate(its)))


VALUES = {
    "text": (np.array(["b", "a", "b", "a", "10", "9"]), ["10", "9", "a", "b"]),
    "numbers": (np.array([2.5, 10, 2.5, 10, -1, 3]), [-1, 2.5, 3, 10]),
    "truth": (np.array([True, False, True, True, False, True]), [False, True]),
}


@pytest.mark.parametrize("kind", VALUES)
def test_groups_stand_in_the_order_of_their_values(kind: str) -> None:
    column, expected = VALUES[kind]
    table = {"by": column, "x": np.arange(6.0), "y": np.arange(6.0) ** 2}
    found = groups(LINE, table, "by")
    values = [trial.set["by"] for trial in found.trials]
    assert values == expected
    assert [type(value) for value in values] == [type(value) for value in expected]
    assert [trial.rows for trial in found.trials] == [int((column == value).sum()) for value in expected]
    assert found.frame.height == len(expected)


def test_a_group_of_weights_of_0_is_told_of() -> None:
    table = {**TABLE, "often": np.where(G == 3, 0.0, 1.0)}
    with pytest.raises(UserError, match="every weight is 0 where g is 3") as told:
        groups({**LINE, "data": {"sample_weight": "often"}}, table)
    assert told.value.code == DATA


def test_wrong_targets_are_told_by_their_row_in_the_table() -> None:
    table = {**TABLE, "label": TABLE["label"].copy()}
    table["label"][40] = 3.0
    with pytest.raises(UserError, match="row 41"):
        groups({"regress": {"target": "label", "features": ["x"]}, "loss": "logistic"}, table)


def test_a_watch_that_says_no_ends_it() -> None:
    experiment = load({**LINE, "loss": "mae", "data": {"group_by": "g"}}, framed=True)
    found = fits.fit_groups(experiment, Tables(TABLE), watch=lambda done, loss: False)
    assert found.interrupted and found.exit_code == 130


def test_groups_hold_the_rows_of_their_value() -> None:
    experiment = load({**LINE, "data": {"group_by": "g", "sample_weight": "half"}}, framed=True)
    rows = Groups(Tables(TABLE).of(experiment))
    for g in range(COUNT):
        data = rows.of(g)
        inside = np.flatnonzero(g == G)
        assert data.row_number(2) == inside[2] + 1
        for name in ("x", "y", "half"):
            assert data.columns[name].tolist() == TABLE[name][inside].tolist()


def test_documents_have_the_same_sections_and_no_rank() -> None:
    document = groups({**LINE, "name": "lines"}).to_dict()
    assert [*document] == [
        *("schema", "name", "kind", "statement", "source", "group_by", "count", "trials", "verdicts"),
        *("seed", "versions", "timing"),
    ]
    assert document["schema"] == "gdtrain.groups/1"
    assert document["trials"][2]["group"] == {"g": 2}
    assert document["verdicts"] == {"converged": COUNT}
    assert all(math.isfinite(trial["params"]["a"]["std_error"]) for trial in document["trials"])


def test_names_that_are_taken_are_told_apart() -> None:
    table = {"loss": G, "x": X, "y": TABLE["y"]}
    found = gdtrain.groups({"fit": "y = rows*x + b"}, "loss", data=table)
    assert found.columns()[:7] == ["group.loss", "rows", "verdict", "epochs", "loss", "params.rows", "b"]


def test_runs_of_groups_are_refused_elsewhere() -> None:
    with pytest.raises(UserError, match=r"call gdtrain\.groups"):
        gdtrain.fit("y = a*x + b", TABLE, group_by="g")
    with pytest.raises(UserError, match="no column tells groups apart"):
        gdtrain.groups(LINE, data=TABLE)
    with pytest.raises(UserError, match="each group is a problem of its own"):
        gdtrain.sweep({**LINE, "data": {"group_by": "g"}}, data=TABLE, lr=[0.1, 0.2])
