"""Vowpal Wabbit with its own update rule, from its own cache file. `ROWS PASSES`.

A part of the rows is learnt from; their time is scaled up. Prints the seconds of a first pass (which writes the cache
from text), of each pass after it, and the weights, the intercept last.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from vowpalwabbit import Workspace

from benchmarks.bigdata import FEATURES, in_memory

PART = 10  # one row of so many is learnt from
_CONSTANT = 11650396  # where the intercept's weight is kept


def main(rows: int, passes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "rows.vw"
        _write(text, rows // PART)

        def learn(count: int) -> tuple[float, list[float]]:
            cache = Path(folder) / f"{count}.cache"
            began = time.perf_counter()
            workspace = Workspace(f"-d {text} --cache_file {cache} --passes {count} --holdout_off --quiet")
            seconds = time.perf_counter() - began
            weights = [workspace.get_weight_from_name(f"x{i}") for i in range(FEATURES)]
            weights.append(workspace.get_weight(_CONSTANT))
            workspace.finish()
            return seconds * PART, weights

        first, _ = learn(1)
        total, weights = learn(1 + passes)
    print(json.dumps({"first": first, "pass": (total - first) / passes, "weights": weights}))


def _write(path: Path, rows: int) -> None:
    x_NF, y_N = in_memory(rows)
    with path.open("w") as file:
        for x_F, y in zip(x_NF.tolist(), y_N.tolist(), strict=True):
            file.write(f"{y!r} | " + " ".join(f"x{i}:{x!r}" for i, x in enumerate(x_F)) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
