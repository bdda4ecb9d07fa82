"""How much memory a process takes for something, beyond what it holds already."""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")

UNIT = 1 if sys.platform == "darwin" else 1024
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def growth(made: Callable[[], Made]) -> tuple[int, Made]:
    """By how many bytes the peak of the process lies above what it held before; and what was made.

    On Linux by the kernel's own marks, of which the peak is put back first: what `getrusage` tells begins with the peak
    of the process that started this one, and holds what came and went before. Elsewhere there is nothing better.
    """
    gc.collect()
    if not _CLEAR.exists():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = made()
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * UNIT, found
    _CLEAR.write_text("5", encoding="ascii")
    before = _mark("VmRSS")
    found = made()
    return _mark("VmHWM") - before, found


def _mark(name: str) -> int:
    (line,) = [line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024
