"""How far the walks of a run have come: what is handed out to be taken up later, and what was taken up.

A run has several walks where folds are held out one after another. Each has a bookmark: where it begins, and to whom it
tells where it stands. So a run that is resumed takes the road of one that was never interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

State = Mapping[str, Any]  # of a walk: plain values, tensors and the states of `packing`


class Progress:
    """The walks of a run by number.

    begun    where they take up, by number
    save     takes the states of all walks so far when it is time; None where nobody asks on the way
    every_s  seconds between two of these times
    """

    def __init__(
        self,
        begun: Mapping[int, State] | None = None,
        save: Callable[[Mapping[int, State]], None] | None = None,
        every_s: float | None = None,
    ) -> None:
        self._begun, self._save, self._every_s = begun or {}, save, every_s
        self._last = time.monotonic()
        self.walks = dict(self._begun)

    def walk(self, number: int) -> Bookmark:
        """That of a walk. Walks go in the order of their numbers."""
        return Bookmark(self, number, self._begun.get(number))

    def told(self, number: int, state: Callable[[], State], *, over: bool) -> None:
        """Where a walk stands, worked out when it is over or it is time to save."""
        due = self._every_s is not None and time.monotonic() - self._last >= self._every_s
        if over or due:
            self.walks[number] = state()
        if due and self._save is not None:
            self._save(self.walks)
            self._last = time.monotonic()


class Bookmark:
    """A walk's place.

    begun  where it takes up; None for the start
    """

    def __init__(self, progress: Progress, number: int, begun: State | None) -> None:
        self.begun = begun
        self._progress, self._number = progress, number

    def tell(self, state: Callable[[], State], *, over: bool) -> None:
        """Where the walk stands, and whether it goes no further."""
        self._progress.told(self._number, state, over=over)
