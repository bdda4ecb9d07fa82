"""What every source offers: columns to choose from, and blocks of rows of the chosen ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from gdtrain.errors import DATA, UserError, did_you_mean
from gdtrain.sources.cells import Kind, is_gap
from gdtrain.sources.reading import PLAIN, Levels, Reading, as_text

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Block: TypeAlias = dict[str, NDArray[np.float64]]
    Kept: TypeAlias = "pl.DataFrame | Lines | None"  # cells as they stand; None where none were asked for

BLOCK_ROWS = 65_536  # rows of a block: twenty columns of it are 10 MB
MANY_LEVELS = "leave the column out, or set regress.max_levels"
_LISTED = 12  # column names that a message lists
_SHOWN = 60  # characters of each
_SMALLEST_NORMAL = 2.2250738585072014e-308


@dataclass(frozen=True, slots=True)
class Keep:
    """Cells that come along as they stand.

    names  their columns
    lines  whether `Lines` will do, where all columns are kept of text that is comma-separated already
    """

    names: Sequence[str] = ()
    lines: bool = False

    def __bool__(self) -> bool:
        return bool(self.names)


NOTHING = Keep()


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows of comma-separated text, whole.

    names  of the columns
    rows   their lines, without line ends
    """

    names: Sequence[str]
    rows: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a source has: its name, its kind as far as it was looked at, its empty cells.

    gaps  the number of rows without a value; None where not all rows were looked at
    """

    name: str
    kind: Kind
    gaps: int | None = None


def kept_frame(columns: Mapping[str, Sequence[object]]) -> pl.DataFrame | None:
    """Cells as a frame: of one type each, else as text; None where there are no columns."""
    if not columns:
        return None
    import polars as pl

    found = []
    for name, values in columns.items():
        try:
            found.append(pl.Series(name, values))
        except TypeError:  # of several types
            found.append(pl.Series(name, [None if value is None else as_text(value) for value in values]))
    return pl.DataFrame(found)


class Source(ABC):
    """Rows of named columns. Reading may be repeated.

    where     what messages call it
    columns   what may be asked for, in the order of the data; kinds are inferred from the first rows
    nulls     words that stand for a missing value, beside the empty cell
    warnings  sentences for the user; reading may add to them
    learned   what those who read the rows have worked out, by what they asked: for whoever asks the same again
    """

    where: str
    columns: list[Column]
    nulls: frozenset[str]
    warnings: list[str]
    learned: dict[Hashable, Any]

    def __init__(self, where: str, nulls: Collection[str] = ()) -> None:
        self.where = where
        self.nulls = frozenset(nulls)
        self.columns = []
        self._met: dict[tuple[str, int], list[str]] = {}
        self.warnings = []
        self.learned = {}

    @property
    def names(self) -> list[str]:
        """The names of the columns, in the order of the data."""
        return [column.name for column in self.columns]

    def kind(self, name: str) -> Kind:
        """The kind of a column."""
        return next(column.kind for column in self.columns if column.name == name)

    def blocks(self, names: Sequence[str], size: int = BLOCK_ROWS, reading: Reading = PLAIN) -> Iterator[Block]:
        """The named columns in blocks of 1 to `size` rows, in order: name -> float64 `(n,)`, finite but for gaps.

        reading  which columns are codes of text, and in which a missing cell is NaN; true and false are 1 and 0

        The arrays may be views that can't be written to. Memory holds a few blocks at a time.
        Raises UserError (DATA) for a name that is no column, for no rows, and for the first asked-for cell
        that holds no finite number; the blocks before it have been given by then.
        """
        return (block for block, _ in self.rows(names, NOTHING, size, reading))

    def rows(
        self, names: Sequence[str], keep: Keep, size: int = BLOCK_ROWS, reading: Reading = PLAIN
    ) -> Iterator[tuple[Block, Kept]]:
        """`blocks`, each beside the cells to keep as they stand: of delimited text their texts, else values of their
        own type. At least one name is wanted for there to be rows. Raises as `blocks` does.
        """
        self.require([*names, *keep.names])
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return
        empty = True
        for block, beside in self._rows(wanted, keep, size, reading):
            empty = False
            self._warn_of_lost_digits(block, reading)
            yield block, beside
        if empty:
            raise UserError("there are no rows", where=self.where, remedy="add data", code=DATA)

    def read(self, names: Sequence[str], *, copy: bool = True, reading: Reading = PLAIN) -> Block:
        """The named columns, whole: name -> float64 `(N,)`, finite but for gaps, writable. Raises as `blocks` does.

        copy  False where nothing will be written: arrays that were given may then come back themselves
        """
        import numpy as np

        parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
        for block in self.blocks(names, reading=reading):
            for name, values in block.items():
                parts[name].append(values)
        return {name: np.concatenate(parts.pop(name)) for name in list(parts)}

    @abstractmethod
    def survey(self) -> list[Column]:
        """The columns with kinds that hold for every row and gaps counted: reads all of the data."""

    def levels(self, names: Sequence[str], most: int, remedy: str = MANY_LEVELS) -> dict[str, list[str]]:
        """The different texts of columns, sorted: reads these columns whole, in the memory of a few blocks.

        Spaces around a text are none of it; a missing cell is no level. Raises UserError (DATA) for more than `most`,
        which tells the remedy.
        """
        self.require(names)
        found = Levels([name for name in names if (name, most) not in self._met], most, self.where, remedy)
        if found.names:
            self._meet(found, found.names)
        self._met |= {(name, most): texts for name, texts in found.sorted().items()}
        levels = {name: self._met[name, most] for name in names}
        for name, texts in levels.items():
            for text in filter(is_gap, texts):
                listed = "list it under data.null_values if it stands for a missing value"
                self._warn(f"{self.where}, column {name}: {text!r} is taken for a level; {listed}")
        return levels

    @abstractmethod
    def _meet(self, found: Levels, names: list[str]) -> None:
        """Adds the texts of columns to `found`."""

    @abstractmethod
    def _rows(self, names: list[str], keep: Keep, size: int, reading: Reading) -> Iterator[tuple[Block, Kept]]:
        """`rows` for names that are columns and differ from each other."""

    def require(self, names: Sequence[str]) -> None:
        """Raises UserError (DATA) unless each of `names` is a column."""
        known = set(self.names)
        for name in names:
            if name not in known:
                raise self._no_column(name)

    def _no_column(self, name: str) -> UserError:
        remedy = self.remedy_for_header() or did_you_mean(name, self.names)
        shown = ", ".join(known[:_SHOWN] for known in self.names[:_LISTED])
        more = len(self.names) - _LISTED
        listed = f"the columns are {shown}" + (f" and {more} more" if more > 0 else "")
        return UserError(
            f"there is no column {name}",
            where=self.where,
            remedy=f"{remedy} ({listed})" if remedy else listed,
            code=DATA,
        )

    def remedy_for_header(self) -> str:
        """The likely reason why the columns are not what was expected; "" where there is none."""
        return ""

    def _warn_of_lost_digits(self, block: Block, reading: Reading) -> None:
        import numpy as np

        for name, values in block.items():
            if name in reading.levels:
                continue
            sizes = np.abs(values)
            if sizes.min() >= _SMALLEST_NORMAL:
                continue
            tiny = values[(sizes < _SMALLEST_NORMAL) & (sizes > 0)]
            if tiny.size:
                lost = f"{float(tiny[0])!r} is below the smallest normal number, 2.2e-308"
                place = f"{self.where}, column {name}"
                self._warn(f"{place}: {lost}, and keeps only a few digits; choose a larger unit")

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:  # a second reading meets the same rows
            self.warnings.append(sentence)
