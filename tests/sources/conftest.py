"""Both ways to read text, so that each test of it holds them to the same answer."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["careful", "polars"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Small text goes to the careful reader; this sends all of it to one of the two."""
    limit = 1 << 60 if request.param == "careful" else -1
    monkeypatch.setattr("gdtrain.sources.origin._SMALL", limit)
    monkeypatch.setattr("gdtrain.sources.origin._SMALL_GZIP", limit)
    return str(request.param)
