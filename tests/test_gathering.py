"""Rows on their way to an engine: read once, a block at a time, the same in any blocks, and never half a file."""

from __future__ import annotations

import gzip
import io
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdtrain.cli.process import run as gdtrain
from gdtrain.data import opening
from gdtrain.errors import DATA, UserError
from gdtrain.experiment.load import load
from gdtrain.look import describe
from gdtrain.results import Result
from gdtrain.sources import Column, Keep, Reading, Source
from gdtrain.sources.delimited import DelimitedSource
from gdtrain.sources.reading import Levels
from gdtrain.train import train
from tests.affine import curvature

RNG = np.random.default_rng(11)
N = 70_000  # more than a block of a CSV
X, Z = RNG.uniform(-2, 3, N).round(3), RNG.normal(10, 1, N).round(3)
TABLE = {"x": X, "z": Z, "y": (2 * X - Z + 5 + RNG.normal(0, 0.5, N)).round(3)}
FIT = {"fit": "y = a*x + b*z + d*x^2"}
REGRESS = {"regress": {"target": "y"}}
DESIGNS: dict[str, tuple[dict[str, Any], np.ndarray]] = {
    "fit": (FIT, np.column_stack([X, Z, X**2])),
    "regress": (REGRESS, np.column_stack([X, Z, np.ones(N)])),
}
BOTH = pytest.mark.parametrize(("source", "A"), DESIGNS.values(), ids=DESIGNS)


class Counted(Source):
    """A source that counts how often its rows are read, and how many blocks of them are held at once."""

    def __init__(self, table: dict[str, np.ndarray], size: int, fails_after: float = np.inf) -> None:
        super().__init__("counted")
        self.columns = [Column(name, "number") for name in table]
        self.passes = self.most_held = self.largest = 0
        self._table, self._size, self._fails_after = table, size, fails_after
        self._given: list[weakref.ref[np.ndarray]] = []

    def survey(self) -> list[Column]:
        return self.columns

    def _meet(self, found: Levels, names: list[str]) -> None:
        raise NotImplementedError

    def _rows(
        self, names: list[str], keep: Keep, size: int, reading: Reading
    ) -> Iterator[tuple[dict[str, np.ndarray], None]]:
        self.passes += 1
        for count, first in enumerate(range(0, len(self._table[names[0]]), self._size)):
            if count >= self._fails_after:
                raise UserError("the cable was pulled", where=self.where, code=DATA)
            block = {name: self._table[name][first : first + self._size].copy() for name in names}
            self._given.append(weakref.ref(block[names[0]]))
            self.most_held = max(self.most_held, sum(given() is not None for given in self._given))
            self.largest = max(self.largest, len(block[names[0]]))
            yield block, None


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Counted]:
    """Makes a source, and has every experiment read it."""

    def made(table: dict[str, np.ndarray] = TABLE, size: int = 1000, **more: Any) -> Counted:
        source = Counted(table, size, **more)
        monkeypatch.setattr(opening, "open_source", lambda **options: source)
        return source

    return made


def run(source: dict[str, Any], path: Path | str = "counted.csv", **train_keys: Any) -> Result:
    return train(load({**source, "data": {"path": str(path)}, "train": train_keys}))


def write_csv(path: Path, rows: int = N) -> str:
    lines = [",".join(map(repr, row)) for row in zip(*(c[:rows].tolist() for c in TABLE.values()), strict=True)]
    text = "\n".join([",".join(TABLE), *lines]) + "\n"
    path.write_text(text)
    return text


# Once, and never whole


@BOTH
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_rows_are_read_once_and_let_go(
    source: dict[str, Any], A: np.ndarray, optimizer: str, counted: Callable[..., Counted]
) -> None:
    rows = counted()
    result = run(source, optimizer=optimizer, epochs=100)
    assert (rows.passes, rows.largest) == (1, 1000)
    assert rows.most_held <= 2  # one that is worked on, and the next
    assert (result.engine["data"], result.data["rows"]) == ("compressed", N)


@pytest.mark.parametrize("split", [{"folds": 5}, {"holdout": 0.2}, {"folds": 5, "fold": 0}])
@pytest.mark.parametrize("source", [FIT, REGRESS], ids=["fit", "regress"])
def test_rows_that_are_held_out_are_read_with_the_others(
    source: dict[str, Any], split: dict[str, Any], counted: Callable[..., Counted]
) -> None:
    rows = counted()
    result = train(load({**source, "data": {"path": "counted.csv", "split": split}, "train": {"epochs": 10}}))
    assert (rows.passes, rows.largest, rows.most_held) == (1, 1000, 2)
    assert (result.engine["data"], result.data["rows"]) == ("compressed", N)


def test_what_needs_the_rows_themselves_reads_them_again(counted: Callable[..., Counted]) -> None:
    """The optimum is known to the loop too."""
    rows = counted({name: column[:500] for name, column in TABLE.items()})
    result = run(FIT, engine="loop", epochs=5)
    assert rows.passes == 2 and result.engine["data"] == "rows"
    assert "optimum" in curvature(result)
    rows = counted({name: column[:500] for name, column in TABLE.items()})
    predictions = run({**REGRESS, "predict": "data"}, epochs=5).predictions
    assert rows.passes == 2 and len(predictions) == 500


