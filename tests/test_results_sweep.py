"""Sweeps: ranks and ties, what seeds and starts came to, and the document."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdtrain.errors import UserError
from gdtrain.results import Equation, SweepResult
from gdtrain.results.lookup import look_up
from gdtrain.results.ranking import check_metric, tied
from tests.sweeps import along, sweep, trial

INF, NAN = math.inf, math.nan

# Losses of the trials in the order of the points; the ranks that they get; the floor.
RANKED: list[tuple[list[float], list[int], float]] = [
    ([3.0, 1.0, 2.0], [3, 1, 2], 0.0),
    ([1.0, 2.0, 1.0], [1, 3, 1], 0.0),
    ([1.0, 1.0 + 9e-13, 1.0 + 3e-12], [1, 1, 3], 0.0),  # within 1e-12 of themselves, and not
    ([1.0, 1.0 + 9e-13, 1.0 + 18e-13], [1, 1, 3], 0.0),  # held against the first: small steps do not add up
    ([1e-30, 3e-25, 1e-3], [1, 2, 3], 0.0),
    ([1e-30, 3e-25, 1e-3], [1, 1, 3], 1e-20),
    ([0.0, 0.0, 5e-324], [1, 1, 3], 0.0),
    ([-2.0, -3.0, -2.0 - 1e-12], [2, 1, 2], 0.0),
    ([NAN, 1.0, INF], [2, 1, 2], 0.0),  # neither has a loss: they share the rank behind all that do
    ([-INF, 1.0], [2, 1], 0.0),
    ([1e308, -1e308], [2, 1], 0.0),
]


@pytest.mark.parametrize(("losses", "ranks", "floor"), RANKED)
def test_ranks(losses: list[float], ranks: list[int], floor: float) -> None:
    result = sweep([trial(loss) for loss in losses], floor=floor)
    assert result.ranks == ranks
    assert [result.ranks[s] for s in result.order] == sorted(ranks)
    assert result.ties == ranks.count(1)


def test_a_diverged_trial_is_last_whatever_its_loss() -> None:
    result = sweep([trial(0.0, status="diverged"), trial(NAN), trial(5.0), trial(-1.0, status="diverged")])
    assert result.order == [2, 1, 0, 3]
    assert result.ranks == [3, 2, 1, 3]
    assert (result.best, result.ties) == (2, 1)


def test_of_trials_that_tie_fewer_epochs_come_first_then_the_order_of_the_points() -> None:
    result = sweep([trial(1.0, epochs=e) for e in (9, 3, 5, 3)])
    assert result.order == [1, 3, 2, 0]
    assert result.ranks == [1, 1, 1, 1]
    assert (result.best, result.ties) == (1, 4)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20), st.sampled_from([0.0, 1e-6, 1.0]))
def test_ranges_of_ties_follow_one_another(values: list[float], floor: float) -> None:
    values.sort()
    ranges = tied(values, floor)
    assert [i for begin, end in ranges for i in range(begin, end)] == list(range(len(values)))
    assert all(values[end - 1] - values[begin] <= 1e-12 * max(map(abs, values)) + floor for begin, end in ranges)


# What else ranks

METRICS: list[tuple[str, list[int]]] = [
    ("loss", [0, 1, 2]),
    ("loss.final", [0, 1, 2]),
    ("-loss", [2, 1, 0]),
    ("epochs", [2, 0, 1]),
    ("-epochs", [1, 0, 2]),
    ("w", [1, 2, 0]),
    ("-w", [0, 2, 1]),
    ("params.w.value", [1, 2, 0]),
    ("set.train.lr", [2, 1, 0]),
    ("-verdict.epoch", [1, 0, 2]),
    ("-x", [2, 0, 1]),  # a parameter of that very name
    ("--x", [1, 0, 2]),
]


def three() -> list[Any]:
    return [
        trial(1.0, set={"train.lr": 0.3}, epochs=4, params={"w": 3.0, "-x": 2.0}),
        trial(2.0, set={"train.lr": 0.2}, epochs=5, params={"w": -1.0, "-x": 3.0}),
        trial(3.0, set={"train.lr": 0.1}, epochs=3, params={"w": 2.0, "-x": 1.0}),
    ]


@pytest.mark.parametrize(("metric", "order"), METRICS)
def test_rank_by(metric: str, order: list[int]) -> None:
    assert sweep(three(), rank_by=metric, floor=9.0 if "loss" not in metric else 0.0).order == order


@pytest.mark.parametrize("name", ["r2", "adjusted_r2", "accuracy", "auc"])
def test_of_some_metrics_more_is_better(name: str) -> None:
    trials = [trial(set={"train.lr": lr}) for lr in (0.1, 0.2)]
    scores = iter((0.5, 0.9))
    for each in trials:
        document = {**each.document(), "metrics": {name: next(scores)}}
        object.__setattr__(each, "document", lambda document=document: document)
    assert sweep(trials, rank_by=f"metrics.{name}").order == [1, 0]


def test_a_trial_without_the_number_comes_after_those_that_have_it() -> None:
    result = sweep([trial(params={"a": 1.0}), trial(params={"b": 2.0}), trial(params={"b": 1.0})], rank_by="b")
    assert result.order == [2, 1, 0]
    assert result.parameters == ["a", "b"]


REFUSED: list[tuple[str, str]] = [
    ("loses", "--rank-by: there is no number called loses; did you mean loss?"),
    ("-velocity", "--rank-by: there is no number called velocity; there is w, -x, loss, epochs"),
    ("verdict", "--rank-by: verdict is not a number; rank by loss, epochs or a parameter"),
    ("kind", "--rank-by: kind is not a number; rank by loss, epochs or a parameter"),
]


@pytest.mark.parametrize(("metric", "message"), REFUSED)
def test_refused(metric: str, message: str) -> None:
    """The same before anything trains as after."""
    with pytest.raises(UserError) as before:
        check_metric(metric, ["w", "-x"])
    with pytest.raises(UserError) as after:
        _ = sweep(three(), rank_by=metric).order
    assert str(before.value) == str(after.value) == message


@pytest.mark.parametrize("metric", [metric for metric, _ in METRICS if not metric.startswith("set.")])
def test_what_ranks_is_known_before(metric: str) -> None:
    check_metric(metric, ["w", "-x"])


def test_a_parameter_called_loss_does_not_hide_the_loss() -> None:
    trials = [trial(1.0, params={"loss": 9.0}), trial(2.0, params={"loss": 8.0})]
    assert sweep(trials).order == [0, 1]
    assert sweep(trials, rank_by="params.loss.value").order == [1, 0]


def test_a_trial_is_looked_up_as_a_result_is() -> None:
    one = trial(0.5, set={"train.lr": 0.2}, status="converged", epochs=7)
    names = ("w", "loss", "epochs", "verdict", "params.w.gradient", "loss.initial", "set.train.lr")
    assert [look_up(one, name) for name in names] == [1.5, 0.5, 7, "converged", -0.5, 4.0, 0.2]


# Exit codes

CODES: list[tuple[list[str], dict[str, Any], int]] = [
    (["max_epochs", "diverged"], {}, 0),
    (["no_root", "no_root"], {"kind": "solve"}, 0),
    (["diverged", "diverged"], {}, 4),
    (["diverged", "diverged"], {"kind": "solve", "starts": 2}, 4),
    (["no_root", "max_epochs"], {"kind": "solve", "starts": 2}, 1),
    (["no_root", "converged"], {"kind": "solve", "starts": 2}, 0),
    (["max_epochs", "max_epochs"], {"kind": "minimize", "starts": 2}, 0),
    (["converged", "diverged"], {"interrupted": True}, 130),
    (["converged", "interrupted"], {}, 130),
    ([], {"interrupted": True}, 130),
]


@pytest.mark.parametrize(("statuses", "changes", "code"), CODES)
def test_exit_codes(statuses: list[str], changes: dict[str, Any], code: int) -> None:
    assert sweep([trial(status=status) for status in statuses], **changes).exit_code == code


def test_losses_that_are_not_finite_are_no_end_either() -> None:
    result = sweep([trial(INF), trial(NAN)])
    assert (result.best, result.ties, result.exit_code) == (None, 0, 4)


# Seeds


def test_over_seeds() -> None:
    """1, 2, 6: mean 3, squares of the distances 4 + 1 + 9, over 2: sd sqrt(7). The diverged one does not count."""
    points = [(0.1, 0, 8.0), (0.1, 1, 8.0), (0.2, 0, 1.0), (0.2, 1, 2.0), (0.2, 2, 6.0), (0.2, 3, 100.0), (0.3, 0, 1.0)]
    trials = [
        trial(
            loss, set={"train.lr": lr, "train.seed": seed}, status="diverged" if loss == 100 or lr == 0.3 else "stopped"
        )
        for lr, seed, loss in points
    ]
    found = sweep(trials, ["train.lr", "train.seed"]).settings
    assert [(each["set"], each["n"], each["diverged"]) for each in found] == [
        ({"train.lr": 0.2}, 3, 1),
        ({"train.lr": 0.1}, 2, 0),
        ({"train.lr": 0.3}, 0, 1),
    ]
    assert found[0]["loss"]["mean"] == pytest.approx(3.0, rel=1e-15)
    assert found[0]["loss"]["sd"] == pytest.approx(math.sqrt(7), rel=1e-15)
    assert found[1] == {
        "set": {"train.lr": 0.1},
        "n": 2,
        "diverged": 0,
        "loss": {"mean": 8.0, "sd": 0.0},
        "params": {"w": {"mean": 1.5, "sd": 0.0}},
    }
    assert (found[2]["loss"], found[2]["params"]) == ({"mean": None, "sd": None}, {})


def test_seeds_alone_are_one_setting_and_one_seed_has_no_deviation() -> None:
    (one,) = along("train.seed", {0: 0.1, 1: 0.1, 2: 0.1}).settings
    assert (one["set"], one["n"], one["loss"]) == ({}, 3, {"mean": 0.1, "sd": 0.0})
    (alone,) = along("train.seed", {0: 0.1}).settings
    assert alone["loss"] == {"mean": 0.1, "sd": None}
    assert along("train.lr", {0.1: 0.1}).settings == []


def test_folds_are_no_rivals() -> None:
    """Along folds, and seeds of their draw, trials are ranked by the mean of their setting."""
    points = [(0.1, 1, 5.0), (0.1, 2, 1.0), (0.2, 1, 2.0), (0.2, 2, 3.0), (0.3, 1, 0.5), (0.3, 2, 100.0)]
    for axis in ("data.split.fold", "data.split.seed"):
        trials = [
            replace(
                trial(9.0, set={"train.lr": lr, axis: k}, status="diverged" if held == 100 else "stopped"),
                held_out=held,
            )
            for lr, k, held in points
        ]
        found = sweep(trials, ["train.lr", axis], rank_by="loss.held_out")
        assert [found.trials[s].set["train.lr"] for s in found.order] == [0.3, 0.2, 0.2, 0.1, 0.1, 0.3]
        assert found.ranks == [4, 4, 2, 2, 1, 6]
        assert [each["held_out"]["mean"] for each in found.settings] == [0.5, 2.5, 3.0]
        assert found.settings[1]["held_out"]["sd"] == pytest.approx(math.sqrt(0.5), rel=1e-15)
        assert [each["set"] for each in found.settings] == [{"train.lr": lr} for lr in (0.3, 0.2, 0.1)]
        worst = sweep(trials, ["train.lr", axis], rank_by="-loss.held_out")
        assert worst.trials[worst.order[0]].set["train.lr"] == 0.1


def test_settings_that_are_mappings_are_told_apart() -> None:
    optimizers = [{"name": "sgd", "momentum": 0.9}, {"momentum": 0.9, "name": "sgd"}, {"name": "sgd"}]
    trials = [trial(set={"train.seed": s, "train.optimizer": each}) for s, each in enumerate(optimizers)]
    assert [each["n"] for each in sweep(trials, ["train.seed", "train.optimizer"]).settings] == [2, 1]


def test_deviations_of_huge_and_tiny_numbers() -> None:
    for size in (1e300, 1e-300):
        (one,) = along("train.seed", {0: size, 1: 3 * size}).settings
        assert one["loss"]["mean"] == pytest.approx(2 * size, rel=1e-15)
        assert one["loss"]["sd"] == pytest.approx(math.sqrt(2) * size, rel=1e-15)


# Many starts


def starts(ends: list[dict[str, float]], kind: str = "solve", losses: list[float] | None = None) -> SweepResult:
    losses = [0.0] * len(ends) if losses is None else losses
    trials = [trial(loss, status="converged", params=end) for loss, end in zip(losses, ends, strict=True)]
    return sweep(trials, [], kind=kind, starts=len(trials))


# Ends of the starts along x; how many ended at each distinct root, in ascending order.
ROOTS: list[tuple[list[float], list[int]]] = [
    ([2.0, -2.0, 2.0, 2.0], [1, 3]),
    ([2.0, 2.0 + 1e-6, 2.0 - 1e-6], [3]),
    ([2.0, 2.0 + 3e-5], [1, 1]),
    ([2e6, 2e6 + 1.0], [2]),  # to a share of the value
    ([1e-9, -1e-9], [2]),
    ([0.0, 3e-5], [1, 1]),
    ([1e308, -1e308], [1, 1]),
]


@pytest.mark.parametrize(("ends", "counts"), ROOTS)
def test_distinct_roots(ends: list[float], counts: list[int]) -> None:
    found = starts([{"x": end} for end in ends]).found
    assert [f.starts for f in found] == counts
    assert [ends[f.trial] for f in found] == sorted(ends[f.trial] for f in found)


def test_roots_differ_in_any_parameter_and_have_the_order_of_them_all() -> None:
    ends = [{"x": 1.0, "y": 2.0}, {"x": 1.0 - 1e-9, "y": 3.0}, {"x": 0.0, "y": 9.0}, {"x": 1.0, "y": 2.0}]
    assert [(f.trial, f.starts) for f in starts(ends).found] == [(2, 1), (0, 2), (1, 1)]


def test_a_root_is_stood_for_by_its_least_loss() -> None:
    (root,) = starts([{"x": 2.0}] * 3, losses=[1e-12, 1e-20, 1e-15]).found
    assert (root.trial, root.starts) == (1, 3)


def test_only_what_converged_is_a_root() -> None:
    trials = [trial(status=status, params={"x": 2.0}) for status in ("no_root", "max_epochs", "diverged", "converged")]
    (root,) = sweep(trials, [], kind="solve", starts=4).found
    assert (root.trial, root.starts) == (3, 1)


def test_minima_have_the_order_of_their_losses_then_of_their_parameters() -> None:
    ends = [{"x": 5.0}, {"x": 1.0}, {"x": -1.0}, {"x": 5.0}]
    assert [f.trial for f in starts(ends, "minimize", [0.5, 1e-29, 3e-29, 0.5]).found] == [2, 1, 0]


def test_minima_whose_losses_differ_are_not_one() -> None:
    ends = [{"x": 1.0}, {"x": 1.0}]
    assert len(starts(ends, "minimize", [1.0, 1.1]).found) == 2
    assert len(starts(ends, "solve", [1.0, 1.1]).found) == 1


@pytest.mark.parametrize("roots", [1, 7, 5_000])
def test_every_start_ends_at_one_of_many_roots(roots: int) -> None:
    """By construction: the k-th start ends within a rounding of root k mod `roots`, which lie 1 apart in y."""
    draw = random.Random(0)
    ends = [{"c": 1.0, "x": 1e-7 * draw.random(), "y": k % roots + 1e-7 * draw.random()} for k in range(5_000)]
    found = starts(ends).found
    assert [round(ends[f.trial]["y"]) for f in found] == list(range(roots))
    assert [f.starts for f in found] == [len(range(root, 5_000, roots)) for root in range(roots)]


# The document


def test_the_document() -> None:
    """Every key by name: users script against them."""
    trials = [trial(0.5, set={"train.lr": 0.1}), trial(0.25, set={"train.lr": 0.2}), trial(INF, status="diverged")]
    document = sweep(
        trials, rerun="gdtrain run line.yaml --lr 0.2", warnings=["mind this"], timing={"load_s": 0.5}
    ).to_dict()
    assert [list(each)[:3] for each in document["trials"]] == [["set", "rank", "schema"]] * 3
    assert document.pop("trials") == [
        {"set": dict(each.set), "rank": rank, **each.document()} for each, rank in zip(trials, (2, 1, 3), strict=True)
    ]
    assert document == {
        "schema": "gdtrain.sweep/1",
        "name": "line",
        "kind": "fit",
        "statement": "y = w*x",
        "source": "line.yaml",
        "axes": ["train.lr"],
        "rank_by": "loss",
        "count": 3,
        "best": 1,
        "ties": 1,
        "rerun": "gdtrain run line.yaml --lr 0.2",
        "warnings": ["mind this"],
        "seed": 0,
        "versions": {"gdtrain": "0", "torch": "0"},
        "timing": {"load_s": 0.5},
    }


def test_what_is_there_only_where_it_applies() -> None:
    document = along("train.seed", {0: 1.0}).to_dict()
    assert [each["n"] for each in document["settings"]] == [1]
    finder = {"fastest": 0.1, "breaks": INF, "limit": None}
    document = sweep([trial(reach=4), trial()], finder=finder).to_dict()
    assert document["finder"] == {"fastest": 0.1, "breaks": "inf", "limit": None}
    assert [each["reach"] for each in document["trials"]] == [4, None]
    assert not {"settings", "finder", "roots", "minima", "starts", "timing", "warnings"} & {
        *along("w", {1: 1.0}).to_dict()
    }


def test_roots_with_what_they_give_when_put_back() -> None:
    equations = [Equation("x = 2", 2.0, 2.0)]
    trials = [trial(0.0, status="converged", params={"x": 2.0}, equations=equations)] * 2
    document = sweep(trials, [], kind="solve", starts=2).to_dict()
    residual = {"text": "x = 2", "left": 2.0, "right": 2.0, "residual": 0.0}
    assert document["roots"] == [{"params": {"x": 2.0}, "loss": 0.0, "starts": 2, "trial": 0, "equations": [residual]}]
    assert starts([{"x": 1.0}], "fit", [0.5]).to_dict()["minima"] == [
        {"params": {"x": 1.0}, "loss": 0.5, "starts": 1, "trial": 0}
    ]


def test_the_best_few_are_listed_in_the_order_of_the_points() -> None:
    """Indices are places in the list; what it leaves out is null."""
    result = along("train.lr", {0.1: 4.0, 0.2: 2.0, 0.3: 3.0, 0.4: 1.0}, top=2)
    document = result.to_dict()
    assert [each["set"]["train.lr"] for each in document["trials"]] == [0.2, 0.4]
    assert (document["best"], document["count"]) == (1, 4)
    ends = [trial(loss, status="converged", params={"x": loss}) for loss in (3.0, 1.0)]
    roots = sweep(ends, [], kind="solve", starts=2, top=1).to_dict()["roots"]
    assert [root["trial"] for root in roots] == [0, None]


def test_where_every_trial_diverged_best_is_null() -> None:
    document = sweep([trial(NAN, status="diverged", params={"w": NAN})]).to_dict()
    assert (document["best"], document["ties"]) == (None, 0)
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_documents_are_made_when_they_are_asked_for() -> None:
    def never() -> dict[str, Any]:
        raise AssertionError("nobody asked")

    trials = [trial(loss, set={"train.lr": loss}) for loss in (2.0, 1.0)]
    for each in trials:
        object.__setattr__(each, "document", never)
    result = sweep(trials)
    assert (result.best, result.exit_code, len(result.frame)) == (1, 0, 2)


# The data frame


def test_the_frame() -> None:
    trials = [
        trial(0.5, set={"train.lr": 1, "train.optimizer": "sgd"}),
        trial(0.25, set={"train.lr": 0.1, "train.optimizer": {"name": "adam"}}, status="converged"),
    ]
    frame = sweep(trials, ["train.lr", "train.optimizer"]).frame
    assert frame.columns == ["train.lr", "train.optimizer", "verdict", "epochs", "loss", "w"]
    assert frame.rows() == [
        (1.0, "sgd", "max_epochs", 2, 0.5, 1.5),
        (0.1, '{"name": "adam"}', "converged", 2, 0.25, 1.5),
    ]


def test_names_of_columns_are_never_the_same() -> None:
    trials = [trial(set={"loss": "mse"}, params={"loss": 1.0, "set.loss": 2.0, "w": 3.0}), trial(params={"b": 4.0})]
    frame = sweep(trials, ["loss"]).frame
    assert frame.columns == ["set.loss", "verdict", "epochs", "loss", "params.loss", "params.set.loss", "w", "b"]
    assert frame["b"].to_list() == [None, 4.0]
    twice = sweep([trial(params={"params.loss": 1.0, "loss": 2.0})], [])
    assert twice.columns() == ["verdict", "epochs", "loss", "params.loss", "params.params.loss"]
    assert sweep([]).frame.columns == ["train.lr", "verdict", "epochs", "loss"]


def test_a_sweep_says_what_it_is() -> None:
    result = along("train.lr", {0.1: 0.5, 0.2: 0.25})
    assert str(result) == "2 trials of fit y = w*x\n  best: train.lr = 0.2: max_epochs, loss 0.25"
    assert repr(sweep([trial(NAN)])) == "1 trial of fit y = w*x: none ended well"
