"""diff: two saved results, what differs, and the exit code."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import gdtrain
from gdtrain.errors import UserError
from gdtrain.results.differences import Difference, Tolerance, compare
from tests.cli.conftest import Command
from tests.outcomes import outcome

pytestmark = pytest.mark.usefixtures("linear")


@pytest.fixture
def command(request: pytest.FixtureRequest) -> Command:
    """`gdtrain`, whose name is the package's here."""
    found: Command = request.getfixturevalue("gdtrain")
    return found


@pytest.fixture(scope="module")
def trained() -> dict[str, dict[str, Any]]:
    """a and same of one experiment, b of twice the learning rate; two sweeps that share a trial."""
    line = {"fit": "y = w*x", "data": {"columns": {"x": [1.0, 2, 3, 4], "y": [2.0, 4, 6, 8]}}, "params": {"w": 0.0}}
    experiment = {**line, "train": {"optimizer": "sgd", "lr": 0.01, "epochs": 20}}
    found = {"a": gdtrain.run(experiment), "same": gdtrain.run(experiment, name="other")}
    found["b"] = gdtrain.run(experiment, lr=0.02)
    sweeps = {"s": gdtrain.sweep(experiment, lr=[0.01, 0.02]), "t": gdtrain.sweep(experiment, lr=[0.02, 0.03])}
    documents = {name: result.to_dict() for name, result in found.items()}
    return documents | {name: result.to_dict() for name, result in sweeps.items()}


@pytest.fixture
def saved(trained: dict[str, dict[str, Any]], command: Command) -> None:
    for name, document in trained.items():
        Path(f"{name}.json").write_text(json.dumps(document))


CODES = [
    (["a.json", "a.json"], 0),
    (["a.json", "same.json", "--rtol", "0"], 0),
    (["a.json", "b.json"], 1),
    (["a.json", "b.json", "--rtol", "1", "--atol", "1"], 0),
    (["a.json", "b.json", "--rtol", "0.05"], 1),
    (["s.json", "s.json"], 0),
    (["s.json", "t.json"], 1),
    (["a.json", "s.json"], 2),
    (["s.json", "a.json"], 2),
    (["a.json", "none.json"], 2),
    (["a.json", "linear.yaml"], 2),
    (["a.json", "empty"], 2),
    (["a.json", "torn.json"], 2),
    (["a.json", "damaged.json"], 2),
    (["a.json", "b.json", "--rtol", "x"], 2),
    (["a.json", "b.json", "--atol", "-1"], 2),
    (["a.json", "b.json", "--rtol", "inf"], 2),
    (["a.json", "b.json", "--format", "xml"], 2),
    (["-", "-"], 2),
    (["a.json"], 2),
]


@pytest.mark.usefixtures("saved")
@pytest.mark.parametrize(("words", "code"), CODES)
def test_exit_codes(words: list[str], code: int, command: Command) -> None:
    Path("empty").mkdir()
    Path("torn.json").write_text(Path("a.json").read_text()[:500])
    Path("damaged.json").write_text('{"schema": "gdtrain.result/1", "params": {"w": 1}}')
    found = command("diff", *words)
    assert found.code == code, found.err
    assert bool(found.err) == (code == 2) == (not found.out)
    assert found.err.count("\n") <= 1


@pytest.mark.usefixtures("saved")
def test_what_differs(command: Command) -> None:
    """w after 20 epochs: 2 - 2*0.85^20 with lr 0.01, 2 - 2*0.7^20 with 0.02."""
    document = command("diff", "a.json", "b.json", "--format", "json").document
    assert (document["schema"], document["same"]) == ("gdtrain.diff/1", False)
    found = {(each["part"], each["where"]): each for each in document["differences"]}
    assert set(found) == {("loss", "loss.final"), ("params", "w"), ("experiment", "train.lr")}
    w = found["params", "w"]
    assert w["absolute"] == pytest.approx(2 * 0.85**20 - 2 * 0.7**20, rel=1e-9)
    assert w["relative"] == pytest.approx(w["absolute"] / (2 - 2 * 0.7**20), rel=1e-9)
    assert (found["experiment", "train.lr"]["a"], found["experiment", "train.lr"]["b"]) == (0.01, 0.02)
    plain = command("diff", "a.json", "b.json", "--format", "plain").out
    assert plain.splitlines()[-1] == f"3 of {document['compared']} values differ (rtol 1e-09, atol 0)"
    rows = command("diff", "a.json", "b.json", "--format", "csv").out.splitlines()
    assert rows[0] == "part,where,a,b,absolute,relative" and len(rows) == 4
    assert "| params | w | " in command("diff", "a.json", "b.json", "--format", "md").out
    assert "train.lr" in command("diff", "a.json", "b.json").out


