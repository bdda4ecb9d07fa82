"""The folder that keeps a sweep's finished trials."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gdtrain.errors import DATA, NOT_WRITTEN, USAGE, UserError
from gdtrain.experiment.load import load
from gdtrain.experiment.schema import Experiment
from gdtrain.keep import Fingerprints, Store, TrialKeys
from gdtrain.keep.batches import line_of
from tests.keeping import COLUMNS, document, experiment, keys_of, opened
from tests.test_keep_files import Failing

REPOSITORY = Path(__file__).resolve().parents[1]


def kept(folder: Path, count: int = 4) -> list[str]:
    """A folder with the first trials of the sweep in batches of two, and the sweep's keys."""
    keys = keys_of(experiment())
    with opened(folder) as store:
        for i in range(0, count, 2):
            some = range(i, min(i + 2, count))
            store.add([keys[j] for j in some], map(document, some))
    return keys


def batch_of(folder: Path, key: str) -> Path:
    return next(path for path in (folder / "trials").iterdir() if key.encode() in path.read_bytes())


def test_what_is_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    keys = kept(tmp_path / "out", 3)
    with opened(tmp_path / "out") as store:
        assert (len(store), store.kept) == (3, 3)
        assert [store.get(key) for key in keys] == [document(0), document(1), document(2), None]
        assert [key in store for key in keys] == [True, True, True, False]
        assert json.dumps(store.get(keys[1])) == json.dumps(document(1))  # order and all digits
        assert store.notes == ["3 of 4 trials are kept from before"]
        store.add([keys[3]], [document(3)])
        assert store.get(keys[3]) == document(3) and len(store) == 4
        store.add([keys[3]], [document(3)])  # once more changes nothing
        store.add([], [])
    assert sorted(os.listdir(tmp_path / "out")) == [".lock", "experiment.yaml", "sweep.json", "trials"]
    assert len(os.listdir(tmp_path / "out" / "trials")) == 3


def test_a_new_folder_says_nothing_and_holds_the_experiment(tmp_path: Path) -> None:
    with opened(tmp_path / "runs" / "a", text="fit: y = w*x\n") as store:
        assert (store.notes, store.kept, len(store)) == ([], 0, 0)
    found = json.loads((tmp_path / "runs" / "a" / "sweep.json").read_text())
    assert (found["schema"], found["kind"], found["trials"]) == ("gdtrain.folder/1", "sweep", 4)
    assert found["experiment"]["train"]["lr"] == 0.1 and "name" not in found["experiment"]
    assert (tmp_path / "runs" / "a" / "experiment.yaml").read_text() == "fit: y = w*x\n"


def test_a_number_that_is_not_finite_is_no_plain_json(tmp_path: Path) -> None:
    with opened(tmp_path / "out") as store, pytest.raises(ValueError, match="not JSON compliant"):
        store.add(keys_of(experiment())[:1], [{"loss": float("nan")}])
    assert os.listdir(tmp_path / "out" / "trials") == []


def test_the_result_is_the_pieces_and_goes_when_another_sweep_comes(tmp_path: Path) -> None:
    result = tmp_path / "out" / "result.json"
    with opened(tmp_path / "out") as store:
        store.finish(["{", '"best": 1', "}\n"])
    assert result.read_text() == '{"best": 1}\n'
    opened(tmp_path / "out", text="# said otherwise\nfit: y = w*x\n").close()
    assert result.exists() and (tmp_path / "out" / "experiment.yaml").read_text().startswith("# said")
    opened(tmp_path / "out", experiment(epochs=5)).close()
    assert not result.exists()


# --- what has changed ---


def test_what_changed_in_the_experiment_is_said(tmp_path: Path) -> None:
    kept(tmp_path / "out")
    with opened(tmp_path / "out", changed()) as store:
        assert store.notes == [
            "the experiment has changed: params.w.start, params.w.min, loss, train.optimizer, train.epochs, "
            "train.engine and 2 more; its trials are computed anew"
        ]
        assert (len(store), store.kept) == (4, 0)
    with opened(tmp_path / "out") as store:  # and back again
        assert store.notes[0].endswith(" and 2 more; 4 of 4 trials are kept from before")


def changed() -> Experiment:
    """Eight changes; a name counts once, with the options that it brings."""
    return load(
        {
            "name": "another",
            "fit": "y = w*x",
            "data": {"columns": COLUMNS},
            "params": {"w": {"start": 1.0, "min": -1.0}},
            "loss": {"name": "huber", "delta": 2.0},
            "train": {"lr": 0.1, "optimizer": "adam", "epochs": 5, "engine": "loop"},
            "stop": {"patience": 3},
            "predict": [{"x": 5}],
        }
    )


