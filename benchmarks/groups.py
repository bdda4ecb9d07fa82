"""A fit for each of many groups beside one fit of the same rows, and beside least squares group by group."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measure import Row, Run, Side, interleaved
from benchmarks.process import run
from gdtrain.bygroup import fit_groups
from gdtrain.experiment.load import load
from gdtrain.tables import Tables
from gdtrain.train import train

ROUNDS = 5  # at most: a round reads the file five times
GROUPS, ROWS = 10_000, 20
BOUND = 20.0
FIT = "y = a*x + b"
CASE = f"{GROUPS:,} groups of {ROWS} rows, {FIT}"


def groups(repeats: int) -> Iterator[Row]:
    """Whole processes, then reading and training alone, then what numpy takes for the same numbers."""
    torch.set_num_threads(1)
    rounds = min(repeats, ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "groups.csv"
        frame = _written(path)
        one, many, documents = (_process(path, style) for style in ("", "csv", "json"))
        found = interleaved({"many": many, "documents": documents, "one": one}, rounds, warm_up=False)
        against = "one fit of the same rows"
        yield Row.compare(f"{CASE}, whole process, CSV", "", against, found["many"], found["one"], BOUND)
        yield Row.compare(f"{CASE}, whole process, JSON", "", against, found["documents"], found["one"], BOUND)
        found = interleaved({"many": _grouped(path), "one": _whole(path)}, rounds)
        yield Row.compare(f"{CASE}, read and fitted", "", against, found["many"], found["one"], BOUND)
        found = interleaved({"many": _grouped(path, frame), "hand": _by_hand(frame)}, rounds)
        yield Row.compare(
            "the same, but for reading", "", "numpy.linalg.lstsq, one by one", found["many"], found["hand"]
        )


def _written(path: Path) -> dict[str, np.ndarray]:
    """The table, its rows in no order, in a file and in memory."""
    draw = np.random.default_rng(0)
    city = draw.permutation(np.repeat(np.arange(GROUPS), ROWS))
    x = draw.uniform(0, 10, len(city)).round(6)
    slope, constant = draw.normal(2, 1, (2, GROUPS))
    y = (slope[city] * x + constant[city] + draw.normal(0, 0.3, len(city))).round(6)
    with path.open("w", encoding="ascii") as file:
        file.write("city,x,y\n")
        file.writelines(f"c{c:05d},{a},{b}\n" for c, a, b in zip(city.tolist(), x.tolist(), y.tolist(), strict=True))
    return {"city": city.astype(np.float64), "x": x, "y": y}


def _process(path: Path, style: str) -> Side:
    """`gdtrain fit`, from start to end; of groups it counts when it prints each in that style."""
    more = ["--group-by", "city", "--format", style] if style else []

    def side() -> Run:
        child = run(["-m", "gdtrain", "fit", FIT, str(path), "--quiet", *more])
        told = _COUNTS[style](child.output) if style and not child.trouble else GROUPS
        return Run(child.seconds, trouble=child.trouble or (f"{told:,} of {GROUPS:,}" if told != GROUPS else ""))

    return side


_COUNTS: Mapping[str, Callable[[str], int]] = {
    "csv": lambda text: len(list(csv.reader(io.StringIO(text)))) - 1,
    "json": lambda text: len(json.loads(text)["trials"]),
}


def _grouped(path: Path, frame: Mapping[str, np.ndarray] | None = None) -> Side:
    """All groups, standard errors among it; from a frame what reading takes is left out."""

    def side() -> Run:
        data: dict[str, Any] = {"group_by": "city"} | ({"path": str(path)} if frame is None else {})
        experiment = load({"fit": FIT, "data": data}, framed=frame is not None)
        result = fit_groups(experiment, Tables(frame))
        seconds = result.timing["train_s"] + (0.0 if frame is not None else result.timing["load_s"])
        began = time.perf_counter()
        for trial in result.trials:
            trial.estimates()
        seconds += time.perf_counter() - began
        weights = [value for trial in result.trials for value in trial.params.values()]
        return Run(seconds, tuple(weights) if frame is not None else ())

    return side


def _whole(path: Path) -> Side:
    def side() -> Run:
        result = train(load({"fit": FIT, "data": {"path": str(path)}}))
        return Run(result.timing["load_s"] + result.timing["train_s"])

    return side


def _by_hand(frame: Mapping[str, np.ndarray]) -> Side:
    """Sorted by group once, then a design and its least squares for each."""

    def side() -> Run:
        began = time.perf_counter()
        order = np.argsort(frame["city"], kind="stable")
        x, y = frame["x"][order].reshape(GROUPS, ROWS), frame["y"][order].reshape(GROUPS, ROWS)
        weights: list[float] = []
        for x_N, y_N in zip(x, y, strict=True):
            weights += np.linalg.lstsq(np.stack([x_N, np.ones(ROWS)], 1), y_N, rcond=None)[0].tolist()
        return Run(time.perf_counter() - began, tuple(weights))

    return side
