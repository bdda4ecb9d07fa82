"""Measure, print one table, exit 1 where a bound does not hold."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

from benchmarks.anchors import anchors
from benchmarks.bigcsv import csv
from benchmarks.classifiers import classifiers
from benchmarks.engines import engines, rows
from benchmarks.groups import groups
from benchmarks.layers import layers
from benchmarks.loop import loop
from benchmarks.measure import Row
from benchmarks.memory import memory
from benchmarks.minibatches import minibatches
from benchmarks.predicting import predicting
from benchmarks.startup import startup
from benchmarks.sweeps import sweeps
from benchmarks.table import show

# What can be measured: a function of the number of repeats that yields its rows.
BENCHMARKS: dict[str, Callable[[int], Iterator[Row]]] = {
    "startup": startup,
    "loop": loop,
    "engines": engines,
    "rows": rows,
    "csv": csv,
    "memory": memory,
    "anchors": anchors,
    "sweep": sweeps,
    "groups": groups,
    "batches": minibatches,
    "classifiers": classifiers,
    "layers": layers,
    "predict": predicting,
}
REPEATS = 15  # a loaded machine wants more


def main() -> int:
    """Carry out `python -m benchmarks`. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", choices=list(BENCHMARKS), help="measure these alone")
    parser.add_argument("--repeats", type=_repeats, default=REPEATS, metavar="N", help="rounds (%(default)s)")
    asked = parser.parse_args()
    found: list[Row] = []
    for name in [asked.only] if asked.only else BENCHMARKS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        found += BENCHMARKS[name](asked.repeats)
    show(found)
    return 1 if any(row.fails for row in found) else 0


def _repeats(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number above 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
