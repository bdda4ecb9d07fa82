"""Every file in configs/ keeps what it promises, to the printed digits."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path

import pytest

from gdtrain.cli.process import run
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import Override
from gdtrain.experiment.sweep import load_sweep
from gdtrain.results import Result, SweepResult
from gdtrain.sweeps.starts import train_starts
from gdtrain.sweeps.sweeping import sweep
from gdtrain.train import train

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = REPOSITORY / "configs"
END = -1

# y = w*x by hand: d/dw mean((w*x - y)^2) = 2*mean(x^2)*(w - 2) = 15*(w - 2) on x = 1..4, y = 2x, so that an epoch at
# lr 0.01 takes 0.15 of the way to 2: w = 2 - 2*0.85^k, and the loss is 7.5*(w - 2)^2 = 30*0.85^(2k).
LINEAR = [
    "0.300", "0.555", "0.772", "0.956", "1.113", "1.246", "1.359", "1.455", "1.537", "1.606",
    "1.665", "1.716", "1.758", "1.794", "1.825", "1.851", "1.874", "1.893", "1.909", "1.922",
]  # fmt: skip

# (config, epoch, quantity, the number as it is promised). A quantity is loss, a parameter, `d NAME` for a gradient, or
# `prediction K` for row K of the predictions; all of them at that epoch.
CASES: Sequence[tuple[str, int, str, str]] = (
    # x - 2 shrinks by 0.999 an epoch: from 0.0486, x = 2 - 1.9514*0.999^10000.
    ("equation", 0, "loss", "1.9040"),
    ("equation", 0, "d x", "-1.9514"),
    ("equation", 10_000, "x", "1.99991"),
    ("linear", 0, "loss", "30.000"),
    ("linear", 1, "loss", "21.675"),
    *(("linear", epoch, "w", weight) for epoch, weight in enumerate(LINEAR, start=1)),
    ("linear", 20, "prediction 1", "9.612"),
    # 2 - 0.0775191*0.85
    ("linear_continued", 0, "w", "1.9224809"),
    ("linear_continued", 1, "w", "1.934"),
    ("linear_continued", 100, "w", "2.000"),
    ("linear_continued", 100, "prediction 1", "10.000"),
    # In closed form an lr of 1/15 takes all of the way to 2 at once.
    ("learning_rates", 1, "w", "2.000"),
    ("sales", 0, "loss", "3375.0307"),
    ("sales", 0, "d income", "9416.573"),
    ("sales", 0, "d price", "53.4586"),
    ("sales", 0, "d tax", "17.7574"),
    ("sales", 0, "d intercept", "114.1188"),
    ("sales", 2, "loss", "1922.6413"),
    ("sales_pairs", 0, "loss", "3390.0070"),
    ("sales_pairs", 0, "d income", "9436.738"),
    ("sales_pairs", 0, "d price", "52.304"),
    ("sales_pairs", 0, "d tax", "16.616"),
    ("sales_pairs", 0, "d intercept", "114.121"),
    ("sales_pairs", 2, "loss", "1931.394"),
    # (x + y)^2 = 4 + 2 and (x - y)^2 = 4 - 2: x, y = (sqrt(6) +- sqrt(2))/2.
    ("system", 0, "loss", "0.5"),
    ("system", END, "x", "1.931852"),
    ("system", END, "y", "0.517638"),
    # scipy.optimize.curve_fit: 2.50023029, 0.5984896, 0.49826192 with mean squared residual 0.000255237763.
    ("exponential", 0, "loss", "0.8563"),
    ("exponential", END, "a", "2.50023"),
    ("exponential", END, "b", "0.59849"),
    ("exponential", END, "c", "0.49826"),
    ("exponential", END, "loss", "0.00025524"),
    ("exponential", END, "prediction 1", "0.5002"),
    # numpy.linalg.lstsq of the 333 whole rows over indicators of species and sex.
    ("penguins", END, "species[Gentoo]", "836.260"),
    ("penguins", END, "species[Chinstrap]", "-87.634"),
    ("penguins", END, "sex[male]", "530.381"),
    ("penguins", END, "flipper_length_mm", "20.025"),
    ("penguins", END, "loss", "86046.8"),
    ("penguins", END, "prediction 1", "4775.8"),
    ("penguins_folds", END, "loss", "86046.8"),
    # Stata, as statsmodels' tests have it: tests/data/regression/ccard_wls.json
    ("ccard", END, "INCOME", "158.42698"),
    ("ccard", END, "INCOMESQ", "-7.249290"),
    ("ccard", END, "AGE", "-2.694185"),
    ("ccard", END, "OWNRENT", "60.44877"),
    ("ccard", END, "intercept", "-114.10887"),
    # Stata's logit: tests/data/regression/spector_logit.json. A GPA of 3 and a TUCE of 22: 1/(1 + exp(2.4495 - PSI*b)).
    ("spector", END, "GPA", "2.82611"),
    ("spector", END, "TUCE", "0.09516"),
    ("spector", END, "PSI", "2.37869"),
    ("spector", END, "intercept", "-13.02135"),
    ("spector", END, "loss", "0.40280"),
    ("spector", END, "prediction 1", "0.0795"),
    ("spector", END, "prediction 2", "0.4823"),
    # R's glm: tests/data/regression/cpunish_poisson.json
    ("cpunish", END, "INCOME", "2.61102e-04"),
    ("cpunish", END, "PERPOVERTY", "0.077818"),
    ("cpunish", END, "PERBLACK", "-0.094931"),
    ("cpunish", END, "log(VC100k96)", "0.296935"),
    ("cpunish", END, "SOUTH", "2.30118"),
    ("cpunish", END, "DEGREE", "-18.72207"),
    ("cpunish", END, "intercept", "-6.80148"),
    # scipy.optimize.linprog: 0.68629948, 67.35087208, mean pinball 14.4339732
    ("engel", END, "income", "0.68630"),
    ("engel", END, "intercept", "67.35"),
    ("engel", END, "loss", "14.4340"),
    ("engel", END, "prediction 1", "753.65"),
    # Coordinate descent in numpy (Friedman, Hastie and Tibshirani 2010): loss 3232.78335, objective 4297.21057
    ("diabetes", END, "age", "0.0"),
    ("diabetes", END, "bmi", "4.89310"),
    ("diabetes", END, "bp", "0.51182"),
    ("diabetes", END, "s3", "-0.27423"),
    ("diabetes", END, "s5", "36.04294"),
    ("diabetes", END, "loss", "3232.783"),
    # numpy.linalg.lstsq: 2859.69635
    ("minibatches", 1, "loss", "4006.6"),
    ("minibatches", END, "loss", "2875.02"),
    # numpy.linalg.lstsq
    ("stackloss", END, "AIRFLOW", "-0.44208"),
    ("stackloss", END, "WATERTEMP", "-1.76540"),
    ("stackloss", END, "AIRFLOW:WATERTEMP", "0.04911"),
    ("stackloss", END, "log(ACIDCONC)", "-3.55274"),
    ("stackloss", END, "loss", "7.1216"),
    # The noise has 0.05^2 = 0.0025, of which 337 weights take up some; sin(2*0.785)*1 is 1.
    ("twisted", 0, "loss", "0.681819"),
    ("twisted", END, "loss", "0.0020"),
    ("twisted", END, "prediction 1", "0.96"),
    ("twisted", END, "prediction 2", "-1.00"),
    # (1 + 1.2)^2 + 100*(1 - 1.44)^2 = 4.84 + 19.36
    ("rosenbrock", 0, "loss", "24.20"),
    ("rosenbrock", END, "x", "1.00000"),
    ("rosenbrock", END, "y", "1.00000"),
)

VERDICTS = {
    "equation": "max_epochs",
    "linear": "max_epochs",
    "linear_continued": "max_epochs",
    "learning_rates": "converged",
    "sales": "max_epochs",
    "sales_pairs": "max_epochs",
    "system": "converged",
    "exponential": "converged",
    "rosenbrock": "converged",
    "penguins": "converged",
    "penguins_folds": "converged",
    "ccard": "converged",
    "stackloss": "converged",
    "spector": "converged",
    "cpunish": "converged",
    "engel": "max_epochs",
    "diabetes": "converged",
    "minibatches": "max_epochs",
    "twisted": "max_epochs",
}

# (config, what a trial sets, its verdict, its loss as it is promised), in the order of the points.
SWEPT: Sequence[tuple[str, Mapping[str, float], str, str]] = (
    # 30*(1 - 15*lr)^40; from 2/15 = 0.133 on, 1 - 15*lr is beyond -1.
    ("learning_rates", {"train.lr": 0.001}, "max_epochs", "16.390"),
    ("learning_rates", {"train.lr": 0.01}, "max_epochs", "0.045"),
    ("learning_rates", {"train.lr": 0.05}, "converged", "2.5e-23"),
    ("learning_rates", {"train.lr": 0.1}, "max_epochs", "2.7e-11"),
    ("learning_rates", {"train.lr": 0.13}, "max_epochs", "3.855"),
    ("learning_rates", {"train.lr": 0.14}, "diverged", "1357.778"),
    # Coordinate descent in numpy, as above.
    ("diabetes", {"penalty.l1": 1}, "converged", "2885.754"),
    ("diabetes", {"penalty.l1": 5}, "converged", "2945.081"),
    ("diabetes", {"penalty.l1": 20}, "converged", "3232.783"),
    ("diabetes", {"penalty.l1": 50}, "converged", "4114.903"),
    ("diabetes", {"penalty.l1": 80}, "converged", "5434.148"),
    ("diabetes", {"penalty.l1": 100}, "converged", "5929.885"),
)
BEST: Mapping[str, Mapping[str, float]] = {
    "learning_rates": {"train.lr": 0.05},
    "diabetes": {"penalty.l1": 1},
}


@cache
def trained(config: str) -> Result:
    return train(load(CONFIGS / f"{config}.yaml"), gradients=True)


def test_penguins_that_were_left_out() -> None:
    result = trained("penguins")
    assert (result.data["rows"], result.data["missing"]["rows"]) == (333, 11)


def test_what_else_is_promised() -> None:
    spector, cpunish, diabetes = (trained(config) for config in ("spector", "cpunish", "diabetes"))
    assert printed_as(spector.metrics["accuracy"], "0.8125") == "0.8125"
    assert printed_as(cpunish.metrics["deviance"], "18.5916") == "18.5916"
    assert diabetes.objective is not None
    assert printed_as(diabetes.objective["final"], "4297.211") == "4297.211"
    kept = [name for name, value in diabetes.params.items() if value != 0]
    assert kept == ["bmi", "bp", "s3", "s5", "intercept"]


@pytest.mark.parametrize(("q", "slope"), [(0.1, "0.40177"), (0.5, "0.56018")])  # scipy.optimize.linprog
def test_other_quantiles_of_engel(q: float, slope: str) -> None:
    engel = train(load(CONFIGS / "engel.yaml", [Override("loss.q", q, "--set")]))
    assert printed_as(engel.params["income"], slope) == slope


def test_folds_of_penguins() -> None:
    result = trained("penguins_folds")
    assert result.folds is not None
    deviation = result.folds["sd"]["metrics"]["rmse"]
    numbers = [result.loss["held_out"], result.metrics["holdout"]["rmse"], deviation]
    told = (CONFIGS / "penguins_folds.yaml").read_text(encoding="utf-8")
    for number, digits in zip(numbers, (1, 3, 3), strict=True):
        assert f"{number:.{digits}f}" in told


@cache
def swept(config: str) -> SweepResult:
    return sweep(load_sweep(CONFIGS / f"{config}.yaml"))


def found(result: Result, epoch: int, quantity: str) -> float:
    """A quantity of CASES; END is the last epoch."""
    what, _, name = quantity.rpartition(" ")
    recorded = result.recorded
    row = len(recorded.epochs_K) - 1 if epoch == END else epoch  # a long history is thinned
    assert recorded.epochs_K[row] == (result.epochs if epoch == END else epoch)
    if what == "prediction":
        assert recorded.epochs_K[row] == result.epochs
        after = result.predictions[int(name) - 1].after
        assert isinstance(after, float)
        return after
    if name == "loss":
        return float(recorded.loss_K[row])
    values_KQ = recorded.gradient_KQ if what == "d" else recorded.values_KQ
    assert values_KQ is not None
    return float(values_KQ[row, list(result.params).index(name)])


def printed_as(number: float, promised: str) -> str:
    """`number` with as many decimals as `promised`, and an exponent where it has one."""
    mantissa, exponent, _ = promised.partition("e")
    decimals = len(mantissa.partition(".")[2])
    return f"{number:.{decimals}{exponent or 'f'}}"


@pytest.mark.parametrize(("config", "epoch", "quantity", "promised"), CASES)
def test_numbers(config: str, epoch: int, quantity: str, promised: str) -> None:
    assert printed_as(found(trained(config), epoch, quantity), promised) == promised


@pytest.mark.parametrize(("config", "status"), VERDICTS.items())
def test_verdicts(config: str, status: str) -> None:
    assert trained(config).verdict.status == status


@pytest.mark.parametrize(("config", "settings", "status", "promised"), SWEPT)
def test_swept_numbers(config: str, settings: Mapping[str, float], status: str, promised: str) -> None:
    (trial,) = [each for each in swept(config).trials if each.set == settings]
    assert (trial.status, printed_as(trial.loss, promised)) == (status, promised)


@pytest.mark.parametrize(("config", "settings"), BEST.items())
def test_best_of_a_sweep(config: str, settings: Mapping[str, float]) -> None:
    result = swept(config)
    assert result.best is not None
    assert result.trials[result.best].set == settings
    assert len(result.trials) == sum(name == config for name, *_ in SWEPT)


def test_every_start_of_the_system() -> None:
    """x*y = 1 and x^2 + y^2 = 4 stay true where x and y change places, and where both change signs."""
    result = train_starts(load(CONFIGS / "system.yaml"), 50)
    ends = [result.trials[end.trial].params.values() for end in result.found]
    promised = [
        ("-1.931852", "-0.517638"),
        ("-0.517638", "-1.931852"),
        ("0.517638", "1.931852"),
        ("1.931852", "0.517638"),
    ]
    assert [tuple(printed_as(value, "1.931852") for value in end) for end in ends] == promised


def test_every_config_is_held_to_numbers() -> None:
    written = {path.stem for path in CONFIGS.iterdir()}
    assert written == {config for config, *_ in CASES} == set(VERDICTS)
    sweeps = {config for config in written if load(CONFIGS / f"{config}.yaml").sweep is not None}
    assert sweeps == {config for config, *_ in SWEPT} == set(BEST)


@pytest.mark.parametrize("config", VERDICTS)
def test_opening(config: str) -> None:
    """A file opens with its question, what to expect and how long it takes."""
    lines = (CONFIGS / f"{config}.yaml").read_text(encoding="utf-8").splitlines()
    opening = " ".join(takewhile(lambda line: line.startswith("# "), lines))
    assert re.match(r"# [A-Z][^#]*\?", opening)
    assert "Expect: " in opening
    assert "Takes " in opening


def test_pairs_continued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two epochs saved as a result, and 10,000 more from there: what the notebook came to."""
    pairs = str(CONFIGS / "sales_pairs.yaml")
    assert run(["run", pairs, "--format", "json"]) == 0
    saved = tmp_path / "result.json"
    saved.write_text(capsys.readouterr().out, encoding="utf-8")
    more = ["--start", f"@{saved}", "--lr", "1e-7", "--epochs", "10000", "--format", "json"]
    assert run(["run", pairs, *more]) == 0
    document = json.loads(capsys.readouterr().out)
    assert printed_as(document["loss"]["initial"], "1931.394") == "1931.394"
    assert printed_as(document["loss"]["final"], "16.8275") == "16.8275"
    promised = ["4.797", "5.964", "5.421", "6.610", "4.547"]
    assert [printed_as(row["after"], "4.797") for row in document["predictions"]] == promised
