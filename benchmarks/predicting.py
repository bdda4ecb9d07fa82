"""Rows of a CSV predicted to a CSV, by a regression that was saved: beside polars reading and writing the same file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks import bigdata
from benchmarks.measure import Row, Run, Side, interleaved
from benchmarks.memory import LIMIT, held
from benchmarks.process import run

ROWS, MORE = 1_000_000, 10_000_000
ROUNDS = 5
AGAINST = "polars.read_csv and write_csv, imports aside"
# What is asked for -> how much longer than that it may take; None for a line that is only for comparison.
CASES: dict[str, tuple[list[str], float | None]] = {
    "predictions alone": ([], 1.5),
    "all columns kept": (["--keep", "*"], 1.5),
    "half of the columns kept": (["--keep", ",".join(f"x{i}" for i in range(bigdata.FEATURES // 2))], 1.5),
    "all columns but one kept": (["--keep", ",".join(f"x{i}" for i in range(bigdata.FEATURES))], None),
    "one column kept, intervals": (["--keep", "x0", "--interval", "0.95"], None),
}


def predicting(repeats: int) -> Iterator[Row]:
    """Seconds from CSV to CSV; the most memory that ten times the rows take."""
    case = f"predict, CSV {ROWS:,} x {bigdata.FEATURES}"
    if lack := bigdata.lacks_room(ROWS):
        yield Row(case, "", AGAINST, absent=lack)
        return
    table = bigdata.csv(ROWS)
    result, output = table.with_suffix(".json"), table.with_suffix(".out.csv")
    trained = run(["-m", "gdtrain", "regress", str(table), "--target", "y", "--format", "json", "--quiet"])
    if trained.trouble:
        yield Row(case, "", AGAINST, trouble=trained.trouble)
        return
    result.write_text(trained.output, encoding="utf-8")
    try:
        sides = {name: _seconds("gdtrain", table, output, str(result), *words) for name, (words, _) in CASES.items()}
        rounds = interleaved({**sides, AGAINST: _seconds("polars", table, output)}, min(repeats, ROUNDS))
        for name, (_, bound) in CASES.items():
            yield Row.compare(f"{case}, {name}", "", AGAINST, rounds[name], rounds[AGAINST], bound)
        yield _memory(result, output)
    finally:
        for file in (result, output):
            file.unlink(missing_ok=True)


def _seconds(side: str, table: Path, output: Path, *more: str) -> Side:
    def measured() -> Run:
        output.unlink(missing_ok=True)  # to free what a file holds takes its time too
        child = run(["-m", "benchmarks.scripts.predict_rows", side, str(table), str(output), *more])
        return Run(child.says().get("seconds", 1.0), trouble=child.trouble)

    return measured


def _memory(result: Path, output: Path) -> Row:
    case = f"peak memory, predict, CSV {MORE:,} x {bigdata.FEATURES}, all columns kept"
    if lack := bigdata.lacks_room(MORE):
        return Row(case, "", "a limit", absent=lack)
    many = bigdata.csv(MORE)
    try:
        words = ["-m", "gdtrain", "predict", str(result), str(many), "--keep", "*", "-o", "/dev/null"]
        rounds = interleaved({"gdtrain": held(words)}, 1, warm_up=False)["gdtrain"]
    finally:
        many.unlink()  # gigabytes
    return Row.compare(case, "", "a limit", rounds, [Run(LIMIT)], 1.0, unit="B")
