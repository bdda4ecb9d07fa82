"""How much memory a process of Python holds at most. `ARGUMENT...`, those of the process.

Prints the bytes, and how many lines the process printed. What the system notes as a process's peak begins with that of
the process which started it: hence this small one between.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.scripts.growth import UNIT


def main(arguments: Sequence[str]) -> int:
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE)
    assert child.stdout is not None
    lines = sum(1 for _ in child.stdout)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    print(json.dumps({"bytes": usage.ru_maxrss * UNIT, "lines": lines}))
    return child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
