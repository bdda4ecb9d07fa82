"""What a verdict says: the sentence beside each status, and where rising becomes diverging."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from gdtrain.engines.ends import Ends
from gdtrain.engines.states import Chunk
from gdtrain.experiment.trials import Trials
from gdtrain.planning.plan import make_plan
from gdtrain.results import Verdict
from gdtrain.train import train
from gdtrain.verdicts.ended import Trial
from gdtrain.verdicts.survivors import surviving_lr
from gdtrain.verdicts.verdict import judge
from tests.problems import experiment, problem

POINTS = {"columns": {"x": [1, 2, 3, 4], "y": [2, 4, 6, 8]}}  # y = 2x; mean x^2 = 7.5, mean y^2 = 30
LINE = {"fit": "y = w*x", "data": POINTS, "params": {"w": 0.0}}


def verdict(source: dict[str, Any], **train_keys: Any) -> Verdict:
    return train(experiment(source, **train_keys)).verdict


# w_k = 2(1 - 0.85^k) with lr 0.01: the gradient is 15(w - 2), the loss 7.5(w - 2)^2, which falls by 27.75 % a step.
SENTENCES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (LINE, {"lr": 0.01, "epochs": 0}, "loss 30, gradient norm 30"),
    (LINE, {"lr": 0.01, "epochs": 20}, "loss still falling 27.7 % per epoch"),
    # Recorded every second epoch, and the last: the share is that of one epoch all the same.
    (LINE, {"lr": 1e-9, "epochs": 20_000}, "loss still falling 3e-06 % per epoch"),  # 2 * 15e-9 = 3e-8
    # Step by step to 2 and back, 15 * 2/15 = 2: the loss stays what it was.
    (LINE, {"lr": 2 / 15, "epochs": 20}, "loss no longer falling, gradient norm 30, above 3e-07"),
    ({"minimize": "-x", "params": {"x": 3.0}}, {"lr": 0.5, "epochs": 8}, "loss still falling by 0.5 per epoch"),
    # Of the norm 30 at the start 1e-8 is 3e-7. One step of 1/15 leads to 2.
    (LINE, {"lr": 1 / 15, "epochs": 1}, "gradient norm 0 is at most 3e-07"),
    ({**LINE, "stop": {"loss_tol": 40.0}}, {"lr": 0.01}, "loss 30 is at most 40"),
    # The best loss is lower by less than 100 in each of three epochs.
    ({**LINE, "stop": {"patience": 3, "min_delta": 100.0}}, {"lr": 0.01}, "for 3 epochs; loss still falling 27.7 %"),
    ({"solve": "x + 1 = 3", "params": {"x": 2.0}}, {"epochs": 0}, "|left - right| is at most 0"),
    ({"solve": "x^2 + 1 = 0", "params": {"x": 0.0}}, {}, "no real root found: |left - right| is at least 1"),
]


@pytest.mark.parametrize(("source", "settings", "sentence"), SENTENCES)
def test_a_sentence_has_the_numbers(source: dict[str, Any], settings: dict[str, Any], sentence: str) -> None:
    assert sentence in verdict(source, **settings).detail


def test_an_interruption_says_how_far_it_got() -> None:
    result = train(experiment(LINE, lr=0.01, epochs=10**6, engine="loop"), watch=lambda epoch, loss: False)
    assert result.verdict.detail.startswith(f"stopped at epoch {result.epochs:,} of 1,000,000; loss")


def test_the_culprit_is_the_parameter_that_blew_up() -> None:
    """The curvature of b is 200 times that of a: only b passes 2/lr."""
    detail = verdict({"minimize": "a^2 + 200*b^2 + c^2"}, lr=0.1).detail
    assert detail.startswith("b blew up: not finite at epoch ")


def test_from_a_loss_of_none_no_multiple_is_told() -> None:
    """At x = 0 the loss is 0 and its gradient -1: what it rose to is told, not how many times."""
    detail = verdict({"minimize": "x^4 - x", "params": {"x": 0.0}}, lr=1.2, epochs=2).detail
    assert "the loss rose to " in detail and "times" not in detail


# Rising: the loss is above twice its start, and has not come down over the last tenth of the epochs.


def status(losses: Sequence[float]) -> str:
    """The verdict on a line through points whose loss went this way; nothing else about it is special."""
    settled = experiment(LINE, lr=0.01, epochs=len(losses) - 1)
    plan = make_plan(Trials(settled), problem(settled))
    ends = Ends(1, [len(losses) - 1])
    loss_CS = torch.tensor(losses, dtype=torch.float64)[:, None]
    one = torch.ones(len(losses), 1, dtype=torch.float64)
    chunk = Chunk(range(len(losses)), loss_CS, one[:, None], 7 * one[:, None], 0.01 * one)
    ends.judge(chunk)
    ((end,),) = ends.close(chunk).values()
    return judge(Trial(plan, 0, end, plan.epochs, lambda: None))[0]


RISING: list[tuple[Sequence[float], str]] = [
    ([1, 2, 3], "diverged"),
    ([1, 5, 3], "max_epochs"),  # on its way down
    ([1, 1.5, 2], "max_epochs"),  # twice is not above twice
    ([1, 1.5, 2.01], "diverged"),
    ([1, 0.5, 1.9], "max_epochs"),
    ([4, 3, 2], "max_epochs"),
    # Of twenty epochs the last two count: 9 was above 8 two epochs before the end, 7 was below.
    ([1, *[9] * 18, 7, 8], "max_epochs"),
    ([1, *[9] * 17, 7, 9, 8], "diverged"),
    ([-4, -3, -2], "max_epochs"),  # above its start by 2, half of what it was worth
    ([-4, 0, 1], "diverged"),
    ([0, 1, 2], "diverged"),
    # A rounding error above nothing: 1e-12 of the targets' mean square, 30, is 3e-11.
    ([0, 1e-11, 2.9e-11], "max_epochs"),
    ([0, 1e-11, 3.1e-11], "diverged"),
]


@pytest.mark.parametrize(("losses", "expected"), RISING)
def test_rising_is_diverging_where_it_does_not_turn(losses: Sequence[float], expected: str) -> None:
    assert status(losses) == expected


# The learning rate that is named


def test_the_lr_named_is_below_the_limit_and_not_far_below() -> None:
    """The curvature is 15: 1/15 is tried first, cut to two digits."""
    assert verdict(LINE, lr=5.0).detail.endswith("with lr 5 (the limit is 0.1333); lr 0.066 would not")


def test_the_lr_named_holds_for_the_optimizer_in_use() -> None:
    """Heavy momentum from a steep start: what plain descent could bear is tried with momentum, and with bounds."""
    optimizer = {"name": "sgd", "momentum": 0.99}
    detail = verdict(LINE, optimizer=optimizer, lr=4.0, epochs=300).detail
    named = float(detail.rpartition("; lr ")[2].removesuffix(" would not"))
    again = verdict(LINE, optimizer=optimizer, lr=named, epochs=300)
    assert again.status != "diverged"


def test_without_a_minimum_no_lr_is_named() -> None:
    detail = verdict({"minimize": "-exp(x)", "params": {"x": 1.0}}, lr=1.0).detail
    assert "there may be no minimum" in detail
    assert "would not" not in detail


def test_trying_out_takes_no_part_in_the_result() -> None:
    """The plan that was judged runs as before."""
    settled = experiment(LINE, lr=5.0, epochs=10)
    plan = make_plan(Trials(settled), problem(settled))
    before = plan.run().recorded.loss_CS
    assert surviving_lr(plan, [5.0]) == [0.066]
    assert torch.equal(plan.run().recorded.loss_CS, before)