def test_more_trials_of_the_same_experiment_are_no_change(tmp_path: Path) -> None:
    keys = kept(tmp_path / "out", 2)
    with Store.open(tmp_path / "out", experiment(), keys=[keys[1], "f" * 64, "e" * 64], text="") as store:
        assert store.notes == ["1 of 3 trials are kept from before"]
    with Store.open(tmp_path / "out", experiment(), keys=["f" * 64], text="") as store:
        assert store.notes == ["none of the 2 trials kept here is asked for"]


@pytest.mark.parametrize(
    ("path", "table", "note"),
    [
        ("points.csv", "x,y\n1,2\n", None),
        (
            "points.csv",
            "x,y\n1,3\n",
            "points.csv has changed since (as long, other bytes); its trials are computed anew",
        ),
        (
            "points.csv",
            "x,y\n1,2\n2,4\n",
            "points.csv has changed since (12 bytes, 8 before); its trials are computed anew",
        ),
        ("moved.csv", "x,y\n1,2\n", None),
        ("moved.csv", "x,y\n1,3\n", "moved.csv holds other rows than points.csv did; its trials are computed anew"),
        (
            None,
            "",
            "points.csv is no longer read; the experiment has changed: data.columns.x, data.columns.y; "
            "its trials are computed anew",
        ),
    ],
)
def test_what_changed_in_the_data_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | None, table: str, note: str | None
) -> None:
    monkeypatch.chdir(tmp_path)

    def open_with(path: str | None, table: str) -> Store:
        data: dict[str, Any] = {"columns": {"x": [1.0], "y": [2.0]}} if path is None else {"path": path}
        if path is not None:
            Path(path).write_text(table)
        base = load({"fit": "y = w*x", "data": data, "params": {"w": 0.0}, "train": {"lr": 0.1}})
        tables = Fingerprints().of(base)
        keys = [TrialKeys(base, tables).key()]
        store = Store.open("out", base, tables, keys=keys, text="")
        if not store.kept:
            store.add([keys[0]], [document(0)])
        return store

    open_with("points.csv", "x,y\n1,2\n").close()
    with open_with(path, table) as store:
        assert store.notes == [note or "1 of 1 trials are kept from before"]


def test_rows_of_a_frame_and_versions_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gdtrain.keep import manifest

    def open_with(frame: object) -> Store:
        return Store.open(tmp_path / "out", experiment(), Fingerprints(frame).of(experiment()), keys=["a"], text="")

    open_with({"x": [1, 2]}).close()
    monkeypatch.setattr(manifest, "versions", lambda: {"gdtrain": "9.9", "torch": "9.8"})
    with open_with({"x": [1, 2, 3]}) as store:
        (note,) = store.notes
    assert note.startswith("data has changed since (3 rows, 2 before); gdtrain was ")
    assert ", now 9.9; torch was " in note and note.endswith(", now 9.8; its trials are computed anew")


# --- what is damaged ---


def _flip(content: bytes) -> bytes:
    """Another digit in the first line's document: still JSON, no longer what was computed."""
    at = content.index(b'"history": [0.') + len(b'"history": [0.')
    return content[:at] + b"9" + content[at + 1 :]


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], int, str]] = {
    "cut in the last line": (lambda content: content[:-100], 1, "a damaged line is"),
    "without its last newline": (lambda content: content[:-1], 1, "a damaged line is"),
    "a digit": (_flip, 1, "a damaged line is"),
    "a key": (lambda content: content.replace(b'"key": "', b'"key": "0', 1), 1, "a damaged line is"),
    "another key": (lambda c: c[:9] + (b"0" if c[9:10] != b"0" else b"1") + c[10:], 1, "a damaged line is"),
    "zeros": (lambda content: b"\0" * len(content), 0, "a damaged line is"),
    "foreign": (lambda content: b'{"a": 1}\n[]\n', 0, "2 damaged lines are"),
    "deep": (lambda content: b"[" * 100_000, 0, "a damaged line is"),
    "empty": (lambda content: b"", 0, ""),
}


