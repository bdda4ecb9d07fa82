"""Results of small trainings as they are when they have been saved and read again, and tables to predict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import gdtrain
from gdtrain.prediction import Asked, Predictor

_DRAWN = np.random.default_rng(7)
_X, _Z = _DRAWN.uniform(0.5, 3.0, 60), _DRAWN.uniform(0.5, 2.0, 60)
_NOISE = _DRAWN.normal(0.0, 0.3, 60)
_CITY = [["Bonn", "Köln", "a b"][i % 3] for i in range(60)]
# Every kind of column: numbers, text, labels, classes, counts, weights, errors, truth values.
TABLE = pl.DataFrame(
    {
        "x": _X,
        "z": _Z,
        "city": _CITY,
        "open": [i % 4 == 0 for i in range(60)],
        "y": 1.0 + 2.0 * _X - _Z + _NOISE,
        "y2": 3.0 - _X + 0.5 * _Z + _NOISE[::-1],
        "bit": (_X - _Z + 3 * _NOISE > 0.6).astype(int),
        "word": ["yes" if one > 0.6 else "no" for one in _X - _Z + 3 * _NOISE],
        "kind": [["red", "green", "blue"][int(one)] for one in np.clip(_X + 3 * _NOISE, 0, 2.9)],
        "class": [float([2, 4, 7][int(one)]) for one in np.clip(_X + 3 * _NOISE, 0, 2.9)],
        "count": np.round(np.exp(0.3 * _X + _NOISE)),
        "gain": np.exp(0.3 * _X + _NOISE),
        "w": _DRAWN.uniform(0.5, 2.0, 60),
        "err": _DRAWN.uniform(0.1, 0.4, 60),
    }
)


def trained(folder: Path, experiment: Mapping[str, Any], table: pl.DataFrame = TABLE) -> dict[str, Any]:
    """The result document of an experiment on a table, by way of its text; every row is predicted by the run too."""
    path = folder / "table.csv"
    table.write_csv(path)
    data = {"path": str(path), **experiment.get("data", {})}
    result = gdtrain.run({"predict": "data", **experiment, "data": data})
    document: dict[str, Any] = json.loads(json.dumps(result.to_dict()))
    return document


def predicted(document: Mapping[str, Any], path: Path, **asked: Any) -> pl.DataFrame:
    """The predictions of the rows in a file."""
    predictor = Predictor(document, "result.json", Asked(**asked))
    return pl.concat(predictor.frames(predictor.open(str(path))))
