"""The command line: the only place that prints, exits and reads argv."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `gdtrain` with the arguments of this process and exit with DESIGN's codes."""
    from gdtrain.cli.process import run

    sys.exit(run(sys.argv[1:]))