@pytest.mark.parametrize(("damage", "left", "note"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_line_is_left_out_and_said(
    tmp_path: Path, damage: Callable[[bytes], bytes], left: int, note: str
) -> None:
    keys = kept(tmp_path / "out")
    path = batch_of(tmp_path / "out", keys[0])
    path.write_bytes(damage(path.read_bytes()))
    with opened(tmp_path / "out") as store:
        assert (sum(key in store for key in keys[:2]), len(store)) == (left, left + 2)
        assert [store.get(key) for key in keys[2:]] == [document(2), document(3)]
        assert all(store.get(key) in (None, document(i)) for i, key in enumerate(keys))
        assert store.notes[:-1] == ([f"{path}: {note} left out"] if note else [])
        missing = [i for i, key in enumerate(keys) if key not in store]
        store.add([keys[i] for i in missing], map(document, missing))
    with opened(tmp_path / "out") as store:
        assert [store.get(key) for key in keys] == [document(i) for i in range(4)]


def test_foreign_files_among_the_trials_are_left_alone(tmp_path: Path) -> None:
    kept(tmp_path / "out")
    folder = tmp_path / "out" / "trials"
    (folder / "notes.txt").write_text("mine")
    (folder / ("0" * 32 + ".ndjson")).mkdir()
    for place in (folder, tmp_path / "out"):
        (place / ".gdtrain-0123456789abcdef.tmp").write_text("half of a ba")
    with opened(tmp_path / "out") as store:
        assert len(store) == 4
        assert store.notes[:-1] == [
            f"{folder}/{'0' * 32}.ndjson cannot be read and is left out: Is a directory",
            f"{folder}/notes.txt is none of ours and is left out",
        ]
    assert (folder / "notes.txt").read_text() == "mine"
    assert [*tmp_path.rglob("*.tmp")] == []


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text("x" * 5000),
        lambda path: path.write_bytes(line_of("f" * 64, document(0)) + line_of("e" * 64, document(1))),
    ],
    ids=["removed", "overwritten", "other trials"],
)
def test_a_file_that_is_changed_meanwhile_is_no_result(tmp_path: Path, change: Callable[[Path], Any]) -> None:
    keys = kept(tmp_path / "out")
    with opened(tmp_path / "out") as store:
        path = batch_of(tmp_path / "out", keys[0])
        change(path)
        with pytest.raises(UserError) as caught:
            store.get(keys[0])
    what = f"{path}: has been changed or removed meanwhile; run it again: what is missing is computed anew"
    assert (str(caught.value), caught.value.code) == (what, DATA)


# --- what is refused ---


def _with(name: str, text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)

    return make


MANIFEST = {"schema": "gdtrain.folder/1", "kind": "sweep", "experiment": {}, "data": {}, "versions": {}, "trials": 0}
FOREIGN = {
    "a file": _with("points.csv", "x,y\n"),
    "a hidden file": _with(".gitignore", "*\n"),
    "trials without a manifest": _with("trials/a.csv", "1\n"),
    "a manifest that is no JSON": _with("sweep.json", "sweep"),
    "a manifest that is not ours": _with("sweep.json", "{}"),
    "a manifest of a later form": _with("sweep.json", json.dumps(MANIFEST | {"schema": "gdtrain.folder/2"})),
    "the folder of a run": _with("sweep.json", json.dumps(MANIFEST | {"kind": "run"})),
    "a bomb": _with("sweep.json", "[" * 100_000),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_a_folder_of_other_things_is_refused_and_left_as_it_is(tmp_path: Path, make: Callable[[Path], None]) -> None:
    folder = tmp_path / "out"
    make(folder)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError) as caught:
        opened(folder)
    what = f"--out: {folder} holds other things than a sweep; name a new folder"
    assert (str(caught.value), caught.value.code) == (what, USAGE)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("folder", "message", "code"),
    [
        ("", "no folder can have this name; name a new folder", USAGE),
        ("a\0b", "no folder can have this name; name a new folder", USAGE),
        ("a" * 300, f"cannot write {'a' * 300}: File name too long; name another folder", NOT_WRITTEN),
        ("points.csv", "cannot write points.csv: Not a directory; name another folder", NOT_WRITTEN),
        ("points.csv/a/b", "cannot write points.csv/a/b: Not a directory; name another folder", NOT_WRITTEN),
        (
            "/proc/gdtrain/a",
            "cannot write /proc/gdtrain/a: No such file or directory; name another folder",
            NOT_WRITTEN,
        ),
    ],
)
def test_places_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, message: str, code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text("x,y\n")
    with pytest.raises(UserError) as caught:
        opened(Path(folder) if folder else folder)  # type: ignore[arg-type]
    assert (str(caught.value), caught.value.code) == (f"--out: {message}", code)
    assert os.listdir(tmp_path) == ["points.csv"]


def test_a_read_only_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched, pytest.raises(UserError) as caught:
        Failing(patched, 1, True, errno.EROFS)
        opened(tmp_path / "out")
    what = f"--out: cannot write {tmp_path / 'out'}: Read-only file system; name another folder"
    assert (str(caught.value), caught.value.code) == (what, NOT_WRITTEN)


def test_an_empty_folder_will_do_and_is_left_empty_when_it_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with monkeypatch.context() as patched, pytest.raises(UserError):
        Failing(patched, 5, True)
        opened(folder)
    assert os.listdir(folder) == []
    opened(folder).close()


