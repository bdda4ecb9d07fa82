"""Penalties at the command line: what the summary, the document, expectations and sweeps tell of the objective."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command

# Orthogonal columns of mean 0 and length sqrt(4), and y = 2a - b/2 + c/10 + 7. An l1 of 0.4 takes 0.2 of each weight:
# 1.8, -0.3, 0; the loss is what is missing, 0.2^2 + 0.2^2 + 0.1^2 = 0.09, the penalty 0.4 * 2.1 = 0.84. All
# start at 0, where the loss is 4 + 1/4 + 1/100 + 49.
LASSO = """
regress: {target: y}
data:
  columns: {a: [1, 1, -1, -1], b: [1, -1, 1, -1], c: [1, -1, -1, 1], y: [8.6, 9.4, 4.4, 5.6]}
  scale: none
penalty: {l1: 0.4}
"""


@pytest.fixture
def lasso(tmp_path: Path) -> Path:
    path = tmp_path / "lasso.yaml"
    path.write_text(LASSO, encoding="utf-8")
    return path


def test_the_summary_tells_the_objective(gdtrain: Command, lasso: Path) -> None:
    out = gdtrain("run", lasso, "--every", 1000).out
    assert "objective 53.26 -> 0.93 (loss 0.09 + penalty 0.84); 1 of 4 parameters are 0" in out
    assert "optimum" not in out


def test_the_document_tells_the_objective_beside_the_loss(gdtrain: Command, lasso: Path) -> None:
    document = gdtrain("run", lasso, "--format", "json").document
    names = [*document]
    assert names[names.index("loss") + 1] == "objective"
    expected = {"loss": 0.09, "penalty": 0.84, "initial": 53.26, "final": 0.93}
    assert document["objective"] == pytest.approx(expected)
    plain = gdtrain("run", lasso, "--set", "penalty.l1=0", "--set", "penalty.l2=0", "--format", "json").document
    assert plain["objective"]["penalty"] == 0


def test_without_a_penalty_there_is_no_objective(gdtrain: Command, linear: Path) -> None:
    assert "objective" not in gdtrain("run", linear, "--format", "json").document
    assert gdtrain("run", linear, "--get", "objective.final").code == 2


def test_its_numbers_may_be_asked_for(gdtrain: Command, lasso: Path) -> None:
    outcome = gdtrain("run", lasso, "--get", "objective.final", "--expect", "objective.penalty < 0.85")
    assert outcome.code == 0
    assert float(outcome.out) == pytest.approx(0.93)
    assert gdtrain("run", lasso, "--expect", "objective.penalty < 0.83").code == 1


def test_trials_may_be_ranked_by_it(gdtrain: Command, lasso: Path) -> None:
    sweep = ("sweep", lasso, "--set", "penalty.l1=0.4,0.1,4", "--format", "json")
    assert gdtrain(*sweep).document["best"] == 1  # by the loss: the least penalty
    assert gdtrain(*sweep, "--rank-by", "-objective.final").document["best"] == 2
    trials = gdtrain(*sweep).document["trials"]
    assert [trial["set"] for trial in trials] == [{"penalty.l1": 0.4}, {"penalty.l1": 0.1}, {"penalty.l1": 4}]
    assert trials[0]["objective"]["final"] == pytest.approx(0.93)


def test_l1_beside_an_adaptive_optimizer_names_sgd(gdtrain: Command, lasso: Path) -> None:
    outcome = gdtrain("run", lasso, "--optimizer", "adam")
    assert (outcome.code, outcome.out) == (2, "")
    first = outcome.err.splitlines()[0]
    assert first.endswith(
        "lasso.yaml:6:15: adam takes no l1; "
        "write optimizer: sgd, or {name: sgd, momentum: 0.9, nesterov: true}; l2 goes with any"
    )


def test_the_best_of_a_path_is_rerun_alone(gdtrain: Command, lasso: Path) -> None:
    out = gdtrain("sweep", lasso, "--set", "penalty.l1=geomspace:0.1:10:5").out
    assert f"gdtrain run {lasso} --set penalty.l1=0.1" in out


def test_check_tells_what_is_descended(gdtrain: Command, lasso: Path) -> None:
    out = gdtrain("check", lasso, "--data").out
    # The subgradient of the least norm at 0: |2 (2, 0.5, 0.1)| less 0.4, and 14 of the intercept.
    assert f"penalty 0, gradient norm {(3.6**2 + 0.6**2 + 14**2) ** 0.5:.6g}" in out
    assert "engine loop (l1 has no closed form)" in out
