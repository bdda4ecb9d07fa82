"""Small trainings beside tools made for them: JAX compiles the whole loop, lmfit goes to the optimum by Newton's way.

Nothing is bounded here: the rows say who is ahead, and by how much.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.cases import CASES, Case, descent, whole_run
from benchmarks.engines import DECAY_EPOCHS
from benchmarks.measure import TOLERANCE, Row, Run, Side, interleaved
from benchmarks.peers import absent, peer
from benchmarks.process import Child, run

DECAY = "a*exp(-b*x) + c, 1,000 rows"
# Each case, what JAX's script calls it, its epochs, and the engines that have a way with it.
ANCHORS = {
    "x + 1 = 3": ("equation", 10_000, {"exact": "auto", "loop": "loop"}),
    "regression, 5 rows": ("regression", 10_000, {"exact": "auto", "loop": "loop"}),
    DECAY: ("exponential", DECAY_EPOCHS, {"loop": "loop"}),
}
ROUNDS = 3
LMFIT_TOLERANCE = 1e-6  # it stops near the optimum, not on our path; both are that near to it


def anchors(repeats: int) -> Iterator[Row]:
    """JAX with all compiled; JAX as a process, which must import and compile; lmfit."""
    torch.set_num_threads(1)
    repeats = min(repeats, ROUNDS)
    for name, (script, epochs, engines) in ANCHORS.items():
        label = f"{name}, {epochs:,} epochs"
        plan = CASES[name].plan(epochs, "loop")
        jax = ["jax_descent", script, *map(str, (epochs, plan.lr, *plan.theta_SP[0].tolist()))]
        alone = {engine: descent(CASES[name].plan(epochs, choice)) for engine, choice in engines.items()}
        yield from _beside("jax", label, alone, "JAX, jit and scan, compiled", _peer(jax, _inside), repeats)
        processes = {engine: _process(CASES[name], epochs, choice) for engine, choice in engines.items()}
        label = f"{label}, process"
        yield from _beside("jax", label, processes, "JAX, imported and compiled", _peer(jax, _around), repeats)
    ours = {"loop": whole_run(CASES[DECAY], DECAY_EPOCHS)}
    fit = _peer(["lmfit_decay", "1000"], _inside)
    yield from _beside(
        "lmfit", f"{DECAY}, {DECAY_EPOCHS:,} epochs, whole run", ours, "lmfit", fit, repeats, LMFIT_TOLERANCE
    )


def _beside(
    package: str,
    label: str,
    ours: dict[str, Side],
    against: str,
    theirs: Side,
    repeats: int,
    tolerance: float = TOLERANCE,
) -> Iterator[Row]:
    if lack := absent(package):
        yield from (Row(label, engine, against, absent=lack) for engine in ours)
        return
    rounds = interleaved({**ours, against: theirs}, repeats)
    for engine in ours:
        yield Row.compare(label, engine, against, rounds[engine], rounds[against], tolerance=tolerance)


def _inside(child: Child) -> float:
    """The seconds of the training alone, as the process took them itself."""
    return float(child.says().get("seconds", 0.0))


def _around(child: Child) -> float:
    """The seconds from start to exit, without those of a training that was timed besides."""
    return child.seconds - _inside(child)


def _peer(arguments: Sequence[str], cost: Callable[[Child], float]) -> Side:
    def side() -> Run:
        child = peer(*arguments)
        return Run(cost(child), tuple(child.says().get("weights", ())), child.trouble)

    return side


def _process(case: Case, epochs: int, engine: str) -> Side:
    """`gdtrain run` from start to exit."""

    def side() -> Run:
        with tempfile.TemporaryDirectory() as folder:
            flags = ["--epochs", str(epochs), "--engine", engine, "--format", "json", "--quiet"]
            child = run(["-m", "gdtrain", "run", str(_file(case, Path(folder))), *flags])
        parameters = child.says().get("params", {})
        return Run(child.seconds, tuple(parameter["value"] for parameter in parameters.values()), child.trouble)

    return side


def _file(case: Case, folder: Path) -> Path:
    """The experiment as a file, its rows, where they are in memory, as CSV beside it."""
    if isinstance(case.experiment, Path):
        return case.experiment
    frame = case.frame or {}
    rows = np.column_stack(list(frame.values()))
    np.savetxt(folder / "rows.csv", rows, fmt="%.17g", delimiter=",", header=",".join(frame), comments="")
    path = folder / "experiment.yaml"
    path.write_text(json.dumps({**case.experiment, "data": {"path": "rows.csv"}}))
    return path
