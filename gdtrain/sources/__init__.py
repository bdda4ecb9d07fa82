"""Columns of numbers from files, standard input, frames and the experiment file itself.

`open_source` looks at as little as tells the names and kinds of the columns; rows are read by
`Source.blocks` or `Source.read`, and only the columns that are asked for. Every number that leaves a source
is finite; anything else is a `UserError` (exit code 3) that names the file, the line or row, the column and
the text at fault. A `Reading` asks for more: texts as codes, missing cells as NaN.

Importing this package loads neither numpy nor polars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO

from gdtrain.errors import UserError
from gdtrain.sources.cells import Kind
from gdtrain.sources.reading import PLAIN, UNSEEN, Reading
from gdtrain.sources.table import BLOCK_ROWS, NOTHING, Column, Keep, Source

__all__ = ["BLOCK_ROWS", "NOTHING", "PLAIN", "UNSEEN", "Column", "Keep", "Kind", "Reading", "Source", "open_source"]


def open_source(
    *,
    path: str | None = None,
    columns: Mapping[str, object] | None = None,
    frame: object | None = None,
    delimiter: str | None = None,
    header: Sequence[str] | None = None,
    comment: str | None = None,
    nulls: Sequence[str] = (),
    stdin: BinaryIO | None = None,
    where: str = "",
    typed: bool = False,
) -> Source:
    """The data of an experiment, opened: names and kinds of its columns are known, no row has been read.

    Exactly one of
    path     a file (CSV, TSV, Parquet, NDJSON; text also as .gz or .zst), or `-` for standard input
    columns  name -> numbers, as under `data.columns`
    frame    a polars or pandas DataFrame, or a mapping of names to arrays of length N

    delimiter, header, comment  as under `data`, for delimited text alone; guessed, read from the first line,
                                and none where they are None
    nulls    words that stand for a missing value, beside the empty cell
    stdin    where `-` reads from; the process's own where None
    where    what messages call the data; the path as given where it is empty
    typed    whether these three are passed over where the data is no delimited text, in place of refused

    Raises UserError: code DATA where the data is wrong, USAGE where an option is.
    """
    given = [thing for thing in (path, columns, frame) if thing is not None]
    if len(given) != 1:
        raise UserError("data comes from exactly one place", remedy="give data.path or data.columns")
    if path is None:
        from gdtrain.sources.inline import InlineSource

        return InlineSource(given[0], where=where or ("data.columns" if frame is None else "the data"), nulls=nulls)

    from gdtrain.sources.origin import find_origin

    origin = find_origin(path, stdin=stdin, where=where)
    if origin.form == "delimited":
        from gdtrain.sources.delimited import DelimitedSource
        from gdtrain.sources.layout import Dialect

        return DelimitedSource(origin, Dialect.checked(delimiter, header, comment), nulls)

    if not typed:
        _refuse_text_options({"delimiter": delimiter, "header": header, "comment": comment}, origin.where)
    if origin.form == "parquet":
        from gdtrain.sources.parquet import ParquetSource

        return ParquetSource(origin, nulls)
    from gdtrain.sources.ndjson import NdjsonSource

    return NdjsonSource(origin, nulls)


def _refuse_text_options(options: Mapping[str, object], where: str) -> None:
    for key, value in options.items():
        if value is not None:
            raise UserError(
                f"data.{key} is for delimited text (CSV, TSV), and {where} names its columns itself",
                remedy=f"leave data.{key} out",
            )
