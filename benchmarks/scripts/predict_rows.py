"""A CSV to a CSV. `gdtrain TABLE OUTPUT RESULT OPTION...` predicts its rows, `polars TABLE OUTPUT` copies them.

Prints the seconds that it took, imports aside.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    side, table, output, *more = arguments
    import polars as pl

    import gdtrain.prediction  # noqa: F401 - torch, and all that it needs
    from gdtrain.cli.process import run

    began = time.perf_counter()
    code = 0
    if side == "polars":
        pl.read_csv(table).write_csv(output)
    else:
        result, *options = more
        code = run(["predict", result, table, "--output", output, *options])
    print(json.dumps({"seconds": time.perf_counter() - began}))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
