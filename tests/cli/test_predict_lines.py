"""`predict` as the command line has it: its outputs, its errors and their exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from gdtrain import predict
from tests.cli.conftest import REPOSITORY, Command

# y = 2x through (1, 1), (2, 5), (3, 7), (4, 7): what it predicts at 5 and 10.
TRAINING = ["fit", "y = a*x", "--data", "x=1,2,3,4", "--data", "y=1,5,7,7", "--start", "a=0"]
ROWS = "id,x,y\n007,5,9\n008,10,22\n"


@pytest.fixture
def saved(gdtrain: Command, tmp_path: Path) -> Path:
    """A folder with a result and rows."""
    (tmp_path / "result.json").write_text(gdtrain(*TRAINING, "--format", "json").out)
    (tmp_path / "rows.csv").write_text(ROWS)
    return tmp_path


def lines(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.splitlines()]


def test_rows_to_stdout(gdtrain: Command, saved: Path) -> None:
    outcome = gdtrain("predict", "result.json", "rows.csv", "--keep", "id", "--with-residuals")
    assert (outcome.code, outcome.err) == (0, "")
    header, *rows = lines(outcome.out)
    assert header == ["id", "prediction", "residual"]
    assert [row[0] for row in rows] == ["007", "008"]
    assert [float(cell) for row in rows for cell in row[1:]] == pytest.approx([10, 1, 20, -2], rel=1e-9)


@pytest.mark.parametrize(
    ("ending", "read"), [("csv", pl.read_csv), ("ndjson", pl.read_ndjson), ("parquet", pl.read_parquet)]
)
def test_rows_to_a_file(ending: str, read: object, gdtrain: Command, saved: Path) -> None:
    assert callable(read)
    outcome = gdtrain("predict", "result.json", "rows.csv", "--keep", "id,x", "-o", f"out.{ending}")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    found = read(f"out.{ending}")
    assert found.columns == ["id", "x", "prediction"]
    assert found["prediction"].to_list() == pytest.approx([10, 20], rel=1e-9)
    assert found["x"].to_list() == [5, 10]
    if ending != "csv":
        assert found["id"].to_list() == ["007", "008"]  # a code, no number
    assert sorted(path.name for path in saved.iterdir()) == [f"out.{ending}", "result.json", "rows.csv"]


def test_every_format_to_stdout(saved: Path) -> None:
    for form, start in (("csv", b"prediction\n"), ("ndjson", b'{"prediction":'), ("parquet", b"PAR1")):
        done = subprocess.run(
            [sys.executable, "-m", "gdtrain", "predict", "result.json", "rows.csv", "--format", form],
            capture_output=True, check=True, cwd=saved, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )  # fmt: skip
        assert done.stdout.startswith(start)


def test_metrics_are_json(gdtrain: Command, saved: Path) -> None:
    """r = 1, -2: rmse sqrt(5/2), mae 3/2; about the mean 15.5 the targets are -6.5 and 6.5: r2 = 1 - 5/84.5."""
    alone = gdtrain("predict", "result.json", "rows.csv", "--metrics")
    assert alone.document["rows"] == 2
    assert alone.document["metrics"] == pytest.approx({"r2": 1 - 5 / 84.5, "rmse": 2.5**0.5, "mae": 1.5}, rel=1e-9)
    both = gdtrain("predict", "result.json", "rows.csv", "--metrics", "-o", "out.csv")
    assert both.out == alone.out and Path("out.csv").read_text().startswith("prediction\n")


def test_a_folder_serves_and_so_does_stdin(gdtrain: Command, saved: Path) -> None:
    (saved / "run").mkdir()
    (saved / "result.json").rename(saved / "run" / "result.json")
    wanted = gdtrain("predict", "run", "rows.csv").out
    assert wanted.startswith("prediction\n")
    assert gdtrain("predict", "run", "-", stdin=ROWS).out == wanted
    assert gdtrain("predict", "-", "rows.csv", stdin=(saved / "run" / "result.json").read_text()).out == wanted


def test_an_interval_of_a_run(gdtrain: Command, saved: Path) -> None:
    """s^2 = 4/3 and x^2/sum(x^2) = 25/30: the mean's error is sqrt(10/9); q(3 degrees, 0.975) = 3.182446."""
    outcome = gdtrain(*TRAINING, "--predict", "x=5", "--interval", "0.95", "--format", "plain")
    assert "x  before    after  mean from  mean to  row from   row to" in outcome.out
    assert "10.0000    6.64541  13.3546" in outcome.out
    (header, row) = lines(gdtrain("predict", "result.json", "rows.csv", "--interval", "0.95").out)[:2]
    assert header == ["prediction", "ci_lower", "ci_upper", "pi_lower", "pi_upper"]
    assert float(row[1]) == pytest.approx(10 - 3.182446305 * (10 / 9) ** 0.5, rel=1e-8)
    assert float(row[4]) == pytest.approx(10 + 3.182446305 * (22 / 9) ** 0.5, rel=1e-8)


