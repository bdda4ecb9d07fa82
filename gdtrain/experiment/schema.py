"""The experiment: one validated file. Models of the full forms; `forms` adds the short ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from gdtrain.experiment.axes import Axes
from gdtrain.experiment.checkpoint import Checkpoint
from gdtrain.experiment.data import Data
from gdtrain.experiment.fields import File, LearningRate, Model, NameList, Names, Text, Value, Whole, broken
from gdtrain.experiment.network import Network
from gdtrain.experiment.objective import Loss, Penalty
from gdtrain.experiment.optimizers import AUTO, Optimizer
from gdtrain.experiment.parameters import FREE, Param
from gdtrain.experiment.schedules import Clip, Schedule
from gdtrain.experiment.stop import Stop
from gdtrain.experiment.tree import Node, from_plain
from gdtrain.experiment.uncertainty import Uncertainty

Kind = Literal["solve", "fit", "regress", "minimize"]
KINDS: tuple[Kind, ...] = ("solve", "fit", "regress", "minimize")
STDIN = "-"
_MOST = 10**12  # epochs


def is_name(name: str) -> bool:
    """Whether a name shows as it is, and results kept under it stay inside their folder."""
    return name.isprintable() and not (name.startswith(("/", "~")) or "\\" in name or ".." in name.split("/"))


def _name(name: str) -> str:
    if not is_name(name):
        raise broken("name must not hold control characters, a backslash or .., nor start with / or ~", "rename it")
    return name


def _inside(folder: str) -> str:
    if not is_name(folder) or not Path(folder).name:
        raise broken("out must be a folder below this file's, without control characters", "others are for --out DIR")
    return folder


class Regress(Model):
    """A linear predictor: target = sum of weight * feature, plus an intercept."""

    target: NameList = Field(description="column to predict, or a list of them")
    features: Names = Field(
        ["*"],
        description='columns to predict from, expressions of them (log(price), "density = mass/volume"), interactions '
        '(a:b, a*b); "*" is all other columns',
    )
    intercept: bool = Field(True, description="add a constant, the parameter `intercept`")
    levels: dict[Text, NameList] = Field(
        {}, description="column: [texts], the levels of a column of text; the first is the reference"
    )
    max_levels: Annotated[Whole, Field(ge=1, le=1_000_000)] = Field(
        1000, description="levels that a column of text may have"
    )
    unseen: Literal["error", "reference"] = Field(
        "error", description="a level at prediction that training had not: refused, or taken for the reference"
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for i, feature in enumerate(self.features):
            if feature in self.target:
                raise broken(f"{feature} is the target", "take it out of features", "features", i)
        if "*" in self.features and len(self.features) > 1:
            raise broken('"*" already names every column', "leave the others out", "features")
        return self


class Train(Model):
    """How the loss is descended."""

    optimizer: Optimizer = Field(Optimizer(name=AUTO), description="a name, or {name: sgd, momentum: 0.9, ...}")
    lr: LearningRate = Field("auto", description="learning rate; auto: 1/L for sgd, torch.optim's for others")
    epochs: Annotated[Whole, Field(ge=0, le=_MOST)] = Field(1000, description="passes over the data")
    seed: Annotated[Whole, Field(ge=0, lt=2**63)] = Field(0, description="of every random draw")
    batch_size: Annotated[Whole, Field(ge=1, le=_MOST)] | None = Field(
        None, description="rows of a step; all of them unless given"
    )
    shuffle: bool | None = Field(None, description="draw the order of the rows anew in every epoch")
    schedule: Schedule | None = Field(None, description="how lr changes: a name, or {name: cosine, T_max: 100}")
    clip: Clip | None = Field(None, description="longest gradient that is taken whole: a norm, or {value: 0.5}")
    engine: Literal["auto", "exact", "loop"] = Field(
        "auto",
        description="how epochs are computed: exact in closed form, loop one by one; auto: exact where it can be",
    )
    dtype: Literal["float64", "float32"] = Field("float64", description="precision of all numbers")
    polish: bool = Field(False, description="after the last epoch, go to the minimum nearby by Newton's steps")
    device: Annotated[str, Field(pattern=r"^(cpu|cuda|mps|xpu)(:\d{1,3})?$")] = Field(
        "cpu", description="cpu, cuda, cuda:1, mps, ..."
    )

    @model_validator(mode="after")
    def _within_the_cycle(self) -> Self:
        if self.schedule and self.schedule.total_steps and self.schedule.total_steps < self.epochs:
            steps = self.schedule.total_steps
            what = f"onecycle ends after {steps:,} of {self.epochs:,} epochs"
            raise broken(what, "leave total_steps out", "schedule", "total_steps")
        return self


class Predict(Model):
    """What to predict before and after training: exactly one of the three."""

    points: Annotated[list[dict[Text, Value]], Field(min_length=1)] | None = Field(
        None, description="a list of {column: number}; a text for a column of text"
    )
    data: bool = Field(False, description="every row of the data, beside its target")
    path: File | None = Field(None, description="a file with the same columns; the target may be missing")
    interval: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="share of intervals that hold the truth: of the mean, and of a new row"
    )

    @model_validator(mode="after")
    def _data_is_on(self) -> Self:
        if "data" in self.model_fields_set and not self.data:
            raise broken("data: false predicts nothing", "leave predict out", "data")
        return self


class Experiment(Model):
    """One experiment: the problem, its data, its training. Exactly one of solve, fit, regress, minimize."""

    name: Annotated[Text, Field(max_length=200), AfterValidator(_name)] = Field(
        "experiment", description="stands in the title; the file's name unless given"
    )
    solve: Annotated[list[Text], Field(min_length=1)] | None = Field(
        None, description="an equation, or a list of them, in the parameters to find: x + 1 = 3"
    )
    fit: Text | None = Field(None, description="a formula for a column: y = w*x + b")
    regress: Regress | None = Field(None, description="a linear predictor over columns")
    model: Network | None = Field(None, description="hidden layers of regress, for when a line is not enough")
    minimize: Text | None = Field(None, description="an expression of the parameters to make small")
    data: Data | None = Field(None, description="the rows that fit, regress or minimize reads")
    params: dict[Text, Param] = Field({}, description="parameters by name: a start, or start, min, max, fixed")
    loss: Loss | None = Field(None, description="a name, or {name: huber, delta: 1.35}")
    penalty: Penalty | None = Field(None, description="{l1: 0.01, l2: 0.1}: pulls weights to 0; intercepts are free")
    train: Train = Field(Train(), description="how the loss is descended")
    stop: Stop = Field(Stop(), description="what ends a run early")
    uncertainty: Uncertainty = Field(Uncertainty(), description="how standard errors and intervals are told")
    predict: Predict | None = Field(None, description="a list of {column: number}; data; or a file")
    out: Annotated[Text, AfterValidator(_inside)] | None = Field(
        None, description="folder that keeps the run, below that of this file"
    )
    checkpoint: Checkpoint | None = Field(None, description="saves a run on its way there: {every_s: 30}")
    sweep: Axes | None = Field(None, description="the trials of gdtrain sweep: dotted key: values, for some keys")
    expect: list[Text] = Field([], description='what the result must come to: ["w = 2 +- 0.01", "loss < 1e-3"]')

    _tree: Node | None = PrivateAttr(None)
    _folder: Path = PrivateAttr(Path())
    _chosen: tuple[str, ...] = PrivateAttr(())
    _called: Mapping[str, str] = PrivateAttr({})

    @property
    def kind(self) -> Kind:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Dotted keys that were chosen for the user, such as `train.lr`."""
        return self._chosen

    @property
    def level(self) -> float:
        """Of intervals."""
        return self.uncertainty.level

    @property
    def robust(self) -> bool:
        """Whether standard errors are the sandwich's."""
        return self.uncertainty.robust

    @property
    def folder(self) -> Path:
        """Where its relative paths start."""
        return self._folder

    def param(self, name: str) -> Param:
        """The parameter with its start, by default 0 for `regress`, else uniform(0, 1), within its bounds."""
        declared = self.params.get(name) or Param()
        return declared.started((0.0, 0.0) if self.kind == "regress" else (0.0, 1.0))

    def with_starts(self, names: Sequence[str]) -> Self:
        """This experiment with a start for each of its parameters `names`; those left out join `chosen`. Those
        of hidden layers that nobody declared are left to be drawn layer by layer.
        """
        declared = {name: self.params.get(name, FREE) for name in names}
        undecided = [name for name in names if declared[name].start is None and declared[name].expr is None]
        if self.model:
            started = {
                name: self.params[name].started((-layer.bound, layer.bound))
                for layer in self.model.drawn(names)
                for name in names[layer.start : layer.stop]
                if name in self.params
            }
        else:
            started = {name: self.param(name) for name in names}
        copy = self.model_copy(update={"params": started | {k: v for k, v in self.params.items() if k not in started}})
        copy._chosen = tuple(dict.fromkeys([*self._chosen, *(f"params.{name}.start" for name in undecided)]))
        return copy

    def locate(self, path: str) -> str:
        """A path of this experiment as one to open: relative ones start at the experiment's folder."""
        return path if path == STDIN else str(self._folder / path)

    @property
    def called(self) -> Mapping[str, str]:
        """Paths of this experiment and what messages call them, where that is not what `locate` says."""
        return self._called

    def named(self, path: str) -> str:
        """What messages call a path of this experiment."""
        place = self.locate(path)
        short = os.path.normpath(place)  # leads elsewhere where `..` follows a link
        return self._called.get(path) or (short if os.path.realpath(short) == os.path.realpath(place) else place)

    @property
    def tree(self) -> Node:
        """What was written, short forms written out: where errors point."""
        return self._tree or from_plain(self.model_dump(exclude_none=True))

    def located(self, *, tree: Node, folder: Path, chosen: tuple[str, ...]) -> Self:
        """This experiment, remembering where it was written."""
        self._tree, self._folder, self._chosen = tree, folder, chosen
        return self

    def told(self, *, chosen: Iterable[str], called: Mapping[str, str]) -> Self:
        """This experiment, which an earlier one wrote: what was chosen there, and how it called its files."""
        self._chosen, self._called = tuple(chosen), dict(called)
        return self

    def __eq__(self, other: object) -> bool:
        """Equal where they say the same, whoever chose it and wherever it was written."""
        return isinstance(other, Experiment) and self.model_dump() == other.model_dump()
