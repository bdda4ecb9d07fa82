"""What a sweep keeps in its folder, by group and point; nothing where it has none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gdtrain.experiment.dump import dump
from gdtrain.experiment.moved import moved
from gdtrain.experiment.schema import Experiment
from gdtrain.experiment.sweep import Sweep
from gdtrain.keep import Fingerprints, Store, TrialKeys, renewed


class Kept:
    """The trials that a folder holds.

    notes  sentences for the user: what was there, what has changed since
    """

    def __init__(self, store: Store | None, keys: Sequence[Sequence[str]], experiments: Sequence[Experiment]) -> None:
        self._store, self._keys, self._experiments = store, keys, experiments
        self.notes = store.notes if store else []

    @classmethod
    def of(
        cls,
        spec: Sweep,
        shown: Sequence[tuple[Experiment, Mapping[str, Any]]],
        out: str | Path | None,
        frame: object | None,
    ) -> Kept:
        """The folder `out` of a sweep, opened.

        shown  of each group the experiment as its documents tell it, and what they show besides

        Raises UserError as `Store.open`.
        """
        if out is None:
            return cls(None, [], [])
        prints, keys = Fingerprints(frame), []
        for group, (_, also) in zip(spec.groups, shown, strict=True):
            experiment = group.trials.experiment
            keys.append(TrialKeys(experiment, prints.of(experiment), also).of(group.trials))
        text = dump(moved(spec.declared, Path(out)))
        every = [key for group_keys in keys for key in group_keys]
        store = Store.open(out, spec.experiment, prints.of(spec.experiment), keys=every, text=text)
        return cls(store, keys, [experiment for experiment, _ in shown])

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
        if self._store is not None:
            keys = [self._keys[group][point] for point, _ in trials]
            self._store.add(keys, (document() for _, document in trials))

    def finish(self, pieces: Iterable[str]) -> None:
        """Write the sweep's document."""
        if self._store is not None:
            self._store.finish(pieces)
