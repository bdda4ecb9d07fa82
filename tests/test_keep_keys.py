"""Keys of trials: the same for the same numbers, whatever the route; another for whatever moves a number."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from gdtrain.errors import DATA, USAGE, UserError
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import Override
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.sweep import load_sweep
from gdtrain.experiment.trials import Trials
from gdtrain.keep import Fingerprints, TrialKeys, keys, renewed
from tests.keeping import COLUMNS, RATES, experiment, fingerprint, keys_of, trial_key

TABLE = "x,y\n1,2\n2,4\n3,6.5\n"
SECTIONS = {"fit": "y = w*x", "data": {"path": "points.csv"}, "params": {"w": 0.0}, "train": {"lr": 0.1}}


def written(folder: Path, table: str = TABLE, path: str = "points.csv", text: str = "") -> str:
    """The key of an experiment in a file of `folder`, beside its table."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(table)
    (folder / "e.yaml").write_text(
        text or f"fit: y = w*x\ndata: {{path: {path}}}\nparams: {{w: 0.0}}\ntrain: {{lr: 0.1}}"
    )
    found = load(folder / "e.yaml")
    return trial_key(found, fingerprint(found))


SAME: Mapping[str, Mapping[str, Any]] = {
    "as it was": {},
    "another folder": {"path": "tables/points.csv"},
    "another name with the same ending": {"path": "rows.csv"},
    "a name": {
        "text": "name: mine\nfit: y = w*x\ndata: {path: points.csv}\nparams: {w: {start: 0}}\ntrain: {lr: 1e-1}"
    },
    "another order of sections": {
        "text": "train: {lr: 0.1}\nparams: {w: 0}\ndata: {path: points.csv}\nfit: y = w*x\n# a comment"
    },
    "what would have been chosen, in writing": {
        "text": "fit: y = w*x\ndata: {path: points.csv}\nparams: {w: 0}\nloss: mse\n"
        "train: {optimizer: sgd, lr: 0.1, epochs: 1000, seed: 0, engine: auto}"
    },
}

OTHER: Mapping[str, Mapping[str, Any]] = {
    "a byte of the data": {"table": TABLE.replace("6.5", "6.6")},
    "a byte of the data that is no number": {"table": TABLE + "\n"},
    "another ending": {"path": "points.tsv"},
    "lr": {"text": "fit: y = w*x\ndata: {path: points.csv}\nparams: {w: 0.0}\ntrain: {lr: 0.1000000000000001}"},
    "a start": {"text": "fit: y = w*x\ndata: {path: points.csv}\nparams: {w: 1.0}\ntrain: {lr: 0.1}"},
    "a bound": {"text": "fit: y = w*x\ndata: {path: points.csv}\nparams: {w: {start: 0, min: 0}}\ntrain: {lr: 0.1}"},
    "the formula": {"text": "fit: y = x*w\ndata: {path: points.csv}\nparams: {w: 0.0}\ntrain: {lr: 0.1}"},
    "the loss": {"text": "fit: y = w*x\ndata: {path: points.csv}\nparams: {w: 0.0}\nloss: sse\ntrain: {lr: 0.1}"},
    "when it stops": {
        "text": "fit: y = w*x\ndata: {path: points.csv}\nparams: {w: 0.0}\ntrain: {lr: 0.1}\nstop: {patience: 3}"
    },
    "the delimiter": {
        "text": "fit: y = w*x\ndata: {path: points.csv, delimiter: ','}\nparams: {w: 0.0}\ntrain: {lr: 0.1}"
    },
    "points to predict": {
        "text": "fit: y = w*x\ndata: {path: points.csv}\nparams: {w: 0}\ntrain: {lr: 0.1}\npredict: [{x: 5}]"
    },
}


@pytest.mark.parametrize("route", SAME.values(), ids=SAME)
def test_what_moves_no_number_keeps_the_key(tmp_path: Path, route: Mapping[str, Any]) -> None:
    assert written(tmp_path / "a", **route) == written(tmp_path / "b")


