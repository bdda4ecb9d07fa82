"""What a sweep keeps in its folder, by group and point; nothing where it has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gdtrain.errors import UserError
from gdtrain.experiment.dump import dump
from gdtrain.experiment.moved import moved
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.sweep import Sweep
from gdtrain.keep import Fingerprints, Store, TrialKeys, renewed
from gdtrain.keep.manifest import Asked


class Kept:
    """The trials that a folder holds.

    notes  sentences for the user: what was there, what has changed since
    lost   told why nothing more is kept, once
    """

    def __init__(
        self,
        store: Store | None,
        keys: Sequence[Sequence[str]],
        experiments: Sequence[Experiment],
        lost: Callable[[UserError], None],
    ) -> None:
        self._store, self._keys, self._experiments = store, keys, experiments
        self._writes, self._lost = store is not None, lost
        self.notes = [] if store is None else store.notes  # one that holds no trials is false

    @classmethod
    def of(
        cls,
        spec: Sweep,
        shown: Sequence[tuple[Experiment, Mapping[str, Any]]],
        out: str | Path | None,
        frame: object | None,
        asked: Asked,
        lost: Callable[[UserError], None],
    ) -> Kept:
        """The folder `out` of a sweep, opened.

        shown  of each group the experiment as its documents tell it, and what they show besides
        asked  what was asked besides; whose choices it was is told here
        lost   told why trials can't be kept, where that comes up on the way

        Raises UserError as `Store.open`.
        """
        if out is None:
            return cls(None, [], [], lost)
        prints, keys = Fingerprints(frame), []
        for group, (_, also) in zip(spec.groups, shown, strict=True):
            experiment = group.trials.experiment
            keys.append(TrialKeys(experiment, prints.of(experiment), also).of(group.trials))
        there = moved(spec.declared, Path(out))
        text = dump(there, spec.following)
        every = [key for group_keys in keys for key in group_keys]
        told = [spec.declared, *(group.trials.experiment for group in spec.groups)]
        chosen = [list(experiment.chosen) for experiment in told]
        asked = asked.model_copy(update={"chosen": chosen, "called": dict(there.called)})
        store = Store.open(out, spec.experiment, prints.of(spec.experiment), keys=every, text=text, asked=asked)
        return cls(store, keys, [experiment for experiment, _ in shown], lost)

    def __bool__(self) -> bool:
        return self._store is not None

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        if self._store is not None:
            self._store.close()

    def has(self, group: int, point: int) -> bool:
        return self._store is not None and self._keys[group][point] in self._store

    def document(self, group: int, point: int) -> dict[str, Any]:
        """The result document of a trial that is there. Raises UserError where it is no more."""
        assert self._store is not None
        found = self._store.get(self._keys[group][point])
        assert found is not None
        return renewed(found, self._experiments[group])

    def add(self, group: int, trials: Sequence[tuple[int, Callable[[], dict[str, Any]]]]) -> None:
        """Keep the documents of points of a group, all or none."""
        keys = [self._keys[group][point] for point, _ in trials] if self._writes else []
        self._write(lambda store: store.add(keys, (document() for _, document in trials)))

    def finish(self, pieces: Iterable[str]) -> None:
        """Write the sweep's document."""
        self._write(lambda store: store.finish(pieces))

    def _write(self, write: Callable[[Store], None]) -> None:
        """Write until the system first refuses: what is trained is no worse for it."""
        if self._store is None or not self._writes:
            return
        try:
            write(self._store)
        except UserError as error:
            self._writes = False
            self._lost(error)
