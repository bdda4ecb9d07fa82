"""Runs that are interrupted and taken up again: the same numbers, to the last bit, as if they had never stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gdtrain
from gdtrain.errors import DATA, USAGE, UserError
from gdtrain.experiment.load import load
from gdtrain.experiment.optimizers import DEFAULTS, SECOND
from gdtrain.experiment.overrides import Override
from gdtrain.keep.tensors import read_checked
from gdtrain.optimizers import OPTIMIZERS
from gdtrain.saved import Saved
from gdtrain.train import train

RESULTS = ("result.json", "history.parquet", "weights.json", "experiment.yaml")
EPOCHS = 60

_draw = np.random.default_rng(7)
X, Z = _draw.normal(size=(2, 24))
ROWS: Mapping[str, list[float]] = {
    "x": X.tolist(),
    "z": Z.tolist(),
    "y": (2 * X - Z + 0.5 + 0.3 * _draw.normal(size=24)).tolist(),
}
LINE: Mapping[str, Any] = {"regress": {"target": "y"}, "data": {"columns": ROWS, "scale": "none"}}
CURVE: Mapping[str, Any] = {"fit": "y = a*exp(b*x) + c*z", "data": {"columns": ROWS}}
SCHEDULES: Mapping[str, Any] = {
    "step": {"step_size": 7},
    "multistep": {"milestones": [5, 31]},
    "exponential": {"gamma": 0.97},
    "cosine": {"T_max": 40},
    "cosine_restarts": {"T_0": 9},
    "onecycle": {"total_steps": 200},
    "linear": {},
    "plateau": {"patience": 2},
}
STEPS: Mapping[str, Any] = {"lr": 0.01, "engine": "loop", "epochs": EPOCHS}


def case(problem: Mapping[str, Any], train: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {**problem, "train": {**STEPS, **train}, **more}


CASES = {
    **{name: case(CURVE, {"optimizer": name}) for name in OPTIMIZERS},
    **{f"{name} on a line": case(LINE, {"optimizer": name}) for name in ("sgd", "adam")},
    **{
        f"schedule {name}": case(CURVE, {"optimizer": "adam", "schedule": {"name": name, **options}})
        for name, options in SCHEDULES.items()
    },
    "momentum": case(CURVE, {"optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True}}),
    "mini-batches": case(CURVE, {"optimizer": "adam", "batch_size": 5}),
    "mini-batches in order": case(LINE, {"optimizer": "sgd", "batch_size": 7, "shuffle": False}),
    "clipping": case(CURVE, {"optimizer": "sgd", "clip": 0.1}),
    "float32": case(CURVE, {"optimizer": "adam", "dtype": "float32"}),
    "halving": case(CURVE, {"optimizer": "sgd", "lr": "auto"}),
    "halving momentum": case(CURVE, {"optimizer": {"name": "sgd", "momentum": 0.5}, "lr": "auto"}),
    "lasso": case(LINE, {"optimizer": {"name": "sgd", "momentum": 0.5}}, penalty={"l1": 0.1, "l2": 0.01}),
    "patience": case(CURVE, {"optimizer": "sgd", "lr": 0.3}, stop={"patience": 4}),
    "best": case(CURVE, {"optimizer": "rprop"}, stop={"restore": "best"}),
    "grad_tol": case(LINE, {"optimizer": "sgd", "lr": 0.3}, stop={"grad_tol": 1e-3}),
    "diverges": case(LINE, {"optimizer": "sgd", "lr": 1e8}),
    "held out": case(
        {**CURVE, "data": {"columns": ROWS, "split": {"holdout": 0.25}}},
        {"optimizer": "adam"},
        stop={"patience": 20, "restore": "best"},
    ),
    "folds side by side": case({**CURVE, "data": {"columns": ROWS, "split": {"folds": 3}}}, {"optimizer": "adam"}),
    "folds in turn": case(
        {**CURVE, "data": {"columns": ROWS, "split": {"folds": 3}}}, {"optimizer": "adam", "batch_size": 6}
    ),
    "folds that end early": case(
        {**LINE, "data": {"columns": ROWS, "split": {"folds": 3}}},
        {"optimizer": "adam", "lr": 0.3},
        stop={"grad_tol": 1e-1, "restore": "best"},
    ),
    "hidden layers": case(LINE, {"optimizer": "adam"}, model={"hidden": [4, 3]}),
    "bounds": case(CURVE, {"optimizer": "adam"}, params={"a": {"start": 0.5, "min": 0, "max": 0.6}}),
    "polish": case(CURVE, {"optimizer": "adam", "polish": True}),
    "exact": case(LINE, {"optimizer": "sgd", "engine": "exact"}),
    "exact with patience": case(LINE, {"optimizer": "sgd", "engine": "exact"}, stop={"patience": 3}),
    "left to choose": {**CURVE, "train": {"epochs": EPOCHS}},
    **{name: case(CURVE, {"optimizer": name, "lr": "auto", "engine": "auto"}) for name in sorted(SECOND)},
}


def until(epoch: int) -> Callable[[int, float], bool]:
    return lambda done, loss: done < epoch


def stopped(source: Mapping[str, Any], place: Path, epoch: int) -> str:
    """Train into a folder, and stop soon after an epoch. Returns the verdict."""
    with Saved.new(load(source), place) as saved:
        result = train(saved.experiment, progress=saved.progress, watch=until(epoch))
        assert saved.finish(result) is None
    return result.verdict.status


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS}


@pytest.mark.parametrize("name", CASES)
def test_what_is_taken_up_ends_as_what_never_stopped(name: str, tmp_path: Path) -> None:
    source = CASES[name]
    gdtrain.run(source, out=tmp_path / "whole")
    whole, interrupted = files(tmp_path / "whole"), 0
    for epoch in (1, 20):
        place = tmp_path / str(epoch)
        interrupted += stopped(source, place, epoch) == "interrupted"
        gdtrain.resume(place)
        assert files(place) == whole
    ends_at_once = name.startswith(("diverges", "exact")) or json.loads(whole["result.json"])["epochs"] < 6
    assert interrupted or ends_at_once


@pytest.mark.parametrize("name", ["adam", "mini-batches", "folds in turn", "folds that end early", "best", "exact"])
def test_what_is_interrupted_again_and_again(name: str, tmp_path: Path) -> None:
    gdtrain.run(CASES[name], out=tmp_path / "whole")
    place = tmp_path / "run"
    stopped(CASES[name], place, 2)
    for epoch in range(4, EPOCHS, 7):
        with Saved.resumed(place) as saved:
            result = train(saved.experiment, progress=saved.progress, watch=until(epoch))
            assert saved.finish(result) is None
    gdtrain.resume(place)
    assert files(place) == files(tmp_path / "whole")


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("schedule onecycle",)])
@pytest.mark.parametrize("epochs", [EPOCHS + 3])
def test_more_epochs_are_as_if_they_had_been_asked_for(name: str, epochs: int, tmp_path: Path) -> None:
    source = CASES[name]
    gdtrain.run(source, out=tmp_path / "run")
    explicit = load(tmp_path / "run" / "experiment.yaml", [Override("train.epochs", epochs, "epochs")])
    gdtrain.resume(tmp_path / "run", epochs=epochs)
    found = json.loads((tmp_path / "run" / "result.json").read_text())
    with Saved.new(explicit, tmp_path / "whole") as saved:
        saved.train()
    expected = json.loads((tmp_path / "whole" / "result.json").read_text())
    del found["train"]["chosen"], expected["train"]["chosen"]
    assert found == expected
    assert (tmp_path / "run" / "history.parquet").read_bytes() == (tmp_path / "whole" / "history.parquet").read_bytes()


def test_it_goes_on_and_does_not_begin_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else all of the above would hold of a resume that throws the checkpoint away."""
    from gdtrain.engines import walk

    stopped(CASES["adam"], tmp_path / "run", 20)
    walked: list[int] = []
    chunk = walk.Walk.chunk

    def noted(self: Any, epochs: int) -> Any:
        walked.append(self.epoch)
        return chunk(self, epochs)

    monkeypatch.setattr(walk.Walk, "chunk", noted)
    gdtrain.resume(tmp_path / "run")
    assert walked and min(walked) > 20
    walked.clear()
    gdtrain.resume(tmp_path / "run")
    assert not walked
    gdtrain.resume(tmp_path / "run", epochs=EPOCHS + 4)
    assert min(walked) == EPOCHS + 1


