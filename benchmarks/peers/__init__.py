"""Tools that gdtrain does not depend on, in an environment of their own: `make bench` makes it.

Each module but this one is a script for that environment; it prints one line of JSON.
"""

from __future__ import annotations

from functools import cache

from benchmarks.process import PEERS, Child, run


def peer(name: str, *arguments: str) -> Child:
    """Run a script of this package."""
    return run(["-m", f"benchmarks.peers.{name}", *arguments], python=PEERS)


@cache
def absent(package: str) -> str:
    """Why a package cannot be run; "" where it can, and for no package."""
    if not package:
        return ""
    if not PEERS.exists():
        return "there is no .venv-peers"
    return f"{package} is not installed" if run(["-c", f"import {package}"], python=PEERS).trouble else ""
