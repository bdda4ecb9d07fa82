"""Lines of zstd text. Python's library has no zstd before 3.14; polars has."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import polars as pl

from gdtrain.errors import DATA, UserError

if TYPE_CHECKING:
    from gdtrain.sources.origin import Origin

_LINES = 4096  # lines unpacked at a time


def zstd_lines(origin: Origin) -> Generator[str, None, None]:
    """The lines of `origin`, each with a line end. Raises as `Origin.lines` does, without byte offsets."""
    number = 0
    try:
        for batch in pl.scan_lines(origin.scannable(), glob=False).collect_batches(chunk_size=_LINES):
            for text in batch["line"]:
                number += 1
                if "\0" in text:
                    raise _not_text(origin, "a NUL byte", text, number)
                yield (text.removeprefix("\ufeff") if number == 1 else text) + "\n"
    except pl.exceptions.PolarsError:
        raise _undecodable(origin) from None
    except (OSError, pl.exceptions.PanicException):
        raise origin.broken(f"after line {number}") from None


def _undecodable(origin: Origin) -> UserError:
    """The error for the first line that is not UTF-8: where decoding put a replacement character."""
    lossy = pl.scan_csv(
        origin.scannable(),
        glob=False,
        has_header=False,
        separator="\x01",  # parts nothing: a line is one cell
        quote_char=None,
        encoding="utf8-lossy",
        schema={"line": pl.String},
        truncate_ragged_lines=True,
        row_index_name="number",
        row_index_offset=1,
    )
    found = lossy.filter(pl.col("line").str.contains("\ufffd", literal=True)).head(1)
    try:
        number, text = found.collect().row(0)
    except (pl.exceptions.PolarsError, OSError):
        return UserError("not UTF-8 text", where=origin.where, remedy="save it as UTF-8 text", code=DATA)
    return _not_text(origin, "not UTF-8", text, number)


def _not_text(origin: Origin, what: str, text: str, number: int) -> UserError:
    return UserError(what, where=f"{origin.where}, line {number}", remedy="save it as UTF-8 text", text=text, code=DATA)