def test_the_file_that_says_the_same(gdtrain: Command, saved: Path) -> None:
    words = [*TRAINING, "--predict", "x=5", "--interval", "0.9"]
    (saved / "same.yaml").write_text(gdtrain(*words, "--print-config").out)
    wanted = gdtrain(*words, "--format", "json").document["predictions"]
    assert gdtrain("run", "same.yaml", "--format", "json").document["predictions"] == wanted
    assert set(wanted[0]) == {"inputs", "before", "after", "interval", "prediction_interval"}


def test_an_interval_needs_something_to_predict(gdtrain: Command) -> None:
    outcome = gdtrain(*TRAINING, "--interval", "0.95")
    assert outcome.code == 2 and outcome.err.startswith("--interval: predict says nothing")


def test_warnings_can_be_left_out(gdtrain: Command, saved: Path) -> None:
    logistic = ["--loss", "logistic", "--data", "x=1,2,3,4", "--data", "y=0,1,0,1", "--quiet", "--format", "json"]
    (saved / "labels.json").write_text(gdtrain("fit", "y = a*x + b", *logistic).out)
    words = ["predict", "labels.json", "rows.csv", "--interval", "0.9"]
    assert "warning: logistic tells no scatter of rows" in gdtrain(*words).err
    outcome = gdtrain(*words, "--quiet")
    assert outcome.err == ""
    assert lines(outcome.out)[0] == ["probability", "label", "ci_lower", "ci_upper"]


def test_what_diverged_is_told(gdtrain: Command, saved: Path) -> None:
    """By both verbs that go by it, and from Python."""
    (saved / "lost.json").write_text(gdtrain(*TRAINING, "--lr", "100", "--quiet", "--format", "json").out)
    told = "lost.json is of a run that ended diverged: "
    for words in (["predict", "lost.json", "rows.csv"], ["export", "lost.json", "--to", "sql"]):
        outcome = gdtrain(*words)
        assert outcome.code == 0 and outcome.err.startswith(f"warning: {told}")
    assert gdtrain("predict", "lost.json", "rows.csv", "--quiet").err == ""
    with pytest.warns(UserWarning, match=told):
        predict("lost.json", "rows.csv")


