"""What a gate in CI reads: expectations of the file, JUnit XML, the summary of a GitHub workflow, exit codes."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import Command

pytestmark = pytest.mark.usefixtures("linear")


@pytest.fixture(autouse=True)
def no_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def expecting(*texts: str) -> str:
    """A file beside linear.yaml (w ends at 1.9225, loss 0.0451) that expects `texts`."""
    name = f"expecting{len(os.listdir())}.yaml"
    listed = "".join(f"  - '{text}'\n" for text in texts)
    Path(name).write_text(Path("linear.yaml").read_text() + (f"expect:\n{listed}" if texts else ""))
    return name


def suites(path: str = "junit.xml") -> list[ElementTree.Element]:
    return list(ElementTree.parse(path).getroot())


def counts(element: ElementTree.Element) -> tuple[int, ...]:
    return tuple(int(element.get(name, "")) for name in ("tests", "failures", "errors"))


CODES = [
    (["w = 2 +- 0.1", "verdict = max_epochs", "r2 > 0.9", "predictions.0.after > 9"], [], 0),
    (["w = 2 +- 0.1"], ["--expect", "loss < 1e-3"], 1),
    (["w = 2 +- 0.01"], ["--expect", "loss < 1"], 1),
    (["w = 2 +- 0.01"], ["--epochs", "100"], 0),
    (["w = 2 +- 0.01"], ["--set", "expect=w = 2 +- 0.1"], 0),
    (["w = 2 +- 0.01"], ["--lr", "1"], 4),
    (["u != 2"], [], 1),
    (["w ! 2"], [], 2),
]


@pytest.mark.parametrize(("texts", "flags", "code"), CODES)
def test_exit_codes(texts: list[str], flags: list[str], code: int, gdtrain: Command) -> None:
    assert gdtrain("run", expecting(*texts), *flags).code == code


def test_a_short_form_and_what_is_printed_of_it(gdtrain: Command) -> None:
    Path("one.yaml").write_text(Path("linear.yaml").read_text() + "expect: loss < 1e-3\n")
    assert gdtrain("run", "one.yaml", "--quiet", "--get", "epochs").err == "fail: loss < 1e-3 (loss = 0.0450690375)\n"
    printed = gdtrain("check", "one.yaml").out
    assert printed.splitlines()[-1] == "expect: loss < 1e-3"
    assert gdtrain("check", "-", stdin=printed).out == printed
    assert "expect" not in gdtrain("check", "linear.yaml").out


def test_the_document_tells_them_the_files_first(gdtrain: Command) -> None:
    outcome = gdtrain("run", expecting("w > 1"), "--expect", "loss < 1e-3", "--format", "json")
    told = [(each["expect"], each["met"]) for each in outcome.document["expectations"]]
    assert told == [("w > 1", True), ("loss < 1e-3", False)]
    assert "expectations" not in gdtrain("run", "linear.yaml", "--format", "json").document


def test_mistakes_are_told_at_their_places_before_anything_trains(gdtrain: Command) -> None:
    outcome = gdtrain("run", expecting("w = 2", "verdict = convergd", "w < x"), "--junit", "junit.xml")
    places = [line.partition(": ")[::2] for line in outcome.err.splitlines() if line[0] != " "]
    assert (outcome.code, outcome.out) == (2, "")
    assert [place.partition(":")[2] for place, _ in places] == ["8:5", "9:5"]
    assert places[0][1] == "there is no verdict convergd; did you mean converged?"
    assert not Path("junit.xml").exists()


def test_a_sweep_is_asked_for_its_best_trial_and_for_its_own_numbers(gdtrain: Command) -> None:
    own = ["count = 2", "trials.*.params.w > 1.9", "trials.1.set.train.lr = 0.02", "ties = 1"]
    outcome = gdtrain("sweep", expecting("w = 2 +- 0.01", *own), "--lr", "0.01,0.02", "--format", "json")
    assert outcome.code == 0, outcome.err
    assert all(each["met"] for each in outcome.document["expectations"])
    assert not any("expectations" in trial for trial in outcome.document["trials"])
    assert gdtrain("sweep", expecting("trials.*.params.w > 1.95"), "--lr", "0.01,0.02").code == 1
    refused = gdtrain("sweep", "linear.yaml", "--set", "expect=[w = 1],[w = 2]")
    assert refused.code == 2 and "it does not change the training" in refused.err


def test_what_is_expected_does_not_train_kept_trials_again(gdtrain: Command) -> None:
    words = ["--lr", "0.01,0.02", "--out", "kept", "--format", "json"]
    assert gdtrain("sweep", "linear.yaml", *words).code == 0
    again = gdtrain("sweep", expecting("w > 3"), *words)
    assert (again.code, again.err.splitlines()[0]) == (1, "note: 2 of 2 trials are kept from before")


def test_junit(gdtrain: Command) -> None:
    """A case for each expectation; markup and signs of XML come back as they were written."""
    Path("junit.xml").write_text("old")
    file = expecting("w = 2 +- 0.1", "loss < 1e-3")
    assert gdtrain("run", file, "--junit", "junit.xml", "--expect", "`<a&b>` > 1").code == 1
    (suite,) = suites()
    assert (suite.tag, suite.get("name"), counts(suite)) == ("testsuite", Path(file).stem, (3, 2, 0))
    assert [case.get("name") for case in suite] == ["w = 2 +- 0.1", "loss < 1e-3", "`<a&b>` > 1"]
    passed, failed, lost = suite
    assert len(passed) == 0
    assert failed[0].tag == "failure" and failed[0].get("message") == "loss = 0.0450690375"
    assert "there is no number called <a&b>" in str(lost[0].get("message"))
    assert not [name for name in os.listdir() if name.endswith(".tmp")]


def test_junit_of_several_experiments_of_which_some_end_badly(gdtrain: Command) -> None:
    """Each is a suite; what ended badly of itself, or was not trained at all, is a case too."""
    Path("lost.yaml").write_text("fit: y = w*x\ndata: {path: nofile.csv}\nexpect: w = 2\n")
    Path("rootless.yaml").write_text("solve: x^2 + 1 = 0\n")
    files = [expecting("w > 1"), "lost.yaml", "rootless.yaml", "linear.yaml"]
    assert gdtrain("run", *files, "--junit", "junit.xml").code == 3
    assert [counts(suite) for suite in suites()] == [(1, 0, 0), (1, 0, 1), (1, 1, 0), (0, 0, 0)]
    assert "nofile.csv" in str(suites()[1][0][0].get("message"))
    assert counts(ElementTree.parse("junit.xml").getroot()) == (3, 1, 1)
    assert gdtrain("run", "lost.yaml", "--junit", "junit.xml").code == 3
    assert counts(suites()[0]) == (1, 0, 1)


def test_junit_of_a_sweep_that_diverged(gdtrain: Command) -> None:
    assert gdtrain("sweep", expecting("w > 1"), "--lr", "1,2", "--junit", "junit.xml").code == 4
    (suite,) = suites()
    assert [case.get("name") for case in suite] == ["verdict", "w > 1"] and counts(suite) == (2, 2, 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_device_stays_one(gdtrain: Command) -> None:
    outcome = gdtrain("run", "linear.yaml", "--junit", "/dev/full", "--get", "epochs")
    assert (outcome.code, outcome.out) == (74, "20\n")
    assert outcome.err.startswith("--junit: cannot write /dev/full: No space left on device")
    assert Path("/dev/full").is_char_device()


def test_a_link_goes_on_being_one(gdtrain: Command) -> None:
    Path("linked.xml").symlink_to("junit.xml")
    assert gdtrain("run", "linear.yaml", "--junit", "linked.xml").code == 0
    assert Path("linked.xml").is_symlink() and len(suites()) == 1


def test_every_group_has_to_meet_them(gdtrain: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """w is 2 in a, 17/5 in b: sum xy / sum xx."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    Path("cities.csv").write_text("x,y,city\n1,2,a\n2,4,a\n1,3,b\n2,7,b\n")
    Path("cities.yaml").write_text(
        "fit: y = w*x\ndata: {path: cities.csv, group_by: city}\nexpect: [w > 1, w < 3, r2 > -99]\n"
    )
    outcome = gdtrain("run", "cities.yaml", "--junit", "junit.xml", "--format", "json")
    assert outcome.code == 1
    assert [(each["met"], each["found"]) for each in outcome.document["expectations"]] == [
        (True, None),
        (False, pytest.approx(3.4)),
        (True, None),
    ]
    assert "fail: w < 3 (not in 1 of 2 groups: city = b: w = 3.4)" in outcome.err
    assert counts(suites()[0]) == (3, 1, 0)
    assert "2 groups by city, 2 converged" in Path("summary.md").read_text()