def test_check_holds_a_block_at_a_time(counted: Callable[..., Counted]) -> None:
    rows = counted()
    assert f"rows: {N:,}" in describe(load({**FIT, "data": {"path": "counted.csv"}}))
    assert rows.most_held <= 2


# In any blocks


@BOTH
@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_blocks_do_not_matter(
    source: dict[str, Any], A: np.ndarray, size: int, counted: Callable[..., Counted]
) -> None:
    table = {name: column[:2000] for name, column in TABLE.items()}
    counted(table, 2000)
    whole = run(source, epochs=50)
    counted(table, size)
    parts = run(source, epochs=50)
    same(parts, whole)


def same(found: Result, expected: Result) -> None:
    np.testing.assert_allclose(found.recorded.values_KQ, expected.recorded.values_KQ, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.recorded.loss_K, expected.recorded.loss_K, rtol=1e-11)
    assert curvature(found)["optimum"] == pytest.approx(curvature(expected)["optimum"], rel=1e-11)


@pytest.fixture(scope="module")
def table_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    write_csv(path)
    return path


@BOTH
def test_a_long_csv_in_any_blocks(
    source: dict[str, Any], A: np.ndarray, table_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as its reader gives, and others; with numpy's solution of the whole table."""
    found = run(source, table_csv, epochs=10**6)
    expected, *_ = np.linalg.lstsq(A, TABLE["y"])
    assert list(found.params.values()) == pytest.approx(expected.tolist(), rel=1e-9)
    assert list(curvature(found)["optimum"].values()) == pytest.approx(expected.tolist(), rel=1e-11)
    assert curvature(found)["loss_at_optimum"] == pytest.approx(((A @ expected - TABLE["y"]) ** 2).mean(), rel=1e-11)
    blocks = DelimitedSource.blocks
    for size in (997, 40_000):
        monkeypatch.setattr(
            DelimitedSource, "blocks", lambda self, names, _, reading, size=size: blocks(self, names, size, reading)
        )
        same(run(source, table_csv, epochs=10**6), found)


def test_packed_or_from_stdin_it_is_the_same(table_csv: Path, tmp_path: Path) -> None:
    packed = tmp_path / "table.csv.gz"
    packed.write_bytes(gzip.compress(table_csv.read_bytes(), 1))
    expected = run(FIT, table_csv, epochs=50)
    same(run(FIT, packed, epochs=50), expected)
    given = io.BytesIO(table_csv.read_bytes())
    same(train(load({**FIT, "data": {"path": "-"}, "train": {"epochs": 50}}), stdin=given), expected)


# Never half a file


def with_line(text: str, at: float, line: str) -> bytes:
    lines = text.splitlines(keepends=True)
    lines[int(at * len(lines))] = line + "\n"
    return "".join(lines).encode()


def cut(packed: bytes) -> bytes:
    return packed[: int(0.7 * len(packed))]


LATE = int(0.97 * (N + 1)) + 1
BROKEN: list[tuple[str, str, Callable[[str], bytes], str]] = [
    ("a word", "csv", lambda t: with_line(t, 0.97, "1,oops,3"), f"line {LATE}, column z: 'oops' is not a number"),
    ("not a number", "csv", lambda t: with_line(t, 0.97, "1,NaN,3"), f"line {LATE}, column z: 'NaN' is not a number"),
    ("an infinity", "csv", lambda t: with_line(t, 0.97, "1,2,inf"), f"line {LATE}, column y: 'inf' is "),
    ("too large", "csv", lambda t: with_line(t, 0.97, "1,2,1e999"), f"line {LATE}, column y: '1e999' is too large"),
    ("a gap", "csv", lambda t: with_line(t, 0.97, "1,,3"), f"line {LATE}, column z: the cell is empty"),
    ("a short row", "csv", lambda t: with_line(t, 0.97, "1,2"), f"line {LATE}: the row has 2 cells, the header 3"),
    ("no text", "csv", lambda t: with_line(t, 0.97, "1,2,?").replace(b"?", b"\xff"), f"line {LATE}: not UTF-8"),
    ("cut short", "csv.gz", lambda t: cut(gzip.compress(t.encode(), 1)), "the gzip data is broken or cut off"),
]


@pytest.fixture(scope="module", params=BROKEN, ids=[name for name, *_ in BROKEN])
def broken(
    request: pytest.FixtureRequest, table_csv: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    _, ending, breaking, message = request.param
    path: Path = tmp_path_factory.mktemp("broken") / f"broken.{ending}"
    path.write_bytes(breaking(table_csv.read_text()))
    return path, message


@BOTH
def test_a_file_that_breaks_off_is_one_error(source: dict[str, Any], A: np.ndarray, broken: tuple[Path, str]) -> None:
    path, message = broken
    with pytest.raises(UserError, match="broken") as caught:
        run(source, path)
    assert caught.value.code == DATA and message in str(caught.value)


def test_a_file_that_breaks_off_prints_no_number(broken: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    path, message = broken
    code = gdtrain(["regress", str(path), "--target", "y", "--format", "json"])
    shown = capsys.readouterr()
    assert (code, shown.out) == (3, "")
    assert shown.err.count("broken.") == 1 and message in shown.err


@BOTH
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_source_that_fails_midway_ends_the_run(
    source: dict[str, Any], A: np.ndarray, after: int, counted: Callable[..., Counted]
) -> None:
    counted(fails_after=after)
    with pytest.raises(UserError, match="the cable was pulled"):
        run(source)
