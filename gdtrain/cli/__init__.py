"""The command line: the only place that prints, exits and reads argv."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run `gdtrain` with the arguments of this process and exit with DESIGN's codes.

    A short command spends its time on importing torch and on taking it down again. Imports make no garbage worth
    collecting meanwhile (a tenth of their time), and a process that ends has nothing to take down (a quarter second).
    """
    gc.disable()
    from gdtrain.cli.process import run

    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed: `run` has already said so
            continue
    os._exit(code)