@pytest.mark.parametrize("epochs", [30_000, 12_000])
def test_a_history_that_does_not_fit_is_walked_anew(epochs: int, tmp_path: Path) -> None:
    """A long run records every so many epochs, which a shorter one need not have, or the other way round."""
    source = case(CURVE, {"optimizer": "sgd", "epochs": 11_000})
    gdtrain.run(source, out=tmp_path / "run", every=None)
    gdtrain.resume(tmp_path / "run", epochs=epochs)
    gdtrain.run(case(CURVE, {"optimizer": "sgd", "epochs": epochs}), out=tmp_path / "whole")
    assert files(tmp_path / "run") == files(tmp_path / "whole")


@pytest.mark.parametrize("name", ["adam", "exact", "polish", "grad_tol"])
def test_epochs_that_were_walked_are_not_thrown_away(name: str, tmp_path: Path) -> None:
    """`--epochs 10` for ten more would leave ten of them. Those that were asked for and not come to do not count."""
    gdtrain.run(CASES[name], out=tmp_path / "run")
    walked = min(EPOCHS, json.loads((tmp_path / "run" / "result.json").read_text())["epochs"])
    error = refused(tmp_path / "run", epochs=walked - 1)
    assert error.code == USAGE and f"has {walked} epochs already; name more" in str(error)
    gdtrain.resume(tmp_path / "run", epochs=walked)


