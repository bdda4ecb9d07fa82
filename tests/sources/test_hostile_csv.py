"""Files that must be read well or refused with their place."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from gdtrain.errors import DATA, UserError
from gdtrain.sources import Reading, open_source

DATA_FOLDER = Path(__file__).parents[1] / "data"
CASES: list[dict[str, Any]] = json.loads((DATA_FOLDER / "hostile_csv.json").read_text())

pytestmark = pytest.mark.usefixtures("way")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_hostile_file(case: dict[str, Any]) -> None:
    path = str(DATA_FOLDER / "hostile_csv" / case["file"])
    if "columns" in case:
        source = open_source(path=path, where=case["file"])
        assert {name: list(v) for name, v in source.read(source.names).items()} == case["columns"]
        assert len(source.warnings) == ("warning" in case)
        assert case.get("warning", "") in "".join(source.warnings)
        return
    with pytest.raises(UserError) as caught:
        open_source(path=path, where=case["file"]).read(["x", "y"])
    assert caught.value.code == DATA
    for part in case["error"]:
        assert part in str(caught.value)


def test_every_hostile_file_is_in_the_table() -> None:
    assert {case["file"] for case in CASES} == {p.name for p in (DATA_FOLDER / "hostile_csv").iterdir()}


def test_comments_and_missing_header_are_read_once_told() -> None:
    folder = DATA_FOLDER / "hostile_csv"
    commented = open_source(path=str(folder / "comment_lines.csv"), comment="#").read(["x", "y"])
    assert [list(v) for v in commented.values()] == [[1, 2], [2, 4]]
    named = open_source(path=str(folder / "no_header.csv"), header=["x", "y"]).read(["y", "x"])
    assert {name: list(v) for name, v in named.items()} == {"y": [2, 4, 6], "x": [1, 2, 3]}


def test_csv_spectrum(cases: Path) -> None:
    """Every cell is as its JSON says: read as text, and as numbers where all of a column are."""
    for path in sorted((cases / "csv_spectrum" / "csvs").glob("*.csv")):
        rows = json.loads((cases / "csv_spectrum" / "json" / f"{path.stem}.json").read_text())
        if isinstance(rows, dict):  # one file of the set has the JSON of another row
            continue
        source = open_source(path=str(path))
        assert source.names == list(rows[0]), path.name
        levels = source.levels(source.names, 100)
        codes = source.read(source.names, reading=Reading(levels=levels, gaps=source.names))
        for name in source.names:
            cells = [row[name] for row in rows]
            read = ["" if math.isnan(code) else levels[name][int(code)] for code in codes[name]]
            assert read == cells, (path.name, name)
            if all(cell.replace(".", "", 1).isdigit() for cell in cells):
                assert list(source.read([name])[name]) == [float(cell) for cell in cells], path.name
            elif source.kind(name) != "bool":
                with pytest.raises(UserError, match=r"line \d+, column"):
                    source.read([name])
