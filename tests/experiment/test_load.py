"""Where experiments come from, and what is told about files that are none."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdtrain.errors import UserError
from gdtrain.experiment.dump import dump
from gdtrain.experiment.keys import SECTIONS
from gdtrain.experiment.load import load
from gdtrain.experiment.overrides import Override

from .texts import DATA, FIT, refusal


def test_a_file_gives_its_name(tmp_path: Path) -> None:
    (tmp_path / "line.up.yaml").write_text(FIT)
    assert load(tmp_path / "line.up.yaml").name == "line.up"
    (tmp_path / "named.yaml").write_text(FIT + "name: other\n")
    assert load(str(tmp_path / "named.yaml")).name == "other"


@pytest.mark.parametrize("stem", ["a\x1bb", "~x", "a\\b"])
def test_a_file_whose_name_will_not_do_is_named_by_its_kind(stem: str, tmp_path: Path) -> None:
    (tmp_path / f"{stem}.yaml").write_text(FIT)
    assert load(tmp_path / f"{stem}.yaml").name == "fit"


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    file = tmp_path / "configs" / "a.yaml"
    file.write_text("fit: y = w*x\ndata: {path: ../data/x.csv}\npredict: new.csv\n")
    experiment = load(file)
    assert experiment.data is not None and experiment.data.path == "../data/x.csv"
    assert experiment.locate("../data/x.csv") == str(tmp_path / "configs" / "../data/x.csv")
    assert experiment.locate("/abs/x.csv") == "/abs/x.csv"
    assert experiment.locate("-") == "-"


def test_paths_of_flags_are_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "a.yaml").write_text("fit: y = w*x\ndata: {path: x.csv}\npredict: data\n")
    flags = [Override.of("data.path", "y.csv", "--data"), Override.of("predict", "z.csv", "--predict")]
    experiment = load("configs/a.yaml", flags)
    assert experiment.data is not None and experiment.predict is not None
    assert (experiment.data.path, experiment.predict.path) == (str(tmp_path / "y.csv"), str(tmp_path / "z.csv"))
    experiment = load(
        "configs/a.yaml", [Override.of("data.path", "-", "--data"), Override.of("predict", "data", "--p")]
    )
    assert experiment.data is not None and experiment.predict is not None
    assert (experiment.data.path, experiment.predict.data) == ("-", True)


def test_stdin_holds_one_thing() -> None:
    text = "fit: y = w*x\ndata: {path: -}\npredict: '-'\n"
    message = refusal(text)
    assert message.count("stdin already holds the experiment; read one of the two from a file") == 2


@pytest.mark.parametrize("stream", [io.StringIO(FIT), io.BytesIO(FIT.encode())])
def test_stdin_is_text_or_bytes(stream: io.StringIO | io.BytesIO) -> None:
    assert load("-", stdin=stream).fit == "y = w*x"


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "linear.yaml").write_text(FIT)
    cases = {
        "liner.yaml": "there is no such file; did you mean linear.yaml?",
        "x.yaml": "there is no such file; gdtrain init writes a starter",
        "none/x.yaml": "there is no such file; gdtrain init writes a starter",
        ".": "cannot be read: Is a directory",
        "linear.yaml/x": "cannot be read: Not a directory",
        "a\0b": "cannot be read: not a path",
        "a" * 5000: "cannot be read: File name too long",
    }
    for name, message in cases.items():
        with pytest.raises(UserError) as caught:
            load(tmp_path / name)
        assert str(caught.value).endswith(message)
        assert caught.value.code == 2


def test_a_mapping_says_the_same_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "fit.yaml").write_text(FIT + "params: {w: 0}\n")
    mapping = {"fit": "y = w*x", "data": {"columns": {"x": [1, 2, 3], "y": (2, 4, 6)}}, "params": {"w": 0}}
    assert load(mapping) == load(tmp_path / "fit.yaml")
    assert load(mapping) != load({**mapping, "params": {"w": 1}})


def test_a_mapping_may_hold_arrays() -> None:
    columns = {"x": np.arange(3), "y": np.array([2.0, 4.0, 6.0])}
    experiment = load({"fit": "y = w*x", "data": {"columns": columns}, "params": {"w": np.float32(0.5)}})
    assert experiment.data is not None
    assert experiment.data.columns == {"x": [0, 1, 2], "y": [2, 4, 6]}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"solve": "x + = 3"}, "solve: an operand is missing between + and =;"),
        ({"solve": ["x = 1", "y +"]}, "solve[1]: "),
        ({"solve": "x = 3", "train": {"lr": -1}}, "train.lr: lr must be a positive number or auto, not -1"),
        ({"solve": "x = 3", "train": {"lrr": 1}}, "train.lrr: lrr is not a key of train; did you mean lr?"),
        ({"solve": "x = 3", "train": {"lr": None}}, "train.lr: there is no value here"),
        ({"solve": "x = 3", "train": {"lr": object()}}, "train.lr: not a value of YAML"),
        ({"solve": "x = 3", "params": {"x": float("nan")}}, "params.x: x must be a finite number, not nan"),
        ({"solve": "x = 3", "train": {"seed": 10**5000}}, "train.seed: too large a number"),
        ({}, "there is no problem here; write one of"),
    ],
)
def test_a_mistake_in_a_mapping_names_its_key(mapping: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        load(mapping)
    assert str(caught.value).startswith(message)


def test_rows_of_the_caller_need_no_data_section() -> None:
    experiment = load({"regress": {"target": "y"}}, framed=True)
    assert experiment.data is not None and experiment.data.scale == "standard"
    assert load({"fit": "y = w*x"}, framed=True).data is None
    with pytest.raises(UserError, match="solve has no data"):
        load({"solve": "x = 3", "data": {"path": "x.csv"}})


def test_names_are_told_beside_other_mistakes_where_the_problem_is_whole() -> None:
    message = refusal("fit: sales = a*incom\n" + DATA.replace("x:", "income:").replace("y:", "sales:") + "los: mse\n")
    assert [line.partition(": ")[2][:20] for line in message.splitlines() if line.startswith("stdin")] == [
        "there is no column i",
        "los is not a key of ",
    ]


keys = st.sampled_from(sorted({key for section in SECTIONS.values() for key in section} | {"x", "y", "w", "lrr"}))
scalars = (
    st.sampled_from(["y = w*x", "x = 1", "x^2", "x", "y", "*", "sgd", "adam", "mse", "huber", "data", "-", "auto", ""])
    | st.integers(-(10**30), 10**400)
    | st.integers(-2, 5)
    | st.floats()
    | st.booleans()
)
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))
SOUND = {"fit": "y = w*x", "data": {"columns": {"x": [1, 2], "y": [2, 4]}}, "params": {"w": {"start": 1}}}


@settings(max_examples=150)
@given(st.dictionaries(keys, anything, max_size=5), st.booleans())
def test_any_mapping_loads_and_reads_back_or_is_refused(mapping: dict[str, object], sound: bool) -> None:
    try:
        experiment = load({**SOUND, **mapping} if sound else mapping)
    except UserError as error:
        assert str(error)
    else:
        assert load("-", stdin=io.StringIO(dump(experiment))) == experiment