@pytest.mark.usefixtures("saved")
def test_sweeps_are_compared_trial_by_trial(command: Command) -> None:
    """The trial that both have agrees, whichever place it has; each of the others is in one of them."""
    document = command("diff", "s.json", "t.json", "--format", "json").document
    differing = {each["where"] for each in document["differences"]}
    assert "best" in differing and not any("0.02" in name for name in differing)
    lost = [each for each in document["differences"] if each["where"] == "train.lr = 0.01: w"]
    assert [each["b"] for each in lost] == [None] and lost[0]["a"] > 1.9


def test_keys_that_a_result_tells_are_compared(command: Command) -> None:
    """Of a file with other levels, loss and rows: without the experiments beside them."""
    columns = {"x": [1.0, 2, 3, 4], "y": [2.0, 4, 6, 8], "city": ["a", "a", "b", "c"]}
    experiment = {"regress": {"target": "y", "features": ["x", "city"]}, "loss": "huber", "train": {"epochs": 3}}
    Path("one.json").write_text(json.dumps(gdtrain.run(experiment, data=columns).to_dict()))
    other = {**columns, "city": ["a", "a", "b", "b"]}
    changed = {**experiment, "loss": {"name": "huber", "delta": 2.0}}
    Path("two.json").write_text(json.dumps(gdtrain.run(changed, data=other).to_dict()))
    document = command("diff", "one.json", "two.json", "--format", "json").document
    found = {each["where"]: (each["a"], each["b"]) for each in document["differences"] if each["part"] == "experiment"}
    assert found["loss.delta"] == (1.0, 2.0)
    assert found["levels.city"] == (["a", "b", "c"], ["a", "b"])
    assert found["params.city[c].start"] == (0.0, None)


def test_groups_are_compared_one_by_one(command: Command) -> None:
    columns = {"x": [1.0, 2, 1, 2], "y": [2.0, 4, 3, 6], "city": ["a", "a", "b", "b"]}
    frames = [columns, {**columns, "y": [2.0, 4, 3, 7]}]
    for name, frame in zip("gh", frames, strict=True):
        found = gdtrain.groups({"fit": "y = w*x"}, "city", data=frame).to_dict()
        Path(f"{name}.json").write_text(json.dumps(found))
    assert command("diff", "g.json", "g.json").code == 0
    document = command("diff", "g.json", "h.json", "--format", "json").document
    found = {each["where"]: (each["a"], each["b"]) for each in document["differences"]}
    assert found["city = b: w"] == pytest.approx((3.0, 17 / 5))  # sum xy / sum xx = (3 + 14) / 5
    assert not any(where.startswith("city = a") for where in found)
    fewer = {"x": [1.0, 2, 1], "y": [2.0, 4, 3], "city": ["a", "a", "b"]}
    Path("i.json").write_text(json.dumps(gdtrain.groups({"fit": "y = w*x"}, "city", data=fewer).to_dict()))
    (rows,) = command("diff", "g.json", "i.json", "--atol", 1e-9, "--format", "json").document["differences"]
    assert (rows["part"], rows["where"], rows["a"], rows["b"]) == ("data", "city = b: data.rows", 2, 1)


@pytest.mark.usefixtures("saved")
def test_folders_and_stdin(command: Command) -> None:
    """A folder stands for its result.json; where both have an experiment.yaml, all keys are compared."""
    for name in ("a", "same"):
        Path(name).mkdir()
        Path(name, "result.json").write_text(Path(f"{name}.json").read_text())
    assert command("diff", "a", "same.json").code == 0
    assert command("diff", "a", "-", stdin=Path("b.json").read_text()).code == 1
    written = Path("linear.yaml").read_text()
    Path("a/experiment.yaml").write_text(written)
    assert command("diff", "a", "same").code == 0
    Path("same/experiment.yaml").write_text(written + "stop: {patience: 50}\n")
    document = command("diff", "a", "same", "--format", "json").document
    assert [each["where"] for each in document["differences"]] == ["stop.patience"]
    Path("same/experiment.yaml").unlink()
    read = {"data": {"path": "x.csv", "form": ".csv", "size": 20, "sha256": "ab"}}
    Path("a/run.json").write_text(json.dumps({"data": read}))
    assert command("diff", "a", "same").code == 0
    Path("same/run.json").write_text(json.dumps({"data": {"data": {**read["data"], "path": "y.csv", "sha256": "cd"}}}))
    document = command("diff", "a", "same", "--format", "json").document
    assert [(each["part"], each["where"]) for each in document["differences"]] == [("data", "files.data.sha256")]
    Path("same/run.json").write_text("{}")
    assert command("diff", "a", "same").code == 0
    Path("same/experiment.yaml").write_text(written + "stop: 1\n")
    assert command("diff", "a", "same").code == 2


