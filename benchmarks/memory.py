"""The most memory that a process holds: rows by the million through the exact engine, and walked in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import bigdata
from benchmarks.bigcsv import LR, ROWS
from benchmarks.engines import LARGE
from benchmarks.measure import Row, Run, Side, interleaved
from benchmarks.process import run

MORE = 8_000_000
LIMIT = 1 << 30  # bytes
WALKED = 20  # epochs: memory is the same after two
ROUNDS = 2
MORE_ROUNDS = 9  # of what takes seconds: how a heap falls apart differs from one process to the next


def memory(repeats: int) -> Iterator[Row]:
    """Peaks of whole processes; what a walk takes beyond its data."""
    yield _extra(max(repeats, MORE_ROUNDS))
    repeats = min(repeats, ROUNDS)
    if lack := bigdata.lacks_room(MORE):
        yield Row(f"peak memory, CSV {MORE:,} x {bigdata.FEATURES}", "exact", f"{ROWS:,} rows", absent=lack)
        return
    few, many = bigdata.csv(ROWS), bigdata.csv(MORE)
    try:
        rounds = interleaved({"few": _peak(few), "many": _peak(many)}, repeats, warm_up=False)
    finally:
        many.unlink()  # gigabytes
    case = f"peak memory, CSV {MORE:,} x {bigdata.FEATURES}"
    yield Row.compare(case, "exact", f"{ROWS:,} rows", rounds["many"], rounds["few"], 1.1, unit="B")
    limit = [Run(LIMIT)] * len(rounds["many"])
    yield Row.compare(case, "exact", "a limit", rounds["many"], limit, 1.0, unit="B")


def _extra(repeats: int) -> Row:
    sides = {side: _beyond_data(side) for side in ("gdtrain", "torch")}
    rounds = interleaved(sides, repeats, warm_up=False)
    case = f"memory beyond the data, a*exp(-b*x) + c, {LARGE:,} rows"
    return Row.compare(case, "loop", "torch by hand", rounds["gdtrain"], rounds["torch"], 1 / 10, unit="B")


def _beyond_data(name: str) -> Side:
    def side() -> Run:
        child = run(["-m", "benchmarks.scripts.decay_memory", name, str(LARGE), str(WALKED)])
        said = child.says()
        return Run(said.get("bytes", 1), tuple(said.get("weights", ())), child.trouble)

    return side


def _peak(path: Path) -> Side:
    return held(["-m", "gdtrain", "regress", str(path), "--target", "y", "--lr", str(LR), "--quiet"])


def held(arguments: Sequence[str], *, lines: int | None = None, more: int = 0) -> Side:
    """The most bytes that a process of Python holds, and `more`; `lines` is how many it has to print."""

    def side() -> Run:
        child = run(["-m", "benchmarks.scripts.peak", *arguments])
        said = child.says()
        wrong = lines is not None and said.get("lines") != lines
        return Run(said.get("bytes", 0) + more or 1, trouble=child.trouble or "other lines were due" * wrong)

    return side