NO_PLACE = [
    ("none/junit.xml", "there is no folder none"),
    (".", "is a folder"),
    ("file/junit.xml", "there is no folder"),
]


@pytest.mark.parametrize(("path", "message"), NO_PLACE)
def test_a_place_that_is_none_is_refused_before_training(path: str, message: str, gdtrain: Command) -> None:
    Path("file").write_text("")
    outcome = gdtrain("run", "linear.yaml", "--junit", path)
    assert (outcome.code, outcome.out) == (74, "") and message in outcome.err and outcome.err.startswith("--junit: ")


def test_a_file_that_cannot_be_written_in_the_end(gdtrain: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is printed, the old file stands, and the exit code says so."""
    Path("junit.xml").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        outcome = gdtrain("run", "linear.yaml", "--junit", "junit.xml", "--get", "epochs")
    assert (outcome.code, outcome.out) == (74, "20\n")
    assert outcome.err.startswith("--junit: cannot write junit.xml: No space left on device")
    assert Path("junit.xml").read_text() == "old"


def test_the_summary_of_a_workflow(gdtrain: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is appended to what the step wrote before, and nothing in it is taken for markup."""
    Path("summary.md").write_text("before")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    assert gdtrain("run", expecting("w = 2 +- 0.1", "loss < 1e-3"), "--set", "name=<b>|x").code == 1
    lines = Path("summary.md").read_text().splitlines()
    assert lines[0] == "before" and lines[1].startswith("### ")
    assert "### ❌ gdtrain: \\<b\\>\\|x" in lines
    assert "| pass | w = 2 +- 0.1 | w = 1.922480938 |" in lines
    assert "| fail | loss \\< 1e-3 | loss = 0.0450690375 |" in lines
    assert "| w | 1.92248 |" in lines
    assert gdtrain("run", expecting("w = 2 +- 0.1")).code == 0
    assert "✅" in Path("summary.md").read_text()


def test_a_summary_that_cannot_be_written_fails_no_gate(gdtrain: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "none/summary.md")
    outcome = gdtrain("run", "linear.yaml", "--get", "epochs")
    assert (outcome.code, outcome.out) == (0, "20\n")
    assert "warning: GITHUB_STEP_SUMMARY: cannot write none/summary.md: No such file or directory" in outcome.err