WRONG = {
    "no document": (["nope.json", "rows.csv"], 2, "cannot read nope.json: No such file or directory"),
    "a folder without one": (
        ["empty", "rows.csv"],
        2,
        "there is no result.json in empty; save one with gdtrain run FILE --format json > result.json",
    ),
    "no JSON": (["rows.csv", "rows.csv"], 2, "rows.csv is no result document; save one with gdtrain run"),
    "no rows": (["result.json", "nope.csv"], 3, "nope.csv: there is no such file"),
    "stdin twice": (["-", "-"], 2, "-: stdin can be read once"),
    "no share": (["result.json", "rows.csv", "--interval", "95"], 2, "--interval: 95 is no share between 0 and 1"),
    "no format": (
        ["result.json", "rows.csv", "--format", "jsn"],
        2,
        "--format: there is no format jsn; did you mean ndjson?",
    ),
    "no ending": (["result.json", "rows.csv", "-o", "out.xlsx"], 2, "--output: .xlsx tells no format"),
    "no column": (["result.json", "rows.csv", "--keep", "city"], 3, "rows.csv: there is no column city"),
    "no place": (
        ["result.json", "rows.csv", "-o", "no/out.csv"],
        74,
        "--output: cannot write no/out.csv: No such file or directory; name another folder",
    ),
    "its own name": (["result.json", "clash.csv", "--keep", "prediction"], 2, "--keep: prediction is what"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong(name: str, gdtrain: Command, saved: Path) -> None:
    (saved / "clash.csv").write_text("x,prediction\n1,2\n")
    (saved / "empty").mkdir()
    before = sorted(path.name for path in saved.iterdir())
    words, code, message = WRONG[name]
    outcome = gdtrain("predict", *words)
    assert outcome.code == code
    assert outcome.err.startswith(message)
    assert outcome.out == ""
    assert sorted(path.name for path in saved.iterdir()) == before


def test_a_bad_row_leaves_the_old_file(gdtrain: Command, saved: Path) -> None:
    (saved / "out.csv").write_text("old\n")
    (saved / "rows.csv").write_text("x\n1\nx\n")
    outcome = gdtrain("predict", "result.json", "rows.csv", "-o", "out.csv")
    assert outcome.code == 3 and outcome.err.startswith("rows.csv, line 3, column x: 'x' is not a number")
    assert (saved / "out.csv").read_text() == "old\n"
    assert sorted(path.name for path in saved.iterdir()) == ["out.csv", "result.json", "rows.csv"]


def test_a_link_stays_one(gdtrain: Command, saved: Path) -> None:
    (saved / "kept.csv").write_text("old\n")
    (saved / "link.csv").symlink_to("kept.csv")
    assert gdtrain("predict", "result.json", "rows.csv", "-o", "link.csv").code == 0
    assert (saved / "link.csv").is_symlink()
    assert (saved / "kept.csv").read_text().startswith("prediction\n")


def test_an_open_file_is_added_to(gdtrain: Command, saved: Path) -> None:
    """As /dev/stdout is where a shell has opened a file for it."""
    with (saved / "log.csv").open("w") as file:
        file.write("before\n")
        file.flush()
        assert gdtrain("predict", "result.json", "rows.csv", "-o", f"/dev/fd/{file.fileno()}").code == 0
    assert (saved / "log.csv").read_text().startswith("before\nprediction\n")


@pytest.mark.parametrize("schema", ["gdtrain.result/2", "gdtrain.sweep/12", "gdtrain.groups/2"])
def test_documents_of_another_version(schema: str, gdtrain: Command, saved: Path) -> None:
    document = {**json.loads((saved / "result.json").read_text()), "schema": schema}
    (saved / "later.json").write_text(json.dumps(document))
    for words in (["predict", "later.json", "rows.csv"], ["diff", "later.json", "result.json"]):
        outcome = gdtrain(*words)
        assert outcome.code == 2
        name = schema.partition("/")[0]
        assert outcome.err.startswith(f"later.json is of another version of gdtrain, {schema}: this one reads {name}/1")


@pytest.mark.parametrize("number", ["9" * 400, "1e999", "NaN"])
def test_a_number_that_is_none(number: str, gdtrain: Command, saved: Path) -> None:
    document = json.loads((saved / "result.json").read_text())
    (name,) = document["params"]
    document["params"][name]["value"] = "HERE"
    (saved / "edited.json").write_text(json.dumps(document).replace('"HERE"', number))
    for words in (["predict", "edited.json", "rows.csv"], ["export", "edited.json", "--to", "sql"]):
        outcome = gdtrain(*words)
        assert outcome.code == 2 and "its predictor is wrong: start must be a finite number" in outcome.err
    assert gdtrain("diff", "edited.json", "result.json").code == 1


def test_documents_of_many_results_are_refused(gdtrain: Command, saved: Path) -> None:
    config = REPOSITORY / "configs" / "linear.yaml"
    (saved / "sweep.json").write_text(gdtrain("sweep", config, "--lr", "1e-2,1e-3", "--format", "json").out)
    outcome = gdtrain("predict", "sweep.json", "rows.csv")
    assert outcome.code == 2 and outcome.err.startswith("sweep.json: holds 2 results; train one alone")
    (saved / "two.json").write_text(gdtrain("run", config, config, "--format", "json", "--quiet").out)
    assert "two.json holds several documents" in gdtrain("predict", "two.json", "rows.csv").err
    trial = json.loads((saved / "sweep.json").read_text())["trials"][0]
    (saved / "trial.json").write_text(json.dumps(trial))
    assert gdtrain("predict", "trial.json", "rows.csv").code == 0
    (saved / "roots.json").write_text(gdtrain("solve", "x = 1", "--format", "json", "--quiet").out)
    assert "roots.json: solve predicts nothing" in gdtrain("predict", "roots.json", "rows.csv").err


def heeding() -> None:
    """A process heeds Ctrl-C, also where the tests run in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_is_ended_leaves_nothing_behind(number: int, code: int, saved: Path) -> None:
    """The old file stands, and what was written so far is gone."""
    (saved / "out.parquet").write_text("old")
    (saved / "rows.csv").write_bytes(b"x\n" + b"1\n" * 5_000_000)
    (saved / "scratch").mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "gdtrain", "predict", "result.json", "rows.csv", "-o", "out.parquet"],
        cwd=saved,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(saved / "scratch")},
        stderr=subprocess.DEVNULL,
        preexec_fn=heeding,
    ) as process:
        began = time.monotonic()
        while not list(saved.glob(".gdtrain-*.tmp")) and time.monotonic() - began < 60:
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(60) == code
    assert sorted(path.name for path in saved.iterdir()) == ["out.parquet", "result.json", "rows.csv", "scratch"]
    assert (saved / "out.parquet").read_text() == "old" and not list((saved / "scratch").iterdir())


@pytest.mark.parametrize("words", [["predict", "result.json", "-"], ["fit", "x = a", "-"]])
def test_waiting_for_rows_can_be_interrupted(words: list[str], saved: Path) -> None:
    """What comes on stdin is more than a pipe holds, so that it is being read; then no more comes."""
    with subprocess.Popen(
        [sys.executable, "-m", "gdtrain", *words],
        cwd=saved,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=heeding,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"x\n" + b"1\n" * 500_000)
        process.stdin.flush()
        time.sleep(1)  # it waits for more by now
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(20) == 130
        finally:
            process.kill()


def test_pipes_and_full_disks(saved: Path) -> None:
    (saved / "long.csv").write_text("x\n" + "1.5\n" * 300_000)
    predict = f"{sys.executable} -m gdtrain predict result.json long.csv"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    for line, code, out, err in (
        (f"{predict} --keep x | head -1", 0, "x,prediction\n", ""),
        (f"{predict} > /dev/full", 74, "", "stdout: the result could not be written: No space left on device\n"),
        (
            f"{predict} -o /dev/full",
            74,
            "",
            "--output: cannot write /dev/full: No space left on device; make room, then run it again\n",
        ),
        (f"{predict} -o /dev/null", 0, "", ""),
    ):
        script = ["bash", "-c", f"set -o pipefail; {line}"]
        done = subprocess.run(script, capture_output=True, text=True, cwd=saved, env=environment, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (code, out, err), line


def test_a_folder_whose_run_has_not_ended_names_what_goes_on(gdtrain: Command, saved: Path) -> None:
    (saved / "begun").mkdir()
    (saved / "begun" / "run.json").write_text("{}")
    outcome = gdtrain("predict", str(saved / "begun"), str(saved / "rows.csv"))
    assert outcome.code == 2
    assert f"the run in {saved / 'begun'} has not come to its end; gdtrain resume {saved / 'begun'}" in outcome.err
