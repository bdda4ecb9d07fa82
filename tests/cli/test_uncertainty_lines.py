"""Standard errors as the command line shows, gets and expects them."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Command

# By hand: w = sum(x*y)/sum(x^2) = 60/30 = 2; residuals 1, -1, -1, 1; s^2 = 4/3; the error is sqrt(4/90) = 0.210819.
ROWS = ["fit", "y = w*x", "--data", "x=1,2,3,4", "--data", "y=1,5,7,7", "--start", "w=0"]
SHORT = [*ROWS, "--lr", "0.01", "--epochs", "20"]
# stdtrit(3, 0.975) = 3.182446: 2 -+ 0.670919
TABLE = """standard errors (gauss-newton), 95 % intervals
parameter  estimate  std error        t        p     from       to
w           2.00000   0.210819  9.48683  0.00248  1.32908  2.67092
"""
LINE = "no standard errors: w is 0.0775 below its optimum, 0.37 standard errors; --polish goes there"


def test_table(gdtrain: Command) -> None:
    outcome = gdtrain(*ROWS, "--format", "plain")
    assert TABLE in outcome.out
    assert "residual standard deviation 1.1547 on 3 degrees of freedom, log likelihood" in outcome.out
    for style in ("table", "md"):
        assert "0.210819" in gdtrain(*ROWS, "--format", style).out


def test_what_is_refused_takes_a_line(gdtrain: Command) -> None:
    outcome = gdtrain(*SHORT, "--format", "plain")
    assert outcome.out.count("standard errors") == LINE.count("standard errors")
    assert outcome.out.endswith(f"{LINE}\n")
    assert "standard errors" not in gdtrain(*SHORT, "--lr", "9", "--format", "plain").out


@pytest.mark.parametrize("style", ["table", "plain", "md"])
def test_quiet_leaves_them_out(gdtrain: Command, style: str) -> None:
    assert "std error" not in gdtrain(*ROWS, "--quiet", "--format", style).out
    assert "standard errors" not in gdtrain(*SHORT, "--quiet", "--format", style).out


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("params.w.std_error", 0.21081851067789195),
        ("params.w.interval.0", 1.3290814096),
        ("params.w.interval.1", 2.6709185904),
        ("uncertainty.sigma", 1.1547005383792515),
        ("uncertainty.dof", 3.0),
        ("uncertainty.correlation.w.w", 1.0),
    ],
)
def test_get(gdtrain: Command, name: str, value: float) -> None:
    assert float(gdtrain(*ROWS, "--get", name).out) == pytest.approx(value, rel=1e-7)


def test_get_of_what_is_refused(gdtrain: Command) -> None:
    outcome = gdtrain(*SHORT, "--get", "params.w.std_error")
    assert outcome.code == 2
    assert "there is no params.w.std_error: w is 0.0775 below its optimum" in outcome.err


def test_expect(gdtrain: Command) -> None:
    assert gdtrain(*ROWS, "--get", "w", "--expect", "params.w.std_error < 0.3").code == 0
    outcome = gdtrain(*ROWS, "--get", "w", "--expect", "params.w.std_error < 0.1")
    assert (outcome.code, outcome.err) == (1, "fail: params.w.std_error < 0.1 (params.w.std_error = 0.2108185107)\n")
    outcome = gdtrain(*SHORT, "--get", "w", "--expect", "params.w.std_error < 0.3")
    assert outcome.code == 1
    assert "fail: params.w.std_error < 0.3 (there is no params.w.std_error: w is 0.0775 below" in outcome.err


def test_options(gdtrain: Command) -> None:
    """An interval of 50 % reaches stdtrit(3, 0.75) = 0.764892 errors."""
    out = gdtrain(*SHORT, "--polish", "--level", "0.5", "--format", "json").out
    document = json.loads(out)
    assert document["train"]["polished"] == 1
    assert document["params"]["w"]["interval"][1] == pytest.approx(2 + 0.764892 * 0.2108185, rel=1e-6)
    robust = json.loads(gdtrain(*ROWS, "--robust", "--format", "json").out)
    assert robust["uncertainty"]["method"] == "sandwich"
    # sum of x^2 r^2 is 30: sqrt(30)/30 * sqrt(4/3)
    assert robust["params"]["w"]["std_error"] == pytest.approx((30**0.5 / 30) * (4 / 3) ** 0.5)
    drawn = json.loads(gdtrain(*ROWS, "--bootstrap", "20", "--format", "json").out)
    assert drawn["uncertainty"]["samples"] == 20


def test_config_says_the_same(gdtrain: Command) -> None:
    out = gdtrain(*ROWS, "--polish", "--level", "0.9", "--robust", "--print-config").out
    assert "uncertainty:\n  level: 0.9\n  robust: true\n" in out
    assert "  polish: true\n" in out
    assert "uncertainty" not in gdtrain(*ROWS, "--print-config").out
    assert "polish" not in gdtrain(*ROWS, "--print-config").out


REFUSED = [
    (["solve", "x = 1", "--robust"], "solve has no data, and its roots no standard errors"),
    (["minimize", "x^2", "--level", "0.9"], "minimize has no residuals to tell standard errors by"),
    ([*ROWS, "--loss", "mae", "--polish"], "mae has kinks, where Newton's steps lead nowhere"),
    ([*ROWS, "--set", "penalty.l1=0.1", "--polish"], "Newton's steps would step over the kinks of l1"),
    ([*ROWS, "--set", "stop.restore=best", "--polish"], "polish goes on to the minimum, and restore: best back to an"),
    (
        ["regress", "t.csv", "--target", "y", "--set", "model.hidden=[3]", "--polish"],
        "the weights of hidden layers are not determined",
    ),
    ([*ROWS, "--level", "95"], "level is a share below 1, not 95; write 0.95 for 95 %"),
    ([*ROWS, "--level", "1"], "level must be below 1, not 1"),
    ([*ROWS, "--get", "params.w.std_err"], "did you mean params.w.std_error?"),
    ([*ROWS, "--set", "params.w.expr=2*w"], "w is tied to itself"),
    ([*ROWS, "--bootstrap", "20", "--robust"], "robust adds nothing to it; leave one out"),
    ([*ROWS, "--set", "data.weight_type=analytic"], "weight_type says what sample_weight is, and there is none"),
    ([*ROWS, "--bootstrap", "2"], "bootstrap must be 10 or more, not 2"),
    ([*ROWS, "--loss", "huber", "--set", "data.sigma=x"], "sigma goes with squares, and huber is not a squared loss"),
    (
        [*ROWS, "--set", "data.sigma=x", "--set", "data.sample_weight=x"],
        "sample_weight and sigma exclude each other",
    ),
    ([*ROWS, "--set", "data.sigma=s"], "there is no column s"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_refused(gdtrain: Command, words: list[str], message: str) -> None:
    outcome = gdtrain(*words)
    assert outcome.code == 2
    assert message in outcome.err
