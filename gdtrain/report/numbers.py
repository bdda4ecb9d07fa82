"""Numbers as text: six significant digits."""

from __future__ import annotations

import math


def number(value: float | None) -> str:
    """Six significant digits, padded so that a column lines up; nothing for None."""
    if value is None:
        return ""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:#.6g}"


def short(value: float) -> str:
    """Six significant digits, as short as they can be."""
    return f"{value:.6g}"