# What is refused


def refused(place: Path, **overrides: Any) -> UserError:
    before = {path.name: path.read_bytes() for path in place.iterdir()} if place.is_dir() else {}
    with pytest.raises(UserError) as caught:
        gdtrain.resume(place, **overrides)
    if before:
        assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    return caught.value


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A folder of a run that was interrupted, on a table."""
    names = list(ROWS)
    lines = [",".join(names), *(",".join(map(repr, row)) for row in zip(*ROWS.values(), strict=True))]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    source = {**CURVE, "data": {"path": str(tmp_path / "rows.csv")}, "train": {**STEPS, "optimizer": "adam"}}
    stopped(source, tmp_path / "half", 20)
    return tmp_path / "half"


def test_every_changed_byte_is_noticed(half: Path) -> None:
    content = (half / "checkpoint.safetensors").read_bytes()
    for at in range(len(content)):
        with pytest.raises(ValueError):
            read_checked(content[:at] + bytes([content[at] ^ 0x15]) + content[at + 1 :])


def test_a_changed_checkpoint_is_refused(half: Path) -> None:
    path = half / "checkpoint.safetensors"
    content = path.read_bytes()
    for at in (0, 3, 9, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x15]) + content[at + 1 :])
        error = refused(half)
        assert error.code == DATA and "checkpoint" in str(error)
    for cut in (0, 7, 100, len(content) - 1):
        path.write_bytes(content[:cut])
        assert refused(half).code == DATA
    path.write_bytes(content + b"x")
    assert refused(half).code == DATA


def test_nothing_is_unpickled(half: Path, tmp_path: Path) -> None:
    import pickle

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    (half / "checkpoint.safetensors").write_bytes(pickle.dumps(Trap()))
    assert "damaged" in str(refused(half))
    assert not (tmp_path / "sprung").exists()


def test_a_checkpoint_of_another_run(half: Path, tmp_path: Path) -> None:
    stopped(CASES["adam"], tmp_path / "other", 20)
    (half / "checkpoint.safetensors").write_bytes((tmp_path / "other" / "checkpoint.safetensors").read_bytes())
    assert "another experiment" in str(refused(half))


def test_an_experiment_that_was_edited(half: Path) -> None:
    path = half / "experiment.yaml"
    path.write_text(path.read_text().replace("lr: 0.01", "lr: 0.02"))
    assert "another experiment" in str(refused(half))


def test_data_that_has_changed(half: Path, tmp_path: Path) -> None:
    with (tmp_path / "rows.csv").open("a") as file:
        file.write("1,2,3\n")
    error = refused(half)
    assert error.code == DATA and "rows.csv has changed" in str(error)


def test_data_that_was_moved(half: Path, tmp_path: Path) -> None:
    """Its path may be mended by hand: what counts is what lies there."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "rows.csv").rename(tmp_path / "elsewhere" / "rows.csv")
    assert "there is no such file" in str(refused(half))
    path = half / "experiment.yaml"
    path.write_text(path.read_text().replace("../rows.csv", "../elsewhere/rows.csv"))
    gdtrain.resume(half)
    assert json.loads((half / "result.json").read_text())["epochs"] == EPOCHS


