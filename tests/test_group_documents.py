"""Documents of groups that were solved at once: made of what was found, and no other than those of a fit alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import gdtrain
from gdtrain.bygroup import documents
from gdtrain.bygroup.alone import Alone
from gdtrain.bygroup.documents import Documents
from gdtrain.uncertainty.inference import estimate, estimates_of_each
from tests.test_groups import COUNT, LINE, LM, PLANE, TABLE, TOGETHER, agree, alone, groups, numbers, odd

BY_ROWS = {"robust", "samples", "predicted"}  # whose documents hold what rows come to one by one
MORE: dict[str, dict[str, Any]] = {
    "sums": {**LINE, "loss": "sse"},
    "not scaled": {**PLANE, "data": {"scale": "none"}},
    "ranges": {**PLANE, "data": {"scale": "minmax"}},
    "ranges without a constant": {
        "regress": {"target": "y", "features": ["x", "z"], "intercept": False},
        "data": {"scale": "minmax"},
    },
    "weighted ranges": {**PLANE, "data": {"scale": "minmax", "sample_weight": "often"}},
    "weighted and scaled": {**PLANE, "data": {"sample_weight": "half", "offset": "base"}},
    "a constant of its own": {**PLANE, "params": {"intercept": {"start": 1.5, "fixed": True}}},
    "known errors of a plane": {**PLANE, "data": {"sigma": "sd"}, "uncertainty": {"level": 0.8}},
    "a start": {**PLANE, "params": {"x": {"start": 2.0}, "intercept": {"start": -1.0}}},
}


@pytest.fixture
def refitted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The groups that were fitted once more for their documents."""
    found: list[int] = []
    document = Alone.document

    def noted(self: Alone, g: int) -> dict[str, Any]:
        found.append(g)
        return document(self, g)

    monkeypatch.setattr(Alone, "document", noted)
    return found


@pytest.mark.parametrize("name", TOGETHER)
def test_one_is_fitted_for_what_all_share(name: str, refitted: list[int]) -> None:
    for trial in groups(TOGETHER[name]).trials:
        trial.document()
    assert refitted == (list(range(COUNT)) if name in BY_ROWS else [0])


@pytest.mark.parametrize("name", MORE)
def test_they_say_what_a_fit_alone_says(name: str, refitted: list[int]) -> None:
    found = groups(MORE[name])
    for g in reversed(range(COUNT)):
        told, expected = found.trials[g].document(), alone(LM | MORE[name], g)
        agree(numbers(told), numbers(expected))
        assert [*told] == [key for key in expected if key != "timing"]
        for section in ("params", "metrics", "uncertainty", "curvature"):
            assert orders(told[section]) == orders(expected[section])
    assert refitted == [COUNT - 1]


def orders(section: Any) -> Any:
    """The keys of mappings, in order."""
    return [(key, orders(value)) for key, value in section.items()] if isinstance(section, Mapping) else None


def test_gradients_are_of_a_fit_alone(refitted: list[int]) -> None:
    experiment = {**LINE, "data": {"group_by": "g"}}
    for trial in gdtrain.groups(experiment, data=TABLE, gradients=True).trials:
        assert "gradient" in trial.document()["history"][0]
    assert refitted == list(range(COUNT))


def test_a_few_are_worked_out_at_once(monkeypatch: pytest.MonkeyPatch, refitted: list[int]) -> None:
    whole = [trial.document() for trial in groups(PLANE).trials]
    monkeypatch.setattr(documents, "_NUMBERS", 9)
    found = groups(PLANE)
    for g in (3, 0, 2, 1, 2):
        agree(numbers(found.trials[g].document()), numbers(whole[g]))
    assert refitted == [0, 3]


def test_what_is_done_to_one_is_not_done_to_others() -> None:
    found = groups(LINE)
    first = [trial.document() for trial in found.trials]
    for document in first:
        for section in document.values():
            if isinstance(section, dict):
                section.clear()
    for trial in found.trials:
        document = trial.document()
        assert document["data"]["columns"] and document["train"] and document["engine"] and document["loss"]["name"]


DOUBTFUL: dict[str, list[tuple[float, float]]] = {
    "far from 0": [(1e9, 1.0), (1e9 + 1, 1.4), (1e9 + 2, 2.3), (1e9 + 3, 2.2)],
    "nearly exact": [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (4.0, 4.0 + 1e-9)],
    "one level": [(1.0, 2.0), (2.0, 2.0), (4.0, 2.0), (5.0, 2.0)],
    "zeros": [(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)],
    "large": [(1.0, 1e155), (2.0, 3e155), (3.0, 2e155), (4.0, 2e155)],
}


@pytest.mark.parametrize("spec", [LINE, {"regress": {"target": "y", "features": ["x"]}}], ids=["fit", "regress"])
def test_where_anything_is_doubtful_it_is_that_of_a_fit(spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    document = Documents._document

    def noted(self: Documents, shared: Mapping[str, Any], g: int, own: Mapping[str, Any]) -> dict[str, Any]:
        made.append(g)
        return document(self, shared, g, own)

    monkeypatch.setattr(Documents, "_document", noted)
    flat = [(kind, *row) for kind, rows in DOUBTFUL.items() for row in rows]
    by, x, y = (np.array(column) for column in zip(*flat, strict=True))
    table = odd()
    table = {"kind": np.append(table["kind"], by), "x": np.append(table["x"], x), "y": np.append(table["y"], y)}
    kinds = sorted(set(table["kind"]))
    for trial in groups(spec, table, "kind").trials:
        kind = trial.set["kind"]
        rows = {name: column[table["kind"] == kind] for name, column in table.items()}
        told, expected = trial.document(), gdtrain.run(LM | spec, data=rows).to_dict()
        assert told.get("uncertainty", {}).get("refused") == expected.get("uncertainty", {}).get("refused")
        assert numbers(told).keys() == numbers(expected).keys()
        if kind not in ("huge", "large", "far from 0"):  # whose last digits are roundings
            agree(numbers(told), numbers(expected))
    assert [kinds[g] for g in made] == ["fine"]


def test_estimates_of_many_are_those_of_each() -> None:
    value_GP = np.array([[1.0, -2.0], [0.5, 0.0], [3.0, 1.0], [1.0, 40.0]])
    error_GP = np.array([[0.5, 0.25], [2.0, 1.0], [0.0, 1e-3], [1.0, 2.0]])
    dof_G = np.array([3.0, 17.5, np.inf, 3.0])
    t_GP, p_GP, interval_GP2 = estimates_of_each(value_GP, error_GP, dof_G, 0.9)
    for g, dof in enumerate(dof_G.tolist()):
        for p in range(2):
            one = estimate(float(value_GP[g, p]), float(error_GP[g, p]), dof, 0.9)
            found = [t_GP[g, p], p_GP[g, p], *interval_GP2[g, p]]
            assert found == pytest.approx([one.t, one.p, *one.interval], rel=1e-13, abs=0)


def test_the_factor_of_a_covariance_has_one_form() -> None:
    for section in (trial.document()["uncertainty"] for trial in groups(PLANE).trials):
        factor = np.array(section["factor"])
        assert (np.diag(factor) > 0).all() and (np.tril(factor, -1) == 0).all()
        covariance = np.array([[*row.values()] for row in section["covariance"].values()])
        assert factor.T @ factor == pytest.approx(covariance, rel=1e-12)