def changed(tolerance: Tolerance | None = None, **changes: Any) -> list[Difference]:
    """How two documents differ that are alike but for a change of one: of its final w, or of anything else."""
    value = changes.pop("w", 1.5)
    one, other = outcome({"w": [0.0, 1.5]}).to_dict(), outcome({"w": [0.0, value]}, **changes).to_dict()
    return compare(one, other, ("a", "b"), tolerance or Tolerance()).found


AGREE = [
    (1.5 * (1 + 0.9e-9), 1e-9, 0.0, True),
    (1.5 * (1 + 1.1e-9), 1e-9, 0.0, False),
    (1.5 + 1e-3, 0.0, 1.1e-3, True),
    (1.5 + 1e-3, 0.0, 0.9e-3, False),
    (1.5, 0.0, 0.0, True),
    (math.nan, 1.0, 1e9, False),
    (math.inf, 1.0, 1e9, False),
]


@pytest.mark.parametrize(("w", "rtol", "atol", "same"), AGREE)
def test_tolerances(w: float, rtol: float, atol: float, same: bool) -> None:
    found = changed(Tolerance(rtol, atol), w=w)
    assert [each.where for each in found] == ([] if same else ["w"])


def test_whole_numbers_have_the_tolerance_too() -> None:
    """Other tools that write JSON say 2 for 2.0."""
    one, other = outcome({"w": [0.0, 2.0]}).to_dict(), outcome({"w": [0.0, 3.0]}).to_dict()
    for document, value in ((one, 2), (other, 3)):
        document["params"]["w"]["value"] = value
    assert not compare(one, other, ("a", "b"), Tolerance(0.0, 1.0)).found
    assert [each.where for each in compare(one, other, ("a", "b"), Tolerance(0.0, 0.9)).found] == ["w"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_agrees_with_itself(value: float) -> None:
    one = outcome({"w": [0.0, value]}).to_dict()
    assert not compare(one, json.loads(json.dumps(one)), ("a", "b"), Tolerance()).found
    other = outcome({"w": [0.0, 1.0]}).to_dict()
    assert [each.absolute for each in compare(one, other, ("a", "b"), Tolerance(1.0)).found] == [None]


CHANGES: list[tuple[dict[str, Any], str, str]] = [
    ({"status": "converged"}, "verdict", "verdict"),
    ({"kind": "regress"}, "experiment", "kind"),
    ({"seed": 1}, "experiment", "train.seed"),
    ({"data": {"rows": 5, "columns": ["x", "y"]}}, "data", "data.rows"),
    ({"data": {"rows": 4, "columns": ["x", "z"]}}, "data", "data.columns"),
    ({"losses": [4.0, 2.0]}, "loss", "loss.final"),
]


@pytest.mark.parametrize(("change", "part", "where"), CHANGES)
def test_each_part_is_compared(change: dict[str, Any], part: str, where: str) -> None:
    found = changed(**change)
    assert [(each.part, each.where) for each in found] == [(part, where)]


@pytest.mark.parametrize("change", [{"name": "x"}, {"timing": {}}, {"versions": {}}, {"warnings": ["x"]}])
def test_what_is_not_compared(change: dict[str, Any]) -> None:
    assert not changed(**change)


def test_a_damaged_document_is_named() -> None:
    one, other = outcome().to_dict(), outcome().to_dict()
    del other["verdict"]
    with pytest.raises(UserError, match="b: is damaged: its sections do not fit together"):
        compare(one, other, ("a", "b"), Tolerance())


@pytest.mark.usefixtures("saved")
def test_a_damaged_sweep_is_named(command: Command) -> None:
    document = json.loads(Path("s.json").read_text())
    Path("torn.json").write_text(json.dumps({**document, "best": 99}))
    outcome = command("diff", "s.json", "torn.json")
    assert outcome.code == 2 and outcome.err.startswith("torn.json: is damaged")
