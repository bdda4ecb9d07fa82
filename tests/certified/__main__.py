"""Measure how exact results are, and write the tables of docs/accuracy.md: `python -m tests.certified [TABLE ...]`.

A table whose references do not lie here is left as it is.
"""

from __future__ import annotations

import argparse
import sys

from tests.certified.page import PAGE, replaced
from tests.certified.sections import SECTIONS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.certified", description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=f"these alone: {', '.join(SECTIONS)}")
    asked = parser.parse_args().tables
    if unknown := [name for name in asked if name not in SECTIONS]:
        parser.error(f"no table {unknown[0]}; the tables are {', '.join(SECTIONS)}")
    for name in asked or SECTIONS:
        section = SECTIONS[name]
        if not section.source.is_dir():
            print(f"{name}: its references are not beside this checkout; left as it is", file=sys.stderr)
            continue
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        cells = [(*key, *section.measure(*key)[0]) for key in section.cases()]
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), name, section.header, cells), encoding="utf-8")


if __name__ == "__main__":
    main()