def test_a_folder_that_a_link_leads_to(half: Path, tmp_path: Path) -> None:
    """Its paths hold where it is, not where the link is."""
    (tmp_path / "far" / "off").mkdir(parents=True)
    link = tmp_path / "far" / "off" / "link"
    link.symlink_to(half)
    gdtrain.resume(link)
    epochs = gdtrain.run(link / "experiment.yaml", out=tmp_path / "again").epochs
    assert epochs == json.loads((half / "result.json").read_text())["epochs"] == EPOCHS


def test_what_is_no_run(tmp_path: Path) -> None:
    assert "no folder" in str(refused(tmp_path / "missing"))
    (tmp_path / "other").mkdir()
    assert "other/run.json: is missing" in str(refused(tmp_path / "other"))
    (tmp_path / "other" / "run.json").write_text("{}")
    assert "other/run.json: is damaged" in str(refused(tmp_path / "other"))
    (tmp_path / "file").touch()
    assert "file is no folder; name the folder that --out named" in str(refused(tmp_path / "file"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "other"]


def test_a_file_of_a_run_names_its_folder(half: Path) -> None:
    assert str(refused(half / "result.json")).endswith(f"is no folder; gdtrain resume {half}")


@pytest.mark.parametrize("told", ['"every": 0', '"every": -5', '"checkpoint_s": -1'])
def test_numbers_that_no_run_writes(told: str, half: Path) -> None:
    path = half / "run.json"
    path.write_text(path.read_text().replace('"kind"', f'{told}, "kind"'))
    assert "run.json: is damaged" in str(refused(half))


@pytest.mark.parametrize(
    "path",
    [
        *(["recorded"], ["walk"], ["ends"], ["walk", "epoch"], ["walk", "theta"], ["walk", "schedule"]),
        *(["walk", "optimizer", "exp_avg"], ["ends", "rows"], ["ends", "best"], ["ends", "losses", "kept"]),
    ],
    ids=".".join,
)
def test_a_state_of_another_form(path: list[str], half: Path) -> None:
    """As of a version that keeps other numbers."""
    with Saved.resumed(half) as run:
        state: Any = run.progress.walk(0).begun
        assert state is not None
        *sections, last = path
        for section in sections:
            state = state[section]
        del state[last]
        with pytest.raises(UserError, match="another version"):
            train(run.experiment, progress=run.progress)


def test_rows_of_python_are_not_found_again(tmp_path: Path) -> None:
    gdtrain.fit("y = a*x", {"x": [1.0, 2.0], "y": [2.0, 4.1]}, out=tmp_path / "run")
    assert "Python" in str(refused(tmp_path / "run"))


def test_defaults_are_all_here() -> None:
    """Each optimizer stands in a case."""
    assert set(DEFAULTS) - {"auto"} <= set(CASES)