# --- two at once, and whatever fails when ---


def test_a_second_sweep_is_refused_at_once(tmp_path: Path) -> None:
    keys = keys_of(experiment())
    with opened(tmp_path / "out") as store:
        with pytest.raises(UserError) as caught:
            opened(tmp_path / "out", experiment(epochs=5))
        what = f"--out: another run is writing {tmp_path / 'out'}; wait until it ends, or name another folder"
        assert (str(caught.value), caught.value.code) == (what, NOT_WRITTEN)
        store.add([keys[0]], [document(0)])  # the first goes on
    with opened(tmp_path / "out") as store:
        assert store.notes == ["1 of 4 trials are kept from before"]


@pytest.mark.parametrize("on", [False, True], ids=["once", "from then on"])
def test_whichever_call_fails_a_new_folder_is_absent_or_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on: bool
) -> None:
    keys = keys_of(experiment())
    absent = partial = 0
    for k in range(1, 200):
        folder = tmp_path / str(k) / "out"
        with monkeypatch.context() as patched:
            failing, done = Failing(patched, k, on), False
            try:
                with opened(folder) as store:
                    done = True
                    store.add(keys, map(document, range(len(keys))))
                    store.finish(["new"])
            except UserError as error:
                assert (error.code, error.where) == (NOT_WRITTEN, "--out")
        assert done or not folder.parent.exists()
        absent += not done
        with opened(folder) as store:
            assert [store.get(key) for key in keys] in ([document(i) for i in range(4)], [None] * 4)
            partial += len(store) == 0 and done
        if failing.count < k:
            break
    else:
        pytest.fail("it never succeeds")
    assert absent > 15 and partial > 2
    assert (folder / "result.json").read_text() == "new"


@pytest.mark.parametrize("on", [False, True], ids=["once", "from then on"])
def test_whichever_call_fails_an_old_folder_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on: bool
) -> None:
    """Trials of one experiment are there, and its result; another one is opened, adds and ends."""
    other = experiment(epochs=5)
    old, new = keys_of(experiment()), keys_of(other)
    seen = set()
    for k in range(1, 200):
        folder = tmp_path / str(k)
        kept(folder)
        (folder / "result.json").write_text("old")
        with monkeypatch.context() as patched:
            failing = Failing(patched, k, on)
            try:
                with opened(folder, other, "text: new\n") as store:
                    store.add(new, (document(10 + i) for i in range(len(new))))
                    store.finish(["new"])
            except UserError as error:
                assert (error.code, error.where) == (NOT_WRITTEN, "--out")
        result = (folder / "result.json").read_text() if (folder / "result.json").exists() else "none"
        text = (folder / "experiment.yaml").read_text()
        epochs = json.loads((folder / "sweep.json").read_text())["experiment"]["train"]["epochs"]
        assert (epochs, text) in [(1000, "fit: y = w*x\n"), (5, "fit: y = w*x\n"), (5, "text: new\n")]
        assert result != "old" or (epochs, text) == (1000, "fit: y = w*x\n")
        with opened(folder, other) as store:
            assert [store.get(key) for key in old] == [document(i) for i in range(4)]
            assert [store.get(key) for key in new] in ([document(10 + i) for i in range(4)], [None] * 4)
            seen.add((result, epochs, text, len(store)))
        if failing.count < k:
            break
    else:
        pytest.fail("it never succeeds")
    assert k > 15 and len(seen) >= 5


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from gdtrain.keep.batches import line_of
from tests.keeping import COLUMNS, document, experiment, keys_of, opened

folder, size = Path(sys.argv[1]), 5
draws = random.Random(0)
seen = 0

def key(number): return f"{number:064x}"

def forever():
    with opened(folder) as store:
        print("open", flush=True)
        first = len(store)
        while True:
            some = range(first, first + size)
            store.add([key(i) for i in some], map(document, some))
            first += size

for _ in range(30):
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writer, 1)
        forever()
    os.close(writer)
    if draws.random() < 0.7:
        os.read(reader, 5)  # it is open; else it is killed somewhere on the way there
    time.sleep(draws.random() * 0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)
    with opened(folder) as store:
        assert len(store) % size == 0 and len(store) >= seen, (len(store), seen)
        seen = len(store)
        assert all(store.get(key(i)) == document(i) for i in range(seen))
        assert not [note for note in store.notes if "left out" in note], store.notes
        assert len(os.listdir(folder / "trials")) == seen // size
print(seen)
assert "torch" not in sys.modules
"""


def test_killed_at_any_moment_every_batch_is_whole_or_absent(tmp_path: Path) -> None:
    """Thirty processes, each killed with SIGKILL while it adds batches of five; the lock of each goes with it."""
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "out")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[-1]) >= 5 * 10
