"""Metrics as a line and as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gdtrain.report.metrics import CLASSES, confusion, metrics_line
from gdtrain.report.sections import sections, summary
from gdtrain.results import Prediction
from tests.outcomes import outcome

CELLS = {"a": {"a": 3, "b": 1}, "b": {"a": 0, "b": 2.5}}
LINES = [
    ({}, ""),
    ({"r2": 0.75, "adjusted_r2": 0.7, "rmse": 2.0}, "R2 0.75, adjusted R2 0.7, RMSE 2"),
    ({"confusion": CELLS, "auc": 1 / 3, "accuracy": 0.5}, "accuracy 0.5, AUC 0.333333"),
    ({"rmse": 2.0, "targets": {"y": {}, "v": {}}}, "RMSE 2 (means over 2 targets)"),
    ({"targets": {"y": {}, "v": {}}}, ""),
]


@pytest.mark.parametrize(("metrics", "line"), LINES)
def test_a_line(metrics: dict[str, object], line: str) -> None:
    assert metrics_line(metrics) == line


def test_confusion() -> None:
    table = ["true", "taken for a", "taken for b"], [["a", "3", "1"], ["b", "0", "2.5"]]
    assert confusion({"confusion": CELLS}) == table
    assert confusion({"rmse": 1.0}) is None
    many = [f"c{i}" for i in range(CLASSES + 1)]
    assert confusion({"confusion": {own: dict.fromkeys(many, 0) for own in many}}) is None


def test_where_they_stand() -> None:
    plain = outcome({"w": [0.0, 1.0]})
    told = replace(plain, metrics={"accuracy": 0.5, "confusion": CELLS})
    assert [line for line in summary(told) if line not in summary(plain)] == ["accuracy 0.5"]
    assert summary(told)[2] == "accuracy 0.5"  # below the loss, above how it was trained
    assert [section.title for section in sections(told)][-1] == "confusion"
    assert told.to_dict()["metrics"] == told.metrics
    assert "metrics" not in plain.to_dict()


def test_a_class_stands_once_beside_the_probabilities() -> None:
    row = Prediction({"x": 1.0}, {"0": 0.5, "1": 0.5}, {"0": 0.25, "1": 0.75}, 1.0)
    (_, section) = sections(replace(outcome({"w": [0.0, 1.0]}), predictions=[row]))
    assert section.header == ["x", "0 before", "0 after", "1 before", "1 after", "target"]
    assert section.rows == [["1", "0.500000", "0.250000", "0.500000", "0.750000", "1.00000"]]