def test_what_moves_a_number_changes_the_key(tmp_path: Path) -> None:
    found = {name: written(tmp_path / str(i), **route) for i, (name, route) in enumerate(OTHER.items())}
    found["none of them"] = written(tmp_path / "none")
    assert len(set(found.values())) == len(OTHER) + 1


@pytest.mark.parametrize(
    "overrides",
    [
        {"train.lr": 0.05},
        {"train.lr": 0.05, "name": "mine"},
        {"train": {"lr": 0.05}},
        {"train.lr": 0.05, "params.w": 0},
        {"train.lr": 0.05, "params.w.start": 0.0},
        {"train.lr": 0.05, "train.optimizer": "sgd"},
    ],
)
def test_flags_say_the_same_as_a_batch(overrides: Mapping[str, Any]) -> None:
    base = {"fit": "y = w*x", "data": {"columns": COLUMNS}, "params": {"w": 0.0}, "train": {"optimizer": "sgd"}}
    alone = load(base, [Override(key, value, key) for key, value in overrides.items()])
    batch = load({**base, "train": {"optimizer": "sgd", "lr": 0.1}})
    assert trial_key(alone) == TrialKeys(batch).of(Trials(batch, {"train.lr": RATES}, len(RATES)))[1]


def test_a_trial_has_one_key_however_the_axes_are_grouped() -> None:
    """Three axes in one batch; one of them outside; the trial alone; a batch taken apart."""
    base = experiment(optimizer={"name": "sgd", "momentum": 0.0}, epochs=10)
    numbers = {
        "train.epochs": [10.0, 20.0, 30.0],
        "params.w.start.value": [0.0, 1.0, 2.0],
        "train.optimizer.momentum": [0.0, 0.5, 0.9],
    }
    trials = Trials(base, numbers, 3)
    together = TrialKeys(base).of(trials)
    assert len(set(together)) == 3
    assert together == [trial_key(trials.experiment_of(s)) for s in range(3)]
    assert together[1:] == TrialKeys(trials.take([1, 2]).experiment).of(trials.take([1, 2]))
    turned = Trials(base, dict(reversed(numbers.items())), 3)
    assert together == TrialKeys(base).of(turned)
    outside = experiment(optimizer={"name": "sgd", "momentum": 0.5}, epochs=20)
    assert together[1] == TrialKeys(outside).key({"params.w.start.value": 1})
    assert TrialKeys(base).of(Trials(base)) == together[:1]


def test_the_same_point_of_another_sweep_has_the_same_key() -> None:
    """Whether an axis is there that makes no difference to it, and whichever axes split the points into groups."""
    plain = {"fit": "y = w*x", "data": {"columns": COLUMNS}, "params": {"w": 0.0}}

    def keys_by_point(axes: Mapping[str, Any]) -> dict[tuple[Any, ...], str]:
        sweep = load_sweep({**plain, "sweep": axes})
        found: dict[tuple[Any, ...], str] = {}
        for group in sweep.groups:
            own = TrialKeys(group.trials.experiment).of(group.trials)
            found |= {sweep.points[i]: key for i, key in zip(group.indices, own, strict=True)}
        return found

    few = keys_by_point({"train.lr": [0.1, 0.05]})
    more = keys_by_point(
        {
            "train.lr": [0.05, 0.1],
            "train.epochs": [10, 1000],
            "loss": ["mse", "mae"],
            "train.optimizer": ["sgd", "adam"],
        }
    )
    assert len(set(more.values())) == 16
    assert few == {(lr,): more[lr, 1000, "mse", "sgd"] for lr in (0.1, 0.05)}
    alone = load({**plain, "loss": "mae", "train": {"lr": 0.05, "epochs": 10, "optimizer": "adam"}})
    assert trial_key(alone) == more[0.05, 10, "mae", "adam"]


