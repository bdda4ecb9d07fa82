"""Wrong command lines: what was meant is said, in a line, with exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdtrain.cli.app import PANELS
from gdtrain.cli.usage import ALIASES
from tests.cli.conftest import Command

pytestmark = pytest.mark.usefixtures("linear", "points")

VERBS = [verb.__name__ for verbs in PANELS.values() for verb in verbs]

# A command line, and what its error says.
WRONG: dict[str, list[tuple[list[str], str]]] = {
    "verbs": [
        (["rnu", "linear.yaml"], "there is no verb rnu; did you mean run?"),
        (["Run", "linear.yaml"], "did you mean run?"),
        (["sovle", "x = 1"], "did you mean solve?"),
        (["minimise", "x^2"], "did you mean minimize?"),
        (["regres", "points.csv"], "did you mean regress?"),
        (["frobnicate"], "minimize, grad, predict, export, diff, init, check, schema"),
        (["linear.yaml"], "to train it, write gdtrain run linear.yaml"),
        (["./linear.yaml", "--lr", "1"], "to train it, write gdtrain run ./linear.yaml"),
        (["missing.yml"], "to train it, write gdtrain run missing.yml"),
        (["x + 1 = 3"], "write gdtrain solve 'x + 1 = 3'"),
    ],
    "options": [
        (["run", "linear.yaml", "--epoch", "3"], "there is no option --epoch; did you mean --epochs?"),
        (["run", "linear.yaml", "--formt", "json"], "did you mean --format?"),
        (["solve", "x = 1", "--sed", "1"], "gdtrain solve: there is no option --sed; did you mean --seed?"),
        (["run", "linear.yaml", "--zzz"], "there is no option --zzz; see gdtrain run --help"),
        (["check", "linear.yaml", "--dat"], "did you mean --data?"),
        (["schema", "--yaml"], "see gdtrain schema --help"),
    ],
    "keys": [
        (["run", "linear.yaml", "lr=0.1"], "lr=0.1 is not a file; to change a key, write --lr 0.1"),
        (["run", "linear.yaml", "epochs=5"], "write --epochs 5"),
        (["run", "linear.yaml", "stop.patience=5"], "write --set stop.patience=5"),
        (["run", "linear.yaml", "--set", "lr=0.1"], "lr belongs under train"),
        (["run", "linear.yaml", "--set", "train.learning_rate=0.1"], "did you mean lr?"),
        (["run", "linear.yaml", "--set", "max_iter=10"], "did you mean epochs, under train?"),
        (["run", "linear.yaml", "--set", "fit_intercept=true"], "did you mean intercept, under regress?"),
        (["run", "linear.yaml", "--set", "train.lr"], "write --set train.lr=0.1"),
        (["run", "linear.yaml", "--set", "=1"], "a key and a value are due"),
        (["run", "linear.yaml", "--set", "train..lr=1"], "is no key"),
    ],
    "values": [
        (["run", "linear.yaml", "--lr", "fast"], "--lr: lr must be a positive number or auto"),
        (["run", "linear.yaml", "--lr", "-1"], "--lr: lr must be"),
        (["run", "linear.yaml", "--lr", "nan"], "--lr: "),
        (["run", "linear.yaml", "--epochs", "1.5"], "--epochs: epochs must be a whole number, not 1.5"),
        (["run", "linear.yaml", "--epochs", "many"], "--epochs: "),
        (["run", "linear.yaml", "--optimizer", "adm"], "did you mean adam?"),
        (["run", "linear.yaml", "--loss", "hubber"], "did you mean huber?"),
        (["run", "linear.yaml", "--dtype", "float16"], "--dtype: "),
        (["run", "linear.yaml", "--device", "nowhere"], "--device: "),
        (["run", "linear.yaml", "--engine", "lop"], "did you mean loop?"),
        (["run", "linear.yaml", "--format", "jsn"], "--format: there is no format jsn; did you mean json?"),
        (["run", "linear.yaml", "--format", "xml"], "there are table, plain, json, csv, md"),
        (["run", "linear.yaml", "--every", "0"], "--every"),
        (["run", "linear.yaml", "--every", "often"], "--every"),
        (["run", "linear.yaml", "--get", "v"], "--get: there is no number called v; there is w, "),
        (["run", "linear.yaml", "--get", "verdct"], "did you mean verdict?"),
        (["run", "linear.yaml", "--expect", "w"], "--expect: not an expectation"),
        (["run", "linear.yaml", "--expect", "verdict = convergd"], "did you mean converged?"),
        (["run", "linear.yaml", "--start", "w"], "--start: write NAME=NUMBER"),
        (["run", "linear.yaml", "--start", "w=high"], "--start: start must be a number"),
        (["run", "linear.yaml", "--start", "v=1"], "--start: fit has no parameter v; the parameters are w"),
        (["run", "linear.yaml", "--start", "@nofile.json"], "--start: cannot read nofile.json"),
        (["run", "linear.yaml", "--start", "@linear.yaml"], "linear.yaml is no result document"),
        (["fit", "y = w*x", "--data", "x"], "--data: write NAME=NUMBER,NUMBER,..."),
        (["fit", "y = w*x", "--data", "x=1", "--data", "x=2", "--data", "y=1"], "x"),
        (["fit", "y = w*x", "points.csv", "--data", "x=1"], "data is either a file or --data"),
        (["fit", "y = w*x", "points.csv", "--predict", "x=5,z=1"], "z"),
        (["regress", "points.csv", "--target", "z"], "--target: there is no column z; the columns are x, y"),
        (["regress", "points.csv", "--target", "y", "--features", "q"], "--features: there is no column q"),
    ],
    "what is missing": [
        (["run"], "gdtrain run: FILE... is missing; see gdtrain run --help"),
        (["solve"], "EQUATION... is missing"),
        (["fit"], "FORMULA is missing"),
        (["minimize"], "EXPRESSION is missing"),
        (["regress", "points.csv"], "--target is missing"),
        (["check"], "FILE... is missing"),
        (["run", "linear.yaml", "--lr"], "--lr"),
        (["fit", "y = w*x"], "fit needs data"),
        (["run", "missing.yaml"], "missing.yaml: there is no such file"),
        (["run", "liner.yaml"], "did you mean linear.yaml?"),
        (["solve", "x + 1"], "there is no = in the formula"),
        (["schema", "extra"], "extra"),
    ],
}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [pair for pairs in WRONG.values() for pair in pairs],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong(arguments: list[str], message: str, gdtrain: Command) -> None:
    """Nothing on stdout; one line, and at most the text at fault and its caret."""
    outcome = gdtrain(*arguments)
    assert (outcome.code, outcome.out) == (2, ""), outcome
    assert message in outcome.err
    assert len(outcome.err.splitlines()) <= 3
    assert not set("╭│╰") & set(outcome.err)


LISTS = [
    ("--lr", "1e-3,1e-2"),
    ("--epochs", "10,20"),
    ("--seed", "1,2,3"),
    ("--optimizer", "sgd,adam"),
    ("--loss", "mse,mae"),
    ("--dtype", "float32,float64"),
    ("--set", "train.lr=1,2"),
    ("--set", "params.w.start=0,1"),
]


@pytest.mark.parametrize(("flag", "values"), LISTS)
@pytest.mark.parametrize("verb", [["run", "linear.yaml"], ["fit", "y = w*x", "points.csv"]], ids=["run", "fit"])
def test_a_comma_list_names_sweep(verb: list[str], flag: str, values: str, gdtrain: Command) -> None:
    outcome = gdtrain(*verb, flag, values)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"several values are a sweep; run gdtrain sweep {flag} {values}" in outcome.err


def options(verb: str, gdtrain: Command) -> set[str]:
    words = gdtrain(verb, "--help").out.replace("│", " ").replace(",", " ").split()
    return {word for word in words if word.startswith("--")}


@pytest.mark.parametrize(("verb", "argument"), [("run", "linear.yaml"), ("solve", "x = 1"), ("regress", "points.csv")])
def test_an_alias_leads_to_an_option_of_that_verb(verb: str, argument: str, gdtrain: Command) -> None:
    known = options(verb, gdtrain)
    for alias in ALIASES:
        error = gdtrain(verb, argument, f"--{alias}", "1").err
        assert f"there is no option --{alias}" in error
        suggested = error.partition("did you mean ")[2].split()
        assert suggested or (alias == "fit-intercept" and verb != "regress"), error
        assert not suggested or suggested[0].rstrip("?") in known, error


OTHER_TOOLS = {
    "--learning-rate": "--lr",
    "--learning_rate": "--lr",
    "--eta0": "--lr",
    "--max-iter": "--epochs",
    "--max_iter": "--epochs",
    "--passes": "--epochs",
    "--random-state": "--seed",
    "--optim": "--optimizer",
    "--momentum": "--set train.optimizer.momentum=...",
    "--json": "--format json",
    "--missing": "--set data.missing=...",
    "--na-values": "--set data.null_values=...",
    "--l1": "--set penalty.l1=...",
    "--lasso": "--set penalty.l1=...",
    "--batch-size": "--set train.batch_size=...",
}


@pytest.mark.parametrize("given", ["1", None])
@pytest.mark.parametrize(("theirs", "ours"), OTHER_TOOLS.items())
def test_options_of_other_tools(theirs: str, ours: str, given: str | None, gdtrain: Command) -> None:
    text = theirs if given is None else f"{theirs}={given}"
    outcome = gdtrain("run", "linear.yaml", text)
    assert outcome.code == 2
    assert outcome.err == f"gdtrain run: there is no option {theirs}; did you mean {ours}?\n"


# Expressions that look like options

MINUS: list[tuple[list[str], float]] = [
    (["solve", "-x = 3"], -3),
    (["solve", "-x + 1 = 3"], -2),
    (["solve", "--x = 3"], 3),  # minus, minus
    (["solve", "-2x = 3"], -1.5),
    (["solve", "-(x) = 3"], -3),
    (["solve", "-x=3"], -3),
    (["solve", "--", "-x = 3"], -3),
    (["solve", "--lr", "0.5", "--", "-x = 3"], -3),
    (["solve", "--seed", "1", "-x = 3", "--epochs", "50"], -3),
    (["minimize", "-x + x^2"], 0.5),
    (["minimize", "-2*x+x^2"], 1),
    (["minimize", "--", "-x+x^2"], 0.5),
    (["fit", "-y = x*w", "--data", "x=1,2", "--data", "y=2,4"], -2),
    (["fit", "-y = x*w", "--data", "x=-1,-2", "--data", "y=2,4"], 2),
]


@pytest.mark.parametrize(("arguments", "expected"), MINUS)
def test_a_leading_minus_is_an_expression(arguments: list[str], expected: float, gdtrain: Command) -> None:
    at = arguments.index("--") if "--" in arguments else len(arguments)
    name = "w" if arguments[0] == "fit" else "x"
    outcome = gdtrain(*arguments[:at], "--get", name, *arguments[at:])
    assert outcome.code == 0, outcome.err
    assert float(outcome.out) == pytest.approx(expected, abs=1e-6)


def test_a_title_shows_an_expression_as_it_was_written(gdtrain: Command) -> None:
    assert gdtrain("solve", "-x = 3", "--format", "plain").out.startswith("solve -x = 3\n")


# Help


def test_bare_help(gdtrain: Command) -> None:
    """Three examples, and every verb."""
    bare = gdtrain()
    assert bare.code == 0
    assert bare.out == gdtrain("--help").out
    examples = [line.strip() for line in bare.out.splitlines() if line.strip().startswith("gdtrain ")]
    assert len(examples) == 3
    assert all(f"│ {verb} " in bare.out for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb: str, gdtrain: Command) -> None:
    outcome = gdtrain(verb, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"gdtrain {verb}" in outcome.out


def test_version(gdtrain: Command) -> None:
    assert gdtrain("--version").out == "gdtrain 0.1.0\n"


def test_every_mistake_of_a_file_is_told_at_once(gdtrain: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        "fit: y = w*(x\ndata: {columns: {x: [1, 2], y: [2, true]}}\ntrain: {lr: fast, epoch: 3}\n"
    )
    outcome = gdtrain("run", "bad.yaml")
    assert outcome.code == 2
    places = [line.partition(": ")[0] for line in outcome.err.splitlines() if line.startswith("bad.yaml")]
    assert places == ["bad.yaml:1:12", "bad.yaml:2:36", "bad.yaml:3:13", "bad.yaml:3:19"]
    assert outcome.err.count("^") >= len(places)