def test_numbers_of_arrays_count_as_what_they_are() -> None:
    base = experiment(epochs=10)
    trials = Trials(base, {"train.epochs": np.array([10, 20]), "train.lr": np.array([0.1, 0.05])}, 2)  # type: ignore[dict-item]
    assert TrialKeys(base).of(trials) == [trial_key(experiment(epochs=10)), trial_key(experiment(epochs=20, lr=0.05))]


def test_a_number_that_the_experiment_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError):
        TrialKeys(experiment()).key({"train.optimizer.betas": 0.5})


def test_names_with_dots_are_apart() -> None:
    names = ["a", "a.start", "a.start.value"]
    base = load({"solve": " + ".join(f"`{name}`" for name in names) + " = 1", "params": dict.fromkeys(names, 0.0)})
    found = {TrialKeys(base).key({f"params.{name}.start.value": 1.0}) for name in names}
    assert len(found | {trial_key(base)}) == 4


def test_the_order_of_columns_counts() -> None:
    """Features "*" come in the order of the columns, and sums of theirs round in that order."""

    def key(names: list[str]) -> str:
        columns = {name: COLUMNS["x" if name != "y" else "y"] for name in names}
        return trial_key(load({"regress": {"target": ["y"]}, "data": {"columns": columns}}))

    assert key(["a", "b", "y"]) != key(["b", "a", "y"])


def test_the_order_of_parameters_does_not_count() -> None:
    """Theirs is the order of the formula or the features, whichever way they are declared."""

    def key(names: list[str]) -> str:
        starts = {name: float(ord(name)) for name in names}
        return trial_key(load({"regress": {"target": ["y"]}, "data": {"path": "points.csv"}, "params": starts}))

    assert key(["a", "b"]) == key(["b", "a"])


def test_versions_and_what_is_shown_count(monkeypatch: pytest.MonkeyPatch) -> None:
    base = experiment()
    found = {trial_key(base), TrialKeys(base, also={"every": 5}).key(), TrialKeys(base, also={"gradients": True}).key()}
    for name in ("gdtrain", "torch"):
        monkeypatch.setattr(keys, "versions", lambda name=name: {"gdtrain": "1", "torch": "2", name: "3"})
        found.add(trial_key(base))
    assert len(found) == 5


def test_a_kept_document_goes_by_what_its_key_leaves_out() -> None:
    today = load({"name": "today", "solve": "x = 1", "train": {"lr": 0.1, "epochs": 1000}})
    kept = {"name": "before", "kind": "solve", "train": {"lr": 0.1, "chosen": ["loss", "train.epochs"]}, "epochs": 7}
    chosen = ["loss", "train.optimizer", "train.seed", "params.x.start"]
    assert renewed(kept, today) == {
        "name": "today",
        "kind": "solve",
        "train": {"lr": 0.1, "chosen": chosen},
        "epochs": 7,
    }
    assert list(renewed(kept, today)) == list(kept) and kept["name"] == "before"


def test_the_version_is_that_of_the_torch_that_trains() -> None:
    import torch

    public = torch.__version__.partition("+")[0]  # what is installed need not tell how it was built
    assert keys.versions()["torch"].partition("+")[0] == public


def test_ten_thousand_keys_take_well_under_a_second() -> None:
    base = load({"solve": " + ".join(f"p{i}" for i in range(20)) + " = 1", "train": {"lr": 0.1, "epochs": 10}})
    rates = np.geomspace(1e-3, 1, 10_000).tolist()
    began = time.perf_counter()
    found = TrialKeys(base).of(Trials(base, {"train.lr": rates}, len(rates)))
    assert time.perf_counter() - began < 1
    assert len(set(found)) == 10_000


X, Y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.5])
FRAMES: Mapping[str, object] = {
    "lists": COLUMNS,
    "arrays": {"x": X, "y": Y},
    "whole numbers": {"x": np.array([1, 2, 3], dtype=np.int32), "y": Y},
    "big-endian": {"x": X.astype(">f8"), "y": Y},
    "strides": {"x": X[::-1].copy()[::-1], "y": np.repeat(Y, 2)[::2]},
    "polars": pl.DataFrame(COLUMNS),
    "pandas": pd.DataFrame(COLUMNS),
}
OTHER_FRAMES: Mapping[str, object] = {
    "a number": {"x": X, "y": Y + 1e-15},
    "a name": {"x": X, "z": Y},
    "the order": {"y": Y, "x": X},
    "a row": {"x": X[:2], "y": Y[:2]},
    "numbers moved from one column to the other": {"x": Y, "y": X},
    "yes and no": {"x": X, "y": Y > 3},
    "dates": {"x": X, "y": np.array(["2024-01-01", "2024-01-02", "2024-01-03"], dtype="datetime64[D]")},
    "texts": {"x": X, "y": ["a", "b", "c"]},
    "other texts": {"x": X, "y": ["a", "b", "d"]},
    "texts and numbers": {"x": X, "y": ["a", 2, None]},
    "a gap": {"x": X, "y": [2.0, None, 6.5]},
    "another column": {"x": X, "y": Y, "city": ["a", "b", "c"]},
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_frames_with_the_same_numbers_are_the_same_data(frame: object) -> None:
    found = Fingerprints(frame).of(framed())["data"]
    assert found == Fingerprints(COLUMNS).of(framed())["data"]
    assert (found.path, found.form, found.size, found.rows) == ("data", "frame", 48, 3)


def test_frames_with_other_contents_are_other_data() -> None:
    found = {name: Fingerprints(frame).of(framed())["data"].sha256 for name, frame in OTHER_FRAMES.items()}
    found["none of them"] = Fingerprints(COLUMNS).of(framed())["data"].sha256
    assert len(set(found.values())) == len(OTHER_FRAMES) + 1


def test_a_frame_that_is_no_table_is_refused_as_when_it_is_read() -> None:
    with pytest.raises(UserError, match="column b has 1 rows, column a has 2") as caught:
        Fingerprints({"a": [1, 2], "b": [1]})
    assert caught.value.code == DATA


def framed() -> Experiment:
    return load({"fit": "y = w*x", "train": {"lr": 0.1}}, framed=True)


def test_the_fingerprint_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest is that of `printf 'x,y\\n1,2\\n2,4\\n3,6.5\\n' | sha256sum`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text(TABLE)
    found = fingerprint(load(SECTIONS))["data"]
    assert (found.path, found.form, found.size, found.rows) == ("points.csv", ".csv", 18, None)
    assert found.sha256.startswith("b13a0ce4d078caed")


def test_rows_to_predict_have_a_fingerprint_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text(TABLE)
    (tmp_path / "new.csv").write_text("x\n5\n")
    wanted = load({**SECTIONS, "predict": {"path": "new.csv"}})
    before = trial_key(wanted, fingerprint(wanted))
    assert [*fingerprint(wanted)] == ["data", "predict"]
    (tmp_path / "new.csv").write_text("x\n6\n")
    assert trial_key(wanted, fingerprint(wanted)) != before


def test_a_file_is_read_once_for_all_experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text(TABLE)
    seen = Fingerprints()
    first = seen.of(load(SECTIONS))
    (tmp_path / "points.csv").unlink()
    assert seen.of(load({**SECTIONS, "train": {"lr": 0.2}})) == first


@pytest.mark.parametrize(
    ("sections", "code", "message"),
    [
        ({"data": {"path": "-"}}, USAGE, "--out: data on stdin cannot be kept; name a file"),
        ({"predict": {"path": "-"}}, USAGE, "--out: data on stdin cannot be kept; name a file"),
        ({"data": {"path": "point.csv"}}, DATA, "point.csv: there is no such file; did you mean points.csv?"),
    ],
)
def test_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sections: Mapping[str, Any], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text(TABLE)
    with pytest.raises(UserError) as caught:
        fingerprint(load({**SECTIONS, **sections}))
    assert (str(caught.value), caught.value.code) == (message, code)


def test_columns_in_the_experiment_need_none() -> None:
    assert fingerprint(experiment()) == {}
    assert len(set(keys_of(experiment()))) == len(RATES)
